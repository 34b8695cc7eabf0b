//! Trees in memory: where new ones go, and where old ones come from.

use std::collections::HashMap;

use synchroniser::git::sink::{NewObject, ObjectWriter, SinkError};
use synchroniser::git::tree::{TreeError, TreeSource};
use synchroniser::git::{ObjectId, ObjectKind};

/// Trees by their ids.
#[derive(Clone, Debug, Default)]
pub struct Trees {
    /// The contents of each.
    pub held: HashMap<ObjectId, Vec<u8>>,
    /// What stands for every tree that is not held, as a damaged repository would have it.
    pub otherwise: Option<Vec<u8>>,
}

impl TreeSource for Trees {
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        let found = self.held.get(&id).or(self.otherwise.as_ref());
        found.cloned().ok_or(TreeError::Unreadable { id, source: None })
    }

    fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
        Ok(id)
    }
}

impl ObjectWriter for Trees {
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
        assert_eq!(object.kind, ObjectKind::Tree);
        assert_eq!(object.id, ObjectId::of(object.kind, object.contents));
        for copied in object.delta_hint.into_iter().flat_map(|delta_hint| delta_hint.copied) {
            assert!(copied.to + copied.length <= object.contents.len());
        }
        self.held.insert(object.id, object.contents.to_vec());
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        Ok(())
    }
}
