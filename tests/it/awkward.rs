//! Repositories that are rare and sound: what Mercurial says of them is what becomes of them.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use synchroniser::cli::exit;

use crate::support::hg_server::HgServe;
use crate::support::{Converted, Fixture, Hg, Ran, TestEnv, env, for_all, same, skip};

const IDENTITIES: [&str; 3] = ["native", "hg-git", "fast-export"];

/// What the refs of a bare repository stand for: the short names, and the changesets.
fn nodes(made: &Converted) -> BTreeMap<String, String> {
    let node_of: BTreeMap<_, _> = made.commits.iter().map(|(node, id)| (id, node)).collect();
    let short = |name: &str| name.trim_start_matches("refs/heads/").to_owned();
    made.refs().iter().map(|(name, id)| (short(name), node_of[id].clone())).collect()
}

#[test]
fn a_delta_against_the_null_revision_is_told_as_one() {
    for telling in ["generaldelta", "previous", "revlogv0"] {
        let env = TestEnv::new();
        let source = Fixture::named(&format!("null-deltas/{telling}")).unpack(&env);
        let source = source.to_str().unwrap();
        for (file, revision) in [("noise", "0"), ("lines", "3"), ("nul", "0")] {
            let words = ["inspect", "delta-chain", source, file, revision];
            let text = env.synchronise(words).ok().unwrap();
            assert!(text.contains("delta against the null revision"), "{telling}: {text}");
            let json = env.synchronise(words.iter().chain(&["--json"])).ok().unwrap();
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["links"][0]["base"], -1, "{telling}: {json}");
        }
    }
}

#[test]
fn obsolete_changesets_are_no_heads_under_any_identity() {
    let fixture = Fixture::named("obsolete-heads");
    let truth = &fixture.truth;
    let heads = truth.heads.iter().map(|(name, node)| (name.clone(), node.clone()));
    let bookmarks = truth.bookmarks.iter().cloned();
    let mut expected: BTreeMap<String, String> = heads
        .chain(bookmarks)
        .map(|(name, node)| (String::from_utf8(name).unwrap(), node))
        .collect();
    expected.insert("master".to_owned(), truth.tip.clone().unwrap());
    assert!(!expected.contains_key("gone") && !expected.contains_key("ended"));
    for_all(IDENTITIES.map(|identity| (identity.to_owned(), identity)), |identity| {
        let env = TestEnv::new();
        let (source, target) = (fixture.unpack(&env), env.path("made.git"));
        let made = Converted::make_as(&env, &source, &target, identity)?;
        same("refs", &nodes(&made), &expected)?;
        let words = [Path::new("verify"), &source, &target];
        env.synchronise(words).ok().map(drop)
    });
}

/// A repository of three changesets whose tip `hg` has marked as obsolete, and its working copy holds.
fn obsolete_tip(hg: &Hg<'_>, source: &Path) -> Result<String, String> {
    hg.env.run(&hg.program, [Path::new("init"), source]).ok()?;
    for text in ["1", "2", "3"] {
        std::fs::write(source.join("f"), text).unwrap();
        let date = format!("{text} 0");
        hg.run(source, &["commit", "-q", "-A", "-u", "t", "-m", text, "-d", &date]).ok()?;
    }
    hg.run(source, &["log", "-r", "tip", "-T", "{node}"]).ok()
}

#[test]
fn obsolete_heads_are_the_same_whichever_way_they_come() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let settings = ["yes", "no"].map(|stream| format!("server.uncompressed={stream}"));
    let ways = settings.into_iter().flat_map(|stream| {
        let with = |evolution| vec![stream.clone(), format!("experimental.evolution={evolution}")];
        [with("all"), with("")]
    });
    for_all(ways.map(|way| (way.join(" "), way)), |settings| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        let source = env.path("source");
        let tip = obsolete_tip(&hg, &source)?;
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        let server = HgServe::start(&env, &program, &source, &settings);
        let fetch = |target: &str| {
            let (to, map) = (env.path(target), env.path(target).with_extension("map"));
            let paths = [&to, &map].map(|path| path.to_str().unwrap());
            let words = ["convert", "--source-plain-http", &server.url, paths[0]];
            env.synchronise(words.into_iter().chain(["--map", paths[1]])).ok()?;
            Converted::read(&to, &map).map(|made| nodes(&made))
        };
        // One copy is there before, and hears of the marker; one comes after it.
        same("the tip, not obsolete", &fetch("before.git")?["default"], &tip)?;
        hg.run(&source, &["debugobsolete", &tip]).ok()?;
        let branch = hg.run(&source, &["log", "-r", "default", "-T", "{node}"]).ok()?;
        assert_ne!(branch, tip);
        let in_place = Converted::make(&env, &source, &env.path("in-place.git"))?;
        same("changesets", &in_place.commits.len(), &3)?;
        let expected = nodes(&in_place);
        same("the branch", &expected["default"], &branch)?;
        same("the main branch", &expected["master"], &branch)?;
        for target in ["before.git", "after.git", "after.git"] {
            same(target, &fetch(target)?, &expected)?;
        }
        // Hidden by now: nothing holds it any more.
        hg.run(&source, &["update", "-q", "-r", &branch]).ok()?;
        for target in ["before.git", "after.git"] {
            same(target, &fetch(target)?, &expected)?;
        }
        Ok(())
    });
}

/// Converts the fixture with its closed branch `ended`, with `main` as the main branch.
fn with_main(env: &TestEnv, main: &str) -> Ran {
    let source = Fixture::named("obsolete-heads").unpack(env);
    let target = env.path("made.git");
    let words = ["convert", source.to_str().unwrap(), target.to_str().unwrap(), "--main", main];
    env.synchronise(words)
}

#[test]
fn a_main_branch_whose_heads_are_all_closed_is_followed() {
    let fixture = Fixture::named("obsolete-heads");
    let closed = fixture.truth.changesets.iter().find(|it| it.description == b"closed").unwrap();
    for identity in IDENTITIES {
        let env = TestEnv::new();
        let (source, target) = (fixture.unpack(&env), env.path("made.git"));
        let map = env.path("map");
        let paths = [&source, &target, &map].map(|path| path.to_str().unwrap().to_owned());
        let [source, to, map_at] = &paths;
        let words = ["convert", source, to, "--map", map_at, "--main", "ended"];
        let words = words.into_iter().chain(["--identity", identity]);
        env.synchronise(words).ok().unwrap();
        let made = Converted::read(&target, &map).unwrap();
        assert_eq!(nodes(&made)["master"], closed.node, "{identity}");
        env.synchronise(["verify", source, to, "--main", "ended"]).ok().unwrap();
    }
}

#[test]
fn a_main_branch_that_is_not_there_is_an_error_that_names_the_near_ones() {
    for (main, words) in [
        ("defualt", &["has no named branch \"defualt\"", "the source has \"default\", \""][..]),
        ("nosuch", &["has no named branch \"nosuch\"", "\"side\"", "`tip` follows"]),
        ("kept", &["has no named branch \"kept\"", "that is a bookmark"]),
    ] {
        let env = TestEnv::new();
        let ran = with_main(&env, main).with_code(exit::CONFIG.into()).unwrap();
        for word in words {
            assert!(ran.stderr.contains(word), "{main}: {}", ran.stderr);
        }
        let refs = env.git(&env.path("made.git"), &["for-each-ref"]).stdout;
        assert!(refs.is_empty(), "{main}: {refs}");
    }
}

#[test]
fn a_branch_whose_name_is_empty_has_a_ref_and_a_note() {
    let env = TestEnv::new();
    let fixture = Fixture::named("branch-without-name");
    let (source, target) = (fixture.unpack(&env), env.path("made.git"));
    let words = [Path::new("convert"), &source, &target];
    let told = env.synchronise(words).ok().unwrap();
    assert!(told.contains("the branch \"\" of the source is refs/heads/% here"), "{told}");
    let made = Converted::make(&env, &source, &target).unwrap();
    let of_no_name = fixture.truth.heads.iter().find(|(name, _)| name.is_empty()).unwrap();
    assert_eq!(nodes(&made)["%"], of_no_name.1);
}

#[test]
fn a_bundle_that_cannot_begin_a_copy_is_told_as_what_it_is() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let source = env.path("source");
    obsolete_tip(&hg, &source).unwrap();
    let made = |name: &str, words: &[&str]| {
        let file = env.path(name);
        let words = [&["bundle", "-q"], words, &[file.to_str().unwrap()]].concat();
        hg.run(&source, &words).ok().unwrap();
        file
    };
    let phases = made("phases.hg", &["--all", "-t", "v2;changegroup=no;phases=yes"]);
    let first = made("first.hg", &["--base", "null", "-r", "0"]);
    for (file, words) in [
        (phases, "the bundle has no changesets"),
        (made("second.hg", &["--base", "0", "-r", "1"]), "builds on changeset"),
        (made("v1.hg", &["--base", "0", "-r", "1", "-t", "none-v1"]), "builds on changeset"),
        (made("v3.hg", &["--base", "1", "-r", "2", "-t", "none-v3"]), "builds on changeset"),
    ] {
        let target = file.with_extension("git");
        let convert = |file: &Path| env.synchronise([Path::new("convert"), file, &target]);
        let ran = convert(&file).with_code(exit::CONFIG.into()).unwrap();
        assert!(ran.stderr.contains(words) && ran.stderr.contains("hg bundle --all"), "{ran:?}");
        // With what it builds on there before, the second one is taken.
        if file.ends_with("second.hg") {
            convert(&first).ok().unwrap();
            convert(&file).ok().unwrap();
        }
    }
}

#[test]
fn a_subrepository_that_stays_in_the_tree_is_not_told_as_left_out() {
    for (identity, stays) in [("fast-export", true), ("hg-git", false)] {
        let env = TestEnv::new();
        let source = Fixture::named("subrepos-without-state").unpack(&env);
        let target = env.path("made.git");
        let words = [Path::new("convert"), &source, &target, Path::new("--identity")];
        let told = env.synchronise(words.into_iter().chain([Path::new(identity)])).ok().unwrap();
        assert_eq!(!told.contains("left out \"lib/a\""), stays, "{identity}: {told}");
        assert!(told.contains("left out \"lib/d\""), "{identity}: {told}");
        // The second changeset has no .hgsubstate.
        let tree = env.git(&target, &["ls-tree", "-r", "master~1"]).stdout;
        assert_eq!(tree.contains("lib/a"), stays, "{identity}: {tree}");
        assert!(!tree.contains("lib/d"), "{identity}: {tree}");
    }
}
