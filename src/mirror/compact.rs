//! The packs of a cache made smaller, while nobody waits for it: see `git::pack::Compaction`. Which packs
//! are as small as they get is remembered, so that a cache is done part by part, and no part twice.

use std::collections::HashSet;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::cache::{CacheLocation, Layout, LockedCache};
use super::event::{Events, Observer};
use super::{ConvertOptions, SyncError};
use crate::base::durable::{self, replace_file};
use crate::base::{Interrupt, LockedFile};
use crate::git::pack::{Compacted, Compaction, compactable};

/// How long we wait before we look whether a sync is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Which packs of a cache are compacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compact {
    /// All, as one.
    All,
    /// Those that were not yet, the smallest first, if they have at least so many bytes together, and as many
    /// of them as have at most so many.
    New {
        /// What is not worth a search.
        least: u64,
        /// What one run searches.
        most: u64,
    },
}

/// Compacts packs of a cache. `None` if there is nothing to compact, or somebody does so now.
///
/// Syncs of the same cache go on meanwhile: it is locked only for the moment in which one pack takes the
/// place of others. Nothing is lost wherever it ends.
pub fn compact(
    cache: &CacheLocation,
    which: Compact,
    options: &ConvertOptions,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<Option<Compacted>, SyncError> {
    let layout = cache.layout();
    let failed = |source| SyncError::Folder { path: layout.folder().to_owned(), source };
    let folder = layout.git.join("objects");
    let packs = compactable(&folder.join("pack")).map_err(failed)?;
    let done = read(&layout.compacted());
    let Some(packs) = chosen(packs, &done, which) else { return Ok(None) };
    let Some(_lock) = lock(&layout)? else { return Ok(None) };
    clear(layout.folder()).map_err(failed)?;
    let replaced: HashSet<String> = packs.iter().map(|(pack, _)| name(pack)).collect();
    let events = &Events::to(observer);
    let work = (events as _, interrupt);
    let made = Compaction::make(&folder, packs, layout.folder(), &options.limits, work)?;
    let locked = loop {
        match LockedCache::lock(cache, &options.naming.main_name()) {
            Err(SyncError::Locked { .. }) => interrupt.pause(LOOK_AGAIN)?,
            locked => break locked?,
        }
    };
    let recorded = locked.recorded_packs();
    let compacted = made.put()?;
    // Whether the cache was whole is not known any better than before.
    if let Some(recorded) = recorded.filter(|names| replaced.iter().all(|it| names.contains(it))) {
        let others = recorded.into_iter().filter(|name| !replaced.contains(name));
        let mut names: Vec<_> = others.chain([compacted.name.clone()]).collect();
        names.sort();
        locked.record_packs(&names)?;
    }
    let is_there = |name: &String| folder.join("pack").join(format!("{name}.pack")).exists();
    let mut lines: Vec<_> = done.into_iter().filter(is_there).collect();
    lines.push(compacted.name.clone());
    let path = layout.compacted();
    let written = replace_file(&path, (lines.join("\n") + "\n").as_bytes());
    written.map_err(|source| SyncError::Folder { path, source })?;
    Ok(Some(compacted))
}

/// The packs to compact; `None` if it is not worth it.
fn chosen(
    mut packs: Vec<(PathBuf, u64)>,
    done: &HashSet<String>,
    which: Compact,
) -> Option<Vec<(PathBuf, u64)>> {
    if packs.iter().all(|(pack, _)| done.contains(&name(pack))) && packs.len() < 2 {
        return None;
    }
    if let Compact::New { least, most } = which {
        packs.retain(|(pack, _)| !done.contains(&name(pack)));
        packs.sort_by_key(|(_, bytes)| *bytes);
        let mut sum = 0;
        packs.retain(|(_, bytes)| {
            sum += bytes;
            sum <= most
        });
        if packs.iter().map(|(_, bytes)| bytes).sum::<u64>() < least {
            return None;
        }
    }
    (!packs.is_empty()).then_some(packs)
}

/// The names in the file at `path`; none if it is not there, or does not read.
fn read(path: &Path) -> HashSet<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn name(pack: &Path) -> String {
    pack.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Keeps others from doing the same at the same time.
fn lock(layout: &Layout) -> Result<Option<LockedFile>, SyncError> {
    let path = layout.compacting();
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let locked = file.map_err(TryLockError::Error).and_then(LockedFile::try_lock);
    match locked {
        Ok(lock) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(SyncError::Folder { path, source }),
    }
}

/// Removes what a killed run has left.
fn clear(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b"tmp_pack_") {
            durable::remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_new_packs_are_chosen_first_and_none_twice() {
        let pack = |name: &str, bytes| (PathBuf::from(format!("pack-{name}.pack")), bytes);
        let packs = || vec![pack("a", 10), pack("b", 500), pack("c", 20), pack("d", 30)];
        let done = |names: &[&str]| names.iter().map(|name| format!("pack-{name}")).collect();
        let new = |least, most| Compact::New { least, most };
        let names = |done: &HashSet<String>, which| {
            let chosen = chosen(packs(), done, which);
            chosen.map(|packs| packs.iter().map(|(pack, _)| name(pack)).collect::<Vec<_>>())
        };
        let of = |names: &[&str]| Some(names.iter().map(|n| format!("pack-{n}")).collect());
        assert_eq!(names(&done(&[]), new(10, 100)), of(&["a", "c", "d"]));
        assert_eq!(names(&done(&["c"]), new(10, 45)), of(&["a", "d"]));
        assert_eq!(names(&done(&["a", "c", "d"]), new(10, 100)), None);
        assert_eq!(names(&done(&["a", "c", "b"]), new(40, 100)), None);
        assert_eq!(names(&done(&["a"]), Compact::All).map(|names| names.len()), Some(4));
        let one = vec![pack("a", 10)];
        assert_eq!(chosen(one.clone(), &done(&["a"]), Compact::All), None);
        assert_eq!(chosen(one.clone(), &done(&[]), Compact::All), Some(one));
    }
}
