//! `inspect`, judged by what Mercurial says of the same repositories.

use std::path::Path;

use serde_json::Value;
use synchroniser::cli::exit;

use crate::support::{Fixture, Hg, TestEnv, env, for_all, same, skip};

fn inspect(env: &TestEnv, what: &str, source: &Path, args: &[&str]) -> Result<String, String> {
    let words = ["inspect", what, source.to_str().unwrap()];
    env.synchronise(words.into_iter().chain(args.iter().copied())).ok()
}

fn json(env: &TestEnv, what: &str, source: &Path, args: &[&str]) -> Result<Value, String> {
    let text = inspect(env, what, source, &[args, &["--json"]].concat())?;
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}

/// Escaped as `inspect` escapes them, for the bytes that occur here.
fn is_shown(shown: &Value, bytes: &[u8]) -> bool {
    let plain = bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\\');
    let shown = shown.as_str().unwrap();
    !shown.contains(char::is_control) && (!plain || shown.as_bytes() == bytes)
}

#[test]
fn changesets_are_what_mercurial_says() {
    for name in ["authors", "dates", "messages", "graph", "phases", "obsolete"] {
        let env = TestEnv::new();
        let fixture = Fixture::named(name);
        let source = fixture.unpack(&env);
        for (revision, expected) in fixture.truth.changesets.iter().enumerate().step_by(3) {
            let shown = json(&env, "changeset", &source, &[&revision.to_string()]).unwrap();
            let parents: Vec<&str> = shown["parents"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parent| parent["node"].as_str().unwrap())
                .collect();
            assert_eq!(shown["node"], *expected.node, "{name} {revision}");
            assert_eq!(parents, expected.parents, "{name} {revision}");
            assert_eq!(shown["seconds"], expected.seconds, "{name} {revision}");
            assert_eq!(shown["west"], expected.west, "{name} {revision}");
            assert_eq!(shown["served"], expected.served, "{name} {revision}");
            assert!(is_shown(&shown["user"], &expected.user), "{name} {revision}");
            assert!(is_shown(&shown["description"], &expected.description), "{name} {revision}");
        }
    }
}

#[test]
fn a_repository_has_the_names_that_mercurial_says() {
    for name in ["heads", "tags", "bookmark-names", "phases"] {
        let env = TestEnv::new();
        let fixture = Fixture::named(name);
        let source = fixture.unpack(&env);
        let shown = json(&env, "repository", &source, &[]).unwrap();
        assert_eq!(shown["changesets"], fixture.truth.changesets.len(), "{name}");
        assert_eq!(shown["served"], fixture.truth.served().count(), "{name}");
        assert_eq!(shown["tip"].as_str(), fixture.truth.tip.as_deref(), "{name}");
        let nodes = |list: &Value| -> Vec<String> {
            let list = list.as_array().unwrap().iter();
            list.map(|pair| pair[1].as_str().unwrap().to_owned()).collect()
        };
        let expected = |list: &[(Vec<u8>, String)]| -> Vec<String> {
            let mut list = list.to_vec();
            list.sort();
            list.into_iter().map(|(_, node)| node).collect()
        };
        assert_eq!(nodes(&shown["tags"]), expected(&fixture.truth.tags), "{name}");
        assert_eq!(nodes(&shown["bookmarks"]), expected(&fixture.truth.bookmarks), "{name}");
        let heads = shown["branches"].as_array().unwrap().iter();
        let heads = heads.map(|branch| branch["open_heads"].as_array().unwrap().len()).sum();
        same("open heads", &fixture.truth.heads.len(), &heads).unwrap();
    }
}

#[test]
fn nothing_that_a_terminal_obeys_is_printed() {
    for name in ["authors", "messages", "paths", "tag-bytes"] {
        let env = TestEnv::new();
        let fixture = Fixture::named(name);
        let source = fixture.unpack(&env);
        for revision in 0..fixture.truth.changesets.len() {
            for what in ["changeset", "manifest"] {
                let text = inspect(&env, what, &source, &[&revision.to_string()]).unwrap();
                let obeyed = |c: char| c.is_control() && c != '\n';
                assert!(!text.contains(obeyed), "{name} {revision}: {text:?}");
            }
        }
    }
}

#[test]
fn what_is_not_there_is_said() {
    let env = TestEnv::new();
    let source = Fixture::named("renames").unpack(&env);
    let source = source.to_str().unwrap();
    for (args, expected) in [
        (&["changeset", source, "999"][..], "find changeset \"999\": there is none"),
        (&["changeset", source, ""], "find changeset \"\": there is none"),
        (&["file", source, "no\u{1b}such"], "find the file \"no\\\\u{1b}such\": there is none"),
        (&["delta-chain", source, "changelog", "x"], "find revision \"x\": there is none"),
        (&["delta-chain", source, "../x", "0"], "find a history of the file \"../x\""),
    ] {
        let ran = env.synchronise(["inspect"].iter().chain(args));
        let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

/// Every format: manifests, files and chains as Mercurial shows them.
#[test]
fn oracle_hg_shows_the_same() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let names = ["formats", "renames", "flips", "special-names"];
    for_all(names.map(|name| (name.to_owned(), name)), |name| {
        let env = TestEnv::new();
        let source = Fixture::named(name).unpack(&env);
        let hg = Hg { env: &env, program: program.clone() };
        let shown = json(&env, "manifest", &source, &["tip"])?;
        let line = |file: &Value| {
            [&file["node"], &file["flag"]].map(|field| field.as_str().unwrap()).concat()
        };
        let ours: Vec<String> = shown["files"].as_array().unwrap().iter().map(line).collect();
        let text = hg.run(&source, &["debugdata", "-m", &manifest_rev(&hg, &source)?]).ok()?;
        let theirs: Vec<_> =
            text.lines().filter_map(|line| Some(line.split_once('\0')?.1.to_owned())).collect();
        same("manifest", &ours, &theirs)?;
        for file in shown["files"].as_array().unwrap() {
            let path = file["path"].as_str().unwrap();
            if !path.is_ascii() || path.contains('\\') {
                continue;
            }
            let theirs = hg.run(&source, &["cat", "-r", "tip", &format!("path:{path}")]);
            let ours = inspect(&env, "file", &source, &[path])?;
            if let Ok(theirs) = theirs.ok() {
                same(path, &ours, &theirs)?;
            }
            let node = file["node"].as_str().unwrap();
            let chain = json(&env, "delta-chain", &source, &[path, node])?;
            let links = chain["links"].as_array().unwrap();
            same("the first is a full text", &links[0]["base"].is_null(), &true)?;
            same("the last", &links[links.len() - 1]["node"].as_str(), &Some(node))?;
        }
        Ok(())
    });
}

/// The number of the tip's manifest.
fn manifest_rev(hg: &Hg<'_>, source: &Path) -> Result<String, String> {
    hg.run(source, &["log", "-r", "tip", "-T", "{manifest.rev}"]).ok()
}
