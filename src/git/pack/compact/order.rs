//! Which objects there are, and in which order deltas are searched for: those that were at the same place
//! of a working copy one after the other, the newest first, beside those whose names end alike.
//!
//! The order decides how small a pack becomes, and nothing else. So what cannot be parsed has no name.

use std::collections::HashMap;
use std::path::PathBuf;

use super::CompactError;
use crate::base::Interrupt;
use crate::git::commit;
use crate::git::pack::lookup::{Lookup, Place, ReadError};
use crate::git::pack::reader::{EntryFlaw, Payload};
use crate::git::tree_entry::entries;
use crate::git::{ObjectId, ObjectKind};

/// What an object is written as: in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    Commit,
    Tag,
    Tree,
    Blob,
}

impl Class {
    pub(super) fn of(kind: Option<ObjectKind>) -> Self {
        match kind {
            Some(ObjectKind::Commit) => Self::Commit,
            None => Self::Tag,
            Some(ObjectKind::Tree) => Self::Tree,
            Some(ObjectKind::Blob) => Self::Blob,
        }
    }
}

/// An object on its way into the new pack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object {
    pub id: ObjectId,
    pub class: Class,
    place: Place,
    /// The end of its name, the last byte first.
    name: u64,
    /// The first object that was found at its path.
    pub path: u32,
    /// As the how manieth it was found.
    found: u32,
}

/// What was not found yet.
const NEVER: u32 = u32::MAX;

/// The objects of `packs`, sorted for the search.
pub(super) fn objects(
    lookup: &mut Lookup,
    packs: &[PathBuf],
    interrupt: &Interrupt,
) -> Result<Vec<Object>, CompactError> {
    let mut objects = list(lookup, packs, interrupt)?;
    Namer { lookup, objects: &mut objects, paths: HashMap::new(), count: 0, interrupt }.name()?;
    objects.sort_unstable_by_key(|object| {
        let Object { class, name, path, found, place, .. } = *object;
        (class, name, path, found, place)
    });
    Ok(objects)
}

/// Every object of `packs` once, by id.
fn list(
    lookup: &mut Lookup,
    packs: &[PathBuf],
    interrupt: &Interrupt,
) -> Result<Vec<Object>, CompactError> {
    let numbers: Vec<u32> = lookup.numbers(|path| packs.iter().any(|pack| pack == path)).collect();
    let mut objects = Vec::new();
    for number in numbers {
        classify(lookup, number, &mut objects, interrupt)?;
    }
    objects.sort_unstable_by_key(|object: &Object| (object.id, object.place));
    objects.dedup_by_key(|object| object.id);
    Ok(objects)
}

/// Adds the objects of one pack. A delta is of the kind that its base is of.
fn classify(
    lookup: &mut Lookup,
    number: u32,
    objects: &mut Vec<Object>,
    interrupt: &Interrupt,
) -> Result<(), CompactError> {
    let order = lookup.pack(number)?.order().map_err(ReadError::from)?;
    let mut classes: HashMap<u64, Class> = HashMap::with_capacity(order.len());
    let mut chain = Vec::new();
    for entry in &order {
        interrupt.check()?;
        let mut offset = entry.offset;
        let class = loop {
            if let Some(class) = classes.get(&offset) {
                break *class;
            }
            let pack = lookup.pack(number)?;
            let header = pack.header(offset).map_err(ReadError::from)?;
            chain.push(offset);
            let flawed = chain.len() > order.len();
            let base = match header.payload {
                Payload::Whole(kind) => break Class::of(kind),
                _ if flawed => None,
                Payload::OffsetDelta(distance) => offset.checked_sub(distance),
                Payload::RefDelta(id) => {
                    pack.index.find(&id).map_err(ReadError::from)?.map(|base| base.offset)
                }
            };
            let Some(base) = base else {
                return Err(ReadError::from(pack.flaw(offset, EntryFlaw::Cycle)).into());
            };
            offset = base;
        };
        classes.extend(chain.drain(..).map(|offset| (offset, class)));
        let id = lookup.pack(number)?.index.id(entry.number).map_err(ReadError::from)?;
        let place = Place::new(number, entry.offset);
        objects.push(Object { id, class, place, name: 0, path: NEVER, found: NEVER });
    }
    Ok(())
}

/// Finds the names of objects.
struct Namer<'n> {
    lookup: &'n mut Lookup,
    /// By id.
    objects: &'n mut [Object],
    /// The number of the first object at each path, by the path's hash.
    paths: HashMap<u64, u32>,
    count: u32,
    interrupt: &'n Interrupt,
}

impl Namer<'_> {
    /// From the newest commit to the oldest, through what no newer one has.
    fn name(&mut self) -> Result<(), CompactError> {
        let mut commits: Vec<(Place, usize)> = Vec::new();
        for (number, object) in self.objects.iter().enumerate() {
            if object.class == Class::Commit {
                commits.push((object.place, number));
            }
        }
        commits.sort_unstable();
        let mut newest = Vec::with_capacity(commits.len());
        for (place, number) in commits {
            self.interrupt.check()?;
            let Some(object) = self.objects.get(number) else { continue };
            let (_, text) = self.lookup.read_at(&object.id, place)?;
            let time = commit::time(&text).unwrap_or_default();
            newest.push((std::cmp::Reverse((time, place)), number, commit::tree(&text)));
        }
        newest.sort_unstable_by_key(|(time, ..)| *time);
        for (_, number, tree) in newest {
            if let Some(object) = self.objects.get_mut(number) {
                object.found = self.count;
                self.count = self.count.saturating_add(1);
            }
            if let Some(tree) = tree {
                self.walk(tree)?;
            }
        }
        Ok(())
    }

    /// Names a tree of a commit and all that is below it.
    fn walk(&mut self, tree: ObjectId) -> Result<(), CompactError> {
        let mut trees = Vec::new();
        trees.extend(self.meet(tree, b"", 0));
        while let Some((tree, path)) = trees.pop() {
            self.interrupt.check()?;
            let Some((_, text)) = self.lookup.read(&tree)? else { continue };
            for entry in entries(&text).map_while(Result::ok).filter(|entry| !entry.is_gitlink()) {
                trees.extend(self.meet(entry.id, entry.name, path));
            }
        }
        Ok(())
    }

    /// Names an object, which is in the directory whose path has the hash `above`. If it is a tree that
    /// was not met before, returns it and the hash of its path.
    fn meet(&mut self, id: ObjectId, name: &[u8], above: u64) -> Option<(ObjectId, u64)> {
        let place = self.objects.binary_search_by_key(&id, |object| object.id).ok()?;
        let object = self.objects.get_mut(place).filter(|object| object.found == NEVER)?;
        let path = name.iter().fold(above.rotate_left(7) ^ 1, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        });
        object.found = self.count;
        object.path = *self.paths.entry(path).or_insert(self.count);
        let end = name.iter().rev().take(8);
        object.name = end.fold(0, |name, byte| name << 8 | u64::from(*byte));
        self.count = self.count.saturating_add(1);
        (object.class == Class::Tree).then_some((id, path))
    }
}
