//! Bundles: containers, parts, changegroups, and the small lists beside them.
#![no_main]

use std::fmt::Write as _;
use std::io::Read;

use libfuzzer_sys::fuzz_target;
use synchroniser::hg::bundle::{Bundle, BundleError, Content, Item, Part};
use synchroniser_fuzz::{limits, told};

/// Bytes, at most so many at a time.
struct Slowly<'a>(&'a [u8], usize);

impl Read for Slowly<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> std::io::Result<usize> {
        let room = bytes.len().min(self.1);
        self.0.read(&mut bytes[..room])
    }
}

/// Everything that is in a bundle, put into `out`.
fn read(data: &[u8], step: usize, out: &mut String) -> Result<(), BundleError> {
    let mut bundle = Bundle::open(Slowly(data, step), &limits())?;
    write!(out, "{:?}", bundle.header()).expect("a string takes all");
    while let Some(mut part) = bundle.next_part()? {
        write!(out, "{:?}", part.header()).expect("a string takes all");
        content(&mut part, out)?;
    }
    bundle.finish()
}

fn content(part: &mut Part<'_, '_>, out: &mut String) -> Result<(), BundleError> {
    match part.content()? {
        Content::Changegroup(mut group) => {
            let mut groups = 0;
            while let Some(item) = group.next_item()? {
                match &item {
                    Item::Group(_) => groups += 1,
                    Item::Revision(revision) => {
                        assert!(groups > 0);
                        let longest = revision.delta.fragments().map(|f| f.replacement.len()).max();
                        assert!(longest.unwrap_or(0) <= limits().revision_bytes + 12);
                    }
                }
                write!(out, "{item:?}").expect("a string takes all");
            }
            assert!(groups >= 2);
        }
        Content::PhaseHeads(heads) => write!(out, "{heads:?}").expect("a string takes all"),
        Content::Bookmarks(marks) => write!(out, "{marks:?}").expect("a string takes all"),
        Content::ListKeys(keys) => write!(out, "{keys:?}").expect("a string takes all"),
        Content::ObsMarkers { markers, .. } => {
            write!(out, "{markers:?}").expect("a string takes all")
        }
        Content::TagsFileNodes(nodes) => write!(out, "{nodes:?}").expect("a string takes all"),
        Content::Stream { requirements, mut stream, .. } => {
            assert!(requirements.iter().all(|name| !name.is_empty()));
            while let Some(file) = stream.next_file()? {
                let mut start = [0; 16];
                let read = stream.read(&mut start).unwrap_or_default();
                assert!(read as u64 <= file.size);
                write!(out, "{file:?}").expect("a string takes all");
            }
        }
        Content::Opaque => {
            part.skip()?;
        }
    }
    Ok(())
}

/// Whether the bytes of a bundle go through a decompressor.
fn is_compressed(data: &[u8]) -> bool {
    Bundle::open(data, &limits()).is_ok_and(|bundle| bundle.header().compression.is_some())
}

// The same comes out, and is wrong at the same place, in whatever pieces the bytes come in. Only a
// decompressor notices what is wrong sooner or later.
fuzz_target!(|data: &[u8]| {
    let (mut at_once, mut slowly) = (String::new(), String::new());
    let first = read(data, usize::MAX, &mut at_once);
    let second = read(data, 3, &mut slowly);
    if let Err(error) = &first {
        told(error);
    }
    assert_eq!(first.is_ok(), second.is_ok());
    if first.is_ok() || !is_compressed(data) {
        let words = |result: Result<(), BundleError>| result.map_err(|error| error.to_string());
        assert_eq!(words(first), words(second));
        assert_eq!(at_once, slowly);
    }
});
