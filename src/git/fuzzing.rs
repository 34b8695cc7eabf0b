//! What the fuzz targets of `tests/fuzz` ask of decoders that nobody outside this layer needs. Only
//! there when they are built.

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
