//! Other people's repositories, where the corpus is there, against the trees that were recorded for
//! them, and against all that Mercurial says, where there is one.

use std::path::{Path, PathBuf};

use synchroniser::cli::exit;

use crate::support::{Converted, Hg, TestEnv, env, for_all, git, same, skip};

/// The corpus, if this machine has it and the tools to unpack and judge it.
pub(crate) fn corpus() -> Option<PathBuf> {
    let found = env::corpus();
    if found.is_none() {
        skip("there is no corpus beside the project");
    }
    let missing = ["git", "tar", "xz"].into_iter().find(|tool| !env::has(tool));
    if let Some(tool) = missing {
        skip(&format!("there is no {tool}"));
    }
    found.filter(|_| missing.is_none())
}

/// The archives of a folder, by name.
pub(crate) fn archives(folder: &Path, suffix: &str) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut archives: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_str()?.strip_suffix(suffix)?.to_owned();
            Some((name, path))
        })
        .collect();
    archives.sort();
    archives
}

pub(crate) fn is_damaged(name: &str) -> bool {
    name.starts_with("damaged-") || name.starts_with("bad-")
}

pub(crate) fn unpack(env: &TestEnv, archive: &Path, name: &str) -> Result<PathBuf, String> {
    env.run("tar", [Path::new("-xJf"), archive]).ok()?;
    let shared = env.path(name).join(".hg/sharedpath");
    if shared.exists() {
        let source = env.path(format!("{name}-src")).join(".hg");
        std::fs::write(&shared, source.to_str().unwrap()).unwrap();
    }
    Ok(env.path(name))
}

/// Lines of `node tree`, and perhaps more.
fn recorded_trees(
    env: &TestEnv,
    oracle: &Path,
    name: &str,
) -> Result<Vec<(String, String)>, String> {
    // There is nothing to record of an empty repository.
    Ok(recorded(env, oracle, &format!("{name}.trees.map"))?.unwrap_or_default())
}

/// The first two words of each line of a record, packed or not; `None` if there is no such record.
pub(crate) fn recorded(
    env: &TestEnv,
    oracle: &Path,
    file: &str,
) -> Result<Option<Vec<(String, String)>>, String> {
    let packed = oracle.join(format!("{file}.xz"));
    let text = if packed.exists() {
        env.run("xz", [Path::new("-dc"), &packed]).ok()?
    } else {
        match std::fs::read_to_string(oracle.join(file)) {
            Ok(text) => text,
            Err(_) => return Ok(None),
        }
    };
    let fields = |line: &str| {
        let mut fields = line.split(' ').map(str::to_owned);
        Some((fields.next()?, fields.next()?))
    };
    Ok(Some(text.lines().filter_map(fields).collect()))
}

/// Converts `source` and asks everybody whether that is right.
fn check(env: &TestEnv, source: &Path, oracle: &Path, name: &str) -> Result<(), String> {
    let made = Converted::make(env, source, &env.path("target.git"))?;
    git::fsck(env, &made.path)?;
    same("commits in Git", &git::count_commits(env, &made.path)?, &made.commits.len())?;
    let trees = recorded_trees(env, oracle, name)?;
    let mut compared = 0;
    for (node, tree) in trees {
        // What is secret or hidden is recorded and not converted.
        if let Some(commit) = made.commits.get(&node) {
            same(&node, &made.tree_of(commit)?, &tree)?;
            compared += 1;
        }
    }
    same("recorded trees", &compared, &made.commits.len())?;
    env.synchronise([Path::new("verify"), source, &made.path]).ok()?;
    let Some(program) = env::hg() else { return Ok(()) };
    made.check(&Hg { env, program }.truth(source)?)
}

/// A damaged repository is an error that says where, and no reference is made.
fn check_refused(env: &TestEnv, source: &Path) -> Result<(), String> {
    let target = env.path("target.git");
    let ran = env.synchronise([Path::new("convert"), source, &target]);
    let refusals = [exit::CONFIG, exit::CORRUPT, exit::UNSUPPORTED].map(i32::from);
    if !ran.code.is_some_and(|code| refusals.contains(&code)) {
        return Err(format!("not refused: {ran:?}"));
    }
    if ran.code == Some(i32::from(exit::CORRUPT)) {
        let says_where = ran.stderr.contains("revision") || ran.stderr.contains("changeset");
        same("says where", &says_where, &true).map_err(|_| ran.stderr)?;
    }
    match git2::Repository::open_bare(&target) {
        Ok(made) => same("references", &made.references().unwrap().count(), &0),
        Err(_) => Ok(()),
    }
}

fn check_archives(folder: &Path, oracle: &Path) {
    for_all(archives(folder, ".tar.xz"), |archive| {
        let env = TestEnv::new();
        let name = archive.file_name().unwrap().to_string_lossy().replace(".tar.xz", "");
        let source = unpack(&env, &archive, &name)?;
        if is_damaged(&name) {
            check_refused(&env, &source)
        } else {
            check(&env, &source, oracle, &name)
        }
    });
}

#[test]
fn real_histories_convert() {
    let Some(corpus) = corpus() else { return };
    check_archives(&corpus.join("real"), &corpus.join("oracle"));
}

#[test]
fn awkward_histories_convert() {
    let Some(corpus) = corpus() else { return };
    check_archives(&corpus.join("awkward"), &corpus.join("oracle/awkward"));
}

#[test]
fn unbundled_histories_convert() {
    let Some(corpus) = corpus() else { return };
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    for_all(archives(&corpus.join("bundles"), ""), |bundle| {
        let env = TestEnv::new();
        let source = env.path("source");
        env.run(&program, [Path::new("init"), &source]).ok()?;
        let hg = Hg { env: &env, program: program.clone() };
        hg.run(&source, &["unbundle", "-q", bundle.to_str().unwrap()]).ok()?;
        check(&env, &source, &corpus.join("oracle"), &bundle_name(&bundle))
    });
}

/// How the records call a bundle.
pub(crate) fn bundle_name(bundle: &Path) -> String {
    let file = bundle.file_name().unwrap().to_string_lossy().into_owned();
    format!("bundle-{}", file.trim_end_matches(".hg"))
}

/// One repository of each kind in halves: revisions that were cut off come back by a pull.
#[test]
fn halves_of_real_histories_are_the_same_commits() {
    let Some(corpus) = corpus() else { return };
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let names = ["et_xmlfile", "six", "swh-example", "x-go-binding"];
    for_all(names.map(|name| (name.to_owned(), name)), |name| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        let source = unpack(&env, &corpus.join(format!("real/{name}.tar.xz")), name)?;
        let once = Converted::make(&env, &source, &env.path("once.git"))?;
        let middle = format!("{}", once.commits.len() / 2);
        let (clone, target) = (env.path("clone"), env.path("target.git"));
        let (from, to) = (source.to_str().unwrap(), clone.to_str().unwrap());
        hg.run(&source, &["clone", "-q", "-U", "--pull", "-r", &middle, from, to]).ok()?;
        Converted::make(&env, &clone, &target)?;
        hg.run(&clone, &["pull", "-q"]).ok()?;
        let both = Converted::make(&env, &clone, &target)?;
        git::fsck(&env, &target)?;
        same("commits", &both.commits, &once.commits)
    });
}
