//! Where a repository keeps what: its `.hg`, its store, and the repository that it shares it with.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use crate::base::{Limits, RepoPath, RepoPathBuf, faults};
use crate::hg::revlog::RevlogFiles;

use super::files::{ReadError, lines, read_bounded};
use super::path_encode::PathEncoding;
use super::requirements::{self, BadRequirement, Requirements};

/// A folder could not be opened as a Mercurial repository.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing.
    #[error("open {}: there is nothing at this path", path.display())]
    NotThere {
        /// The folder that was to be opened.
        path: PathBuf,
    },
    /// There is no repository.
    #[error("open {}: it is not a Mercurial repository", path.display())]
    NotARepository {
        /// The folder that was to be opened.
        path: PathBuf,
    },
    /// One of the files that describe the repository could not be read.
    #[error("open {}", path.display())]
    Read {
        /// The folder that was to be opened.
        path: PathBuf,
        /// Which file, and why.
        #[source]
        source: ReadError,
    },
    /// A `requires` file holds a line that cannot be a requirement.
    #[error("read {}", file.display())]
    BadRequirement {
        /// The `requires` file.
        file: PathBuf,
        /// Which line.
        #[source]
        source: BadRequirement,
    },
    /// The repository uses formats that we do not read.
    #[error("open {}: it requires {}", path.display(), requirements.join(", "))]
    Unsupported {
        /// The folder that was to be opened.
        path: PathBuf,
        /// The requirements that are not known, in alphabetical order.
        requirements: Vec<String>,
    },
    /// A file that the requirements call for is not there.
    #[error("open {}: its requirements call for {}, which is missing", path.display(), file.display())]
    MissingFile {
        /// The folder that was to be opened.
        path: PathBuf,
        /// The file.
        file: PathBuf,
    },
    /// The repository shares the store of another one that is not there.
    #[error("open {}: it shares the store of {}, which is not there", path.display(), source_path.display())]
    ShareSourceMissing {
        /// The folder that was to be opened.
        path: PathBuf,
        /// The `.hg` folder that it names.
        source_path: PathBuf,
        /// The file that names it.
        file: PathBuf,
    },
    /// The repository and the one whose store it shares disagree on `share-safe`.
    #[error("open {}: it shares the store of {}, and only one of them is share-safe", path.display(), source_path.display())]
    ShareMismatch {
        /// The folder that was to be opened.
        path: PathBuf,
        /// The `.hg` folder that it names.
        source_path: PathBuf,
    },
}

faults!(OpenError {
    Self::NotThere { .. } => NOT_THERE.hint("check the path"),
    Self::NotARepository { path } if is_git(path) => NOT_THERE.hint(
        "it is a Git repository: the source is named first, and is a Mercurial repository"
    ),
    Self::NotARepository { .. } => {
        NOT_THERE.hint("name the folder that holds `.hg`, or the `.hg` folder itself")
    },
    Self::Read { source, .. } => of(source),
    Self::BadRequirement { .. } | Self::MissingFile { .. } => {
        Corrupt.hint("the repository is damaged: `hg verify` says how far")
    },
    Self::Unsupported { requirements, .. } => {
        let remedies: BTreeSet<_> =
            requirements.iter().map(|name| requirements::remedy(name)).collect();
        Unsupported.hint(Vec::from_iter(remedies).join("; "))
    },
    Self::ShareSourceMissing { file, .. } => Config.hint(format!(
        "write the `.hg` folder of the shared repository into {}", file.display()
    )),
    Self::ShareMismatch { .. } => Config.hint(
        "see `hg help config.format.use-share-safe`, or share the repository anew"
    ),
});

/// A tracked file's name leads out of the store, so that it can have no history there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("find the history of {path:?}: the name leads out of the store")]
pub struct UnsafePath {
    /// The tracked file.
    pub path: RepoPathBuf,
}

faults!(UnsafePath => Corrupt);

/// An opened repository: where its parts are, and that we can read them.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The repository's own `.hg`.
    dot_hg: PathBuf,
    /// The `.hg` that holds the store: the same, or that of the repository it shares.
    store_dot_hg: PathBuf,
    requirements: Requirements,
    shares_bookmarks: bool,
}

impl Layout {
    /// Opens the repository at `root`, which is the folder that holds `.hg`, or `.hg` itself.
    ///
    /// Reads the `requires` files and follows a share to its source; looks at nothing else.
    pub fn open(root: &Path, limits: &Limits) -> Result<Self, OpenError> {
        let dot_hg = find_dot_hg(root)?;
        let opening = Opening { root, limits };
        let mut requirements = opening.requirements(&dot_hg.join("requires"))?.unwrap_or_default();
        let mut store_dot_hg = dot_hg.clone();
        if requirements.has("shared") || requirements.has("relshared") {
            store_dot_hg = opening.share_source(&dot_hg, &requirements)?;
        }
        if requirements.has("share-safe") {
            let file = store_dot_hg.join("store/requires");
            let missing = || OpenError::MissingFile { path: root.to_owned(), file: file.clone() };
            requirements.extend(opening.requirements(&file)?.ok_or_else(missing)?);
        }
        let unreadable = requirements.unreadable();
        if !unreadable.is_empty() {
            return Err(OpenError::Unsupported { path: root.to_owned(), requirements: unreadable });
        }
        let shared = opening.read(&dot_hg.join("shared"))?.unwrap_or_default();
        let shares_bookmarks =
            store_dot_hg != dot_hg && lines(&shared).any(|line| line == b"bookmarks");
        Ok(Self { dot_hg, store_dot_hg, requirements, shares_bookmarks })
    }

    /// What the repository requires of its readers.
    pub fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// The repository's own `.hg` folder.
    pub fn dot_hg(&self) -> &Path {
        &self.dot_hg
    }

    /// The folder that holds the revlogs.
    pub fn store_dir(&self) -> PathBuf {
        if self.requirements.has("store") {
            self.store_dot_hg.join("store")
        } else {
            self.store_dot_hg.clone()
        }
    }

    /// How names of tracked files become names in the store.
    pub fn path_encoding(&self) -> PathEncoding {
        let has = |name| self.requirements.has(name);
        if has("fileindex-v1") {
            return PathEncoding::Dotencode;
        }
        match (has("store"), has("fncache"), has("dotencode")) {
            (false, _, _) => PathEncoding::Plain,
            (true, false, _) => PathEncoding::Store,
            (true, true, false) => PathEncoding::Fncache,
            (true, true, true) => PathEncoding::Dotencode,
        }
    }

    /// The changelog.
    pub fn changelog(&self) -> RevlogFiles {
        self.revlog("00changelog")
    }

    /// The manifest.
    pub fn manifest(&self) -> RevlogFiles {
        self.revlog("00manifest")
    }

    fn revlog(&self, stem: &str) -> RevlogFiles {
        let store = self.store_dir();
        RevlogFiles {
            index: store.join(format!("{stem}.i")),
            data: store.join(format!("{stem}.d")),
        }
    }

    /// The history of the tracked file at `path`.
    ///
    /// An error if the name leads out of the store, as only a forged manifest's can.
    pub fn filelog(&self, path: &RepoPath) -> Result<RevlogFiles, UnsafePath> {
        self.encoded(path, b"data/", b"")
    }

    /// The manifest of the directory at `path`, which ends in a slash, where each directory has one.
    ///
    /// An error as for [`Layout::filelog`].
    pub fn directory_manifest(&self, path: &RepoPath) -> Result<RevlogFiles, UnsafePath> {
        self.encoded(path, b"meta/", b"00manifest")
    }

    /// The revlog called `before`, `path`, `after`, the whole encoded.
    fn encoded(
        &self,
        path: &RepoPath,
        before: &[u8],
        after: &[u8],
    ) -> Result<RevlogFiles, UnsafePath> {
        let name = |suffix: &[u8]| {
            let plain = [before, path.as_bytes(), after, suffix].concat();
            let name = self.path_encoding().encode(&plain);
            let leads_out = name.split(|&byte| byte == b'/').any(|part| part == b"..");
            if leads_out || name.contains(&0) {
                return Err(UnsafePath { path: path.to_owned() });
            }
            Ok(self.store_dir().join(OsStr::from_bytes(&name)))
        };
        Ok(RevlogFiles { index: name(b".i")?, data: name(b".d")? })
    }

    /// The list of all filelogs; `None` where the repository keeps none.
    pub fn fncache_file(&self) -> Option<PathBuf> {
        let listed = self.requirements.has("store") && self.requirements.has("fncache");
        listed.then(|| self.store_dir().join("fncache"))
    }

    /// The journal of a transaction that is under way, or was abandoned.
    pub fn journal_file(&self) -> PathBuf {
        self.store_dir().join("journal")
    }

    /// The files of which at least one is written to whenever what the repository serves changes.
    pub fn files_that_change(&self) -> Vec<PathBuf> {
        vec![
            self.changelog().index,
            self.phaseroots_file(),
            self.obsstore_file(),
            self.bookmarks_file(),
            self.store_dot_hg.join("hgrc"),
        ]
    }

    /// The phase roots.
    pub fn phaseroots_file(&self) -> PathBuf {
        self.store_dir().join("phaseroots")
    }

    /// The obsolescence markers.
    pub fn obsstore_file(&self) -> PathBuf {
        self.store_dir().join("obsstore")
    }

    /// The bookmarks: in the store if the requirements say so, in the share source's `.hg` if the
    /// share includes them, in `.hg` otherwise.
    pub fn bookmarks_file(&self) -> PathBuf {
        if self.requirements.has("bookmarksinstore") {
            self.store_dir().join("bookmarks")
        } else if self.shares_bookmarks {
            self.store_dot_hg.join("bookmarks")
        } else {
            self.dot_hg.join("bookmarks")
        }
    }

    /// The state of the working directory.
    pub fn dirstate_file(&self) -> PathBuf {
        self.dot_hg.join("dirstate")
    }

    /// The tags that are not shared with other repositories.
    pub fn local_tags_file(&self) -> PathBuf {
        self.dot_hg.join("localtags")
    }

    /// The configuration files of the repository, those that win last.
    pub fn config_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if self.store_dot_hg != self.dot_hg && self.requirements.has("share-safe") {
            files.push(self.store_dot_hg.join("hgrc"));
        }
        files.extend(["hgrc", "hgrc-not-shared"].map(|name| self.dot_hg.join(name)));
        files
    }
}

/// The `.hg` folder of the repository at `root`.
///
/// Repositories of before 2006 have no `requires`; something in `.hg` must still say that it is a
/// repository, lest an empty folder pass for an empty history.
fn find_dot_hg(root: &Path) -> Result<PathBuf, OpenError> {
    let below = root.join(".hg");
    if let Err(error) = std::fs::metadata(&below)
        && error.kind() == std::io::ErrorKind::PermissionDenied
    {
        let source = ReadError::Io { path: below, source: error };
        return Err(OpenError::Read { path: root.to_owned(), source });
    }
    let dot_hg = if below.is_dir() { below } else { root.to_owned() };
    let signs = ["requires", "00changelog.i", "store", "data"];
    let named = dot_hg.file_name() == Some(OsStr::new(".hg"));
    if named
        && let Err(source) = std::fs::read_dir(&dot_hg)
        && source.kind() == std::io::ErrorKind::PermissionDenied
    {
        let source = ReadError::Io { path: dot_hg, source };
        return Err(OpenError::Read { path: root.to_owned(), source });
    }
    if named && signs.iter().any(|sign| dot_hg.join(sign).exists()) {
        Ok(dot_hg)
    } else if !root.exists() {
        Err(OpenError::NotThere { path: root.to_owned() })
    } else {
        Err(OpenError::NotARepository { path: root.to_owned() })
    }
}

/// Whether there is a Git repository, bare or not.
fn is_git(path: &Path) -> bool {
    path.join(".git").exists() || (path.join("HEAD").is_file() && path.join("objects").is_dir())
}

/// What every step of [`Layout::open`] needs.
struct Opening<'a> {
    root: &'a Path,
    limits: &'a Limits,
}

impl Opening<'_> {
    fn read(&self, file: &Path) -> Result<Option<Vec<u8>>, OpenError> {
        read_bounded(file, self.limits.metadata_bytes)
            .map_err(|source| OpenError::Read { path: self.root.to_owned(), source })
    }

    fn requirements(&self, file: &Path) -> Result<Option<Requirements>, OpenError> {
        let Some(text) = self.read(file)? else { return Ok(None) };
        Requirements::parse(&text)
            .map(Some)
            .map_err(|source| OpenError::BadRequirement { file: file.to_owned(), source })
    }

    /// The `.hg` folder of the repository whose store the one with `dot_hg` shares.
    fn share_source(&self, dot_hg: &Path, own: &Requirements) -> Result<PathBuf, OpenError> {
        let path = || self.root.to_owned();
        let file = dot_hg.join("sharedpath");
        let missing = || OpenError::MissingFile { path: path(), file: file.clone() };
        let text = self.read(&file)?.ok_or_else(missing)?;
        let ended = text.iter().rposition(|&byte| byte != b'\n').map_or(0, |last| last + 1);
        // `join` keeps an absolute path as it is.
        let source = dot_hg.join(OsStr::from_bytes(text.get(..ended).unwrap_or_default()));
        if ended == 0 || text.contains(&0) || !source.is_dir() {
            return Err(OpenError::ShareSourceMissing { path: path(), source_path: source, file });
        }
        let theirs = self.requirements(&source.join("requires"))?.unwrap_or_default();
        if theirs.has("share-safe") != own.has("share-safe") {
            return Err(OpenError::ShareMismatch { path: path(), source_path: source });
        }
        Ok(source)
    }
}

#[cfg(test)]
mod tests;
