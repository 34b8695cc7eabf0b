//! A history is converted in slices, and many small syncs leave few packs.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use synchroniser::base::Interrupt;
use synchroniser::base::durable::{Step, observe};
use synchroniser::convert::identity::IdentityChoice;
use synchroniser::convert::{ConvertOptions, SliceLimits};
use synchroniser::git::destination::Target;
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{self, CacheLocation, Mirror, NoObserver, PublishRules, SyncReport};

use crate::support::generator::{Generated, Shape};
use crate::support::{Fixture, TestEnv, env, for_all, git, leave_out, same, skip};

/// A mirror without target, in slices of so many changesets.
fn mirror(source: &Path, cache: &Path, changesets: usize) -> Mirror {
    let slice = SliceLimits { changesets, ..SliceLimits::default() };
    Mirror {
        name: "it".to_owned(),
        source: Source::Path(source.to_owned()),
        cache: CacheLocation::Repository(cache.to_owned()),
        target: None,
        forge: None,
        options: ConvertOptions { slice, ..ConvertOptions::default() },
        publish: PublishRules::default(),
    }
}

fn sync(mirror: &Mirror) -> Result<SyncReport, String> {
    mirror::sync(mirror, &NoObserver, &Interrupt::default()).map_err(|error| format!("{error:?}"))
}

fn packs(repository: &Path) -> usize {
    let Ok(files) = std::fs::read_dir(repository.join("objects/pack")) else { return 0 };
    let is_pack = |path: &Path| path.extension().is_some_and(|ending| ending == "pack");
    files.filter(|entry| is_pack(&entry.as_ref().unwrap().path())).count()
}

/// The bytes of the id map; none if there is no map yet.
fn map_bytes(repository: &Path) -> u64 {
    std::fs::metadata(repository.join("synchroniser/map")).map_or(0, |metadata| metadata.len())
}

mod slices_change_no_commit {
    crate::support::each::each_fixture!(super::check_slices);
}

fn check_slices(fixture: &Fixture) -> Result<(), String> {
    if !fixture.converts() || fixture.truth.served().count() < 4 {
        return Ok(());
    }
    // As much as the program itself has: some folders are two thousand deep.
    let thread = std::thread::Builder::new().stack_size(64 << 20);
    std::thread::scope(|scope| {
        thread.spawn_scoped(scope, || check_all_slices(fixture)).unwrap().join().unwrap()
    })
}

fn check_all_slices(fixture: &Fixture) -> Result<(), String> {
    let identities = ["native", "hg-git", "fast-export"];
    // One of them for each fixture, unless all are asked for.
    let first = env::cases(fixture.name.len() % identities.len(), 0);
    let identities = identities.into_iter().skip(first).take(env::cases(1, identities.len()));
    for identity in identities {
        let env = TestEnv::new();
        let source = fixture.unpack(&env);
        let converted = |name: &str, slice: SliceLimits| {
            let mut mirror = mirror(&source, &env.path(name), 1);
            mirror.options.slice = slice;
            mirror.options.skip_damaged = true;
            mirror.options.identity = IdentityChoice::named(identity).unwrap();
            let report = sync(&mirror)?;
            Ok::<_, String>((mirror::commits(&mirror).unwrap(), report.refs))
        };
        let whole = converted("whole.git", SliceLimits::default())?;
        // Some twenty slices of a long history tell as much as hundreds, each of which waits for the disk.
        let changesets = fixture.truth.served().count();
        let small = SliceLimits { changesets: (changesets / 16).max(2), ..SliceLimits::default() };
        let few = SliceLimits { edits: (changesets / 8).max(3), ..SliceLimits::default() };
        for (name, slice) in [("small.git", small), ("few.git", few)] {
            let sliced = converted(name, slice)?;
            same(&format!("{identity}: commits"), &sliced.0, &whole.0)?;
            same(&format!("{identity}: references"), &sliced.1, &whole.1)?;
        }
    }
    Ok(())
}

/// Ended at many moments, the next run goes on behind the last slice that was whole.
#[test]
fn a_kill_costs_one_slice() {
    const SLICE: usize = 32;
    let env = TestEnv::new();
    let source = env.path("source");
    Generated::new(Shape { seed: 7, changesets: 200, files: 20, heads: 3, ..Shape::PLAIN })
        .write(&source);
    let whole = mirror(&source, &env.path("whole.git"), 1000);
    sync(&whole).unwrap();
    let expected = mirror::commits(&whole).unwrap();
    // Every step of a run, with what the map had before it.
    let counted = env.path("counted.git");
    let steps: Arc<std::sync::Mutex<Vec<u64>>> = Arc::default();
    let (recorded, path) = (steps.clone(), counted.clone());
    let observation = observe(
        &counted,
        Arc::new(move |_: &Step<'_>| {
            recorded.lock().unwrap().push(map_bytes(&path));
            Ok(())
        }),
    );
    sync(&mirror(&source, &counted, SLICE)).unwrap();
    drop(observation);
    let steps = steps.lock().unwrap().clone();
    assert!(steps.iter().any(|bytes| *bytes > 4 * 40 * SLICE as u64), "{steps:?}");
    let kills = (1..=20).map(|kill| kill * steps.len() / 21);
    for_all(kills.map(|at| (format!("before step {at}"), at)), |at| {
        let target = env.path(format!("killed-{at}.git"));
        let mirror = mirror(&source, &target, SLICE);
        let count = AtomicUsize::new(0);
        let observation = observe(
            &target,
            Arc::new(move |_: &Step<'_>| match count.fetch_add(1, Ordering::SeqCst) {
                before if before < at => Ok(()),
                _ => Err(io::Error::other("killed")),
            }),
        );
        same("a killed run", &sync(&mirror).is_err(), &true)?;
        drop(observation);
        let lost = steps[at].saturating_sub(map_bytes(&target));
        same("slices that were done and are lost", &(lost / 40), &0)?;
        let report = sync(&mirror)?;
        let had = usize::try_from(steps[at] / 40).unwrap();
        same("converted again", &(report.converted <= 200 - had as u64), &true)?;
        same("commits", &mirror::commits(&mirror).unwrap(), &expected)
    });
}

/// What `git gc` finds between two slices is not eaten.
#[test]
fn git_gc_between_two_slices_eats_nothing() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    Generated::new(Shape { seed: 9, changesets: 200, files: 20, heads: 4, ..Shape::PLAIN })
        .write(&source);
    let mirror = mirror(&source, &target, 50);
    let path = target.clone();
    let observation = observe(
        &target,
        // The third slice does not come into the map.
        Arc::new(move |step: &Step<'_>| match step {
            Step::Write(file) if file.ends_with("map") && map_bytes(&path) >= 4000 => {
                Err(io::Error::other("killed"))
            }
            _ => Ok(()),
        }),
    );
    sync(&mirror).unwrap_err();
    drop(observation);
    assert_eq!(map_bytes(&target), 4000);
    env.git(&target, &["gc", "--quiet", "--prune=now"]).ok().unwrap();
    git::fsck(&env, &target).unwrap();
    let report = sync(&mirror).unwrap();
    assert_eq!((report.converted, report.notes), (100, Vec::new()));
    git::fsck(&env, &target).unwrap();
}

/// How many small syncs there are, and how many packs they may leave. `SYNCHRONISER_SYNCS` sets the
/// former.
const MOST_PACKS: usize = 40;

#[test]
fn many_small_syncs_leave_few_packs() {
    let syncs = std::env::var("SYNCHRONISER_SYNCS").map_or(150, |chosen| chosen.parse().unwrap());
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    let shape = Shape { seed: 5, changesets: syncs + 1, files: 20, heads: 1, ..Shape::PLAIN };
    let history = Generated::new(shape);
    Generated::create(&source);
    let mut most = 0;
    let part = (syncs / 10).max(1);
    // Of the first ones and of the last ones, all threads together.
    let mut took = [0.0, 0.0];
    let mirror = mirror(&source, &target, 8192);
    for at in 0..=syncs {
        history.add(&source, at..at + 1);
        let before = cpu_seconds();
        assert_eq!(sync(&mirror).unwrap().converted, 1, "{at}");
        let seconds = cpu_seconds() - before;
        if at < part {
            took[0] += seconds;
        } else if at > syncs - part {
            took[1] += seconds;
        }
        most = most.max(packs(&target));
    }
    assert!(most <= MOST_PACKS, "{most} packs");
    let each = took.map(|seconds| 1000.0 * seconds / f64::from(u32::try_from(part).unwrap()));
    eprintln!(
        "{syncs} syncs: {:.1} ms of CPU for each of the first {part}, {:.1} for each of the last, at \
         most {most} packs",
        each[0], each[1],
    );
    // Other tests of the process would count, too. What grows with the history are the lists of all
    // changesets, which are read as a whole: some microseconds for each, without optimisation ten.
    let is_alone = std::env::var_os("SYNCHRONISER_SYNCS").is_some();
    let lists = f64::from(u32::try_from(syncs).unwrap()) / 100.0;
    assert!(!is_alone || each[1] < each[0] + lists, "{each:?}");
    assert_eq!(mirror::commits(&mirror).unwrap().len(), syncs + 1);
    if env::has("git") {
        git::fsck(&env, &target).unwrap();
    }
}

/// How long this process has been at work, all its threads together. With only this test in it, that is
/// what the syncs take.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 =
        fields.split_whitespace().skip(11).take(2).map(|n| n.parse::<u32>().unwrap()).sum();
    // `USER_HZ`, which is 100 on Linux.
    f64::from(ticks) / 100.0
}

/// Ended at each step of a merge, nothing is lost, and the next run ends it.
#[test]
fn a_killed_merge_loses_nothing() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    let history =
        Generated::new(Shape { seed: 6, changesets: 60, files: 20, heads: 1, ..Shape::PLAIN });
    Generated::create(&source);
    let mirror = mirror(&source, &target, 8192);
    let mut at = 0;
    let mut before = 0;
    while at < 60 && (before < 31 || packs(&target) >= before) {
        before = packs(&target);
        history.add(&source, at..at + 1);
        at += 1;
        if before >= 31 {
            // The first pack that goes is the last thing that is done.
            let folder = target.join("objects/pack");
            let observation = observe(
                &folder,
                Arc::new(|step: &Step<'_>| match step {
                    Step::Remove(path) if path.extension().is_some_and(|e| e == "pack") => {
                        Err(io::Error::other("killed"))
                    }
                    _ => Ok(()),
                }),
            );
            // The run itself has done what it was asked for.
            sync(&mirror).unwrap();
            drop(observation);
            assert!(packs(&target) > before, "nothing was merged");
            git::fsck(&env, &target).unwrap();
            history.add(&source, at..at + 1);
            at += 1;
        }
        sync(&mirror).unwrap();
    }
    assert!(packs(&target) < 10, "{} packs", packs(&target));
    git::fsck(&env, &target).unwrap();
    assert_eq!(mirror::commits(&mirror).unwrap().len(), at);
}

/// A target is synced as often, and takes what it is given.
#[test]
fn a_sync_in_slices_is_published() {
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    Generated::new(Shape { seed: 8, changesets: 90, files: 20, heads: 3, ..Shape::PLAIN })
        .write(&source);
    git2::Repository::init_bare(&target).unwrap();
    let mirror = Mirror {
        cache: CacheLocation::Folder(env.path("cache")),
        target: Some(Target::local(&target)),
        ..mirror(&source, &target, 20)
    };
    assert_eq!(sync(&mirror).unwrap().converted, 90);
    let there = git2::Repository::open(&target).unwrap();
    let names = there.references().unwrap().map(|reference| reference.unwrap());
    let names: Vec<_> = names.map(|reference| reference.name().unwrap().to_owned()).collect();
    assert!(!names.is_empty() && names.iter().all(|name| !name.starts_with("refs/synchroniser")));
}

/// What a program has used of memory at most, in bytes, while it runs.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? * 1024)
}

/// A history of a hundred thousand changesets, or as many as `SYNCHRONISER_LONG` says, converted for the
/// first time and killed ten times meanwhile.
#[test]
fn a_long_history_takes_little_memory_and_is_not_begun_anew() {
    const SLICE: u64 = 10_000;
    const KILLS: u64 = 10;
    const MOST_MEMORY: u64 = 90_000_000;
    let Ok(changesets) = std::env::var("SYNCHRONISER_LONG") else {
        return leave_out("it takes minutes; SYNCHRONISER_LONG=100000 runs it");
    };
    let changesets: usize = changesets.parse().unwrap();
    let env = TestEnv::new();
    let (source, target) = (env.path("source"), env.path("target.git"));
    Generated::new(Shape { seed: 3, changesets, files: 300, heads: 4, ..Shape::PLAIN })
        .write(&source);
    let (mut most_memory, mut done) = (0, 0);
    for run in 1..=KILLS + 1 {
        let mut command = env.synchroniser();
        command.args([Path::new("-q"), Path::new("convert"), &source, &target]);
        let mut child = command.spawn().unwrap();
        let before = done;
        let mut left = 5 * run;
        while child.try_wait().unwrap().is_none() {
            most_memory = most_memory.max(peak(child.id()).unwrap_or(0));
            std::thread::sleep(std::time::Duration::from_millis(20));
            // Killed somewhere in the second slice that it does.
            if run <= KILLS && map_bytes(&target) > before {
                left = u64::saturating_sub(left, 1);
                if left == 0 {
                    child.kill().unwrap();
                }
            }
        }
        let ended = child.wait().unwrap();
        done = map_bytes(&target);
        eprintln!("run {run}: {} of {changesets} changesets, {most_memory} bytes", done / 40);
        assert!(
            ended.success() || done - before >= (SLICE * 40).min(changesets as u64 * 40 - before)
        );
    }
    assert_eq!(done / 40, changesets as u64);
    assert!(most_memory <= MOST_MEMORY, "{most_memory} bytes");
    if env::has("git") {
        git::fsck(&env, &target).unwrap();
    }
}
