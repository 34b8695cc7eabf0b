//! `serve`: the daemon in the foreground, as systemd wants it.

use super::{Outcome, config, queue, syncer};
use crate::base::memory;
use crate::cli::args::ServeArgs;
use crate::cli::exit;
use crate::config::Role;
use crate::daemon::{self, Setup};
use crate::mirror::NoObserver;

pub(super) fn run(args: &ServeArgs) -> Outcome {
    memory::share_arenas();
    let path = args.config.config.clone();
    let role = args.role.as_deref().and_then(Role::named);
    let load = move || {
        let mut config = config::load(&path)?;
        role.map_or(Ok(()), |role| config.take_role(role))?;
        Ok(config)
    };
    let config = load()?;
    let setup = Setup {
        store: queue::open(&config)?,
        config,
        syncer: syncer(NoObserver),
        reload: Box::new(load),
    };
    // The daemon logs where it listens, and what it left running when it was stopped.
    daemon::serve_blocking(setup, |_address| ())?;
    Ok(exit::OK)
}
