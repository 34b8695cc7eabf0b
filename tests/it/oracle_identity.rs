//! The commits of other converters, id by id, as they were recorded for other people's repositories.

use std::collections::BTreeMap;
use std::path::Path;

use synchroniser::convert::identity::names;

use crate::support::corpus::{Corpus, History};
use crate::support::{Converted, same};

/// Converts under every identity of which something is recorded, compares all ids, and lets
/// `verify` judge too.
fn check(history: &History) -> Result<(), String> {
    let (env, source) = (&history.env, history.source.as_path());
    for identity in names() {
        let Some(ids) = history.recorded(identity)? else { continue };
        let ids: BTreeMap<_, _> = ids.into_iter().collect();
        let target = env.path(format!("{identity}.git"));
        let made = Converted::make_as(env, source, &target, identity)?;
        // Secret changesets are recorded too. They are not converted, and nothing follows on them.
        for (node, id) in &made.commits {
            same(&format!("{identity} of {node}"), &Some(id), &ids.get(node).as_ref().copied())?;
        }
        let all = history.name == "phases" || made.commits.len() == ids.len();
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

#[test]
fn archived_histories_have_the_recorded_ids() {
    let Some(corpus) = Corpus::find() else { return };
    corpus.for_archives(|history| if history.is_damaged() { Ok(()) } else { check(history) });
}

#[test]
fn unbundled_histories_have_the_recorded_ids() {
    let Some(corpus) = Corpus::find() else { return };
    corpus.for_bundles(check);
}
