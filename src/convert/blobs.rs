//! File revisions into blobs, filelog by filelog, several at once.
//!
//! Each filelog is walked in revision order, so each text is one delta away from one just made,
//! and Mercurial's delta says what the blob shares with an earlier one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ConvertError;
use super::engine::Input;
use super::plan::{Plan, WantedFile};
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::sink::{Copied, Likeness, NewObject, ObjectSink, ObjectWriter};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::Rev;
use crate::hg::filelog::{copied_from, metadata_length};
use crate::hg::revlog::{Delta, Revlog, RevlogError, check_node};

/// What the wanted file revisions are, by their numbers in [`Plan::files`].
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The blob of each.
    pub blobs: Vec<ObjectId>,
    /// What those that are copies were copied from.
    pub copied_from: HashMap<u32, RepoPathBuf>,
}

/// One file revision, converted.
struct Done {
    number: u32,
    id: ObjectId,
    copied_from: Option<RepoPathBuf>,
}

/// Writes all blobs of the plan to `sink`.
pub(super) fn convert_files(
    input: &Input<'_>,
    plan: &Plan,
    sink: &dyn ObjectSink,
) -> Result<Files, ConvertError> {
    let by_path = files_by_path(plan);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut writer = sink.writer();
        let mut done = Vec::new();
        while let Some(files) = by_path.get(next.fetch_add(1, Ordering::Relaxed)) {
            convert_path(input, plan, files, writer.as_mut(), &mut done)?;
        }
        writer.finish()?;
        Ok(done)
    };
    let workers = input.threads.clamp(1, by_path.len().max(1));
    let results: Vec<Result<Vec<_>, ConvertError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (1..workers).map(|_| scope.spawn(work)).collect();
        let mine = work();
        // The first failure ends the others early: there is no file left to take.
        if mine.is_err() {
            next.store(by_path.len(), Ordering::Relaxed);
        }
        let theirs = workers.into_iter().map(|w| w.join().unwrap_or(Err(ConvertError::Worker)));
        std::iter::once(mine).chain(theirs.collect::<Vec<_>>()).collect()
    });
    let mut files = Files { blobs: vec![ObjectId::NULL; plan.files.len()], ..Files::default() };
    for result in results {
        for Done { number, id, copied_from } in result? {
            if let Some(slot) = files.blobs.get_mut(number as usize) {
                *slot = id;
            }
            files.copied_from.extend(copied_from.map(|from| (number, from)));
        }
    }
    Ok(files)
}

/// The numbers of the wanted files of each path, the longest lists first: a long filelog that is
/// begun last would keep one worker busy when the others are done.
fn files_by_path(plan: &Plan) -> Vec<Vec<u32>> {
    let mut by_path = vec![Vec::new(); plan.paths.len()];
    for (number, file) in (0u32..).zip(&plan.files) {
        if let Some(files) = by_path.get_mut(file.path as usize) {
            files.push(number);
        }
    }
    by_path.retain(|files| !files.is_empty());
    by_path.sort_by_key(|files| std::cmp::Reverse(files.len()));
    by_path
}

/// What is remembered of a converted revision, for those whose delta is against it.
struct Converted {
    id: ObjectId,
    /// Bytes of metadata before the contents.
    metadata: usize,
    /// Bytes of metadata and contents.
    length: usize,
}

/// Converts the wanted revisions of one path.
fn convert_path(
    input: &Input<'_>,
    plan: &Plan,
    files: &[u32],
    writer: &mut dyn ObjectWriter,
    done: &mut Vec<Done>,
) -> Result<(), ConvertError> {
    let wanted = |file: &u32| plan.files.get(*file as usize);
    let Some(first) = files.first().and_then(wanted) else { return Ok(()) };
    let path: &RepoPath = plan.paths.get(first.path as usize).ok_or(ConvertError::Worker)?.as_ref();
    let damaged = |file: &WantedFile, source: RevlogError| ConvertError::File {
        path: path.to_owned(),
        changeset: input.changelog.node(file.changeset),
        source,
    };
    let missing = |file: &WantedFile| ConvertError::NoFile {
        path: path.to_owned(),
        node: file.node,
        changeset: input.changelog.node(file.changeset),
    };
    let filelog = input.filelogs.filelog(path).map_err(|error| damaged(first, error))?;
    let filelog = filelog.ok_or_else(|| missing(first))?;
    let mut revs = Vec::with_capacity(files.len());
    for (number, file) in files.iter().filter_map(|number| Some((*number, wanted(number)?))) {
        revs.push((filelog.rev(file.node).ok_or_else(|| missing(file))?, number, file));
    }
    revs.sort_unstable_by_key(|(rev, ..)| *rev);
    let copies = input.rules.identity.records_copies();
    let mut walk = Walk { reader: filelog.reader(), converted: HashMap::new(), copies, writer };
    for (rev, number, file) in revs {
        input.interrupt.check()?;
        let converted = walk.convert(rev, file.in_tree);
        let (id, copied_from) = converted.map_err(|error| error.at(|e| damaged(file, e)))?;
        done.push(Done { number, id, copied_from });
        input.progress.advance(1);
    }
    Ok(())
}

/// An error of one revision, before its file is known.
enum WalkError {
    Read(RevlogError),
    Write(ConvertError),
}

impl WalkError {
    fn at(self, damaged: impl FnOnce(RevlogError) -> ConvertError) -> ConvertError {
        match self {
            Self::Read(error) => damaged(error),
            Self::Write(error) => error,
        }
    }
}

/// One filelog, walked in revision order.
struct Walk<'f, 'w> {
    reader: crate::hg::revlog::RevlogReader<'f>,
    converted: HashMap<Rev, Converted>,
    /// Whether anybody asks for copies.
    copies: bool,
    writer: &'w mut dyn ObjectWriter,
}

impl Walk<'_, '_> {
    /// Converts one revision: its blob, and what it was copied from.
    fn convert(
        &mut self,
        rev: Rev,
        in_tree: bool,
    ) -> Result<(ObjectId, Option<RepoPathBuf>), WalkError> {
        let revlog: &Revlog = self.reader.revlog();
        let (text, delta) = self.reader.text_and_delta(rev).map_err(WalkError::Read)?;
        check_node(revlog, rev, &text).map_err(WalkError::Read)?;
        let metadata = metadata_length(&text).ok_or_else(|| {
            WalkError::Read(revlog.malformed(rev, "its copy metadata does not end"))
        })?;
        let contents = text.get(metadata..).unwrap_or_default();
        let id = ObjectId::of(ObjectKind::Blob, contents);
        let copied_from =
            match self.copies && revlog.entry(rev).is_ok_and(|e| e.parents[0].is_none()) {
                true => copied_from(&text).map(RepoPathBuf::from),
                false => None,
            };
        if !in_tree {
            return Ok((id, copied_from));
        }
        let base = delta.and_then(|(base, delta)| Some((self.converted.get(&base)?, delta)));
        let copied = base.as_ref().map(|(base, delta)| copies(base, delta, metadata));
        let likeness = base.as_ref().zip(copied.as_ref()).map(|((base, _), copied)| Likeness {
            base: base.id,
            base_length: base.length - base.metadata,
            copied,
        });
        let object = NewObject { id, kind: ObjectKind::Blob, contents, likeness };
        self.writer.write(object).map_err(|error| WalkError::Write(error.into()))?;
        self.converted.insert(rev, Converted { id, metadata, length: text.len() });
        Ok((id, copied_from))
    }
}

/// A blob's delta copies no more ranges than this: what follows them is inserted. A hostile delta of
/// a megabyte that expands to a gigabyte may have a hundred million.
const MAX_COPIES: usize = 1 << 20;

/// The ranges that the contents share with those of the base, where Mercurial's delta is one of
/// texts with metadata: what lies in the metadata of either is cut off.
fn copies(base: &Converted, delta: &Delta, metadata: usize) -> Vec<Copied> {
    let ranges = delta.copies(base.length).take(MAX_COPIES).filter_map(|(from, to, length)| {
        let cut = base.metadata.saturating_sub(from).max(metadata.saturating_sub(to));
        Some(Copied {
            from: (from + cut).checked_sub(base.metadata)?,
            to: (to + cut).checked_sub(metadata)?,
            length: length.checked_sub(cut)?,
        })
    });
    ranges.collect()
}
