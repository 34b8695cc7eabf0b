//! Packs that stock Git made, in every form that it has for them.

use std::path::Path;

use synchroniser::base::{Interrupt, Limits, NoProgress};
use synchroniser::git::{BareRepository, ObjectId};

use crate::support::{Converted, Fixture, TestEnv, env, same, skip};

/// The objects that our reader finds in the packs of a repository.
fn packed(path: &Path) -> Result<Vec<ObjectId>, String> {
    let repository = BareRepository::open(path).unwrap();
    let mut ids = Vec::new();
    for pack in repository.packs(&Limits::default()).unwrap() {
        let pack = pack.map_err(|error| format!("{error:?}"))?;
        let contents = pack.check(&NoProgress, &Interrupt::default());
        if let Some(flaw) = contents.flaws.first() {
            return Err(format!("{flaw:?}"));
        }
        ids.extend(contents.objects.into_iter().map(|(id, _)| id));
    }
    ids.sort_unstable();
    Ok(ids)
}

#[test]
fn every_form_of_pack_is_read() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let source = Fixture::named("formats/default").unpack(&env);
    let target = env.path("target.git");
    Converted::make(&env, &source, &target).unwrap();
    let git = |args: &[&str]| env.git(&target, args).ok().unwrap();
    let tagger = ["-c", "user.name=a", "-c", "user.email=a@b"];
    git(&[&tagger[..], &["tag", "-a", "-m", "text", "annotated", "master"]].concat());
    for form in [
        &["-c", "repack.useDeltaBaseOffset=true"][..],
        &["-c", "repack.useDeltaBaseOffset=false"],
        &["-c", "pack.indexVersion=1"],
        &["-c", "pack.compression=0", "-c", "pack.depth=500"],
        &["-c", "pack.packSizeLimit=1m"],
    ] {
        git(&[form, &["repack", "-adfq", "--keep-unreachable"]].concat());
        let list = git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        let mut ids: Vec<_> =
            list.lines().map(|line| ObjectId::from_hex(line.as_bytes()).unwrap()).collect();
        ids.sort_unstable();
        assert!(ids.len() > 10, "{}", ids.len());
        same(&format!("objects with {form:?}"), &packed(&target).unwrap(), &ids).unwrap();
    }
    git(&["tag", "-d", "annotated"]);
    env.synchronise([Path::new("verify"), &source, &target]).ok().unwrap();
}
