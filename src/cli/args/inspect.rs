//! `inspect` and what it shows.

use std::path::PathBuf;

use clap::Subcommand;

/// `inspect`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum InspectCommand {
    /// A bundle file: its parts, and what is in them
    Bundle(InspectBundleArgs),
    /// One changeset: who, when, what it touched, its extras
    Changeset(InspectChangesetArgs),
}

/// How something is shown.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(in crate::cli) struct ShowArgs {
    /// Print JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// `inspect bundle`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InspectBundleArgs {
    /// The bundle, as `hg bundle` writes it
    pub(in crate::cli) file: PathBuf,
    /// Show each revision of a changegroup, not only how many there are
    #[arg(long)]
    pub(in crate::cli) entries: bool,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// `inspect changeset`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InspectChangesetArgs {
    /// The Mercurial repository
    pub(in crate::cli) source: PathBuf,
    /// A revision number, a node or the beginning of one, or `tip`
    #[arg(value_name = "NODE|REV|tip")]
    pub(in crate::cli) revision: String,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}
