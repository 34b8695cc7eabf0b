//! Packs of caches are made smaller beside everything else, once enough of them are new.

use std::fs;
use std::path::Path;

use super::rig::{Rig, config};
use crate::support::generator::{Generated, Shape};
use crate::support::{TestEnv, git};

/// Bytes of the packs of a repository.
fn packs(repository: &Path) -> u64 {
    let entries = fs::read_dir(repository.join("objects/pack")).unwrap();
    let files = entries.map(|entry| entry.unwrap().metadata().unwrap());
    files.map(|metadata| metadata.len()).sum()
}

/// A pack of two large files that differ in their first line, in the repository at `to`: each by itself.
fn add_pack(env: &TestEnv, to: &Path) {
    let made = env.path("made");
    env.run("git", ["init", "-q", "made"]).ok().unwrap();
    let mut state: u64 = 1;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()
    };
    let text: Vec<u8> = (0..400_000).flat_map(|_| noise()).collect();
    for name in ["one", "two"] {
        fs::write(made.join(name), [name.as_bytes(), b"\n", &text].concat()).unwrap();
    }
    env.run("git", ["-C", "made", "add", "."]).ok().unwrap();
    let who = ["-c", "user.name=x", "-c", "user.email=x@example.com"];
    let commit = ["-C", "made", who[0], who[1], who[2], who[3], "commit", "-q", "-m", "large"];
    env.run("git", commit).ok().unwrap();
    env.run("git", ["-C", "made", "repack", "-qadF", "--window=0"]).ok().unwrap();
    for entry in fs::read_dir(made.join(".git/objects/pack")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|it| it == "pack" || it == "idx") {
            fs::copy(&path, to.join("objects/pack").join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[test]
fn large_new_packs_are_made_smaller_unless_nobody_wants_it() {
    let env = TestEnv::new();
    for name in ["large", "small"] {
        Generated::new(Shape::PLAIN).write(&env.path(name));
        env.run("git", ["init", "-q", "--bare", &format!("{name}.git")]).ok().unwrap();
    }
    let one =
        |name| format!("mirrors.{name} = {{ source = \"{name}\", target = \"{name}.git\" }}\n");
    let text = one("large") + &one("small");
    let rig = Rig::for_real(env, &text);
    let git = |name: &str| rig.env.path(format!("cache/{name}/git"));
    let compacted = |name: &str| rig.env.path(format!("cache/{name}/compacted")).exists();
    add_pack(&rig.env, &git("large"));
    let before = packs(&git("large"));

    let mut without = config(&rig.env, &text);
    without.caches.compact = false;
    rig.service.reload(without).unwrap();
    rig.service.compact_caches().unwrap();
    assert!(!compacted("large") && packs(&git("large")) == before);

    rig.service.reload(config(&rig.env, &text)).unwrap();
    rig.service.compact_caches().unwrap();
    let after = packs(&git("large"));
    assert!(compacted("large") && after < before * 2 / 3, "{before}, {after}");
    assert!(!compacted("small"), "so little is left until there is more");
    git::fsck(&rig.env, &git("large")).unwrap();
    rig.service.compact_caches().unwrap();
    assert_eq!(packs(&git("large")), after, "what is small already is left alone");
}
