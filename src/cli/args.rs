//! What can be typed. Parsing makes plain values and does nothing else.

mod daemon;
mod doctor;
mod hooks;
mod init;
mod inspect;
mod known_hosts;
mod queue;

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand};

use super::conversion::{CommitArgs, ConversionArgs, OnceArgs, PublishArgs, RunArgs};
use super::exit;
use super::flags::help_of_care;
use super::source::SourceArgs;
use super::target::TargetArgs;

pub(super) use daemon::{
    BackupArgs, DaemonArgs, ListArgs, NamedArgs, NotifyTestArgs, RebuildArgs, RestoreArgs,
    RetryArgs, RunsArgs, ServeArgs, StatusArgs,
};
pub(super) use doctor::DoctorArgs;
pub(super) use hooks::{HookConfigArgs, NotifyArgs, TestHookArgs};
pub(super) use init::InitArgs;
pub(super) use inspect::{
    InspectBundleArgs, InspectChainArgs, InspectChangesetArgs, InspectCommand, InspectFileArgs,
    InspectRepositoryArgs, ShowArgs,
};
pub(super) use known_hosts::{KnownHostsAddArgs, KnownHostsCommand, KnownHostsFile};
pub(super) use queue::{QueueArgs, QueueCommand, QueueMoveArgs};

/// Keeps Git mirrors of Mercurial repositories.
#[derive(Debug, Parser)]
#[command(name = "synchroniser", version, after_help = exit::HELP, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(subcommand)]
    pub(super) command: CommandArgs,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Print only errors and results
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Log more; give it twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The commands. One file for each in `cli/command/`.
#[derive(Debug, Subcommand)]
pub(super) enum CommandArgs {
    /// Write a first configuration with one mirror, and say what to do next
    Init(InitArgs),
    /// Listen for push hooks and sync the mirrors that they ask for
    Serve(ServeArgs),
    /// Sync mirrors now: all that are configured, or those named
    Sync(SyncArgs),
    /// Show how the mirrors of the daemon are, or one of them in full
    Status(StatusArgs),
    /// Show what the daemon syncs now, and what waits
    Queue(QueueArgs),
    /// Show the last syncs of the daemon
    Runs(RunsArgs),
    /// Show the last hooks that came to the daemon, and what became of them
    Deliveries(ListArgs),
    /// Print what to type into a forge so that it sends the hooks of a mirror here
    HookConfig(HookConfigArgs),
    /// Send the daemon a hook as a forge does, signed, and show what becomes of it
    TestHook(TestHookArgs),
    /// Tell a daemon elsewhere of a push: a hook of Mercurial, which keeps nobody waiting
    Notify(NotifyArgs),
    /// Let the daemon leave mirrors alone; what is asked for meanwhile is kept
    Pause(NamedArgs),
    /// Let the daemon go on with paused mirrors
    Resume(NamedArgs),
    /// Let the daemon try again: mirrors that it has given up, and refused refs
    Retry(RetryArgs),
    /// Copy the queue of the daemon, and what was published, into a file
    Backup(BackupArgs),
    /// Put a backup back, before the daemon is started
    Restore(RestoreArgs),
    /// Make the cache of a mirror again from its source
    Rebuild(RebuildArgs),
    /// Check everything that a mirror needs, here and at its servers, and say what to do
    Doctor(DoctorArgs),
    /// List the caches, and empty those of mirrors that are not configured any more
    Caches(CachesArgs),
    /// Have the daemon send a test to those who are told of mirrors in trouble
    NotifyTest(NotifyTestArgs),
    /// Show what a sync would change, and change nothing
    Plan(PlanArgs),
    /// Convert a Mercurial repository into a bare Git repository, or update that
    Convert(ConvertArgs),
    /// Sync one source to one target, without a configuration
    Mirror(Box<MirrorArgs>),
    /// Make or update a Mercurial clone without a working copy
    Fetch(FetchArgs),
    /// Continue a mirror that another tool made: record its commits, publish nothing yet
    Adopt(AdoptArgs),
    /// Compare a Mercurial repository with what was converted from it
    Verify(VerifyArgs),
    /// Show the data of a Mercurial repository or a bundle, to find what is wrong with it
    #[command(subcommand)]
    Inspect(InspectCommand),
    /// Print an author map to edit: each user of a repository, and the author of its commits
    Authors(AuthorsArgs),
    /// List the host keys of SSH servers that are known, or add one
    #[command(subcommand)]
    KnownHosts(KnownHostsCommand),
    /// Sync a sample repository with a push hook, in a temporary folder
    Demo(DemoArgs),
    /// Check the configuration, or print its defaults and its documentation
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Where the configuration is.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfigArgs {
    /// The configuration to use
    #[arg(long, value_name = "FILE", default_value = "/etc/synchroniser/synchroniser.toml")]
    pub(super) config: PathBuf,
}

/// A source, and how to reach it.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct SourceAt {
    /// The Mercurial repository: a path, https://, ssh://, or a bundle file
    #[arg(value_name = "SOURCE")]
    pub(super) written: PathBuf,
    #[command(flatten)]
    pub(super) way: SourceArgs,
}

/// `sync`
#[derive(Debug, clap::Args)]
pub(super) struct SyncArgs {
    /// Names of mirrors in the configuration; all mirrors if none is named
    #[arg(value_name = "MIRROR")]
    pub(super) mirrors: Vec<String>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) once: OnceArgs,
    /// Ask the daemon for it, which does it as soon as it can, instead of doing it here
    #[arg(long, requires = "mirrors", conflicts_with_all = ["RunArgs", "OnceArgs"])]
    pub(super) daemon: bool,
    /// With --daemon: wait until each sync is over, and say what came of it
    #[arg(long, requires = "daemon")]
    pub(super) follow: bool,
    #[command(flatten)]
    pub(super) at: DaemonArgs,
}

/// `plan`
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Names of mirrors in the configuration; all mirrors if none is named
    #[arg(value_name = "MIRROR")]
    pub(super) mirrors: Vec<String>,
    /// Print the plan as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `caches`
#[derive(Debug, clap::Args)]
pub(super) struct CachesArgs {
    /// Empty the caches that no mirror is configured for, and that nobody uses: what was published stays known
    #[arg(long)]
    pub(super) remove_unused: bool,
    /// With --remove-unused: remove also what they know of what was published
    #[arg(long, requires = "remove_unused")]
    pub(super) ledgers: bool,
    /// With --remove-unused: really do it
    #[arg(long, requires = "remove_unused")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `fetch`
#[derive(Debug, clap::Args)]
pub(super) struct FetchArgs {
    #[command(flatten)]
    pub(super) source: SourceAt,
    /// The clone; created if it does not exist
    pub(super) directory: PathBuf,
}

/// `convert`
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ConvertArgs {
    #[command(flatten)]
    pub(super) source: SourceAt,
    /// The bare Git repository; created if it does not exist
    #[arg(value_name = "TARGET.git")]
    pub(super) target: PathBuf,
    /// Write a line `<commit id> <node>` for each changeset to this file
    #[arg(long, value_name = "FILE")]
    pub(super) map: Option<PathBuf>,
    #[command(flatten)]
    pub(super) conversion: ConversionArgs,
    #[arg(long, help = help_of_care("skip_damaged"))]
    pub(super) skip_damaged: bool,
    /// Verify what was converted before refs move, as a sync does
    #[arg(long)]
    pub(super) verify: bool,
    /// Accept, this once, a source with none of the changesets converted before, and remove their refs
    #[arg(long)]
    pub(super) allow_empty: bool,
    /// Make the packs as small as a full repack by Git does, at the end: takes as long again as the
    /// conversion, once
    #[arg(long)]
    pub(super) compact: bool,
}

/// `mirror`
#[derive(Debug, clap::Args)]
pub(super) struct MirrorArgs {
    #[command(flatten)]
    pub(super) source: SourceAt,
    /// The Git repository: a path, https://, ssh:// or user@host:path
    #[arg(value_name = "TARGET")]
    pub(super) target: String,
    /// The folder for what has been converted, made if it is not there. By default one below
    /// `$XDG_CACHE_HOME/synchroniser` or `~/.cache/synchroniser`. If it is lost, it is made again
    #[arg(long, value_name = "FOLDER")]
    pub(super) cache: Option<PathBuf>,
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) conversion: ConversionArgs,
    #[command(flatten)]
    pub(super) publish: PublishArgs,
    #[command(flatten)]
    pub(super) target_way: TargetArgs,
}

/// `adopt`
#[derive(Debug, clap::Args)]
pub(super) struct AdoptArgs {
    /// The name of a mirror in the configuration, or a Mercurial repository
    #[arg(value_name = "MIRROR|SOURCE")]
    pub(super) place: String,
    /// The bare Git repository that was made from the Mercurial one
    #[arg(value_name = "TARGET.git")]
    pub(super) target: Option<PathBuf>,
    /// The `git-mapfile` of hg-git
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mapping", "fast_export"])]
    pub(super) hg_git_map: Option<PathBuf>,
    /// The path of hg-fast-export's state without the endings `-mapping` and `-marks`, such as
    /// `repo.git/hg2git`
    #[arg(long, value_name = "PREFIX", conflicts_with = "mapping")]
    pub(super) fast_export: Option<PathBuf>,
    /// The `hg2git-mapping` of hg-fast-export
    #[arg(long, value_name = "FILE", requires = "marks")]
    pub(super) mapping: Option<PathBuf>,
    /// The `hg2git-marks` of hg-fast-export
    #[arg(long, value_name = "FILE", requires = "mapping")]
    pub(super) marks: Option<PathBuf>,
    /// Write each adopted changeset and its commit to this file, in the form of a git-mapfile
    #[arg(long, value_name = "FILE")]
    pub(super) export_map: Option<PathBuf>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
    #[command(flatten)]
    pub(super) conversion: ConversionArgs,
    #[command(flatten)]
    pub(super) way: SourceArgs,
}

/// `verify`
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The Mercurial repository; or, alone, the name of a mirror
    #[arg(value_name = "MIRROR|SOURCE")]
    pub(super) source: PathBuf,
    /// The bare Git repository
    #[arg(value_name = "TARGET.git")]
    pub(super) target: Option<PathBuf>,
    /// Only this changeset: its node, the beginning of its node, or its revision number. May be repeated
    #[arg(long, value_name = "NODE|REV")]
    pub(super) changeset: Vec<String>,
    /// Only changesets that are neither this one nor its ancestors
    #[arg(long, value_name = "NODE|REV")]
    pub(super) since: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) conversion: ConversionArgs,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `authors`
#[derive(Debug, clap::Args)]
pub(super) struct AuthorsArgs {
    #[command(flatten)]
    pub(super) source: SourceAt,
    #[command(flatten)]
    pub(super) commits: CommitArgs,
}

/// `demo`
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Keep the folder of the demo, and print its path
    #[arg(long)]
    pub(super) keep: bool,
}

/// `config`
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read a configuration and print what is wrong with it, or which mirrors it has
    Check(ConfigCheckArgs),
    /// Print a configuration to start from: every key with its default and its meaning
    Default,
    /// Print the documentation of every key, in Markdown
    Reference,
    /// Make a token for the pages and the API, and print what the configuration has to know of it
    Token,
    /// Print the description of the daemon's API for programs
    Openapi,
}

/// `config check`
#[derive(Debug, clap::Args)]
pub(super) struct ConfigCheckArgs {
    /// Try every source and target too, with one request each and without writing anywhere
    #[arg(long)]
    pub(super) online: bool,
    /// With --online: try these mirrors alone
    #[arg(value_name = "MIRROR", requires = "online")]
    pub(super) mirrors: Vec<String>,
    /// With --online: print what was found as JSON
    #[arg(long, requires = "online")]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> CommandArgs {
        Args::try_parse_from(line.split(' ')).unwrap().command
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn sync_has_a_default_configuration() {
        let CommandArgs::Sync(args) = parse("synchroniser sync a b") else { panic!() };
        assert_eq!(args.mirrors, ["a", "b"]);
        assert_eq!(args.at.config.config, PathBuf::from("/etc/synchroniser/synchroniser.toml"));
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in ["synchroniser", "synchroniser convert s", "synchroniser -q -v demo"] {
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{line}");
        }
    }
}
