//! The source's files: every revision of every file that a served changeset has.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::target::Sound;
use super::{Context, Difference, Differences, VerifyError};
use crate::base::sha1::Message;
use crate::base::{Limits, RepoPath, RepoPathBuf, Stage};
use crate::convert::placeholder::{Placeholder, PlaceholderKind, Placeholders};
use crate::convert::report::{Note, PlaceholderKept};
use crate::git::ObjectId;
use crate::git::tree_name::forbidden_path;
use crate::hg::filelog::{contents, copied_from};
use crate::hg::manifest::{Change, diff};
use crate::hg::revlog::{Revlog, RevlogError, Text, check_digest};
use crate::hg::store::fncache::Fncache;
use crate::hg::store::read_bounded;
use crate::hg::{Node, Repository, Rev};

/// The most placeholders that are listed; the rest is counted.
const MAX_NOTES: usize = 100;

/// What every file revision is in Git.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    ids: HashMap<RepoPathBuf, HashMap<Node, ObjectId>>,
    /// What the file revisions that are copies were copied from, if the identity asks for it.
    copied_from: HashMap<RepoPathBuf, HashMap<Node, RepoPathBuf>>,
    /// For each changeset, the file revisions that say it introduced them.
    pub introduced: HashMap<Rev, Vec<(RepoPathBuf, Node)>>,
    /// The placeholders that were met: the first of them, and how many more.
    notes: Vec<Note>,
    more_notes: usize,
}

impl Blobs {
    /// The blob of a file revision; `None` if the source has no such revision, or a damaged one.
    pub(super) fn id(&self, path: &RepoPath, node: Node) -> Option<ObjectId> {
        self.ids.get(path)?.get(&node).copied()
    }

    /// What a file revision was copied from, if it was.
    pub(super) fn copied_from(&self, path: &RepoPath, node: Node) -> Option<&RepoPathBuf> {
        self.copied_from.get(path)?.get(&node)
    }

    /// What to say of placeholders.
    pub(super) fn into_notes(mut self) -> Vec<Note> {
        if self.more_notes > 0 {
            self.notes.push(Note::MorePlaceholdersKept { count: self.more_notes });
        }
        self.notes
    }

    /// All paths that have a history.
    pub(super) fn paths(&self) -> impl Iterator<Item = &RepoPathBuf> {
        self.ids.keys()
    }
}

/// One file revision, read.
struct Revision {
    node: Node,
    blob: ObjectId,
    link: i32,
    copied_from: Option<RepoPathBuf>,
}

/// Reads all revisions of the files of all served changesets.
pub(super) fn blobs(
    context: &Context<'_>,
    sound: Option<&Sound>,
    differences: &mut Differences,
) -> Result<Blobs, VerifyError> {
    let paths: Vec<_> = served_paths(context, differences)?.into_iter().collect();
    check_fncache(context, &paths, differences);
    context.progress.begin(Stage::ReadingFiles, Some(paths.len() as u64));
    let next = AtomicUsize::new(0);
    let read: Mutex<BTreeMap<&RepoPathBuf, _>> = Mutex::default();
    // The target's repository cannot be shared between threads, and is not needed here.
    let Context { source, progress, interrupt, .. } = *context;
    let committed = committed(source);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            if interrupt.is_raised() {
                return;
            }
            let revisions = read_file(source, path.as_ref(), committed);
            progress.advance(1);
            if let Ok(mut read) = read.lock() {
                read.insert(path, revisions);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(work);
        }
        work();
    });
    context.interrupt.check()?;
    context.progress.end();
    let mut blobs = Blobs::default();
    for (path, revisions) in read.into_inner().unwrap_or_default() {
        for revision in revisions {
            match revision {
                Ok(revision) => blobs.add(context, path, &revision, differences),
                Err(broken) => blobs.add_broken(context, sound, path, &broken, differences),
            }
        }
    }
    blobs.add_placeholders(&context.placeholders);
    Ok(blobs)
}

impl Blobs {
    fn add(
        &mut self,
        context: &Context<'_>,
        path: &RepoPathBuf,
        revision: &Revision,
        differences: &mut Differences,
    ) {
        let Revision { node, blob, link, ref copied_from } = *revision;
        if let Some(from) = copied_from.as_ref().filter(|_| context.rules.identity.records_copies())
        {
            self.copied_from.entry(path.clone()).or_default().insert(node, from.clone());
        }
        self.ids.entry(path.clone()).or_default().insert(node, blob);
        let changesets = context.source.changelog().dag().len();
        let path = path.clone();
        if let Some(link) = u32::try_from(link).ok().filter(|link| (*link as usize) < changesets) {
            self.introduced.entry(Rev::new(link)).or_default().push((path, node));
        } else {
            differences.add(Difference::FileLink { path, revision: node, link });
        }
    }
}

impl Blobs {
    /// A revision that cannot be read: a placeholder stands for one that was censored, and may stand
    /// for any other. Those that are written down are added later.
    fn add_broken(
        &mut self,
        context: &Context<'_>,
        sound: Option<&Sound>,
        path: &RepoPathBuf,
        broken: &Broken,
        differences: &mut Differences,
    ) {
        let Broken { node, error } = broken;
        let has_any = context.placeholders.has_any(path.as_ref());
        let known = node.map_or(has_any, |n| context.placeholders.kind(path.as_ref(), n).is_some());
        if known {
            return;
        }
        let placeholder = node.map(|node| Placeholder {
            path: path.clone(),
            node,
            kind: match error.is_censored() {
                true => PlaceholderKind::Censored,
                false => PlaceholderKind::Damaged,
            },
        });
        let is_there = |p: &Placeholder| sound.is_some_and(|sound| sound.ids.contains(&p.blob()));
        match placeholder.filter(|p| !p.is_for_damage() || is_there(p)) {
            Some(placeholder) => self.add_placeholder(&placeholder),
            None => differences.add_error(error),
        }
    }

    /// What is a placeholder in the target stays one, whatever the source has now.
    fn add_placeholders(&mut self, placeholders: &Placeholders) {
        for placeholder in placeholders.sorted() {
            self.add_placeholder(&placeholder);
        }
    }

    fn add_placeholder(&mut self, placeholder: &Placeholder) {
        let Placeholder { path, node, .. } = placeholder;
        let blobs = self.ids.entry(path.clone()).or_default();
        let is_back = blobs.insert(*node, placeholder.blob()).is_some();
        if self.notes.len() < MAX_NOTES {
            let placeholder = placeholder.clone();
            self.notes.push(Note::PlaceholderKept(PlaceholderKept { placeholder, is_back }));
        } else {
            self.more_notes += 1;
        }
    }
}

/// The paths of all files of all served changesets. Damaged changesets and manifests are
/// reported when they are compared.
fn served_paths(
    context: &Context<'_>,
    differences: &mut Differences,
) -> Result<BTreeSet<RepoPathBuf>, VerifyError> {
    let source = context.source;
    let mut changesets = source.changelog().reader();
    let mut manifests = source.manifests().reader();
    let mut paths = BTreeSet::new();
    let mut last = Text::default();
    let served = source.view().served();
    context.progress.begin(Stage::ReadingManifests, Some(served.count() as u64));
    for rev in served.iter() {
        context.interrupt.check()?;
        context.progress.advance(1);
        let Ok(changeset) = changesets.changeset(rev) else { continue };
        let Some(manifest) = source.manifests().rev(changeset.manifest) else { continue };
        let Ok(text) = manifests.unchecked_text(manifest) else { continue };
        let found = diff(&last, &text, |change| {
            if let Change::Added(line) = change
                && !paths.contains(line.path)
            {
                paths.insert(line.path.to_owned());
            }
        });
        if let Err(what) = found {
            differences.add_error(&source.manifests().malformed(manifest, what));
        }
        last = text;
    }
    context.progress.end();
    Ok(paths)
}

/// A file revision, or a whole file, that cannot be read.
struct Broken {
    node: Option<Node>,
    error: RevlogError,
}

/// Reads all revisions of one file. A file without a history has none, which is
/// reported where a changeset needs one.
///
/// Revisions of changesets that are not `committed`, so many, are passed over.
fn read_file(
    source: &Repository,
    path: &RepoPath,
    committed: Option<usize>,
) -> Vec<Result<Revision, Broken>> {
    match source.filelog(path) {
        Ok(Some(filelog)) => read_revisions(&filelog, committed),
        Ok(None) => Vec::new(),
        Err(error) => vec![Err(Broken { node: None, error })],
    }
}

/// How many changesets are committed, if more may be on their way: a transaction appends to files
/// before it appends to the changelog. `None` if there is no transaction, nor was one since the source
/// was opened: what no changeset has introduced is damage then.
fn committed(source: &Repository) -> Option<usize> {
    let len = source.changelog().dag().len();
    let layout = source.layout();
    let has_grown = || {
        let now = Revlog::open("00changelog", &layout.changelog(), &Limits::default());
        now.is_ok_and(|now| now.is_some_and(|now| now.len() > len))
    };
    (layout.journal_file().exists() || has_grown()).then_some(len)
}

fn read_revisions(filelog: &Revlog, committed: Option<usize>) -> Vec<Result<Revision, Broken>> {
    let mut reader = filelog.reader();
    let mut read = |rev| -> Result<Revision, RevlogError> {
        let text = reader.unchecked_text(rev)?;
        let contents = contents(&text);
        let head = Node::before_text(filelog.parent_nodes(rev)?);
        let stored = Message { head: &head, text: &text };
        let (blob, digest) = ObjectId::of_blob_beside(contents.unwrap_or_default(), stored);
        check_digest(filelog, rev, digest)?;
        contents.ok_or_else(|| filelog.malformed(rev, "its copy metadata does not end"))?;
        let entry = filelog.entry(rev)?;
        let copied_from = entry.parents[0].is_none().then(|| copied_from(&text)).flatten();
        Ok(Revision {
            node: filelog.node(rev)?,
            blob,
            link: entry.link,
            copied_from: copied_from.map(RepoPathBuf::from),
        })
    };
    let mut read = |rev| read(rev).map_err(|error| Broken { node: filelog.node(rev).ok(), error });
    let is_under_way = |rev: &Rev| {
        let link = filelog.entry(*rev).ok().and_then(|entry| usize::try_from(entry.link).ok());
        committed.zip(link).is_some_and(|(committed, link)| link >= committed)
    };
    filelog.revs().filter(|rev| !is_under_way(rev)).map(&mut read).collect()
}

/// Looks for files whose history the source's own list of histories lacks: its clones would too.
fn check_fncache(context: &Context<'_>, paths: &[RepoPathBuf], differences: &mut Differences) {
    let Some(file) = context.source.layout().fncache_file() else { return };
    let text = match read_bounded(&file, u64::MAX) {
        Ok(text) => text.unwrap_or_default(),
        Err(error) => return differences.add_error(&error),
    };
    match Fncache::parse(&text) {
        Ok(fncache) => {
            let missing = |path: &&RepoPathBuf| {
                forbidden_path(path.as_ref()).is_none() && !fncache.lists(path.as_ref())
            };
            for path in paths.iter().filter(missing) {
                differences.add(Difference::NotListed { path: path.clone() });
            }
        }
        Err(error) => differences.add_error(&error),
    }
}
