//! How much memory the program takes for large texts, and for small ones that become large.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use synchroniser::cli::exit;

use super::store::{Revlog, Store, fragment, zlib};
use crate::adoption::refs;
use crate::support::env::cases;
use crate::support::generator::{Generated, Shape};
use crate::support::{TestEnv, git};

const MIB: usize = 1 << 20;

/// Converts `source`; returns the exit code and the most memory that the process had, in MiB.
fn measure(env: &TestEnv, source: &Path, more: &[&str]) -> (Option<i32>, usize) {
    let mut command = env.synchroniser();
    command.arg("convert").arg(source).arg(env.path("target.git")).args(more);
    peak(command)
}

/// Runs `command`; returns the exit code and the most memory that the process had, in MiB.
fn peak(mut command: Command) -> (Option<i32>, usize) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    // A peak never falls, and a process that has ended has none.
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        // For a moment it still is a copy of this process, with the memory that all tests have.
        let is_it = text.lines().next() == Some("Name:\tsynchroniser");
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).filter(|_| is_it);
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
        most = most.max(kilobytes.unwrap_or(0) / 1024);
        std::thread::sleep(Duration::from_millis(2));
    }
    (child.wait().unwrap().code(), most)
}

/// 300 MB of zeros in a chunk of 300 kB, and the same with a line behind it, as a delta. A text is
/// held as a whole, for its hash is over all of it, and a delta needs the one that it builds on: two
/// texts, and nothing else that grows with them.
#[test]
fn a_large_file_is_held_twice_at_most() {
    let size = cases(60, 150) * 1_000_000;
    let env = TestEnv::new();
    let mut store = Store::default();
    let zeros = vec![0; size];
    let first = store.file("z", &zeros);
    store.commit([-1, -1], &[("z", first)]);
    let (one, _) = measure(&env, &store.write(&env.path("one")), &[]);
    assert_eq!(one, Some(0));
    std::fs::remove_dir_all(env.path("target.git")).unwrap();
    let (_, most) = measure(&env, &env.path("one"), &["--verify"]);
    eprintln!("one text of {} MB: {most} MiB", size / 1_000_000);
    assert!(most > size / MIB && most < size / MIB + 60, "{most} MiB");
    let end = u32::try_from(size).unwrap();
    let longer = [&zeros[..], b"a line\n"].concat();
    let log = store.files.get_mut("z").unwrap();
    log.push_stored(&longer, [0, -1], zlib(&fragment(end, end, b"a line\n")), 0);
    log.0[1].link = Some(1);
    let second = log.0[1].node;
    drop((zeros, longer));
    store.commit([0, -1], &[("z", second)]);
    std::fs::remove_dir_all(env.path("target.git")).unwrap();
    let (code, most) = measure(&env, &store.write(&env.path("two")), &["--verify"]);
    eprintln!("two texts of {} MB: {most} MiB", size / 1_000_000);
    assert_eq!(code, Some(0));
    assert!(most < 2 * size / MIB + 60, "{most} MiB");
    git::fsck(&env, &env.path("target.git")).unwrap();
}

/// A sync that may take less takes less, and makes the same commits.
#[test]
fn what_a_sync_may_take_bounds_what_it_works_on() {
    let env = TestEnv::new();
    let changesets = cases(4_000, 6_000);
    let shape = Shape { changesets, lines: [1; 2], ..Shape::PLAIN };
    Generated::new(shape).write(&env.path("source"));
    let mut most = Vec::new();
    for memory in [256 * MIB, 8 * MIB] {
        let name = format!("m{memory}");
        env.run("git", ["init", "-q", "--bare", &name]).ok().unwrap();
        let text = format!(
            "cache = \"cache-{name}\"\ndaemon = {{ socket = \"none\", state = \"state\" }}\n\
             limits.memory_bytes = {memory}\nmirrors.it = {{ source = \"source\", target = \"{name}\" }}\n"
        );
        std::fs::write(env.path("synchroniser.toml"), text).unwrap();
        let mut command = env.synchroniser();
        command.args(["sync", "--config", "synchroniser.toml"]);
        let (code, took) = peak(command);
        assert_eq!(code, Some(0));
        most.push(took);
    }
    eprintln!("with 256 and 8 MiB to work in: {most:?} MiB");
    assert!(most[1] + changesets / 800 < most[0], "{most:?} MiB");
    let refs = |memory: usize| refs(&env.path(format!("m{memory}")));
    assert_eq!(refs(256 * MIB), refs(8 * MIB));
}

/// Bytes that nothing makes smaller.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..size / 8).flat_map(|_| next().to_be_bytes()).collect()
}

/// A file each of whose revisions has nothing in common with the one before, or next to nothing: the
/// delta has the size of the text, and is held no more than the chunk that it comes from.
#[test]
fn a_delta_that_replaces_all_of_a_file_is_not_held() {
    // More than a small run may stage in memory.
    let size = 64 * MIB;
    let (first, second) = (noise(1, size), noise(2, size));
    let end = u32::try_from(size).unwrap();
    let all = fragment(0, end, &second);
    let most = fragment(0, end - 1, &second[..size - 1]);
    let kept = [&second[..size - 1], &first[size - 1..]].concat();
    let chunks = [
        ("all of it, as it is", all.clone(), second.clone()),
        ("all of it, by zstd", zstd::bulk::compress(&all, 1).unwrap(), second),
        ("all but a byte, by zlib", zlib(&most), kept),
    ];
    drop((all, most));
    // The last is the one of which the most is to be made.
    for (what, chunk, text) in chunks.into_iter().skip(cases(2, 0)) {
        let env = TestEnv::new();
        let mut store = Store::default();
        let mut log = Revlog::default();
        log.push_stored(&first, [-1, -1], [b"u", &first[..]].concat(), 0);
        log.push_stored(&text, [0, -1], chunk, 0);
        let nodes = [log.0[0].node, log.0[1].node];
        store.files.insert("z".to_owned(), log);
        store.commit([-1, -1], &[("z", nodes[0])]);
        store.commit([0, -1], &[("z", nodes[1])]);
        let (code, most) = measure(&env, &store.write(&env.path("made")), &["--verify"]);
        eprintln!("{what}: two texts of {} MiB: {most} MiB", size / MIB);
        assert_eq!(code, Some(0), "{what}");
        assert!(most < 2 * size / MIB + 60, "{what}: {most} MiB");
    }
}

/// What a chunk becomes is bounded by what the index says of it, and that by the limit.
#[test]
fn a_bomb_takes_no_memory() {
    let inflated = vec![0; 256 * MIB];
    for (name, chunk) in
        [("zlib", zlib(&inflated)), ("zstd", zstd::bulk::compress(&inflated, 3).unwrap())]
    {
        // Small by what the index says, and larger than the default limit by it.
        for text_length in [100, i32::MAX] {
            let env = TestEnv::new();
            let mut store = Store::default();
            let node = store.file("z", b"text");
            let entry = store.files.get_mut("z").unwrap().0.last_mut().unwrap();
            (entry.chunk, entry.text_length) = (chunk.clone(), text_length);
            store.commit([-1, -1], &[("z", node)]);
            let (code, most) = measure(&env, &store.write(&env.path("made")), &[]);
            eprintln!("a {name} bomb that is said to have {text_length} bytes: {most} MiB");
            assert_eq!(code, Some(i32::from(exit::CORRUPT)), "{name}");
            assert!(most < 64, "{name}: {most} MiB");
        }
    }
}
