//! Whether the files of packs are as they were written.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::base::sha1::Sha1;

/// The packs, their indexes and the index of them all in `folder` whose last twenty bytes are not
/// the hash of the others.
pub(crate) fn damaged_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut damaged = Vec::new();
    for path in files(folder, &[".pack", ".idx", "multi-pack-index"])? {
        if !is_whole(&path)? {
            damaged.push(path);
        }
    }
    Ok(damaged)
}

/// The indexes in `folder`. A pack without one is not in use.
pub(crate) fn indexes(folder: &Path) -> io::Result<Vec<PathBuf>> {
    files(folder, &[".idx"])
}

/// The files in `folder` whose name ends in one of `endings`, sorted.
fn files(folder: &Path, endings: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if endings.iter().any(|ending| name.ends_with(ending.as_bytes())) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// Whether a file ends in the hash of what comes before.
pub(super) fn is_whole(path: &Path) -> io::Result<bool> {
    let file = File::open(path)?;
    let Some(length) = file.metadata()?.len().checked_sub(20) else { return Ok(false) };
    let mut reader = BufReader::new(file);
    let mut hash = Sha1::new();
    let mut block = vec![0; 256 << 10];
    let mut left = length;
    while left > 0 {
        let want = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        let Some(part) = block.get_mut(..want) else { return Ok(false) };
        reader.read_exact(part)?;
        hash.update(part);
        left -= want as u64;
    }
    let mut checksum = [0; 20];
    reader.read_exact(&mut checksum)?;
    Ok(checksum == hash.finish())
}
