//! What can be typed. Parsing makes plain values and does nothing else.

mod inspect;

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Parser, Subcommand};

use super::exit;
use crate::convert::graft::GraftPolicy;
use crate::convert::identity::{AUTO, IdentityChoice, choices};
use crate::mirror::{MainBranch, RefNaming};

pub(super) use inspect::{InspectChangesetArgs, InspectCommand, ShowArgs};

/// Keeps Git mirrors of Mercurial repositories.
#[derive(Debug, Parser)]
#[command(name = "synchroniser", version, after_help = exit::HELP, max_term_width = 100)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) output: OutputArgs,
    #[command(subcommand)]
    pub(super) command: CommandArgs,
}

/// How much is said.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct OutputArgs {
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Log more; twice for even more
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
}

/// The rules for commits.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct IdentityArgs {
    /// The rules that decide what a commit is, and so its id; `auto` is the one that made what
    /// is there
    #[arg(long, value_name = "NAME", default_value = AUTO, value_parser = identity_parser())]
    pub(super) identity: IdentityChoice,
}

/// What is done with commits that others made.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct GraftArgs {
    /// Whether each commit of a target that another tool made must be a changeset of the source
    #[arg(long, value_name = "exact|partial", default_value = "exact", value_parser = graft_parser())]
    pub(super) graft: GraftPolicy,
}

fn graft_parser() -> impl TypedValueParser<Value = GraftPolicy> {
    let names = GraftPolicy::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|name| GraftPolicy::named(&name).unwrap_or_default())
}

/// The identity of this name. The usage error lists the names there are, and the similar one.
fn identity_parser() -> impl TypedValueParser<Value = IdentityChoice> {
    PossibleValuesParser::new(choices()).try_map(|name| IdentityChoice::named(&name))
}

/// The commands. One file for each in `cli/command/`.
#[derive(Debug, Subcommand)]
pub(super) enum CommandArgs {
    /// Listen for push hooks and sync the mirrors that they ask for
    Serve(ServeArgs),
    /// Sync mirrors now: all that are configured, or those named
    Sync(SyncArgs),
    /// Convert a Mercurial repository into a bare Git repository, or go on where that ended
    Convert(ConvertArgs),
    /// Compare a Mercurial repository with what was converted from it, bit by bit
    Verify(VerifyArgs),
    /// Show what we read of a Mercurial repository, to find out what is strange about one
    #[command(subcommand)]
    Inspect(InspectCommand),
    /// Show the whole way: a repository, a push hook, a mirror. Changes nothing of yours
    Demo(DemoArgs),
    /// Look at the configuration
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

/// `serve`
#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `sync`
#[derive(Debug, clap::Args)]
pub(super) struct SyncArgs {
    /// Names from the configuration; all mirrors if there are none
    #[arg(value_name = "MIRROR")]
    pub(super) mirrors: Vec<String>,
    #[command(flatten)]
    pub(super) config: ConfigArgs,
}

/// `convert`
#[derive(Debug, clap::Args)]
pub(super) struct ConvertArgs {
    /// The Mercurial repository
    pub(super) source: PathBuf,
    /// The bare Git repository; made if it is not there
    #[arg(value_name = "TARGET.git")]
    pub(super) target: PathBuf,
    /// Write a line `<commit id> <node>` for each changeset to this file
    #[arg(long, value_name = "FILE")]
    pub(super) map: Option<PathBuf>,
    /// What the main branch follows: `tip`, the newest changeset, or the head of a named branch
    #[arg(long, value_name = "tip|BRANCH", default_value = "tip")]
    pub(super) main: String,
    /// The name of the main branch
    #[arg(long, value_name = "NAME", default_value = "master")]
    pub(super) main_branch: String,
    #[command(flatten)]
    pub(super) identity: IdentityArgs,
    #[command(flatten)]
    pub(super) graft: GraftArgs,
}

impl ConvertArgs {
    /// How source names become references.
    pub(super) fn naming(&self) -> RefNaming {
        let main = match self.main.as_str() {
            "tip" => MainBranch::Tip,
            branch => MainBranch::Branch(branch.to_owned()),
        };
        RefNaming { main_branch: self.main_branch.clone(), main }
    }
}

/// `verify`
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// The Mercurial repository
    pub(super) source: PathBuf,
    /// The bare Git repository
    #[arg(value_name = "TARGET.git")]
    pub(super) target: PathBuf,
    #[command(flatten)]
    pub(super) identity: IdentityArgs,
}

/// `demo`
#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Leave the folder of the demo and print its path
    #[arg(long)]
    pub(super) keep: bool,
}

/// `config`
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read a configuration and say what is wrong with it, or which mirrors it has
    Check(ConfigArgs),
    /// Print every key with its default and its meaning: a file to start from
    Default,
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
        assert_eq!(args.config.config, PathBuf::from("/etc/synchroniser/synchroniser.toml"));
    }

    #[test]
    fn the_main_branch_follows_tip_or_a_branch() {
        let CommandArgs::Convert(args) = parse("synchroniser convert s t") else { panic!() };
        assert_eq!(args.naming(), RefNaming::default());
        let line = "synchroniser convert s t --main default --main-branch trunk";
        let CommandArgs::Convert(args) = parse(line) else { panic!() };
        let main = MainBranch::Branch("default".to_owned());
        assert_eq!(args.naming(), RefNaming { main_branch: "trunk".to_owned(), main });
    }

    #[test]
    fn identities_have_names() {
        for (line, name) in [("", "auto"), (" --identity fast-export", "fast-export")] {
            let CommandArgs::Convert(args) = parse(&format!("synchroniser convert s t{line}"))
            else {
                panic!()
            };
            assert_eq!(args.identity.identity.name(), name);
        }
        let wrong = ["synchroniser", "verify", "s", "t", "--identity", "fast_export"];
        let error = Args::try_parse_from(wrong).unwrap_err();
        assert_eq!(error.exit_code(), i32::from(exit::USAGE));
        assert!(error.to_string().contains("similar value exists: 'fast-export'"), "{error}");
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for line in ["synchroniser", "synchroniser convert s", "synchroniser -q -v demo"] {
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{line}");
        }
    }
}
