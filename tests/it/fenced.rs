//! Whoever has lost the right to a mirror changes nothing that others see.

use std::sync::atomic::{AtomicUsize, Ordering};

use synchroniser::base::{Fault, Fence, FenceError, HasFault as _, Interrupt, Side};
use synchroniser::convert::ConvertOptions;
use synchroniser::git::destination::Target;
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{
    self, CacheLocation, Mirror, NoObserver, PublishRules, SyncContext, SyncError,
};

use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};

/// One that holds for so many questions.
struct Claimed {
    token: u64,
    holds: usize,
    asked: AtomicUsize,
}

impl Claimed {
    fn new(token: u64, holds: usize) -> Self {
        Self { token, holds, asked: AtomicUsize::new(0) }
    }

    fn sync(&self, mirror: &Mirror) -> Result<usize, SyncError> {
        let context = SyncContext { fence: self, ledger: None, elsewhere: None };
        mirror::sync_in(mirror, &context, &NoObserver, &Interrupt::default())?;
        Ok(self.asked.load(Ordering::SeqCst))
    }
}

impl Fence for Claimed {
    fn token(&self) -> u64 {
        self.token
    }

    fn check(&self) -> Result<(), FenceError> {
        match self.asked.fetch_add(1, Ordering::SeqCst) < self.holds {
            true => Ok(()),
            false => Err(FenceError::Lost),
        }
    }
}

#[test]
fn a_sync_without_its_claim_pushes_nothing_and_an_older_one_does_not_begin() {
    let env = TestEnv::new();
    let shape = Shape { seed: 11, changesets: 8, files: 3, heads: 1, ..Shape::PLAIN };
    let history = Generated::new(shape);
    let (source, target) = (env.path("source"), env.path("target.git"));
    Generated::create(&source);
    history.add(&source, 0..4);
    let repository = git2::Repository::init_bare(&target).unwrap();
    let refs = || repository.references().unwrap().count();
    let mirror = Mirror {
        name: "it".to_owned(),
        source: Source::Path(source.clone()),
        cache: CacheLocation::Folder(env.path("cache")),
        target: Some(Target::local(&target)),
        forge: None,
        options: ConvertOptions::default(),
        publish: PublishRules::default(),
    };
    let lost = Claimed::new(7, 0).sync(&mirror).unwrap_err();
    assert_eq!((lost.fault(), lost.side()), (Fault::Interrupted, Side::Here), "{lost}");
    assert_eq!(refs(), 0);
    assert_eq!(std::fs::read_to_string(env.path("cache/token")).unwrap(), "00000000000000000007\n");
    // Who comes after it goes on from there, and asks before each push.
    let all = Claimed::new(8, usize::MAX).sync(&mirror).unwrap();
    assert!(all > 1 && refs() > 0, "asked {all} times");
    let head = repository.refname_to_id("refs/heads/default").ok();
    history.add(&source, 4..8);
    let older = Claimed::new(7, usize::MAX).sync(&mirror).unwrap_err();
    assert_eq!((older.fault(), older.side()), (Fault::Refused, Side::Here), "{older}");
    assert!(older.to_string().contains("a later claim"), "{older}");
    assert_eq!(repository.refname_to_id("refs/heads/default").ok(), head);
    // The same one may come again, and so may a person.
    Claimed::new(8, usize::MAX).sync(&mirror).unwrap();
    assert_ne!(repository.refname_to_id("refs/heads/default").ok(), head);
    mirror::sync(&mirror, &NoObserver, &Interrupt::default()).unwrap();
    // Only a machine that lost its power leaves this, and nobody else was alive then.
    std::fs::write(env.path("cache/token"), "").unwrap();
    Claimed::new(1, usize::MAX).sync(&mirror).unwrap();
}

/// A first push in turns and parts is left at each of them, and finished by whoever comes next.
#[test]
fn a_claim_is_lost_between_two_pushes() {
    let env = TestEnv::new();
    let shape = Shape { seed: 12, changesets: 12, files: 3, heads: 3, ..Shape::PLAIN };
    let history = Generated::new(shape);
    let source = env.path("source");
    history.write(&source);
    let mirror = |name: &str| Mirror {
        name: "it".to_owned(),
        source: Source::Path(source.clone()),
        cache: CacheLocation::Folder(env.path(format!("{name}-cache"))),
        target: Some(Target::local(env.path(format!("{name}.git")))),
        forge: None,
        options: ConvertOptions::default(),
        publish: PublishRules::default(),
    };
    let listed = |name: &str| {
        let repository = git2::Repository::open_bare(env.path(format!("{name}.git"))).unwrap();
        let refs = repository.references().unwrap().flatten();
        let mut refs: Vec<_> =
            refs.map(|found| (found.name().unwrap().to_owned(), found.target())).collect();
        refs.sort();
        refs
    };
    for name in ["whole", "cut"] {
        git2::Repository::init_bare(env.path(format!("{name}.git"))).unwrap();
    }
    let all = Claimed::new(1, usize::MAX).sync(&mirror("whole")).unwrap();
    assert!(all > 1, "asked {all} times");
    let mut before = 0;
    for holds in 0..all {
        let lost = Claimed::new(1, holds).sync(&mirror("cut"));
        let now = listed("cut").len();
        // What arrived needs not be pushed again, so later ones need fewer questions.
        assert!(now >= before && (lost.is_err() || listed("cut") == listed("whole")));
        before = now;
    }
    Claimed::new(1, usize::MAX).sync(&mirror("cut")).unwrap();
    assert_eq!(listed("cut"), listed("whole"));
}
