//! New repositories, empty ones.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::error::WriteError;
use crate::base::durable::{self, Step, sync_folder};

/// What a new repository is like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewStore {
    /// Each directory has a manifest of its own.
    pub tree_manifests: bool,
}

/// What tells a Mercurial of before 2006 that it cannot read this.
const NOTE: &[u8] = b"\0\0\xff\xff dummy changelog to prevent using the old repo layout";
/// How files in a new store are named.
pub(super) const LAYOUT: [&str; 3] = ["dotencode", "fncache", "store"];
/// How revlogs in a new store are, as those that `hg init` of today makes.
const REVLOGS: [&str; 4] = ["generaldelta", "revlog-compression-zstd", "revlogv1", "sparserevlog"];
const TREES: &str = "treemanifest";

impl NewStore {
    /// What the new store requires, in alphabetical order.
    pub(super) fn requirements(self) -> Vec<String> {
        let trees = self.tree_manifests.then_some(TREES);
        let all = LAYOUT.into_iter().chain(REVLOGS).chain(trees);
        let mut all: Vec<_> = all.map(str::to_owned).collect();
        all.sort();
        all
    }
}

/// A repository that is being made: in a folder beside the one it will be, which goes with it unless
/// it is finished.
#[derive(Debug)]
pub(super) struct Making {
    root: PathBuf,
    beside: tempfile::TempDir,
}

impl Making {
    /// Begins to make a repository for `root`, whose store requires `requirements`.
    pub(super) fn begin(root: &Path, requirements: &[String]) -> Result<Self, WriteError> {
        let exists = || WriteError::Exists { path: root.to_owned() };
        match fs::read_dir(root).map(|mut entries| entries.next().is_some()) {
            Ok(true) => return Err(exists()),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(WriteError::io(root)(error));
            }
            _ => {}
        }
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        durable::create_folders(parent).map_err(WriteError::io(parent))?;
        let beside = tempfile::Builder::new().prefix(".new-").tempdir_in(parent);
        let making =
            Self { root: root.to_owned(), beside: beside.map_err(WriteError::io(parent))? };
        making.fill(requirements).map_err(WriteError::io(making.beside.path()))?;
        Ok(making)
    }

    fn fill(&self, requirements: &[String]) -> io::Result<()> {
        let dot_hg = self.dot_hg();
        for folder in ["store", "cache", "wcache"] {
            durable::create_folders(&dot_hg.join(folder))?;
        }
        let lines = |names: &[String]| -> Vec<u8> {
            names.iter().flat_map(|name| [name.as_bytes(), b"\n"].concat()).collect()
        };
        for (name, text) in [
            ("00changelog.i", NOTE.to_vec()),
            ("requires", b"share-safe\n".to_vec()),
            ("store/requires", lines(requirements)),
        ] {
            let path = dot_hg.join(name);
            durable::step(Step::Write(&path))?;
            let mut file = File::create(&path)?;
            file.write_all(&text)?;
            durable::flush(&file, &path)?;
        }
        for folder in ["store", ""] {
            sync_folder(&dot_hg.join(folder))?;
        }
        sync_folder(self.beside.path())
    }

    /// The folder that it is in for now.
    pub(super) fn path(&self) -> &Path {
        self.beside.path()
    }

    pub(super) fn dot_hg(&self) -> PathBuf {
        self.beside.path().join(".hg")
    }

    /// Moves it to where it belongs. All that is in it must be durable.
    pub(super) fn finish(self) -> Result<(), WriteError> {
        let root = &self.root;
        // A temporary folder is nobody else's; a repository is as open as the process makes things.
        let rights = fs::metadata(self.dot_hg()).map(|made| made.permissions());
        let beside = self.beside.path();
        let moved = rights
            .and_then(|rights| fs::set_permissions(beside, rights))
            .and_then(|()| durable::rename(beside, root));
        moved.map_err(|error| match error.kind() {
            io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
                WriteError::Exists { path: root.clone() }
            }
            _ => WriteError::io(root)(error),
        })?;
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new(".")).to_owned();
        // What it was made in is not there any more.
        let _ = self.beside.keep();
        sync_folder(&parent).map_err(WriteError::io(&parent))
    }
}
