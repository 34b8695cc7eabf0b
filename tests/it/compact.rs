//! Packs that were compacted: small, sound for stock Git, and with every object that there was.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use synchroniser::base::Interrupt;
use synchroniser::base::durable::{Step, observe};
use synchroniser::convert::{ConvertOptions, SliceLimits};
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{
    self, CacheLocation, Compact, Compacted, Mirror, NoObserver, PublishRules, SyncError,
};

use crate::support::generator::{Generated, Shape};
use crate::support::{TestEnv, env, git, skip};

/// A mirror without target, whose cache has several packs.
fn several_packs(env: &TestEnv) -> (Generated, Mirror, PathBuf) {
    let (source, target) = (env.path("source"), env.path("target.git"));
    let shape = Shape { seed: 3, changesets: 300, files: 10, heads: 3, ..Shape::PLAIN };
    let history = Generated::new(shape);
    Generated::create(&source);
    history.add(&source, 0..250);
    let slice = SliceLimits { changesets: 64, ..SliceLimits::default() };
    let mirror = Mirror {
        name: "it".to_owned(),
        source: Source::Path(source),
        cache: CacheLocation::Repository(target.clone()),
        target: None,
        forge: None,
        options: ConvertOptions { slice, ..ConvertOptions::default() },
        publish: PublishRules::default(),
    };
    sync(&mirror);
    (history, mirror, target)
}

fn sync(mirror: &Mirror) {
    mirror::sync(mirror, &NoObserver, &Interrupt::default()).unwrap();
}

fn compact(mirror: &Mirror, which: Compact) -> Result<Option<Compacted>, SyncError> {
    mirror::compact(&mirror.cache, which, &mirror.options, &NoObserver, &Interrupt::default())
}

fn files(repository: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(repository.join("objects/pack")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|it| it == ending)).collect()
}

#[test]
fn stock_git_finds_every_object_in_short_chains() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let (history, mirror, target) = several_packs(&env);
    let list = || {
        let list = ["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"];
        env.git(&target, &list).ok().unwrap()
    };
    let (commits, before) = (mirror::commits(&mirror).unwrap(), list());
    assert!(files(&target, "pack").len() > 3);
    let compacted = compact(&mirror, Compact::All).unwrap().unwrap();
    assert_eq!(before.lines().count(), compacted.objects);
    assert!(compacted.after < compacted.before, "{compacted:?}");
    assert_eq!((files(&target, "pack").len(), list()), (1, before));
    git::fsck(&env, &target).unwrap();
    let index = files(&target, "idx").remove(0);
    let verified = env.git(&target, &["verify-pack", "-v", index.to_str().unwrap()]).ok().unwrap();
    let depths = verified.lines().filter_map(|line| line.split_whitespace().nth(5)?.parse().ok());
    let deepest: usize = depths.max().unwrap();
    assert!((2..=50).contains(&deepest), "{deepest}");
    // Nothing is left to do, and the next syncs go on.
    assert_eq!(compact(&mirror, Compact::All).unwrap(), None);
    let Source::Path(source) = &mirror.source else { panic!() };
    history.add(source, 250..300);
    sync(&mirror);
    assert_eq!(mirror::commits(&mirror).unwrap()[..commits.len()], commits);
    let which = Compact::New { least: 1, most: 1 << 20 };
    let more = compact(&mirror, which).unwrap().unwrap();
    assert!(more.objects < compacted.objects, "what was compacted stays");
    assert_eq!(compact(&mirror, which).unwrap(), None);
    git::fsck(&env, &target).unwrap();
    env.synchronise([Path::new("verify"), source, &target]).ok().unwrap();
}

/// Errors at each step, as if it were killed there; then a sync and another try.
#[test]
fn ended_anywhere_the_cache_is_whole() {
    let mut at = 0;
    loop {
        let env = TestEnv::new();
        let (_, mirror, target) = several_packs(&env);
        let commits = mirror::commits(&mirror).unwrap();
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        let fail = move |_: &Step<'_>| match counted.fetch_add(1, Ordering::SeqCst) {
            number if number >= at => Err(io::Error::other("killed")),
            _ => Ok(()),
        };
        let observation = observe(&target, Arc::new(fail));
        let result = compact(&mirror, Compact::All);
        drop(observation);
        sync(&mirror);
        let Source::Path(source) = &mirror.source else { panic!() };
        env.synchronise([Path::new("verify"), source, &target]).ok().unwrap();
        compact(&mirror, Compact::All).unwrap();
        assert_eq!(files(&target, "idx").len(), 1, "ended at step {at}");
        assert_eq!(mirror::commits(&mirror).unwrap(), commits);
        if result.is_ok() {
            assert!(count.load(Ordering::SeqCst) > 12);
            return;
        }
        at += 3;
    }
}

#[test]
fn a_person_can_ask_for_it() {
    let env = TestEnv::new();
    let (_, mirror, target) = several_packs(&env);
    let Source::Path(source) = &mirror.source else { panic!() };
    let arguments = [Path::new("convert"), Path::new("--compact"), source, &target];
    let said = env.synchronise(arguments).ok().unwrap();
    assert!(said.contains("objects compacted, from "), "{said}");
    let said = env.synchronise(arguments).ok().unwrap();
    assert!(!said.contains("compacted"), "{said}");
}
