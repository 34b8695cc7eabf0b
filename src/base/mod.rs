//! What every layer stands on and no layer owns: bytes, hashes, bounds, patience and blame.
//!
//! Only home of the hashing and compression crates. Nothing here knows what Mercurial or Git is.

pub mod clean;
pub mod compress;
pub mod decompress;
pub mod durable;
pub mod fault;
pub mod fence;
pub mod hex;
pub mod id_table;
pub mod interrupt;
pub mod lazy_bytes;
pub mod limits;
pub mod locked_file;
pub mod memory;
pub mod name_service;
pub mod pipeline;
pub mod progress;
pub mod read_at;
pub mod reader;
pub mod redact;
pub mod repo_path;
pub mod sha1;
pub mod similar;
pub mod sizes;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod time;
pub mod users;

pub(crate) use fault::faults;
pub use fault::{Carried, Cause, Diagnosis, Fault, HasFault, Severity, Side};
pub use fence::{Fence, FenceError, NoFence};
pub use id_table::IdTable;
pub use interrupt::{Interrupt, Interrupted};
pub use lazy_bytes::LazyBytes;
pub use limits::Limits;
pub use locked_file::LockedFile;
pub use progress::{NoProgress, Progress, Stage, Unit};
pub use read_at::ReadAt;
pub use reader::{Reader, ShortRead};
pub use repo_path::{RepoPath, RepoPathBuf};
