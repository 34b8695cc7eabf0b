//! Many small packs made into one, so that a mirror of ten thousand small syncs is read as fast as
//! one of a single large one.
//!
//! Entries are copied as they lie: within a pack, a delta names its base by distance or by id, and
//! both hold wherever the pack's entries come to lie together.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::check::is_whole;
use super::idx::Packed;
use super::reader::index;
use super::writer::Output;
use crate::base::durable::{self, sync_folder};
use crate::git::sink::SinkError;

/// Fewer small packs than this are left as they are.
const MAX_PACKS: usize = 32;
/// How many bytes are merged at a time: work that nobody notices who waits for a sync. A pack of so many is not small.
const MOST_BYTES: u64 = 4 << 20;
/// Bytes of a pack's header and of its trailing checksum.
const HEADER: usize = 12;
const TRAILER: usize = 20;

/// One pack of a folder.
struct Small {
    pack: PathBuf,
    index: PathBuf,
    size: u64,
}

/// Merges the small packs in `folder` if they are many. Returns how many were merged.
///
/// Killed anywhere, every object is still in some pack. Nobody else may write to the folder, and
/// who has it open for reading must open it again.
pub(crate) fn merge_small(folder: &Path) -> Result<usize, SinkError> {
    let io = |source| SinkError::Io { path: folder.to_owned(), source };
    let packs = chosen(list(folder).map_err(io)?);
    merge(folder, &packs).map_err(io)
}

/// Those of `packs` that are merged, by size.
fn chosen(mut packs: Vec<Small>) -> Vec<Small> {
    packs.retain(|pack| pack.size < MOST_BYTES);
    if packs.len() < MAX_PACKS {
        return Vec::new();
    }
    packs.sort_by_key(|pack| pack.size);
    packs.truncate(worth_merging(&packs));
    packs
}

/// How many of the packs, sorted by size, are merged: up to the last that is less than twice as
/// large as all before it together, and not more than can be done quickly. So each byte is copied a
/// logarithmic number of times.
fn worth_merging(packs: &[Small]) -> usize {
    let mut before = 0;
    let mut worth = 0;
    for (at, pack) in packs.iter().enumerate() {
        if before + pack.size > MOST_BYTES {
            break;
        }
        if pack.size < before * 2 {
            worth = at + 1;
        }
        before += pack.size;
    }
    worth
}

/// Files beside a pack that say something about it which would not hold of a merged one.
const COMPANIONS: [&str; 5] = ["keep", "promisor", "mtimes", "bitmap", "rev"];

/// The packs that have an index and nothing else.
fn list(folder: &Path) -> io::Result<Vec<Small>> {
    let mut packs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let pack = entry.path();
        let index = pack.with_extension("idx");
        let is_pack = pack.extension().is_some_and(|suffix| suffix == "pack");
        let alone = !COMPANIONS.iter().any(|suffix| pack.with_extension(suffix).exists());
        if is_pack && index.exists() && alone {
            packs.push(Small { pack, index, size: entry.metadata()?.len() });
        }
    }
    Ok(packs)
}

fn merge(folder: &Path, packs: &[Small]) -> io::Result<usize> {
    if packs.len() < 2 {
        return Ok(0);
    }
    let mut output = Output::new(folder)?;
    let mut written = HashSet::new();
    let mut merged = Vec::with_capacity(packs.len());
    // The largest first: it may be what a killed run made of some of the others.
    for small in packs.iter().rev() {
        // A damaged pack must not get a checksum that says it is sound.
        if !is_whole(&small.pack)? || !is_whole(&small.index)? {
            continue;
        }
        let pack = fs::read(&small.pack)?;
        let Some(objects) = entries_of(&fs::read(&small.index)?) else { continue };
        let end = pack.len().saturating_sub(TRAILER);
        let Some(entries) = pack.get(HEADER..end) else { continue };
        let known = objects.iter().filter(|object| written.contains(&object.id)).count();
        if known == 0 {
            written.extend(objects.iter().map(|object| object.id));
            output.append(entries, objects.into_iter())?;
        } else if known < objects.len() {
            // Git does not want an object twice in a pack.
            continue;
        }
        merged.push(small);
    }
    if merged.len() < 2 {
        return Ok(0);
    }
    let saved = output.save(folder)?;
    // An index of them all, which somebody may have made, names packs that are gone in a moment.
    durable::remove_if_there(&folder.join("multi-pack-index"))?;
    // The index first: an index without its pack is an error to readers.
    for small in merged.iter().filter(|small| small.pack != saved) {
        durable::remove_file(&small.index)?;
        durable::remove_file(&small.pack)?;
    }
    sync_folder(folder)?;
    Ok(merged.len())
}

/// The objects of an index, their offsets counted from the first entry; `None` if it does not have
/// what the new index needs.
fn entries_of(index: &[u8]) -> Option<Vec<Packed>> {
    let objects = index::parse(index).ok()?.objects;
    let objects = objects.iter().map(|object| {
        let offset = object.offset.checked_sub(HEADER as u64)?;
        Some(Packed { id: object.id, offset, crc: object.crc? })
    });
    objects.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::pack::PackWriter;
    use crate::git::sink::{NewObject, ObjectSink};
    use crate::git::staging::Staging;
    use crate::git::{BareRepository, ObjectId, ObjectKind};

    #[test]
    fn forty_small_packs_become_few_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let repository = BareRepository::open_or_create(folder.path(), "master").unwrap();
        let texts: Vec<_> = (0..40).map(|i| format!("{i}\n").repeat(100).into_bytes()).collect();
        for text in &texts {
            let known = repository.known().unwrap();
            let folder = repository.pack_folder();
            let rest = PackWriter::new(&folder, repository.known().unwrap()).unwrap();
            let staging = Staging::new(&folder, known, rest).unwrap();
            let mut writer = staging.writer();
            let id = ObjectId::of(ObjectKind::Blob, text);
            let kind = ObjectKind::Blob;
            writer.write(NewObject { id, kind, contents: text, delta_hint: None }).unwrap();
            writer.finish().unwrap();
            staging.save().unwrap();
        }
        let of_all = repository.pack_folder().join("multi-pack-index");
        fs::write(&of_all, "names packs").unwrap();
        assert_eq!(merge_small(&repository.pack_folder()).unwrap(), 40);
        assert!(!of_all.exists());
        assert_eq!(list(&repository.pack_folder()).unwrap().len(), 1);
        assert_eq!(merge_small(&repository.pack_folder()).unwrap(), 0);
        let repository = BareRepository::open(folder.path()).unwrap();
        assert!(repository.damaged_packs().unwrap().is_empty());
        for text in texts {
            let id = ObjectId::of(ObjectKind::Blob, &text);
            assert_eq!(repository.read(id).unwrap(), Some((ObjectKind::Blob, text)));
        }
    }

    fn packs(sizes: &[u64]) -> Vec<Small> {
        let small = |size: &u64| Small { pack: "p".into(), index: "i".into(), size: *size };
        sizes.iter().map(small).collect()
    }

    #[test]
    fn the_packs_of_a_long_history_are_left_alone() {
        let long = [9 << 20; 50];
        assert_eq!(chosen(packs(&long)).len(), 0);
        let after_some_syncs = [&long[..], &[2000; MAX_PACKS - 1]].concat();
        assert_eq!(chosen(packs(&after_some_syncs)).len(), 0);
        let after_more = [&long[..], &[2000; MAX_PACKS]].concat();
        assert_eq!(chosen(packs(&after_more)).len(), MAX_PACKS);
    }

    #[test]
    fn a_large_pack_is_not_copied_for_a_small_one() {
        let sizes = |sizes: &[u64]| worth_merging(&packs(sizes));
        assert_eq!(sizes(&[1, 1, 1, 1000]), 3);
        assert_eq!(sizes(&[10, 10, 30, 90, 1000]), 4);
        assert_eq!(sizes(&[1, 100, 10_000]), 0);
    }
}
