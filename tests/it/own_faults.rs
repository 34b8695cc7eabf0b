//! What is wrong with one mirror is the fault of that mirror alone; whose a cache is; sources that are
//! looked at without being configured.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

use synchroniser::cli::exit;

use crate::support::{Fixture, TestEnv};

/// A source, two targets, and a configuration with the mirror `other`, which is sound, and `broken`
/// with `keys`.
fn two_mirrors(env: &TestEnv, keys: &str) {
    let source = Fixture::demo().unpack(env);
    for target in ["other.git", "broken.git"] {
        git2::Repository::init_bare(env.path(target)).unwrap();
    }
    let text = format!(
        "cache = \"cache\"\ndaemon.listen = \"127.0.0.1:0\"\n\
         [mirrors.broken]\n{keys}\n\
         [mirrors.other]\nsource = {:?}\ntarget = \"other.git\"\nuser = \"me\"\nproject = \"other\"\n",
        source.display().to_string()
    );
    fs::write(env.path("x.toml"), text).unwrap();
}

fn has_refs(env: &TestEnv, target: &str) -> bool {
    let repository = git2::Repository::open_bare(env.path(target)).unwrap();
    repository.references().unwrap().count() > 0
}

/// Secrets and author maps that are not there, on either side: the other mirror is synced, and the
/// one that needs them fails with the reason.
#[test]
fn what_one_mirror_lacks_ends_no_other() {
    for (keys, said) in [
        (
            "source = { url = \"https://127.0.0.1:9/x\", token_file = \"nowhere\", token_user = \"me\" }\n\
             target = \"broken.git\"",
            "nowhere",
        ),
        (
            "source = \"source/repository\"\n\
             target = { url = \"https://127.0.0.1:9/a/b\", token_credential = \"lost\" }",
            "CREDENTIALS_DIRECTORY",
        ),
        (
            "source = \"source/repository\"\ntarget = \"broken.git\"\nauthor_map = \"nowhere\"",
            "author map",
        ),
    ] {
        let env = TestEnv::new();
        two_mirrors(&env, keys);
        let all = env.synchronise(["sync", "--config", "x.toml"]);
        let all = all.with_code(i32::from(exit::CONFIG)).unwrap();
        assert!(all.stderr.contains("mirror broken"), "{keys}: {}", all.stderr);
        assert!(all.stderr.contains(said), "{keys}: {}", all.stderr);
        assert!(has_refs(&env, "other.git"), "{keys}");
        env.synchronise(["sync", "other", "--config", "x.toml"]).ok().unwrap();
        env.synchronise(["plan", "other", "--config", "x.toml"]).ok().unwrap();
    }
}

/// `config check` names what is wrong with its line, and what it could not check with the reason.
#[test]
fn a_check_says_what_it_could_not_check() {
    let env = TestEnv::new();
    let target = "target = { url = \"https://example.org/a/b\", token_credential = \"lost\" }";
    two_mirrors(&env, &format!("source = \"source/repository\"\n{target}"));
    let told = env.synchronise(["config", "check", "--config", "x.toml"]).ok().unwrap();
    let unchecked = "not checked: x.toml:5: mirrors.broken.target.token_credential: cannot read the \
                     credential \"lost\"";
    assert!(told.contains(unchecked), "{told}");
    fs::write(
        env.path("x.toml"),
        "[mirrors.a]\nsource = \"a\"\ntarget = { url = \"https://x.org/a/b\", token_file = \"no\" }\n",
    )
    .unwrap();
    let wrong = env.synchronise(["config", "check", "--config", "x.toml"]);
    let wrong = wrong.with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(wrong.stderr.contains("x.toml:3: mirrors.a.target.token_file: "), "{}", wrong.stderr);
}

/// A cache of another user, or one that would be made in a folder of another user, is refused before
/// anything is written, with what to type instead.
#[test]
fn a_cache_of_another_user_is_refused() {
    let env = TestEnv::new();
    two_mirrors(&env, "source = \"source/repository\"\ntarget = \"broken.git\"");
    let cache = env.path("cache");
    env.synchronise(["sync", "other", "--config", "x.toml"]).ok().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&cache), mode(&cache.join("other"))), (0o700, 0o700));
    // Only root can give a folder away; what others see then is tested beside the check.
    let another = fs::metadata(&cache).unwrap().uid() + 1;
    if chown(&cache, Some(another), None).is_err() {
        return;
    }
    let refused = env.synchronise(["sync", "broken", "--config", "x.toml"]);
    let refused = refused.with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(refused.stderr.contains("belongs to the user"), "{}", refused.stderr);
    assert!(refused.stderr.contains("sudo -u "), "{}", refused.stderr);
    assert!(!cache.join("broken").exists());
    chown(cache.join("other"), Some(another), None).unwrap();
    let before = fs::read_dir(cache.join("other")).unwrap().count();
    env.synchronise(["sync", "other", "--config", "x.toml"])
        .with_code(i32::from(exit::CONFIG))
        .unwrap();
    assert_eq!(fs::read_dir(cache.join("other")).unwrap().count(), before);
}

/// A mirror that no hook selects needs neither `user` nor `project`.
#[test]
fn a_mirror_without_a_selector_is_synced() {
    let env = TestEnv::new();
    let broken = format!("source = \"source/repository\"\ntarget = {:?}", "broken.git");
    two_mirrors(&env, &broken);
    let text = fs::read_to_string(env.path("x.toml")).unwrap();
    let text = text
        .replace("broken.git", "/nowhere.git")
        .replace("user = \"me\"\nproject = \"other\"\n", "");
    fs::write(env.path("x.toml"), text).unwrap();
    let told = env.synchronise(["config", "check", "--config", "x.toml"]).ok().unwrap();
    assert!(told.contains("no hook selects it"), "{told}");
    env.synchronise(["sync", "other", "--config", "x.toml"]).ok().unwrap();
}

/// `authors` and `inspect` take whatever a source can be: here a bundle file.
#[test]
fn bundles_are_looked_at() {
    let env = TestEnv::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let bundle = root.join("fixtures/bundles/v2-zstd.hg").display().to_string();
    let authors = env.synchronise(["authors", &bundle]).ok().unwrap();
    assert!(authors.lines().count() > 1, "{authors}");
    let shown = env.synchronise(["inspect", "repository", &bundle]).ok().unwrap();
    assert!(shown.contains("changesets: "), "{shown}");
    let tip = env.synchronise(["inspect", "changeset", &bundle, "tip"]).ok().unwrap();
    assert!(tip.starts_with("changeset "), "{tip}");
}
