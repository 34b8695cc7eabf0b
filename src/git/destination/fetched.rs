//! What was fetched from a target, kept in our repository under names of its own.

use git2::{AutotagOption, FetchOptions, RemoteCallbacks, RemoteRedirect};

use super::PublishError;
use crate::git::reference::{BRANCHES, HG_NOTES, Reference, TAGS, is_mirrored, is_valid_ref_name};
use crate::git::repository::{BareRepository, RefEdit, RepositoryError};

/// Where the references of a target stand in our repository once they are fetched.
pub const FETCHED: &str = "refs/synchroniser/target/";

/// Where the reference `name` of a target, a full name, stands in our repository.
pub fn fetched_name(name: &str) -> String {
    format!("{FETCHED}{}", name.strip_prefix("refs/").unwrap_or(name))
}

/// Fetches the objects behind all branches and tags, and the notes of changesets, at `address` into
/// `ours`, without touching a reference. Returns what they are there.
pub(super) fn download(
    ours: &BareRepository,
    address: &str,
    callbacks: RemoteCallbacks<'_>,
) -> Result<Vec<Reference>, git2::Error> {
    let mut remote = ours.repository().remote_anonymous(address)?;
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks);
    options.follow_redirects(RemoteRedirect::None);
    options.download_tags(AutotagOption::None);
    let everything = [&format!("{BRANCHES}*"), &format!("{TAGS}*"), HG_NOTES];
    let everything = everything.map(|names| format!("+{names}:{names}"));
    remote.download(&everything, Some(&mut options))?;
    let heads = remote.list()?.iter().filter(|head| is_mirrored(head.name()));
    let found = heads.map(|head| Reference::new(head.name(), head.oid().into())).collect();
    remote.disconnect()?;
    Ok(found)
}

/// Names `found`, the references of the target, below [`FETCHED`], and nothing else. What is no name
/// for Git, such as the `v1^{}` by which servers tell what a tag is a tag of, stays unnamed.
pub(super) fn keep(
    ours: &BareRepository,
    found: &[Reference],
) -> Result<Vec<Reference>, PublishError> {
    ours.refresh()?;
    let kept = found.iter().filter_map(|reference| {
        let name = fetched_name(&reference.name);
        let is_sound = is_valid_ref_name(&name) && ours.contains(reference.id);
        is_sound.then(|| Reference::new(name, reference.id))
    });
    let kept: Vec<_> = kept.collect();
    let stale = ours
        .refs_below(FETCHED)?
        .into_iter()
        .filter(|name| kept.iter().all(|reference| reference.name != *name));
    let mut edits: Vec<_> = stale.map(|name| RefEdit { name, new: None }).collect();
    edits.extend(kept.iter().map(|r| RefEdit { name: r.name.clone(), new: Some(r.id) }));
    ours.update_refs(&edits, None).map_err(|source| PublishError::References {
        target: ours.path().display().to_string(),
        source,
    })?;
    Ok(kept)
}

impl BareRepository {
    /// The names of the references in `folder`, which ends in a slash.
    fn refs_below(&self, folder: &str) -> Result<Vec<String>, RepositoryError> {
        let failed = |source| RepositoryError::References { path: self.path().to_owned(), source };
        let mut found = Vec::new();
        let glob = format!("{folder}*");
        for reference in self.repository().references_glob(&glob).map_err(failed)? {
            found.extend(reference.map_err(failed)?.name().ok().map(str::to_owned));
        }
        Ok(found)
    }
}
