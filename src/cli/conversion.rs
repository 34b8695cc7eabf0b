//! What a conversion can be asked for: flags with the names and meanings of a mirror's keys.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::base::Limits;
use crate::config::{is_branch_name, is_prefix};
use crate::convert::adoption::AdoptionPolicy;
use crate::convert::identity::{AUTO, IdentityChoice, choices};
use crate::convert::names::RefNaming;
use crate::convert::selection::{NamePattern, Selection};
use crate::convert::{AuthorMap, AuthorMapError, ConvertOptions};
use crate::hg::ServedPhases;

/// What decides commits, and which changesets have one.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CommitArgs {
    /// The rules that decide what a commit is, and so its id; `auto` is the one that made what
    /// is there
    #[arg(long, value_name = "NAME", default_value = AUTO, value_parser = identity_parser())]
    pub(super) identity: IdentityChoice,
    /// A file of lines `user = author`: who stands in place of which users
    #[arg(long, value_name = "FILE")]
    author_map: Option<PathBuf>,
    /// `draft` takes draft changesets too, from a source that does not publish
    #[arg(long, value_name = "public|draft", default_value = "public", value_parser = phases_parser())]
    pub(super) phases: ServedPhases,
}

/// The options of a conversion. `convert` and `verify` have the same.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConversionArgs {
    #[command(flatten)]
    commits: CommitArgs,
    /// Whether each commit of a target that another tool made must be a changeset of the source
    #[arg(long, value_name = "exact|partial", default_value = "exact", value_parser = adoption_parser())]
    adopt: AdoptionPolicy,
    #[command(flatten, next_help_heading = "References")]
    naming: NamingArgs,
    /// Write a note with the node for each commit, below refs/notes/hg
    #[arg(long)]
    notes: bool,
}

/// How source names become references.
#[derive(Clone, Debug, clap::Args)]
struct NamingArgs {
    /// What the main branch follows: `tip`, the newest changeset, or the head of a named branch
    #[arg(long, value_name = "tip|BRANCH", default_value = "tip")]
    main: String,
    /// The name of the main branch
    #[arg(long, value_name = "NAME", default_value = "master")]
    main_branch: String,
    /// What every branch and every tag begins with
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    ref_prefix: Option<String>,
    /// Call a named branch or a bookmark otherwise; may be given again
    #[arg(long, value_name = "OLD=NEW", value_parser = renaming)]
    branches: Vec<(String, String)>,
    /// Call a tag otherwise; may be given again
    #[arg(long, value_name = "OLD=NEW", value_parser = renaming)]
    tags: Vec<(String, String)>,
    /// Only names like this become references: `release-*`, `branch:…`, `bookmark:…`, `tag:…`,
    /// `topic:…`; may be given again
    #[arg(long, value_name = "PATTERN")]
    publish: Vec<String>,
    /// Names like this do not become references; may be given again
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Make tags that begin with this of named branches whose heads are all closed
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    closed_branches: Option<String>,
    /// Make branches that begin with this of topics
    #[arg(long, value_name = "PREFIX", value_parser = prefix)]
    topics: Option<String>,
}

/// The identity of this name. The usage error lists the names there are, and the similar one.
fn identity_parser() -> impl TypedValueParser<Value = IdentityChoice> {
    PossibleValuesParser::new(choices()).try_map(|name| IdentityChoice::named(&name))
}

fn adoption_parser() -> impl TypedValueParser<Value = AdoptionPolicy> {
    let names = AdoptionPolicy::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|name| AdoptionPolicy::named(&name).unwrap_or_default())
}

fn phases_parser() -> impl TypedValueParser<Value = ServedPhases> {
    let names = ServedPhases::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|name| ServedPhases::named(&name).unwrap_or_default())
}

/// The beginning of a name, if Git takes it.
fn prefix(text: &str) -> Result<String, &'static str> {
    is_prefix(text).then(|| text.to_owned()).ok_or("no name that Git allows begins so")
}

/// `OLD=NEW`, if Git takes the new name. Mercurial's names may hold a `=`, and so may Git's: the
/// last one divides.
fn renaming(text: &str) -> Result<(String, String), &'static str> {
    let (old, new) = text.rsplit_once('=').ok_or("no \"=\" between the two names")?;
    match is_branch_name(new) {
        true => Ok((old.to_owned(), new.to_owned())),
        false => Err("not a name that Git allows"),
    }
}

impl CommitArgs {
    /// What they mean.
    pub(super) fn options(&self) -> Result<ConvertOptions, AuthorMapError> {
        let authors = self.author_map.as_deref().map(AuthorMap::read).transpose()?;
        Ok(ConvertOptions {
            identity: self.identity,
            authors: authors.unwrap_or_default().into(),
            phases: self.phases,
            limits: Limits::default(),
            ..ConvertOptions::default()
        })
    }
}

impl ConversionArgs {
    /// What they mean.
    pub(super) fn options(&self) -> Result<ConvertOptions, AuthorMapError> {
        Ok(ConvertOptions {
            adopt: self.adopt,
            naming: self.naming.naming(),
            notes: self.notes,
            ..self.commits.options()?
        })
    }
}

impl NamingArgs {
    fn naming(&self) -> RefNaming {
        let patterns = |texts: &[String]| texts.iter().map(|text| NamePattern::new(text)).collect();
        RefNaming {
            main_branch: self.main_branch.clone(),
            main: self.main.as_str().into(),
            prefix: self.ref_prefix.clone().unwrap_or_default(),
            branches: self.branches.iter().cloned().collect(),
            tags: self.tags.iter().cloned().collect(),
            selection: Selection {
                publish: patterns(&self.publish),
                exclude: patterns(&self.exclude),
            },
            closed_branches: self.closed_branches.clone(),
            topics: self.topics.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;
    use crate::cli::exit;
    use crate::convert::names::MainBranch;

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
        for wrong in ["--branches a", "--tags v1=a..b", "--ref-prefix /", "--phases secret"] {
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
