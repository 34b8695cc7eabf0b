//! Where the objects that are to be sent lie.

use super::error::OutgoingError;
use super::trees::Objects;
use crate::base::Interrupt;
use crate::git::pack::lookup::{Indexed, Lookup, Place, ReadError};
use crate::git::pack::reader::Payload;

/// The header and the checksum of a pack.
const AROUND: u64 = 32;

/// The places of the new objects, sorted, and about how many bytes their pack has. `note` is told how
/// many each has, by its number.
pub(super) fn arrange(
    lookup: &mut Lookup,
    objects: &Objects,
    note: &mut dyn FnMut(u32, u64),
    interrupt: &Interrupt,
) -> Result<(Vec<(Place, u32)>, u64), OutgoingError> {
    let mut order = Vec::with_capacity(objects.new_count());
    for (number, id) in objects.new_ids() {
        interrupt.check()?;
        let place = lookup.find(&id)?.ok_or(OutgoingError::Missing { id })?;
        order.push((place, number));
    }
    if u32::try_from(order.len()).is_err() {
        return Err(OutgoingError::TooMany { count: order.len() });
    }
    order.sort_unstable();
    let mut bytes = AROUND;
    for group in by_pack(&order) {
        let pack = group.first().and_then(|(place, _)| place.pack());
        let layout = pack.map(|pack| Layout::of(lookup, pack, group, false)).transpose()?;
        for &(place, number) in group {
            let length = if let Some(layout) = &layout {
                layout.length(place.offset())
            } else {
                let id = objects.id(number).unwrap_or_default();
                std::fs::metadata(lookup.path(&id, place)).map_or(0, |data| data.len())
            };
            note(number, length);
            bytes += length;
        }
    }
    Ok((order, bytes))
}

/// The objects of each pack together; loose ones come last.
pub(super) fn by_pack(order: &[(Place, u32)]) -> impl Iterator<Item = &[(Place, u32)]> {
    order.chunk_by(|(one, _), (other, _)| one.pack() == other.pack())
}

/// Where entries of a pack begin and end: all, or those that are asked for and those behind them.
pub(super) struct Layout {
    entries: Vec<Indexed>,
    end: u64,
}

/// If fewer than one in so many objects of a pack is asked for, the others are left out.
const FEW: usize = 8;

impl Layout {
    /// The layout of a pack as far as it matters for the objects of `group`, with their bases or without.
    pub(super) fn of(
        lookup: &mut Lookup,
        number: u32,
        group: &[(Place, u32)],
        with_bases: bool,
    ) -> Result<Self, OutgoingError> {
        let pack = lookup.pack(number)?;
        let end = pack.bytes().map_err(ReadError::from)?.1;
        if group.len().saturating_mul(FEW) >= pack.index.len() as usize {
            return Ok(Self { entries: pack.order().map_err(ReadError::from)?, end });
        }
        let mut offsets: Vec<u64> = group.iter().map(|(place, _)| place.offset()).collect();
        for (place, _) in group.iter().filter(|_| with_bases) {
            let header = pack.header(place.offset()).map_err(ReadError::from)?;
            if let Payload::OffsetDelta(distance) = header.payload {
                offsets.extend(place.offset().checked_sub(distance));
            }
        }
        offsets.sort_unstable();
        offsets.dedup();
        Ok(Self { entries: pack.order_of(&offsets).map_err(ReadError::from)?, end })
    }

    fn place(&self, offset: u64) -> Result<usize, usize> {
        self.entries.binary_search_by_key(&offset, |entry| entry.offset)
    }

    /// The entry that begins at `offset`.
    pub(super) fn entry(&self, offset: u64) -> Option<Indexed> {
        self.entries.get(self.place(offset).ok()?).copied()
    }

    /// How many bytes the entry at `offset` has.
    pub(super) fn length(&self, offset: u64) -> u64 {
        let place = self.place(offset).map_or(self.entries.len(), |place| place + 1);
        let next = self.entries.get(place).map_or(self.end, |entry| entry.offset);
        next.saturating_sub(offset)
    }
}
