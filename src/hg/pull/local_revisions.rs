//! The revisions that a repository of this machine has and its copy has not, in the order of a
//! changegroup.
//!
//! Which belong to a changeset is read off its manifest, not off the links in the store: a revision
//! that is served may have come first with a changeset that is not.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::Run;
use crate::base::compress::Decompressor;
use crate::base::{RepoPathBuf, Stage};
use crate::hg::bundle::{DeltaRevision, Group, Item};
use crate::hg::manifest::{Change, ManifestReader, diff};
use crate::hg::revlog::{Delta, Revlog, TextCache};
use crate::hg::store::Layout;
use crate::hg::write::{Revisions, RevisionsError};
use crate::hg::{Node, Repository, Rev};

/// Which revisions of a revlog are wanted, each with the changeset that brings it.
type Wanted = HashMap<Node, Node>;

/// Revisions of a repository, one after the other.
pub(super) struct LocalRevisions<'r> {
    layout: &'r Layout,
    /// Where they go.
    copy: &'r Layout,
    run: Run<'r>,
    /// The groups that have not begun.
    groups: VecDeque<(Group, Wanted)>,
    /// The rest of the one that has.
    current: Option<Current>,
}

impl<'r> LocalRevisions<'r> {
    /// What comes with the changesets `wanted` and may be a delta of what `copy` has.
    pub(super) fn new(
        source: &'r Repository,
        copy: &'r Layout,
        wanted: &[Rev],
        run: &Run<'r>,
    ) -> Result<Self, RevisionsError> {
        let groups = Collected::of(source, wanted, run)?.groups();
        Ok(Self { layout: source.layout(), copy, run: *run, groups, current: None })
    }
}

impl Revisions for LocalRevisions<'_> {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        if let Some(current) = &mut self.current
            && let Some(revision) = current.next()?
        {
            return Ok(Some(Item::Revision(revision)));
        }
        let Some((group, wanted)) = self.groups.pop_front() else { return Ok(None) };
        self.current = Some(Current::begin([self.layout, self.copy], &group, &wanted, &self.run)?);
        Ok(Some(Item::Group(group)))
    }
}

/// A group under way.
struct Current {
    revlog: Revlog,
    /// What the copy has of it.
    there: Revlog,
    /// What has come of it.
    sent: HashSet<Rev>,
    texts: TextCache,
    decompressor: Decompressor,
    /// Its revisions and the changesets that bring them, the next one last.
    left: Vec<(Rev, Node)>,
}

impl Current {
    fn begin(
        layouts: [&Layout; 2],
        group: &Group,
        wanted: &Wanted,
        run: &Run<'_>,
    ) -> Result<Self, RevisionsError> {
        let name = match group {
            Group::Changelog => "00changelog".to_owned(),
            Group::Manifests => "00manifest".to_owned(),
            Group::Directory(path) => format!("{path}00manifest"),
            Group::File(path) => path.to_string(),
        };
        let open = |layout: &Layout| -> Result<Revlog, RevisionsError> {
            let files = match group {
                Group::Changelog => layout.changelog(),
                Group::Manifests => layout.manifest(),
                Group::Directory(path) => layout.directory_manifest(path.as_ref())?,
                Group::File(path) => layout.filelog(path.as_ref())?,
            };
            let revlog = Revlog::open(&name, &files, run.limits)?;
            Ok(revlog.unwrap_or_else(|| Revlog::empty(&name, run.limits)))
        };
        let [revlog, there] = layouts.map(open);
        let (revlog, there) = (revlog?, there?);
        let mut left = Vec::with_capacity(wanted.len());
        for (node, link) in wanted {
            let rev = revlog.rev(*node).ok_or_else(|| revlog.missing(*node))?;
            left.push((rev, *link));
        }
        left.sort_unstable_by(|a, b| b.cmp(a));
        let texts = TextCache::new(run.limits.text_cache_bytes);
        let (decompressor, sent) = (Decompressor::default(), HashSet::new());
        Ok(Self { revlog, there, sent, texts, decompressor, left })
    }

    fn next(&mut self) -> Result<Option<DeltaRevision>, RevisionsError> {
        let Some((rev, link)) = self.left.pop() else { return Ok(None) };
        let Self { revlog, texts, decompressor, .. } = self;
        // Whoever writes it checks it.
        let read = revlog.read_on(texts, decompressor, |reader| reader.text_and_delta(rev));
        let (text, delta) = read?;
        let entry = self.revlog.entry(rev)?;
        let (mut base, mut found) = (Node::NULL, None);
        if let Some((rev, delta)) = delta {
            let node = self.revlog.node(rev)?;
            if self.sent.contains(&rev) || self.there.rev(node).is_some() {
                (base, found) = (node, Some(delta));
            }
        }
        let delta = found.unwrap_or_else(|| Delta::of_all(&text));
        self.sent.insert(rev);
        Ok(Some(DeltaRevision {
            node: entry.node,
            parents: self.revlog.parent_nodes(rev)?,
            link,
            base,
            flags: entry.flags,
            delta,
        }))
    }
}

/// What is wanted of each revlog.
#[derive(Default)]
struct Collected {
    changesets: Wanted,
    manifests: Wanted,
    directories: BTreeMap<RepoPathBuf, Wanted>,
    files: BTreeMap<RepoPathBuf, Wanted>,
}

impl Collected {
    fn of(source: &Repository, wanted: &[Rev], run: &Run<'_>) -> Result<Self, RevisionsError> {
        let mut found = Self::default();
        let mut changesets = source.changelog().reader();
        let mut manifests = source.manifests().reader();
        run.progress.begin(Stage::CollectingRevisions, Some(wanted.len() as u64));
        for rev in wanted {
            run.interrupt.check()?;
            let node = source.changelog().node(*rev);
            found.changesets.insert(node, node);
            let manifest = changesets.changeset(*rev)?.manifest;
            if !manifest.is_null() && !found.manifests.contains_key(&manifest) {
                found.manifests.insert(manifest, node);
                found.add_files(source, &mut manifests, manifest, node)?;
                manifests.directories(manifest, &mut |path, directory| {
                    let wanted = found.directories.entry(path.to_owned()).or_default();
                    // The first changeset that has a revision brings it.
                    let is_new = !wanted.contains_key(&directory);
                    wanted.entry(directory).or_insert(node);
                    is_new
                })?;
            }
            run.progress.advance(1);
        }
        run.progress.end();
        Ok(found)
    }

    /// Adds the file revisions that `manifest` has and its first parent has not.
    fn add_files(
        &mut self,
        source: &Repository,
        manifests: &mut ManifestReader<'_>,
        manifest: Node,
        changeset: Node,
    ) -> Result<(), RevisionsError> {
        let revlog = source.manifests().revlog();
        let rev = manifests.rev(manifest).ok_or_else(|| revlog.missing(manifest))?;
        let before = match revlog.entry(rev)?.parents {
            [Some(parent), _] | [None, Some(parent)] => Some(manifests.text(parent)?),
            [None, None] => None,
        };
        let text = manifests.text(rev)?;
        let old = before.as_ref().map_or(&[][..], |text| text.as_slice());
        let done = diff(old, &text, |change| {
            if let Change::Added(line) | Change::Modified(line) = change {
                let wanted = self.files.entry(line.path.to_owned()).or_default();
                wanted.entry(line.node).or_insert(changeset);
            }
        });
        Ok(done.map_err(|what| source.manifests().malformed(rev, what))?)
    }

    fn groups(self) -> VecDeque<(Group, Wanted)> {
        let first = [(Group::Changelog, self.changesets), (Group::Manifests, self.manifests)];
        let directories =
            self.directories.into_iter().map(|(p, wanted)| (Group::Directory(p), wanted));
        let files = self.files.into_iter().map(|(path, wanted)| (Group::File(path), wanted));
        first.into_iter().chain(directories).chain(files).collect()
    }
}
