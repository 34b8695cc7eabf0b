//! 200 mirrors that are due at once.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Bench, only_wall};
use crate::Outcome;
use crate::append::append;
use crate::daemon::{Daemon, Mirror};
use crate::generator::{Generated, Shape};
use crate::report::median;
use crate::run::remove;

const JOB: &str = "200 mirrors due at once";
const MIRRORS: usize = 200;
/// Longer than it takes.
const LONG: Duration = Duration::from_secs(1200);

/// The share of the processors' time that nobody had, from two looks at `/proc/stat`.
fn idle_and_all() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    (numbers.iter().skip(3).take(2).sum(), numbers.iter().take(8).sum())
}

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let mirrors = (MIRRORS / bench.divide).max(4);
    let root = bench.fresh("due");
    let folder = bench.fresh("due-daemon");
    std::fs::create_dir_all(&root)?;
    let mut sources: Vec<PathBuf> = Vec::new();
    let mut configured: Vec<Mirror> = Vec::new();
    for number in 0..mirrors {
        let seed = number as u64 + 1;
        let source = root.join(format!("s{number}"));
        Generated::new(Shape { seed, changesets: 300, files: 40, heads: 3, ..Shape::PLAIN })
            .write(&source);
        let target = root.join(format!("t{number}.git"));
        bench.target(&target)?;
        let shown = |path: &PathBuf| path.to_string_lossy().into_owned();
        configured.push((format!("m{number}"), shown(&source), shown(&target)));
        sources.push(source);
    }
    let (begin, before) = (Instant::now(), idle_and_all());
    let daemon = Daemon::start(&bench.program, &folder, &configured)?;
    let first = std::thread::scope(|scope| all_at_once(scope, &daemon, mirrors));
    daemon.until_idle(LONG)?;
    told(bench, "first syncs", begin.elapsed(), daemon.cpu(), before, first);

    for source in &sources {
        append(source)?;
    }
    let (begin, before, cpu) = (Instant::now(), idle_and_all(), daemon.cpu());
    let next = std::thread::scope(|scope| all_at_once(scope, &daemon, mirrors));
    told(bench, "one new changeset each", begin.elapsed(), daemon.cpu() - cpu, before, next);
    drop(daemon);
    remove(&root);
    Ok(())
}

/// A hook for each mirror at the same time, and how long each waited for its sync.
fn all_at_once<'s>(
    scope: &'s std::thread::Scope<'s, '_>,
    daemon: &'s Daemon,
    mirrors: usize,
) -> Vec<Outcome<Duration>> {
    let senders: Vec<_> = (0..mirrors)
        .map(|number| scope.spawn(move || daemon.sync(&format!("m{number}"))))
        .collect();
    let joined = senders.into_iter().map(|sender| sender.join());
    joined.map(|took| took.unwrap_or_else(|_| Err("a sender gave up".into()))).collect()
}

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
fn told(
    bench: &mut Bench,
    what: &str,
    wall: Duration,
    cpu: Duration,
    before: (u64, u64),
    took: Vec<Outcome<Duration>>,
) {
    let after = idle_and_all();
    bench.report.add(JOB, what, only_wall(wall, cpu), 0);
    let idle = (after.0 - before.0) as f64 / (after.1 - before.1).max(1) as f64;
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let ours = cpu.as_secs_f64() / wall.as_secs_f64() / cores as f64;
    let failed = took.iter().filter(|took| took.is_err()).count();
    let waited: Vec<f64> = took.iter().flatten().map(Duration::as_secs_f64).collect();
    let longest = waited.iter().copied().fold(0.0, f64::max);
    let found = format!(
        "processors idle {:.0} %, the daemon had {:.0} %; waits: median {:.2} s, longest {longest:.2} s of {:.2} s; {failed} failed",
        idle * 100.0,
        ours * 100.0,
        median(waited),
        wall.as_secs_f64(),
    );
    bench.report.find(&format!("due: {what}"), found, "idle ≤ 10 %, none starved");
}
