//! Appends to many files, with a journal that was durable before the first of them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::error::WriteError;
use super::files;
use super::journal::{Folder, Journal};
use crate::base::durable::{self, Step};
use crate::hg::store::Layout;

/// Appends are kept up to so many bytes, so that the journal is made durable once for many of them.
const QUEUE: usize = 32 << 20;

/// What is to be done to a file.
#[derive(Debug)]
struct Append {
    /// What the journal calls the file.
    name: Vec<u8>,
    path: PathBuf,
    /// How long the file was.
    at: u64,
    bytes: Vec<u8>,
}

/// Everything that is written, and how it is undone.
#[derive(Debug)]
pub(super) struct Transaction {
    store: PathBuf,
    journal: Journal,
    queue: Vec<Append>,
    queued: usize,
    /// The paths of the queue.
    waiting: HashSet<PathBuf>,
    /// Files whose size is in the journal, with it.
    recorded: HashMap<PathBuf, u64>,
    /// Files that were kept whole.
    kept: HashSet<PathBuf>,
    /// What is not durable yet.
    dirty: BTreeSet<PathBuf>,
}

impl Transaction {
    pub(super) fn begin(layout: &Layout) -> Result<Self, WriteError> {
        Ok(Self {
            store: layout.store_dir(),
            journal: Journal::begin(layout)?,
            queue: Vec::new(),
            queued: 0,
            waiting: HashSet::new(),
            recorded: HashMap::new(),
            kept: HashSet::new(),
            dirty: BTreeSet::new(),
        })
    }

    /// Appends `bytes` to the file at `path` in the store, which has `at` bytes that count.
    pub(super) fn append(
        &mut self,
        name: &[u8],
        path: &Path,
        at: u64,
        bytes: Vec<u8>,
    ) -> Result<(), WriteError> {
        self.queued = self.queued.saturating_add(bytes.len());
        self.waiting.insert(path.to_owned());
        self.queue.push(Append { name: name.to_owned(), path: path.to_owned(), at, bytes });
        if self.queued > QUEUE { self.flush() } else { Ok(()) }
    }

    /// Whether something that was appended to the file at `path` is not in it yet.
    pub(super) fn is_waiting(&self, path: &Path) -> bool {
        self.waiting.contains(path)
    }

    /// Writes all that waits.
    pub(super) fn flush(&mut self) -> Result<(), WriteError> {
        let queue = std::mem::take(&mut self.queue);
        let mut fresh = Vec::new();
        for append in queue.iter().filter(|append| !self.kept.contains(&append.path)) {
            if let Entry::Vacant(entry) = self.recorded.entry(append.path.clone()) {
                entry.insert(append.at);
                fresh.push((append.name.as_slice(), append.at));
            }
        }
        self.journal.record(fresh)?;
        for append in queue {
            self.write(&append).map_err(WriteError::io(&append.path))?;
        }
        self.queued = 0;
        self.waiting.clear();
        Ok(())
    }

    fn write(&mut self, append: &Append) -> io::Result<()> {
        let open = || File::options().write(true).create(true).truncate(false).open(&append.path);
        let file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = append.path.parent().unwrap_or(&self.store);
                durable::create_folders(folder)?;
                open()?
            }
            other => other?,
        };
        // What lies behind the last revision is what a dead writer left.
        durable::step(Step::Write(&append.path))?;
        file.set_len(append.at)?;
        file.write_all_at(&append.bytes, append.at)?;
        self.dirty.insert(append.path.clone());
        if append.at == 0 {
            self.dirty_folders(&append.path);
        }
        Ok(())
    }

    /// The folders that a new file is in are not durable.
    fn dirty_folders(&mut self, path: &Path) {
        let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.store));
        for folder in folders {
            if !self.dirty.insert(folder.to_owned()) {
                break;
            }
        }
    }

    /// Puts a file with `contents` in place of the one at `path`, at once.
    pub(super) fn replace(
        &mut self,
        folder: Folder,
        name: &[u8],
        path: &Path,
        contents: &[&[u8]],
    ) -> Result<(), WriteError> {
        if self.kept.insert(path.to_owned()) {
            self.journal.keep(folder, name, self.recorded.get(path).copied())?;
        }
        files::replace(path, contents).map_err(WriteError::io(path))?;
        self.dirty.extend(path.parent().map(Path::to_owned));
        Ok(())
    }

    /// Makes all that was written durable.
    pub(super) fn sync(&mut self) -> Result<(), WriteError> {
        self.flush()?;
        files::sync_all(std::mem::take(&mut self.dirty).iter())
    }

    /// Ends it: what was written stays.
    pub(super) fn end(mut self) -> Result<(), WriteError> {
        self.sync()?;
        self.journal.end()
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::super::testing::{add, count, files, history, new_repository};
    use super::*;
    use crate::base::{Fault, HasFault};

    /// What the child process is told.
    const ROOT: &str = "SYNCHRONISER_TEST_ROOT";

    /// A file that must not grow any more is what can be had of a full disk by anybody.
    #[test]
    fn when_there_is_no_room_nothing_is_added() {
        if let Some(root) = std::env::var_os(ROOT) {
            let error = add(Path::new(&root), &history(5..30, 30)).unwrap_err();
            assert!(matches!(error, WriteError::Io { .. }), "{error:?}");
            assert_eq!(error.fault(), Fault::Unavailable);
            return;
        }
        let (_folder, root) = new_repository();
        add(&root, &history(0..5, 30)).unwrap();
        let before = files(&root);
        let mut command = Command::new("sh");
        let limited = "trap '' XFSZ; ulimit -f 100; exec \"$@\"";
        command.args(["-c", limited, "sh"]).arg(std::env::current_exe().unwrap()).env(ROOT, &root);
        let name = "hg::write::transaction::tests::when_there_is_no_room_nothing_is_added";
        let ran = command.args(["--exact", name]).output().unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(ran.status.success() && said.contains("1 passed"), "{said}");
        assert_eq!(files(&root), before);
        add(&root, &history(5..30, 30)).unwrap();
        assert_eq!(count(&root), (30, 30, 30));
    }
}
