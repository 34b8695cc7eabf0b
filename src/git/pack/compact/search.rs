//! The best delta for one object after the other, among those that came before it.

use std::collections::VecDeque;
use std::rc::Rc;

use super::difference::{Blocks, shared};
use crate::git::ObjectId;
use crate::git::pack::delta;
use crate::git::pack::writer::MAX_DEPTH;
use crate::git::sink::DeltaHint;

/// How many objects are tried as bases.
const WINDOW: usize = 10;
/// How many bytes their texts may have together; one is kept whatever it has.
const WINDOW_BYTES: usize = 32 << 20;

/// An object that may be the base of another one.
struct Candidate {
    id: ObjectId,
    text: Rc<Vec<u8>>,
    /// How deep its chain of deltas is.
    depth: u8,
    /// Made when it is needed.
    blocks: Option<Blocks>,
}

/// What an object is a delta of.
pub(super) struct Found {
    pub base: ObjectId,
    pub delta: Vec<u8>,
    depth: u8,
}

/// The objects that were seen last, the last used at the end.
#[derive(Default)]
pub(super) struct Window {
    candidates: VecDeque<Candidate>,
    bytes: usize,
}

impl Window {
    /// The delta to write instead of an object's text, if it is worth it. The object is a candidate for
    /// those that come after it.
    pub(super) fn delta(&mut self, id: ObjectId, text: &Rc<Vec<u8>>) -> Option<Found> {
        let found = self.best(text);
        let depth = found.as_ref().map_or(0, |(_, found)| found.depth);
        // What was a good base is likely to be one again.
        let used = found.as_ref().and_then(|(place, _)| self.candidates.remove(*place));
        self.candidates.extend(used);
        self.bytes += text.len();
        self.candidates.push_back(Candidate { id, text: text.clone(), depth, blocks: None });
        while self.candidates.len() > 1
            && (self.candidates.len() > WINDOW || self.bytes > WINDOW_BYTES)
        {
            let gone = self.candidates.pop_front();
            self.bytes -= gone.map_or(0, |gone| gone.text.len());
        }
        found.map(|(_, found)| found)
    }

    /// The best delta and the place of its base. A short chain is worth some bytes: what is left of its
    /// length can be used by others.
    fn best(&mut self, text: &[u8]) -> Option<(usize, Found)> {
        let mut best: Option<(usize, Found)> = None;
        for (place, candidate) in self.candidates.iter_mut().enumerate().rev() {
            if candidate.depth >= MAX_DEPTH {
                continue;
            }
            // At the end of a chain a delta must be tiny: else many would have one bad base, and a whole object
            // is the better beginning of another chain.
            let (length, depth) = match &best {
                None => (text.len() / 2, 0),
                Some((_, best)) => (best.delta.len(), best.depth.saturating_sub(1)),
            };
            let worth = length * left(candidate.depth) / left(depth);
            let Some(most) = worth.checked_sub(1) else { continue };
            // So much has no base at all.
            if text.len() > candidate.text.len().saturating_add(most) {
                continue;
            }
            let base = &candidate.text;
            let blocks = candidate.blocks.get_or_insert_with(|| Blocks::of(base));
            let Some(copied) = shared(base, blocks, text, most) else { continue };
            let (id, base_length) = (candidate.id, base.len());
            let hint = DeltaHint { base: id, base_length, copied: &copied };
            let delta = delta::encode(&hint, text).filter(|delta| delta.len() <= most);
            if let Some(delta) = delta {
                best = Some((place, Found { base: id, delta, depth: candidate.depth + 1 }));
            }
        }
        // Nothing is taken on trust that is to replace what there is.
        best.filter(|(place, found)| {
            let base = self.candidates.get(*place).map(|candidate| &candidate.text);
            base.and_then(|base| delta::apply(base, &found.delta, text.len())).as_deref()
                == Some(text)
        })
    }
}

/// How much longer the chain of a candidate can become.
fn left(depth: u8) -> usize {
    usize::from(MAX_DEPTH.saturating_sub(depth)) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::ObjectKind;

    #[test]
    fn chains_end_where_git_ends_them() {
        let mut window = Window::default();
        let mut depths = Vec::new();
        for number in 0..400 {
            let text: Vec<u8> = (0..200)
                .flat_map(|line| format!("line {line} of {}\n", number / (line + 1)).into_bytes())
                .collect();
            let id = ObjectId::of(ObjectKind::Blob, &text);
            let found = window.delta(id, &Rc::new(text));
            depths.push(found.map_or(0, |found| found.depth));
        }
        assert!(depths.iter().all(|depth| *depth <= MAX_DEPTH));
        let whole: Vec<_> = depths.iter().filter(|depth| **depth == 0).collect();
        assert!(whole.len() <= 10, "{depths:?}");
        assert!(depths.iter().any(|depth| *depth > 10));
    }
}
