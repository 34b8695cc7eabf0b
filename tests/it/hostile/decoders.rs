//! Every decoder of outside bytes, cut and flipped: an error or a result, and never a panic.
//!
//! The table has a row for each; `layers` sees to it that none of the fuzz targets is without one.
//! A decoder that nobody outside of its layer can call has a test beside it, which the row names.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use synchroniser::base::Limits;
use synchroniser::base::compress::Decompressor;
use synchroniser::config::Config;
use synchroniser::convert::AuthorMap;
use synchroniser::convert::identity::{Facts, IDENTITIES};
use synchroniser::convert::mapfiles::{fast_export, git_mapfile};
use synchroniser::git::ObjectId;
use synchroniser::git::commit::header;
use synchroniser::git::pack::apply_delta;
use synchroniser::git::reference::is_valid_ref_name;
use synchroniser::git::tree::entries;
use synchroniser::git::tree_name::{forbidden_path, impossible_path};
use synchroniser::hg::bundle::{Bundle, BundleError, Content};
use synchroniser::hg::manifest::{Manifest, diff};
use synchroniser::hg::revlog::{Delta, Revlog as Opened, RevlogError};
use synchroniser::hg::store::bookmarks;
use synchroniser::hg::store::dirstate::parse_parents;
use synchroniser::hg::store::fncache::Fncache;
use synchroniser::hg::store::hgrc::publishes_by;
use synchroniser::hg::store::local_tags::tagged_nodes;
use synchroniser::hg::store::obsolete::parse_markers;
use synchroniser::hg::store::path_encode::PathEncoding;
use synchroniser::hg::store::phases::PhaseRoots;
use synchroniser::hg::store::requirements::Requirements;
use synchroniser::hg::store::tags::{TagsFile, compute};
use synchroniser::hg::subrepo::{SUB, subrepositories};
use synchroniser::hg::wire::{Capabilities, answer};
use synchroniser::hg::{BranchTable, Changelog, Changeset, Node, Rev, RevSet, filelog};
use synchroniser::net::TargetUrl;
use synchroniser::net::url::PlainHttp;

use super::store::{NO_PARENTS, Revlog, fragment, zlib};
use crate::support::{Fixture, TestEnv, for_all, same};

/// How a decoder is tried.
enum Trial {
    /// With these inputs, all of which it takes: `true` for a result.
    Here(fn() -> Vec<Vec<u8>>, fn(&[u8]) -> bool),
    /// By a test in this file.
    Beside(&'static str, &'static str),
}

use Trial::{Beside, Here};

/// The fuzz target that a decoder belongs to, its name, and how it is tried.
type Row = (&'static str, &'static str, Trial);

const NODE: &str = "0123456789abcdef0123456789abcdef01234567";

const DECODERS: &[Row] = &[
    ("bundle", "bundles of every kind", Here(bundles, |bytes| bundle(bytes).is_ok())),
    ("changeset", "changesets", Here(|| vec![changeset_text()], |b| Changeset::parse(b).is_ok())),
    ("changeset", "file revisions", Here(copies, |b| filelog::copied_from(b).is_some())),
    ("changeset", "the table of branches", Here(tables, table)),
    (
        "compress",
        "zlib",
        Here(|| vec![zlib(TEXT)], |b| Decompressor::default().zlib(b, 99).is_ok()),
    ),
    ("compress", "zstd", Here(zstd, |b| Decompressor::default().zstd(b, 99).is_ok())),
    ("config", "the configuration", Here(configuration, config)),
    ("config", "addresses of targets", Here(addresses, address)),
    ("delta", "deltas of Mercurial", Here(deltas, delta)),
    ("delta", "deltas of Git", Here(git_deltas, |b| apply_delta(TEXT, b, 99).is_some())),
    (
        "directories",
        "manifests of directories",
        Beside(
            "tests/it/hostile/directories.rs",
            "cut_and_flipped_revlogs_are_errors_or_change_nothing",
        ),
    ),
    (
        "directories",
        "manifests of directories that hash right",
        Beside(
            "tests/it/hostile/directories.rs",
            "cut_and_flipped_texts_that_hash_right_are_errors_or_sorted",
        ),
    ),
    (
        "handover",
        "caches of other machines",
        Beside(
            "src/mirror/handover/format.rs",
            "no_part_of_a_stream_and_none_that_was_changed_counts",
        ),
    ),
    (
        "hook",
        "deliveries",
        Beside("src/hook/format/tests.rs", "every_cut_and_flip_is_an_event_or_an_error"),
    ),
    (
        "hook",
        "what proves them",
        Beside("src/hook/scheme/tests.rs", "every_cut_and_flip_of_a_proof_is_refused"),
    ),
    ("identity", "changesets, into commits", Here(|| vec![changeset_text()], commits)),
    (
        "known_hosts",
        "keys of hosts",
        Beside("src/net/known_hosts.rs", "every_cut_and_every_flip_is_another_file"),
    ),
    ("lists", "subrepositories", Here(subrepo_files, subrepos)),
    (
        "lists",
        "files of submodules",
        Beside("src/convert/identity/gitmodules.rs", "every_cut_and_every_flip_is_another_file"),
    ),
    ("lists", "author maps", Here(author_maps, |b| AuthorMap::parse(b).is_ok())),
    ("lists", "the map of hg-git", Here(mapfiles, |b| git_mapfile(b).is_ok())),
    ("lists", "the maps of hg-fast-export", Here(mappings, |b| fast_export(b, b"").is_ok())),
    ("lists", "the marks of hg-fast-export", Here(marks, |b| fast_export(b"", b).is_ok())),
    ("manifest", "manifests", Here(|| vec![manifest_text()], manifest)),
    ("pack", "packs", Beside("src/git/pack/reader/tests.rs", "every_flip_is_noticed_or_harmless")),
    ("pack", "cut packs", Beside("src/git/pack/reader/tests.rs", "every_truncation_is_noticed")),
    (
        "pack",
        "what is in packs",
        Beside("src/git/pack/reader/tests.rs", "flips_under_fitting_checksums"),
    ),
    (
        "pack",
        "indexes of packs",
        Beside("src/git/pack/reader/index.rs", "every_prefix_and_every_flip_of_the_tables"),
    ),
    ("paths", "the list of files", Here(fncaches, |b| Fncache::parse(b).is_ok())),
    ("paths", "names of files", Here(paths, path)),
    (
        "receive_pack",
        "lists of a server of Git",
        Beside(
            "src/git/destination/receive_pack/advertisement.rs",
            "cut_and_flipped_lists_are_errors_or_lists",
        ),
    ),
    (
        "receive_pack",
        "answers to a push",
        Beside(
            "src/git/destination/receive_pack/answer.rs",
            "flipped_answers_are_errors_or_answers",
        ),
    ),
    (
        "refs",
        "packed references",
        Beside("src/git/repository/packed_refs.rs", "every_flip_reads_or_fails"),
    ),
    ("refs", "names of references", Here(|| vec![b"refs/heads/a".to_vec()], ref_name)),
    ("revlog", "revlogs", Here(revlogs, |bytes| revlog(bytes).is_ok())),
    ("store", "requirements", Here(requires, |b| Requirements::parse(b).is_ok())),
    ("store", "phases", Here(phases, |b| PhaseRoots::parse(b).is_ok())),
    ("store", "markers", Here(markers, |b| parse_markers(b).is_ok())),
    ("store", "bookmarks", Here(bookmark_files, |b| !bookmarks::parse(b).0.is_empty())),
    ("store", "the working copy's parents", Here(dirstates, |b| parse_parents(Some(b)).is_ok())),
    ("store", "local tags", Here(tag_files, |b| !tagged_nodes(b).0.is_empty())),
    ("store", "tags", Here(tag_files, tags)),
    ("store", "settings of a repository", Here(hgrcs, hgrc)),
    ("tree", "trees", Here(trees, |b| entries(b).all(|entry| entry.is_ok()))),
    ("tree", "commits", Here(git_commits, |b| header(b, "tree").is_some())),
    ("wire", "heads", Here(|| answer_of("N N\n"), |b| answer::heads(b).is_ok())),
    ("wire", "what is known", Here(|| answer_of("01"), |b| answer::known(b, 2).is_ok())),
    ("wire", "branches", Here(|| answer_of("a%20b N N\nc N"), |b| answer::branchmap(b).is_ok())),
    ("wire", "keys", Here(|| answer_of("a\t1\nb\t"), |b| answer::listkeys(b).is_ok())),
    ("wire", "a look-up", Here(|| answer_of("1 N\n"), |b| answer::lookup(b).is_ok())),
    ("wire", "a batch", Here(|| answer_of("a:sb;c"), |b| answer::batch(b, 2).is_ok())),
    (
        "wire",
        "bundles to clone",
        Here(
            || answer_of("https://h/a.hg BUNDLESPEC=zstd-v2 X=%41\n"),
            |b| answer::clone_bundles(b).is_ok(),
        ),
    ),
    (
        "wire",
        "capabilities",
        Here(
            || answer_of("batch bundle2=HG20%0Aphases%3Dheads known"),
            |b| Capabilities::parse(b, &limits()).is_ok(),
        ),
    ),
    (
        "write",
        "changegroups that are added",
        Beside("src/hg/write/tests.rs", "what_is_wrong_is_named_and_nothing_is_left_of_it"),
    ),
    (
        "write",
        "journals",
        Beside("src/hg/write/tests.rs", "a_damaged_journal_does_no_harm_elsewhere"),
    ),
    (
        "write",
        "stores that are streamed",
        Beside("src/hg/write/streamed.rs", "a_damaged_file_is_found_and_nothing_is_left"),
    ),
];

/// The text that others are made of.
const TEXT: &[u8] = b"first line\nsecond line\n";

fn limits() -> Limits {
    Limits { revision_bytes: 1 << 16, index_bytes: 1 << 20, ..Limits::default() }
}

fn answer_of(text: &str) -> Vec<Vec<u8>> {
    vec![text.replace('N', NODE).into_bytes()]
}

fn changeset_text() -> Vec<u8> {
    format!("{NODE}\nA <a@b>\n1 -3600 branch:x\0close:1\na\nb c\n\na message\n").into_bytes()
}

fn manifest_text() -> Vec<u8> {
    format!("a\0{NODE}\na/b\0{NODE}x\nb\0{NODE}l\n").into_bytes()
}

/// The bundles among the fixtures that are small enough to be read ten thousand times.
fn bundles() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bundles");
    let names = ["partial-v1", "partial-v2", "treemanifest", "v1-bzip2", "v2-gzip", "v2-zstd"];
    let more = ["v2-none", "obsolete", "stream2", "stream3"];
    let path = |name: &&str| folder.join(format!("{name}.hg"));
    names.iter().chain(&more).map(|name| std::fs::read(path(name)).unwrap()).collect()
}

fn bundle(bytes: &[u8]) -> Result<(), BundleError> {
    let mut bundle = Bundle::open(bytes, &limits())?;
    while let Some(mut part) = bundle.next_part()? {
        match part.content()? {
            Content::Changegroup(mut group) => while group.next_item()?.is_some() {},
            Content::Stream { mut stream, .. } => {
                while stream.next_file()?.is_some() {
                    let _ = stream.read(&mut [0; 64]);
                }
            }
            _ => drop(part.skip()?),
        }
    }
    bundle.finish()
}

fn copies() -> Vec<Vec<u8>> {
    vec![format!("\u{1}\ncopy: a\ncopyrev: {NODE}\n\u{1}\ntext").into_bytes()]
}

fn changelog() -> Changelog {
    let mut log = Revlog::default();
    log.push(&changeset_text(), NO_PARENTS);
    Changelog::new(Opened::from_bytes("log", log.to_bytes(true).0, vec![], &limits()).unwrap())
        .unwrap()
}

fn tables() -> Vec<Vec<u8>> {
    let changelog = changelog();
    let mut table = BranchTable::default();
    let mut served = RevSet::empty(1);
    served.insert(Rev::new(0));
    table.fill(&changelog, &served).unwrap();
    vec![table.to_bytes(&changelog)]
}

fn table(bytes: &[u8]) -> bool {
    let table = BranchTable::from_bytes(bytes, &changelog());
    table.branch(Rev::new(0)) == "x"
}

fn zstd() -> Vec<Vec<u8>> {
    let encode = |bytes| zstd::bulk::compress(bytes, 3).unwrap();
    vec![encode(TEXT), zstd::encode_all(TEXT, 3).unwrap()]
}

fn configuration() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/config/valid");
    ["minimal", "naming", "inline-and-dotted"]
        .map(|name| std::fs::read(folder.join(format!("{name}.toml"))).unwrap())
        .into()
}

fn config(bytes: &[u8]) -> bool {
    let path = Path::new("/nonexistent/synchroniser.toml");
    std::str::from_utf8(bytes).is_ok_and(|text| Config::parse(text, path, None).is_ok())
}

fn addresses() -> Vec<Vec<u8>> {
    ["https://host.example:8000/a/c.git", "git@h:a/b", "ssh://u@[::1]:22/p"]
        .map(|text| text.as_bytes().to_vec())
        .into()
}

fn address(bytes: &[u8]) -> bool {
    let parse = |text| TargetUrl::parse(text, PlainHttp::Allow).is_ok();
    std::str::from_utf8(bytes).is_ok_and(parse)
}

fn deltas() -> Vec<Vec<u8>> {
    vec![[fragment(0, 2, b"new"), fragment(4, 9, b"")].concat()]
}

fn delta(bytes: &[u8]) -> bool {
    Delta::parse(bytes.to_vec()).is_ok_and(|delta| delta.apply(TEXT).is_ok())
}

fn git_deltas() -> Vec<Vec<u8>> {
    vec![vec![23, 8, 0x90, 5, 3, b'n', b'e', b'w']]
}

fn commits(text: &[u8]) -> bool {
    let Ok(changeset) = Changeset::parse(text) else { return false };
    let (node, tree) = (Node::NULL, ObjectId::NULL);
    let facts = Facts { node, changeset: &changeset, tree, parents: &[], copies: &[] };
    IDENTITIES.iter().all(|identity| !identity.commit(&facts).to_bytes().is_empty())
}

fn subrepo_files() -> Vec<Vec<u8>> {
    let text = "s = [git]u://x-y\nh = ../h\n# c\n[subpaths]\n(x)-y = \\1z\n[x]\ny = z\n%unset y\n";
    vec![text.as_bytes().to_vec()]
}

/// The same bytes in both files: a line of one is nothing to the other.
fn subrepos(bytes: &[u8]) -> bool {
    for state in [format!("{NODE} s\n").into_bytes(), bytes.to_vec()] {
        let read = subrepositories(&mut |path| {
            Ok::<_, ()>(Some(if path == SUB { bytes.to_vec() } else { state.clone() }))
        });
        if read.is_ok() {
            return true;
        }
    }
    false
}

fn author_maps() -> Vec<Vec<u8>> {
    let text = "# c\nA <a@b> = B <b@c>\n\"q\\n\\x41\\u0041\\101\" = \"C <c@d>\"\na@b = D\n";
    vec![text.as_bytes().to_vec()]
}

fn mapfiles() -> Vec<Vec<u8>> {
    answer_of("N N\nN N\n")
}

fn mappings() -> Vec<Vec<u8>> {
    answer_of(":N 0\n:N 12\n")
}

fn marks() -> Vec<Vec<u8>> {
    answer_of(":1 N\n:13 N\n")
}

fn manifest(bytes: &[u8]) -> bool {
    let manifest = Manifest::new(bytes);
    let _ = (manifest.file("a/b".into()), manifest.has_directory("a".into()));
    let _ = (manifest.clashes(|_| true), manifest.split_directory(b"a/"));
    let sorted = diff(b"", bytes, |_| {}).is_ok() && diff(bytes, &manifest_text(), |_| {}).is_ok();
    sorted && manifest.lines().all(|line| line.is_ok())
}

fn fncaches() -> Vec<Vec<u8>> {
    vec![b"data/a.i\ndata/_b/c.d\nmeta/a/00manifest.i\n".to_vec()]
}

fn paths() -> Vec<Vec<u8>> {
    let long = format!("dir/{}/AUX.txt", "Long-".repeat(50));
    vec![b"a/B/.git/c:d".to_vec(), b"nul/x.i/y ".to_vec(), long.into_bytes()]
}

fn path(bytes: &[u8]) -> bool {
    use PathEncoding::{Dotencode, Fncache, Plain, Store};
    let _ = (forbidden_path(bytes.into()), impossible_path(bytes.into()));
    [Plain, Store, Fncache, Dotencode].iter().all(|how| !how.encode(bytes).is_empty())
}

fn ref_name(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(is_valid_ref_name)
}

/// A revlog with full texts and deltas, plain and compressed.
fn revlogs() -> Vec<Vec<u8>> {
    let mut log = Revlog::default();
    log.push(TEXT, NO_PARENTS);
    log.push_stored(b"line\nsecond line\n", [0, -1], zlib(&fragment(0, 6, b"")), 0);
    log.push(&TEXT.repeat(9), [1, 0]);
    vec![log.to_bytes(true).0]
}

fn revlog(bytes: &[u8]) -> Result<(), RevlogError> {
    let log = Opened::from_bytes("log", bytes.to_vec(), vec![], &limits())?;
    let mut reader = log.reader();
    log.revs().rev().try_for_each(|rev| reader.text(rev).map(drop))
}

fn requires() -> Vec<Vec<u8>> {
    vec![b"dotencode\nfncache\ngeneraldelta\nrevlogv1\nstore\n".to_vec()]
}

fn phases() -> Vec<Vec<u8>> {
    answer_of("1 N\n2 N\n")
}

/// The obsolescence markers of a fixture, as a store has them.
fn markers() -> Vec<Vec<u8>> {
    let env = TestEnv::new();
    let source = Fixture::named("obsolete").unpack(&env);
    let mut bytes = std::fs::read(source.join(".hg/store/obsstore")).unwrap();
    // Whole markers are taken one by one: what follows the first few is more of the same.
    while bytes.len() > 400 && parse_markers(&bytes[..400]).is_err() {
        let end = (1..400).rev().find(|end| parse_markers(&bytes[..*end]).is_ok());
        bytes.truncate(end.unwrap());
    }
    vec![bytes]
}

fn bookmark_files() -> Vec<Vec<u8>> {
    answer_of("N a\nN b c\n")
}

fn dirstates() -> Vec<Vec<u8>> {
    let second = [b"dirstate-v2\n".as_slice(), &[7; 64], &[0; 100]].concat();
    vec![[[5; 20], [6; 20]].concat(), second]
}

fn tag_files() -> Vec<Vec<u8>> {
    answer_of("N a\nN b c\nN a\n")
}

fn tags(text: &[u8]) -> bool {
    let file = TagsFile { file_node: Node::NULL, text };
    !compute([file], &|_| true).known.is_empty()
}

fn hgrcs() -> Vec<Vec<u8>> {
    vec![b"[phases]\npublish = no\n# c\n%unset x\n[paths]\ndefault = a\n  b\n".to_vec()]
}

fn hgrc(text: &[u8]) -> bool {
    publishes_by(&[(Path::new("hgrc"), text.to_vec())]).is_ok()
}

fn trees() -> Vec<Vec<u8>> {
    vec![[b"100644 a\0".as_slice(), &[1; 20], b"40000 b\0", &[2; 20]].concat()]
}

fn git_commits() -> Vec<Vec<u8>> {
    let person = "A <a@b> 1 +0000";
    let text = format!("tree {NODE}\nparent {NODE}\nauthor {person}\ncommitter {person}\n\nm\n");
    vec![text.into_bytes()]
}

/// What no decoder may take for one input, however the machine is loaded.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn every_decoder_is_cut_and_flipped() {
    let rows = DECODERS.iter().map(|row| (format!("{}: {}", row.0, row.1), &row.2));
    for_all(rows, |trial| match trial {
        Beside(file, test) => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            let source = std::fs::read_to_string(path).unwrap();
            same("a test beside it", &source.contains(&format!("fn {test}(")), &true)
        }
        Here(samples, read) => {
            let samples = samples();
            same("nothing to try", &samples.is_empty(), &false)?;
            samples.into_iter().try_for_each(|sample| cut_and_flip(sample, *read))
        }
    });
}

fn cut_and_flip(sample: Vec<u8>, read: fn(&[u8]) -> bool) -> Result<(), String> {
    same("whether the sample is taken", &read(&sample), &true)?;
    let attempt = |bytes: &[u8], how: &str| {
        let start = Instant::now();
        let ended = std::panic::catch_unwind(|| read(bytes));
        match ended.is_ok() && start.elapsed() < PATIENCE {
            true => Ok(()),
            false => Err(format!("{how}: it panics or hangs at {:?}", bstr::BStr::new(bytes))),
        }
    };
    for end in 0..sample.len() {
        attempt(&sample[..end], "a cut")?;
    }
    let mut bytes = sample;
    for place in 0..bytes.len() {
        for by in [1 << (place % 8), 0xff] {
            bytes[place] ^= by;
            attempt(&bytes, "a flip")?;
            bytes[place] ^= by;
        }
    }
    Ok(())
}
