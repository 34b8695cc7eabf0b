//! What a changeset must change in the tree of its first parent, by the manifests of both.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::IntoIter;

use super::super::trees::mode;
use super::{Chosen, Findings, VerifyError};
use crate::base::pipeline::{Batches, Weight, run_pipeline};
use crate::base::{RepoPath, RepoPathBuf};
use crate::convert::identity::Place;
use crate::git::tree::Mode;
use crate::git::tree_name::MAX_DEPTH;
use crate::hg::changelog::ChangesetReader;
use crate::hg::manifest::{Change, Line, Manifest, ManifestReader, diff};
use crate::hg::revlog::{RevlogError, Text};
use crate::hg::{Node, Rev};

/// What a changeset touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// The changeset whose tree is compared; none for the empty tree.
    pub base: Option<Rev>,
    /// Places in the tree, by the numbers of their paths, and the file that must be at each.
    pub places: BTreeMap<u32, Option<(Mode, u32)>>,
    /// The files that it introduced; only for identities that record copies.
    pub introduced: Vec<u32>,
}

/// How many bytes of manifests are hashed at a time.
const BATCH_BYTES: usize = 512 << 10;
/// How many manifests are remembered, as base of the next changeset most of all.
const RECENT: usize = 4;

/// A text of a manifest that is to be hashed.
struct ToCheck {
    /// The changeset that it was read for.
    changeset: Rev,
    manifest: Rev,
    text: Text,
}

impl Weight for ToCheck {
    fn bytes(&self) -> usize {
        self.text.len()
    }
}

/// What each of the chosen changesets touched, `None` where that cannot be read; `findings` say why. The
/// manifests are hashed by a thread beside the one that compares them.
pub(super) fn touched<'w>(
    chosen: &'w Chosen<'w>,
    findings: &mut Findings,
) -> Result<(Wanted<'w>, Vec<Option<Touched>>), VerifyError> {
    let manifests = chosen.source.manifests();
    let mut wrong = HashMap::new();
    let check = |batches: IntoIter<Vec<ToCheck>>| {
        for batch in batches {
            let texts = batch.iter().map(|check| (check.manifest, Arc::clone(&check.text)));
            let texts: Vec<_> = texts.collect();
            if manifests.check_all(&texts).is_err() {
                wrong.extend(batch.iter().zip(&texts).filter_map(|(check, text)| {
                    let checked = manifests.check_all(std::slice::from_ref(text));
                    Some((check.changeset, checked.err()?))
                }));
            }
        }
        Ok(())
    };
    let mut wanted = Wanted::new(chosen);
    let mut plans = Vec::with_capacity(chosen.changesets.len());
    let mut failed = HashMap::new();
    run_pipeline(BATCH_BYTES, check, |to_check| {
        for &rev in chosen.changesets {
            chosen.interrupt.check()?;
            let touched = wanted.touched(rev, to_check);
            plans.push(touched.map_err(|error| failed.insert(rev, error)).ok());
            chosen.progress.advance(1);
        }
        Ok::<_, VerifyError>(())
    })?;
    failed.extend(wrong);
    for (rev, plan) in chosen.changesets.iter().zip(&mut plans) {
        if let Some(error) = failed.remove(rev) {
            findings.cannot_read(chosen.node(*rev), &error);
            *plan = None;
        }
    }
    Ok((wanted, plans))
}

/// The changeset that manifests are read for, and where their texts go to be hashed.
struct Asking<'a> {
    rev: Rev,
    to_check: &'a mut Batches<ToCheck>,
}

/// A manifest that was read.
#[derive(Clone)]
struct Recent {
    node: Node,
    rev: Rev,
    text: Text,
}

/// What of the source's files is needed, in numbers.
pub(super) struct Wanted<'w> {
    chosen: &'w Chosen<'w>,
    changesets: ChangesetReader<'w>,
    manifests: ManifestReader<'w>,
    /// Manifests whose texts went there, the oldest first.
    recent: Vec<Recent>,
    /// The manifests of changesets that were looked at.
    manifest_of: HashMap<Rev, Node>,
    seen: HashSet<Rev>,
    paths: Vec<RepoPathBuf>,
    numbers: HashMap<RepoPathBuf, u32>,
    /// Path and revision of each file.
    pub files: Vec<(u32, Node)>,
    file_numbers: HashMap<(u32, Node), u32>,
}

impl<'w> Wanted<'w> {
    fn new(chosen: &'w Chosen<'w>) -> Self {
        Self {
            chosen,
            changesets: chosen.source.changelog().reader(),
            manifests: chosen.source.manifests().reader(),
            recent: Vec::with_capacity(RECENT),
            manifest_of: HashMap::new(),
            seen: HashSet::new(),
            paths: Vec::new(),
            numbers: HashMap::new(),
            files: Vec::new(),
            file_numbers: HashMap::new(),
        }
    }

    pub(super) fn path(&self, number: u32) -> Option<&RepoPathBuf> {
        self.paths.get(number as usize)
    }

    pub(super) fn file_path(&self, file: u32) -> Option<&RepoPathBuf> {
        self.path(self.files.get(file as usize)?.0)
    }

    fn number(&mut self, path: &RepoPath) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        self.paths.push(path.to_owned());
        self.numbers.insert(path.to_owned(), number);
        number
    }

    fn file(&mut self, line: Line<'_>) -> u32 {
        let key = (self.number(line.path), line.node);
        let next = u32::try_from(self.files.len()).unwrap_or(u32::MAX);
        let number = *self.file_numbers.entry(key).or_insert(next);
        if number == next {
            self.files.push(key);
        }
        number
    }

    /// What the changeset `rev` touched.
    fn touched(
        &mut self,
        rev: Rev,
        to_check: &mut Batches<ToCheck>,
    ) -> Result<Touched, RevlogError> {
        let asking = &mut Asking { rev, to_check };
        let source = self.chosen.source;
        let identity = self.chosen.rules.identity;
        let changeset = self.changesets.changeset(rev)?;
        self.manifest_of.insert(rev, changeset.manifest);
        let mut parents = source.changelog().dag().parents(rev);
        let (first, second) = (parents.next(), parents.next());
        // Where trees depend on more than manifests, only the step from a parent can be judged.
        let trusted = self.chosen.trusts_others || identity.trusts_lists_of_roots();
        let is_adopted = |parent: &Rev| (self.chosen.is_adopted)(source.changelog().node(*parent));
        let known = |parent: &Rev| trusted || self.seen.contains(parent);
        let base = first.filter(|parent| known(parent) && !is_adopted(parent));
        let old = base.map(|base| self.manifest_of(base, asking)).transpose()?.unwrap_or_default();
        let (manifest, new) = self.manifest(changeset.manifest, asking)?;
        let listed: Option<HashSet<&RepoPath>> = (first.is_none()
            && identity.trusts_lists_of_roots())
        .then(|| changeset.files.iter().map(AsRef::as_ref).collect());
        let mut changes = Vec::new();
        diff(&old, &new, |change| changes.push(change))
            .map_err(|what| source.manifests().malformed(manifest.unwrap_or(Rev::new(0)), what))?;
        let introduced = match identity.records_copies() {
            true => self.introduced(asking, &changeset.files, [first, second], &new)?,
            false => Vec::new(),
        };
        changes.retain(|change| listed.as_ref().is_none_or(|l| l.contains(change.path())));
        let places = self.places(&changes, Manifest::new(&old), Manifest::new(&new));
        self.seen.insert(rev);
        Ok(Touched { base, places, introduced })
    }

    /// Where files must be and where none, given what differs between two manifests.
    fn places(
        &mut self,
        changes: &[Change<'_>],
        old: Manifest<'_>,
        new: Manifest<'_>,
    ) -> BTreeMap<u32, Option<(Mode, u32)>> {
        let mut files: BTreeSet<&RepoPath> = changes.iter().map(|change| change.path()).collect();
        let mut folders: HashSet<&[u8]> = HashSet::new();
        for change in changes {
            for folder in folders_of(change.path()) {
                // Those above it were met with it.
                if !folders.insert(folder) {
                    break;
                }
                if let Some(line) = new.file(folder.into()) {
                    files.insert(line.path);
                }
            }
        }
        let differ: HashSet<&RepoPath> = changes.iter().map(|change| change.path()).collect();
        let mut places = BTreeMap::new();
        let mut come = Vec::new();
        for path in files {
            let is = self.visible(new, path);
            // An unchanged file is only touched where a folder comes or goes that hides it.
            if !differ.contains(path) && is.is_some() == self.visible(old, path).is_some() {
                continue;
            }
            if let Some(place) = self.place(path, Mode::Regular) {
                let place = self.number(place.as_ref());
                places.insert(place, None);
                come.extend(is.map(|line| (place, line)));
            }
        }
        for (place, line) in come {
            places.insert(place, Some((mode(line.kind), self.file(line))));
        }
        places
    }

    /// The line of a file that is in the tree of a manifest.
    fn visible<'m>(&self, manifest: Manifest<'m>, path: &RepoPath) -> Option<Line<'m>> {
        let line = manifest.file(path)?;
        self.place(path, mode(line.kind))?;
        let prefix = [path, &b"/"[..]].concat();
        let below = manifest.lines_from(&prefix).map_while(Result::ok);
        let mut below = below.take_while(|line| line.path.starts_with(&prefix));
        let hidden = below.any(|line| self.place(line.path, mode(line.kind)).is_some());
        (!hidden).then_some(line)
    }

    fn place(&self, path: &RepoPath, mode: Mode) -> Option<RepoPathBuf> {
        match self.chosen.rules.identity.place(path, mode) {
            Place::Same => Some(path.to_owned()),
            Place::At(path) => Some(path),
            Place::Nowhere | Place::LeftOut(_) => None,
        }
    }

    /// The files that a changeset lists and no parent has.
    fn introduced(
        &mut self,
        asking: &mut Asking<'_>,
        listed: &[bstr::BString],
        parents: [Option<Rev>; 2],
        new: &[u8],
    ) -> Result<Vec<u32>, RevlogError> {
        let mut theirs = Vec::new();
        for parent in parents.into_iter().flatten() {
            theirs.push(self.manifest_of(parent, asking)?);
        }
        let mut introduced = Vec::new();
        for path in listed {
            let Some(line) = Manifest::new(new).file(path.as_ref()) else { continue };
            let same = |text: &Text| {
                Manifest::new(text).file(line.path).is_some_and(|found| found.node == line.node)
            };
            if !theirs.iter().any(same) {
                introduced.push(self.file(line));
            }
        }
        Ok(introduced)
    }

    /// The manifest of `rev`, read for a changeset.
    fn manifest_of(&mut self, rev: Rev, asking: &mut Asking<'_>) -> Result<Text, RevlogError> {
        let node = match self.manifest_of.get(&rev) {
            Some(node) => *node,
            None => self.changesets.changeset(rev)?.manifest,
        };
        self.manifest(node, asking).map(|(_, text)| text)
    }

    /// A manifest, read for a changeset: its revision, and its text, which is on its way to be
    /// hashed, or was before.
    fn manifest(
        &mut self,
        node: Node,
        asking: &mut Asking<'_>,
    ) -> Result<(Option<Rev>, Text), RevlogError> {
        if let Some(recent) = self.recent.iter().find(|recent| recent.node == node) {
            return Ok((Some(recent.rev), recent.text.clone()));
        }
        // A missing one is empty here, and nothing like the tree that was made.
        let Some(rev) = self.manifests.rev(node) else { return Ok((None, Text::default())) };
        let text = self.manifests.unchecked_text(rev)?;
        if !self.manifests.is_checked(rev) {
            let check = ToCheck { changeset: asking.rev, manifest: rev, text: Arc::clone(&text) };
            // Whoever hashes them listens until there are no more.
            let _ = asking.to_check.add(check);
        }
        if self.recent.len() >= RECENT {
            self.recent.remove(0);
        }
        self.recent.push(Recent { node, rev, text: Arc::clone(&text) });
        Ok((Some(rev), text))
    }
}

/// The folders that contain a path, the nearest first.
fn folders_of(path: &RepoPath) -> impl Iterator<Item = &[u8]> {
    let ends: Vec<_> =
        path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(i, _)| i).collect();
    // A path in more folders has no place in a tree.
    let ends = if ends.len() > MAX_DEPTH { Vec::new() } else { ends };
    ends.into_iter().rev().filter_map(|end| path.get(..end))
}
