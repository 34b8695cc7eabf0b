//! What a conversion can be asked for: the keys of a mirror as flags.

use std::io::IsTerminal as _;

use super::flags::{Flags, help_of_care};
use crate::config::{self, CommitKeys, HistoryKeys, NamingKeys, PublishKeys};
use crate::convert::{AuthorMapError, ConvertOptions, Verify};
use crate::mirror::PublishRules;

/// What decides commits, and which changesets have one.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CommitArgs {
    #[command(flatten)]
    keys: Flags<CommitKeys>,
}

/// The options of a conversion. `convert` and `verify` have the same.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConversionArgs {
    #[command(flatten)]
    commits: Flags<CommitKeys>,
    #[command(flatten)]
    history: Flags<HistoryKeys>,
    #[command(flatten)]
    naming: Flags<NamingKeys>,
}

impl CommitArgs {
    /// What they mean.
    pub(super) fn options(&self) -> Result<ConvertOptions, AuthorMapError> {
        config::conversion(&self.keys.keys, &HistoryKeys::default(), &NamingKeys::default())
    }
}

impl ConversionArgs {
    /// What they mean.
    pub(super) fn options(&self) -> Result<ConvertOptions, AuthorMapError> {
        config::conversion(&self.commits.keys, &self.history.keys, &self.naming.keys)
    }
}

/// How a sync is done this once.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct RunArgs {
    #[arg(long, help = help_of_care("skip_damaged"))]
    skip_damaged: bool,
    /// Do not verify what was converted before refs move
    #[arg(long)]
    no_verify: bool,
    /// Accept, this once, a source with none of the changesets converted before, and remove their refs
    #[arg(long)]
    allow_empty: bool,
}

impl RunArgs {
    /// Changes `options` by what was typed.
    pub(super) fn apply_to(self, options: &mut ConvertOptions) {
        options.skip_damaged |= self.skip_damaged;
        options.allow_empty = self.allow_empty;
        if self.no_verify {
            options.verify = Verify::Off;
        }
    }
}

/// What a sync may do to published refs this once.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct OnceArgs {
    /// Move, this once, refs away from commits that the source no longer has
    #[arg(long)]
    allow_rewrite: bool,
    /// Remove, this once, more than half of the refs that were published, if the source has lost their
    /// names
    #[arg(long)]
    allow_prune: bool,
    /// Try again what the target refused before, though nothing has changed; a sync that is started
    /// at a terminal always does
    #[arg(long)]
    retry: bool,
}

impl OnceArgs {
    /// The same rules, with what is allowed this once.
    pub(super) fn applied_to(self, rules: &PublishRules) -> PublishRules {
        PublishRules {
            allow_rewrite: self.allow_rewrite,
            allow_prune: self.allow_prune,
            retry: self.retry || std::io::stderr().is_terminal(),
            ..rules.clone()
        }
    }
}

/// What may be done to published refs.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    keys: Flags<PublishKeys>,
    #[command(flatten)]
    once: OnceArgs,
}

impl PublishArgs {
    /// What they mean.
    pub(super) fn rules(&self) -> PublishRules {
        self.once.applied_to(&config::publish(&self.keys.keys))
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::cli::exit;
    use crate::convert::names::{MainBranch, RefNaming};
    use crate::convert::selection::{NamePattern, Selection};

    fn parse(line: &str) -> Result<ConvertOptions, clap::Error> {
        let command = ConversionArgs::augment_args(Command::new("convert"));
        let matches = command.try_get_matches_from(line.split(' '))?;
        Ok(ConversionArgs::from_arg_matches(&matches)?.options().unwrap())
    }

    #[test]
    fn names() {
        assert_eq!(parse("convert").unwrap().naming, RefNaming::default());
        let line = "convert --main default --main-branch trunk --ref-prefix hg/ \
                    --branches a=b --branches c=d=e --tags v1=1 --publish tag:* --exclude x \
                    --closed-branches archive/ --topics topic/";
        let map = |old: &str, new: &str| (old.to_owned(), new.to_owned());
        let expected = RefNaming {
            main_branch: "trunk".to_owned(),
            main: MainBranch::Branch("default".to_owned()),
            prefix: "hg/".to_owned(),
            branches: [map("a", "b"), map("c=d", "e")].into(),
            tags: [map("v1", "1")].into(),
            selection: Selection {
                publish: vec![NamePattern::new("tag:*")],
                exclude: vec![NamePattern::new("x")],
            },
            closed_branches: Some("archive/".to_owned()),
            topics: Some("topic/".to_owned()),
        };
        assert_eq!(parse(line).unwrap().naming, expected);
        for wrong in [
            "--branches a",
            "--tags v1=a..b",
            "--ref-prefix /",
            "--phases secret",
            "--main-branch a..b",
        ] {
            let error = parse(&format!("convert {wrong}")).unwrap_err();
            assert_eq!(error.exit_code(), i32::from(exit::USAGE), "{wrong}");
        }
    }

    #[test]
    fn identities_have_names() {
        for (line, name) in [("", "auto"), (" --identity fast-export", "fast-export")] {
            assert_eq!(parse(&format!("convert{line}")).unwrap().identity.name(), name);
        }
        let error = parse("convert --identity fast_export").unwrap_err();
        assert_eq!(error.exit_code(), i32::from(exit::USAGE));
        assert!(error.to_string().contains("similar value exists: 'fast-export'"), "{error}");
    }
}
