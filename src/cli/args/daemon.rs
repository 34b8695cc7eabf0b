//! What can be typed for the commands that talk to the daemon.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::ConfigArgs;
use crate::config::Role;

/// How the daemon is found, and how its answer is printed.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct DaemonArgs {
    /// The admin socket of the daemon; without it, that of the configuration
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) socket: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigArgs,
}

/// `serve`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ServeArgs {
    /// What this daemon does, whatever the configuration says, which may be the same on every machine
    #[arg(long, value_name = "ROLE", value_parser = roles())]
    pub(in crate::cli) role: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigArgs,
}

fn roles() -> PossibleValuesParser {
    PossibleValuesParser::new(Role::ALL.iter().map(|(name, _)| *name))
}

/// `status`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StatusArgs {
    /// The mirror to show; without one, all mirrors are listed
    #[arg(value_name = "MIRROR")]
    pub(in crate::cli) mirror: Option<String>,
    /// List only mirrors that are not good
    #[arg(long)]
    pub(in crate::cli) trouble: bool,
    /// Print the answer of the daemon as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `queue` and `deliveries`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ListArgs {
    /// Print the answer of the daemon as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `runs`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RunsArgs {
    /// The mirror whose syncs are listed; without one, those of all
    #[arg(value_name = "MIRROR")]
    pub(in crate::cli) mirror: Option<String>,
    /// How many, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(in crate::cli) count: u16,
    #[command(flatten)]
    pub(in crate::cli) list: ListArgs,
}

/// `pause` and `resume`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NamedArgs {
    /// The mirrors
    #[arg(value_name = "MIRROR", required = true)]
    pub(in crate::cli) mirrors: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `backup`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BackupArgs {
    /// The file to write, a tar; it must not be there yet
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `restore`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RestoreArgs {
    /// The backup, as `synchroniser backup` has written it
    #[arg(value_name = "FILE")]
    pub(in crate::cli) file: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `rebuild`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RebuildArgs {
    /// The mirror
    #[arg(value_name = "MIRROR")]
    pub(in crate::cli) mirror: String,
    /// Fetch a source that is not on this machine again, too
    #[arg(long)]
    pub(in crate::cli) fetch: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `retry`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RetryArgs {
    /// The mirrors
    #[arg(value_name = "MIRROR", required = true)]
    pub(in crate::cli) mirrors: Vec<String>,
    /// Wait until each sync is over, and say what came of it
    #[arg(long)]
    pub(in crate::cli) follow: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `notify-test`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NotifyTestArgs {
    /// The receivers, as `[notify.NAME]` names them; without one, all
    #[arg(value_name = "RECEIVER")]
    pub(in crate::cli) receivers: Vec<String>,
    /// Print the answer of the daemon as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}
