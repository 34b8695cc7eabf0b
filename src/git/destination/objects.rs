//! Bringing objects from our repository into another one on the same machine.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git2::{ErrorClass, Oid};

use super::{PublishError, RefUpdate};
use crate::base::durable::{self, Step, sync_folder};
use crate::base::sha1::Sha1;
use crate::base::{Interrupt, Progress, Stage};
use crate::git::ObjectId;
use crate::git::reference::{Reference, TAGS};
use crate::git::repository::{BareRepository, RepositoryError};

/// From how many new commits on whole packs are copied. Below, the objects that are needed are
/// packed anew, which costs 0.2 ms each; above, that would take minutes, while copying a pack takes
/// as long as reading it and keeps its deltas.
const MANY_COMMITS: usize = 1000;

/// How much is copied at once, in bytes.
const CHUNK: usize = 1 << 20;

/// A pack and its index both end with the SHA-1 of all that stands before.
const TRAILER: usize = 20;

/// The mode of packs and indexes: they are never written again.
const READ_ONLY: u32 = 0o444;

/// One transfer of objects.
pub(super) struct Transfer<'a> {
    pub(super) source: &'a BareRepository,
    pub(super) target: &'a git2::Repository,
    pub(super) address: &'a str,
    pub(super) progress: &'a dyn Progress,
    pub(super) interrupt: &'a Interrupt,
}

impl Transfer<'_> {
    /// Brings everything that `updates` need to a target that is complete for what it `has`. It is
    /// all on the disk when this returns, and harmless if it stops in the middle.
    pub(super) fn run(&self, updates: &[RefUpdate], has: &[Reference]) -> Result<(), PublishError> {
        let has_alternates = has_alternates(self.source.path());
        match self.packed(updates, has, has_alternates) {
            // libgit2 reads no commit with a committer like `Joe`, which hg-git makes; whole packs
            // are not looked into.
            Err(error) if is_malformed(&error) && !has_alternates => self.copy(),
            result => result,
        }
    }

    /// Brings as little as possible, or whole packs if that is much.
    fn packed(
        &self,
        updates: &[RefUpdate],
        has: &[Reference],
        has_alternates: bool,
    ) -> Result<(), PublishError> {
        let missing = self.missing(updates, has)?;
        if missing.is_empty() {
            Ok(())
        } else if missing.len() <= MANY_COMMITS || has_alternates {
            self.pack(updates, &missing)
        } else {
            self.copy()
        }
    }

    /// The commits that `updates` reach and what the target `has` does not, and perhaps a few more;
    /// just enough of them to know if they are many.
    ///
    /// libgit2 walks back to the oldest commit that is hidden, so that hiding an old tag costs as
    /// much as the whole history. What the moving branches come from is enough, unless there are
    /// new branches, which may come from anywhere.
    fn missing(
        &self,
        updates: &[RefUpdate],
        has: &[Reference],
    ) -> Result<HashSet<Oid>, PublishError> {
        let mut walk = self.walk(updates)?;
        let moving: Vec<ObjectId> = updates.iter().filter_map(|update| update.old).collect();
        let has_new_branch =
            updates.iter().any(|update| update.old.is_none() && !update.name.starts_with(TAGS));
        let all = has.iter().map(|reference| reference.id);
        let bases = if moving.is_empty() || has_new_branch { all.collect() } else { moving };
        for base in bases.into_iter().filter(|&base| self.source.contains(base)) {
            // A tag of the target may name something that is no commit.
            let _ = walk.hide(base.into());
        }
        walk.take(MANY_COMMITS + 1)
            .collect::<Result<_, _>>()
            .map_err(|error| self.unreadable(error))
    }

    /// A walk over the history of `updates`.
    fn walk(&self, updates: &[RefUpdate]) -> Result<git2::Revwalk<'_>, PublishError> {
        let mut walk =
            self.source.repository().revwalk().map_err(|error| self.unreadable(error))?;
        for id in updates.iter().filter_map(|update| update.new) {
            walk.push(id.into()).map_err(|error| self.source.object_error(id, error))?;
        }
        Ok(walk)
    }

    /// Writes a pack with just the `missing` commits, and what is new in them, into the target.
    fn pack(&self, updates: &[RefUpdate], missing: &HashSet<Oid>) -> Result<(), PublishError> {
        let mut walk = self.walk(updates)?;
        // libgit2 reads the trees of every commit that is hidden. Hiding what the missing commits
        // come from is enough; the target may have thousands of tags.
        for edge in self.edges(missing)? {
            walk.hide(edge).map_err(|error| self.unreadable(error))?;
        }
        let mut builder =
            self.source.repository().packbuilder().map_err(|error| self.unreadable(error))?;
        builder.set_threads(0);
        builder
            .set_progress_callback(|_, _, _| !self.interrupt.is_raised())
            .map_err(|error| self.unreadable(error))?;
        self.progress.begin(Stage::PackingObjects, None);
        let inserted = builder.insert_walk(&mut walk);
        self.interrupt.check()?;
        inserted.map_err(|error| self.unreadable(error))?;
        let folder = self.pack_folder()?;
        // Flushed to disk: both repositories are open with that setting.
        durable::step(Step::Write(&folder)).map_err(|error| self.cannot_write(error))?;
        let written = builder.write(&folder, 0);
        self.interrupt.check()?;
        written.map_err(|error| self.cannot_write(io_error(&error)))?;
        self.progress.advance(u64::try_from(builder.written()).unwrap_or_default());
        self.progress.end();
        Ok(())
    }

    /// The parents of `missing` commits that are not missing themselves.
    fn edges(&self, missing: &HashSet<Oid>) -> Result<HashSet<Oid>, PublishError> {
        let mut edges = HashSet::new();
        for &id in missing {
            let parents = self.source.parents_of(id.into())?.into_iter().map(Oid::from);
            edges.extend(parents.filter(|parent| !missing.contains(parent)));
        }
        Ok(edges)
    }

    /// Copies every pack and every loose object that the target does not have.
    ///
    /// The source has all that its own objects need, so the target then has it as well.
    pub(super) fn copy(&self) -> Result<(), PublishError> {
        let folder = self.pack_folder()?;
        let mut packs = Vec::new();
        let mut total = 0;
        for pack in self.packs().map_err(|error| self.cannot_read(error))? {
            let is_there =
                ["pack", "idx"].iter().all(|kind| folder.join(&pack).with_extension(kind).exists());
            if !is_there {
                let from = self.source.pack_folder().join(&pack);
                total += fs::metadata(&from).map_err(|error| self.cannot_read(error))?.len();
                packs.push(from);
            }
        }
        self.progress.begin(Stage::CopyingPacks, Some(total));
        for pack in packs {
            // The index comes last: it is what makes the pack visible.
            for kind in ["pack", "idx"] {
                self.copy_file(&pack.with_extension(kind), &folder)?;
            }
        }
        sync_folder(&folder).map_err(|error| self.cannot_write(error))?;
        self.progress.end();
        self.copy_loose()
    }

    /// The file names of our packs that have an index.
    fn packs(&self) -> io::Result<Vec<PathBuf>> {
        let mut packs = Vec::new();
        for entry in fs::read_dir(self.source.pack_folder())? {
            let path = entry?.path();
            let is_pack = path.extension().is_some_and(|extension| extension == "pack");
            if let Some(name) =
                path.file_name().filter(|_| is_pack && path.with_extension("idx").exists())
            {
                packs.push(PathBuf::from(name));
            }
        }
        packs.sort();
        Ok(packs)
    }

    /// Copies a pack or an index into `folder`, checks its checksum on the way, and flushes it.
    fn copy_file(&self, from: &Path, folder: &Path) -> Result<(), PublishError> {
        let cannot_write = |error| self.cannot_write(error);
        let mut source = File::open(from).map_err(|error| self.cannot_read(error))?;
        let mut file = tempfile::Builder::new()
            .prefix("tmp_pack_")
            .tempfile_in(folder)
            .map_err(cannot_write)?;
        let mut check = Trailer::default();
        let mut chunk = vec![0; CHUNK];
        loop {
            self.interrupt.check()?;
            let read = source.read(&mut chunk).map_err(|error| self.cannot_read(error))?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
            check.add(bytes);
            file.write_all(bytes).map_err(cannot_write)?;
            if from.extension().is_some_and(|kind| kind == "pack") {
                self.progress.advance(u64::try_from(read).unwrap_or_default());
            }
        }
        if !check.holds() {
            return Err(RepositoryError::Damaged { path: from.to_owned() }.into());
        }
        let to = folder.join(from.file_name().unwrap_or_default());
        file.as_file()
            .set_permissions(fs::Permissions::from_mode(READ_ONLY))
            .and_then(|()| durable::flush(file.as_file(), file.path()))
            .and_then(|()| durable::persist(file, &to))
            .map_err(cannot_write)?;
        Ok(())
    }

    /// Writes our loose objects into the target. There are none, unless they were made by hand.
    fn copy_loose(&self) -> Result<(), PublishError> {
        let ids = self.loose().map_err(|error| self.cannot_read(error))?;
        let ours = self.source.repository().odb().map_err(|error| self.unreadable(error))?;
        let theirs = self.target.odb().map_err(|error| self.cannot_write(io_error(&error)))?;
        for id in ids {
            self.interrupt.check()?;
            if theirs.exists(id.into()) {
                continue;
            }
            let object =
                ours.read(id.into()).map_err(|error| self.source.object_error(id, error))?;
            durable::step(Step::Write(self.target.path()))
                .map_err(|error| self.cannot_write(error))?;
            theirs
                .write(object.kind(), object.data())
                .map_err(|error| self.cannot_write(io_error(&error)))?;
        }
        Ok(())
    }

    /// The ids of our loose objects.
    fn loose(&self) -> io::Result<Vec<ObjectId>> {
        let objects = self.source.path().join("objects");
        let mut ids = Vec::new();
        for folder in fs::read_dir(&objects)? {
            let folder = folder?;
            let start = folder.file_name();
            if start.len() != 2 || !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let end = file?.file_name();
                let hex = [start.as_encoded_bytes(), end.as_encoded_bytes()].concat();
                ids.extend(ObjectId::from_hex(&hex));
            }
        }
        Ok(ids)
    }

    /// Where the target keeps packs.
    fn pack_folder(&self) -> Result<PathBuf, PublishError> {
        let folder = self.target.commondir().join("objects/pack");
        durable::create_folders(&folder).map_err(|error| self.cannot_write(error))?;
        Ok(folder)
    }

    fn cannot_write(&self, source: io::Error) -> PublishError {
        PublishError::Write { target: self.address.to_owned(), source }
    }

    fn cannot_read(&self, source: io::Error) -> PublishError {
        PublishError::Cache(RepositoryError::Io { path: self.source.path().to_owned(), source })
    }

    fn unreadable(&self, source: git2::Error) -> PublishError {
        PublishError::Cache(RepositoryError::Open { path: self.source.path().to_owned(), source })
    }
}

/// Whether libgit2 has met an object that it does not understand.
fn is_malformed(error: &PublishError) -> bool {
    let PublishError::Cache(
        RepositoryError::Open { source, .. } | RepositoryError::Object { source, .. },
    ) = error
    else {
        return false;
    };
    source.class() == ErrorClass::Invalid
}

/// Whether the repository in `folder` borrows objects from another one.
pub(super) fn has_alternates(folder: &Path) -> bool {
    folder.join("objects/info/alternates").exists()
}

/// What libgit2's error of a file is in terms of the system.
pub(super) fn io_error(error: &git2::Error) -> io::Error {
    let text = error.message();
    let kind = if text.contains("ermission denied") || text.contains("ead-only") {
        io::ErrorKind::PermissionDenied
    } else {
        io::ErrorKind::Other
    };
    io::Error::new(kind, text.to_owned())
}

/// Checks that a stream ends with the SHA-1 of all that stands before.
#[derive(Default)]
struct Trailer {
    hash: Sha1,
    /// The last bytes seen, which may be the trailer.
    held: Vec<u8>,
}

impl Trailer {
    fn add(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        let sure = self.held.len().saturating_sub(TRAILER);
        let held = self.held.split_off(sure);
        self.hash.update(&self.held);
        self.held = held;
    }

    fn holds(self) -> bool {
        self.held == self.hash.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sha1;

    #[test]
    fn a_trailer_holds_however_it_is_cut() {
        let mut stream = b"some bytes of a pack".to_vec();
        stream.extend(sha1::digest(&[&stream]));
        for size in 1..=stream.len() {
            let mut check = Trailer::default();
            stream.chunks(size).for_each(|chunk| check.add(chunk));
            assert!(check.holds(), "chunks of {size}");
        }
        for flipped in 0..stream.len() {
            let mut damaged = stream.clone();
            damaged[flipped] ^= 1;
            let mut check = Trailer::default();
            check.add(&damaged);
            assert!(!check.holds(), "byte {flipped}");
        }
        assert!(!Trailer::default().holds());
    }
}
