//! Every fixture, through the program, against what Mercurial says of it, and judged by stock Git.

use std::path::{Path, PathBuf};

use synchroniser::base::Fault;
use synchroniser::cli::exit;
use synchroniser::convert::identity::names;

use crate::support::{Converted, Fixture, TestEnv, env, files_below, git, same, skip};

mod each {
    crate::support::each_fixture!(super::check);
}

fn check(fixture: &Fixture) -> Result<(), String> {
    if fixture.converts() { check_converted(fixture) } else { check_refused(fixture) }
}

/// A fixture that converts: into what Mercurial says it is and Git finds nothing wrong with, the same
/// commits from every form of the history, and again; and `verify` agrees under every identity.
fn check_converted(fixture: &Fixture) -> Result<(), String> {
    let env = TestEnv::new();
    let source = fixture.unpack(&env);
    let before = contents(&env.path("source"));
    let target = env.path("native.git");
    let made = Converted::make(&env, &source, &target)?;
    made.check(&fixture.truth)?;
    let again = Converted::make(&env, &source, &target)?;
    check_same(&again, &made).map_err(|problem| format!("again: {problem}"))?;
    check_git(&env, &made)?;
    check_verified(&env, &source, "native", fixture)?;
    for identity in names().filter(|identity| *identity != "native") {
        let target = env.path(format!("{identity}.git"));
        let made = Converted::make_as(&env, &source, &target, identity)?;
        same("commits", &made.commits.len(), &fixture.truth.served().count())?;
        check_verified(&env, &source, identity, fixture)
            .map_err(|problem| format!("{identity}: {problem}"))?;
    }
    let untouched = contents(&env.path("source")) == before;
    same("the source is as it was", &untouched, &true)?;
    same("files in the home folder", &env.home_entries(), &Vec::new())?;
    let elsewhere = TestEnv::new();
    let source = fixture.first_of_folder().unpack(&elsewhere);
    let other = Converted::make(&elsewhere, &source, &elsewhere.path("target.git"))?;
    check_same(&other, &made).map_err(|problem| format!("elsewhere: {problem}"))
}

fn check_same(other: &Converted, made: &Converted) -> Result<(), String> {
    same("commits", &other.commits, &made.commits)?;
    same("references", &other.refs(), &made.refs())
}

/// Stock Git finds nothing wrong, and takes all of it with every check on.
fn check_git(env: &TestEnv, made: &Converted) -> Result<(), String> {
    if !env::has("git") {
        skip("there is no git");
        return Ok(());
    }
    git::fsck(env, &made.path)?;
    same("commits in Git", &git::count_commits(env, &made.path)?, &made.commits.len())?;
    let copy = env.path("copy.git");
    env.run("git", [Path::new("init"), Path::new("-q"), Path::new("--bare"), &copy]).ok()?;
    let fetch = ["-c", "fetch.fsckObjects=true", "fetch", "-q"];
    let everything = [made.path.to_str().unwrap(), "+refs/*:refs/*"];
    env.git(&copy, &[&fetch[..], &everything].concat()).ok()?;
    let refs = |path: &Path| env.git(path, &["for-each-ref"]).ok();
    same("references that were fetched", &refs(&copy)?, &refs(&made.path)?)
}

/// `verify` agrees with the whole, with chosen changesets, and with a copy that has no map, where what
/// its commits must be is computed. Removes the map.
fn check_verified(
    env: &TestEnv,
    source: &Path,
    identity: &str,
    fixture: &Fixture,
) -> Result<(), String> {
    let target = env.path(format!("{identity}.git"));
    let verify = |more: &[&str]| {
        let words =
            [Path::new("verify"), source, &target, Path::new("--identity"), identity.as_ref()];
        let more = more.iter().map(Path::new);
        env.synchronise(words.into_iter().chain(more)).ok().map(drop)
    };
    verify(&[])?;
    let chosen: Vec<_> = fixture
        .truth
        .served()
        .flat_map(|changeset| ["--changeset", changeset.node.as_str()])
        .collect();
    if !chosen.is_empty() {
        verify(&chosen).map_err(|problem| format!("changeset by changeset: {problem}"))?;
    }
    std::fs::remove_dir_all(target.join("synchroniser")).unwrap();
    verify(&[]).map_err(|problem| format!("without a map: {problem}"))
}

/// A fixture that cannot be read: refused with the words that its truth asks for, and no reference made.
fn check_refused(fixture: &Fixture) -> Result<(), String> {
    let env = TestEnv::new();
    let (fault, words) = fixture.truth.refused.clone().unwrap();
    let fault = Fault::ALL.into_iter().find(|known| known.name() == fault).unwrap();
    let (source, target) = (fixture.unpack(&env), env.path("target.git"));
    let ran = env
        .synchronise([Path::new("convert"), &source, &target])
        .with_code(i32::from(exit::code(fault)))?;
    for word in words {
        if !ran.stderr.contains(&word) {
            return Err(format!("{word:?} is not in {}", ran.stderr));
        }
    }
    match git2::Repository::open_bare(&target) {
        Ok(made) => same("references", &made.references().unwrap().count(), &0),
        Err(_) => Ok(()),
    }
}

/// `--main` and `--main-branch`: another branch follows another head.
#[test]
fn the_main_branch_can_follow_a_named_branch() {
    let env = TestEnv::new();
    let fixture = Fixture::named("heads");
    let (source, target) = (fixture.unpack(&env), env.path("target.git"));
    let plain = Converted::make(&env, &source, &env.path("plain.git")).unwrap();
    let options = ["--main", "default", "--main-branch", "trunk"].map(Path::new);
    let args = [&[Path::new("convert"), &source, &target], &options[..]].concat();
    env.synchronise(args).ok().unwrap();
    let made = git2::Repository::open_bare(&target).unwrap();
    let id = |name: &str| made.refname_to_id(name).ok().map(|id| id.to_string());
    let tipmost = fixture.truth.tipmost_head(b"default");
    assert_eq!(id("refs/heads/trunk"), Some(plain.commits[tipmost].clone()));
    assert_eq!(id("refs/heads/default"), id("refs/heads/trunk"));
    assert_eq!(id("refs/heads/master"), None);
    assert_eq!(
        made.find_reference("HEAD").unwrap().symbolic_target().unwrap(),
        Some("refs/heads/trunk")
    );
}

#[test]
fn two_halves_are_one_whole() {
    let env = TestEnv::new();
    let (first, whole) = (Fixture::named("halves-first"), Fixture::named("halves-whole"));
    let target = env.path("target.git");
    let half = Converted::make(&env, &first.unpack(&env), &target).unwrap();
    half.check(&first.truth).unwrap();
    let both = Converted::make(&env, &whole.unpack(&env), &target).unwrap();
    both.check(&whole.truth).unwrap();
    let once = Converted::make(&env, &whole.unpack(&env), &env.path("once.git")).unwrap();
    assert_eq!(both.commits, once.commits);
    assert_eq!(both.refs(), once.refs());
    assert!(half.commits.len() < both.commits.len());
}

fn verify(env: &TestEnv, source: &Path, target: &Path) -> Option<i32> {
    env.synchronise([Path::new("verify"), source, target]).code
}

#[test]
fn verify_sees_what_is_missing() {
    let env = TestEnv::new();
    let target = env.path("target.git");
    Converted::make(&env, &Fixture::named("halves-first").unpack(&env), &target).unwrap();
    let source = Fixture::named("halves-whole").unpack(&env);
    assert_eq!(verify(&env, &source, &target), Some(i32::from(exit::DIFFERENCES)));
}

/// Flips one bit at a time, each of which must be noticed; puts everything back.
fn check_flips(
    positions: &[(PathBuf, usize)],
    found: impl Fn() -> Option<i32>,
) -> Result<(), String> {
    for (path, position) in positions {
        let whole = std::fs::read(path).unwrap();
        let mut flipped = whole.clone();
        flipped[*position] ^= 1 << (position % 8);
        overwrite(path, &flipped);
        let code = found();
        overwrite(path, &whole);
        let noticed = [exit::DIFFERENCES, exit::CORRUPT, exit::UNSUPPORTED, exit::CONFIG];
        if !code.is_some_and(|code| noticed.map(i32::from).contains(&code)) {
            return Err(format!("byte {position} of {}: exit code {code:?}", path.display()));
        }
    }
    same("nothing flipped", &found(), &Some(i32::from(exit::OK)))
}

/// Packs are written read-only.
fn overwrite(path: &Path, bytes: &[u8]) {
    let permissions = std::fs::metadata(path).unwrap().permissions();
    let mut writable = permissions.clone();
    #[expect(clippy::permissions_set_readonly_false, reason = "for a moment, in our own folder")]
    writable.set_readonly(false);
    std::fs::set_permissions(path, writable).unwrap();
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, permissions).unwrap();
}

/// About `count` of `all`, evenly spread.
fn sample<T: Clone>(all: &[T], count: usize) -> Vec<T> {
    all.iter().step_by((all.len() / count).max(1)).cloned().collect()
}

fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    files_below(folder).into_iter().map(read).collect()
}

#[test]
fn verify_finds_a_flipped_bit_in_the_target() {
    let env = TestEnv::new();
    let (source, target) = (Fixture::named("formats/default").unpack(&env), env.path("target.git"));
    Converted::make(&env, &source, &target).unwrap();
    let packed = |path: &PathBuf| {
        path.extension().is_some_and(|extension| extension == "pack" || extension == "idx")
    };
    let mut positions = Vec::new();
    for path in files_below(&target.join("objects")).into_iter().filter(packed) {
        let length = usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap();
        let all: Vec<_> = (0..length).map(|position| (path.clone(), position)).collect();
        positions.extend(sample(&all, 60));
    }
    assert!(positions.len() > 100, "{}", positions.len());
    check_flips(&positions, || verify(&env, &source, &target)).unwrap();
}

/// In an uncompressed store each byte of a text is one byte of the file; of the index, the bytes
/// that say what a revision is and where it comes from.
#[test]
fn verify_finds_a_flipped_bit_in_the_source() {
    let env = TestEnv::new();
    let (source, target) =
        (Fixture::named("formats/uncompressed").unpack(&env), env.path("target.git"));
    Converted::make(&env, &source, &target).unwrap();
    let mut positions = Vec::new();
    for path in files_below(&source.join(".hg/store")) {
        let bytes = std::fs::read(&path).unwrap();
        let all: Vec<usize> = match path.extension().and_then(|extension| extension.to_str()) {
            Some("i") => bytes_that_matter(&bytes),
            Some("d") => (0..bytes.len()).collect(),
            _ => continue,
        };
        positions.extend(
            sample(&all, env::cases(8, 12)).into_iter().map(|position| (path.clone(), position)),
        );
    }
    assert!(positions.len() > 100, "{}", positions.len());
    check_flips(&positions, || verify(&env, &source, &target)).unwrap();
}

/// The positions in an index of revlog version 1 that nothing may change unnoticed: lengths, bases,
/// parents and hashes, and the texts of an inline one. The revision in the changelog that brought a
/// file's revision, and padding, are not among them.
fn bytes_that_matter(index: &[u8]) -> Vec<usize> {
    let inline = index[1] & 1 == 1;
    let mut positions = Vec::new();
    let mut entry = 0;
    while entry < index.len() {
        positions.extend(entry + 8..entry + 20);
        positions.extend(entry + 24..entry + 52);
        let length = u32::from_be_bytes(index[entry + 8..entry + 12].try_into().unwrap());
        let text = if inline { usize::try_from(length).unwrap() } else { 0 };
        positions.extend(entry + 64..entry + 64 + text);
        entry += 64 + text;
    }
    positions
}
