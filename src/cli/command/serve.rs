//! `serve`: the daemon in the foreground, as systemd wants it.

use super::{Outcome, config, syncer};
use crate::cli::args::ServeArgs;
use crate::cli::exit;
use crate::daemon;
use crate::mirror::NoObserver;

pub(super) fn run(args: &ServeArgs) -> Outcome {
    let config = config::load(&args.config.config)?;
    // The daemon logs where it listens, and what it left running when it was stopped.
    daemon::serve_blocking(config, syncer(NoObserver), |_address| ())?;
    Ok(exit::OK)
}
