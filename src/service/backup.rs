//! A copy of what cannot be made again: the queue with its history, and what each mirror has published.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use super::Service;
use crate::base::faults;
use crate::queue::StoreError;

/// The folder of the queue in a backup.
const STATE: &str = "state";
/// The folder of caches in a backup.
const CACHES: &str = "cache";
/// The file of the queue.
const QUEUE: &str = "queue.sqlite";
/// The file of a cache that says what was published.
const LEDGER: &str = "ledger";

/// A backup that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The queue cannot be copied.
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// A file cannot be read or written.
    #[error("back up {}", path.display())]
    File {
        /// The file, or the folder that it should have been in.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

faults!(BackupError {
    Self::Queue(error) => of(error),
    Self::File { source, .. } => io(source),
});

impl Service {
    /// A tar with `state/queue.sqlite` and `cache/<mirror>/ledger`, while work goes on. It has no name on the
    /// disk, and is gone when it is closed.
    pub fn backup(&self) -> Result<File, BackupError> {
        let directory = self.0.directory();
        let config = directory.config();
        let state = &config.daemon.state;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| BackupError::File { path, source }
        };
        let folder = tempfile::Builder::new().prefix(".backup-").tempdir_in(state);
        let folder = folder.map_err(failed(state))?;
        let copy = folder.path().join(QUEUE);
        self.0.store.backup(&copy)?;
        let mut tar = tar::Builder::new(tempfile::tempfile_in(state).map_err(failed(state))?);
        let mut queue = File::open(&copy).map_err(failed(&copy))?;
        let name = Path::new(STATE).join(QUEUE);
        append(&mut tar, &name, &mut queue).map_err(failed(&copy))?;
        // Those of mirrors that are configured no more, too: they may come back.
        let mut caches = match std::fs::read_dir(&config.cache) {
            Ok(entries) => entries.flatten().map(|entry| entry.file_name()).collect(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(failed(&config.cache)(source)),
        };
        caches.sort();
        for cache in caches {
            let path = config.cache.join(&cache).join(LEDGER);
            let mut ledger = match File::open(&path) {
                Ok(ledger) => ledger,
                // Nothing was published, or it is no cache.
                Err(error) if is_nothing(&error) => continue,
                Err(source) => return Err(failed(&path)(source)),
            };
            let name = Path::new(CACHES).join(&cache).join(LEDGER);
            append(&mut tar, &name, &mut ledger).map_err(failed(&path))?;
        }
        let mut file = tar.into_inner().map_err(failed(state))?;
        file.rewind().map_err(failed(state))?;
        Ok(file)
    }
}

fn is_nothing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Adds a file as one that its owner alone can read.
fn append(tar: &mut tar::Builder<File>, name: &Path, file: &mut File) -> io::Result<()> {
    let metadata = file.metadata()?;
    let mut header = tar::Header::new_gnu();
    header.set_size(metadata.len());
    header.set_mode(0o600);
    let changed = metadata.modified()?.duration_since(std::time::UNIX_EPOCH);
    header.set_mtime(changed.map_or(0, |since| since.as_secs()));
    tar.append_data(&mut header, name, file)
}
