//! What made the target: what is recorded there, or what its commits tell.

use std::collections::HashSet;

use super::commits::Commits;
use super::{Context, Differences, VerifyError};
use crate::convert::adoption::{ExistingCommit, resolve};
use crate::convert::identity::{Identity, IdentityChoice};
use crate::convert::input::Input;
use crate::convert::{ConvertError, IdMap};
use crate::hg::Rev;

/// The identity that made the target, `settled` if that is recorded or asked for, and the commits
/// that another tool made.
pub(super) fn made_by(
    context: &Context<'_>,
    settled: Option<&'static dyn Identity>,
    differences: &mut Differences,
) -> Result<(&'static dyn Identity, Commits), VerifyError> {
    let IdentityChoice::Auto = context.options.identity else {
        return Ok((context.rules.identity, adopted(context)));
    };
    if let Some(identity) = settled {
        return Ok((identity, adopted(context)));
    }
    match find_out(context) {
        Ok(found) => Ok(found),
        Err(ConvertError::Interrupted(error)) => Err(error.into()),
        Err(error) => {
            differences.add_error(&error);
            Ok((context.rules.identity, Commits::new()))
        }
    }
}

/// The commits of another tool that are recorded beside the map of the target.
fn adopted(context: &Context<'_>) -> Commits {
    let map = context.map.as_ref();
    let records = map.iter().flat_map(|map| map.records().filter(|(n, _)| map.is_adopted(*n)));
    records.collect()
}

/// Compares the commits with what identities make, as a conversion does that goes on with them.
fn find_out(context: &Context<'_>) -> Result<(&'static dyn Identity, Commits), ConvertError> {
    let existing: Vec<_> = context
        .target
        .commits()
        .and_then(|commits| {
            commits
                .map(|commit| commit.map(|(id, contents)| ExistingCommit { id, contents }))
                .collect()
        })
        .map_err(|source| ConvertError::Target { source })?;
    let served: Vec<Rev> = context.source.view().served().iter().collect();
    let input = Input {
        changelog: context.source.changelog(),
        manifests: context.source.manifests(),
        filelogs: context.source,
        most_edits: usize::MAX,
        changesets: &served,
        map: &IdMap::default(),
        placeholders: &context.placeholders,
        // Whatever is damaged is told when files are read.
        skip_damaged: true,
        rules: context.rules,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        progress: context.progress,
        interrupt: context.interrupt,
    };
    let found = resolve(&input, context.options, &existing, &[], context.target)?;
    let adopted: HashSet<_> = found.adopted.into_iter().collect();
    let records = found.records.into_iter().filter(|(node, _)| adopted.contains(node));
    Ok((found.identity, records.collect()))
}
