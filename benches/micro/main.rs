//! What is hot, each by itself: `cargo bench --package synchroniser-bench [WORD]` measures those whose
//! name has the word. Printed are medians of the time for one call, and what that is for each megabyte.

use std::hint::black_box;
use std::time::{Duration, Instant};

use synchroniser::base::compress::{Decompressor, Deflater, ZstdCompressor};
use synchroniser::base::sha1;
use synchroniser::git::pack::{PackWriter, apply_delta};
use synchroniser::git::sink::{Copied, DeltaHint, NewObject, Nowhere, ObjectSink as _};
use synchroniser::git::tree::{Directory, Edit, Mode, TreeEditor, TreeError, TreeSource};
use synchroniser::git::{BareRepository, ObjectId, ObjectKind};
use synchroniser::hg::manifest::{Manifest, diff};
use synchroniser::hg::revlog::Delta;

/// How long each is measured.
const LONG: Duration = Duration::from_millis(400);

/// Runs `call` again and again, and prints the median of what it took. It works on `bytes`.
fn measure<T>(name: &str, bytes: usize, mut call: impl FnMut() -> T) {
    let word = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    if word.is_some_and(|word| !name.contains(&word)) {
        return;
    }
    let mut taken = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < LONG || taken.len() < 5 {
        let begin = Instant::now();
        black_box(call());
        taken.push(begin.elapsed());
    }
    taken.sort_unstable();
    let median = taken[taken.len() / 2];
    #[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
    let rate = bytes as f64 / 1e6 / median.as_secs_f64();
    println!("{name:<44} {:>12.1} µs {rate:>9.0} MB/s", median.as_secs_f64() * 1e6);
}

/// Text like that of programs: words from a small list.
fn text(bytes: usize) -> Vec<u8> {
    const WORDS: [&str; 12] = [
        "int",
        "return",
        "if",
        "(len",
        "<",
        "buf->last)",
        "{",
        "}",
        "static",
        "ngx_str_t",
        "*p =",
        ";\n",
    ];
    let (mut made, mut state) = (Vec::with_capacity(bytes + 16), 1_u64);
    while made.len() < bytes {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = WORDS[usize::try_from((state >> 33) % WORDS.len() as u64).unwrap_or_default()];
        made.extend_from_slice(word.as_bytes());
        made.push(b' ');
    }
    made.truncate(bytes);
    made
}

fn path(number: usize) -> String {
    format!("src/folder-{:03}/file-{number:06}.c", number / 32)
}

fn manifest(files: usize, changed: usize) -> Vec<u8> {
    let line = |number: usize| {
        let seed = if number == changed { usize::MAX } else { number };
        let digits: String =
            sha1::digest(&[&seed.to_le_bytes()]).iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{}\0{digits}\n", path(number)).into_bytes()
    };
    (0..files).flat_map(line).collect()
}

/// A delta of Mercurial that replaces a line here and there.
fn delta(length: usize, fragments: usize) -> Delta {
    let step = length / fragments;
    let mut bytes = Vec::new();
    for number in 0..fragments {
        let start = number * step;
        for number in [start, start + 40, 40] {
            bytes.extend(u32::try_from(number).unwrap_or_default().to_be_bytes());
        }
        bytes.extend([b'x'; 40]);
    }
    Delta::parse(bytes).unwrap_or_else(|error| panic!("{error}"))
}

fn deltas() {
    for (length, fragments) in [(4 << 10, 2), (64 << 10, 4), (1 << 20, 100)] {
        let (base, delta) = (text(length), delta(length, fragments));
        let name = format!("delta of hg, {} kB, {fragments} places", length >> 10);
        measure(&name, length, || delta.apply(&base));
    }
    // Base and result of 64,000 and 64,003 bytes: copy 60,000, insert 3, copy the last 4,000.
    let base = text(64_000);
    let delta = [
        &[0x80, 0xf4, 0x03, 0x83, 0xf4, 0x03][..],
        &[0xb0, 0x60, 0xea, 3, b'a', b'b', b'c', 0xb3, 0x60, 0xea, 0xa0, 0x0f],
    ]
    .concat();
    assert_eq!(apply_delta(&base, &delta, 1 << 20).map(|made| made.len()), Some(64_003));
    measure("delta of git, 64 kB", 64_003, || apply_delta(&base, &delta, 1 << 20));
}

fn hashes() {
    for length in [200, 4 << 10, 1 << 20] {
        let bytes = text(length);
        measure(&format!("SHA-1, {length} bytes"), length, || sha1::digest(&[&bytes]));
    }
}

fn compression() {
    for length in [1 << 10, 16 << 10, 1 << 20] {
        let bytes = text(length);
        let mut packed = Vec::new();
        let mut deflater = Deflater::default();
        measure(&format!("deflate, {} kB", length >> 10), length, || {
            packed.clear();
            deflater.append(&bytes, &mut packed);
        });
        packed.clear();
        deflater.append(&bytes, &mut packed);
        let mut decompressor = Decompressor::default();
        measure(&format!("inflate, {} kB", length >> 10), length, || {
            decompressor.zlib(&packed, 4 << 20).map(|out| out.len())
        });
        measure(&format!("inflate to a known size, {} kB", length >> 10), length, || {
            decompressor.zlib_at_once(&packed, length).map(|out| out.len())
        });
        let frame = ZstdCompressor::new(3).and_then(|mut zstd| zstd.frame(&bytes));
        if let Ok(frame) = frame {
            measure(&format!("zstd, {} kB", length >> 10), length, || {
                decompressor.zstd(&frame, 4 << 20).map(|out| out.len())
            });
        }
    }
}

fn manifests() {
    let (old, new) = (manifest(10_000, usize::MAX - 1), manifest(10_000, 5_000));
    measure("manifest, 10,000 lines, all read", old.len(), || {
        Manifest::new(&old).lines().filter(Result::is_ok).count()
    });
    measure("manifest, 10,000 lines, one looked up", old.len(), || {
        Manifest::new(&old).file(path(7_777).as_str().into()).is_some()
    });
    measure("manifest, 10,000 lines, two compared", old.len(), || {
        let mut changes = 0;
        diff(&old, &new, |_| changes += 1).map(|()| changes)
    });
}

/// No tree of earlier runs is needed.
struct NoTrees;

impl TreeSource for NoTrees {
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        Err(TreeError::Unreadable { id, source: None })
    }

    fn tree_of_commit(&self, id: ObjectId) -> Result<ObjectId, TreeError> {
        Err(TreeError::Unreadable { id, source: None })
    }
}

fn trees() {
    let paths: Vec<String> = (0..10_000).map(path).collect();
    let blob = |number: usize| ObjectId::of(ObjectKind::Blob, &number.to_le_bytes());
    let edit = |number: usize, of: usize| Edit {
        path: paths[number].as_bytes(),
        file: Some((Mode::Regular, blob(of))),
    };
    let all: Vec<_> = (0..paths.len()).map(|number| edit(number, number)).collect();
    let few: Vec<_> =
        (0..paths.len()).step_by(3_000).map(|number| edit(number, number + 1)).collect();
    let mut writer = Nowhere.writer();
    let mut editor = TreeEditor { source: &NoTrees, writer: writer.as_mut() };
    let empty = Directory::empty();
    let bytes = paths.iter().map(|path| path.len() + 28).sum();
    measure("tree, 10,000 files, new", bytes, || editor.apply(&empty, &all).map(|tree| tree.id()));
    let Ok(full) = editor.apply(&empty, &all) else { return };
    measure("tree, 10,000 files, 4 of them changed", bytes, || {
        editor.apply(&full, &few).map(|tree| tree.id())
    });
}

fn packs() {
    let Ok(folder) = tempfile::tempdir() else { return };
    let Ok(repository) = BareRepository::open_or_create(folder.path(), "main") else { return };
    let base = text(4_000);
    let blobs: Vec<Vec<u8>> = (0..2_000_usize)
        .map(|number| [number.to_string().as_bytes(), b"\n", &base].concat())
        .collect();
    let ids: Vec<_> = blobs.iter().map(|blob| ObjectId::of(ObjectKind::Blob, blob)).collect();
    let bytes: usize = blobs.iter().map(Vec::len).sum();
    let write = |with_hints: bool| {
        let known = repository.known().map_err(|error| error.to_string())?;
        let pack = PackWriter::new(folder.path(), known).map_err(|error| error.to_string())?;
        let mut writer = pack.writer();
        for (number, (blob, id)) in blobs.iter().zip(&ids).enumerate() {
            let before = number.checked_sub(1).filter(|_| with_hints && number % 40 > 0);
            let digits = number.to_string().len() + 1;
            let copied = before.map(|before| {
                let skip = before.to_string().len() + 1;
                [Copied { from: skip, to: digits, length: base.len() }]
            });
            let delta_hint = before.zip(copied.as_ref()).map(|(before, copied)| DeltaHint {
                base: ids[before],
                base_length: blobs[before].len(),
                copied,
            });
            let object = NewObject { id: *id, kind: ObjectKind::Blob, contents: blob, delta_hint };
            writer.write(object).map_err(|error| error.to_string())?;
        }
        writer.finish().map_err(|error| error.to_string())
    };
    measure("pack, 2,000 blobs of 4 kB, deflated", bytes, || write(false));
    measure("pack, 2,000 blobs of 4 kB, as deltas", bytes, || write(true));
}

fn main() {
    deltas();
    hashes();
    compression();
    manifests();
    trees();
    packs();
}
