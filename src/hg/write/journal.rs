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
use crate::base::durable::{self, Step, sync_folder};
use crate::hg::store::Layout;
use crate::hg::store::files::read_bounded;

const JOURNAL: &str = "journal";
const BACKUPS: &str = "journal.backupfiles";
/// The first line of the list of backups.
const VERSION: &[u8] = b"2\n";
/// What the names of copies begin and end with. They are at the top of the folder, to be found.
const COPY: (&str, &str) = ("journal.backup.", ".bck");
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
    /// How many copies were made.
    copies: u32,
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
            let made = durable::step(Step::Write(&path)).and_then(|()| {
                let mut file = File::create(&path)?;
                file.write_all(text)?;
                durable::flush(&file, &path)?;
                Ok(file)
            });
            made.map_err(WriteError::io(&path))
        };
        // Without the journal the other one says nothing.
        let backups = create(BACKUPS, VERSION)?;
        let file = create(JOURNAL, b"")?;
        sync_folder(&store).map_err(WriteError::io(&store))?;
        Ok(Self { layout: layout.clone(), file, backups, copies: 0 })
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
        append(&mut self.file, &path, &text).map_err(WriteError::io(&path))
    }

    /// Keeps the file called `name`, which is about to be replaced, durably. Of one that is not there
    /// it is kept that it was not. If something was appended to it already, it had `size` bytes before.
    pub(super) fn keep(
        &mut self,
        folder: Folder,
        name: &[u8],
        size: Option<u64>,
    ) -> Result<(), WriteError> {
        let outside = || self.wrong("a name leads out of the store");
        let path = folder.path(&self.layout, name).ok_or_else(outside)?;
        let mut copy = Vec::new();
        if path.exists() && size != Some(0) {
            copy = format!("{}{}{}", COPY.0, self.copies, COPY.1).into_bytes();
            let to = folder.path(&self.layout, &copy).ok_or_else(outside)?;
            files::remove(&to)?;
            copy_file(&path, &to, size).map_err(WriteError::io(&to))?;
            let parent = to.parent().unwrap_or(&to);
            sync_folder(parent).map_err(WriteError::io(parent))?;
            self.copies = self.copies.saturating_add(1);
        }
        let line = [folder.name(), b"\0", name, b"\0", &copy, b"\0", b"0\n"].concat();
        let list = self.layout.store_dir().join(BACKUPS);
        append(&mut self.backups, &list, &line).map_err(WriteError::io(&list))
    }

    /// Ends the transaction: what was written stays.
    pub(super) fn end(self) -> Result<(), WriteError> {
        end(&self.layout)
    }

    fn wrong(&self, problem: &'static str) -> WriteError {
        WriteError::Journal { path: self.layout.store_dir().join(JOURNAL), problem }
    }
}

/// Adds `text` to the file at `path`, durably.
fn append(file: &mut File, path: &Path, text: &[u8]) -> io::Result<()> {
    durable::step(Step::Write(path))?;
    file.write_all(text)?;
    durable::flush_data(file, path)
}

/// Copies the first `size` bytes of a file, or all of it.
fn copy_file(from: &Path, to: &Path, size: Option<u64>) -> io::Result<()> {
    durable::step(Step::Write(to))?;
    // A file that is replaced is never written to again, so that one with two names will do.
    if size.is_none() && fs::hard_link(from, to).is_ok() {
        return Ok(());
    }
    fs::copy(from, to)?;
    let copy = File::options().write(true).open(to)?;
    copy.set_len(size.map_or_else(|| copy.metadata().map(|data| data.len()), Ok)?)?;
    durable::flush(&copy, to)
}

/// Removes the journal, which is what ends a transaction, and then what belongs to it.
fn end(layout: &Layout) -> Result<(), WriteError> {
    let store = layout.store_dir();
    files::remove(&store.join(JOURNAL))?;
    sync_folder(&store).map_err(WriteError::io(&store))?;
    for folder in [store.as_path(), layout.dot_hg()] {
        for entry in fs::read_dir(folder).map_err(WriteError::io(folder))? {
            let name = entry.map_err(WriteError::io(folder))?.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(COPY.0) && name.ends_with(COPY.1) {
                files::remove(&folder.join(&*name))?;
            }
        }
    }
    files::remove(&store.join(BACKUPS))
}

/// Puts back what a transaction that was not ended has changed; says whether there was one. Killed
/// in the middle, it can be done again.
pub(super) fn roll_back(layout: &Layout, limit: u64) -> Result<bool, WriteError> {
    let store = layout.store_dir();
    let journal = store.join(JOURNAL);
    let wrong = |problem| WriteError::Journal { path: journal.clone(), problem };
    let text = read_bounded(&journal, limit)?;
    let Some(list) = read_bounded(&store.join(BACKUPS), limit)?.or(text.is_some().then(Vec::new))
    else {
        return Ok(false);
    };
    let backups = Backup::parse_all(&list, layout).map_err(wrong)?;
    let Some(text) = text else {
        // It was ended, but for what is of no use any more.
        return end(layout).map(|()| false);
    };
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
    // Copies that others have made may be beside what they are copies of.
    end(layout)?;
    backups
        .iter()
        .filter_map(|backup| backup.copy.as_ref())
        .try_for_each(|copy| files::remove(copy))?;
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
            durable::step(Step::Write(path))?;
            file.set_len(size)?;
            durable::flush(&file, path)?;
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
        files::remove(&files::beside(&self.path))?;
        let Some(copy) = &self.copy else { return files::remove(&self.path) };
        let old = fs::read(copy).map_err(WriteError::io(copy))?;
        files::replace(&self.path, &[&old]).map_err(WriteError::io(&self.path))
    }
}
