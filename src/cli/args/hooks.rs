//! What can be typed for the commands about hooks.

use std::path::PathBuf;

use super::{ConfigArgs, DaemonArgs};

/// A forge and a mirror.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct HookOf {
    /// The forge that sends the hook: a `format` of the configuration such as gitlab, github or forgejo, or the
    /// name of an endpoint
    #[arg(value_name = "FORGE")]
    pub(in crate::cli) forge: String,
    /// The mirror that the hook asks for
    #[arg(value_name = "MIRROR")]
    pub(in crate::cli) mirror: String,
}

/// `hook-config`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct HookConfigArgs {
    #[command(flatten)]
    pub(in crate::cli) of: HookOf,
    /// Print the secret itself instead of where it is
    #[arg(long)]
    pub(in crate::cli) show_secret: bool,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigArgs,
}

/// `test-hook`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct TestHookArgs {
    #[command(flatten)]
    pub(in crate::cli) of: HookOf,
    /// Do not wait for the sync that the hook asks for
    #[arg(long)]
    pub(in crate::cli) no_wait: bool,
    #[command(flatten)]
    pub(in crate::cli) daemon: DaemonArgs,
}

/// `notify`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct NotifyArgs {
    /// The endpoint, such as `https://sync.example.org/hook/hg`, of the format `synchroniser`
    #[arg(value_name = "URL")]
    pub(in crate::cli) url: String,
    /// A file with the secret of the endpoint, which whoever pushes must be able to read
    #[arg(value_name = "SECRET_FILE")]
    pub(in crate::cli) secret_file: PathBuf,
    /// The name of the mirror, or the address of its source; without it the path of the repository, for a
    /// daemon on the same machine
    #[arg(value_name = "MAPPING")]
    pub(in crate::cli) mapping: Option<String>,
    /// What the hook starts, and nobody types
    #[arg(long, hide = true, conflicts_with = "wait")]
    pub(in crate::cli) in_background: bool,
    /// Wait for the answer, and say what it is: to try it by hand
    #[arg(long)]
    pub(in crate::cli) wait: bool,
    /// A file with certificates to trust, in place of those of the system
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) ca_file: Option<PathBuf>,
}
