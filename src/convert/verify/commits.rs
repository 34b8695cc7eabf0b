//! Changesets against commits, and names against references.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{SyncSender, sync_channel};

use bstr::ByteSlice;

use super::comparison::Comparison;
use super::files::Blobs;
use super::target::Sound;
use super::{Context, Difference, Differences, VerifyError};
use crate::base::{Interrupted, Stage};
use crate::convert::IdMap;
use crate::convert::names::source_refs;
use crate::convert::refs::WantedRef;
use crate::git::ObjectId;
use crate::git::reference::by_name;
use crate::hg::manifest::Manifest;
use crate::hg::repository::TAGS;
use crate::hg::revlog::{RevlogError, Text};
use crate::hg::{BranchTable, Changeset, Node, Repository, Rev, RevSet};

/// The commit of each changeset, as the commits themselves say.
pub(super) type Commits = HashMap<Node, ObjectId>;

/// Compares every served changeset with its commit, and the source's names with the references.
pub(super) fn compare(
    context: &Context<'_>,
    sound: &Sound,
    blobs: &Blobs,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let identity = context.rules.identity;
    let commits = match identity.names_changesets() {
        true => commits(context, sound, differences)?,
        false => recorded_commits(context),
    };
    let wanted = wanted_refs(context, differences);
    let published = published(context, &wanted);
    let served = context.source.view().served();
    context.progress.begin(Stage::ComparingCommits, Some(served.count() as u64));
    let mut comparison = match Comparison::new(context, sound, blobs, commits, &published) {
        Ok(comparison) => comparison,
        Err(error) => {
            differences.add_error(&error);
            return Ok(());
        }
    };
    let source = context.source;
    std::thread::scope(|scope| {
        let (sender, all) = sync_channel(AHEAD);
        scope.spawn(move || read_ahead(source, &sender));
        for read in all {
            context.interrupt.check()?;
            context.progress.advance(1);
            if let Err(error) = compare_one(context, read, blobs, &mut comparison, differences) {
                differences.add_error(&error);
            }
        }
        Ok::<_, Interrupted>(())
    })?;
    context.progress.end();
    let commits = comparison.commits;
    if !identity.names_changesets() {
        find_unmatched(context, &commits, differences)?;
    }
    compare_names(context, &wanted, &commits, differences)?;
    compare_map(context, &commits, differences);
    super::notes::compare(context, &commits, differences)
}

/// So many changesets are read before they are compared.
const AHEAD: usize = 8;

/// A changeset as it was read.
struct Read {
    rev: Rev,
    changeset: Result<Changeset, RevlogError>,
    /// The text of its manifest; `None` if the source has none.
    manifest: Option<Result<Text, RevlogError>>,
}

/// Reads every served changeset and its manifest, each checked against its node, until the
/// receiver is gone.
fn read_ahead(source: &Repository, sender: &SyncSender<Read>) {
    let mut changesets = source.changelog().reader();
    let mut manifests = source.manifests().reader();
    for rev in source.view().served().iter() {
        let changeset = changesets.changeset(rev);
        let manifest = changeset.as_ref().ok().and_then(|changeset| {
            let rev = source.manifests().rev(changeset.manifest);
            let none = || changeset.manifest.is_null().then(|| Ok(Text::default()));
            rev.map(|rev| manifests.text(rev)).or_else(none)
        });
        if sender.send(Read { rev, changeset, manifest }).is_err() {
            return;
        }
    }
}

/// Compares one changeset with its commit.
fn compare_one(
    context: &Context<'_>,
    Read { rev, changeset, manifest }: Read,
    blobs: &Blobs,
    comparison: &mut Comparison<'_>,
    differences: &mut Differences,
) -> Result<(), RevlogError> {
    let mut changeset = changeset?;
    let node = context.source.changelog().node(rev);
    changeset.user = context.rules.user(&changeset.user);
    check_link(context, rev, &changeset, differences);
    let Some(manifest) = manifest else {
        differences.add(Difference::ManifestMissing { changeset: node });
        return Ok(());
    };
    let text = manifest?;
    check_introduced(&text, blobs, rev, node, differences);
    comparison.changeset(rev, &changeset, &text, differences)
}

/// The references that the source asks for.
fn wanted_refs(context: &Context<'_>, differences: &mut Differences) -> Vec<WantedRef> {
    let naming = &context.options.naming;
    // What can be read is compared, whatever else there is.
    let skipping = (&context.placeholders, true);
    match source_refs(context.source, naming, skipping, &mut BranchTable::default(), context.known)
    {
        Ok(refs) => {
            for node in refs.skipped.iter().filter(|_| !context.options.skip_damaged) {
                let (path, revision) = (TAGS.into(), *node);
                differences.add(Difference::RevisionMissing { path, revision });
            }
            refs.wanted.refs
        }
        Err(error) => {
            differences.add_error(&error);
            Vec::new()
        }
    }
}

/// The changesets that references reach. Others, those of closed heads, are in the repository that
/// they were converted into, and not in one that it was pushed to.
fn published(context: &Context<'_>, wanted: &[WantedRef]) -> RevSet {
    let changelog = context.source.changelog();
    let revs = wanted.iter().filter_map(|wanted| changelog.rev(wanted.node));
    RevSet::below(changelog.dag(), revs)
}

/// Reads all commits: those that the references reach, which must be of the source, and the rest,
/// among them those of closed heads.
fn commits(
    context: &Context<'_>,
    sound: &Sound,
    differences: &mut Differences,
) -> Result<Commits, VerifyError> {
    let identity = context.rules.identity;
    let mut commits = context.adopted.clone();
    let adopted: HashSet<_> = commits.values().copied().collect();
    let known = |node| context.source.changelog().rev(node);
    for commit in context.target.commits()? {
        let (id, contents) = match commit {
            Ok(commit) => commit,
            Err(error) => {
                differences.add_error(&error);
                break;
            }
        };
        match identity.node_of(&contents) {
            None if adopted.contains(&id) => {}
            None => differences.add(Difference::ChangesetNotNamed { commit: id }),
            Some(node) if known(node).is_none() => {
                differences.add(Difference::ChangesetUnknown { changeset: node, commit: id });
            }
            Some(node) => {
                if let Some(other) = commits.insert(node, id).filter(|other| *other != id) {
                    let commits = [other, id];
                    differences.add(Difference::TwoCommits { changeset: node, commits });
                }
            }
        }
    }
    for id in &sound.commits {
        if let Some((_, contents)) = context.target.read(*id)?
            && let Some(node) = identity.node_of(&contents)
        {
            commits.entry(node).or_insert(*id);
        }
    }
    Ok(commits)
}

/// The commits of an identity whose commits do not say what they are of: those in the map that the
/// conversion left, if there is one. What is missing is computed.
fn recorded_commits(context: &Context<'_>) -> Commits {
    let adopted = context.adopted.iter().map(|(node, id)| (*node, *id));
    context.map.iter().flat_map(IdMap::records).chain(adopted).collect()
}

/// Looks for commits that references reach and that are of no changeset.
fn find_unmatched(
    context: &Context<'_>,
    commits: &Commits,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let ours: HashSet<_> = commits.values().collect();
    for commit in context.target.commits()? {
        match commit {
            Ok((id, _)) if ours.contains(&id) => {}
            Ok((id, _)) => differences.add(Difference::CommitUnmatched { commit: id }),
            Err(error) => {
                differences.add_error(&error);
                break;
            }
        }
    }
    Ok(())
}

/// Checks that the index entry of a changeset, and that of its manifest, say where they belong.
fn check_link(
    context: &Context<'_>,
    rev: Rev,
    changeset: &Changeset,
    differences: &mut Differences,
) {
    let number = i64::from(rev.number());
    let changelog = context.source.changelog();
    if changelog.revlog().entry(rev).is_ok_and(|entry| i64::from(entry.link) != number) {
        differences.add(Difference::ChangesetLink { revision: rev.number() });
    }
    let manifests = context.source.manifests().revlog();
    let link =
        manifests.rev(changeset.manifest).and_then(|rev| Some(manifests.entry(rev).ok()?.link));
    let exists = |link: i32| usize::try_from(link).is_ok_and(|link| link < changelog.dag().len());
    if link.is_some_and(|link| !exists(link)) {
        differences.add(Difference::ManifestLink { revision: rev.number() });
    }
}

/// Checks that a changeset has the file revisions that say it introduced them.
fn check_introduced(
    manifest: &[u8],
    blobs: &Blobs,
    rev: Rev,
    node: Node,
    differences: &mut Differences,
) {
    let manifest = Manifest::new(manifest);
    for (path, file) in blobs.introduced.get(&rev).into_iter().flatten() {
        if manifest.file(path.as_bstr()).is_none_or(|line| line.node != *file) {
            let (path, revision) = (path.clone(), *file);
            differences.add(Difference::NotIntroduced { path, revision, changeset: node });
        }
    }
}

/// Compares the references with the names of the source.
fn compare_names(
    context: &Context<'_>,
    wanted: &[WantedRef],
    commits: &Commits,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let existing = context.target.refs()?;
    let mut at = by_name(&existing);
    for wanted in wanted {
        let commit = commits.get(&wanted.node).copied();
        match at.remove(wanted.name.as_str()) {
            Some(there) if commit.is_some_and(|commit| there.stands_for(commit)) => {}
            Some(there) => differences.add(Difference::RefDiffers {
                name: wanted.name.clone(),
                has: there.id,
                changeset: wanted.node,
            }),
            None => differences.add(Difference::RefMissing { name: wanted.name.clone() }),
        }
    }
    let mut rest: Vec<_> = at.into_keys().collect();
    rest.sort_unstable();
    for name in rest {
        differences.add(Difference::RefUnknown { name: name.to_owned() });
    }
    Ok(())
}

/// Compares the map that a conversion left with what the commits say.
fn compare_map(context: &Context<'_>, commits: &Commits, differences: &mut Differences) {
    let Some(map) = &context.map else { return };
    let changelog = context.source.changelog();
    for node in context.source.view().served().iter().map(|rev| changelog.node(rev)) {
        if map.commit(node) != commits.get(&node).copied() {
            differences.add(Difference::MapDiffers { changeset: node });
        }
    }
}
