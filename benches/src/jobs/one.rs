//! One new changeset, from the hook to the target, with a daemon that is warm.

use super::{Bench, milliseconds, only_wall};
use crate::Outcome;
use crate::append::append;
use crate::daemon::Daemon;
use crate::run::remove;
use crate::server::{GitServe, HgServe};

const JOB: &str = "one new changeset";
/// So many are measured for each round of other jobs.
const EACH: usize = 5;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let source = bench.path("one");
    bench.copy(&bench.repository.clone(), &source)?;
    let (folder, root) = (bench.path("one-daemon"), bench.path("one-targets"));
    remove(&folder);
    std::fs::create_dir_all(&root)?;
    let (local, remote) = (root.join("local.git"), root.join("remote.git"));
    bench.target(&local)?;
    bench.target(&remote)?;
    let served = HgServe::start(&bench.hg, &source, &bench.path("hg-serve.log"))?;
    let git = GitServe::start(&root)?;
    let shown = source.to_string_lossy().into_owned();
    let mirrors = [
        ("local".to_owned(), shown.clone(), local.to_string_lossy().into_owned()),
        ("remote".to_owned(), served.url.clone(), git.url("remote.git")),
    ];
    let daemon = Daemon::start(&bench.program, &folder, &mirrors)?;
    // The first syncs, and one each to be warm.
    for _ in 0..2 {
        for (mirror, ..) in &mirrors {
            daemon.sync(mirror)?;
        }
        append(&source)?;
    }
    let converted = bench.fresh("one.git");
    bench.spent(&mut bench.convert(&shown, &converted))?;
    for _ in 0..bench.rounds * EACH {
        append(&source)?;
        for (mirror, tool) in
            [("local", "hook to local target"), ("remote", "hook to target, both over HTTP")]
        {
            let before = daemon.cpu();
            let wall = daemon.sync(mirror)?;
            let spent = only_wall(wall, daemon.cpu().saturating_sub(before));
            bench.report.add(JOB, tool, spent, 0);
        }
        let spent = bench.spent(&mut bench.convert(&shown, &converted))?;
        bench.report.add(JOB, "synchroniser convert, the whole process", spent, 0);
    }
    let bars = [
        ("hook to local target", "≤ 60 ms"),
        ("hook to target, both over HTTP", "≤ 60 ms"),
        ("synchroniser convert, the whole process", "convert part ≤ 10 ms"),
    ];
    for (tool, bar) in bars {
        if let Some((wall, _)) = bench.report.seconds(JOB, tool) {
            bench.report.find(&format!("one: {tool}"), milliseconds(wall), bar);
        }
    }
    Ok(())
}
