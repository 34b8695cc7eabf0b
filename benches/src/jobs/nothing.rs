//! A sync that finds nothing new.

use super::{Bench, milliseconds, only_wall};
use crate::Outcome;
use crate::daemon::Daemon;
use crate::run::remove;
use crate::server::{GitServe, HgServe};

const JOB: &str = "nothing new";
/// So many are measured for each round of other jobs.
const EACH: usize = 5;

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let (folder, root) = (bench.path("nothing-daemon"), bench.path("nothing-targets"));
    remove(&folder);
    std::fs::create_dir_all(&root)?;
    let names = ["local.git", "remote.git", "daemon-local.git", "daemon-remote.git"];
    for name in names {
        bench.target(&root.join(name))?;
    }
    let served = HgServe::start(&bench.hg, &bench.repository, &bench.path("hg-serve.log"))?;
    let git = GitServe::start(&root)?;
    let path = |name: &str| root.join(name).to_string_lossy().into_owned();
    let source = bench.repository.to_string_lossy().into_owned();
    let mirrors = [
        ("local".to_owned(), source.clone(), path("daemon-local.git")),
        ("remote".to_owned(), served.url.clone(), git.url("daemon-remote.git")),
    ];
    let daemon = Daemon::start(&bench.program, &folder, &mirrors)?;
    let processes = [
        ("the whole process, local", source, path("local.git"), bench.fresh("nothing-local")),
        (
            "the whole process, HTTP",
            served.url.clone(),
            git.url("remote.git"),
            bench.fresh("nothing-remote"),
        ),
    ];
    for _ in 0..2 {
        for (mirror, ..) in &mirrors {
            daemon.sync(mirror)?;
        }
        for (_, source, target, cache) in &processes {
            bench.spent(&mut bench.mirror(source, target, cache))?;
        }
    }
    let mut requests = (0, 0);
    for _ in 0..bench.rounds * EACH {
        for (mirror, tool) in [("local", "daemon, local"), ("remote", "daemon, HTTP")] {
            let before = (daemon.cpu(), served.requests(), git.requests());
            let wall = daemon.sync(mirror)?;
            let spent = only_wall(wall, daemon.cpu().saturating_sub(before.0));
            bench.report.add(JOB, tool, spent, 0);
            if mirror == "remote" {
                requests = (served.requests() - before.1, git.requests() - before.2);
            }
        }
        for (tool, source, target, cache) in &processes {
            let spent = bench.spent(&mut bench.mirror(source, target, cache))?;
            bench.report.add(JOB, tool, spent, 0);
        }
    }
    for tool in
        ["daemon, local", "daemon, HTTP", "the whole process, local", "the whole process, HTTP"]
    {
        if let Some((wall, _)) = bench.report.seconds(JOB, tool) {
            bench.report.find(&format!("nothing: {tool}"), milliseconds(wall), "≤ 15 ms");
        }
    }
    let found = format!("{} to the source, {} to the target", requests.0, requests.1);
    bench.report.find("nothing: requests over HTTP", found, "1");
    Ok(())
}
