//! A lost cache is made again for what the target has, and only what the target's own tips do not prove
//! is verified once more.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use git2::{Oid, Repository};
use synchroniser::base::{Fault, HasFault, Interrupt, Stage};
use synchroniser::convert::identity::IdentityChoice;
use synchroniser::convert::{ConvertOptions, SliceLimits, Verify};
use synchroniser::git::destination::{RefusalKind, Target};
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{
    self, CacheLocation, Mirror, Note, Observer, PublishRules, SyncError, SyncEvent, SyncReport,
};

use crate::adoption::refs;
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};

/// How many changesets the source has.
const ALL: usize = 60;

/// A source, and a target that got the first changesets of it from a cache that was lost since.
struct Rig {
    env: TestEnv,
    history: Generated,
    mirror: Mirror,
    target: PathBuf,
}

impl Rig {
    /// The target has `published` changesets of [`ALL`].
    fn new(published: usize) -> Self {
        let env = TestEnv::new();
        let (source, target) = (env.path("source"), env.path("target.git"));
        let history = Generated::new(Shape {
            seed: 11,
            changesets: ALL,
            files: 12,
            heads: 1,
            ..Shape::PLAIN
        });
        Generated::create(&source);
        Repository::init_bare(&target).unwrap();
        let mirror = Mirror {
            name: "it".to_owned(),
            source: Source::Path(source),
            cache: CacheLocation::Folder(env.path("cache")),
            target: Some(Target::local(&target)),
            forge: None,
            options: ConvertOptions {
                slice: SliceLimits { changesets: 16, ..SliceLimits::default() },
                ..ConvertOptions::default()
            },
            publish: PublishRules::default(),
        };
        let rig = Self { env, history, mirror, target };
        rig.grow(0..published);
        rig.sync().0.unwrap();
        rig.lose_cache();
        rig.grow(published..ALL);
        rig
    }

    fn grow(&self, range: std::ops::Range<usize>) {
        if !range.is_empty() {
            self.history.add(&self.env.path("source"), range);
        }
    }

    fn lose_cache(&self) {
        std::fs::remove_dir_all(self.env.path("cache")).unwrap();
    }

    /// A sync, and how many changesets it has verified.
    fn sync(&self) -> (Result<SyncReport, SyncError>, u64) {
        let verified = Verified::default();
        let result = mirror::sync(&self.mirror, &verified, &Interrupt::default());
        (result, verified.0.into_inner().unwrap())
    }

    /// The commit of each changeset, in order.
    fn commits(&self) -> Vec<Oid> {
        let commits = mirror::commits(&self.mirror).unwrap();
        commits.iter().map(|(_, id)| Oid::from_str(&id.to_string()).unwrap()).collect()
    }

    /// Puts a commit of somebody else on top of `parent` at the target, as `name`.
    fn foreign(&self, name: &str, parent: Oid) -> Oid {
        let there = Repository::open(&self.target).unwrap();
        let parent = there.find_commit(parent).unwrap();
        let who = git2::Signature::new("T", "t@t", &git2::Time::new(5, 0)).unwrap();
        let tree = parent.tree().unwrap();
        let commit = there.commit(None, &who, &who, "theirs", &tree, &[&parent]).unwrap();
        there.reference(name, commit, true, "").unwrap();
        commit
    }

    fn is_rebuilding(&self) -> bool {
        self.env.path("cache/rebuilding").exists()
    }
}

/// Counts the changesets that are verified.
#[derive(Default)]
struct Verified(Mutex<u64>);

impl Observer for Verified {
    fn event(&self, event: &SyncEvent) {
        if let SyncEvent::StageBegun { stage: Stage::VerifyingCommits, total } = event {
            *self.0.lock().unwrap() += total.unwrap();
        }
    }
}

fn is_rebuilt(report: &SyncReport) -> bool {
    report.notes.iter().any(|note| matches!(note, Note::CacheRebuilt { .. }))
}

const MASTER: &str = "refs/heads/master";
const DEFAULT: &str = "refs/heads/default";

#[test]
fn a_target_that_is_up_to_date_proves_everything() {
    for identity in ["native", "hg-git", "fast-export"] {
        let mut rig = Rig::new(0);
        rig.mirror.options.identity = IdentityChoice::named(identity).unwrap();
        rig.lose_cache_if_any();
        let (report, verified) = rig.sync();
        assert_eq!((report.unwrap().converted, verified), (ALL as u64, ALL as u64), "{identity}");
        let before = (refs(&rig.target), rig.commits());
        rig.lose_cache();
        let (report, verified) = rig.sync();
        let report = report.unwrap();
        assert!(is_rebuilt(&report), "{identity}: {:?}", report.notes);
        assert_eq!((report.converted, verified), (ALL as u64, 0), "{identity}");
        assert_eq!((refs(&rig.target), rig.commits()), before, "{identity}");
        assert!(!rig.is_rebuilding());
        // What comes later is verified as ever.
        assert_eq!(rig.sync().1, 0);
    }
}

impl Rig {
    fn lose_cache_if_any(&self) {
        let _ = std::fs::remove_dir_all(self.env.path("cache"));
    }
}

/// What the target lacks is verified before it goes there, be it little or nearly all.
#[test]
fn a_target_that_is_behind_proves_what_it_has() {
    for published in [2, 30, ALL - 1] {
        let rig = Rig::new(published);
        let (report, verified) = rig.sync();
        let report = report.unwrap();
        assert!(is_rebuilt(&report), "{:?}", report.notes);
        assert_eq!(verified, (ALL - published) as u64);
        assert_eq!(refs(&rig.target)[MASTER], *rig.commits().last().unwrap());
    }
    // Unless that is not wanted at all.
    let mut rig = Rig::new(30);
    rig.mirror.options.verify = Verify::Off;
    let (report, verified) = rig.sync();
    assert!(is_rebuilt(&report.unwrap()));
    assert_eq!(verified, 0);
}

/// Nothing proves what a commit of somebody else stands on: its history is looked at.
#[test]
fn a_foreign_commit_on_top_proves_nothing() {
    let rig = Rig::new(ALL);
    let tip = refs(&rig.target)[MASTER];
    let theirs = rig.foreign(MASTER, tip);
    // No other ref says whose the target is.
    rig.foreign(DEFAULT, tip);
    let error = rig.sync().0.unwrap_err();
    assert!(error.to_string().contains("1 commit there matches no changeset"), "{error}");
    assert_eq!(refs(&rig.target)[MASTER], theirs);
}

/// Where another ref shows whose the target is, it proves what it reaches and no more; what others
/// have done to the rest is a conflict of that ref.
#[test]
fn a_target_that_diverged_proves_what_its_other_refs_reach() {
    let rig = Rig::new(ALL);
    let tip = refs(&rig.target)[MASTER];
    let there = Repository::open(&rig.target).unwrap();
    let mut line = vec![tip];
    while let Some(parent) = there.find_commit(line[line.len() - 1]).unwrap().parent_ids().next() {
        line.push(parent);
    }
    assert_eq!(line.len(), ALL);
    there.reference(DEFAULT, line[20], true, "").unwrap();
    let theirs = rig.foreign(MASTER, line[10]);
    let (report, verified) = rig.sync();
    let report = report.unwrap();
    assert!(is_rebuilt(&report), "{:?}", report.notes);
    assert_eq!(verified, 20);
    let refused: Vec<_> = report.refused.iter().map(|r| (&r.name[..], r.kind)).collect();
    assert_eq!(refused, [(MASTER, RefusalKind::Unknown)]);
    assert_eq!(refs(&rig.target)[MASTER], theirs);
}

/// A byte of the file is another one.
fn damage(path: &Path) -> Vec<u8> {
    let sound = std::fs::read(path).unwrap();
    let mut bytes = sound.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
    sound
}

/// Converting finds it, whoever verifies.
#[test]
fn a_damaged_source_is_told_and_the_next_run_ends_right() {
    let rig = Rig::new(30);
    let before = refs(&rig.target);
    let folder = std::fs::read_dir(rig.env.path("source/.hg/store/data")).unwrap().next();
    let file = std::fs::read_dir(folder.unwrap().unwrap().path()).unwrap().next();
    let file = file.unwrap().unwrap().path();
    let sound = damage(&file);
    let error = rig.sync().0.unwrap_err();
    assert_eq!(error.fault(), Fault::Corrupt, "{error}");
    assert_eq!(refs(&rig.target), before);
    std::fs::write(&file, sound).unwrap();
    let (report, verified) = rig.sync();
    assert!(is_rebuilt(&report.unwrap()));
    assert_eq!(verified, 30);
    assert_eq!(refs(&rig.target)[MASTER], *rig.commits().last().unwrap());
}

/// A run that was killed has recorded what nobody has verified, and the disk has not kept it.
#[test]
fn what_a_killed_run_has_left_is_not_believed() {
    let rig = Rig::new(30);
    let before = refs(&rig.target);
    // What such a run leaves: all is converted, nothing is named.
    let empty = rig.env.path("empty.git");
    Repository::init_bare(&empty).unwrap();
    let other = Mirror { target: Some(Target::local(&empty)), ..rig.mirror.clone() };
    mirror::sync(&other, &mirror::NoObserver, &Interrupt::default()).unwrap();
    let expected = refs(&empty);
    for (name, _) in refs(&rig.env.path("cache/git")) {
        let git = Repository::open(rig.env.path("cache/git")).unwrap();
        git.find_reference(&name).unwrap().delete().unwrap();
    }
    std::fs::remove_file(rig.env.path("cache/ledger")).unwrap();
    std::fs::write(rig.env.path("cache/rebuilding"), "trying").unwrap();
    let packs = std::fs::read_dir(rig.env.path("cache/git/objects/pack")).unwrap();
    let packs = packs.map(|entry| entry.unwrap().path());
    for pack in packs.filter(|path| path.extension().is_some_and(|ending| ending == "pack")) {
        damage(&pack);
    }
    let error = rig.sync().0.unwrap_err();
    assert_eq!(error.fault(), Fault::Corrupt, "{error}");
    assert_eq!(refs(&rig.target), before);
    assert!(rig.is_rebuilding());
    let (report, verified) = rig.sync();
    let report = report.unwrap();
    assert!(is_rebuilt(&report), "{:?}", report.notes);
    assert_eq!((report.converted, verified), (ALL as u64, 30));
    assert_eq!(refs(&rig.target)[MASTER], expected[MASTER]);
    assert!(!rig.is_rebuilding());
}

/// The bytes of packs of the cache change behind its back: what they held is converted again, by the run
/// that meets it.
#[test]
fn a_damaged_cache_is_mended_by_the_sync_that_meets_it() {
    let rig = Rig::new(0);
    let damage_packs = || {
        let packs = std::fs::read_dir(rig.env.path("cache/git/objects/pack")).unwrap();
        let packs = packs.map(|entry| entry.unwrap().path());
        for pack in packs.filter(|path| path.extension().is_some_and(|ending| ending == "pack")) {
            damage(&pack);
        }
    };
    let is_repaired = |report: &SyncReport| {
        report.notes.iter().any(|note| matches!(note, Note::CacheRepaired { .. }))
    };
    // The target is a new one, so all is sent.
    rig.sync().0.unwrap();
    let expected = refs(&rig.target);
    damage_packs();
    std::fs::remove_dir_all(&rig.target).unwrap();
    Repository::init_bare(&rig.target).unwrap();
    let report = rig.sync().0.unwrap();
    assert!(is_repaired(&report), "{:?}", report.notes);
    assert!(report.refused.is_empty(), "{:?}", report.refused);
    assert_eq!(refs(&rig.target), expected);
    let report = rig.sync().0.unwrap();
    assert!(!is_repaired(&report), "{:?}", report.notes);
}
