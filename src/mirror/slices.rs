//! New changesets into commits, a slice of the history at a time: plan, convert, write a pack, verify,
//! record in the id map. Each of these is durable before the next begins, so a run that is killed has
//! lost one slice at most, and memory is bounded by what one slice needs.

use std::collections::HashSet;

use super::check::{Checks, Converted};
use super::update::Sync;
use super::{SyncError, SyncEvent};
use crate::base::sizes::bytes_below;
use crate::convert::damage::{Broken, BrokenFile};
use crate::convert::engine::Conversion;
use crate::convert::placeholder::{Placeholder, Placeholders};
use crate::convert::{ConvertError, IdMap, Input, LeftOut, Rules, engine};
use crate::git::BareRepository;
use crate::git::pack::PackWriter;
use crate::git::sink::ObjectSink;
use crate::git::staging::Staging;
use crate::hg::{Rev, RevSet};

/// Up to this many new changesets are staged in memory; more are written to a pack directly. Smaller
/// slices than this would not be worth a pack, whatever changesets hold.
const SMALL: usize = 64;

/// From so many on, most of their objects are known to be new without a look into each pack.
const MANY: usize = 1000;

/// What a person should know of a conversion.
#[derive(Default)]
pub(super) struct Told {
    pub left_out: Vec<LeftOut>,
    pub broken: Broken<BrokenFile>,
}

impl Sync<'_> {
    /// Converts the changesets `new`, slice by slice.
    pub(super) fn convert_new(
        &self,
        git: &BareRepository,
        (rules, checks): (&Rules, Checks),
        (map, mapped, placeholders): (&mut IdMap, &mut RevSet, &mut Placeholders),
        new: &[Rev],
    ) -> Result<Told, SyncError> {
        let most = self.changesets_in_a_slice(new.len());
        let (mut told, mut seen) = (Told::default(), HashSet::new());
        let mut rest = new;
        while !rest.is_empty() {
            let (slice, _) = rest.split_at(most.min(rest.len()));
            let conversion =
                self.convert_slice(git, (rules, checks), (map, placeholders), slice)?;
            let (done, left) = rest.split_at(conversion.records.len().min(rest.len()));
            rest = left;
            for rev in done {
                mapped.insert(*rev);
            }
            // A path is told once, with the first changeset that has it.
            let left_out = conversion.left_out.into_iter();
            told.left_out.extend(left_out.filter(|l| seen.insert((l.path.clone(), l.reason))));
            told.broken.append(conversion.broken);
            let (converted, total) = ((new.len() - rest.len()) as u64, new.len() as u64);
            self.events.tell(&SyncEvent::SliceDone { converted, total });
            if !rest.is_empty() {
                // Nothing but the map names these commits until all are there.
                let keep = self.edits_to_keep(
                    git,
                    (map, mapped, rules.identity),
                    [].into_iter(),
                    &[],
                    slice,
                )?;
                git.update_refs(&keep, None)?;
                self.record_packs(git)?;
            }
        }
        Ok(told)
    }

    /// Converts the first of `new`, verifies what came out if asked to, and records it: placeholders,
    /// then map.
    fn convert_slice(
        &self,
        git: &BareRepository,
        (rules, checks): (&Rules, Checks),
        (map, placeholders): (&mut IdMap, &mut Placeholders),
        new: &[Rev],
    ) -> Result<Conversion, SyncError> {
        let packs = git.pack_indexes()?;
        let conversion = self.convert(git, rules, map, placeholders, new)?;
        git.refresh()?;
        let placeholders_grew = placeholders.extend(&conversion.placeholders);
        if checks == Checks::BySlice {
            self.check(&Converted {
                git,
                rules,
                map,
                placeholders,
                conversion: &conversion,
                changesets: new.get(..conversion.records.len()).unwrap_or(new),
                packs_before: &packs,
            })?;
        }
        if placeholders_grew {
            self.cache.save_placeholders(placeholders)?;
        }
        map.append(&conversion.records)?;
        Ok(conversion)
    }

    /// How many changesets a slice has, if `new` are to be converted.
    pub(super) fn changesets_in_a_slice(&self, new: usize) -> usize {
        let most = self.options().slice;
        if new <= SMALL {
            return most.changesets.max(1);
        }
        let bytes = bytes_below(&self.repository().layout().store_dir());
        let changesets = self.repository().changelog().dag().len() as u64;
        let fit = most.store_bytes.saturating_mul(changesets) / bytes.max(1);
        usize::try_from(fit).unwrap_or(usize::MAX).max(SMALL).min(most.changesets.max(1))
    }

    /// Converts the first of `new`, as many as go into one slice. Their objects are on disk when this
    /// returns.
    pub(super) fn convert(
        &self,
        git: &BareRepository,
        rules: &Rules,
        map: &IdMap,
        placeholders: &Placeholders,
        new: &[Rev],
    ) -> Result<Conversion, SyncError> {
        let input = Input {
            most_edits: self.options().slice.edits,
            ..self.input(rules, map, placeholders, new)
        };
        keep(git, new.len(), |sink| self.certain(engine::convert(&input, git, sink)?))
    }

    /// Refuses placeholders for what may only look damaged, because another program writes to the source.
    fn certain(&self, conversion: Conversion) -> Result<Conversion, ConvertError> {
        let doubtful = conversion.placeholders.iter().any(Placeholder::is_for_damage);
        match !doubtful || self.source.is_calm() {
            true => Ok(conversion),
            false => Err(ConvertError::Files(conversion.broken)),
        }
    }

    /// What a conversion of `changesets` works on.
    pub(super) fn input<'i>(
        &'i self,
        rules: &'i Rules,
        map: &'i IdMap,
        placeholders: &'i Placeholders,
        changesets: &'i [Rev],
    ) -> Input<'i> {
        Input {
            changelog: self.repository().changelog(),
            manifests: self.repository().manifests(),
            filelogs: self.repository(),
            changesets,
            most_edits: usize::MAX,
            map,
            placeholders,
            skip_damaged: self.options().skip_damaged,
            rules,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            progress: self.events,
            interrupt: self.interrupt,
        }
    }
}

/// Hands `write` a place for about the objects of so many changesets. They are on disk when
/// this returns.
pub(super) fn keep<T>(
    git: &BareRepository,
    changesets: usize,
    write: impl FnOnce(&dyn ObjectSink) -> Result<T, ConvertError>,
) -> Result<T, SyncError> {
    let folder = git.pack_folder();
    if changesets <= SMALL {
        let known = git.known()?;
        let rest = PackWriter::new(&folder, git.known()?)?;
        let staging = Staging::new(&folder, known, rest)?;
        let written = write(&staging)?;
        staging.save()?;
        return Ok(written);
    }
    // To read all ids costs less than to look for the objects of so many.
    let known = if changesets > MANY { git.known_to_many()? } else { git.known()? };
    let pack = PackWriter::new(&folder, known)?;
    let written = write(&pack)?;
    pack.save()?;
    Ok(written)
}
