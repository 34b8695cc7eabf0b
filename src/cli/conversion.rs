//! What a conversion can be asked for: flags with the names and meanings of a mirror's keys.

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::base::Limits;
use crate::convert::ConvertOptions;
use crate::convert::graft::GraftPolicy;
use crate::convert::identity::{AUTO, IdentityChoice, choices};
use crate::convert::names::{MainBranch, RefNaming};

/// The options of a conversion. `convert` and `verify` have the same.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConversionArgs {
    /// The rules that decide what a commit is, and so its id; `auto` is the one that made what
    /// is there
    #[arg(long, value_name = "NAME", default_value = AUTO, value_parser = identity_parser())]
    identity: IdentityChoice,
    /// Whether each commit of a target that another tool made must be a changeset of the source
    #[arg(long, value_name = "exact|partial", default_value = "exact", value_parser = graft_parser())]
    graft: GraftPolicy,
    /// What the main branch follows: `tip`, the newest changeset, or the head of a named branch
    #[arg(long, value_name = "tip|BRANCH", default_value = "tip")]
    main: String,
    /// The name of the main branch
    #[arg(long, value_name = "NAME", default_value = "master")]
    main_branch: String,
}

/// The identity of this name. The usage error lists the names there are, and the similar one.
fn identity_parser() -> impl TypedValueParser<Value = IdentityChoice> {
    PossibleValuesParser::new(choices()).try_map(|name| IdentityChoice::named(&name))
}

fn graft_parser() -> impl TypedValueParser<Value = GraftPolicy> {
    let names = GraftPolicy::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|name| GraftPolicy::named(&name).unwrap_or_default())
}

impl ConversionArgs {
    /// What they mean.
    pub(super) fn options(&self) -> ConvertOptions {
        ConvertOptions {
            identity: self.identity,
            graft: self.graft,
            naming: self.naming(),
            limits: Limits::default(),
            ..ConvertOptions::default()
        }
    }

    /// How source names become references.
    fn naming(&self) -> RefNaming {
        let main = match self.main.as_str() {
            "tip" => MainBranch::Tip,
            branch => MainBranch::Branch(branch.to_owned()),
        };
        RefNaming { main_branch: self.main_branch.clone(), main }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::cli::exit;

    fn parse(line: &str) -> Result<ConversionArgs, clap::Error> {
        let command = ConversionArgs::augment_args(Command::new("convert"));
        let matches = command.try_get_matches_from(line.split(' '))?;
        ConversionArgs::from_arg_matches(&matches)
    }

    #[test]
    fn the_main_branch_follows_tip_or_a_branch() {
        assert_eq!(parse("convert").unwrap().options().naming, RefNaming::default());
        let args = parse("convert --main default --main-branch trunk").unwrap();
        let main = MainBranch::Branch("default".to_owned());
        assert_eq!(args.options().naming, RefNaming { main_branch: "trunk".to_owned(), main });
    }

    #[test]
    fn identities_have_names() {
        for (line, name) in [("", "auto"), (" --identity fast-export", "fast-export")] {
            let args = parse(&format!("convert{line}")).unwrap();
            assert_eq!(args.options().identity.name(), name);
        }
        let error = parse("convert --identity fast_export").unwrap_err();
        assert_eq!(error.exit_code(), i32::from(exit::USAGE));
        assert!(error.to_string().contains("similar value exists: 'fast-export'"), "{error}");
    }
}
