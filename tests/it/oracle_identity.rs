//! The commits of other converters, id by id, as they were recorded for other people's repositories.

use std::collections::BTreeMap;
use std::path::Path;

use synchroniser::convert::identity::names;

use crate::oracle_corpus::{archives, bundle_name, corpus, is_damaged, recorded, unpack};
use crate::support::{Converted, Hg, TestEnv, env, for_all, same, skip};

/// Converts under every identity of which something is recorded, compares all ids, and lets
/// `verify` judge too.
fn check(env: &TestEnv, source: &Path, oracle: &Path, name: &str) -> Result<(), String> {
    for identity in names() {
        let Some(ids) = recorded(env, oracle, &format!("{name}.{identity}.map"))? else { continue };
        let ids: BTreeMap<_, _> = ids.into_iter().collect();
        let target = env.path(format!("{identity}.git"));
        let made = Converted::make_as(env, source, &target, identity)?;
        // Secret changesets are recorded too. They are not converted, and nothing follows on them.
        for (node, id) in &made.commits {
            same(&format!("{identity} of {node}"), &Some(id), &ids.get(node).as_ref().copied())?;
        }
        let all = name == "phases" || made.commits.len() == ids.len();
        same(&format!("{identity}: all are converted"), &all, &true)?;
        env.synchronise(
            [Path::new("verify"), source, &target]
                .into_iter()
                .chain(["--identity", identity].map(Path::new)),
        )
        .ok()?;
    }
    Ok(())
}

fn check_archives(folder: &Path, oracle: &Path) {
    let sound = archives(folder, ".tar.xz").into_iter().filter(|(name, _)| !is_damaged(name));
    for_all(sound, |archive| {
        let env = TestEnv::new();
        let name = archive.file_name().unwrap().to_string_lossy().replace(".tar.xz", "");
        let source = unpack(&env, &archive, &name)?;
        check(&env, &source, oracle, &name)
    });
}

#[test]
fn real_histories_have_the_recorded_ids() {
    let Some(corpus) = corpus() else { return };
    check_archives(&corpus.join("real"), &corpus.join("oracle"));
}

#[test]
fn awkward_histories_have_the_recorded_ids() {
    let Some(corpus) = corpus() else { return };
    check_archives(&corpus.join("awkward"), &corpus.join("oracle/awkward"));
}

#[test]
fn unbundled_histories_have_the_recorded_ids() {
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
