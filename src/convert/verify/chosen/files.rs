//! The contents of file revisions, read from the source once more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Chosen;
use super::touched::Wanted;
use crate::base::sha1::{self, Digest, Message};
use crate::base::{RepoPath, RepoPathBuf, Stage};
use crate::convert::damage::FileProblem;
use crate::convert::placeholder::{Placeholder, PlaceholderKind};
use crate::convert::verify::VerifyError;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::filelog::{contents, copied_from};
use crate::hg::revlog::{Revlog, RevlogError, Text, check_digest};
use crate::hg::{Node, Rev};

/// What one file revision is.
#[derive(Clone, Debug)]
pub(super) struct Contents {
    /// Its blob, or why there is none.
    pub blob: Result<ObjectId, FileProblem>,
    /// What it is a copy of.
    pub copied_from: Option<RepoPathBuf>,
}

/// Reads all files that are wanted, in their order.
pub(super) fn read(chosen: &Chosen<'_>, wanted: &Wanted<'_>) -> Result<Vec<Contents>, VerifyError> {
    let mut by_path: Vec<(u32, usize, Node)> =
        wanted.files.iter().enumerate().map(|(at, (path, node))| (*path, at, *node)).collect();
    by_path.sort_unstable();
    let groups: Vec<_> = by_path.chunk_by(|a, b| a.0 == b.0).collect();
    let missing = Contents { blob: Err(FileProblem::Missing), copied_from: None };
    let all = Mutex::new(vec![missing; wanted.files.len()]);
    let next = AtomicUsize::new(0);
    let job = Job { source: chosen.source, placeholders: chosen.placeholders };
    let paths: Vec<_> = groups
        .iter()
        .map(|group| group.first().and_then(|(path, ..)| wanted.path(*path)))
        .collect();
    let (progress, interrupt) = (chosen.progress, chosen.interrupt);
    progress.begin(Stage::VerifyingFiles, Some(wanted.files.len() as u64));
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(group), Some(path)) = (groups.get(at), paths.get(at)) else { return };
            let Some(path) = path else { continue };
            if interrupt.is_raised() {
                return;
            }
            let read = job.path(path.as_ref(), group);
            progress.advance(group.len() as u64);
            let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
            for (at, contents) in read {
                if let Some(slot) = all.get_mut(at) {
                    *slot = contents;
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 1..threads.min(groups.len()) {
            scope.spawn(work);
        }
        work();
    });
    interrupt.check()?;
    progress.end();
    Ok(all.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// What each thread has of a verification: the repository with the commits is for one alone.
#[derive(Clone, Copy)]
struct Job<'j> {
    source: &'j crate::hg::Repository,
    placeholders: &'j crate::convert::placeholder::Placeholders,
}

impl Job<'_> {
    /// Reads the revisions of one file.
    fn path(self, path: &RepoPath, wanted: &[(u32, usize, Node)]) -> Vec<(usize, Contents)> {
        let filelog = self.source.filelog(path).map_err(|error| FileProblem::damaged(&error));
        let filelog = filelog.and_then(|found| found.ok_or(FileProblem::Missing));
        let mut reader = filelog.as_ref().ok().map(Revlog::reader);
        let rev = |node| reader.as_ref().and_then(|reader| reader.revlog().rev(node));
        // In the order of the file, in which each is one delta away from one just read.
        let mut in_order: Vec<_> =
            wanted.iter().map(|(_, at, node)| (rev(*node), *at, *node)).collect();
        in_order.sort_unstable();
        let mut read = Vec::with_capacity(wanted.len());
        let placeholder = |node, kind| Placeholder { path: path.to_owned(), node, kind }.blob();
        let unread = |node, error: &RevlogError| match error.is_censored() {
            true => Ok(placeholder(node, PlaceholderKind::Censored)),
            false => Err(FileProblem::damaged(error)),
        };
        let mut batch = Batch::default();
        for (rev, at, node) in in_order {
            let kept = self.placeholders.kind(path, node);
            let blob = match (kept, rev, &mut reader) {
                (Some(kind), ..) => Ok(placeholder(node, kind)),
                (None, Some(rev), Some(reader)) => match reader.unchecked_text(rev) {
                    Ok(text) => {
                        batch.add((rev, at, node), text);
                        if batch.is_full() {
                            read.extend(batch.take(reader.revlog(), unread));
                        }
                        continue;
                    }
                    Err(error) => unread(node, &error),
                },
                _ => {
                    let why = filelog.as_ref().err().cloned();
                    Err(why.unwrap_or(FileProblem::Missing))
                }
            };
            read.push((at, Contents { blob, copied_from: None }));
        }
        if let Some(reader) = &reader {
            read.extend(batch.take(reader.revlog(), unread));
        }
        read
    }
}

/// How many texts are hashed at the same time.
const BATCH: usize = 16;
/// With so many bytes a batch is full, however few texts they are.
const BATCH_BYTES: usize = 4 << 20;

/// Texts that were read, each with its revision, its place, and its node.
#[derive(Default)]
struct Batch {
    texts: Vec<((Rev, usize, Node), Text)>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, which: (Rev, usize, Node), text: Text) {
        self.bytes += text.len();
        self.texts.push((which, text));
    }

    fn is_full(&self) -> bool {
        self.texts.len() >= BATCH || self.bytes >= BATCH_BYTES
    }

    /// Hashes the texts, as what they are in the source and as blobs, and says what each is; of those that
    /// are not sound what `unread` makes of the error.
    fn take(
        &mut self,
        revlog: &Revlog,
        unread: impl Fn(Node, &RevlogError) -> Result<ObjectId, FileProblem>,
    ) -> Vec<(usize, Contents)> {
        self.bytes = 0;
        let texts = std::mem::take(&mut self.texts);
        let heads = texts.iter().map(|((rev, ..), text)| {
            let contents = contents(text).unwrap_or_default();
            let parents = revlog.parent_nodes(*rev).unwrap_or_default();
            let header = ObjectKind::Blob.header(contents.len());
            (Node::before_text(parents), header, contents)
        });
        let heads: Vec<_> = heads.collect();
        let messages =
            heads.iter().zip(&texts).flat_map(|((node, header, contents), (_, text))| {
                [Message { head: node, text }, Message { head: header.as_bytes(), text: contents }]
            });
        let mut digests = vec![Digest::default(); 2 * texts.len()];
        sha1::digests(&messages.collect::<Vec<_>>(), &mut digests);
        let found = texts.iter().zip(digests.as_chunks().0);
        let found = found.map(|(((rev, at, node), text), [is, blob])| {
            match revision(revlog, *rev, text, (*is, ObjectId::from_bytes(*blob))) {
                Ok(contents) => (*at, contents),
                Err(error) => (*at, Contents { blob: unread(*node, &error), copied_from: None }),
            }
        });
        found.collect()
    }
}

/// What a revision is whose stored text and whose contents have these digests.
fn revision(
    revlog: &Revlog,
    rev: Rev,
    text: &[u8],
    (node, blob): (Digest, ObjectId),
) -> Result<Contents, RevlogError> {
    // What the revision hashes to depends on them.
    revlog.parent_nodes(rev)?;
    check_digest(revlog, rev, node)?;
    if contents(text).is_none() {
        return Err(revlog.malformed(rev, "its copy metadata does not end"));
    }
    let is_first = revlog.entry(rev)?.parents[0].is_none();
    let from = is_first.then(|| copied_from(text)).flatten();
    Ok(Contents { blob: Ok(blob), copied_from: from.map(RepoPathBuf::from) })
}
