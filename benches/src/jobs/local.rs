//! From a path to a bare repository.

use std::process::Command;

use super::Bench;
use crate::Outcome;
use crate::run::size_of;

const JOB: &str = "first conversion, local";

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let source = bench.repository.clone();
    let shown = source.to_string_lossy().into_owned();
    let ours = bench.path("local.git");
    for round in 0..bench.rounds {
        bench.fresh("local.git");
        let spent = bench.spent(&mut bench.convert(&shown, &ours))?;
        bench.report.add(JOB, "synchroniser convert", spent, size_of(&ours));
        let mut decode = Command::new(std::env::current_exe()?);
        let spent = bench.spent(decode.arg("decode").arg(&source))?;
        bench.report.add(JOB, "decode and hash", spent, 0);
        let Some(peers) = bench.peers.clone() else { continue };
        if peers.has_cinnabar() {
            let target = bench.fresh("cinnabar.git");
            let spent = bench.spent(&mut peers.cinnabar(&shown, &target))?;
            bench.report.add(JOB, "git-cinnabar", spent, size_of(&target));
        }
        // These take minutes.
        if round > 0 || !bench.slow {
            continue;
        }
        if peers.has_fast_export() {
            let target = bench.fresh("fast-export.git");
            let spent = bench.spent(&mut peers.fast_export(&source, &target))?;
            bench.report.add(JOB, "hg-fast-export", spent, size_of(&target));
        }
        let (clone, target) = (bench.fresh("hg-git"), bench.fresh("hg-git.git"));
        bench.spent(&mut peers.clone_for_hg_git(&source, &clone))?;
        let spent = bench.spent(&mut peers.hg_git(&clone, &target))?;
        bench.report.add(JOB, "hg-git", spent, size_of(&target));
    }
    let bars = [
        ("git-cinnabar", "≥ 8 wall, ≥ 5 CPU"),
        ("hg-fast-export", "≥ 40 wall"),
        ("hg-git", "≥ 150 wall"),
    ];
    let this = (JOB, "synchroniser convert");
    for (tool, bar) in bars {
        if let Some((wall, cpu)) = bench.report.times((JOB, tool), this) {
            let found = format!("{wall:.1} × wall, {cpu:.1} × CPU");
            bench.report.find(&format!("local: {tool} against ours"), found, bar);
        }
    }
    if let Some((wall, cpu)) = bench.report.times(this, (JOB, "decode and hash")) {
        let found = format!("{wall:.2} × wall, {cpu:.2} × CPU");
        bench.report.find("local: ours against decode and hash on one thread", found, "≤ 1.5");
    }
    Ok(())
}
