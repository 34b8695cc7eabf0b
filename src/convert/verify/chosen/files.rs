//! The contents of file revisions, read from the source once more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Chosen;
use super::touched::Wanted;
use crate::base::{RepoPath, RepoPathBuf, Stage};
use crate::convert::damage::FileProblem;
use crate::convert::placeholder::{Placeholder, PlaceholderKind};
use crate::convert::verify::VerifyError;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::filelog::{contents, copied_from};
use crate::hg::revlog::{RevlogError, RevlogReader};
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
        let mut reader = filelog.as_ref().ok().map(crate::hg::revlog::Revlog::reader);
        let rev = |node| reader.as_ref().and_then(|reader| reader.revlog().rev(node));
        // In the order of the file, in which each is one delta away from one just read.
        let mut in_order: Vec<_> =
            wanted.iter().map(|(_, at, node)| (rev(*node), *at, *node)).collect();
        in_order.sort_unstable();
        let mut read = Vec::with_capacity(wanted.len());
        for (rev, at, node) in in_order {
            let placeholder = |kind| Placeholder { path: path.to_owned(), node, kind }.blob();
            let kept = self.placeholders.kind(path, node).map(placeholder);
            let contents = match (kept, rev, &mut reader) {
                (Some(id), ..) => Contents { blob: Ok(id), copied_from: None },
                (None, Some(rev), Some(reader)) => {
                    revision(reader, rev).unwrap_or_else(|error| Contents {
                        blob: match error.is_censored() {
                            true => Ok(placeholder(PlaceholderKind::Censored)),
                            false => Err(FileProblem::damaged(&error)),
                        },
                        copied_from: None,
                    })
                }
                _ => {
                    let why = filelog.as_ref().err().cloned();
                    Contents { blob: Err(why.unwrap_or(FileProblem::Missing)), copied_from: None }
                }
            };
            read.push((at, contents));
        }
        read
    }
}

fn revision(reader: &mut RevlogReader<'_>, rev: Rev) -> Result<Contents, RevlogError> {
    let revlog = reader.revlog();
    let text = reader.text(rev)?;
    let bytes =
        contents(&text).ok_or_else(|| revlog.malformed(rev, "its copy metadata does not end"))?;
    let is_first = revlog.entry(rev)?.parents[0].is_none();
    let from = is_first.then(|| copied_from(&text)).flatten();
    Ok(Contents {
        blob: Ok(ObjectId::of(ObjectKind::Blob, bytes)),
        copied_from: from.map(RepoPathBuf::from),
    })
}
