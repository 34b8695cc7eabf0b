//! What tells of most objects that they are not in a repository, without a look into its packs.
//!
//! Nearly every object that a large conversion makes is new. To find out, each pack would be searched at
//! places that lie all over its index: the more packs there are the longer that takes, and where memory
//! is scarce, each look is one at the disk.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use crate::base::hex;
use crate::git::ObjectId;
use crate::git::pack::indexes;

/// Bits for each object: of a hundred objects that are not there, one at most is taken for one that is.
const BITS: usize = 16;
/// Bits that are set for an object.
const SET: u64 = 4;
/// There is room for so many objects at least.
const ROOM: usize = 1 << 16;
/// What an index of version 2 begins with.
const HEADER: [u8; 8] = [0xff, b't', b'O', b'c', 0, 0, 0, 2];

/// The ids of the objects of a repository, some bits of each.
#[derive(Clone, Debug, Default)]
pub(super) struct IdFilter {
    /// The indexes whose objects are in it.
    packs: BTreeSet<PathBuf>,
    objects: usize,
    /// A power of two of them.
    words: Vec<u64>,
}

impl IdFilter {
    /// Takes in the objects of a repository, whose folder of objects this is, that it does not have yet.
    /// `None` if there may be objects elsewhere.
    pub(super) fn update(mut self, folder: &Path) -> io::Result<Option<Self>> {
        if folder.join("info/alternates").exists() {
            return Ok(None);
        }
        let packs = indexes(&folder.join("pack"))?;
        let mut new = Vec::new();
        for pack in packs.iter().filter(|pack| !self.packs.contains(*pack)) {
            let Some(index) = PackIds::open(pack)? else { return Ok(None) };
            self.objects += index.left;
            new.push(index);
        }
        let bits = self.objects.max(ROOM).saturating_mul(BITS);
        if self.words.len() < bits / 64 {
            // With some room for what comes: to begin anew reads all indexes.
            self.words = vec![0; (bits.saturating_mul(2) / 64).next_power_of_two()];
            new.clear();
            for pack in &packs {
                let Some(index) = PackIds::open(pack)? else { return Ok(None) };
                new.push(index);
            }
        }
        for mut index in new {
            while let Some(id) = index.next_id()? {
                self.insert(id);
            }
        }
        for id in loose(folder)? {
            self.insert(id);
        }
        self.packs = packs.into_iter().collect();
        Ok(Some(self))
    }

    /// Whether an object may be there.
    pub(super) fn may_have(&self, id: ObjectId) -> bool {
        self.places(id).all(|(at, bit)| self.words.get(at).is_some_and(|word| word & bit != 0))
    }

    fn insert(&mut self, id: ObjectId) {
        for (at, bit) in self.places(id) {
            if let Some(word) = self.words.get_mut(at) {
                *word |= bit;
            }
        }
    }

    /// The bits of an object. Ids are hashes, so parts of them are as good as any other.
    fn places(&self, id: ObjectId) -> impl Iterator<Item = (usize, u64)> + use<> {
        let part = |at: usize| {
            let bytes = id.as_bytes().get(at..).and_then(|bytes| bytes.first_chunk());
            u64::from_le_bytes(bytes.copied().unwrap_or_default())
        };
        let (first, step, last) = (part(0), part(8) | 1, self.words.len().wrapping_sub(1));
        (0..SET).map(move |number| {
            let place = first.wrapping_add(number.wrapping_mul(step));
            // More words than fit into a number are not there.
            (usize::try_from(place >> 6).unwrap_or(usize::MAX) & last, 1 << (place & 63))
        })
    }
}

/// The ids in the index of a pack, one after the other.
struct PackIds {
    file: BufReader<File>,
    left: usize,
}

impl PackIds {
    /// Those of the index in this file; `None` of one of another form.
    fn open(path: &Path) -> io::Result<Option<Self>> {
        let mut file = BufReader::with_capacity(64 << 10, File::open(path)?);
        let (mut header, mut counts) = ([0; 8], [[0; 4]; 256]);
        file.read_exact(&mut header)?;
        file.read_exact(counts.as_flattened_mut())?;
        let [.., count] = counts;
        let left = u32::from_be_bytes(count) as usize;
        Ok((header == HEADER).then_some(Self { file, left }))
    }

    fn next_id(&mut self) -> io::Result<Option<ObjectId>> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        let mut id = [0; 20];
        self.file.read_exact(&mut id)?;
        self.left = left;
        Ok(Some(ObjectId::from_bytes(id)))
    }
}

/// The objects that are in a file of their own.
fn loose(folder: &Path) -> io::Result<Vec<ObjectId>> {
    let mut ids = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let first = entry.file_name().into_encoded_bytes();
        if first.len() != 2 || !first.iter().all(u8::is_ascii_hexdigit) {
            continue;
        }
        for file in fs::read_dir(entry.path())? {
            let rest = file?.file_name().into_encoded_bytes();
            let id = hex::decode20(&[&first[..], &rest].concat());
            ids.extend(id.map(ObjectId::from_bytes));
        }
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sha1;

    fn id(number: u32) -> ObjectId {
        ObjectId::from_bytes(sha1::digest(&[&number.to_be_bytes()]))
    }

    /// Writes the beginning of an index with the objects of these numbers.
    fn write(folder: &Path, name: &str, numbers: std::ops::Range<u32>) {
        let mut bytes = HEADER.to_vec();
        bytes.extend([numbers.end - numbers.start; 256].map(u32::to_be_bytes).concat());
        numbers.for_each(|number| bytes.extend(id(number).as_bytes()));
        fs::create_dir_all(folder.join("pack")).unwrap();
        fs::write(folder.join("pack").join(name), bytes).unwrap();
    }

    #[test]
    fn what_is_there_is_never_missed_and_most_else_is_known_not_to_be_there() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        write(folder, "pack-1.idx", 0..1000);
        let loose = id(7_000_000).to_string();
        fs::create_dir(folder.join(&loose[..2])).unwrap();
        fs::write(folder.join(&loose[..2]).join(&loose[2..]), "").unwrap();
        let mut filter = IdFilter::default().update(folder).unwrap().unwrap();
        assert!((0..1000).chain([7_000_000]).all(|number| filter.may_have(id(number))));
        assert!(!filter.may_have(id(7_000_001)));
        // More than there is room for, in another pack; the first is gone.
        write(folder, "pack-2.idx", 1000..200_000);
        fs::remove_file(folder.join("pack/pack-1.idx")).unwrap();
        filter = filter.update(folder).unwrap().unwrap();
        assert!((1000..200_000).all(|number| filter.may_have(id(number))));
        let wrong = (200_000..300_000).filter(|number| filter.may_have(id(*number))).count();
        assert!(wrong < 1000, "{wrong}");
        write(folder, "pack-3.idx", 300_000..300_010);
        filter = filter.update(folder).unwrap().unwrap();
        assert!((1000..200_000).chain(300_000..300_010).all(|at| filter.may_have(id(at))));
        fs::create_dir(folder.join("info")).unwrap();
        fs::write(folder.join("info/alternates"), "/elsewhere\n").unwrap();
        assert!(filter.update(folder).unwrap().is_none());
    }
}
