//! The keys of a mirror as flags of commands, with the same meaning.

use std::path::Path;

use super::endpoint::{Folders, Resolver};
use super::error::{Problem, Problems};
use super::file::Section;
use super::naming::naming;
use super::resolve::commit_options;
use super::sections::{CommitKeys, EndpointKeys, HistoryKeys, NamingKeys};
use crate::base::faults;
use crate::convert::{AuthorMap, AuthorMapError, ConvertOptions};
use crate::hg::pull::Source;

/// Flags that do not fit what they are given with.
#[derive(Debug, thiserror::Error)]
#[error("use {name}: {}", problem.kind)]
pub(crate) struct TypedError {
    /// The flag, or what else was typed.
    name: String,
    problem: Problem,
}

faults!(TypedError => Config);

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
        (Some(source), None) => Ok(source),
        (_, Some(problem)) if problem.key != "url" => {
            let name = format!("--source-{}", problem.key.replace('_', "-"));
            Err(TypedError { name, problem })
        }
        (_, Some(problem)) => Err(TypedError { name: "the source".to_owned(), problem }),
        // Whatever gives no source has said why.
        (None, None) => Ok(Source::Path(written.to_owned())),
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
