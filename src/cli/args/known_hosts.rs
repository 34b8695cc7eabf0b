//! `known-hosts` and what it does.

use std::path::PathBuf;

use clap::Subcommand;

use super::ConfigArgs;

/// `known-hosts`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KnownHostsCommand {
    /// Show the host key of an SSH server, ask whether it is the right one, and add it
    Add(KnownHostsAddArgs),
    /// Print the host keys that are known
    List(KnownHostsFile),
}

/// Which file it is.
#[derive(Clone, Debug, clap::Args)]
pub(in crate::cli) struct KnownHostsFile {
    /// The file with the host keys; without it the one that the configuration names
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) config: ConfigArgs,
}

/// `known-hosts add`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct KnownHostsAddArgs {
    /// The SSH server
    #[arg(value_name = "HOST[:PORT]")]
    pub(in crate::cli) host: String,
    /// Add the key if it has this fingerprint, and ask nothing
    #[arg(long, value_name = "SHA256:...")]
    pub(in crate::cli) fingerprint: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) file: KnownHostsFile,
}
