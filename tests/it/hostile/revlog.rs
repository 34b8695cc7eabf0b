//! Revlogs that are cut, flipped, and made up: an error, or texts that hash to their nodes.

use std::collections::HashMap;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use synchroniser::base::Limits;
use synchroniser::hg::revlog::{Revlog as Read, RevlogError, RevlogFiles};
use synchroniser::hg::{Changelog, Node, Rev};

use super::store::{NO_PARENTS, Revlog, fragment, number, zlib};
use crate::support::env::cases;
use crate::support::{Fixture, TestEnv, for_all};

/// What no reading of a small revlog may take, however the machine is loaded.
const PATIENCE: Duration = Duration::from_secs(20);

fn limits(revision_bytes: usize) -> Limits {
    Limits { revision_bytes, ..Limits::default() }
}

/// All texts by node. Reads forwards, so that each text is one delta from another.
fn texts(files: &RevlogFiles) -> Result<HashMap<Node, Vec<u8>>, RevlogError> {
    let mut texts = HashMap::new();
    let Some(log) = Read::open("log", files, &limits(1 << 20))? else { return Ok(texts) };
    let mut reader = log.reader();
    for rev in log.revs() {
        let (node, text) = (log.node(rev)?, reader.text(rev)?);
        assert!(log.rev(node).is_some());
        texts.insert(node, text.to_vec());
    }
    let _ = Changelog::new(log)?;
    Ok(texts)
}

/// What can be read at all of what is damaged: each revision by itself, the last first.
fn check_readable(files: &RevlogFiles, whole: &HashMap<Node, Vec<u8>>) -> Result<(), String> {
    let start = Instant::now();
    if let Ok(Some(log)) = Read::open("log", files, &limits(1 << 20)) {
        for rev in log.revs().rev() {
            let Ok(text) = log.reader().text(rev) else { continue };
            if log.node(rev).ok().and_then(|node| whole.get(&node)) != Some(&text) {
                return Err(format!("revision {rev} is another text, and nobody noticed"));
            }
        }
        if let Ok(changelog) = Changelog::new(log) {
            let mut reader = changelog.reader();
            changelog.revlog().revs().for_each(|rev| drop(reader.changeset(rev)));
        }
    }
    if start.elapsed() > PATIENCE {
        return Err(format!("it took {:?}", start.elapsed()));
    }
    Ok(())
}

/// Every revlog with more than one revision below `folder`.
fn revlogs(folder: &Path) -> Vec<RevlogFiles> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(revlogs(&path));
        } else if path.extension().is_some_and(|extension| extension == "i") {
            let data = path.with_extension("d");
            let files = RevlogFiles { index: path, data };
            found.extend((texts(&files).unwrap().len() > 1).then_some(files));
        }
    }
    found
}

/// At most `count` of the numbers below `end`, evenly spread.
fn sample(end: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..end).step_by((end / count).max(1))
}

/// Cuts and flips one file of a revlog, and puts it back. In place: a file that is written anew
/// waits for the disk.
fn mangle(path: &PathBuf, check: impl Fn() -> Result<(), String>) -> Result<(), String> {
    let Ok(bytes) = std::fs::read(path) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let at = |what: &str, place: usize| {
        let place = format!("{}: {what} {place}", path.display());
        move |problem| format!("{place}: {problem}")
    };
    for bit in sample(bytes.len() * 8, cases(61, 401)) {
        let (byte, flipped) = (bit / 8, bytes[bit / 8] ^ 1 << (bit % 8));
        file.write_all_at(&[flipped], byte as u64).unwrap();
        check().map_err(at("flipped bit", bit))?;
        file.write_all_at(&bytes[byte..=byte], byte as u64).unwrap();
    }
    let ends: Vec<_> = sample(bytes.len(), cases(31, 150)).collect();
    for end in ends.into_iter().rev() {
        file.set_len(end as u64).unwrap();
        check().map_err(at("cut at", end))?;
    }
    file.write_all_at(&bytes, 0).unwrap();
    Ok(())
}

#[test]
fn a_prefix_or_a_flip_is_an_error_or_the_same_texts() {
    let tellings = ["revlogv0", "nostore", "generaldelta", "uncompressed", "default"];
    for_all(tellings.map(|name| (name.to_owned(), name)), |name| {
        let env = TestEnv::new();
        let source = Fixture::named(&format!("formats/{name}")).unpack(&env);
        let store = source.join(".hg/store");
        let logs = revlogs(&if store.exists() { store } else { source.join(".hg") });
        assert!(logs.len() >= 3, "{logs:?}");
        for files in logs {
            let whole = texts(&files).unwrap();
            for path in [&files.index, &files.data] {
                mangle(path, || check_readable(&files, &whole))?;
            }
        }
        Ok(())
    });
}

/// Reads the last revision of `log`, in both layouts, and returns the error.
fn refusal(log: &Revlog, limit: usize) -> String {
    let folder = tempfile::tempdir().unwrap();
    let errors = [false, true].map(|inline| {
        let files = log.write(folder.path(), if inline { "inline" } else { "split" }, inline);
        let start = Instant::now();
        let error = match Read::open("log", &files, &limits(limit)) {
            Ok(opened) => {
                let opened = opened.unwrap();
                let last = opened.revs().next_back().unwrap();
                opened.reader().text(last).expect_err("it was read")
            }
            Err(error) => error,
        };
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
        let source = std::error::Error::source(&error).unwrap();
        format!("{error}: {source}")
    });
    let [split, _inline] = errors;
    split
}

fn one(text: &[u8]) -> Revlog {
    let mut log = Revlog::default();
    log.push(text, NO_PARENTS);
    log
}

fn check_refusals(cases: impl IntoIterator<Item = (&'static str, Revlog)>, limit: usize) {
    for_all(
        cases.into_iter().map(|(words, log)| (words.to_owned(), (words, log))),
        |(words, log)| {
            let error = refusal(&log, limit);
            match error.contains(words) && error.contains("of log: ") {
                true => Ok(()),
                false => Err(error),
            }
        },
    );
}

const LIMIT: usize = 1 << 20;

#[test]
fn a_small_chunk_never_becomes_more_than_the_limit() {
    let zeros = vec![0; 64 << 20];
    let squeezed = {
        use std::io::Write;
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.write_all(&zeros).unwrap();
        encoder.finish().unwrap()
    };
    let mut cases = Vec::new();
    for chunk in [zlib(&zeros), zstd::bulk::compress(&zeros, 3).unwrap(), squeezed] {
        // A full text that the index calls small, one that it calls large, and a delta.
        let mut small = one(b"");
        small.0[0].chunk.clone_from(&chunk);
        small.0[0].text_length = 100;
        cases.push(("more than 100 bytes come out", small.clone()));
        small.0[0].text_length = number(zeros.len());
        cases.push(("its text has 67108864 bytes, the limit is 1048576", small));
        let mut delta = one(b"base");
        delta.push_stored(b"", NO_PARENTS, chunk, 0);
        cases.push(("more than 1048576 bytes come out", delta));
    }
    check_refusals(cases, LIMIT);
}

#[test]
fn a_delta_never_makes_more_than_the_limit() {
    let half = vec![b'x'; LIMIT / 2 + 1];
    let mut log = one(&half);
    log.push_stored(&half, NO_PARENTS, zlib(&fragment(0, 0, &half)), 0);
    log.0[1].text_length = number(LIMIT);
    check_refusals([("its text has 1048578 bytes, the limit is 1048576", log)], LIMIT);
}

#[test]
fn what_an_entry_declares_is_not_believed() {
    let change = |change: fn(&mut Revlog)| {
        let mut log = one(b"first text");
        log.push(b"second text", [0, -1]);
        change(&mut log);
        log
    };
    let cases = [
        ("its text has 2147483647 bytes", change(|log| log.0[1].text_length = i32::MAX)),
        ("its text has 11 bytes, the index says 12", change(|log| log.0[1].text_length = 12)),
        ("text length is -1", change(|log| log.0[1].text_length = -1)),
        ("delta base is 7", change(|log| log.0[1].base = 7)),
        ("delta base is -2", change(|log| log.0[1].base = -2)),
        ("first parent is 1,", change(|log| log.0[1].parents = [1, -1])),
        ("first parent is 2,", change(|log| log.0[1].parents = [2, -1])),
        ("second parent is -2,", change(|log| log.0[1].parents = [0, -2])),
        ("hashes to", change(|log| log.0[1].parents = [-1, -1])),
        ("hashes to", change(|log| log.0[1].node[19] ^= 1)),
        ("hashes to", change(|log| log.0[0].node[0] ^= 1)),
        ("was censored", change(|log| log.0[1].flags = 1 << 15)),
        ("contents are stored elsewhere", change(|log| log.0[1].flags = 1 << 13)),
        ("a narrow clone left out", change(|log| log.0[1].flags = 1 << 14)),
        ("flags 0x0001", change(|log| log.0[1].flags = 1)),
        ("compressed in an unknown way (0x71)", change(|log| log.0[1].chunk[0] = b'q')),
        ("not a whole zlib stream", change(|log| log.0[1].chunk[0] = b'x')),
        ("not a whole zstd stream", change(|log| log.0[1].chunk[0] = b'(')),
        ("its delta is damaged", change(|log| log.0[1].base = 0)),
    ];
    check_refusals(cases, LIMIT);
}

#[test]
fn what_lies_outside_the_file_is_not_looked_for() {
    let folder = tempfile::tempdir().unwrap();
    let read = |change: &dyn Fn(&mut Revlog)| {
        let mut log = one(b"first text");
        log.push(b"second text", [0, -1]);
        change(&mut log);
        let files = log.write(folder.path(), "log", false);
        let opened = Read::open("log", &files, &limits(LIMIT)).unwrap().unwrap();
        let error = opened.reader().text(Rev::new(1)).unwrap_err();
        std::error::Error::source(&error).unwrap().to_string()
    };
    assert_eq!(
        read(&|log| log.0[1].stored_length = Some(-1)),
        "its stored length is -1, which cannot be"
    );
    let outside = |error: String| assert!(error.contains("outside the data file"), "{error}");
    outside(read(&|log| log.0[1].offset = Some((1 << 48) - 1)));
    outside(read(&|log| log.0[1].offset = Some(13)));
    outside(read(&|log| log.0[1].stored_length = Some(13)));
    let large = read(&|log| log.0[1].stored_length = Some(i32::MAX));
    assert!(large.contains("the limit is"), "{large}");
}

/// A chain as long as they come, read from its far end: no recursion, and one delta at a time.
#[test]
fn a_long_chain_does_not_overflow_the_stack() {
    const LENGTH: usize = 5000;
    let mut log = one(b"");
    let mut text = Vec::new();
    for i in 1..LENGTH {
        let end = u32::try_from(text.len()).unwrap();
        let line = format!("{i}\n");
        text.extend_from_slice(line.as_bytes());
        let delta = [b"u", &fragment(end, end, line.as_bytes())[..]].concat();
        log.push_stored(&text, [number(i) - 1, -1], delta, number(i) - 1);
    }
    let folder = tempfile::tempdir().unwrap();
    for inline in [false, true] {
        let files = log.write(folder.path(), "log", inline);
        let opened = Read::open("log", &files, &limits(1 << 30)).unwrap().unwrap();
        let start = Instant::now();
        let last = opened.revs().next_back().unwrap();
        assert_eq!(*opened.reader().text(last).unwrap(), text);
        // Forwards and backwards, with a cache that holds next to nothing.
        let mut reader = opened.reader();
        for rev in opened.revs().chain(opened.revs().rev().take(10)) {
            reader.text(rev).unwrap();
        }
        assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    }
}

/// Nobody has checked the nodes of an index when they are looked up.
#[test]
fn nodes_that_begin_alike_do_not_make_looking_up_slow() {
    let mut log = Revlog::default();
    for i in 0..40_000u32 {
        log.push(b"", NO_PARENTS);
        let entry = log.0.last_mut().unwrap();
        entry.node = [7; 20];
        entry.node[16..].copy_from_slice(&i.reverse_bits().to_be_bytes());
    }
    let folder = tempfile::tempdir().unwrap();
    let files = log.write(folder.path(), "log", false);
    let start = Instant::now();
    let opened = Read::open("log", &files, &limits(LIMIT)).unwrap().unwrap();
    for rev in opened.revs() {
        assert_eq!(opened.rev(opened.node(rev).unwrap()), Some(rev));
    }
    assert_eq!(opened.rev(Node::from_bytes([7; 20])), None);
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

/// Of two revisions with one node, the first is meant.
#[test]
fn a_node_that_stands_twice_is_the_first() {
    let mut log = one(b"text");
    log.push(b"other", NO_PARENTS);
    log.push(b"text", NO_PARENTS);
    let folder = tempfile::tempdir().unwrap();
    let files = log.write(folder.path(), "log", false);
    let opened = Read::open("log", &files, &limits(LIMIT)).unwrap().unwrap();
    assert_eq!(opened.rev(opened.node(Rev::new(2)).unwrap()), Some(Rev::new(0)));
}
