//! What looks like damage and is none.

use std::path::Path;

use synchroniser::cli::exit;

use super::store::{Store, number};
use crate::support::TestEnv;

fn run(env: &TestEnv, command: &str, source: &Path) -> crate::support::Ran {
    env.synchronise([Path::new(command), source, &env.path("made.git")])
}

/// A commit has appended to a file, and not to the changelog yet; or was killed at that moment.
#[test]
fn verify_passes_over_what_a_transaction_has_not_committed() {
    let env = TestEnv::new();
    let mut store = Store::default();
    let first = store.file("f", b"one\n");
    store.commit([-1, -1], &[("f", first)]);
    store.file("f", b"two\n");
    let link = store.files["f"].0[1].link;
    assert_eq!(link, Some(number(store.changelog.0.len())));
    let source = store.write(&env.path("source"));
    let journal = source.join(".hg/store/journal");
    std::fs::write(&journal, "data/f.i\x0064\n").unwrap();
    run(&env, "convert", &source).ok().unwrap();
    run(&env, "verify", &source).ok().unwrap();
    // Without a transaction nothing is to come.
    std::fs::remove_file(&journal).unwrap();
    let ran = run(&env, "verify", &source).with_code(exit::DIFFERENCES.into()).unwrap();
    assert!(ran.stdout.contains("which is not there"), "{}", ran.stdout);
}

#[test]
fn what_an_extension_stores_in_its_own_way_is_unsupported_by_name() {
    for (flags, words) in [
        (1 << 13, &["`lfs`", "extensions.lfs="][..]),
        (1 << 4, &["0x0010", "hg config extensions"]),
        (1 << 14, &["a narrow clone"]),
    ] {
        for place in ["file", "manifest", "changelog"] {
            let env = TestEnv::new();
            let mut store = Store::default();
            let first = store.file("f", b"one\n");
            store.commit([-1, -1], &[("f", first)]);
            let log = match place {
                "file" => store.files.get_mut("f").unwrap(),
                "manifest" => &mut store.manifest,
                _ => &mut store.changelog,
            };
            log.0[0].flags = flags;
            // What is stored is not what the node was made from.
            log.0[0].node[0] ^= u8::from(place == "file");
            if place == "file" {
                let node = store.files["f"].0[0].node;
                store.manifest.0.clear();
                store.changelog.0.clear();
                store.commit([-1, -1], &[("f", node)]);
            }
            let ran = run(&env, "convert", &store.write(&env.path("source")));
            let ran = ran.with_code(exit::UNSUPPORTED.into()).unwrap();
            for word in words {
                assert!(ran.stderr.contains(word), "{place}: {}", ran.stderr);
            }
            assert!(!ran.stderr.contains("backup"), "{place}: {}", ran.stderr);
        }
    }
}
