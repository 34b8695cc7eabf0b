//! `inspect` and what it shows.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::SourceAt;

/// `inspect`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum InspectCommand {
    /// A bundle file: its parts, and what is in them
    Bundle(InspectBundleArgs),
    /// One changeset: its user, date, files and extras
    Changeset(InspectChangesetArgs),
    /// The manifest of a changeset: each file with its node and flag
    Manifest(InspectChangesetArgs),
    /// The contents of a file, or its metadata
    File(InspectFileArgs),
    /// How the text of a revision is stored: a full text and the deltas on top of it
    DeltaChain(InspectChainArgs),
    /// Formats, counts, phases, heads and names
    Repository(InspectRepositoryArgs),
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
    #[command(flatten)]
    pub(in crate::cli) source: SourceAt,
    /// A revision number, a node or the beginning of one, or `tip`
    #[arg(value_name = "NODE|REV|tip")]
    pub(in crate::cli) revision: String,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// `inspect file`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InspectFileArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceAt,
    /// The path of the file in the repository
    pub(in crate::cli) path: OsString,
    /// A revision number, a node or the beginning of one, or `tip`
    #[arg(value_name = "NODE|REV|tip", default_value = "tip")]
    pub(in crate::cli) revision: String,
    /// Show the metadata of the revision instead of its contents; `--json` does so too
    #[arg(long)]
    pub(in crate::cli) metadata: bool,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// `inspect delta-chain`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InspectChainArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceAt,
    /// `changelog`, `manifest`, or the path of a file
    #[arg(value_name = "PATH|changelog|manifest")]
    pub(in crate::cli) revlog: String,
    /// A revision number or a node of this history
    #[arg(value_name = "REV|NODE")]
    pub(in crate::cli) revision: String,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}

/// `inspect repository`
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct InspectRepositoryArgs {
    #[command(flatten)]
    pub(in crate::cli) source: SourceAt,
    #[command(flatten)]
    pub(in crate::cli) show: ShowArgs,
}
