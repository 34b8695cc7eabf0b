//! What a transaction would put back: the journal, and the files that it replaces.
//!
//! `journal` has a line for each file that is appended to: its name, NUL, and how long it was, where
//! nothing at all means that it was not there. `journal.backupfiles` has a line for each file that is
//! replaced: the folder, the name, the name of the copy, NUL between them. Names in the store are
//! not encoded. Source: both files as `hg` leaves them in the middle of a transaction, and what `hg
//! recover` makes of them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use super::error::WriteError;
use super::files;
use crate::base::durable::{replace_file, sync_folder};
use crate::hg::store::Layout;
use crate::hg::store::files::read_bounded;

const JOURNAL: &str = "journal";
const BACKUPS: &str = "journal.backupfiles";
/// The first line of the list of backups.
const VERSION: &[u8] = b"2\n";
/// What the names of copies begin and end with.
const COPY: (&[u8], &[u8]) = (b"journal.backup.", b".bck");
/// What `hg rollback` would go by, and what we do makes wrong.
const UNDO: [&str; 2] = ["undo", "undo.backupfiles"];

/// The folder that a name is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// The store, where names are encoded.
    Store,
    /// `.hg`.
    DotHg,
}

impl Folder {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Store => b"",
            Self::DotHg => b"plain",
        }
    }

    /// The path of `name`; `None` if it leads elsewhere.
    fn path(self, layout: &Layout, name: &[u8]) -> Option<PathBuf> {
        let encoded = match self {
            Self::Store => layout.path_encoding().encode(name),
            Self::DotHg => name.to_owned(),
        };
        let is_plain = |part: &[u8]| !part.is_empty() && part != b"..";
        if encoded.contains(&0) || !encoded.split(|&byte| byte == b'/').all(is_plain) {
            return None;
        }
        let folder = match self {
            Self::Store => layout.store_dir(),
            Self::DotHg => layout.dot_hg().to_owned(),
        };
        Some(folder.join(OsStr::from_bytes(&encoded)))
    }
}

/// The journal of the transaction under way.
#[derive(Debug)]
pub(super) struct Journal {
    layout: Layout,
    file: File,
    backups: File,
    /// The copies, to be removed in the end.
    copies: Vec<PathBuf>,
}

impl Journal {
    /// Begins a journal, durably.
    pub(super) fn begin(layout: &Layout) -> Result<Self, WriteError> {
        let store = layout.store_dir();
        for name in UNDO {
            files::remove(&store.join(name))?;
        }
        let create = |name: &str, text: &[u8]| {
            let path = store.join(name);
            let made = File::create(&path).and_then(|mut file| {
                file.write_all(text)?;
                file.sync_all()?;
                Ok(file)
            });
            made.map_err(WriteError::io(&path))
        };
        // Without the journal the other one says nothing.
        let backups = create(BACKUPS, VERSION)?;
        let file = create(JOURNAL, b"")?;
        sync_folder(&store).map_err(WriteError::io(&store))?;
        Ok(Self { layout: layout.clone(), file, backups, copies: Vec::new() })
    }

    /// Records how long files in the store were, durably.
    pub(super) fn record<'n>(
        &mut self,
        sizes: impl IntoIterator<Item = (&'n [u8], u64)>,
    ) -> Result<(), WriteError> {
        let mut text = Vec::new();
        for (name, size) in sizes {
            text.extend_from_slice(name);
            text.extend_from_slice(format!("\0{size}\n").as_bytes());
        }
        if text.is_empty() {
            return Ok(());
        }
        let path = self.layout.store_dir().join(JOURNAL);
        let written = self.file.write_all(&text).and_then(|()| self.file.sync_data());
        written.map_err(WriteError::io(&path))
    }

    /// Keeps the file called `name`, which is about to be replaced, durably. Of one that is not there
    /// it is kept that it was not.
    pub(super) fn keep(&mut self, folder: Folder, name: &[u8]) -> Result<(), WriteError> {
        let outside = || self.wrong("a name leads out of the store");
        let path = folder.path(&self.layout, name).ok_or_else(outside)?;
        let mut copy = Vec::new();
        if path.exists() {
            copy = copy_name(name);
            let to = folder.path(&self.layout, &copy).ok_or_else(outside)?;
            files::remove(&to)?;
            // The file itself is never written to again: another one takes its place.
            let copied = fs::hard_link(&path, &to)
                .or_else(|_| fs::copy(&path, &to).and_then(|_| File::open(&to)?.sync_all()));
            let parent = to.parent().unwrap_or(&to).to_owned();
            copied.and_then(|()| sync_folder(&parent)).map_err(WriteError::io(&to))?;
            self.copies.push(to);
        }
        let line = [folder.name(), b"\0", name, b"\0", &copy, b"\0", b"0\n"].concat();
        let list = self.layout.store_dir().join(BACKUPS);
        let written = self.backups.write_all(&line).and_then(|()| self.backups.sync_data());
        written.map_err(WriteError::io(&list))
    }

    /// Ends the transaction: what was written stays.
    pub(super) fn end(self) -> Result<(), WriteError> {
        end(&self.layout, self.copies)
    }

    fn wrong(&self, problem: &'static str) -> WriteError {
        WriteError::Journal { path: self.layout.store_dir().join(JOURNAL), problem }
    }
}

/// What a copy of the file called `name` is called, in the same folder.
fn copy_name(name: &[u8]) -> Vec<u8> {
    let (folder, file) = match name.rfind_byte(b'/') {
        Some(slash) => name.split_at_checked(slash + 1).unwrap_or_default(),
        None => (&b""[..], name),
    };
    [folder, COPY.0, file, COPY.1].concat()
}

/// Removes the journal, which is what ends a transaction, and then what belongs to it.
fn end(layout: &Layout, copies: Vec<PathBuf>) -> Result<(), WriteError> {
    let store = layout.store_dir();
    files::remove(&store.join(JOURNAL))?;
    sync_folder(&store).map_err(WriteError::io(&store))?;
    for copy in copies {
        files::remove(&copy)?;
    }
    files::remove(&store.join(BACKUPS))
}

/// Puts back what a transaction that was not ended has changed; says whether there was one. Killed
/// in the middle, it can be done again.
pub(super) fn roll_back(layout: &Layout, limit: u64) -> Result<bool, WriteError> {
    let store = layout.store_dir();
    let journal = store.join(JOURNAL);
    let wrong = |problem| WriteError::Journal { path: journal.clone(), problem };
    let Some(text) = read_bounded(&journal, limit)? else { return Ok(false) };
    let list = read_bounded(&store.join(BACKUPS), limit)?.unwrap_or_default();
    let backups = Backup::parse_all(&list, layout).map_err(wrong)?;
    let mut folders = vec![store.clone()];
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        // A last line that was cut was never acted upon.
        let Some(line) = line.strip_suffix(b"\n") else { continue };
        let fields = line.split_once_str("\0");
        let (name, size) = fields.ok_or_else(|| wrong("a line has no size"))?;
        let size = size.to_str().ok().and_then(|size| size.parse::<u64>().ok());
        let size = size.ok_or_else(|| wrong("a size is no number"))?;
        let path = Folder::Store.path(layout, name);
        let path = path.ok_or_else(|| wrong("a name leads out of the store"))?;
        if !backups.iter().any(|backup| backup.path == path) {
            cut(&path, size)?
                .then_some(())
                .ok_or_else(|| wrong("a file is shorter than it was"))?;
            folders.extend(path.parent().map(Path::to_owned));
        }
    }
    for backup in &backups {
        backup.put_back()?;
        folders.extend(backup.path.parent().map(Path::to_owned));
    }
    folders.sort();
    folders.dedup();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        sync_folder(folder).map_err(WriteError::io(folder))?;
    }
    end(layout, backups.into_iter().filter_map(|backup| backup.copy).collect())?;
    Ok(true)
}

/// Makes the file at `path` as long as it was. No size: it was not there. Says whether that can be.
fn cut(path: &Path, size: u64) -> Result<bool, WriteError> {
    if size == 0 {
        return files::remove(path).map(|()| true);
    }
    let cut = File::options().write(true).open(path).and_then(|file| {
        let now = file.metadata()?.len();
        if now > size {
            file.set_len(size)?;
            file.sync_all()?;
        }
        Ok(now >= size)
    });
    match cut {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        other => other.map_err(WriteError::io(path)),
    }
}

/// One line of the list of backups.
#[derive(Debug)]
struct Backup {
    path: PathBuf,
    /// The copy; there is none of a file that was not there.
    copy: Option<PathBuf>,
}

impl Backup {
    fn parse_all(list: &[u8], layout: &Layout) -> Result<Vec<Self>, &'static str> {
        let mut lines = list.split_inclusive(|&byte| byte == b'\n');
        match lines.next() {
            None => return Ok(Vec::new()),
            Some(VERSION) => {}
            Some(_) => return Err("the list of backups is of a version that is not known"),
        }
        let mut backups = Vec::new();
        for line in lines {
            let Some(line) = line.strip_suffix(b"\n") else { continue };
            let mut fields = line.split(|&byte| byte == 0);
            let mut next = || fields.next().ok_or("a line of the list of backups is cut");
            let (folder, name, copy) = (next()?, next()?, next()?);
            let folder = match folder {
                b"" => Folder::Store,
                b"plain" => Folder::DotHg,
                _ => return Err("the list of backups names a folder that is not known"),
            };
            let path =
                |name: &[u8]| folder.path(layout, name).ok_or("a name leads out of the repository");
            // A name without a copy is that of a file that was not there; a copy without a name is
            // a file that only the transaction needed.
            backups.push(match (name, copy) {
                (b"", copy) => Self { path: path(copy)?, copy: None },
                (name, b"") => Self { path: path(name)?, copy: None },
                (name, copy) => Self { path: path(name)?, copy: Some(path(copy)?) },
            });
        }
        Ok(backups)
    }

    fn put_back(&self) -> Result<(), WriteError> {
        let Some(copy) = &self.copy else { return files::remove(&self.path) };
        let old = fs::read(copy).map_err(WriteError::io(copy))?;
        replace_file(&self.path, &old).map_err(WriteError::io(&self.path))
    }
}
