//! Bringing objects from our repository into another one on the same machine.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{PublishError, RefUpdate};
use crate::base::durable::{self, Step, sync_folder};
use crate::base::sha1::Sha1;
use crate::base::{Interrupt, Limits, Progress, Stage};
use crate::git::ObjectId;
use crate::git::pack::{Outgoing, OutgoingError};
use crate::git::reference::Reference;
use crate::git::repository::{BareRepository, RepositoryError};

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
        let tips: Vec<ObjectId> = updates.iter().filter_map(|update| update.new).collect();
        let has: Vec<ObjectId> = has.iter().map(|reference| reference.id).collect();
        let Self { source, progress, interrupt, .. } = *self;
        let limits = Limits::default();
        let outgoing = Outgoing::select(source, &tips, &has, &limits, progress, interrupt)?;
        if outgoing.objects() == 0 {
            return Ok(());
        }
        match outgoing.save(&self.pack_folder()?, progress, interrupt) {
            Err(OutgoingError::Write(error)) => Err(self.cannot_write(error)),
            result => Ok(result.map(drop)?),
        }
    }

    /// Copies every pack and every loose object that the target does not have, whatever reaches them: this
    /// is for what comes to us, never for what goes out.
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
