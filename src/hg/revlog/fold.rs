//! Many deltas in a row, applied at once: a large text is copied once then, and not for each of them.

use super::Delta;
use super::delta::DeltaError;

/// Smaller texts are copied as fast as anything could be saved.
pub(super) const WORTHWHILE: usize = 16 << 10;

/// To go over a piece takes as long as to copy so many bytes.
const PIECE: usize = 64;

/// Replacements are held up to this part of the size of the base text.
const ADDED: usize = 8;

/// What a text is after some deltas: pieces of it, and of what they added.
pub(super) struct Folded {
    /// How long the text is that the first delta is against.
    base: usize,
    /// How long the text is now.
    length: usize,
    pieces: Vec<Piece>,
    /// Replacements.
    added: Vec<u8>,
}

/// Bytes of the base text, or of what was added.
#[derive(Clone, Copy)]
struct Piece {
    is_added: bool,
    start: usize,
    length: usize,
}

impl Folded {
    /// A text of `length` bytes as it is.
    pub(super) fn new(length: usize) -> Self {
        let whole = Piece { is_added: false, start: 0, length };
        Self { base: length, length, pieces: vec![whole], added: Vec::new() }
    }

    /// How long the text is now.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether so much was applied that to make the text costs less than to go on.
    pub(super) fn is_full(&self) -> bool {
        let cost = self.pieces.len().saturating_mul(PIECE);
        cost.saturating_add(self.added.len().saturating_mul(ADDED)) > self.base
    }

    /// Applies a delta against what the text is now.
    pub(super) fn apply(&mut self, delta: &Delta) -> Result<(), DeltaError> {
        let length = delta.result_length(self.length)?;
        let old = std::mem::take(&mut self.pieces);
        let mut rest = old.into_iter();
        // The piece that is at hand, of which some may be taken already.
        let mut at_hand = rest.next();
        let mut taken = 0;
        let mut take = |up_to: usize, pieces: Option<&mut Vec<Piece>>| {
            let mut pieces = pieces;
            while taken < up_to {
                let Some(piece) = at_hand else { break };
                let length = piece.length.min(up_to - taken);
                if let Some(pieces) = pieces.as_deref_mut().filter(|_| length > 0) {
                    pieces.push(Piece { length, ..piece });
                }
                taken += length;
                at_hand = if length < piece.length {
                    let (start, length) = (piece.start + length, piece.length - length);
                    Some(Piece { start, length, ..piece })
                } else {
                    rest.next()
                };
            }
        };
        for fragment in delta.fragments() {
            take(fragment.start, Some(&mut self.pieces));
            take(fragment.end, None);
            let (start, length) = (self.added.len(), fragment.replacement.len());
            if length > 0 {
                self.pieces.push(Piece { is_added: true, start, length });
                self.added.extend_from_slice(fragment.replacement);
            }
        }
        take(self.length, Some(&mut self.pieces));
        self.length = length;
        Ok(())
    }

    /// The text, made of `base` in a buffer.
    pub(super) fn text(&self, base: &[u8], mut buffer: Vec<u8>) -> Vec<u8> {
        buffer.clear();
        buffer.reserve_exact(self.length);
        for piece in &self.pieces {
            let from = if piece.is_added { &self.added } else { base };
            let bytes = from.get(piece.start..piece.start.saturating_add(piece.length));
            buffer.extend_from_slice(bytes.unwrap_or_default());
        }
        buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn all_at_once_makes_the_same_text(
            base in proptest::collection::vec(0..9u8, 0..60),
            deltas in proptest::collection::vec(
                proptest::collection::vec((0..20u32, 0..6u32, proptest::collection::vec(10..19u8, 0..7)), 0..4),
                0..6,
            ),
        ) {
            let (mut folded, mut text) = (Folded::new(base.len()), base.clone());
            for ranges in &deltas {
                let (mut bytes, mut at) = (Vec::new(), 0);
                for (skip, length, new) in ranges {
                    let (start, end) = (at + skip, at + skip + length);
                    let count = u32::try_from(new.len()).unwrap();
                    bytes.extend([start, end, count].map(u32::to_be_bytes).concat());
                    bytes.extend(new);
                    at = end;
                }
                let delta = Delta::parse(bytes).unwrap();
                let next = delta.apply(&text);
                let done = folded.apply(&delta);
                proptest::prop_assert_eq!(next.as_ref().err(), done.as_ref().err());
                let Ok(next) = next else { break };
                text = next;
                proptest::prop_assert_eq!(folded.length(), text.len());
                proptest::prop_assert_eq!(&folded.text(&base, Vec::new()), &text);
            }
        }
    }
}
