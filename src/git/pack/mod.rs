//! Packs and their indexes, written directly: every id, offset and checksum is known when an
//! object is written, so nothing needs to be read again.
//!
//! Formats: pack version 2 and index version 2, `gitformat-pack(5)`.

mod check;
mod compact;
mod delta;
mod idx;
mod lookup;
mod merge;
mod outgoing;
mod reader;
mod writer;

/// The number in the entry of an annotated tag, which is no [`ObjectKind`](crate::git::ObjectKind).
const TAG: u8 = 4;

pub(super) use check::{damaged_files, indexes};
pub use compact::{CompactError, Compacted, Compaction, compactable};
pub use delta::apply as apply_delta;
#[cfg(fuzzing)]
pub(super) use delta::encode as encode_delta;
pub use lookup::{LooseFlaw, ObjectReader, ReadError, ReadObject};
pub(super) use merge::merge_small;
pub use outgoing::{
    Found, LargeFile, MAX_FOUND, Outgoing, OutgoingError, Slice, Wanted, Watch, WorkflowFile,
};
pub use reader::{DeltaFlaw, EntryFlaw, IndexFlaw, Pack, PackContents, PackError, PackFlaw};
pub use writer::{PackWriter, SavedPack};
