//! What an operator can choose: author maps, names of references, phases, topics, notes; and the
//! plan of a sync. `verify` agrees with every conversion under the same options.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use synchroniser::cli::exit;
use synchroniser::convert::identity::names;

use crate::support::{Fixture, Ran, TestEnv, env, git, skip};

fn run(env: &TestEnv, command: &str, source: &Path, target: &Path, options: &[&str]) -> Ran {
    let words = [Path::new(command), source, target];
    env.synchronise(words.into_iter().chain(options.iter().map(Path::new)))
}

/// The references of a bare repository: their names and the descriptions of their changesets.
fn refs(target: &Path) -> BTreeMap<String, String> {
    let repository = git2::Repository::open_bare(target).unwrap();
    let references = repository.references().unwrap();
    let named = references.map(|reference| {
        let reference = reference.unwrap();
        let commit = reference.peel_to_commit().unwrap();
        let message = String::from_utf8_lossy(commit.message_bytes()).trim_end().to_owned();
        (String::from_utf8_lossy(reference.name_bytes()).into_owned(), message)
    });
    named.collect()
}

/// Where the refs are that keep commits which no name has.
const KEPT: &str = "refs/synchroniser/";

/// Converts and verifies under `options`, and returns the refs, one a line.
fn converted(fixture: &str, options: &[&str]) -> String {
    let env = TestEnv::new();
    let (source, target) = (Fixture::named(fixture).unpack(&env), env.path("target.git"));
    run(&env, "convert", &source, &target, options).ok().unwrap();
    run(&env, "verify", &source, &target, options).ok().unwrap();
    // Hidden refs keep what no name has.
    let named = refs(&target).into_iter().filter(|(name, _)| !name.starts_with(KEPT));
    let lines: Vec<_> = named.map(|(name, message)| format!("{name}: {message}\n")).collect();
    lines.concat()
}

/// The author of each changeset, by its description.
fn authors(target: &Path) -> BTreeMap<String, String> {
    let repository = git2::Repository::open_bare(target).unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_glob("refs/*").unwrap();
    let authors = walk.map(|id| {
        let commit = repository.find_commit(id.unwrap()).unwrap();
        let header = commit.header_field_bytes("author").unwrap();
        let author = String::from_utf8_lossy(&header).into_owned();
        let end = author.rfind('>').unwrap_or_default() + 1;
        let message = String::from_utf8_lossy(commit.message_bytes()).trim_end().to_owned();
        (message, author[..end].to_owned())
    });
    authors.collect()
}

#[test]
fn a_template_changes_no_commit() {
    for identity in names() {
        let env = TestEnv::new();
        let source = Fixture::named("authors").unpack(&env);
        let words = [Path::new("authors"), &source, Path::new("--identity"), identity.as_ref()];
        let template = env.synchronise(words).ok().unwrap();
        assert!(template.lines().count() > 40, "{template}");
        std::fs::write(env.path("authors.map"), template).unwrap();
        let map = env.path("authors.map");
        let (plain, mapped) = (env.path("plain.git"), env.path("mapped.git"));
        run(&env, "convert", &source, &plain, &["--identity", identity]).ok().unwrap();
        let options = ["--identity", identity, "--author-map", map.to_str().unwrap()];
        run(&env, "convert", &source, &mapped, &options).ok().unwrap();
        let map = |target: &Path| std::fs::read(target.join("synchroniser/map")).unwrap();
        assert_eq!(map(&plain), map(&mapped), "{identity}");
        // Nothing would be another author, so either way of going on is fine.
        run(&env, "convert", &source, &plain, &options).ok().unwrap();
        run(&env, "convert", &source, &mapped, &["--identity", identity]).ok().unwrap();
    }
}

#[test]
fn mapped_users_are_others_under_every_identity() {
    for identity in names() {
        let env = TestEnv::new();
        let source = Fixture::named("halves-first").unpack(&env);
        let target = env.path("target.git");
        std::fs::write(env.path("map"), "# one\n\nTEST@example.org = New Name <new@x.org>\n")
            .unwrap();
        let options = ["--identity", identity, "--author-map", "map"];
        run(&env, "convert", &source, &target, &options).ok().unwrap();
        let made = authors(&target);
        assert!(made.values().all(|author| author == "New Name <new@x.org>"), "{made:?}");
        run(&env, "verify", &source, &target, &options).ok().unwrap();
        let plain = ["--identity", identity];
        let code = i32::from(exit::DIFFERENCES);
        run(&env, "verify", &source, &target, &plain).with_code(code).unwrap();
    }
}

#[test]
fn a_map_that_changes_what_is_converted_is_refused() {
    let env = TestEnv::new();
    let source = Fixture::named("halves-first").unpack(&env);
    let target = env.path("target.git");
    let map = |text: &str| std::fs::write(env.path("map"), text).unwrap();
    map("Test <test@example.org> = A <a@b>\n");
    run(&env, "convert", &source, &target, &["--author-map", "map"]).ok().unwrap();
    let before = refs(&target);
    let whole = Fixture::named("halves-whole").unpack(&env);
    for wrong in ["Test <test@example.org> = B <a@b>\n", "# nobody\n"] {
        map(wrong);
        let ran = run(&env, "convert", &whole, &target, &["--author-map", "map"]);
        let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
        for part in ["\"Test <test@example.org>\"", "6f5de4be6025", "was \"A <a@b>\"", "hint: "] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
        assert_eq!(refs(&target), before);
    }
    run(&env, "convert", &whole, &target, &[]).with_code(i32::from(exit::CONFIG)).unwrap();
    // Another form, and a user who has committed nothing: no author is another one.
    map("test@example.org = A <a@b>\nsomebody = C <c@d>\n");
    run(&env, "convert", &whole, &target, &["--author-map", "map"]).ok().unwrap();
    assert_ne!(refs(&target), before);
}

#[test]
fn a_wrong_author_map_is_named_with_its_line() {
    let env = TestEnv::new();
    let source = Fixture::named("heads").unpack(&env);
    std::fs::write(env.path("map"), "a = b\n\nwhat\n").unwrap();
    let ran = run(&env, "convert", &source, &env.path("t.git"), &["--author-map", "map"]);
    let ran = ran.with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(ran.stderr.contains("map:3: no \"=\""), "{}", ran.stderr);
    assert!(!env.path("t.git").exists());
}

#[test]
fn names_as_the_operator_asks() {
    let options = [
        "--main=default",
        "--main-branch=main",
        "--ref-prefix=hg/",
        "--branches=default=trunk",
        "--branches=on a closed head=marked",
        "--closed-branches=archive/",
    ];
    assert_snapshot!(converted("heads", &options), @r#"
refs/heads/hg/left: x
refs/heads/hg/main: leave it for default
refs/heads/hg/marked: to be closed
refs/heads/hg/on%20an%20inner%20changeset: x
refs/heads/hg/reopened: reopen
refs/heads/hg/trunk: leave it for default
refs/heads/hg/trunk-4b39c69816cb: head 2
refs/heads/hg/trunk-823973acc24a: head 0
refs/heads/hg/trunk-fa3401293ac0: head 1
refs/tags/hg/archive/finished: close all of finished
refs/tags/hg/archive/finished%20too: close the tip
"#);
}

#[test]
fn only_what_is_selected_is_published() {
    let options =
        ["--publish=*ed", "--publish=bookmark:*", "--exclude=on an*", "--closed-branches="];
    assert_snapshot!(converted("heads", &options), @r#"
refs/heads/master: close the tip
refs/heads/on%20a%20closed%20head: to be closed
refs/heads/reopened: reopen
refs/tags/finished: close all of finished
"#);
}

#[test]
fn drafts_on_request() {
    assert_snapshot!(converted("phases-not-publishing", &[]), @r#"
refs/heads/default: public
refs/heads/master: public
refs/heads/on-public: public
"#);
    assert_snapshot!(converted("phases-not-publishing", &["--phases=draft"]), @r#"
refs/heads/default: last, and draft
refs/heads/drafts: a draft head
refs/heads/master: last, and draft
refs/heads/on-draft: a draft head
refs/heads/on-public: public
"#);
}

/// What `hg heads`, `hg branches` and `hg topics` of the evolve extension show.
#[test]
fn topics_on_request() {
    assert_snapshot!(converted("topics", &["--topics=topic/"]), @r#"
refs/heads/default: a draft without a topic
refs/heads/master: a draft on a topic
refs/heads/stable: stable
refs/heads/topic%2Ffeature-4b7615dc: feature on stable
refs/heads/topic/alone: a draft on a topic
refs/heads/topic/feature: feature, the other way
refs/heads/topic/feature-c8d56f916d3e: feature 2
refs/heads/topic/sp%20ace: fix
"#);
}

#[test]
fn notes_name_the_changesets() {
    if !env::has("git") {
        return skip("there is no git");
    }
    for identity in names() {
        let env = TestEnv::new();
        let target = env.path("target.git");
        let options = ["--notes", "--identity", identity];
        let mut tips = Vec::new();
        for half in ["halves-first", "halves-whole"] {
            let source = Fixture::named(half).unpack(&env);
            run(&env, "convert", &source, &target, &options).ok().unwrap();
            run(&env, "verify", &source, &target, &options).ok().unwrap();
            check_notes(&env, &target);
            let tip = env.git(&target, &["rev-parse", "refs/notes/hg"]).ok().unwrap();
            // Nothing new, no new commit.
            run(&env, "convert", &source, &target, &options).ok().unwrap();
            assert_eq!(env.git(&target, &["rev-parse", "refs/notes/hg"]).ok().unwrap(), tip);
            tips.push(tip.trim_end().to_owned());
        }
        let args = ["merge-base", "--is-ancestor", &tips[0], &tips[1]];
        env.git(&target, &args).ok().unwrap();
        git::fsck(&env, &target).unwrap();
        // A run that was killed before the reference moved, and one after notes of another program.
        let source = Fixture::named("halves-whole").unpack(&env);
        env.git(&target, &["update-ref", "refs/notes/hg", &tips[0]]).ok().unwrap();
        let ran = run(&env, "verify", &source, &target, &options);
        ran.with_code(i32::from(exit::DIFFERENCES)).unwrap();
        run(&env, "convert", &source, &target, &options).ok().unwrap();
        run(&env, "verify", &source, &target, &options).ok().unwrap();
        check_notes(&env, &target);
    }
}

/// Compares what `git notes` shows with the map.
fn check_notes(env: &TestEnv, target: &Path) {
    let map = std::fs::read(target.join("synchroniser/map")).unwrap();
    let hex = |bytes: &[u8]| git2::Oid::from_bytes(bytes).unwrap().to_string();
    let nodes = map.chunks(40).map(|record| (hex(&record[20..]), hex(&record[..20])));
    let nodes: BTreeMap<_, _> = nodes.collect();
    let listed = env.git(target, &["notes", "--ref", "hg", "list"]).ok().unwrap();
    assert_eq!(listed.lines().count(), nodes.len());
    for line in listed.lines() {
        let (note, commit) = line.split_once(' ').unwrap();
        let shown = env.git(target, &["cat-file", "blob", note]).ok().unwrap();
        assert_eq!(shown, nodes[commit]);
    }
    let (commit, node) = nodes.iter().next().unwrap();
    let shown = env.git(target, &["notes", "--ref", "hg", "show", commit]).ok().unwrap();
    assert_eq!(shown.trim_end(), node);
}

/// A source, an empty target and a configuration that joins them.
fn mirror(env: &TestEnv, fixture: &str, more: &str) -> PathBuf {
    let source = Fixture::named(fixture).unpack(env);
    let target = env.path("target.git");
    if !target.exists() {
        git2::Repository::init_bare(&target).unwrap();
    }
    let text = format!(
        "cache = \"cache\"\n[mirrors.m]\nsource = \"{}\"\ntarget = \"{}\"\n\
         user = \"u\"\nproject = \"p\"\n{more}",
        source.display(),
        target.display()
    );
    std::fs::write(env.path("synchroniser.toml"), text).unwrap();
    target
}

fn on_mirror(env: &TestEnv, words: &[&str]) -> Ran {
    env.synchronise(words.iter().copied().chain(["--config", "synchroniser.toml"]))
}

fn redacted(env: &TestEnv, text: &str) -> String {
    text.replace(env.path("").to_str().unwrap(), "HOME/")
}

#[test]
fn a_plan_tells_what_a_sync_does_and_does_nothing() {
    let env = TestEnv::new();
    let target = mirror(&env, "halves-first", "notes = true\n");
    let plan = on_mirror(&env, &["plan"]).ok().unwrap();
    assert_snapshot!(redacted(&env, &plan), @r#"
m: HOME/source/repository to HOME/target.git (auto)
  9 changesets, 9 to convert
    6f5de4be6025 (default) Test <test@example.org>: early 0
    2afc3c5d6b93 (default) Test <test@example.org>: early 1
    7de7c74a7a73 (default) Test <test@example.org>: early 2
    8115f1c62a31 (default) Test <test@example.org>: early 3
    e4eca31fff3b (default) Test <test@example.org>: early 4
    df7afca2a5de (default) Test <test@example.org>: early 5
    fd645bf26b11 (default) Test <test@example.org>: early 6
    bfb33fab06c5 (default) Test <test@example.org>: early 7
    e777b20bc960 (default) Test <test@example.org>: tag
  create refs/heads/master the commit of changeset e777b20bc960
  create refs/heads/default the commit of changeset e777b20bc960
  create refs/heads/mark the commit of changeset df7afca2a5de
  create refs/tags/v1 the commit of changeset 7de7c74a7a73
  create refs/notes/hg a new commit
  0 refs are as in the source
"#);
    assert!(!env.path("cache").exists());
    assert!(refs(&target).is_empty() && env.leftovers().is_empty());

    on_mirror(&env, &["sync"]).ok().unwrap();
    let before = refs(&target);
    assert!(before.contains_key("refs/notes/hg"));
    mirror(&env, "halves-whole", "notes = true\nexclude = [\"mark\"]\n");
    let plan = on_mirror(&env, &["plan", "m"]).ok().unwrap();
    assert_snapshot!(redacted(&env, &plan), @r#"
m: HOME/source/repository to HOME/target.git (native)
  19 changesets, 10 to convert
    e5a510cc4f4c (default) Test <test@example.org>: later 0
    430703b46bb0 (default) Test <test@example.org>: later 1
    fe7bfc7f9622 (default) Test <test@example.org>: later 2
    15c2d4ea6732 (default) Test <test@example.org>: later 3
    1b97f6e51a31 (default) Test <test@example.org>: later 4
    43a46cb1886e (default) Test <test@example.org>: later 5
    173dfa7e574f (side) Test <test@example.org>: on the side
    7eb05439d06d (default) Test <test@example.org>: merge
    22bab6481804 (default) Test <test@example.org>: back to an old state
    ffad0c16dcc3 (default) Test <test@example.org>: tag
  create refs/heads/side the commit of changeset 173dfa7e574f
  create refs/tags/v2 the commit of changeset fe7bfc7f9622
  move refs/heads/master 09d0b214fa9e -> the commit of changeset ffad0c16dcc3
  move refs/heads/default 09d0b214fa9e -> the commit of changeset ffad0c16dcc3
  move refs/notes/hg 23729ae48ea4 -> a new commit
  remove refs/heads/mark at 9a8656138bfc: the source has no such name any more
  1 ref is as in the source
"#);
    assert_eq!(refs(&target), before);
    on_mirror(&env, &["sync"]).ok().unwrap();
    let plan = on_mirror(&env, &["plan"]).ok().unwrap();
    assert_snapshot!(redacted(&env, &plan), @r#"
m: HOME/source/repository to HOME/target.git (native)
  19 changesets, 0 to convert
  6 refs are as in the source
"#);
}

#[test]
fn a_plan_has_a_form_for_programs() {
    let env = TestEnv::new();
    mirror(&env, "phases-not-publishing", "ref_prefix = \"hg/\"\n");
    let plan = on_mirror(&env, &["plan", "--json"]).ok().unwrap();
    assert_snapshot!(redacted(&env, &plan), @r#"
{
  "mirrors": [
    {
      "name": "m",
      "source": "HOME/source/repository",
      "target": "HOME/target.git",
      "identity": "auto",
      "changesets": {
        "served": 1,
        "new": 1,
        "first": [
          {
            "node": "d57cd355d0b1ab81ecc94f92b004eb62f20e0dc8",
            "branch": "default",
            "author": "Test <test@example.org>",
            "summary": "public"
          }
        ]
      },
      "references": {
        "create": [
          {
            "name": "refs/heads/hg/master",
            "node": "d57cd355d0b1ab81ecc94f92b004eb62f20e0dc8",
            "commit": null,
            "old": null,
            "reason": null
          },
          {
            "name": "refs/heads/hg/default",
            "node": "d57cd355d0b1ab81ecc94f92b004eb62f20e0dc8",
            "commit": null,
            "old": null,
            "reason": null
          },
          {
            "name": "refs/heads/hg/on-public",
            "node": "d57cd355d0b1ab81ecc94f92b004eb62f20e0dc8",
            "commit": null,
            "old": null,
            "reason": null
          }
        ],
        "move": [],
        "rewrite": [],
        "remove": [],
        "refuse": [],
        "unchanged": 0,
        "keep": []
      },
      "target_error": null,
      "notes": []
    }
  ]
}
"#);
}

#[test]
fn a_plan_says_what_would_be_refused() {
    let env = TestEnv::new();
    let target = mirror(&env, "halves-whole", "");
    on_mirror(&env, &["sync"]).ok().unwrap();
    // The source goes back to what it was.
    mirror(&env, "halves-first", "");
    let plan = on_mirror(&env, &["plan"]).ok().unwrap();
    assert_snapshot!(redacted(&env, &plan), @r#"
m: HOME/source/repository to HOME/target.git (native)
  9 changesets, 0 to convert
  refuse refs/heads/master 44babc51c18b -> 09d0b214fa9e: the target is at 44babc51c18b92fd86faaf536217c7de293491ac, and the source no longer has all of its commits
  refuse refs/heads/default 44babc51c18b -> 09d0b214fa9e: the target is at 44babc51c18b92fd86faaf536217c7de293491ac, and the source no longer has all of its commits
  refuse refs/heads/mark 626f1db176b9 -> 9a8656138bfc: the target is at 626f1db176b9543b965585f9ef52a67b77abc8ec, and the source no longer has all of its commits
  keep refs/heads/side at 23780b4d21dd: the source has no such name any more, and no other ref has its commits
  keep refs/tags/v2 at 8e77b4c93cdd: the source has no such name any more, and no other ref has its commits
  1 ref is as in the source
"#);
    std::fs::remove_dir_all(&target).unwrap();
    let ran = on_mirror(&env, &["plan"]).with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(ran.stdout.contains("the refs of the target cannot be read"), "{}", ran.stdout);
    assert!(ran.stderr.contains("look at the target of the mirror m"), "{}", ran.stderr);
}
