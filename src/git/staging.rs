//! A small number of new objects, staged in an in-memory repository and written out once.
//!
//! libgit2 finds the deltas among them, so the delta hints of the caller are not needed. It
//! holds them as they are: when there are many bytes of them, the rest goes into a pack at once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use git2::{ObjectType, Odb, Oid, Repository};

use super::ObjectKind;
use super::init;
use super::pack::PackWriter;
use super::repository::KnownObjects;
use super::sink::{NewObject, ObjectSink, ObjectWriter, SinkError};
use crate::base::durable::{self, Step, sync_folder};

/// How many bytes of objects are held.
const MOST_BYTES: usize = 32 << 20;

/// New objects in memory.
pub struct Staging<'k> {
    /// Where the pack will go.
    folder: PathBuf,
    known: KnownObjects<'k>,
    staged: Mutex<Staged>,
    /// Where what is too much goes.
    rest: PackWriter<'k>,
}

struct Staged {
    repository: Repository,
    ids: Vec<Oid>,
    bytes: usize,
}

fn git(doing: &'static str) -> impl FnOnce(git2::Error) -> SinkError {
    move |source| SinkError::Git { doing, source }
}

impl<'k> Staging<'k> {
    /// An empty stage for objects that will go into `folder`, the `objects/pack` of a repository
    /// that has the objects `known`; what is too much for it goes into `rest`.
    pub fn new(
        folder: &Path,
        known: KnownObjects<'k>,
        rest: PackWriter<'k>,
    ) -> Result<Self, SinkError> {
        const DOING: &str = "make a repository in memory";
        init::ensure().map_err(|error| SinkError::Setup(Box::new(error)))?;
        let odb = Odb::new().map_err(git(DOING))?;
        odb.add_new_mempack_backend(1).map_err(git(DOING))?;
        let repository = Repository::from_odb(odb).map_err(git(DOING))?;
        let staged = Mutex::new(Staged { repository, ids: Vec::new(), bytes: 0 });
        Ok(Self { folder: folder.to_owned(), known, staged, rest })
    }

    /// Writes the staged objects as one pack with its index, or as two, flushed to disk before any has
    /// its name. Returns how many objects that is; none leave nothing behind.
    pub fn save(self) -> Result<usize, SinkError> {
        let more = self.rest.save()?.map_or(0, |saved| saved.objects);
        let Staged { repository, ids, .. } =
            self.staged.into_inner().unwrap_or_else(PoisonError::into_inner);
        if ids.is_empty() {
            return Ok(more);
        }
        let io = |source| SinkError::Io { path: self.folder.clone(), source };
        let scratch =
            tempfile::Builder::new().prefix("tmp_stage_").tempdir_in(&self.folder).map_err(io)?;
        let mut builder = repository.packbuilder().map_err(git("begin a pack"))?;
        for id in &ids {
            builder.insert_object(*id, None).map_err(git("add an object to a pack"))?;
        }
        durable::step(Step::Write(scratch.path())).map_err(io)?;
        builder.write(scratch.path(), 0o444).map_err(git("write a pack"))?;
        publish(scratch.path(), &self.folder).map_err(io)?;
        Ok(ids.len() + more)
    }
}

/// Moves a pack and its index to where readers look, the pack first: readers look for indexes.
fn publish(scratch: &Path, folder: &Path) -> io::Result<()> {
    for extension in ["pack", "idx"] {
        for entry in fs::read_dir(scratch)? {
            let path = entry?.path();
            if path.extension().is_some_and(|found| found == extension)
                && let Some(name) = path.file_name()
            {
                durable::flush_path(&path)?;
                durable::rename(&path, &folder.join(name))?;
            }
        }
    }
    sync_folder(folder)
}

impl ObjectSink for Staging<'_> {
    fn writer(&self) -> Box<dyn ObjectWriter + '_> {
        Box::new(Writer { stage: self, rest: None })
    }
}

struct Writer<'s> {
    stage: &'s Staging<'s>,
    rest: Option<Box<dyn ObjectWriter + 's>>,
}

impl ObjectWriter for Writer<'_> {
    fn write(&mut self, object: NewObject<'_>) -> Result<(), SinkError> {
        let stage = self.stage;
        if stage.known.contains(object.id) {
            return match stage.known.agrees(&object) {
                true => Ok(()),
                false => Err(SinkError::Collision { id: object.id }),
            };
        }
        let kind = match object.kind {
            ObjectKind::Commit => ObjectType::Commit,
            ObjectKind::Tree => ObjectType::Tree,
            ObjectKind::Blob => ObjectType::Blob,
        };
        let mut staged = stage.staged.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = staged.bytes.saturating_add(object.contents.len());
        if bytes > MOST_BYTES {
            drop(staged);
            return self.rest.get_or_insert_with(|| stage.rest.writer()).write(object);
        }
        staged.bytes = bytes;
        let odb = staged.repository.odb().map_err(git("stage an object"))?;
        let id = odb.write(kind, object.contents).map_err(git("stage an object"))?;
        drop(odb);
        staged.ids.push(id);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        self.rest.map_or(Ok(()), ObjectWriter::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{BareRepository, ObjectId};

    fn staging(repository: &BareRepository) -> Staging<'_> {
        let (folder, known) = (repository.pack_folder(), || repository.known().unwrap());
        Staging::new(&folder, known(), PackWriter::new(&folder, known()).unwrap()).unwrap()
    }

    #[test]
    fn what_is_too_much_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let texts = [MOST_BYTES / 2, MOST_BYTES, MOST_BYTES / 2, 1].map(|size| vec![b'x'; size]);
        let staging = staging(&repository);
        let mut writer = staging.writer();
        let write = |contents: &Vec<u8>| {
            let id = ObjectId::of(ObjectKind::Blob, contents);
            let kind = ObjectKind::Blob;
            writer.write(NewObject { id, kind, contents, delta_hint: None }).unwrap();
            id
        };
        let ids = texts.each_ref().map(write);
        writer.finish().unwrap();
        assert!(staging.staged.lock().unwrap().bytes <= MOST_BYTES);
        staging.save().unwrap();
        repository.refresh().unwrap();
        for (id, text) in ids.into_iter().zip(texts) {
            assert_eq!(repository.read(id).unwrap(), Some((ObjectKind::Blob, text)));
        }
        // Two packs, each with its index.
        assert_eq!(fs::read_dir(repository.pack_folder()).unwrap().count(), 4);
    }

    #[test]
    fn staged_objects_are_found_afterwards_and_known_ones_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let id = ObjectId::of(ObjectKind::Blob, b"text");
        let object = NewObject { id, kind: ObjectKind::Blob, contents: b"text", delta_hint: None };
        for expected in [1, 0] {
            let staging = staging(&repository);
            let mut writer = staging.writer();
            writer.write(object).unwrap();
            writer.finish().unwrap();
            assert_eq!(staging.save().unwrap(), expected);
            repository.refresh().unwrap();
            assert_eq!(repository.read(id).unwrap(), Some((ObjectKind::Blob, b"text".to_vec())));
        }
        assert_eq!(fs::read_dir(repository.pack_folder()).unwrap().count(), 2);
    }
}
