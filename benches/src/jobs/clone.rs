//! What it costs Git to serve what we made.

use std::path::Path;
use std::process::Command;

use super::Bench;
use crate::Outcome;
use crate::run::size_of;

const JOB: &str = "git clone of the result";

fn git_clone(from: &Path, to: &Path) -> Command {
    let mut command = Command::new("git");
    command.args(["clone", "-q", "--bare"]).arg(format!("file://{}", from.display())).arg(to);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

pub(super) fn run(bench: &mut Bench) -> Outcome<()> {
    let ours = bench.path("local.git");
    if !ours.exists() {
        let source = bench.repository.to_string_lossy().into_owned();
        bench.spent(&mut bench.convert(&source, &ours))?;
    }
    let repacked = bench.path("repacked.git");
    bench.copy(&ours, &repacked)?;
    let mut repack = Command::new("git");
    repack.arg("--git-dir").arg(&repacked).args(["repack", "-adfq"]);
    let spent = bench.spent(&mut repack)?;
    bench.report.add(JOB, "git repack -adf itself", spent, size_of(&repacked.join("objects")));
    for _ in 0..bench.rounds {
        for (tool, from) in [("as we made it", &ours), ("repacked", &repacked)] {
            let to = bench.fresh("clone.git");
            let spent = bench.spent(&mut git_clone(from, &to))?;
            bench.report.add(JOB, tool, spent, size_of(&to.join("objects")));
        }
    }
    let (this, that) = ((JOB, "as we made it"), (JOB, "repacked"));
    if let Some((wall, cpu)) = bench.report.times(this, that) {
        let bytes = bench.report.result_times(this, that).unwrap_or(f64::NAN);
        let found = format!("{wall:.2} × wall, {cpu:.2} × CPU, {bytes:.2} × bytes");
        bench.report.find("clone: ours against repacked", found, "≤ 1.1 time and bytes");
    }
    Ok(())
}
