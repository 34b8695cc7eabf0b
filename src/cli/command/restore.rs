//! `restore`: puts a backup where the daemon finds it.

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

use super::daemon;
use super::queue::QUEUE;
use super::{Outcome, config};
use crate::base::faults;
use crate::base::text::megabytes;
use crate::base::users::{group_id, user_id};
use crate::cli::args::RestoreArgs;
use crate::cli::command::init::SERVICE_USER;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::queue::{JobStore as _, SqliteStore, StoreError};

/// The file of what was published, in a cache.
const LEDGER: &str = "ledger";
/// No ledger is larger, in bytes.
const LARGEST_LEDGER: u64 = 256 << 20;

/// Why a backup is not put back.
#[derive(Debug, thiserror::Error)]
enum RestoreError {
    /// The daemon would go on with what it has.
    #[error("put the backup back: the daemon runs")]
    Running,
    /// The daemon would not look at it.
    #[error("put the backup back: `queue.store` is a database")]
    InDatabase,
    /// There is a queue.
    #[error("put the backup back: {} is there", path.display())]
    NotEmpty { path: PathBuf },
    /// The backup cannot be read.
    #[error("read the backup {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// It is something else.
    #[error("read the backup {}: it is no backup of synchroniser's: {problem}", path.display())]
    NoBackup { path: PathBuf, problem: String },
    /// The queue in it cannot be used.
    #[error("read the queue in the backup {}", path.display())]
    Queue { path: PathBuf, source: StoreError },
    /// It cannot be written.
    #[error("write {}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

faults!(RestoreError {
    Self::Running => Refused.at(Here).hint("stop it first: `systemctl stop synchroniser`"),
    Self::InDatabase => Unsupported.at(Here).hint(
        "a database is put back by its own tools, `pg_restore` or `psql`. To put this backup into an empty one: \
         restore it with `queue.store = \"sqlite\"`, then `synchroniser queue move sqlite`"
    ),
    Self::NotEmpty { path } => Refused.at(Here).hint(format!(
        "a queue is never overwritten; if it is of no use any more, move it away: `mv {file} {file}.old`",
        file = path.display()
    )),
    Self::Read { source, .. } | Self::Write { source, .. } => io(source).at(Here),
    Self::NoBackup { .. } => Corrupt.at(Here).hint("`synchroniser backup FILE` makes one"),
    Self::Queue { source, .. } => of(source),
});

/// What came of a backup.
#[derive(Default)]
struct Restored {
    ledgers: usize,
    /// The caches that have a ledger of their own.
    kept: Vec<String>,
}

pub(super) fn run(args: &RestoreArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.daemon.config.config)?;
    if daemon::client(&args.daemon).is_ok_and(|client| client.text("/api/v1/overview").is_ok()) {
        return Err(RestoreError::Running.into());
    }
    if config.queue.address.is_some() {
        return Err(RestoreError::InDatabase.into());
    }
    let state = &config.daemon.state;
    for name in [QUEUE, "queue.sqlite-wal", "queue.sqlite-shm"] {
        let path = state.join(name);
        if path.exists() {
            return Err(RestoreError::NotEmpty { path }.into());
        }
    }
    let owner = Owner::of(state);
    make_folder(state, owner)?;
    let folder = tempfile::Builder::new().prefix(".restore-").tempdir_in(state);
    let folder = folder.map_err(|source| RestoreError::Write { path: state.clone(), source })?;
    // All of it is read before anything is put in its place.
    let ledgers = unpack(&args.file, &folder)?;
    let mirrors = tried(&args.file, &folder)?;
    let restored = put_ledgers(&config, &folder, ledgers, owner)?;
    let queue = state.join(QUEUE);
    put(&folder.path().join(QUEUE), &queue, owner)?;
    let size = fs::metadata(&queue).map_or(0, |found| found.len());
    let known = super::report::count(mirrors as u64, "mirror", "mirrors");
    ui.say(&format!(
        "{}: {}, the queue and the history of {known}",
        queue.display(),
        megabytes(size)
    ));
    let ledgers = super::report::count(restored.ledgers as u64, "cache", "caches");
    ui.say(&format!("{}: what was published from {ledgers}", config.cache.display()));
    for name in restored.kept {
        ui.say(&format!("{name}: kept, for its cache has what was published, and that is newer"));
    }
    ui.say("what else a cache has is made again by the first sync; start the daemon now");
    Ok(exit::OK)
}

/// Whom the files are for.
#[derive(Clone, Copy)]
struct Owner(Option<(u32, u32)>);

impl Owner {
    /// Whoever has the folder of the state; before there is one, the user of the package. Only root gives files away.
    fn of(state: &Path) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self(None);
        }
        let found = fs::metadata(state).ok().map(|found| (found.uid(), found.gid()));
        Self(found.or_else(|| user_id(SERVICE_USER).zip(group_id(SERVICE_USER))))
    }

    fn give(self, path: &Path) -> io::Result<()> {
        self.0.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))
    }
}

/// Makes a folder that its owner alone can look into, and those above it.
fn make_folder(path: &Path, owner: Owner) -> Result<(), RestoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let make = || {
        fs::create_dir_all(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        owner.give(path)
    };
    make().map_err(|source| RestoreError::Write { path: path.to_owned(), source })
}

/// Unpacks the queue and the ledgers into `folder`; the names of the caches.
fn unpack(file: &Path, folder: &TempDir) -> Result<Vec<String>, RestoreError> {
    let read = |source| RestoreError::Read { path: file.to_owned(), source };
    let no_backup = |problem: String| RestoreError::NoBackup { path: file.to_owned(), problem };
    let mut tar = tar::Archive::new(File::open(file).map_err(read)?);
    let (mut ledgers, mut has_queue) = (Vec::new(), false);
    for entry in tar.entries().map_err(read)? {
        let mut entry = entry.map_err(|error| no_backup(error.to_string()))?;
        let path = entry.path().map_err(read)?.into_owned();
        let names: Option<Vec<&str>> = path
            .components()
            .map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect();
        let to = match (names.as_deref(), entry.header().entry_type().is_file()) {
            (Some(["state", QUEUE]), true) if !has_queue => {
                has_queue = true;
                folder.path().join(QUEUE)
            }
            (Some(["cache", name, LEDGER]), true) if entry.size() <= LARGEST_LEDGER => {
                ledgers.push((*name).to_owned());
                folder.path().join(format!("{LEDGER}-{}", ledgers.len()))
            }
            _ => return Err(no_backup(format!("it has {}", path.display()))),
        };
        let write = |source| RestoreError::Write { path: to.clone(), source };
        let mut out = File::options().write(true).create_new(true).open(&to).map_err(write)?;
        fs::set_permissions(&to, Permissions::from_mode(0o600)).map_err(write)?;
        let size = entry.size();
        let copied = io::copy(&mut entry.by_ref().take(size), &mut out).map_err(write)?;
        if copied != size {
            return Err(no_backup("it breaks off".to_owned()));
        }
        out.sync_all().map_err(write)?;
    }
    match has_queue {
        true => Ok(ledgers),
        false => Err(no_backup("it has no queue".to_owned())),
    }
}

/// Opens the queue as the daemon will, so that a file that is none takes nobody's place; how many mirrors it has.
fn tried(file: &Path, folder: &TempDir) -> Result<usize, RestoreError> {
    let queue = |source| RestoreError::Queue { path: file.to_owned(), source };
    let store = SqliteStore::open(&folder.path().join(QUEUE)).map_err(queue)?;
    Ok(store.keys().map_err(queue)?.len())
}

/// Puts the ledgers into the caches that have none.
fn put_ledgers(
    config: &Config,
    folder: &TempDir,
    caches: Vec<String>,
    owner: Owner,
) -> Result<Restored, RestoreError> {
    let mut restored = Restored::default();
    for (place, name) in caches.into_iter().enumerate() {
        let cache = config.cache.join(&name);
        let to = cache.join(LEDGER);
        if to.exists() {
            restored.kept.push(name);
            continue;
        }
        make_folder(&config.cache, owner)?;
        make_folder(&cache, owner)?;
        put(&folder.path().join(format!("{LEDGER}-{}", place + 1)), &to, owner)?;
        restored.ledgers += 1;
    }
    Ok(restored)
}

/// Puts a file in its place, which may be on another disk.
fn put(from: &Path, to: &Path, owner: Owner) -> Result<(), RestoreError> {
    let put = || {
        owner.give(from)?;
        if fs::rename(from, to).is_ok() {
            return Ok(());
        }
        let beside = to.with_extension("restored");
        fs::copy(from, &beside)?;
        owner.give(&beside)?;
        fs::rename(&beside, to)
    };
    put().map_err(|source| RestoreError::Write { path: to.to_owned(), source })
}
