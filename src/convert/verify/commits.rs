//! Changesets against commits, and names against references.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;

use super::files::Blobs;
use super::target::Sound;
use super::trees::TreeHasher;
use super::{Context, Differences, VerifyError};
use crate::convert::IdMap;
use crate::convert::identity::{Facts, Identity};
use crate::convert::idmap::IN_REPOSITORY;
use crate::convert::names::{MainBranch, RefNaming, source_refs};
use crate::convert::refs::WantedRef;
use crate::git::reference::BRANCHES;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::manifest::Manifest;
use crate::hg::revlog::Text;
use crate::hg::{BranchTable, Changeset, Node, Rev, RevSet};

/// The commit of each changeset, as the commits themselves say.
type Commits = HashMap<Node, ObjectId>;

/// Compares every served changeset with its commit, and the source's names with the references.
pub(super) fn compare(
    context: &Context<'_>,
    identity: &dyn Identity,
    sound: &Sound,
    blobs: &Blobs,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let commits = commits(context, identity, sound, differences)?;
    let wanted = wanted_refs(context, differences);
    let published = published(context, &wanted);
    let served = context.source.view().served();
    context.progress.begin("comparing", Some(served.count() as u64), "changesets");
    let trees = TreeHasher::new(blobs, &sound.ids);
    let mut comparison =
        Comparison { context, identity, commits: &commits, published: &published, trees };
    let changelog = context.source.changelog();
    let mut changesets = changelog.reader();
    let mut manifests = context.source.manifests().reader();
    for rev in served.iter() {
        context.interrupt.check()?;
        context.progress.advance(1);
        let node = changelog.node(rev);
        let changeset = match changesets.changeset(rev) {
            Ok(changeset) => changeset,
            Err(error) => {
                differences.add_error(&error);
                continue;
            }
        };
        check_link(context, rev, &changeset, differences);
        let manifest = match context.source.manifests().rev(changeset.manifest) {
            Some(manifest) => manifests.text(manifest),
            None if changeset.manifest.is_null() => Ok(Text::default()),
            None => {
                differences.add(format!("the source has no manifest for changeset {node}"));
                continue;
            }
        };
        match manifest {
            Ok(text) => {
                check_introduced(&text, blobs, rev, node, differences);
                comparison.changeset(rev, &changeset, &text, differences);
            }
            Err(error) => differences.add_error(&error),
        }
    }
    context.progress.end();
    compare_names(context, &wanted, &commits, differences)?;
    compare_map(context, &commits, differences);
    Ok(())
}

/// The references that the source asks for. What the main branch follows is not written down in a
/// target: its tip, as far as this goes.
fn wanted_refs(context: &Context<'_>, differences: &mut Differences) -> Vec<WantedRef> {
    let head = context.target.head().unwrap_or_default();
    let main_branch = head.strip_prefix(BRANCHES).unwrap_or("master").to_owned();
    let naming = RefNaming { main_branch, main: MainBranch::Tip };
    match source_refs(context.source, &naming, &mut BranchTable::default()) {
        Ok(refs) => refs.wanted.refs,
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
    let mut published = RevSet::empty(changelog.dag().len());
    for rev in wanted.iter().filter_map(|wanted| changelog.rev(wanted.node)) {
        published.insert(rev);
    }
    published.extend_to_ancestors(changelog.dag());
    published
}

/// Reads all commits: those that the references reach, which must be of the source, and the rest,
/// among them those of closed heads.
fn commits(
    context: &Context<'_>,
    identity: &dyn Identity,
    sound: &Sound,
    differences: &mut Differences,
) -> Result<Commits, VerifyError> {
    let mut commits = Commits::new();
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
            None => differences.add(format!("commit {id} names no changeset")),
            Some(node) if known(node).is_none() => {
                differences.add(format!("commit {id} is of changeset {node}: the source has none"));
            }
            Some(node) => {
                if let Some(other) = commits.insert(node, id) {
                    differences.add(format!("changeset {node} has two commits, {other} and {id}"));
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
        differences.add(format!("the source's changeset {rev} does not link to itself"));
    }
    let manifests = context.source.manifests();
    let link =
        manifests.rev(changeset.manifest).and_then(|rev| Some(manifests.entry(rev).ok()?.link));
    let exists = |link: i32| usize::try_from(link).is_ok_and(|link| link < changelog.dag().len());
    if link.is_some_and(|link| !exists(link)) {
        differences.add(format!("the source's manifest of changeset {rev} links to no changeset"));
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
            differences.add(format!(
                "the source's file {path:?}: revision {} says that changeset {} introduced it, \
                 which does not have it",
                file.short(),
                node.short()
            ));
        }
    }
}

/// Changesets against commits.
struct Comparison<'c> {
    context: &'c Context<'c>,
    identity: &'c dyn Identity,
    commits: &'c Commits,
    published: &'c RevSet,
    trees: TreeHasher<'c>,
}

impl Comparison<'_> {
    fn changeset(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
        differences: &mut Differences,
    ) {
        let changelog = self.context.source.changelog();
        let node = changelog.node(rev);
        let tree = self.trees.tree(manifest, differences);
        let Some(id) = self.commits.get(&node) else {
            if self.published.contains(rev) {
                differences.add(format!("changeset {node} has no commit"));
            }
            return;
        };
        let parents = changelog.dag().parents(rev).map(|parent| changelog.node(parent));
        let parents: Vec<_> =
            parents.map(|node| self.commits.get(&node).copied().unwrap_or_default()).collect();
        let facts = Facts { node, changeset, tree, parents: &parents };
        let expected = self.identity.commit(&facts).to_bytes();
        match self.context.target.read(*id) {
            Ok(Some((ObjectKind::Commit, contents))) if contents == expected => {}
            Ok(Some((_, contents))) => {
                let (has, wants) = first_difference(&contents, &expected);
                differences
                    .add(format!("commit {id} of changeset {node} has {has:?}, not {wants:?}"));
            }
            Ok(None) => differences.add(format!("commit {id} of changeset {node} is not there")),
            Err(error) => differences.add_error(&error),
        }
    }
}

/// The first lines in which two texts differ.
fn first_difference<'t>(a: &'t [u8], b: &'t [u8]) -> (&'t bstr::BStr, &'t bstr::BStr) {
    let mut lines = a.lines_with_terminator().zip(b.lines_with_terminator());
    let rest = lines.find(|(a, b)| a != b);
    let (a, b) = rest.unwrap_or_else(|| {
        let shared = a.len().min(b.len());
        (a.get(shared..).unwrap_or_default(), b.get(shared..).unwrap_or_default())
    });
    (a.as_bstr(), b.as_bstr())
}

/// Compares the references with the names of the source. The main branch may be at the tip, or at
/// any open head.
fn compare_names(
    context: &Context<'_>,
    wanted: &[WantedRef],
    commits: &Commits,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    let head = context.target.head().unwrap_or_default();
    let existing = context.target.refs()?;
    let mut at: HashMap<&str, ObjectId> =
        existing.iter().map(|r| (r.name.as_str(), r.id)).collect();
    let heads: HashSet<_> = wanted.iter().filter_map(|r| commits.get(&r.node)).collect();
    for wanted in wanted {
        let commit = commits.get(&wanted.node).copied();
        match at.remove(wanted.name.as_str()) {
            Some(id) if Some(id) == commit => {}
            Some(id) if wanted.name == head && heads.contains(&id) => {}
            Some(id) => differences.add(format!(
                "{} is at {id}, not at the commit of changeset {}",
                wanted.name, wanted.node
            )),
            None => differences.add(format!("{} is not there", wanted.name)),
        }
    }
    let mut rest: Vec<_> = at.into_keys().collect();
    rest.sort_unstable();
    for name in rest {
        differences.add(format!("{name} is there, and the source has no such name"));
    }
    Ok(())
}

/// Compares the map that a conversion left with what the commits say.
fn compare_map(context: &Context<'_>, commits: &Commits, differences: &mut Differences) {
    match IdMap::open(&context.target.path().join(IN_REPOSITORY), |_| true) {
        Ok(None) => {}
        Ok(Some(map)) => {
            let changelog = context.source.changelog();
            for node in context.source.view().served().iter().map(|rev| changelog.node(rev)) {
                if map.commit(node) != commits.get(&node).copied() {
                    differences.add(format!("the id map is wrong about changeset {node}"));
                }
            }
        }
        Err(error) => differences.add_error(&error),
    }
}
