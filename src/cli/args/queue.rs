//! `queue` and what it does.

use clap::Subcommand;

use super::{DaemonArgs, ListArgs};

/// `queue`
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct QueueArgs {
    #[command(subcommand)]
    pub(in crate::cli) command: Option<QueueCommand>,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

/// What else `queue` does than to list what there is to do.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum QueueCommand {
    /// Take along mirrors, requests and history when `queue.store` has changed, before the daemon is started
    Move(QueueMoveArgs),
}

/// `queue move`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct QueueMoveArgs {
    /// What `queue.store` was before: `sqlite`, or the address of a database
    #[arg(value_name = "OLD")]
    pub(in crate::cli) old: String,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}
