//! The keys of a mirror as flags of commands, with the same meaning.

use std::path::Path;

use super::endpoint::{Folders, Resolver};
use super::error::Problems;
use super::file::Section;
use super::naming::naming;
use super::problem::{Problem, ProblemKind};
use super::resolve::commit_options;
use super::sections::{CommitKeys, EndpointKeys, HistoryKeys, NamingKeys};
use crate::base::faults;
use crate::convert::{AuthorMap, AuthorMapError, ConvertOptions};
use crate::forge::ForgeOptions;
use crate::git::destination::Target;
use crate::hg::pull::Source;
use crate::net::url::{SourceUrlError, UrlError};

/// Why a source cannot be what was typed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TypedError {
    /// It is no address that we can fetch from.
    #[error(transparent)]
    Address(#[from] SourceUrlError),
    /// It is no address that we can push to.
    #[error(transparent)]
    TargetAddress(#[from] UrlError),
    /// A target lacks something.
    #[error("use the target: {kind}")]
    Target {
        /// What is wrong with it.
        kind: ProblemKind,
    },
    /// A flag does not fit it.
    #[error("use {flag}: {kind}")]
    Flag {
        /// The flag.
        flag: String,
        /// What is wrong with it.
        kind: ProblemKind,
    },
}

faults!(TypedError {
    // What was typed is mended where it was typed.
    Self::Address(error) => Diagnosis { side: Some(Here), ..of(error) },
    Self::TargetAddress(error) => Diagnosis { side: Some(Here), ..of(error) },
    Self::Target { .. } | Self::Flag { .. } => Config.at(Here),
});

/// The source that is `written`, reached as `keys` say, of which those called `set` were typed.
pub(crate) fn source(
    written: &Path,
    keys: &EndpointKeys,
    set: impl Iterator<Item = &'static str>,
) -> Result<Source, TypedError> {
    let (mut problems, mut pending) = (Problems::default(), Vec::new());
    let folders = Folders { folder: Path::new(""), credentials: None };
    let section = Section::typed(keys.clone(), set);
    let mut resolver = Resolver { folders, problems: &mut problems, pending: &mut pending };
    let source = resolver.source_at(&section, written);
    match (source, problems.sorted().into_iter().next()) {
        (_, Some(Problem { kind: ProblemKind::Source { source }, .. })) => Err(source.into()),
        (_, Some(Problem { key, kind, .. })) => {
            Err(TypedError::Flag { flag: format!("--source-{}", key.replace('_', "-")), kind })
        }
        (Some(source), None) => Ok(source),
        // Whatever gives no source has said why.
        (None, None) => Ok(Source::Path(written.to_owned())),
    }
}

/// The target that is `written` and how its forge is used, if it has one that is known; reached as `keys` say, of which those called `set` were typed.
pub(crate) fn target(
    written: &str,
    keys: &EndpointKeys,
    set: impl Iterator<Item = &'static str>,
) -> Result<(Target, Option<ForgeOptions>), TypedError> {
    let (mut problems, mut pending) = (Problems::default(), Vec::new());
    let folders = Folders { folder: Path::new(""), credentials: None };
    let keys = EndpointKeys { url: Some(written.to_owned()), ..keys.clone() };
    let section = Section::typed(keys, set);
    let mut resolver = Resolver { folders, problems: &mut problems, pending: &mut pending };
    let target = resolver.target(&section);
    let forge = target.as_ref().and_then(|target| resolver.forge(&section, target));
    match (target, problems.sorted().into_iter().next()) {
        (_, Some(Problem { kind: ProblemKind::Target { source }, .. })) => Err(source.into()),
        (_, Some(Problem { key, kind, .. })) if key == "url" => Err(TypedError::Target { kind }),
        (_, Some(Problem { key, kind, .. })) => {
            Err(TypedError::Flag { flag: format!("--target-{}", key.replace('_', "-")), kind })
        }
        (Some(target), None) => Ok((target, forge)),
        // Whatever gives no target has said why.
        (None, None) => Ok((Target::local(written), None)),
    }
}

/// What a conversion is asked for, its author map read.
pub(crate) fn conversion(
    commits: &CommitKeys,
    history: &HistoryKeys,
    names: &NamingKeys,
) -> Result<ConvertOptions, AuthorMapError> {
    let authors = commits.author_map.as_deref().map(AuthorMap::read).transpose()?;
    Ok(ConvertOptions {
        authors: authors.unwrap_or_default().into(),
        naming: naming(names),
        ..commit_options(commits, history)
    })
}
