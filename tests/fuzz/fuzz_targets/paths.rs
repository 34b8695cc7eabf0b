//! The names of files in a store, the list of them, and what Git allows in a tree.
#![no_main]

use bstr::ByteSlice;
use libfuzzer_sys::fuzz_target;
use synchroniser::base::RepoPath;
use synchroniser::git::tree::Mode;
use synchroniser::git::tree_name::{forbidden, forbidden_path, impossible_path};
use synchroniser::hg::store::fncache::Fncache;
use synchroniser::hg::store::path_encode::{PathEncoding, encode_folders};
use synchroniser_fuzz::told;

/// What an encoded name was made of, by the words of `hg help internals.revlogs`.
fn decoded(name: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = name;
    loop {
        match rest {
            [] => return Some(out),
            [b'_', b'_', after @ ..] => {
                out.push(b'_');
                rest = after;
            }
            [b'_', letter, after @ ..] => {
                out.push(letter.to_ascii_uppercase());
                rest = after;
            }
            [b'~', high, low, after @ ..] => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                out.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
                rest = after;
            }
            [byte, after @ ..] => {
                out.push(*byte);
                rest = after;
            }
        }
    }
}

fn encode(path: &[u8]) {
    let plain = encode_folders(path);
    assert_eq!(PathEncoding::Plain.encode(path), plain);
    for encoding in [PathEncoding::Store, PathEncoding::Fncache, PathEncoding::Dotencode] {
        let name = encoding.encode(path);
        let is_hashed = encoding != PathEncoding::Store && name.starts_with(b"dh/");
        assert!(name.iter().all(|byte| (0x20..0x7f).contains(byte) && !byte.is_ascii_uppercase()));
        if encoding != PathEncoding::Store {
            assert!(name.len() <= 120);
        }
        if !is_hashed {
            assert_eq!(decoded(&name).as_ref(), Some(&plain), "{:?}", name.as_bstr());
        }
    }
}

fn list(text: &[u8]) {
    let list = match Fncache::parse(text) {
        Ok(list) => list,
        Err(error) => return told(&error),
    };
    assert_eq!(list.is_empty(), text.is_empty());
    assert!(list.len() <= text.lines().count());
    for line in text.lines_with_terminator() {
        let path = line.strip_prefix(b"data/").and_then(|line| line.strip_suffix(b".i\n"));
        let Some(path) = path else { continue };
        // Names in the list have their folders encoded already.
        if encode_folders(path) == path {
            assert!(list.lists(path.into()));
        }
    }
}

fn names(path: &RepoPath) {
    if forbidden_path(path).is_none() {
        assert_eq!(impossible_path(path), None);
    }
    for mode in [Mode::Regular, Mode::Executable, Mode::Symlink, Mode::Directory, Mode::Gitlink] {
        let why = forbidden(path, mode);
        // Whatever may be a directory may be a file.
        if mode == Mode::Regular && why.is_some() {
            assert!(forbidden(path, Mode::Directory).is_some());
        }
        let _ = why.map(|why| why.reason());
    }
}

fuzz_target!(|data: &[u8]| {
    encode(&[b"data/", data, b".i"].concat());
    list(data);
    names(data.into());
});
