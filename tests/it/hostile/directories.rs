//! Manifests of directories that are cut, flipped and made up: an error, or manifests as they were.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, HasFault, Limits, RepoPath, RepoPathBuf, hex};
use synchroniser::hg::manifest::{DirectoryManifests, Manifest, Manifests};
use synchroniser::hg::revlog::{Revlog as Read, RevlogError};

use super::store::{Hash, Revlog};

/// The index of each directory's revlog, which holds its data too; the top one's path is empty.
#[derive(Clone, Debug, Default)]
struct Directories(BTreeMap<RepoPathBuf, Vec<u8>>);

impl DirectoryManifests for Directories {
    fn open(&self, path: &RepoPath, limits: &Limits) -> Result<Option<Read>, RevlogError> {
        let index = self.0.get(path).cloned();
        let open = |index| Read::from_bytes(&path.to_string(), index, Vec::new(), limits);
        index.map(open).transpose()
    }
}

fn limits() -> Limits {
    Limits { revision_bytes: 1 << 12, ..Limits::default() }
}

impl Directories {
    fn manifests(&self) -> Result<Manifests, RevlogError> {
        let root = self.open(b"".as_slice().into(), &limits())?.unwrap();
        Ok(Manifests::of_directories(root, Box::new(self.clone()), &limits()))
    }

    /// Each manifest, read by one reader after the other, and by a reader of its own.
    fn read(&self) -> Result<Vec<Result<Vec<u8>, RevlogError>>, RevlogError> {
        let manifests = self.manifests()?;
        let mut reader = manifests.reader();
        let mut texts = Vec::new();
        for rev in manifests.revlog().revs() {
            let text = reader.text(rev).map(|text| text.to_vec());
            let alone = manifests.reader().text(rev).map(|text| text.to_vec());
            // What came before makes no difference.
            assert_eq!(text.as_ref().ok(), alone.as_ref().ok(), "{text:?} {alone:?}");
            texts.push(text);
        }
        Ok(texts)
    }
}

fn told(error: &RevlogError) {
    assert!(matches!(error.fault(), Fault::Corrupt | Fault::Unsupported), "{error}");
    assert!(!error.to_string().is_empty());
}

/// The texts of directories, from the deepest to the top one. `@PATH REV` in one stands for the node
/// of another.
type Texts = Vec<(&'static str, Vec<Vec<u8>>)>;

fn texts() -> Texts {
    let lines = |lines: &[&str]| {
        let line = |line: &&str| format!("{}\n", line.replacen(' ', "\0", 1)).into_bytes();
        lines.iter().flat_map(line).collect::<Vec<u8>>()
    };
    let node = "1234567890".repeat(4);
    let file = |name: &str| format!("{name} {node}");
    vec![
        ("a/b/", vec![lines(&[&file("f")]), lines(&[&file("f"), &format!("{}x", file("g"))])]),
        ("a/", vec![lines(&["b @a/b/ 0@t", &file("c")]), lines(&["b @a/b/ 1@t", &file("c")])]),
        ("c/", vec![lines(&[&file("x")])]),
        (
            "",
            vec![
                lines(&["a @a/ 0@t", &file("a.b"), "c @c/ 0@t"]),
                lines(&["a @a/ 1@t", &file("a.b"), "c @c/ 0@t", &format!("{}l", file("d"))]),
                lines(&["a @a/ 1@t"]),
            ],
        ),
    ]
}

/// Revlogs of these texts, with what stands for nodes replaced.
fn revlogs(texts: &Texts) -> Directories {
    let mut nodes: BTreeMap<String, Hash> = BTreeMap::new();
    let mut all = Directories::default();
    for (path, texts) in texts {
        let mut log = Revlog::default();
        for (rev, text) in (0..).zip(texts) {
            let mut text = text.clone();
            for (name, node) in &nodes {
                text = bstr::ByteSlice::replace(&*text, name, hex::encode(node));
            }
            log.push(&text, [rev - 1, -1]);
            let node = log.0.last().unwrap().node;
            nodes.insert(format!("@{path} {rev}@"), node);
        }
        all.0.insert((*path).into(), log.to_bytes(true).0);
    }
    all
}

#[test]
fn directories_are_read_as_one_manifest() {
    let read = revlogs(&texts()).read().unwrap();
    let paths = |text: &Result<Vec<u8>, RevlogError>| -> Vec<String> {
        let text = text.as_ref().unwrap();
        Manifest::new(text).lines().map(|line| line.unwrap().path.to_string()).collect()
    };
    assert_eq!(paths(&read[0]), ["a.b", "a/b/f", "a/c", "c/x"]);
    assert_eq!(paths(&read[1]), ["a.b", "a/b/f", "a/b/g", "a/c", "c/x", "d"]);
    assert_eq!(paths(&read[2]), ["a/b/f", "a/b/g", "a/c"]);
}

/// Every prefix of the bytes, and the bytes with one of them changed.
fn mangled(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let prefixes = (0..bytes.len()).map(|end| bytes[..end].to_vec());
    let flips = (0..bytes.len()).flat_map(|place| [1 << (place % 8), 0xff].map(|by| (place, by)));
    prefixes.chain(flips.map(|(place, by)| {
        let mut bytes = bytes.to_vec();
        bytes[place] ^= by;
        bytes
    }))
}

#[test]
fn cut_and_flipped_revlogs_are_errors_or_change_nothing() {
    let start = Instant::now();
    let whole = revlogs(&texts());
    let sound: Vec<Vec<u8>> = whole.read().unwrap().into_iter().map(Result::unwrap).collect();
    let (mut errors, mut same) = (0, 0);
    for (path, bytes) in &whole.0 {
        for bytes in mangled(bytes) {
            let mut directories = whole.clone();
            directories.0.insert(path.clone(), bytes);
            let read = match directories.read() {
                Ok(read) => read,
                Err(error) => {
                    told(&error);
                    errors += 1;
                    continue;
                }
            };
            for (rev, text) in read.into_iter().enumerate() {
                match text {
                    Ok(text) => {
                        assert_eq!(text, sound[rev], "{path:?} {rev}");
                        same += 1;
                    }
                    Err(error) => {
                        told(&error);
                        errors += 1;
                    }
                }
            }
        }
    }
    // Otherwise nothing was tested.
    assert!(errors > 1000 && same > 100, "{errors} errors, {same} texts");
    assert!(start.elapsed() < Duration::from_mins(1), "{:?}", start.elapsed());
}

/// The same with hashes that fit, so that what is wrong reaches whoever puts directories together.
#[test]
fn cut_and_flipped_texts_that_hash_right_are_errors_or_sorted() {
    let whole = texts();
    let (mut errors, mut sorted) = (0, 0);
    for (place, (_, texts)) in whole.iter().enumerate() {
        for (rev, text) in texts.iter().enumerate() {
            for text in mangled(text) {
                let mut changed = whole.clone();
                changed[place].1[rev] = text;
                for read in revlogs(&changed).read().unwrap() {
                    let Ok(text) = read.map_err(|error| told(&error)) else {
                        errors += 1;
                        continue;
                    };
                    let paths = text.split_inclusive(|byte| *byte == b'\n');
                    let paths = paths.map(|line| line.split(|byte| *byte == 0).next());
                    assert!(paths.is_sorted_by(|a, b| a < b), "{:?}", bstr::BStr::new(&text));
                    sorted += 1;
                }
            }
        }
    }
    assert!(errors > 300 && sorted > 300, "{errors} errors, {sorted} texts");
}

#[test]
fn what_directories_become_is_bounded() {
    let node = "1234567890".repeat(4);
    let mut texts: Texts = vec![];
    let names = ["0/0/0/0/", "0/0/0/", "0/0/", "0/", ""];
    for (level, path) in names.into_iter().enumerate() {
        let line = |i: usize| match level {
            0 => format!("{i:03}\0{node}\n"),
            _ => format!("0\0@{} 0@t\n", names[level - 1]),
        };
        let lines = if level == 0 { 60 } else { 1 };
        texts.push((path, vec![(0..lines).map(line).collect::<String>().into_bytes()]));
    }
    let read = revlogs(&texts).read().unwrap();
    let flat = read[0].as_ref().unwrap().len();
    assert_eq!(flat, 60 * 53);
    let line = |i: usize| format!("{i:03}\0{node}\n").into_bytes();
    texts[0].1[0] = (0..90).flat_map(line).collect();
    // Each directory has less than the limit, and all lines together more.
    let error = revlogs(&texts).read().unwrap().remove(0).unwrap_err();
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("the limit is 4096"), "{error}: {source}");
}
