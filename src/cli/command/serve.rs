//! `serve`: the daemon in the foreground, as systemd wants it.

use std::sync::Arc;

use super::{Outcome, config, syncer};
use crate::cli::args::ServeArgs;
use crate::cli::exit;
use crate::daemon::{self, Setup};
use crate::mirror::NoObserver;
use crate::queue::MemoryStore;

pub(super) fn run(args: &ServeArgs) -> Outcome {
    let path = args.config.config.clone();
    let setup = Setup {
        config: config::load(&path)?,
        store: Arc::new(MemoryStore::default()),
        syncer: syncer(NoObserver),
        reload: Box::new(move || config::load(&path)),
    };
    // The daemon logs where it listens, and what it left running when it was stopped.
    daemon::serve_blocking(setup, |_address| ())?;
    Ok(exit::OK)
}
