//! Which caches are emptied, and when there is too little room for a sync.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use synchroniser::base::{Fault, Side};
use synchroniser::config::Config;
use synchroniser::service::view::MirrorState;

use super::rig::{Rig, config};

const DAY: Duration = Duration::from_hours(24);

/// A configuration of mirrors with these names.
fn mirrors(names: &[&str]) -> String {
    let one = |name: &&str| {
        format!("mirrors.{name} = {{ source = \"hg/{name}\", target = \"git/{name}\" }}\n")
    };
    names.iter().map(one).collect()
}

/// Fills the cache called `name`: it was made of so many changesets and takes so many bytes.
fn fill(rig: &Rig, name: &str, changesets: usize, bytes: usize) {
    let cache = rig.env.path(format!("cache/{name}"));
    fs::create_dir_all(cache.join("git/objects")).unwrap();
    fs::write(cache.join("git/HEAD"), "ref: refs/heads/master\n").unwrap();
    fs::write(cache.join("git/objects/pack"), vec![0; bytes]).unwrap();
    fs::write(cache.join("map"), vec![0; 40 * changesets]).unwrap();
    fs::write(cache.join("ledger"), "published").unwrap();
    fs::write(cache.join("lock"), "").unwrap();
}

/// The caches that are not empty.
fn full(rig: &Rig) -> Vec<String> {
    let entries = fs::read_dir(rig.env.path("cache")).unwrap().map(|entry| entry.unwrap().path());
    let full = entries.filter(|path| path.join("git").exists());
    let mut names: Vec<_> =
        full.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn has_ledger(rig: &Rig, name: &str) -> bool {
    let ledger: PathBuf = rig.env.path(format!("cache/{name}/ledger"));
    fs::read_to_string(ledger).is_ok_and(|text| text == "published")
}

/// Makes a configuration with a quota the one in force.
fn with_quota(rig: &Rig, text: &str, quota: u64) {
    let mut changed: Config = config(&rig.env, text);
    changed.caches.quota = Some(quota);
    rig.service.reload(changed).unwrap();
    rig.settle();
}

#[test]
fn the_cache_of_a_mirror_that_is_gone_for_long_is_emptied() {
    let rig = Rig::new(&mirrors(&["a", "b"]));
    for name in ["a", "b", "other"] {
        fill(&rig, name, 10, 1000);
    }
    rig.reload(&mirrors(&["a"]));
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["a", "b", "other"]);
    let caches = rig.actions().caches().unwrap();
    assert_eq!(caches.unused, 2 * (1000 + 400 + 9 + 23));
    assert_eq!((caches.mirrors.len(), &*caches.mirrors[0].mirror), (1, "a"));
    assert!(caches.bytes > caches.unused && caches.free.is_some());
    assert!(rig.mirror("a").cache_bytes.unwrap() >= 1432);

    rig.pass(29 * DAY);
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["a", "b", "other"]);
    rig.pass(DAY);
    let held = fs::File::open(rig.env.path("cache/b/lock")).unwrap();
    held.lock().unwrap();
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["a", "b", "other"], "it is in use");
    drop(held);
    rig.service.tend_caches().unwrap();
    // Nobody here has ever known the mirror of the third one: it is of another configuration.
    assert_eq!(full(&rig), ["a", "other"]);
    assert!(has_ledger(&rig, "b"), "what was published is known");

    let mut kept = Rig::new(&format!("cache_unused = 0\n{}", mirrors(&["a"])));
    fill(&kept, "a", 10, 1000);
    kept.restart("cache_unused = 0\n");
    kept.pass(4000 * DAY);
    kept.service.tend_caches().unwrap();
    assert_eq!(full(&kept), ["a"]);
}

#[test]
fn above_the_quota_what_is_made_again_soonest_goes_first() {
    let rig = Rig::new(&mirrors(&["gone", "large", "long", "small"]));
    fill(&rig, "gone", 100_000, 1000);
    fill(&rig, "small", 10, 1000);
    // It frees much for the time that it takes; the next one takes long and frees little.
    fill(&rig, "large", 10, 500_000);
    fill(&rig, "long", 100_000, 1000);
    let left = mirrors(&["large", "long", "small"]);
    rig.reload(&left);
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig).len(), 4, "there is no quota");

    // Those of mirrors that are gone go first, whatever it costs to make them again.
    with_quota(&rig, &left, 6_000_000);
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["large", "long", "small"]);
    assert!(has_ledger(&rig, "gone"));

    with_quota(&rig, &left, 4_100_000);
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["long", "small"]);
    assert!(has_ledger(&rig, "large"));
    assert!(rig.actions().caches().unwrap().bytes <= 4_100_000);

    // One that is used stays, whatever it takes.
    let held = fs::File::open(rig.env.path("cache/small/lock")).unwrap();
    held.lock().unwrap();
    with_quota(&rig, &left, 1);
    rig.service.tend_caches().unwrap();
    assert_eq!(full(&rig), ["small"]);
}

#[test]
fn with_too_little_room_no_sync_begins_and_the_reason_is_said() {
    let rig = Rig::new(&mirrors(&["a"]));
    rig.synced();
    // A petabyte, which no disk here has free.
    let short = format!("cache_reserve = 1000000000\n{}", mirrors(&["a"]));
    rig.reload(&short);
    rig.hook("a");
    rig.settle();
    assert_eq!(rig.synced(), [""; 0]);
    assert_eq!(rig.state("a"), MirrorState::Failing);
    let failure = rig.mirror("a").summary.failure.unwrap();
    assert_eq!((failure.fault, failure.side), (Fault::Unavailable, Side::Here));
    assert!(failure.message.contains("free"), "{}", failure.message);
    assert!(failure.hint.unwrap().contains("synchroniser caches"));
    rig.reload(&mirrors(&["a"]));
    rig.pass(Duration::from_mins(1));
    assert_eq!(rig.state("a"), MirrorState::Good);
}
