//! `queue`: where the queue is kept, and how it gets from one place to another.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::daemon;
use super::queue_ledgers::{self, WithCaches};
use super::report::count;
use super::{Outcome, config};
use crate::base::time::SystemClock;
use crate::base::{durable, faults};
use crate::cli::args::{QueueArgs, QueueCommand, QueueMoveArgs};
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::queue::{
    JobStore, Moved, Portable, PostgresOptions, PostgresStore, SqliteStore, StoreError,
};

/// The file of the queue, in the folder of what the daemon must not lose.
pub(super) const QUEUE: &str = "queue.sqlite";
/// What the file is called in the configuration.
const SQLITE: &str = "sqlite";

/// Why a queue is not moved.
#[derive(Debug, thiserror::Error)]
enum MoveError {
    /// The daemon would go on with what it has.
    #[error("move the queue: the daemon runs")]
    Running,
    /// It is where it should be.
    #[error("move the queue: `queue.store` is what it was before")]
    Same,
    /// There is nothing to be moved.
    #[error("move the queue: {} is not there", path.display())]
    Missing { path: PathBuf },
    /// The queue that is to be moved, or its new place, cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

faults!(MoveError {
    Self::Running => Refused.at(Here).hint("stop it first, on every machine: `systemctl stop synchroniser`"),
    Self::Same => Config.at(Here).hint("change it to where the queue is to be, and name where it was"),
    Self::Missing { .. } => Config.at(Here).hint("`daemon.state` must be the folder that it is in"),
    Self::Store(source) => of(source),
});

pub(super) fn run(args: &QueueArgs, ui: &Ui) -> Outcome {
    match &args.command {
        None => daemon::queue(&args.list, ui),
        Some(QueueCommand::Move(args)) => take_along(args, ui),
    }
}

fn take_along(args: &QueueMoveArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.daemon.config.config)?;
    if daemon::client(&args.daemon).is_ok_and(|client| client.text("/api/v1/overview").is_ok()) {
        return Err(MoveError::Running.into());
    }
    let old = (args.old != SQLITE).then_some(&args.old);
    if config.queue.address.as_ref() == old {
        return Err(MoveError::Same.into());
    }
    let (moved, place) = moved(&config, old)?;
    let mirrors = count(moved.mirrors, "mirror", "mirrors");
    let runs = count(moved.runs, "sync", "syncs");
    let deliveries = count(moved.deliveries, "hook", "hooks");
    ui.say(&format!("{place}: {mirrors}, the history of {runs} and {deliveries}"));
    let ledgers = count(moved.ledgers, "mirror", "mirrors");
    ui.say(&format!("what was published of {ledgers} was taken along"));
    ui.say("what was moved is still in its old place, and of no use there any more; start the daemon now");
    Ok(exit::OK)
}

/// Moves it; how much that was, and where to.
fn moved(config: &Config, old: Option<&String>) -> Result<(Moved, String), MoveError> {
    let file = config.daemon.state.join(QUEUE);
    let giver: Arc<dyn Portable> = match old {
        Some(address) => Arc::new(PostgresStore::open(&options(config, address))?),
        None if !file.exists() => return Err(MoveError::Missing { path: file }),
        None => Arc::new(WithCaches::of(SqliteStore::open(&file)?, config)?),
    };
    let Some(address) = &config.queue.address else {
        let taker = in_folder(config)?;
        // Whoever has mirrors already takes nothing over, and keeps the ledgers that it has.
        if taker.keys()?.is_empty() {
            queue_ledgers::put(&*giver, config)?;
        }
        let moved = taker.take_over(giver)?;
        return Ok((moved, file.display().to_string()));
    };
    let options = options(config, address);
    let moved = PostgresStore::open(&options)?.take_over(giver)?;
    Ok((moved, PostgresStore::look(&options)?.place))
}

/// How the database at `address` is reached.
pub(super) fn options(config: &Config, address: &str) -> PostgresOptions {
    PostgresOptions {
        password: config.queue.password.clone(),
        ca: config.queue.ca_file.clone(),
        clock: Some(Arc::new(SystemClock)),
        ..PostgresOptions::at(address)
    }
}

/// The queue of the daemon.
pub(super) fn open(config: &Config) -> Result<Arc<dyn JobStore>, StoreError> {
    match &config.queue.address {
        Some(address) => {
            make_folder(config)?;
            let folder = Some(config.daemon.state.clone());
            let has_caches = config.daemon.role.syncs();
            let options = PostgresOptions { folder, has_caches, ..options(config, address) };
            Ok(Arc::new(PostgresStore::open(&options)?))
        }
        None => Ok(Arc::new(in_folder(config)?)),
    }
}

/// The queue in the folder of the daemon.
fn in_folder(config: &Config) -> Result<SqliteStore, StoreError> {
    make_folder(config)?;
    SqliteStore::open(&config.daemon.state.join(QUEUE))
}

/// Makes the folder of the daemon if it is not there.
fn make_folder(config: &Config) -> Result<(), StoreError> {
    let folder = &config.daemon.state;
    let failed = |source| StoreError::File { path: folder.clone(), source };
    if !folder.is_dir() {
        durable::create_folders(folder).map_err(failed)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    Ok(())
}
