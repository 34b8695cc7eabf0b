//! Whether the files of packs are as they were written.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::base::sha1::Sha1;

/// The packs and indexes in `folder` whose last twenty bytes are not the hash of the others.
pub(crate) fn damaged_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut damaged = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let checked = path.extension().is_some_and(|suffix| suffix == "pack" || suffix == "idx");
        if checked && !is_whole(&path)? {
            damaged.push(path);
        }
    }
    damaged.sort();
    Ok(damaged)
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
