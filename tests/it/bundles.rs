//! Bundles that Mercurial made, whole and damaged.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use synchroniser::base::{Fault, HasFault, Limits};
use synchroniser::hg::Node;
use synchroniser::hg::bundle::{Bundle, Content, Damage};

use crate::support::bundle::{comparable, told};
use crate::support::env::cases;
use crate::support::{TestEnv, for_all, same};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/bundles")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name).with_extension("hg")).unwrap()
}

/// Names and contents of all bundles but those that are refused.
fn all() -> Vec<(String, Vec<u8>)> {
    let mut names: Vec<_> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "hg"))
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .filter(|name| name != "changegroup-04")
        .collect();
    names.sort();
    assert!(names.len() > 12, "{names:?}");
    names.into_iter().map(|name| (name.clone(), read(&name))).collect()
}

/// The lines about files in a changegroup, and which follow.
fn files(told: &str) -> &str {
    told.split_once("\n\n    a\n").unwrap().1
}

#[test]
fn all_that_mercurial_says() {
    for_all(
        all().into_iter().map(|(name, bytes)| (name.clone(), (name, bytes))),
        |(name, bytes)| {
            let expected =
                std::fs::read_to_string(folder().join(&name).with_extension("txt")).unwrap();
            let found = told(&bytes).map_err(|error| error.to_string())?;
            // In version 03 it takes the end of the directories for that of the files.
            if matches!(name.as_str(), "changegroup-03" | "treemanifest") {
                let (before, after) = expected.rsplit_once("cache:").unwrap();
                assert!(found.starts_with(before) && found.ends_with(after), "{found}");
                return Ok(());
            }
            same("what is in it", &found, &comparable(&expected))
        },
    );
    let [second, third] = ["v2-none", "changegroup-03"].map(|name| told(&read(name)).unwrap());
    assert_eq!(files(&third), files(&second));
    let tree = told(&read("treemanifest")).unwrap();
    assert!(tree.contains("\n\n    dir/\n") && tree.contains("\n\n    dir/f\n"), "{tree}");
}

#[test]
fn small_parts() {
    let node = |text: &str| Node::from_hex(text.as_bytes()).unwrap();
    let bytes = read("pulled");
    let mut bundle = Bundle::open(&bytes[..], &Limits::default()).unwrap();
    let mut seen = Vec::new();
    while let Some(mut part) = bundle.next_part().unwrap() {
        match part.content().unwrap() {
            Content::Bookmarks(bookmarks) => seen.push(format!("{bookmarks:?}")),
            Content::ListKeys(keys) => seen.push(format!("{keys:?}")),
            _ => {}
        }
    }
    bundle.finish().unwrap();
    let (first, tip) = (
        node("5dcac8199ea67df563a39f252130d4d4a64cd8ab").to_string(),
        node("dd3a9b5a70b296fa6f9392d678f8bf26fcfa26ee").to_string(),
    );
    assert!(seen[0].contains("\"one mark\"") && seen[0].contains("\"other\""), "{seen:?}");
    let marks = &seen[1];
    assert!(marks.contains(&format!("(\"one mark\", {first:?})")), "{marks}");
    assert!(marks.contains(&format!("(\"other\", {tip:?})")), "{marks}");
    let bytes = read("stream2");
    let mut bundle = Bundle::open(&bytes[..], &Limits::default()).unwrap();
    let mut part = bundle.next_part().unwrap().unwrap();
    let content = part.content().unwrap();
    let Content::Stream { requirements, files, bytes, .. } = content else { panic!("no stream") };
    assert_eq!(
        requirements,
        ["generaldelta", "revlog-compression-zstd", "revlogv1", "sparserevlog"]
    );
    assert_eq!((files, bytes), (Some(13), Some(3359)));
}

/// The files that a stream bundle holds.
fn streamed(name: &str) -> Vec<(String, u64, Vec<u8>)> {
    let bytes = read(name);
    let mut bundle = Bundle::open(&bytes[..], &Limits::default()).unwrap();
    let mut files = Vec::new();
    while let Some(mut part) = bundle.next_part().unwrap() {
        let Content::Stream { mut stream, .. } = part.content().unwrap() else { continue };
        while let Some(file) = stream.next_file().unwrap() {
            let mut contents = Vec::new();
            stream.read_to_end(&mut contents).unwrap();
            files.push((format!("{:?} {}", file.area, file.name), file.size, contents));
        }
    }
    bundle.finish().unwrap();
    files
}

#[test]
fn both_layouts_of_streams_hold_the_same_files() {
    let (second, third) = (streamed("stream2"), streamed("stream3"));
    assert_eq!(second.len(), 13);
    assert_eq!(second.iter().map(|(.., contents)| contents.len()).sum::<usize>(), 3359);
    for (name, size, contents) in &second {
        assert_eq!(*size, contents.len() as u64, "{name}");
    }
    let store = |files: Vec<(String, u64, Vec<u8>)>| {
        let mut files: Vec<_> =
            files.into_iter().filter(|file| file.0.starts_with("Store")).collect();
        files.sort();
        files
    };
    let (second, third) = (store(second), store(third));
    let names: Vec<_> = second.iter().map(|file| &file.0).collect();
    assert!(names.iter().any(|name| *name == "Store 00changelog.i"), "{names:?}");
    assert_eq!(second, third);
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let error = told(&read("changegroup-04")).unwrap_err();
    assert_eq!(error.fault(), Fault::Unsupported);
    assert!(error.to_string().contains("version \"04\""), "{error}");
    for (bytes, fault, words) in [
        (&b"HG30UN"[..], Fault::Unsupported, "\"HG30\""),
        (b"HGS1UN", Fault::Unsupported, "\"HGS1\""),
        (b"HG10XZ", Fault::Unsupported, "\"XZ\""),
        (b"HG20\0\0\0\x03Abc", Fault::Unsupported, "\"Abc\""),
        (b"HG20\0\0\0\x0fabc Compression", Fault::Unsupported, "compression \"\""),
        (b"HG20\xff\xff\xff\xff", Fault::Corrupt, "length of the parameters is -1"),
        (b"HG20\0\0\0\x01-", Fault::Corrupt, "parameters is malformed"),
        (b"PACK", Fault::Corrupt, "does not begin as a bundle does"),
        (b"HG", Fault::Corrupt, "at offset 2: it ends within the magic bytes"),
        (b"HG20\0\0\0\0\0\0\0\0x", Fault::Corrupt, "at offset 13: something follows"),
    ] {
        let error = told(bytes).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.fault(), fault, "{error}");
    }
    assert_eq!(told(b"HG20\0\0\0\0\0\0\0\0").unwrap(), "Stream params: {}\n");
}

#[test]
fn every_cut_is_an_error() {
    for (name, bytes) in all() {
        for end in (0..bytes.len()).step_by(cases(5, 1)) {
            let error = told(&bytes[..end]).map(|_| ()).expect_err(&format!("{name} cut at {end}"));
            assert_eq!(error.fault(), Fault::Corrupt, "{name} cut at {end}: {error}");
        }
    }
}

#[test]
fn a_flip_is_an_error_or_another_bundle() {
    for (name, bytes) in all() {
        // Fields have two, four and eight bytes: every seventh byte meets each part of them now and then.
        for at in (0..bytes.len()).step_by(cases(7, 1)) {
            for bit in [0, 7] {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                if let Err(error) = told(&flipped) {
                    assert!(!error.to_string().is_empty(), "{name} at {at}");
                }
            }
        }
    }
}

/// What `inspect bundle` prints about a fixture.
fn inspected(name: &str, more: &[&str]) -> String {
    let env = TestEnv::new();
    let file = folder().join(name).with_extension("hg");
    let args = ["inspect", "bundle", file.to_str().unwrap()];
    env.synchronise(args.iter().chain(more)).ok().unwrap()
}

#[test]
fn inspect_tells_parts_and_counts() {
    assert_snapshot!(inspected("v2-zstd", &[]), @r"
    bundle HG20, compression zstd
      parameter Compression: ZS
    part changegroup
      parameter version: 02
      parameter nbchanges: 7
      changesets: 7
      manifests: 7
      files: 8, 10 revisions
    part cache:rev-branch-cache, advisory
      not read: 159 bytes
    ");
    assert_snapshot!(inspected("stream2", &[]), @r"
    bundle HG20, compression none
    part stream2
      parameter bytecount: 3359
      parameter filecount: 13
      parameter requirements: generaldelta%2Crevlog-compression-zstd%2Crevlogv1%2Csparserevlog
      requirements: generaldelta revlog-compression-zstd revlogv1 sparserevlog
      files: 13
      bytes: 3359
    ");
    let lists = inspected("pulled", &[]);
    let (_, lists) = lists.split_once("part bookmarks\n").unwrap();
    let (lists, _) = lists.split_once("part phase-heads\n").unwrap();
    assert_snapshot!(lists, @r"
      bookmark kept: 0820fb68945a1f50fc1883b9cc89ce5c25ac77cc
      bookmark one mark: 5dcac8199ea67df563a39f252130d4d4a64cd8ab
      bookmark other: dd3a9b5a70b296fa6f9392d678f8bf26fcfa26ee
    part listkeys
      parameter namespace: bookmarks
      key kept: 0820fb68945a1f50fc1883b9cc89ce5c25ac77cc
      key one mark: 5dcac8199ea67df563a39f252130d4d4a64cd8ab
      key other: dd3a9b5a70b296fa6f9392d678f8bf26fcfa26ee
    part listkeys
      parameter namespace: phases
      key 5dcac8199ea67df563a39f252130d4d4a64cd8ab: 1
      key publishing: True
    part listkeys
      parameter namespace: namespaces
      key namespaces: 
      key bookmarks: 
      key phases: 
      key obsolete: 
    part obsmarkers
      marker 074caae483021d4f017fc23d6eb3b626283effa0: 9afee0f27dc562212bbd64108aabb0c5c8d877e8, flags 0
      marker 0820fb68945a1f50fc1883b9cc89ce5c25ac77cc: dropped, flags 0
      marker 1111111111111111111111111111111111111111: 5dcac8199ea67df563a39f252130d4d4a64cd8ab, flags 0
      marker 84659299c68c6964e0c7aceab9189837a36fca41: ef11af3f450e420bdc7a2a0d1a7ac506b7e0fa74 dd3a9b5a70b296fa6f9392d678f8bf26fcfa26ee, flags 0
      marker 90a6e098d4b9e24f624473ec04189aa2795f1921: 9afee0f27dc562212bbd64108aabb0c5c8d877e8, flags 0
    ");
}

/// The entries are those that Mercurial tells, in text and in JSON.
#[test]
fn inspect_tells_every_entry() {
    let expected = std::fs::read_to_string(folder().join("partial-v2.txt")).unwrap();
    let expected: Vec<Vec<&str>> = expected
        .lines()
        .map(|line| line.split_whitespace().collect())
        .filter(|fields: &Vec<&str>| fields.len() == 6 && fields[0].len() == 40)
        .collect();
    assert!(expected.len() > 6, "{expected:?}");
    let text = inspected("partial-v2", &["--entries"]);
    let lines: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.contains(" parents "))
        .map(|line| line.split_whitespace().collect())
        .map(|words: Vec<&str>| vec![words[0], words[2], words[3], words[5], words[7]])
        .collect();
    let nodes: Vec<Vec<&str>> = expected.iter().map(|fields| fields[..5].to_vec()).collect();
    assert_eq!(lines, nodes);
    let json = inspected("partial-v2", &["--entries", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let groups = json["parts"][0]["content"]["changegroup"]["groups"].as_array().unwrap();
    let revisions: Vec<_> =
        groups.iter().flat_map(|group| group["revisions"].as_array().unwrap()).collect();
    let counted = revisions.iter().map(|revision| {
        12 * revision["ranges"].as_u64().unwrap() + revision["bytes"].as_u64().unwrap()
    });
    let lengths = expected.iter().map(|fields| fields[5].parse::<u64>().unwrap());
    assert_eq!(counted.collect::<Vec<_>>(), lengths.collect::<Vec<_>>());
    assert_eq!(revisions[0]["node"], expected[0][0]);
}

/// Lengths and counts that no file backs.
#[test]
fn a_bundle_does_not_get_the_memory_that_it_asks_for() {
    let start = std::time::Instant::now();
    let limits = Limits { revision_bytes: 1 << 20, ..Limits::default() };
    for (chunk, expected) in [
        (&b"\x7f\xff\xff\xff"[..], true),
        (b"\x00\x10\x00\x00", false),
        (b"\xff\xff\xff\xff", false),
        (b"\x00\x00\x00\x03", false),
        (b"\x00\x00\x00\x04", false),
    ] {
        let bytes = [b"HG10UN", chunk].concat();
        let mut bundle = Bundle::open(&bytes[..], &limits).unwrap();
        let mut part = bundle.next_part().unwrap().unwrap();
        let Content::Changegroup(mut group) = part.content().unwrap() else { panic!() };
        group.next_item().unwrap();
        let error = group.next_item().unwrap_err();
        let too_large = matches!(
            &error,
            synchroniser::hg::bundle::BundleError::Damaged { damage: Damage::TooLarge { .. }, .. }
        );
        assert_eq!(too_large, expected, "{error}");
    }
    assert!(start.elapsed().as_secs() < 5);
}

/// A part in the middle of another one, as servers send them: output is passed over, errors are told.
#[test]
fn interruptions() {
    let chunked = |interruption: &[u8]| {
        let phases = [&b"\x0bPHASE-HEADS\0\0\0\0\0\0"[..]].concat();
        let mut bytes = b"HG20\0\0\0\0".to_vec();
        bytes.extend(u32::try_from(phases.len()).unwrap().to_be_bytes());
        bytes.extend(phases);
        bytes.extend([&[0, 0, 0, 10][..], &[0, 0, 0, 1], &[7; 6]].concat());
        bytes.extend([0xff; 4]);
        bytes.extend(u32::try_from(interruption.len()).unwrap().to_be_bytes());
        bytes.extend(interruption);
        // Its payload, then the rest of the part that was interrupted, then the end.
        bytes.extend(
            [&[0, 0, 0, 3][..], b"hey", &[0; 4], &[0, 0, 0, 14], &[7; 14], &[0; 8]].concat(),
        );
        told(&bytes)
    };
    let output = chunked(b"\x06output\0\0\0\x01\0\0").unwrap();
    assert!(output.ends_with(&format!("    {} draft\n", "07".repeat(20))), "{output}");
    let error = chunked(b"\x0bERROR:ABORT\0\0\0\x01\x01\0\x07\x06messagenot me").unwrap_err();
    assert_eq!(error.to_string(), "read the bundle: the other side ended it: not me");
    let error = chunked(b"\x05OTHER\0\0\0\x01\0\0").unwrap_err();
    assert_eq!(error.fault(), Fault::Unsupported);
}
