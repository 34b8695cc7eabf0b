//! From `hg serve`, and on to a target over HTTP.

use super::Bench;
use crate::Outcome;
use crate::run::size_of;
use crate::server::{GitServe, HgServe};

const JOB: &str = "from hg serve";

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let served = HgServe::start(&bench.hg, &bench.repository, &bench.path("hg-serve.log"))?;
    let root = bench.path("served");
    std::fs::create_dir_all(&root)?;
    let git = GitServe::start(&root)?;
    let url = served.url.clone();
    for _ in 0..bench.rounds {
        let clone = bench.fresh("fetched");
        let fetch = ["fetch", &url, &clone.to_string_lossy(), "--source-plain-http"];
        let spent = bench.spent(&mut bench.ours(&fetch))?;
        bench.report.add(JOB, "synchroniser fetch", spent, size_of(&clone));

        let target = bench.fresh("fetched.git");
        let spent = bench.spent(&mut bench.convert(&clone.to_string_lossy(), &target))?;
        bench.report.add(JOB, "synchroniser convert of what was fetched", spent, size_of(&target));

        let target = bench.fresh("http.git");
        let spent = bench.spent(&mut bench.convert(&url, &target))?;
        bench.report.add(JOB, "synchroniser convert http://", spent, size_of(&target));

        let (target, cache) = (root.join("pushed.git"), bench.fresh("push-cache"));
        bench.target(&target)?;
        let spent = bench.spent(&mut bench.mirror(&url, &git.url("pushed.git"), &cache))?;
        bench.report.add(JOB, "synchroniser mirror http:// http://", spent, size_of(&target));

        if let Some(peers) = bench.peers.clone().filter(|peers| peers.has_cinnabar()) {
            let target = bench.fresh("cinnabar.git");
            let spent = bench.spent(&mut peers.cinnabar(&url, &target))?;
            bench.report.add(JOB, "git-cinnabar", spent, size_of(&target));
        }
    }
    findings(bench);
    Ok(())
}

fn findings(bench: &mut Bench) {
    let report = &mut bench.report;
    let whole = (JOB, "synchroniser convert http://");
    if let Some((wall, cpu)) = report.times((JOB, "git-cinnabar"), whole) {
        let found = format!("{wall:.1} × wall, {cpu:.1} × CPU");
        report.find("http: git-cinnabar against ours", found, "≥ 8 wall");
    }
    let parts = ["synchroniser fetch", "synchroniser convert of what was fetched"];
    let of = |part| report.times(whole, (JOB, part)).map(|(wall, _)| wall);
    let found = parts.into_iter().filter_map(of).fold(f64::INFINITY, f64::min);
    report.find(
        "http: ours against the longer of its parts",
        format!("{found:.2} × wall"),
        "≤ 1.3",
    );
    let pushed = (JOB, "synchroniser mirror http:// http://");
    if let Some((wall, cpu)) = report.times(pushed, (JOB, "git-cinnabar")) {
        let found = format!("{wall:.2} × wall, {cpu:.2} × CPU");
        report.find("http: until pushed, against git-cinnabar's clone", found, "≤ 0.35");
    }
}
