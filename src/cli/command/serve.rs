//! `serve`: the daemon in the foreground, as systemd wants it.

use super::{Outcome, config};
use crate::cli::args::ServeArgs;
use crate::cli::exit;
use crate::cli::stub::daemon;

pub(super) fn run(args: &ServeArgs) -> Outcome {
    let config = config::load(&args.config.config)?;
    daemon::serve_blocking(config)?;
    Ok(exit::OK)
}
