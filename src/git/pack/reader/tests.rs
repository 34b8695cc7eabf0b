//! Packs that are whole, damaged, and made to do harm.

use std::fs;

use super::*;
use crate::base::NoProgress;
use crate::base::compress::{Deflater, crc32};
use crate::base::sha1;
use crate::git::pack::damaged_files;
use crate::git::pack::idx::{self, Packed};

/// A pack and its index, in a folder of their own.
struct Files {
    folder: tempfile::TempDir,
    pack: Vec<u8>,
    objects: Vec<Packed>,
}

impl Files {
    /// The pack of these entries, each with the id that its index says it has.
    fn new(entries: &[(ObjectId, Vec<u8>)]) -> Self {
        let mut pack = b"PACK\0\0\0\x02".to_vec();
        pack.extend_from_slice(&u32::try_from(entries.len()).unwrap().to_be_bytes());
        let mut objects = Vec::new();
        for (id, bytes) in entries {
            objects.push(Packed { id: *id, offset: pack.len() as u64, crc: crc32(bytes) });
            pack.extend_from_slice(bytes);
        }
        pack.extend_from_slice(&sha1::digest(&[&pack]));
        objects.sort_unstable();
        Self { folder: tempfile::tempdir().unwrap(), pack, objects }
    }

    fn index(&self) -> Vec<u8> {
        idx::encode(&self.objects, *self.pack.last_chunk().unwrap())
    }

    fn write(&self, pack: &[u8], index: &[u8]) {
        fs::write(self.folder.path().join("x.pack"), pack).unwrap();
        fs::write(self.folder.path().join("x.idx"), index).unwrap();
    }

    /// What the reader alone finds, the checksums at the ends not computed.
    fn read(&self, limits: &Limits) -> Result<Vec<ObjectId>, String> {
        let pack = Pack::open(&self.folder.path().join("x.idx"), limits);
        let contents = pack.map_err(|error| told(&error))?;
        let contents = contents.check(&NoProgress, &Interrupt::default());
        if let Some(flaw) = contents.flaws.first() {
            return Err(told(flaw));
        }
        let mut ids: Vec<_> = contents.objects.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    fn ids(&self) -> Vec<ObjectId> {
        self.objects.iter().map(|object| object.id).collect()
    }
}

fn told(error: &PackError) -> String {
    format!("{error}: {}", std::error::Error::source(error).unwrap())
}

fn byte(number: usize) -> u8 {
    u8::try_from(number).unwrap()
}

fn entry(kind: u8, reference: &[u8], payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 1 << 11, "the header below has two bytes");
    let mut out = vec![kind << 4 | 0x80 | byte(payload.len() & 0x0f), byte(payload.len() >> 4)];
    out.extend_from_slice(reference);
    Deflater::default().append(payload, &mut out);
    out
}

fn blob(text: &[u8]) -> ObjectId {
    ObjectId::of(ObjectKind::Blob, text)
}

/// The delta that adds `suffix` to a base of less than 128 bytes.
fn appending(base: &[u8], suffix: &[u8]) -> Vec<u8> {
    let lengths = [base.len(), base.len() + suffix.len()].map(byte);
    [&lengths[..], &[0x90, byte(base.len()), byte(suffix.len())], suffix].concat()
}

/// A tree of objects in an order that no packer chooses: deltas first, then their bases, so that
/// all are of the kind that names its base; and one of the other kind at the end.
fn family() -> Files {
    let root = b"root of them all, with some text".to_vec();
    let mut texts = vec![(root.clone(), None)];
    for i in 0..20_usize {
        let base = texts[i / 2].0.clone();
        let suffix = format!(".{i}").into_bytes();
        texts.push(([base.clone(), suffix.clone()].concat(), Some((base, suffix))));
    }
    let mut entries: Vec<_> = texts
        .iter()
        .rev()
        .map(|(text, made)| match made {
            None => (blob(text), entry(3, &[], text)),
            Some((base, suffix)) => {
                (blob(text), entry(7, blob(base).as_bytes(), &appending(base, suffix)))
            }
        })
        .collect();
    let distance = byte(entries.last().unwrap().1.len());
    let last = [&root[..], b"!"].concat();
    entries.push((blob(&last), entry(6, &[distance], &appending(&root, b"!"))));
    for (kind, number) in [(ObjectKind::Tree, 2), (ObjectKind::Commit, 1)] {
        entries.push((ObjectId::of(kind, b"contents"), entry(number, &[], b"contents")));
    }
    let tag = ObjectId::from_bytes(sha1::digest(&[b"tag 8\0contents"]));
    entries.push((tag, entry(4, &[], b"contents")));
    Files::new(&entries)
}

#[test]
fn every_order_and_every_kind() {
    let files = family();
    files.write(&files.pack, &files.index());
    assert_eq!(files.read(&Limits::default()), Ok(files.ids()));
    assert!(damaged_files(files.folder.path()).unwrap().is_empty());
}

/// Objects are hashed some at a time; what was made of a wrong one before that shows is forgotten.
#[test]
fn what_is_made_of_a_wrong_object_does_not_count() {
    let (root, wrong, next) = (b"the text of the root".to_vec(), "wrong", "next");
    let wrong_text = [&root[..], wrong.as_bytes()].concat();
    let next_text = [&wrong_text[..], next.as_bytes()].concat();
    let other_text = [&root[..], b"other"].concat();
    let named = blob(b"what it is not");
    let delta = |base: ObjectId, text: &[u8], more: &str| {
        entry(7, base.as_bytes(), &appending(text, more.as_bytes()))
    };
    let files = Files::new(&[
        (blob(&root), entry(3, b"", &root)),
        (named, delta(blob(&root), &root, wrong)),
        (blob(&next_text), delta(named, &wrong_text, next)),
        (blob(&other_text), delta(blob(&root), &root, "other")),
        (blob(b"alone"), entry(3, b"", b"alone")),
    ]);
    files.write(&files.pack, &files.index());
    let pack = Pack::open(&files.folder.path().join("x.idx"), &Limits::default()).unwrap();
    let PackContents { objects, flaws } = pack.check(&NoProgress, &Interrupt::default());
    let mut sound: Vec<_> = objects.into_iter().map(|(id, _)| id).collect();
    sound.sort_unstable();
    let mut expected = vec![blob(&root), blob(&other_text), blob(b"alone")];
    expected.sort_unstable();
    assert_eq!(sound, expected);
    assert_eq!(flaws.len(), 1, "{flaws:?}");
    assert!(matches!(&flaws[0], PackError::Entry { id, source: EntryFlaw::Id { found }, .. }
        if *id == named && *found == blob(&wrong_text)));
}

#[test]
fn texts_that_were_let_go_are_made_again() {
    let files = family();
    files.write(&files.pack, &files.index());
    for text_cache_bytes in [0, 1, 40, 80, 120] {
        let limits = Limits { text_cache_bytes, ..Limits::default() };
        assert_eq!(files.read(&limits), Ok(files.ids()), "{text_cache_bytes}");
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let files = family();
    files.write(&files.pack, &files.index());
    let found = files.read(&Limits { revision_bytes: 20, ..Limits::default() }).unwrap_err();
    assert!(found.ends_with("it has 32 bytes, 20 are allowed"), "{found}");
    let found = files.read(&Limits { revision_bytes: 34, ..Limits::default() }).unwrap_err();
    assert!(found.contains("34 are allowed"), "{found}");
    let found = files.read(&Limits { index_bytes: 100, ..Limits::default() }).unwrap_err();
    assert!(found.ends_with("100 are allowed"), "{found}");
}

#[test]
fn every_truncation_is_noticed() {
    let files = family();
    let (pack, index) = (&files.pack, files.index());
    for end in 0..pack.len() {
        files.write(&pack[..end], &index);
        files.read(&Limits::default()).unwrap_err();
    }
    for end in 0..index.len() {
        files.write(pack, &index[..end]);
        files.read(&Limits::default()).unwrap_err();
    }
}

/// Without the checksums at the ends nearly all is found; with them, all.
#[test]
fn every_flip_is_noticed_or_harmless() {
    let files = family();
    let (pack, index) = (&files.pack, files.index());
    let mut harmless = 0;
    let mut look = |pack: &[u8], index: &[u8]| {
        files.write(pack, index);
        if let Ok(found) = files.read(&Limits::default()) {
            assert_eq!(found, files.ids());
            harmless += 1;
        }
        assert!(!damaged_files(files.folder.path()).unwrap().is_empty());
    };
    for place in 0..pack.len() {
        look(&flipped(pack, place), &index);
    }
    for place in 0..index.len() {
        look(pack, &flipped(&index, place));
    }
    // The version of the pack, which becomes 3 or stays, and the index's own checksum.
    assert!(harmless <= 1 + 20, "{harmless}");
}

fn flipped(bytes: &[u8], place: usize) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    flipped[place] ^= 1 << (place % 8);
    flipped
}

/// An attacker writes checksums that fit.
#[test]
fn flips_under_fitting_checksums() {
    let files = family();
    let end = files.pack.len() - 20;
    for place in 12..end {
        let mut pack = flipped(&files.pack[..end], place);
        let mut objects = files.objects.clone();
        for object in &mut objects {
            let start = usize::try_from(object.offset).unwrap();
            let next = files.objects.iter().map(|other| usize::try_from(other.offset).unwrap());
            let next = next.filter(|other| *other > start).min().unwrap_or(end);
            object.crc = crc32(&pack[start..next]);
        }
        let checksum = sha1::digest(&[&pack]);
        pack.extend_from_slice(&checksum);
        files.write(&pack, &idx::encode(&objects, checksum));
        assert!(damaged_files(files.folder.path()).unwrap().is_empty());
        if let Ok(found) = files.read(&Limits::default()) {
            assert_eq!(found, files.ids(), "byte {place}");
        }
    }
}

#[test]
fn damage_names_the_pack_and_the_place() {
    let text = b"text";
    let files = Files::new(&[(blob(b"other"), entry(3, &[], text))]);
    files.write(&files.pack, &files.index());
    let path = files.folder.path().join("x.pack");
    let expected = format!(
        "read the object {} at offset 12 of {}: its contents are those of {}",
        blob(b"other"),
        path.display(),
        blob(text)
    );
    assert_eq!(files.read(&Limits::default()), Err(expected));
}

#[test]
fn deltas_of_themselves_end() {
    let [a, b] = [1, 2].map(|byte| ObjectId::from_bytes([byte; 20]));
    let delta = appending(b"x", b"y");
    let files =
        Files::new(&[(a, entry(7, b.as_bytes(), &delta)), (b, entry(7, a.as_bytes(), &delta))]);
    files.write(&files.pack, &files.index());
    let found = files.read(&Limits::default()).unwrap_err();
    assert!(found.ends_with("it is a delta of itself"), "{found}");
    let files = Files::new(&[(a, entry(6, &[0], &delta))]);
    files.write(&files.pack, &files.index());
    let found = files.read(&Limits::default()).unwrap_err();
    assert!(found.contains("no entry 0 bytes before it"), "{found}");
    let files = Files::new(&[(a, entry(7, b.as_bytes(), &delta))]);
    files.write(&files.pack, &files.index());
    let found = files.read(&Limits::default()).unwrap_err();
    assert!(found.ends_with("is not in the pack"), "{found}");
}

/// A chain as long as no packer makes it, deeper than any stack.
#[test]
fn a_chain_without_end() {
    let text = b"text".to_vec();
    let mut entries = vec![(blob(&text), entry(3, &[], &text))];
    for i in 0..20_000_u32 {
        let base = entries.last().unwrap();
        let distance = byte(base.1.len());
        let next = [&b"text"[..], &i.to_be_bytes()].concat();
        let base_length = if i == 0 { 4 } else { 8 };
        let insert = [&[base_length, 8, 0x90, 4, 4][..], &i.to_be_bytes()].concat();
        entries.push((blob(&next), entry(6, &[distance], &insert)));
    }
    let files = Files::new(&entries);
    files.write(&files.pack, &files.index());
    let limits = Limits { text_cache_bytes: 0, ..Limits::default() };
    assert_eq!(files.read(&limits), Ok(files.ids()));
}
