//! Files that survive a power cut, and directories that remember them.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Replaces the file at `path` by one with `contents`, so that a reader, or a restart after a crash
/// at any moment, sees the old file or the new one and never a mixture.
pub fn replace_file(path: &Path, contents: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut file = tempfile::Builder::new().prefix(".tmp-").tempfile_in(folder)?;
    file.write_all(contents)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    sync_folder(folder)
}

/// Makes the entries of `folder` durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
