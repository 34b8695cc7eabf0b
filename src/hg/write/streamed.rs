//! Stores whose files come as the server has them, for a first fetch.
//!
//! They are written into a folder beside the one where the repository will be, and every revision in
//! them is checked before it is there. Only revlogs and obsolescence markers are taken: what else a
//! server sends can be made of them.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::arrivals::Arrivals;
use super::checker::{Job, Newest};
use super::create::{LAYOUT, Making};
use super::error::{RevisionsError, WriteError};
use super::files;
use crate::base::durable::{self, Step};
use crate::base::{Interrupt, Limits, Progress, Stage};
use crate::hg::bundle::Area;
use crate::hg::revlog::{Problem, Revlog, RevlogFiles};
use crate::hg::store::obsolete::parse_markers;
use crate::hg::store::path_encode::encode_folders;
use crate::hg::store::requirements::Requirements;
use crate::hg::store::{Layout, OpenError, read_bounded};

/// What a server may require that only tells how it lays out its own files, or speeds it up.
const THEIR_OWN: [&str; 8] = [
    "bookmarksinstore",
    "dirstate-v2",
    "fileindex-v1",
    "persistent-nodemap",
    "relshared",
    "share-safe",
    "shared",
    "dirstate-tracked-key-v1",
];

/// A repository that is being made of the files of another one. Dropped, it is gone.
pub struct StreamedStore {
    store: Store,
    /// The folders that are there.
    folders: HashSet<PathBuf>,
    /// Used for one file after the other.
    block: Vec<u8>,
    arrivals: Arrivals,
}

/// The store, as far as it has arrived.
struct Store {
    making: Making,
    layout: Layout,
    limits: Limits,
    /// The names of the files, not encoded.
    names: Vec<Vec<u8>>,
}

/// The same once all that is in it was checked.
pub struct CheckedStore {
    making: Making,
    /// The folders, which must be made durable.
    folders: HashSet<PathBuf>,
}

impl StreamedStore {
    /// Begins to make a repository at `root`, where nothing or an empty folder is. What
    /// `requirements` names and we cannot read or not write is refused before anything is written.
    pub fn create(
        root: &Path,
        requirements: &[String],
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<Self, WriteError> {
        let lines: Vec<_> = requirements.iter().map(|name| format!("{name}\n")).collect();
        let damaged =
            |source| OpenError::BadRequirement { file: root.join(".hg/requires"), source };
        let required = Requirements::parse(lines.concat().as_bytes()).map_err(damaged)?;
        let unreadable = required.unreadable();
        let path = || root.to_owned();
        if !unreadable.is_empty() {
            let requirements = unreadable;
            return Err(OpenError::Unsupported { path: path(), requirements }.into());
        }
        if !required.has("revlogv1") {
            let requirements = vec!["revlogv0".to_owned()];
            return Err(WriteError::Unsupported { path: path(), requirements });
        }
        let kept = required.iter().filter(|name| !THEIR_OWN.contains(name));
        let mut own: Vec<_> = kept.chain(LAYOUT).map(str::to_owned).collect();
        own.sort();
        own.dedup();
        let making = Making::begin(root, &own)?;
        let layout = Layout::open(&making.dot_hg(), limits)?;
        let arrivals = Arrivals::new(limits, interrupt);
        let store = Store { making, layout, limits: limits.clone(), names: Vec::new() };
        let folders = HashSet::from([store.layout.store_dir().clone()]);
        Ok(Self { store, folders, block: vec![0; BLOCK], arrivals })
    }

    /// Writes one file: `size` bytes of `contents`. Its `name` is the one that it has in the store
    /// before names are encoded. What is no revlog is passed over.
    pub fn file(
        &mut self,
        area: Area,
        name: &[u8],
        size: u64,
        contents: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let mut contents = contents.take(size);
        let comes = |source| WriteError::Revisions(RevisionsError::Io { source });
        if area == Area::Cache || is_passed_over(name) {
            return io::copy(&mut contents, &mut io::sink()).map(drop).map_err(comes);
        }
        let refused = || WriteError::Name { path: name.into() };
        if stem_of(name).is_none() && name != OBSSTORE {
            return Err(refused());
        }
        let path = self.store.path_of(name).ok_or_else(refused)?;
        self.make_folder(path.parent().unwrap_or(&path))?;
        durable::step(Step::Write(&path)).map_err(WriteError::io(&path))?;
        let mut file = match File::create_new(&path) {
            // Two names are that of one file.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(refused()),
            other => other.map_err(WriteError::io(&path))?,
        };
        let mut left = size;
        while left > 0 {
            let read = match contents.read(&mut self.block) {
                Ok(0) => return Err(comes(io::ErrorKind::UnexpectedEof.into())),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(comes(error)),
            };
            let block = self.block.get(..read).unwrap_or_default();
            file.write_all(block).map_err(WriteError::io(&path))?;
            left = left.saturating_sub(read as u64);
        }
        drop(file);
        self.store.names.push(name.to_owned());
        if let Some(stem) = stem_of(name) {
            let (stem, files) = (stem.into(), self.store.revlog_files(stem)?);
            self.arrivals.add(Job { size, stem, files });
        }
        Ok(())
    }

    fn make_folder(&mut self, folder: &Path) -> Result<(), WriteError> {
        if !self.folders.contains(folder) {
            durable::create_folders(folder).map_err(WriteError::io(folder))?;
            let store = self.store.layout.store_dir();
            let above = folder.ancestors().take_while(|folder| *folder != store);
            self.folders.extend(above.map(Path::to_owned));
        }
        Ok(())
    }

    /// Waits until every revision of every revlog is checked against its node.
    pub fn check(self, progress: &dyn Progress) -> Result<CheckedStore, WriteError> {
        let Self { mut store, folders, arrivals, .. } = self;
        store.names.sort();
        store.check_names()?;
        let files: Vec<_> = store.names.iter().filter_map(|name| store.path_of(name)).collect();
        let total = store.names.iter().filter(|name| name.ends_with(b".i")).count();
        progress.begin(Stage::CheckingFiles, Some(total as u64));
        // While cores check, the disk is free.
        let latest = std::thread::scope(|scope| {
            let syncing = scope.spawn(|| files::sync_all(files.iter()));
            let checked = arrivals.finish(progress);
            match syncing.join() {
                Ok(synced) => checked.and_then(|latest| synced.map(|()| latest)),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })?;
        progress.end();
        latest.map_or(Ok(()), |latest| store.check_link(&latest))?;
        store.write_fncache()?;
        Ok(CheckedStore { making: store.making, folders })
    }
}

impl Store {
    /// Where the file called `name` is; `None` if that is outside of the store.
    fn path_of(&self, name: &[u8]) -> Option<PathBuf> {
        let encoded = self.layout.path_encoding().encode(name);
        let is_plain = |part: &[u8]| !matches!(part, b"" | b"." | b"..");
        let is_inside = encoded.split(|&byte| byte == b'/').all(is_plain);
        let is_line = !name.iter().any(|byte| matches!(byte, b'\n' | b'\r' | 0));
        let name = std::ffi::OsStr::from_bytes(&encoded);
        (is_inside && is_line).then(|| self.layout.store_dir().join(name))
    }

    /// Each file must belong to a revlog, or be what else is kept.
    fn check_names(&self) -> Result<(), WriteError> {
        self.names.iter().try_for_each(|name| match name.as_slice() {
            OBSSTORE => self.check_markers(),
            name if name.ends_with(b".i") || self.has_index(name) => Ok(()),
            // Data without an index.
            name => Err(WriteError::Name { path: name.into() }),
        })
    }

    /// Each revision must belong to a changeset, so the newest of them must.
    fn check_link(&self, (job, newest): &(Job, Newest)) -> Result<(), WriteError> {
        let open = |name: &str, files: &RevlogFiles| Revlog::open(name, files, &self.limits);
        let changelog = "00changelog";
        let changesets = open(changelog, &self.revlog_files(changelog.as_bytes())?)?;
        let changesets = changesets.map_or(0, |changelog| changelog.len());
        if usize::try_from(newest.link).is_ok_and(|link| link < changesets) {
            return Ok(());
        }
        let Some(revlog) = open(&job.stem.to_string(), &job.files)? else { return Ok(()) };
        let (field, value) = ("link revision", i64::from(newest.link));
        Err(revlog.error(newest.rev, Problem::Field { field, value }).into())
    }

    fn check_markers(&self) -> Result<(), WriteError> {
        let markers = read_bounded(&self.layout.obsstore_file(), self.limits.metadata_bytes)?;
        parse_markers(&markers.unwrap_or_default()).map(drop).map_err(Into::into)
    }

    fn has_index(&self, data: &[u8]) -> bool {
        let stem = data.strip_suffix(b".d").unwrap_or(data);
        self.names.binary_search(&[stem, b".i"].concat()).is_ok()
    }

    /// The files of the revlog whose names are `stem` and a suffix.
    fn revlog_files(&self, stem: &[u8]) -> Result<RevlogFiles, WriteError> {
        let file = |suffix: &[u8]| {
            let name = [stem, suffix].concat();
            self.path_of(&name).ok_or_else(|| WriteError::Name { path: name.into() })
        };
        Ok(RevlogFiles { index: file(b".i")?, data: file(b".d")? })
    }

    fn write_fncache(&self) -> Result<(), WriteError> {
        let mut text = Vec::new();
        for name in self.names.iter().filter(|name| name.contains(&b'/')) {
            text.extend_from_slice(&encode_folders(name));
            text.push(b'\n');
        }
        let Some(path) = self.layout.fncache_file().filter(|_| !text.is_empty()) else {
            return Ok(());
        };
        files::replace(&path, &[&text]).map_err(WriteError::io(&path))
    }
}

/// The obsolescence markers, the only other file that is kept.
const OBSSTORE: &[u8] = b"obsstore";
/// What is written at a time.
const BLOCK: usize = 128 << 10;

/// Whether a file of the store is none that we keep: what is beside a revlog and can be made of it.
fn is_passed_over(name: &[u8]) -> bool {
    let is_top = !name.contains(&b'/');
    is_top && [&b".n"[..], b".nd", b".idx", b".dat"].iter().any(|end| name.ends_with(end))
        || [&b"phaseroots"[..], b"fncache", b"bookmarks"].contains(&name)
}

/// What the names of a revlog's files have in common, if `name` is one of them.
fn stem_of(name: &[u8]) -> Option<&[u8]> {
    let stem = name.strip_suffix(b".i").or_else(|| name.strip_suffix(b".d"))?;
    let is_tree = || stem.strip_prefix(b"meta/").is_some_and(|path| path.ends_with(b"/00manifest"));
    let is_file = || stem.strip_prefix(b"data/").is_some_and(|path| !path.is_empty());
    let is_revlog = matches!(stem, b"00changelog" | b"00manifest") || is_tree() || is_file();
    is_revlog.then_some(stem)
}

impl CheckedStore {
    /// Where it is until it is finished: a [`super::Writer`] may add to it there, so that its changesets
    /// never are without their phases.
    pub fn path(&self) -> &Path {
        self.making.path()
    }

    /// Moves it to where it belongs.
    pub fn finish(self) -> Result<(), WriteError> {
        files::sync_all(self.folders.iter())?;
        self.making.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use std::collections::BTreeMap;

    use bstr::ByteSlice;

    use super::super::testing::{add, count, files as files_below, hg, history, new_repository};
    use super::*;
    use crate::base::{Fault, HasFault, NoProgress};

    /// The revlogs of a store that was made up, and how names are before they are encoded.
    fn streamed() -> BTreeMap<Vec<u8>, Vec<u8>> {
        streamed_of(30)
    }

    /// The same of a history of `count` changesets.
    fn streamed_of(count: usize) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let (_folder, root) = new_repository();
        add(&root, &history(0..count, count)).unwrap();
        let name =
            |path: &Path| path.to_str().unwrap().replace("dir.i.hg/_b", "dir.i/B").into_bytes();
        let all = files_below(&root.join(".hg/store")).into_iter();
        let all: BTreeMap<_, _> = all.map(|(path, bytes)| (name(&path), bytes)).collect();
        let revlogs: BTreeMap<_, _> =
            all.into_iter().filter(|(name, _)| stem_of(name).is_some()).collect();
        assert_eq!(revlogs.len(), 7);
        revlogs
    }

    const REQUIRED: [&str; 4] =
        ["generaldelta", "revlog-compression-zstd", "revlogv1", "persistent-nodemap"];

    fn create(root: &Path, requirements: &[&str]) -> Result<StreamedStore, WriteError> {
        let requirements: Vec<_> = requirements.iter().map(|name| (*name).to_owned()).collect();
        StreamedStore::create(root, &requirements, &Limits::default(), &Interrupt::default())
    }

    fn file(store: &mut StreamedStore, name: &[u8], mut bytes: &[u8]) -> Result<(), WriteError> {
        store.file(Area::Store, name, bytes.len() as u64, &mut bytes)
    }

    fn make(root: &Path, from: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<CheckedStore, WriteError> {
        let mut store = create(root, &REQUIRED)?;
        for (name, bytes) in from {
            file(&mut store, name, bytes)?;
        }
        store.check(&NoProgress)
    }

    #[test]
    fn a_streamed_store_is_a_repository() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        let mut all = streamed();
        // What is beside revlogs is not kept.
        all.insert(b"00changelog.n".to_vec(), b"?".to_vec());
        let store = make(&root, &all).unwrap();
        assert!(!root.exists());
        add(store.path(), &history(30..33, 33)).unwrap();
        store.finish().unwrap();
        assert_eq!(count(&root), (33, 33, 33));
        hg(&root, &["verify", "-q"]);
        let requires = fs::read_to_string(root.join(".hg/store/requires")).unwrap();
        assert_eq!(
            requires,
            "dotencode\nfncache\ngeneraldelta\nrevlog-compression-zstd\nrevlogv1\nstore\n"
        );
        assert!(!root.join(".hg/store/00changelog.n").exists());
        assert!(matches!(make(&root, &all).map(drop), Err(WriteError::Exists { .. })));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let empty = folder.path().join("empty");
        make(&empty, &BTreeMap::new()).unwrap().finish().unwrap();
        assert_eq!(count(&empty), (0, 0, 0));
    }

    #[test]
    fn what_belongs_to_no_changeset_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (mut all, fewer) = (streamed(), streamed_of(29));
        let changelog = b"00changelog.i".as_slice();
        all.insert(changelog.to_vec(), fewer[changelog].clone());
        let error = make(&folder.path().join("repository"), &all).map(drop).unwrap_err();
        let text = crate::base::fault::one_line(&error);
        assert!(text.contains("link revision"), "{text}");
        assert_eq!(error.fault(), Fault::Corrupt);
    }

    #[test]
    fn a_damaged_file_is_found_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        let all = streamed();
        for (name, bytes) in &all {
            let text = name.as_bstr();
            for at in [40, bytes.len() / 2, bytes.len() - 1] {
                let mut damaged = all.clone();
                damaged.get_mut(name).unwrap()[at] ^= 1;
                let made = make(&root, &damaged).map(drop);
                // Reserved bytes of an entry mean nothing, and the last entry of a file ends in some.
                let harmless = name.ends_with(b".i") && at % 64 >= 52 || at + 1 == bytes.len();
                assert!(made.is_err() || harmless, "{text} {at}");
            }
            let mut missing = all.clone();
            missing.remove(name);
            assert!(make(&root, &missing).is_err() || name.ends_with(b".i"), "{text}");
            let mut store = create(&root, &REQUIRED).unwrap();
            let error =
                store.file(Area::Store, name, bytes.len() as u64 + 1, &mut bytes.as_slice());
            assert!(matches!(error, Err(WriteError::Revisions(RevisionsError::Io { .. }))));
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_and_requirements_that_cannot_be_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("repository");
        for required in [&["revlogv1", "exp-revlogv2.2"][..], &["store"], &["revlogv1", "\n"]] {
            assert!(create(&root, required).is_err(), "{required:?}");
        }
        let error =
            create(&root, &["revlogv1", "lfs", "narrowhg-experimental"]).map(drop).unwrap_err();
        assert_eq!(error.fault(), Fault::Unsupported);
        assert!(error.to_string().ends_with("it requires lfs, narrowhg-experimental"), "{error}");
        let mut store = create(&root, &REQUIRED).unwrap();
        for name in [
            &b"../../a.i"[..],
            b"/etc/a.i",
            b"data/../../a\0.i",
            b"data/a\n.i",
            b"data//a.i",
            b"data/.i/",
            b"requires",
            b"lock",
            b"hgrc",
            b"journal",
            b"meta/00manifest.i",
            b"meta/a.i",
            b"00changelog.i/a.i",
            b"",
        ] {
            let error = file(&mut store, name, b"").unwrap_err();
            assert!(matches!(error, WriteError::Name { .. }), "{:?}", name.as_bstr());
        }
        file(&mut store, b"data/../../a.i", b"").unwrap();
        assert!(matches!(file(&mut store, b"data/../../a.i", b""), Err(WriteError::Name { .. })));
        let mut cache: &[u8] = b"text";
        store.file(Area::Cache, b"../../branch2", 4, &mut cache).unwrap();
        assert!(cache.is_empty());
        drop(store);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
