//! Indexes of every kind, cut and flipped; objects that are not what they should be.

use super::index_file::IndexFile;
use super::*;
use crate::base::ReadAt;
use crate::base::compress::Deflater;
use crate::git::pack::idx::{self, Packed};
use crate::git::pack::reader::index::parse;

fn ids(count: u32) -> Vec<ObjectId> {
    let id = |n: u32| ObjectId::of(ObjectKind::Blob, &n.to_be_bytes());
    let mut ids: Vec<_> = (0..count).map(id).collect();
    ids.sort_unstable();
    ids
}

fn second(count: u32) -> Vec<u8> {
    let packed = (0..).zip(ids(count)).map(|(n, id)| {
        let large = if n % 3 == 0 { 1 << 32 } else { 0 };
        Packed { id, offset: 12 + 100 * n + large, crc: u32::try_from(n).unwrap() ^ 0x5555 }
    });
    idx::encode(&packed.collect::<Vec<_>>(), [7; 20])
}

fn first(count: u32) -> Vec<u8> {
    let ids = ids(count);
    let mut bytes = Vec::new();
    for first in 0..=255 {
        let before = ids.iter().filter(|id| id.as_bytes()[0] <= first).count();
        bytes.extend(u32::try_from(before).unwrap().to_be_bytes());
    }
    for (n, id) in (0_u32..).zip(ids) {
        bytes.extend((12 + 100 * n).to_be_bytes());
        bytes.extend(id.as_bytes());
    }
    bytes.extend([7; 40]);
    bytes
}

fn open(bytes: &[u8]) -> Result<IndexFile, PackError> {
    IndexFile::read(Path::new("x.idx"), ReadAt::Memory(bytes.to_vec()))
}

/// Where an object is, and the checksum of its entry.
type Seen = Option<(u64, Option<u32>)>;

/// Asks for everything.
fn look(index: &mut IndexFile, ids: &[ObjectId]) -> Result<Vec<Seen>, PackError> {
    let mut found = Vec::new();
    for id in ids {
        let Some(indexed) = index.find(id)? else {
            found.push(None);
            continue;
        };
        assert_eq!(index.id(indexed.number)?, *id);
        found.push(Some((indexed.offset, index.crc(indexed.number)?)));
    }
    Ok(found)
}

#[test]
fn an_index_says_the_same_in_parts() {
    for (count, bytes) in [(0, second(0)), (1, second(1)), (3000, second(3000)), (900, first(900))]
    {
        let whole = parse(&bytes).unwrap();
        let mut index = open(&bytes).unwrap();
        assert_eq!((index.len(), index.pack_checksum().unwrap()), (count, [7; 20]));
        let expected = whole.objects.iter().map(|object| Some((object.offset, object.crc)));
        let all: Vec<_> = whole.objects.iter().map(|object| object.id).collect();
        assert_eq!(look(&mut index, &all).unwrap(), expected.collect::<Vec<_>>());
        let others: Vec<_> = ids(4000).into_iter().filter(|id| !all.contains(id)).collect();
        assert!(look(&mut index, &others).unwrap().iter().all(Option::is_none));
    }
}

#[test]
fn an_index_that_is_cut_or_flipped_does_no_harm() {
    let ids = ids(40);
    for bytes in [second(40), first(40)] {
        for end in 0..bytes.len() {
            if let Ok(mut index) = open(&bytes[..end]) {
                // Only offsets beyond 2 GiB are missing.
                assert!(end > 1032 + 40 * 28, "cut at {end}");
                assert!(look(&mut index, &ids).is_err(), "cut at {end}");
            }
        }
        for place in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[place] ^= 0x81;
            if let Ok(mut index) = open(&flipped) {
                let _ = look(&mut index, &ids);
                let _ = index.pack_checksum();
            }
        }
    }
}

#[test]
fn a_loose_object_that_is_wrong_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let id = ObjectId::of(ObjectKind::Blob, b"text");
    let path = loose::path(folder.path(), &id);
    fs::create_dir(path.parent().unwrap()).unwrap();
    let limits = Limits { revision_bytes: 100, ..Limits::default() };
    let mut lookup = Lookup::open(folder.path(), &limits).unwrap();
    assert!(lookup.read(&id).unwrap().is_none());
    let mut read = |text: &[u8]| {
        let mut file = Vec::new();
        Deflater::default().append(text, &mut file);
        fs::write(&path, file).unwrap();
        let place = lookup.find(&id).unwrap().unwrap();
        let size = lookup.size(&id, place).map_err(|error| error.to_string());
        (lookup.read(&id), size)
    };
    let (object, size) = read(b"blob 4\0text");
    assert_eq!(object.unwrap().unwrap(), (Some(ObjectKind::Blob), Rc::new(b"text".to_vec())));
    assert_eq!(size, Ok(4));
    let mut flaw = |text: &[u8]| match read(text).0 {
        Err(ReadError::Loose { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    assert_eq!(flaw(b"blob"), LooseFlaw::Header);
    assert_eq!(flaw(b"blub 4\0text"), LooseFlaw::Header);
    assert_eq!(flaw(b"blob 3\0text"), LooseFlaw::Size { declared: 3, found: 4 });
    assert_eq!(flaw(b"blob 5\0text"), LooseFlaw::Size { declared: 5, found: 4 });
    assert_eq!(flaw(b"blob 101\0text"), LooseFlaw::TooLarge { size: 101, limit: 100 });
    assert!(matches!(read(b"blob 4\0Text").0, Err(ReadError::Id { .. })));
    fs::write(&path, b"no zlib").unwrap();
    assert!(matches!(lookup.read(&id), Err(ReadError::Io { .. })));
}
