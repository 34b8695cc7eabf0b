//! `serve`: the daemon in the foreground, as systemd wants it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::{Outcome, config, syncer};
use crate::base::{durable, memory};
use crate::cli::args::ServeArgs;
use crate::cli::exit;
use crate::config::Config;
use crate::daemon::{self, Setup};
use crate::mirror::NoObserver;
use crate::queue::{SqliteStore, StoreError};

/// The file of the queue, in the folder of what the daemon must not lose.
const QUEUE: &str = "queue.sqlite";

pub(super) fn run(args: &ServeArgs) -> Outcome {
    memory::share_arenas();
    let path = args.config.config.clone();
    let config = config::load(&path)?;
    let setup = Setup {
        store: Arc::new(open(&config)?),
        config,
        syncer: syncer(NoObserver),
        reload: Box::new(move || config::load(&path)),
    };
    // The daemon logs where it listens, and what it left running when it was stopped.
    daemon::serve_blocking(setup, |_address| ())?;
    Ok(exit::OK)
}

/// The queue of the daemon, in its folder, which is made if it is not there.
fn open(config: &Config) -> Result<SqliteStore, StoreError> {
    let folder = &config.daemon.state;
    let failed = |source| StoreError::File { path: folder.clone(), source };
    if !folder.is_dir() {
        durable::create_folders(folder).map_err(failed)?;
        std::fs::set_permissions(folder, Permissions::from_mode(0o700)).map_err(failed)?;
    }
    SqliteStore::open(&folder.join(QUEUE))
}
