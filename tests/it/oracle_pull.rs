//! What is fetched, against what is read from disk: the same commits and the same references over
//! every way there is, and copies that `hg verify` finds nothing wrong with.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use synchroniser::cli::exit;

use crate::support::corpus::{Corpus, History};
use crate::support::hg_server::{HgServe, Sshd};
use crate::support::{Converted, Fixture, Hg, TestEnv, env, for_all, same, skip, skipped};

/// A repository, and what it converts to when it is read in place.
struct Served<'e> {
    env: &'e TestEnv,
    program: PathBuf,
    once: Converted,
    /// Whether Mercurial finds nothing wrong with it.
    is_clean: bool,
}

impl<'e> Served<'e> {
    fn new(env: &'e TestEnv, program: &Path, source: &Path) -> Result<Self, String> {
        let once = env.path("once.git");
        let once = Converted::make(env, source, &once)?;
        let program = program.to_owned();
        let hg = Hg { env, program: program.clone() };
        let is_clean = hg.run(source, &["verify", "-q"]).code == Some(0);
        Ok(Self { env, program, once, is_clean })
    }

    fn hg(&self) -> Hg<'e> {
        Hg { env: self.env, program: self.program.clone() }
    }

    /// Converts from `source`, and compares with what was read in place.
    fn check(&self, way: &str, source: &str, options: &[&str]) -> Result<(), String> {
        let wrong = |error: String| format!("{way}: {error}");
        let target = self.env.path(format!("{way}.git"));
        let map = target.with_extension("map");
        let (to, written) = (target.to_str().unwrap(), map.to_str().unwrap());
        let arguments = ["convert", source, to, "--map", written];
        let arguments = arguments.iter().chain(options);
        let ran = self.env.synchronise(arguments);
        // What a server cannot put together, or sends wrong, is an error with a name.
        let named = [exit::UNAVAILABLE, exit::REFUSED, exit::CORRUPT, exit::UNSUPPORTED];
        let is_named = named.iter().any(|code| ran.code == Some(i32::from(*code)));
        if !self.is_clean && is_named {
            return Ok(());
        }
        ran.ok().map_err(wrong)?;
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()));
        let lines = |text: String| {
            let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
            lines.sort();
            lines
        };
        let expected = lines(read(&self.once.path.with_extension("map"))?);
        same("commits", &lines(read(&map)?), &expected).map_err(wrong)?;
        same(
            "references",
            &references(self.env, &target)?,
            &references(self.env, &self.once.path)?,
        )
        .map_err(wrong)?;
        let copy = target.join("synchroniser/hg");
        // What is wrong with the source is wrong with a copy of it.
        let verified = self.hg().run(&copy, &["verify", "-q"]).ok();
        if self.is_clean { verified.map(|_| ()).map_err(wrong) } else { Ok(()) }
    }
}

/// The references of a bare repository.
fn references(env: &TestEnv, repository: &Path) -> Result<BTreeMap<String, String>, String> {
    let text = env.git(repository, &["for-each-ref", "--format=%(refname) %(objectname)"]).ok()?;
    let pair = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.to_owned()));
    Ok(text.lines().filter_map(pair).collect())
}

/// Whose turn it is. Everything in every way would take an hour: each repository takes one way, and
/// every way has its turn; with `SYNCHRONISER_ALL` in the environment each takes all.
struct Turns {
    ways: usize,
    next: Cell<usize>,
}

impl Turns {
    /// Each is taken once, the first first.
    fn among(ways: usize) -> Self {
        Self::starting_with(0, ways)
    }

    fn starting_with(turn: usize, ways: usize) -> Self {
        Self { ways, next: Cell::new(turn) }
    }

    /// The ways to take.
    fn take(&self) -> std::ops::Range<usize> {
        let turn = self.next.replace(self.next.get() + 1) % self.ways;
        if std::env::var_os("SYNCHRONISER_ALL").is_some() { 0..self.ways } else { turn..turn + 1 }
    }
}

/// Over HTTP: by files, and by revisions.
fn over_http(expected: &Served<'_>, turns: &Turns, source: &Path) -> Result<(), String> {
    let ways = [
        ("stream", &["server.uncompressed=yes", "server.uncompressedallowsecret=yes"][..]),
        ("pull", &["server.uncompressed=no"]),
    ];
    for (way, settings) in turns.take().map(|turn| ways[turn]) {
        let server = HgServe::start(expected.env, &expected.program, source, settings);
        expected.check(way, &server.url, &["--source-plain-http"])?;
    }
    Ok(())
}

/// Which of several ways a fixture takes: a number that is its own.
fn turn_of(fixture: &Fixture) -> usize {
    fixture.name.bytes().map(usize::from).sum()
}

mod fixtures_are_as_on_disk {
    crate::support::each_fixture!(super::check_fixture);
}

/// Over HTTP, and from a path.
fn check_fixture(fixture: &Fixture) -> Result<(), String> {
    let Some(program) = env::hg() else { return skipped("SYNCHRONISER_HG names no hg") };
    if !fixture.converts() {
        return Ok(());
    }
    let env = TestEnv::new();
    let source = fixture.unpack(&env);
    let expected = Served::new(&env, &program, &source)?;
    over_http(&expected, &Turns::starting_with(turn_of(fixture), 2), &source)?;
    from_a_path(&expected, &source)
}

/// Runs `check` on every repository of the corpus that is not damaged.
fn for_corpus(check: impl Fn(&TestEnv, &Path, &Path) -> Result<(), String>) {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(corpus) = Corpus::find() else { return };
    let check = |history: &History| match history.is_damaged() {
        true => Ok(()),
        false => check(&history.env, &program, &history.source),
    };
    corpus.for_archives(check);
    corpus.for_bundles(check);
}

#[test]
fn over_http_the_corpus_is_as_on_disk() {
    let turns = Turns::among(2);
    for_corpus(|env, program, source| {
        over_http(&Served::new(env, program, source)?, &turns, source)
    });
}

/// A copy that is fetched from a path, tree manifests included.
fn from_a_path(expected: &Served<'_>, source: &Path) -> Result<(), String> {
    let env = expected.env;
    let copy = env.path("copy");
    let (from, to) = (source.to_str().unwrap(), copy.to_str().unwrap());
    let ran = env.synchronise(["fetch", from, to]);
    if !expected.is_clean && ran.code != Some(0) {
        return Ok(());
    }
    ran.ok()?;
    let verified = expected.hg().run(&copy, &["verify", "-q"]).ok();
    if expected.is_clean {
        verified?;
    }
    let made = Converted::make(env, &copy, &env.path("copied.git"))?;
    same("commits", &made.commits, &expected.once.commits)
}

#[test]
fn over_ssh_everything_is_as_on_disk() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let place = TestEnv::new();
    let Some(sshd) = Sshd::start(&place, &program) else { return };
    let (key, known) = (sshd.key(), sshd.known_hosts());
    let options = [
        "--source-key-file",
        key.to_str().unwrap(),
        "--source-known-hosts",
        known.to_str().unwrap(),
    ];
    // What differs is the transport alone: a repository of each kind, and those of others.
    let check = |env: &TestEnv, program: &Path, source: &Path| {
        let served = Served::new(env, program, source)?;
        served.check("ssh", &sshd.url(source), &options)
    };
    for_all(OVER_SSH.map(|name| (name.to_owned(), name)), |name| {
        let env = TestEnv::new();
        let source = Fixture::named(name).unpack(&env);
        check(&env, &program, &source)
    });
    let turns = Turns::among(3);
    for_corpus(|env, program, source| match turns.take().contains(&0) {
        true => check(env, program, source),
        false => Ok(()),
    });
}

/// Fixtures that are fetched over SSH too.
const OVER_SSH: [&str; 6] =
    ["graph", "phases", "phases-not-publishing", "treemanifest/store", "largefiles", "empty"];

/// Every type that `hg bundle` writes, with what it is called.
const BUNDLES: [(&str, &str); 9] = [
    ("v1-none", "none-v1"),
    ("v1-gzip", "gzip-v1"),
    ("v1-bzip2", "bzip2-v1"),
    ("v2-none", "none-v2"),
    ("v2-gzip", "gzip-v2"),
    ("v2-bzip2", "bzip2-v2"),
    ("v2-zstd", "zstd-v2"),
    ("v2-cg3", "none-v2;cg.version=03"),
    ("v2-stream", "none-v2;stream=v2"),
];

/// Checks that what a bundle holds is what `hg unbundle` makes of it; counts in `made` what was.
fn from_bundles(
    (turns, made): (&Turns, &RefCell<BTreeMap<&str, usize>>),
    env: &TestEnv,
    program: &Path,
    source: &Path,
) -> Result<(), String> {
    let hg = Hg { env, program: program.to_owned() };
    for (way, kind) in turns.take().map(|turn| BUNDLES[turn]) {
        let file = env.path(format!("{way}.hg"));
        let ran = hg.run(source, &["bundle", "-q", "-a", "-t", kind, file.to_str().unwrap()]);
        // Nothing to bundle, or not in this type.
        if ran.code != Some(0) {
            continue;
        }
        let plain = env.path("unbundled");
        env.run(program, [Path::new("init"), &plain]).ok()?;
        let unbundled = hg.run(&plain, &["unbundle", "-q", file.to_str().unwrap()]);
        let clean = hg.run(&plain, &["verify", "-q"]).code == Some(0);
        // Mercurial itself does not make what it bundled of some repositories.
        let requires = std::fs::read_to_string(plain.join(".hg/requires")).unwrap_or_default();
        let stored = std::fs::read_to_string(plain.join(".hg/store/requires"));
        // The oldest format is read and not written.
        let is_written = (requires + &stored.unwrap_or_default()).contains("revlogv1");
        if unbundled.code == Some(0) && clean && is_written {
            let served = Served::new(env, program, &plain)?;
            served.check(way, file.to_str().unwrap(), &[])?;
            *made.borrow_mut().entry(way).or_default() += 1;
            std::fs::remove_dir_all(env.path("once.git")).unwrap();
        }
        std::fs::remove_dir_all(&plain).unwrap();
    }
    Ok(())
}

mod bundles_of_fixtures_are_as_unbundled {
    crate::support::each_fixture!(super::check_bundle);
}

fn check_bundle(fixture: &Fixture) -> Result<(), String> {
    let Some(program) = env::hg() else { return skipped("SYNCHRONISER_HG names no hg") };
    if !fixture.converts() {
        return Ok(());
    }
    let env = TestEnv::new();
    let source = fixture.unpack(&env);
    let turns = Turns::starting_with(turn_of(fixture), BUNDLES.len());
    from_bundles((&turns, &RefCell::default()), &env, &program, &source)
}

#[test]
fn bundles_of_every_type_are_as_unbundled() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let source = Fixture::named("graph").unpack(&env);
    let (turns, made) = (Turns::among(BUNDLES.len()), RefCell::default());
    for _ in BUNDLES {
        from_bundles((&turns, &made), &env, &program, &source).unwrap();
        drop(std::fs::remove_dir_all(env.path("once.git")));
    }
    assert_eq!(made.borrow().len(), BUNDLES.len(), "{made:?}");
}

#[test]
fn bundles_of_the_corpus_are_as_unbundled() {
    let (turns, made) = (Turns::among(BUNDLES.len()), RefCell::default());
    for_corpus(|env, program, source| from_bundles((&turns, &made), env, program, source));
}

/// What `hg log` and the filelogs say of a repository.
fn said(hg: &Hg<'_>, repository: &Path) -> Result<String, String> {
    let template =
        "{rev}:{node} {p1.node} {p2.node} {phase} {manifest} {bookmarks} {tags} {branch}\n";
    hg.run(repository, &["log", "--hidden", "-T", template]).ok()
}

/// A copy that grows in ten steps is what one that was made at once is.
#[test]
fn ten_steps_end_where_one_does() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(corpus) = Corpus::find() else { return };
    for_all(STEPPED.map(|name| (name.to_owned(), name)), |name| {
        let history = corpus.unpack("real", name)?;
        let (env, source) = (&history.env, &history.source);
        let hg = Hg { env, program: program.clone() };
        let count: usize =
            hg.run(source, &["log", "-r", "tip", "-T", "{rev}"]).ok()?.parse().unwrap();
        let grows = env.path("grows");
        env.run(&program, [Path::new("init"), &grows]).ok()?;
        for streams in ["yes", "no"] {
            let copy = env.path(format!("copy-{streams}"));
            let setting = format!("server.uncompressed={streams}");
            for step in 0..=10 {
                let upto = (count * step / 10).to_string();
                let from = source.to_str().unwrap();
                hg.run(&grows, &["pull", "-q", "-r", &upto, from]).ok()?;
                let server = HgServe::start(env, &program, &grows, &[&setting]);
                let to = copy.to_str().unwrap();
                env.synchronise(["fetch", "--source-plain-http", &server.url, to]).ok()?;
                hg.run(&copy, &["verify", "-q"]).ok()?;
                same("step", &said(&hg, &copy)?, &said(&hg, &grows)?)?;
            }
        }
        let at_once = env.path("at-once");
        let (from, to) = (grows.to_str().unwrap(), at_once.to_str().unwrap());
        env.synchronise(["fetch", from, to]).ok()?;
        hg.run(&at_once, &["verify", "-q"]).ok()?;
        same("from a path", &said(&hg, &at_once)?, &said(&hg, &grows)?)
    });
}

/// A small repository, and one with merges and branches.
const STEPPED: [&str; 2] = ["et_xmlfile", "x-go-binding"];

/// Adds a file in a changeset of its own; says which.
fn commit(hg: &Hg<'_>, repository: &Path, name: &str) -> Result<String, String> {
    std::fs::write(repository.join(name), name).map_err(|error| error.to_string())?;
    hg.run(repository, &["commit", "-q", "-A", "-u", "ada", "-m", name]).ok()?;
    hg.run(repository, &["log", "-r", ".", "-T", "{node}"]).ok()
}

/// What changes at a server without a new changeset is seen: phases, bookmarks, a strip, a rewrite.
#[test]
fn what_moves_without_a_changeset_is_seen() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program: program.clone() };
    let source = env.path("source");
    env.run(&program, [Path::new("init"), &source]).ok().unwrap();
    for name in ["a", "b", "c"] {
        commit(&hg, &source, name).unwrap();
    }
    let run = |args: &[&str]| hg.run(&source, args).ok().unwrap();
    run(&["bookmark", "-r", "0", "moves"]);
    run(&["bookmark", "-r", "1", "vanishes"]);
    let target = env.path("target.git");
    let sync = |settings: &[&str]| {
        let server = HgServe::start(&env, &program, &source, settings);
        let to = target.to_str().unwrap();
        let ran = env.synchronise(["convert", "--source-plain-http", &server.url, to]);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        ran.ok().unwrap();
        (references(&env, &target).unwrap(), said)
    };
    let names = |references: &BTreeMap<String, String>| {
        references
            .keys()
            .map(|name| name.trim_start_matches("refs/heads/").to_owned())
            .collect::<Vec<_>>()
    };
    // A server that does not publish serves its drafts, which are not converted.
    let (none, _) = sync(&["phases.publish=no"]);
    assert_eq!(names(&none), [""; 0]);
    run(&["phase", "-p", "1"]);
    let (two, _) = sync(&["phases.publish=no"]);
    assert_eq!(names(&two), ["default", "master", "moves", "vanishes"]);
    let (three, _) = sync(&[]);
    assert_eq!(three["refs/heads/moves"], two["refs/heads/moves"]);
    assert_ne!(three["refs/heads/master"], two["refs/heads/master"]);
    run(&["bookmark", "-f", "-r", "2", "moves"]);
    run(&["bookmark", "-d", "vanishes"]);
    let (moved, _) = sync(&[]);
    assert_eq!(moved["refs/heads/moves"], moved["refs/heads/master"]);
    assert!(!names(&moved).contains(&"vanishes".to_owned()), "{moved:?}");
    run(&["tag", "-r", "0", "-u", "ada", "v1"]);
    let (tagged, _) = sync(&[]);
    assert!(tagged.contains_key("refs/tags/v1"), "{tagged:?}");
    run(&["--config", "extensions.strip=", "strip", "-q", "-r", "2", "--no-backup"]);
    let (stripped, said) = sync(&[]);
    assert_eq!(stripped["refs/heads/master"], two["refs/heads/master"], "{said}");
    assert!(said.contains("no longer has 2 changesets"), "{said}");
    run(&["update", "-q", "-C", "tip"]);
    commit(&hg, &source, "d").unwrap();
    let (rewritten, _) = sync(&[]);
    assert_ne!(rewritten["refs/heads/master"], moved["refs/heads/master"]);
    hg.run(&target.join("synchroniser/hg"), &["verify", "-q"]).ok().unwrap();
}

/// What a server said before a fetch that took a moment is not asked for again.
#[test]
fn a_new_changeset_takes_one_question_and_one_fetch() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program: program.clone() };
    let (source, copy, log) = (env.path("source"), env.path("copy"), env.path("log"));
    env.run(&program, [Path::new("init"), &source]).ok().unwrap();
    commit(&hg, &source, "a").unwrap();
    let setting = format!("web.accesslog={}", log.display());
    let server = HgServe::start(&env, &program, &source, &[&setting]);
    let mut seen = 0;
    let mut fetch = || {
        let to = copy.to_str().unwrap();
        env.synchronise(["fetch", "--source-plain-http", &server.url, to]).ok().unwrap();
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<_> =
            text.lines().skip(std::mem::replace(&mut seen, text.lines().count())).collect();
        ["batch", "getbundle", "capabilities"]
            .map(|name| lines.iter().filter(|line| line.contains(&format!("cmd={name}"))).count())
    };
    fetch();
    let new = commit(&hg, &source, "b").unwrap();
    assert_eq!(fetch(), [1, 1, 0]);
    assert_eq!(hg.run(&copy, &["log", "-r", "tip", "-T", "{node}"]).ok().unwrap(), new);
    assert_eq!(fetch(), [1, 0, 0]);
}

/// A repository that has nothing to do with the copy is refused.
#[test]
fn another_repository_is_refused() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program: program.clone() };
    let fetch = |name: &str| {
        let source = env.path(name);
        env.run(&program, [Path::new("init"), &source]).ok().unwrap();
        commit(&hg, &source, name).unwrap();
        let server = HgServe::start(&env, &program, &source, &[]);
        let to = env.path("copy");
        env.synchronise(["fetch", "--source-plain-http", &server.url, to.to_str().unwrap()])
    };
    fetch("one").ok().unwrap();
    let before = said(&hg, &env.path("copy")).unwrap();
    let other = fetch("other");
    assert!(other.stderr.contains("no changeset in common"), "{other:?}");
    assert_eq!(other.code, Some(i32::from(exit::REFUSED)));
    assert_eq!(said(&hg, &env.path("copy")).unwrap(), before);
}

/// Servers of other versions, named in `SYNCHRONISER_HGS` with colons between them: first fetches in
/// both ways, then one that is incremental.
#[test]
fn servers_of_other_versions() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(others) = std::env::var_os("SYNCHRONISER_HGS") else {
        return skip("SYNCHRONISER_HGS names no other hg");
    };
    let scratch = TestEnv::new();
    let hg = Hg { env: &scratch, program };
    let bundle = scratch.path("demo.hg");
    let words = ["bundle", "-q", "-a", "-t", "gzip-v1", bundle.to_str().unwrap()];
    hg.run(&Fixture::demo().unpack(&scratch), &words).ok().unwrap();
    let others = std::env::split_paths(&others);
    for_all(others.map(|other| (other.display().to_string(), other)), |other| {
        let env = TestEnv::new();
        let (old, new) = (
            Hg { env: &env, program: other.clone() },
            Hg { env: &env, program: hg.program.clone() },
        );
        let source = env.path("source");
        env.run(&other, [Path::new("init"), &source]).ok()?;
        old.run(&source, &["unbundle", "-q", bundle.to_str().unwrap()]).ok()?;
        for more in ["first", "second"] {
            for streams in ["yes", "no"] {
                let setting = format!("server.uncompressed={streams}");
                let server = HgServe::start(&env, &other, &source, &[&setting]);
                let copy = env.path(format!("copy-{streams}"));
                let to = copy.to_str().unwrap();
                env.synchronise(["fetch", "--source-plain-http", &server.url, to]).ok()?;
                new.run(&copy, &["verify", "-q"]).ok()?;
                same("what is there", &nodes(&new, &copy)?, &nodes(&old, &source)?)?;
            }
            commit(&old, &source, more)?;
        }
        Ok(())
    });
}

/// All nodes, oldest first.
fn nodes(hg: &Hg<'_>, repository: &Path) -> Result<String, String> {
    hg.run(repository, &["log", "-r", "sort(all(), date)", "-T", "{node}\\n"]).ok()
}
