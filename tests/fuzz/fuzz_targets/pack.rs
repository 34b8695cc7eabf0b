//! Packs of Git: indexes, headers, deltas; as they come, and with everything right but the deltas.
#![no_main]

use std::collections::BTreeMap;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use synchroniser::base::compress::{Deflater, crc32};
use synchroniser::base::{Interrupt, NoProgress, sha1};
use synchroniser::git::pack::{Pack, PackContents, apply_delta};
use synchroniser::git::{ObjectId, ObjectKind};
use synchroniser_fuzz::{Input, limits, told};

fn read(index: &[u8], pack: Vec<u8>) -> Option<PackContents> {
    match Pack::from_bytes(Path::new("fuzzed.pack"), index, pack, &limits()) {
        Ok(pack) => {
            let (objects, is_empty) = (pack.len(), pack.is_empty());
            assert_eq!(is_empty, objects == 0);
            let contents = pack.check(&NoProgress, &Interrupt::default());
            contents.flaws.iter().for_each(|flaw| told(flaw));
            assert!(contents.objects.len() <= objects);
            assert!(contents.objects.len() == objects || !contents.flaws.is_empty());
            Some(contents)
        }
        Err(error) => {
            told(&error);
            None
        }
    }
}

/// A pack in the making.
#[derive(Default)]
struct Recipe {
    pack: Vec<u8>,
    /// Where each entry begins, and what it must be if it can be made.
    entries: Vec<(usize, Option<Vec<u8>>)>,
    index: BTreeMap<ObjectId, (usize, u32)>,
    /// Whether everything can be made.
    is_sound: bool,
}

impl Recipe {
    fn header(&mut self, kind: u8, mut size: usize) {
        let mut byte = kind << 4 | (size & 15) as u8;
        size >>= 4;
        while size > 0 {
            self.pack.push(byte | 0x80);
            byte = (size & 0x7f) as u8;
            size >>= 7;
        }
        self.pack.push(byte);
    }

    fn distance(&mut self, mut distance: usize) {
        let mut bytes = vec![(distance & 0x7f) as u8];
        while distance >= 0x80 {
            distance = (distance >> 7) - 1;
            bytes.insert(0, (distance & 0x7f) as u8 | 0x80);
        }
        self.pack.extend(bytes);
    }

    /// Adds a blob, or a delta of one before it. What was added before under that id stays.
    fn add(&mut self, base: u8, by_id: bool, bytes: &[u8]) {
        let start = self.pack.len();
        let base = usize::from(base).checked_sub(1).and_then(|at| {
            let at = at % self.entries.len().max(1);
            Some((self.entries.get(at)?.0, self.entries.get(at)?.1.clone()))
        });
        let text = match &base {
            None => Some(bytes.to_vec()),
            Some((_, text)) => {
                text.as_ref().and_then(|text| apply_delta(text, bytes, limits().revision_bytes))
            }
        };
        // One that cannot be made has an id all the same.
        let shown = text.clone().unwrap_or_else(|| [b"broken", &start.to_be_bytes()[..]].concat());
        let id = ObjectId::of(ObjectKind::Blob, &shown);
        if self.index.contains_key(&id) {
            return;
        }
        self.is_sound &= text.is_some();
        match base {
            None => self.header(3, bytes.len()),
            Some((_, Some(text))) if by_id => {
                self.header(7, bytes.len());
                self.pack.extend(ObjectId::of(ObjectKind::Blob, &text).as_bytes());
            }
            Some((at, _)) => {
                self.header(6, bytes.len());
                self.distance(start - at);
            }
        }
        Deflater::default().append(bytes, &mut self.pack);
        let crc = crc32(&self.pack[start..]);
        self.index.insert(id, (start, crc));
        self.entries.push((start, text));
    }

    fn finish(mut self) -> (Vec<u8>, Vec<u8>) {
        let count = u32::try_from(self.index.len()).expect("an input is short").to_be_bytes();
        self.pack[8..12].copy_from_slice(&count);
        self.pack.extend(sha1::digest(&[&self.pack]));
        let mut index = b"\xfftOc\0\0\0\x02".to_vec();
        for first in 0..=u8::MAX {
            let up_to = self.index.keys().filter(|id| id.as_bytes()[0] <= first).count();
            index.extend(u32::try_from(up_to).expect("an input is short").to_be_bytes());
        }
        self.index.keys().for_each(|id| index.extend(id.as_bytes()));
        self.index.values().for_each(|(_, crc)| index.extend(crc.to_be_bytes()));
        self.index.values().for_each(|(at, _)| index.extend((*at as u32).to_be_bytes()));
        index.extend(&self.pack[self.pack.len() - 20..]);
        index.extend(sha1::digest(&[&index]));
        (index, self.pack)
    }
}

/// Everything is as it should be but, perhaps, the deltas.
fn recipe(mut input: Input<'_>) {
    let mut recipe =
        Recipe { pack: b"PACK\0\0\0\x02\0\0\0\0".to_vec(), is_sound: true, ..Recipe::default() };
    while !input.is_empty() && recipe.entries.len() < 64 {
        let (base, by_id) = (input.byte(), input.byte() & 1 == 1);
        recipe.add(base, by_id, input.part());
    }
    let wanted = recipe.index.len();
    let made = recipe.entries.iter().filter(|(_, text)| text.is_some()).count();
    let is_sound = recipe.is_sound;
    let (index, pack) = recipe.finish();
    let contents = read(&index, pack).expect("it opens");
    assert_eq!(contents.objects.len(), made);
    assert_eq!(contents.flaws.is_empty(), is_sound);
    assert!(made <= wanted);
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    if input.byte().is_multiple_of(2) {
        recipe(input);
    } else {
        let index = input.part();
        read(index, input.rest().to_vec());
    }
});
