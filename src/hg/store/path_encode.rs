//! How the name of a tracked file becomes the name of the file that holds its history.
//!
//! Source: `hg help internals.revlogs`, section "Mapping filename to filelog and path encoding",
//! the wiki page `fncacheRepoFormat`, and the names that Mercurial itself makes
//! (`fixtures/store/path_encode.tsv`).

use crate::base::{hex, sha1};

/// Which of the four encodings a repository uses; its requirements say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathEncoding {
    /// No `store`: names stay as they are, but for folders that look like revlogs.
    Plain,
    /// `store`: upper case, control bytes and what Windows refuses are escaped.
    Store,
    /// `store` and `fncache`: reserved names are escaped too, and long names are hashed.
    Fncache,
    /// `store`, `fncache` and `dotencode`: a leading dot or space is escaped as well.
    Dotencode,
}

/// The longest name that is kept; a longer one is hashed.
const LONGEST_NAME: usize = 120;
/// How many bytes of each folder's name a hashed name keeps.
const FOLDER_BYTES: usize = 8;
/// How many bytes a hashed name spends on folders, the slashes between them included: enough for
/// eight of them and a shorter ninth.
const FOLDERS_BYTES: usize = 68;

impl PathEncoding {
    /// The name under which `path` stands in the store. `path` is relative to the store and not
    /// encoded, such as `data/src/Main.java.i`.
    pub fn encode(self, path: &[u8]) -> Vec<u8> {
        let path = encode_folders(path);
        match self {
            Self::Plain => path,
            Self::Store => escape(&path, Case::Mark),
            Self::Fncache | Self::Dotencode => {
                let dots = self == Self::Dotencode;
                let name = escape_reserved(&escape(&path, Case::Mark), dots);
                if name.len() <= LONGEST_NAME { name } else { hashed_name(&path, dots) }
            }
        }
    }
}

/// `path` with `.hg` added to every folder that could be taken for a revlog: those that end in
/// `.i`, `.d` or `.hg`. Names in `fncache` are encoded so, and no further.
pub fn encode_folders(path: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::with_capacity(path.len() + 8);
    let mut folders = path.split(|&byte| byte == b'/').peekable();
    while let Some(component) = folders.next() {
        encoded.extend_from_slice(component);
        if folders.peek().is_some() {
            if [&b".i"[..], b".d", b".hg"].iter().any(|suffix| component.ends_with(suffix)) {
                encoded.extend_from_slice(b".hg");
            }
            encoded.push(b'/');
        }
    }
    encoded
}

/// The path that [`encode_folders`] has made this of.
pub fn decode_folders(encoded: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(encoded.len());
    let mut folders = encoded.split(|&byte| byte == b'/').peekable();
    while let Some(component) = folders.next() {
        let is_folder = folders.peek().is_some();
        let marked = [&b".i.hg"[..], b".d.hg", b".hg.hg"];
        match component.strip_suffix(b".hg") {
            Some(plain) if is_folder && marked.iter().any(|end| component.ends_with(end)) => {
                path.extend_from_slice(plain);
            }
            _ => path.extend_from_slice(component),
        }
        if is_folder {
            path.push(b'/');
        }
    }
    path
}

/// What becomes of upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    /// `A` becomes `_a`, and `_` becomes `__`, so that it can be undone.
    Mark,
    /// `A` becomes `a`, and `_` stays; the hash tells names apart.
    Fold,
}

/// Escapes each byte that some file system cannot hold or folds.
fn escape(path: &[u8], case: Case) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len() + 8);
    for &byte in path {
        match byte {
            b'A'..=b'Z' if case == Case::Mark => {
                escaped.extend_from_slice(&[b'_', byte.to_ascii_lowercase()]);
            }
            b'A'..=b'Z' => escaped.push(byte.to_ascii_lowercase()),
            b'_' if case == Case::Mark => escaped.extend_from_slice(b"__"),
            b'\\' | b':' | b'*' | b'?' | b'"' | b'<' | b'>' | b'|' => {
                push_hex(&mut escaped, byte);
            }
            0..=0x1f | 0x7e..=0xff => push_hex(&mut escaped, byte),
            _ => escaped.push(byte),
        }
    }
    escaped
}

/// Escapes the components that Windows reserves or would shorten: device names with or without
/// an extension, a dot or space at the end, and with `dots` one at the start too.
fn escape_reserved(path: &[u8], dots: bool) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(path.len() + 8);
    for (i, component) in path.split(|&byte| byte == b'/').enumerate() {
        if i > 0 {
            escaped.push(b'/');
        }
        escape_component(&mut escaped, component, dots);
    }
    escaped
}

fn escape_component(out: &mut Vec<u8>, component: &[u8], dots: bool) {
    let start = out.len();
    match component {
        [first @ (b'.' | b' '), rest @ ..] if dots => {
            push_hex(out, *first);
            out.extend_from_slice(rest);
        }
        [a, b, third, rest @ ..] if is_device(component) => {
            out.extend_from_slice(&[*a, *b]);
            push_hex(out, *third);
            out.extend_from_slice(rest);
        }
        _ => out.extend_from_slice(component),
    }
    let last = out.get(start..).and_then(<[u8]>::last).copied();
    if let Some(last @ (b'.' | b' ')) = last {
        out.pop();
        push_hex(out, last);
    }
}

/// Whether `component` up to its first dot is the name of a Windows device.
fn is_device(component: &[u8]) -> bool {
    let stem = component.split(|&byte| byte == b'.').next().unwrap_or_default();
    match stem {
        b"aux" | b"con" | b"nul" | b"prn" => true,
        [name @ .., b'1'..=b'9'] => matches!(name, b"com" | b"lpt"),
        _ => false,
    }
}

/// The name of a path whose escaped name is too long: the beginnings of its folders, of its last
/// component, the SHA-1 of `path` (folders encoded, nothing escaped), and its extension.
fn hashed_name(path: &[u8], dots: bool) -> Vec<u8> {
    let digest = hex::encode(&sha1::digest(&[path]));
    let below_data = path.splitn(2, |&byte| byte == b'/').nth(1).unwrap_or(path);
    let escaped = escape_reserved(&escape(below_data, Case::Fold), dots);
    let (folders, name) = match escaped.iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (escaped.get(..slash), escaped.get(slash + 1..).unwrap_or_default()),
        None => (None, escaped.as_slice()),
    };
    let mut hashed = b"dh/".to_vec();
    if let Some(folders) = folders {
        push_short_folders(&mut hashed, folders);
    }
    let extension = extension(name);
    let used = hashed.len() + digest.len() + extension.len();
    let kept = LONGEST_NAME.saturating_sub(used).min(name.len());
    hashed.extend_from_slice(name.get(..kept).unwrap_or_default());
    hashed.extend_from_slice(digest.as_bytes());
    hashed.extend_from_slice(extension);
    hashed
}

/// Adds the beginnings of as many of `folders` as there is room for, each with its slash.
fn push_short_folders(out: &mut Vec<u8>, folders: &[u8]) {
    let start = out.len();
    for folder in folders.split(|&byte| byte == b'/') {
        let short = folder.get(..FOLDER_BYTES).unwrap_or(folder);
        if out.len() - start + short.len() > FOLDERS_BYTES {
            break;
        }
        out.extend_from_slice(short);
        // A cut may leave at the end what escaping took care of.
        if let Some(last @ (b'.' | b' ')) = out.last_mut() {
            *last = b'_';
        }
        out.push(b'/');
    }
}

/// The last dot of `name` and what follows; nothing where only dots stand before it.
fn extension(name: &[u8]) -> &[u8] {
    let Some(dot) = name.iter().rposition(|&byte| byte == b'.') else { return b"" };
    let (stem, extension) = name.split_at_checked(dot).unwrap_or((name, b""));
    if stem.iter().all(|&byte| byte == b'.') { b"" } else { extension }
}

fn push_hex(out: &mut Vec<u8>, byte: u8) {
    out.push(b'~');
    out.extend_from_slice(hex::encode(&[byte]).as_bytes());
}

#[cfg(test)]
mod tests {
    use bstr::BString;
    use proptest::prelude::*;

    use super::super::testing::unhex;
    use super::*;

    const ALL: [PathEncoding; 4] =
        [PathEncoding::Plain, PathEncoding::Store, PathEncoding::Fncache, PathEncoding::Dotencode];

    fn expect(encoding: PathEncoding, plain: &[u8], expected: &[u8]) {
        let made = encoding.encode(plain);
        assert_eq!(
            BString::from(made),
            BString::from(expected),
            "{encoding:?} of {:?}",
            BString::from(plain)
        );
    }

    #[test]
    fn names_are_those_that_mercurial_makes() {
        let table = include_str!("../../../fixtures/store/path_encode.tsv");
        let mut count = 0;
        for line in table.lines() {
            let columns: Vec<&str> = line.split('\t').collect();
            let path = unhex(columns[0]);
            let index = [b"data/", &path[..], b".i"].concat();
            let data = [b"data/", &path[..], b".d"].concat();
            let mut name = index.clone();
            for (i, encoding) in ALL.into_iter().enumerate() {
                if columns[i + 1] != "=" {
                    name = unhex(columns[i + 1]);
                }
                expect(encoding, &index, &name);
                let mut data_name = name.clone();
                *data_name.last_mut().unwrap() = b'd';
                if i >= 2 && columns.len() > 5 {
                    data_name = unhex(columns[i + 3]);
                }
                expect(encoding, &data, &data_name);
            }
            count += 1;
        }
        assert!(count > 2000, "only {count} vectors");
    }

    proptest! {
        #[test]
        fn folders_are_decoded_to_what_they_were(path in "[a.]?(/?[ab]?(\\.i|\\.d|\\.hg){0,3}/?){0,5}") {
            let path = path.as_bytes();
            prop_assert_eq!(decode_folders(&encode_folders(path)), path);
        }

        #[test]
        fn any_bytes_give_a_short_safe_name(path in prop::collection::vec(any::<u8>(), 0..400)) {
            let path = [b"data/", &path[..], b".i"].concat();
            for encoding in ALL {
                let name = encoding.encode(&path);
                if matches!(encoding, PathEncoding::Fncache | PathEncoding::Dotencode) {
                    prop_assert!(name.len() <= LONGEST_NAME);
                    prop_assert!(name.iter().all(|byte| (0x20..0x7f).contains(byte)));
                    prop_assert!(!name.iter().any(u8::is_ascii_uppercase));
                }
            }
        }
    }
}
