//! How large folders are, and what room there is.

use std::fs;
use std::path::Path;

use rustix::fs::StatVfs;

/// How many bytes the files in `folder` and below it have. What cannot be read counts as nothing: it
/// is an error where it is needed.
pub fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let bytes = entries.flatten().map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => bytes_below(&entry.path()),
        Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |metadata| metadata.len()),
        _ => 0,
    });
    bytes.sum()
}

/// How many bytes whoever is not root may still write to the file system that has `path`, or will have it;
/// `None` if the system does not say.
pub fn bytes_free(path: &Path) -> Option<u64> {
    let found = file_system_of(path)?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

/// The file system that has `path`, or will have it; `None` if the system does not say.
pub fn file_system_of(path: &Path) -> Option<StatVfs> {
    // The last ancestor of a relative path is empty, and is not found, although it stands for the current folder.
    let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    rustix::fs::statvfs(there).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_yet_has_the_room_of_its_folder() {
        for path in ["/", "/not-there/cache", "not-there/cache", "not-there"] {
            assert!(bytes_free(Path::new(path)).is_some(), "{path}");
        }
    }
}
