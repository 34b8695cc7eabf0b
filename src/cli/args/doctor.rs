//! What can be typed for `doctor`.

use super::DaemonArgs;

/// `doctor`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct DoctorArgs {
    /// Only these mirrors; all that are configured if none is named
    #[arg(value_name = "MIRROR")]
    pub(in crate::cli) mirrors: Vec<String>,
    /// Look at nothing that is not on this machine
    #[arg(long)]
    pub(in crate::cli) offline: bool,
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}
