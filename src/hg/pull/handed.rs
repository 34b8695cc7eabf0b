//! A copy as the files that it consists of: handed on from one machine, and made again of them on another.
//!
//! Only what nobody else can tell is handed on: revlogs, obsolescence markers, phases, bookmarks, and what the source
//! said last. Every revision is checked against its node while it comes, as in a first fetch of files; caches of
//! Mercurial, and configuration that names programs, are none of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Copy, PullError};
use crate::base::durable::{replace_file, sync_folder};
use crate::base::{Interrupt, Limits, Progress};
use crate::hg::bundle::Area;
use crate::hg::store::fncache::Fncache;
use crate::hg::store::hgrc::publishes_by;
use crate::hg::store::{Layout, read_bounded};
use crate::hg::write::{StreamedStore, WriteError};

/// What is in the store of every repository, beside what `fncache` lists.
const ALWAYS: [&[u8]; 5] =
    [b"00changelog.i", b"00changelog.d", b"00manifest.i", b"00manifest.d", b"obsstore"];
/// The configuration of a copy whose source does not publish.
const DRAFTS: &[u8] = b"[phases]\npublish = False\n";
/// Whose contents say that the source does not publish.
const PUBLISHING: &str = "publishing";
const PHASES: &str = "phaseroots";
const BOOKMARKS: &str = "bookmarks";

/// A file of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreFile {
    /// Its name in the store, before names are encoded.
    pub name: Vec<u8>,
    /// Where it is.
    pub path: PathBuf,
}

impl Copy {
    /// What its store requires; an error if a transaction in it was broken off, so that it is not whole.
    pub fn requirements(&self) -> Result<Vec<String>, PullError> {
        let layout = self.layout()?;
        if layout.journal_file().exists() {
            return Err(PullError::Damaged { path: layout.journal_file() });
        }
        Ok(layout.requirements().iter().map(str::to_owned).collect())
    }

    /// The files of its store from which it can be made again.
    pub fn store_files(&self) -> Result<Vec<StoreFile>, PullError> {
        let layout = self.layout()?;
        let listed = match layout.fncache_file() {
            Some(path) => read_bounded(&path, self.limits().metadata_bytes)?.unwrap_or_default(),
            None => Vec::new(),
        };
        let damaged = || PullError::Damaged { path: layout.store_dir().join("fncache") };
        let listed = Fncache::parse(&listed).map_err(|_| damaged())?;
        let mut names: Vec<_> = listed.names().chain(ALWAYS.map(<[u8]>::to_vec)).collect();
        // What belongs to one revlog comes together.
        names.sort_unstable();
        names.dedup();
        let file = |name: Vec<u8>| {
            let path = layout.path_encoding().encode(&name);
            let path = layout.store_dir().join(Path::new(bstr::ByteSlice::to_path(&*path).ok()?));
            path.is_file().then_some(StoreFile { name, path })
        };
        Ok(names.into_iter().filter_map(file).collect())
    }

    /// The small files beside it: names, and what each says.
    pub fn small_files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, PullError> {
        let (layout, limit) = (self.layout()?, self.limits().metadata_bytes);
        let mut all = Vec::new();
        for (name, path) in places(&layout) {
            all.extend(read_bounded(&path, limit)?.map(|text| (name, text)));
        }
        let path = layout.dot_hg().join("hgrc");
        let text = read_bounded(&path, limit)?.unwrap_or_default();
        if publishes_by(&[(&path, text)]).is_ok_and(|(publishes, _)| !publishes) {
            all.push((PUBLISHING, b"0\n".to_vec()));
        }
        Ok(all)
    }
}

/// Where the small files are.
fn places(layout: &Layout) -> Vec<(&'static str, PathBuf)> {
    let beside = super::copy::BESIDE.map(|name| (name, layout.dot_hg().join(name)));
    let own = [(PHASES, layout.phaseroots_file()), (BOOKMARKS, layout.bookmarks_file())];
    beside.into_iter().chain(own).collect()
}

/// A copy that is made of the files of another one. Dropped before its end, it is gone.
pub struct HandedCopy {
    store: StreamedStore,
    small: Vec<(String, Vec<u8>)>,
    limits: Limits,
}

impl HandedCopy {
    /// Begins one in the folder `root`, where nothing is, with a store that requires this.
    pub fn begin(
        root: &Path,
        requirements: &[String],
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<Self, PullError> {
        let store = StreamedStore::create(root, requirements, limits, interrupt)?;
        Ok(Self { store, small: Vec::new(), limits: limits.clone() })
    }

    /// A file of the store: `size` bytes of `contents`.
    pub fn store_file(
        &mut self,
        name: &[u8],
        size: u64,
        contents: &mut dyn Read,
    ) -> Result<(), PullError> {
        Ok(self.store.file(Area::Store, name, size, contents)?)
    }

    /// A small file. Says whether there may be one that is called so.
    pub fn small_file(&mut self, name: &str, contents: Vec<u8>) -> bool {
        let is_known =
            super::copy::BESIDE.contains(&name) || [PHASES, BOOKMARKS, PUBLISHING].contains(&name);
        let is_new = !self.small.iter().any(|(other, _)| other == name);
        if is_known && is_new {
            self.small.push((name.to_owned(), contents));
        }
        is_known && is_new
    }

    /// Checks all of it, and moves it to where it belongs.
    pub fn finish(self, progress: &dyn Progress) -> Result<(), PullError> {
        let Self { store, small, limits } = self;
        let checked = store.check(progress)?;
        let layout = Layout::open(checked.path(), &limits)?;
        let places = places(&layout);
        let hgrc = layout.dot_hg().join("hgrc");
        for (name, contents) in small {
            let place = places.iter().find(|(known, _)| **known == *name);
            let (path, contents) = match place {
                Some((_, path)) => (path, contents.as_slice()),
                None => (&hgrc, DRAFTS),
            };
            replace_file(path, contents)
                .map_err(|source| PullError::Folder { path: path.clone(), source })?;
        }
        let folder = layout.dot_hg();
        sync_folder(folder)
            .map_err(|source| PullError::Folder { path: folder.to_owned(), source })?;
        checked.finish().map_err(WriteError::into)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::base::NoProgress;
    use crate::hg::write::testing::{add, count, hg, history, new_repository};

    fn made_again(from: &Copy, root: &Path) -> Result<(), PullError> {
        let limits = Limits::default();
        let requirements = from.requirements()?;
        let mut made = HandedCopy::begin(root, &requirements, &limits, &Interrupt::default())?;
        for StoreFile { name, path } in from.store_files()? {
            let bytes = fs::read(path).unwrap();
            made.store_file(&name, bytes.len() as u64, &mut bytes.as_slice())?;
        }
        for (name, contents) in from.small_files()? {
            assert!(made.small_file(name, contents.clone()));
            assert!(!made.small_file(name, contents), "twice");
        }
        assert!(!made.small_file("hgrc", Vec::new()) && !made.small_file("../x", Vec::new()));
        made.finish(&NoProgress)
    }

    #[test]
    fn a_copy_is_made_again_of_its_files() {
        let (_folder, root) = new_repository();
        add(&root, &history(0..30, 30)).unwrap();
        let heads = "0123456789012345678901234567890123456789\n";
        fs::write(root.join(".hg/synchroniser-heads"), heads).unwrap();
        fs::write(root.join(".hg/hgrc"), "[hooks]\nupdate = false\n[phases]\npublish = no\n")
            .unwrap();
        fs::write(root.join(".hg/store/phaseroots"), format!("1 {heads}")).unwrap();
        let copy = Copy::at(&root, &Limits::default());
        let folder = tempfile::tempdir().unwrap();
        let again = folder.path().join("again");
        made_again(&copy, &again).unwrap();
        assert_eq!(count(&again), (30, 30, 30));
        hg(&again, &["verify", "-q"]);
        let read = |name: &str| fs::read_to_string(again.join(".hg").join(name)).unwrap();
        assert_eq!(read("synchroniser-heads"), heads);
        assert_eq!(read("hgrc").as_bytes(), DRAFTS);
        assert_eq!(read("store/phaseroots"), format!("1 {heads}"));
        let files = |copy: &Copy| {
            let names = copy.store_files().unwrap().into_iter();
            names.map(|file| (file.name, fs::read(file.path).unwrap())).collect::<Vec<_>>()
        };
        let again = Copy::at(&again, &Limits::default());
        assert_eq!(files(&again), files(&copy));
        assert!(files(&copy).iter().any(|(name, _)| name.ends_with(b"/B.i")), "{:?}", files(&copy));
    }

    #[test]
    fn what_is_damaged_or_half_done_is_not_handed_on() {
        let (_folder, root) = new_repository();
        add(&root, &history(0..30, 30)).unwrap();
        let copy = Copy::at(&root, &Limits::default());
        let folder = tempfile::tempdir().unwrap();
        let index = root.join(".hg/store/00manifest.i");
        let mut bytes = fs::read(&index).unwrap();
        bytes[40] ^= 1;
        fs::write(&index, bytes).unwrap();
        assert!(made_again(&copy, &folder.path().join("again")).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(root.join(".hg/store/journal"), "").unwrap();
        assert!(copy.requirements().is_err());
    }
}
