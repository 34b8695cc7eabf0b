//! What the fuzz targets of `tests/fuzz` ask of decoders that nobody outside this layer needs. Only
//! there when they are built.

use super::Reference;
use super::destination::receive_pack::{Advertisement, Answer};
use super::pack::encode_delta;
use super::repository::reformatted_packed_refs;
use super::sink::DeltaHint;

/// The text of a file `packed-refs`, read and written again; `None` if it is not one.
pub fn packed_refs(text: &[u8]) -> Option<Vec<u8>> {
    reformatted_packed_refs(text)
}

/// The delta that makes `contents` from the base of `delta_hint`.
pub fn delta(delta_hint: &DeltaHint<'_>, contents: &[u8]) -> Option<Vec<u8>> {
    encode_delta(delta_hint, contents)
}

/// What a server of `git receive-pack` lists, read in pieces of a size: its refs, and whether all was
/// read; `None` if it is no list.
pub fn advertisement(bytes: &[u8], piece: usize) -> Option<(Vec<Reference>, bool)> {
    let mut read = Advertisement::default();
    bytes.chunks(piece.max(1)).try_for_each(|piece| read.feed(piece)).ok()?;
    Some((read.refs.clone(), read.is_complete()))
}

/// What a server answers to a push of the refs `names`, read in pieces of a size: what it says to people,
/// and whether there is a report; `None` if it is no answer.
pub fn answer(
    bytes: &[u8],
    piece: usize,
    names: &[&str],
    has_bands: bool,
) -> Option<(Vec<u8>, bool)> {
    let mut answer = Answer::about(names.iter().copied(), has_bands);
    let mut text = Vec::new();
    for piece in bytes.chunks(piece.max(1)) {
        answer.feed(piece, |said| text.extend_from_slice(said)).ok()?;
    }
    let report = answer.report();
    Some((text, report.is_some_and(|report| report.unpacked.is_some())))
}
