//! Histories that are made for it.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Bench, only_wall};
use crate::Outcome;
use crate::append::append;
use crate::daemon::{Daemon, Mirror};
use crate::run::{remove, size_of};

/// A history: what it is called, changesets, files, heads.
pub(super) type History = (&'static str, usize, usize, usize);

/// Where no repository is given.
pub(super) const SMALL: History = ("3,000 changesets", 3_000, 200, 3);

const TEN: History = ("10,000 changesets", 10_000, 1_000, 1);
const HUNDRED: History = ("100,000 changesets", 100_000, 1_000, 1);
const FIVE_HUNDRED: History = ("500,000 changesets", 500_000, 1_000, 1);
const FEW_FILES: History = ("1,000 files", 1_000, 1_000, 1);
const MANY_FILES: History = ("300,000 files", 1_000, 300_000, 1);
const STRAIGHT: History = ("50,000 changesets, straight", 50_000, 300, 1);
const WILD: History = ("50,000 changesets, 16 heads interleaved", 50_000, 300, 16);

/// The repository with a history, made if it is not there yet.
pub(super) fn repository(bench: &Bench, history: &History) -> Outcome<PathBuf> {
    let (name, changesets, files, heads) = *history;
    let (changesets, files) = (changesets / bench.divide, (files / bench.divide).max(20));
    let path = bench.path(&format!("generated-{changesets}-{files}-{heads}"));
    if path.exists() {
        return Ok(path);
    }
    let part = bench.fresh("generated-part");
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("generate").arg(&part).args(["--changesets", &changesets.to_string()]);
    command.args(["--files", &files.to_string(), "--heads", &heads.to_string()]);
    let spent = bench.spent(&mut command)?;
    eprintln!("{name}: generated in {:.1} s", spent.wall.as_secs_f64());
    std::fs::rename(part, &path)?;
    Ok(path)
}

/// Where the conversion of a history is kept for later jobs.
fn converted(repository: &Path) -> PathBuf {
    repository.with_extension("git")
}

const FIRST: &str = "first conversion, by length";

#[expect(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(super) fn first(bench: &mut Bench) -> Outcome<()> {
    let mut each = Vec::new();
    for history in [TEN, HUNDRED, FIVE_HUNDRED] {
        let (name, changesets, ..) = history;
        let source = repository(bench, &history)?;
        let target = converted(&source);
        remove(&target);
        let spent = bench.spent(&mut bench.convert(&source.to_string_lossy(), &target))?;
        bench.report.add(FIRST, name, spent, size_of(&target));
        let part = (changesets / bench.divide) as f64;
        each.push((spent.wall.as_secs_f64() / part, spent.cpu.as_secs_f64() / part));
    }
    let spread = |of: fn(&(f64, f64)) -> f64| {
        let (hundred, five) = (of(&each[1]), of(&each[2]));
        (five / hundred).max(hundred / five)
    };
    let (wall, cpu) = (spread(|each| each.0), spread(|each| each.1));
    let found = format!("{wall:.2} × wall, {cpu:.2} × CPU a changeset");
    bench.report.find("first: 100,000 and 500,000 changesets apart", found, "≤ 1.3");
    Ok(())
}

const GRAPHS: &str = "first conversion, by graph";

pub(super) fn wild(bench: &mut Bench) -> Outcome<()> {
    let sources = [repository(bench, &STRAIGHT)?, repository(bench, &WILD)?];
    for _ in 0..bench.rounds {
        for (source, history) in sources.iter().zip([STRAIGHT, WILD]) {
            let target = bench.fresh("graph.git");
            let spent = bench.spent(&mut bench.convert(&source.to_string_lossy(), &target))?;
            bench.report.add(GRAPHS, history.0, spent, size_of(&target));
        }
    }
    if let Some((wall, cpu)) = bench.report.times((GRAPHS, WILD.0), (GRAPHS, STRAIGHT.0)) {
        let found = format!("{wall:.2} × wall, {cpu:.2} × CPU, with manifests as large");
        bench.report.find("wild: interleaved against straight", found, "≤ 3");
    }
    Ok(())
}

const SIZES: &str = "one new changeset, by size";
/// So many are measured for each round of other jobs.
const EACH: usize = 5;

pub(super) fn sizes(bench: &mut Bench) -> Outcome<()> {
    let histories = [TEN, FIVE_HUNDRED, FEW_FILES, MANY_FILES];
    let folder = bench.fresh("sizes-daemon");
    std::fs::create_dir_all(&folder)?;
    let (mut sources, mut mirrors): (_, Vec<Mirror>) = (Vec::new(), Vec::new());
    for (number, history) in histories.iter().enumerate() {
        let original = repository(bench, history)?;
        // The generated ones stay as they are.
        let source = bench.path(&format!("sizes-{number}"));
        bench.copy(&original, &source)?;
        let target = folder.join(format!("t{number}.git"));
        bench.target(&target)?;
        let shown = |path: &Path| path.to_string_lossy().into_owned();
        mirrors.push((format!("m{number}"), shown(&source), shown(&target)));
        let git = bench.path(&format!("sizes-{number}.git"));
        match converted(&original).exists() {
            true => bench.copy(&converted(&original), &git)?,
            false => {
                remove(&git);
                bench.spent(&mut bench.convert(&shown(&source), &git)).map(drop)?;
            }
        }
        sources.push((source, git));
    }
    let daemon = Daemon::start(&bench.program, &folder, &mirrors)?;
    for _ in 0..2 {
        for ((name, ..), (source, _)) in mirrors.iter().zip(&sources) {
            daemon.sync(name)?;
            append(source)?;
        }
    }
    for _ in 0..bench.rounds * EACH {
        for (((name, ..), (source, git)), history) in mirrors.iter().zip(&sources).zip(&histories) {
            append(source)?;
            let before = daemon.cpu();
            let wall = daemon.sync(name)?;
            let spent = only_wall(wall, daemon.cpu().saturating_sub(before));
            bench.report.add(SIZES, &format!("{}: hook to local target", history.0), spent, 0);
            let spent = bench.spent(&mut bench.convert(&source.to_string_lossy(), git))?;
            bench.report.add(SIZES, &format!("{}: convert", history.0), spent, 0);
        }
    }
    for (small, large, bar) in [(TEN, FIVE_HUNDRED, "≤ 1.5"), (FEW_FILES, MANY_FILES, "≤ 2")] {
        for way in ["hook to local target", "convert"] {
            let name = |history: History| format!("{}: {way}", history.0);
            let (this, that) = (name(large), name(small));
            if let Some((wall, cpu)) = bench.report.times((SIZES, &this), (SIZES, &that)) {
                let found = format!("{wall:.2} × wall, {cpu:.2} × CPU");
                let name = format!("sizes: {} against {}, {way}", large.0, small.0);
                bench.report.find(&name, found, bar);
            }
        }
    }
    drop(daemon);
    for (source, git) in &sources {
        remove(source);
        remove(git);
    }
    Ok(())
}
