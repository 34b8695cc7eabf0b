//! Moving many references at once: one atomic, durable replacement of the file `packed-refs`.
//!
//! Measured with 5,000 references: libgit2's transaction takes 3.5 s when it flushes each file, holds
//! 5,000 files open meanwhile and leaves some references moved when it is killed. This takes
//! a few milliseconds, one open file, and all or nothing moves.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use bstr::{BString, ByteSlice as _};

use super::loose::point_head;
use super::packed_refs::{PackedRefs, io_error};
use super::{BareRepository, RepositoryError};
use crate::base::durable::{self, sync_folder};
use crate::base::faults;
use crate::git::ObjectId;
use crate::git::reference::is_valid_ref_name;

/// What one reference shall be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefEdit {
    /// The full name, such as `refs/heads/master`.
    pub name: String,
    /// What it shall point at; `None` if it shall not exist.
    pub new: Option<ObjectId>,
}

/// Why references were not moved. None of them was, then.
#[derive(Debug, thiserror::Error)]
pub enum UpdateRefsError {
    /// The references as they are cannot be read.
    #[error(transparent)]
    Read(#[from] RepositoryError),
    /// Git refuses the name.
    #[error("make the ref {name:?}: Git does not accept that name")]
    BadName {
        /// The name that was asked for.
        name: String,
    },
    /// One name was given twice.
    #[error("move the ref {name} to two values at once")]
    Twice {
        /// The name that was asked for.
        name: String,
    },
    /// Two references cannot exist beside each other, as a file and a folder cannot.
    #[error("keep both refs {name} and {below}")]
    Clash {
        /// The shorter name.
        name: String,
        /// The one that lies below it.
        below: String,
    },
    /// A reference is to point at an object that is not there.
    #[error("point the ref {name} at {id}: there is no such object")]
    NoTarget {
        /// The reference.
        name: String,
        /// The object.
        id: ObjectId,
    },
    /// `packed-refs` or a loose reference is not what Git writes.
    #[error("read {}: line {line} is not a ref", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
    },
    /// Another program is writing the references.
    #[error("lock the refs: {} exists", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("write the refs: {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

faults!(UpdateRefsError {
    Self::Read(error) => of(error),
    Self::BadName { .. } | Self::Twice { .. } | Self::Clash { .. } | Self::NoTarget { .. } => {
        Internal
    },
    Self::Damaged { .. } => Corrupt,
    Self::Locked { path } => Unavailable.hint(format!(
        "if no other Git program is at work there, delete {}", path.display()
    )),
    Self::Io { source, .. } => io(source),
});

impl BareRepository {
    /// Makes every reference of `edits` what it shall be, all of them or none, and then `HEAD` the
    /// name `head` if one is given. It is on the disk when this returns. Doing it again changes
    /// nothing and writes nothing.
    ///
    /// References that are not named stay as they are. The caller must be the only one who
    /// works on the repository; other programs may read it meanwhile.
    pub fn update_refs(
        &self,
        edits: &[RefEdit],
        head: Option<&str>,
    ) -> Result<(), UpdateRefsError> {
        check_names(edits)?;
        self.fold_loose(edits)?;
        let mut packed = PackedRefs::lock(self.repository())?;
        for edit in edits {
            match edit.new {
                Some(id) => packed.set(&edit.name, id)?,
                None => packed.remove(&edit.name),
            }
        }
        if packed.has_changed() {
            self.check_clashes(&packed, edits)?;
        }
        packed.commit()?;
        match head {
            Some(head) if self.head().as_deref() != Some(head) => {
                point_head(self.repository(), head)
            }
            _ => Ok(()),
        }
    }

    /// Moves the loose references that are to change into `packed-refs`, with the value they have.
    ///
    /// A loose reference hides the packed one of its name, so it would be a second place to change.
    fn fold_loose(&self, edits: &[RefEdit]) -> Result<(), UpdateRefsError> {
        let mut loose = Vec::new();
        for edit in edits {
            if let Some(id) = self.read_loose(&edit.name)? {
                loose.push((edit.name.as_str(), id));
            }
        }
        if loose.is_empty() {
            return Ok(());
        }
        let mut packed = PackedRefs::lock(self.repository())?;
        for (name, id) in &loose {
            packed.set(name, *id)?;
        }
        packed.commit()?;
        for (name, _) in &loose {
            self.remove_loose(name)?;
        }
        Ok(())
    }

    /// What the loose reference `name` points at; `None` if there is no such file.
    fn read_loose(&self, name: &str) -> Result<Option<ObjectId>, UpdateRefsError> {
        let path = self.path().join(name);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read(&path).map_err(|source| io_error(&path, source))?;
        let id = text.get(..40).and_then(ObjectId::from_hex);
        id.map(Some).ok_or(UpdateRefsError::Damaged { path, line: 1 })
    }

    /// Removes the loose reference `name`, and the folders that are empty without it.
    fn remove_loose(&self, name: &str) -> Result<(), UpdateRefsError> {
        let path = self.path().join(name);
        durable::remove_file(&path).map_err(|source| io_error(&path, source))?;
        // `refs/heads` and its like stay, empty or not.
        let removable = name.split('/').count().saturating_sub(3);
        let folders = path.ancestors().skip(1).take(removable);
        let emptied = folders.take_while(|folder| durable::remove_folder(folder).is_ok()).count();
        let deepest_left = path.ancestors().nth(1 + emptied);
        deepest_left
            .map_or(Ok(()), |folder| sync_folder(folder).map_err(|source| io_error(folder, source)))
    }

    /// Refuses references that would have to be a file and a folder of one name.
    fn check_clashes(
        &self,
        packed: &PackedRefs<'_>,
        edits: &[RefEdit],
    ) -> Result<(), UpdateRefsError> {
        let gone: HashSet<&[u8]> = edits
            .iter()
            .filter(|edit| edit.new.is_none())
            .map(|edit| edit.name.as_bytes())
            .collect();
        let mut names = self.all_names()?;
        names.retain(|name| !gone.contains(name.as_bytes()));
        names.extend(packed.names().cloned());
        for below in &names {
            let mut parents = below.find_iter(b"/").filter_map(|at| below.get(..at));
            if let Some(name) = parents.find(|parent| names.contains(parent.as_bstr())) {
                let (name, below) = (name.as_bstr().to_string(), below.to_string());
                return Err(UpdateRefsError::Clash { name, below });
            }
        }
        Ok(())
    }

    /// The names of all references, loose and packed.
    fn all_names(&self) -> Result<HashSet<BString>, RepositoryError> {
        let wrap = |source| self.references_error(source);
        let references = self.repository().references().map_err(wrap)?;
        references
            .map(|reference| reference.map(|found| found.name_bytes().into()).map_err(wrap))
            .collect()
    }
}

/// Every name must be one that Git accepts and stand there once.
fn check_names(edits: &[RefEdit]) -> Result<(), UpdateRefsError> {
    let mut seen = HashSet::new();
    for RefEdit { name, .. } in edits {
        if !name.starts_with("refs/") || !is_valid_ref_name(name) {
            return Err(UpdateRefsError::BadName { name: name.clone() });
        }
        if !seen.insert(name) {
            return Err(UpdateRefsError::Twice { name: name.clone() });
        }
    }
    Ok(())
}
