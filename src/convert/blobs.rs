//! File revisions into blobs, filelog by filelog, several at once.
//!
//! Each filelog is walked in revision order, so each text is one delta away from one just made,
//! and Mercurial's delta says what the blob shares with an earlier one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::ConvertError;
use super::damage::BrokenNumbers;
use super::flaw::{FileProblem, Flaw, SoundFile, Unsound, check_file, check_files};
use super::input::Input;
use super::placeholder::{Placeholder, PlaceholderKind};
use super::plan::{Plan, WantedFile};
use super::survey::broken_files;
use crate::base::{Limits, RepoPath, RepoPathBuf};
use crate::git::sink::{Copied, DeltaHint, NewObject, ObjectSink, ObjectWriter};
use crate::git::{ObjectId, ObjectKind};
use crate::hg::Rev;
use crate::hg::filelog::copied_from;
use crate::hg::revlog::{Delta, Revlog, RevlogError, Text};

/// What the wanted file revisions are, by their numbers in [`Plan::files`].
#[derive(Debug, Default)]
pub(super) struct Files {
    /// The blob of each.
    pub blobs: Vec<ObjectId>,
    /// What those that are copies were copied from.
    pub copied_from: HashMap<u32, RepoPathBuf>,
    /// Those that became placeholders, by path and node.
    pub placeholders: Vec<Placeholder>,
    /// Why they did.
    pub broken: BrokenNumbers,
}

/// One file revision, converted.
struct Done {
    number: u32,
    id: ObjectId,
    copied_from: Option<RepoPathBuf>,
}

/// What one worker made.
#[derive(Default)]
struct Share {
    done: Vec<Done>,
    placeholders: Vec<Placeholder>,
    /// What the placeholders stand for.
    stood_for: BrokenNumbers,
    /// What is broken, and nothing may stand for it.
    lost: BrokenNumbers,
}

/// Writes all blobs of the plan to `sink`. Looks at every file revision before it says that some are
/// broken.
pub(super) fn convert_files(
    input: &Input<'_>,
    plan: &Plan,
    sink: &dyn ObjectSink,
) -> Result<Files, ConvertError> {
    let by_path = files_by_path(plan);
    let next = AtomicUsize::new(0);
    let work = || {
        let mut writer = sink.writer();
        let mut share = Share::default();
        while let Some(files) = by_path.get(next.fetch_add(1, Ordering::Relaxed)) {
            convert_path(input, plan, files, writer.as_mut(), &mut share)?;
        }
        writer.finish()?;
        Ok(share)
    };
    let workers = input.threads.clamp(1, by_path.len().max(1));
    let results: Vec<Result<Share, ConvertError>> = std::thread::scope(|scope| {
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
    let mut all_lost = BrokenNumbers::default();
    for share in results {
        let Share { done, placeholders, stood_for, lost } = share?;
        for Done { number, id, copied_from } in done {
            if let Some(slot) = files.blobs.get_mut(number as usize) {
                *slot = id;
            }
            files.copied_from.extend(copied_from.map(|from| (number, from)));
        }
        files.placeholders.extend(placeholders);
        files.broken.extend(stood_for);
        all_lost.extend(lost);
    }
    if !all_lost.is_empty() {
        return Err(ConvertError::Files(broken_files(input, plan, all_lost)));
    }
    files.placeholders.sort_unstable();
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
    share: &mut Share,
) -> Result<(), ConvertError> {
    let wanted = files.iter().filter_map(|n| Some((*n, plan.files.get(*n as usize)?)));
    let Some((_, first)) = wanted.clone().next() else { return Ok(()) };
    let path: &RepoPath = plan.paths.get(first.path as usize).ok_or(ConvertError::Worker)?.as_ref();
    let flaw = |file: &WantedFile, (kind, error)| {
        Flaw::of(kind, error).map_err(|source| ConvertError::File {
            path: path.to_owned(),
            changeset: input.changelog.node(file.changeset),
            source,
        })
    };
    let filelog = match input.filelogs.filelog(path) {
        Ok(filelog) => filelog.ok_or(Flaw::MISSING),
        Err(error) => Err(flaw(first, (PlaceholderKind::Damaged, error))?),
    };
    let empty = Revlog::empty("", &Limits::default());
    let revlog = filelog.as_ref().unwrap_or(&empty);
    let mut revs = Vec::with_capacity(files.len());
    let mut broken = Vec::new();
    for (number, file) in wanted {
        if let Some(kind) = input.placeholders.kind(path, file.node) {
            broken.push((number, file, Flaw { kind, problem: FileProblem::Kept }));
        } else if let Some(flaw) = plan.flaws.get(&number) {
            // Trees were planned without it: it stays lost, even if it can be read now.
            broken.push((number, file, flaw.clone()));
        } else {
            match (&filelog, revlog.rev(file.node)) {
                (Err(flaw), _) => broken.push((number, file, flaw.clone())),
                (Ok(_), None) => broken.push((number, file, Flaw::MISSING)),
                (Ok(_), Some(rev)) => revs.push((rev, number, file)),
            }
        }
    }
    revs.sort_unstable_by_key(|(rev, ..)| *rev);
    let copies = input.rules.identity.records_copies();
    let mut walk = Walk { reader: revlog.reader(), converted: HashMap::new(), copies, writer };
    let mut left = revs.into_iter().peekable();
    while left.peek().is_some() {
        input.interrupt.check()?;
        let batch = walk.read(&mut left);
        let count = batch.len() as u64;
        for (read, sound) in walk.check(batch) {
            let Read { number, file, .. } = read;
            match sound {
                Ok((sound, found)) => {
                    let SoundFile { blob: id, .. } = sound;
                    let copied_from = walk.convert(&sound, found, read.rev, file.in_tree)?;
                    share.done.push(Done { number, id, copied_from });
                }
                Err(unsound) => broken.push((number, file, flaw(file, unsound)?)),
            }
        }
        input.progress.advance(count);
    }
    place_broken(input, path, broken, &mut walk, share)
}

/// Puts placeholders where revisions of a file cannot be read, or notes that they are lost.
fn place_broken(
    input: &Input<'_>,
    path: &RepoPath,
    broken: Vec<(u32, &WantedFile, Flaw)>,
    walk: &mut Walk<'_, '_>,
    share: &mut Share,
) -> Result<(), ConvertError> {
    for (number, file, flaw) in broken {
        if !input.skip_damaged && !flaw.is_stood_for() {
            share.lost.add(path, number, flaw.problem);
            continue;
        }
        let placeholder = Placeholder { path: path.to_owned(), node: file.node, kind: flaw.kind };
        let id = walk.place(&placeholder, file.in_tree)?;
        share.done.push(Done { number, id, copied_from: None });
        share.placeholders.push(placeholder);
        share.stood_for.add(path, number, flaw.problem);
    }
    Ok(())
}

/// How many revisions are read before they are hashed, all at the same time.
const BATCH: usize = 16;
/// With so many bytes a batch is full, however few they are.
const BATCH_BYTES: usize = 4 << 20;

/// A text, and the delta that made it, with the revision that it builds on.
type Found = (Text, Option<(Rev, Delta)>);

/// One wanted revision.
struct Read<'p> {
    rev: Rev,
    number: u32,
    file: &'p WantedFile,
}

/// A revision that was read and checked.
type Checked<'p> = (Read<'p>, Result<(SoundFile, Found), Unsound>);

/// One filelog, walked in revision order.
struct Walk<'f, 'w> {
    reader: crate::hg::revlog::RevlogReader<'f>,
    converted: HashMap<Rev, Converted>,
    /// Whether anybody asks for copies.
    copies: bool,
    writer: &'w mut dyn ObjectWriter,
}

impl Walk<'_, '_> {
    /// Reads some of the revisions that are `left`.
    fn read<'p>(
        &mut self,
        left: &mut impl Iterator<Item = (Rev, u32, &'p WantedFile)>,
    ) -> Vec<(Read<'p>, Result<Found, RevlogError>)> {
        let (mut batch, mut bytes) = (Vec::with_capacity(BATCH), 0);
        while batch.len() < BATCH && bytes < BATCH_BYTES {
            let Some((rev, number, file)) = left.next() else { break };
            let found = self.reader.text_and_delta(rev);
            bytes += found.as_ref().map_or(0, |(text, _)| text.len());
            batch.push((Read { rev, number, file }, found));
        }
        batch
    }

    /// Checks what was read.
    fn check<'p>(&self, batch: Vec<(Read<'p>, Result<Found, RevlogError>)>) -> Vec<Checked<'p>> {
        let texts = batch.iter().filter_map(|(read, found)| {
            let (text, _) = found.as_ref().ok()?;
            Some((read.rev, text.as_slice()))
        });
        let texts: Vec<_> = texts.collect();
        let revlog = self.reader.revlog();
        let mut checked = check_files(revlog, &texts).into_iter();
        let mut both = Vec::with_capacity(batch.len());
        for (read, found) in batch {
            let sound =
                found.map_err(|error| (PlaceholderKind::Damaged, error)).and_then(|found| {
                    // There is one for each text.
                    let none = || check_file(revlog, read.rev, &found.0);
                    Ok((checked.next().unwrap_or_else(none)?, found))
                });
            both.push((read, sound));
        }
        both
    }

    /// Converts one revision: writes its blob, and says what it was copied from.
    fn convert(
        &mut self,
        sound: &SoundFile,
        (text, delta): Found,
        rev: Rev,
        in_tree: bool,
    ) -> Result<Option<RepoPathBuf>, ConvertError> {
        let SoundFile { metadata, blob: id } = *sound;
        let contents = text.get(metadata..).unwrap_or_default();
        let is_first = || self.reader.revlog().entry(rev).is_ok_and(|e| e.parents[0].is_none());
        let copied_from = match self.copies && is_first() {
            true => copied_from(&text).map(RepoPathBuf::from),
            false => None,
        };
        if !in_tree {
            return Ok(copied_from);
        }
        let base = delta.and_then(|(base, delta)| Some((self.converted.get(&base)?, delta)));
        let copied = base.as_ref().map(|(base, delta)| copies(base, delta, metadata));
        let delta_hint = base.as_ref().zip(copied.as_ref()).map(|((base, _), copied)| DeltaHint {
            base: base.id,
            base_length: base.length - base.metadata,
            copied,
        });
        let object = NewObject { id, kind: ObjectKind::Blob, contents, delta_hint };
        self.writer.write(object)?;
        self.converted.insert(rev, Converted { id, metadata, length: text.len() });
        Ok(copied_from)
    }
}

impl Walk<'_, '_> {
    /// Writes a placeholder, if it is in a tree.
    fn place(
        &mut self,
        placeholder: &Placeholder,
        in_tree: bool,
    ) -> Result<ObjectId, ConvertError> {
        let contents = placeholder.kind.contents(placeholder.path.as_ref(), placeholder.node);
        let id = ObjectId::of(ObjectKind::Blob, &contents);
        if in_tree {
            let kind = ObjectKind::Blob;
            self.writer.write(NewObject { id, kind, contents: &contents, delta_hint: None })?;
        }
        Ok(id)
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
