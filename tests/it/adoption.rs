//! Mirrors that other tools have made are continued: nothing of theirs is rewritten, nothing is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use git2::{ObjectType, Oid, Repository, Sort};
use synchroniser::cli::exit;
use synchroniser::convert::identity::names;

use crate::support::{Converted, Fixture, Ran, TestEnv, env, for_all, git, same, skip};

/// Syncs `source` to `target` with a configuration of nothing else but `keys`.
pub(crate) fn sync(env: &TestEnv, source: &Path, target: &Path, keys: &str) -> Ran {
    let config = env.path("synchroniser.toml");
    let text = format!(
        "cache = \"cache\"\n[mirrors.it]\nsource = \"{}\"\ntarget = \"{}\"\n\
         user = \"u\"\nproject = \"p\"\n{keys}\n",
        source.display(),
        target.display(),
    );
    std::fs::write(&config, text).unwrap();
    env.synchronise([Path::new("sync"), Path::new("--config"), &config])
}

/// What one sync has left in the cache is gone.
pub(crate) fn lose_cache(env: &TestEnv) {
    std::fs::remove_dir_all(env.path("cache")).unwrap();
}

/// The references of a repository.
pub(crate) fn refs(repository: &Path) -> BTreeMap<String, Oid> {
    let repository = Repository::open(repository).unwrap();
    let references = repository.references().unwrap();
    let named = references.map(|reference| {
        let reference = reference.unwrap();
        (reference.name().unwrap().to_owned(), reference.target().unwrap())
    });
    named.collect()
}

/// Every commit that a reference reaches.
pub(crate) fn commits(repository: &Path) -> BTreeSet<Oid> {
    let repository = Repository::open(repository).unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_glob("refs/*").unwrap();
    walk.map(Result::unwrap).collect()
}

/// Every reference of `before` is still there, at the same commit or one that comes after it.
pub(crate) fn only_fast_forward(
    before: &BTreeMap<String, Oid>,
    target: &Path,
) -> Result<(), String> {
    let after = refs(target);
    let repository = Repository::open(target).unwrap();
    for (name, old) in before {
        let new = after.get(name).ok_or_else(|| format!("{name} is gone"))?;
        let follows = repository.graph_descendant_of(*new, *old).unwrap();
        same(&format!("{name} moves forward"), &(new == old || follows), &true)?;
    }
    Ok(())
}

/// Rewrites all commits that references reach, the oldest first: `edit` gets the number and the
/// text of each, with its new parents. References move along.
pub(crate) fn rewrite(path: &Path, edit: impl Fn(usize, &str) -> String) {
    let repository = Repository::open(path).unwrap();
    let odb = repository.odb().unwrap();
    let mut walk = repository.revwalk().unwrap();
    walk.push_glob("refs/*").unwrap();
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).unwrap();
    let mut new: HashMap<Oid, Oid> = HashMap::new();
    for (number, old) in walk.map(Result::unwrap).enumerate() {
        let mut text = String::from_utf8(odb.read(old).unwrap().data().to_vec()).unwrap();
        for parent in repository.find_commit(old).unwrap().parent_ids() {
            text =
                text.replace(&format!("parent {parent}\n"), &format!("parent {}\n", new[&parent]));
        }
        let text = edit(number, &text);
        new.insert(old, odb.write(ObjectType::Commit, text.as_bytes()).unwrap());
    }
    for (name, old) in refs(path) {
        repository.reference(&name, new[&old], true, "").unwrap();
    }
}

/// Every second message says more than it did.
pub(crate) fn edited(number: usize, text: &str) -> String {
    if number.is_multiple_of(2) {
        text.to_owned()
    } else {
        format!("{text}\nReviewed-by: Somebody\n")
    }
}

/// What a tool makes that writes nothing but the description, without a newline.
fn plain(_: usize, text: &str) -> String {
    let (headers, message) = text.split_once("\n\n").unwrap();
    let headers: Vec<_> = headers.lines().filter(|line| !line.starts_with("HG:")).collect();
    format!("{}\n\n{}", headers.join("\n"), message.strip_suffix('\n').unwrap())
}

/// A bare repository with what `identity` makes of the fixture `name`, and nothing that we left.
fn old_mirror(env: &TestEnv, name: &str, identity: &str) -> PathBuf {
    let target = env.path("target.git");
    let source = Fixture::named(name).unpack(env);
    Converted::make_as(env, &source, &target, identity).unwrap();
    std::fs::remove_dir_all(target.join("synchroniser")).unwrap();
    target
}

/// Syncs the whole of what the mirror `target` has a half of, loses the cache, and syncs again.
fn goes_on(env: &TestEnv, target: &Path, keys: &str) -> Result<String, String> {
    let source = Fixture::named("halves-whole").unpack(env);
    let (refs_before, commits_before) = (refs(target), commits(target));
    let said = sync(env, &source, target, keys).ok()?;
    only_fast_forward(&refs_before, target)?;
    let after = commits(target);
    same("nothing is rewritten", &after.is_superset(&commits_before), &true)?;
    let whole = Fixture::named("halves-whole").truth;
    same("commits", &after.len(), &whole.served().count())?;
    for lost in [false, true] {
        if lost {
            lose_cache(env);
        }
        let refs_before = refs(target);
        let again = sync(env, &source, target, keys).ok()?;
        let whole_again =
            again.contains("note: made the cache again; the target has its 19 commits");
        same("new changesets", &(again.contains(", 0 new; ") || (lost && whole_again)), &true)
            .map_err(|error| format!("{error}: {again}"))?;
        same("references", &refs(target), &refs_before)?;
    }
    Ok(said)
}

#[test]
fn a_mirror_goes_on_under_the_identity_that_made_it() {
    for_all(names().map(|name| (name.to_owned(), name)), |identity| {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", identity);
        let said = goes_on(&env, &target, "")?;
        let found = match identity {
            "native" => "made the cache again",
            other => &format!("with the identity {other}"),
        };
        same("identity", &said.contains(found), &true)?;
        let source = Fixture::named("halves-whole").unpack(&env);
        let made = Converted::make_as(&env, &source, &env.path("whole.git"), identity)?;
        let published: BTreeSet<_> = refs(&target).values().map(ToString::to_string).collect();
        same("references", &made.refs().values().cloned().collect(), &published)
    });
}

#[test]
fn a_mirror_with_edited_messages_is_adopted() {
    for_all(names().map(|name| (name.to_owned(), name)), |identity| {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", identity);
        rewrite(&target, edited);
        let said = goes_on(&env, &target, "")?;
        same("identity", &said.contains(&format!("with the identity {identity}")), &true)
            .map_err(|error| format!("{error}: {said}"))
    });
}

#[test]
fn plain_commits_are_adopted_and_verified() {
    let env = TestEnv::new();
    let target = old_mirror(&env, "halves-first", "native");
    rewrite(&target, plain);
    let said = goes_on(&env, &target, "").unwrap();
    assert!(said.contains("made by another tool"), "{said}");
    // The same in place, where `verify` finds what was adopted beside the map.
    let target = env.path("in-place.git");
    std::fs::rename(env.path("target.git"), &target).unwrap();
    let source = Fixture::named("halves-whole").unpack(&env);
    let command = |name: &str| env.synchronise([Path::new(name), &source, &target]);
    command("verify").ok().unwrap();
    command("convert").ok().unwrap();
    command("verify").ok().unwrap();
    if env::has("git") {
        git::fsck(&env, &target).unwrap();
    } else {
        skip("there is no git");
    }
}

/// What a commit of another tool lacks does not stay away from what follows on it.
#[test]
fn what_follows_has_the_tree_of_the_identity() {
    let env = TestEnv::new();
    let target = old_mirror(&env, "halves-first", "fast-export");
    rewrite(&target, plain);
    goes_on(&env, &target, "identity = \"native\"").unwrap();
    let whole = Fixture::named("halves-whole");
    let half: BTreeSet<_> =
        Fixture::named("halves-first").truth.changesets.into_iter().map(|c| c.node).collect();
    let trees: BTreeSet<_> = commits(&target)
        .into_iter()
        .map(|id| {
            let repository = Repository::open(&target).unwrap();
            repository.find_commit(id).unwrap().tree_id().to_string()
        })
        .collect();
    for changeset in whole.truth.served().filter(|changeset| !half.contains(&changeset.node)) {
        assert!(trees.contains(&changeset.tree), "the tree of {}", changeset.node);
    }
}

/// One commit on `refs/heads/theirs` that has nothing to do with any source.
fn foreign_commit(target: &Path) {
    let repository = Repository::open(target).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let who = git2::Signature::new("T", "t@t", &git2::Time::new(5, 0)).unwrap();
    repository.commit(Some("refs/heads/theirs"), &who, &who, "theirs", &tree, &[]).unwrap();
}

#[test]
fn an_unrelated_history_is_refused_and_stays() {
    let env = TestEnv::new();
    let target = env.path("target.git");
    Repository::init_bare(&target).unwrap();
    foreign_commit(&target);
    let source = Fixture::named("halves-first").unpack(&env);
    let before = refs(&target);
    let ran = sync(&env, &source, &target, "");
    let ran = ran.with_code(i32::from(exit::REFUSED)).unwrap();
    let theirs = before["refs/heads/theirs"];
    for words in [
        &format!("1 commit there matches no changeset ({theirs})")[..],
        "changesets have no commit",
        "hint: ",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    }
    assert_eq!(refs(&target), before);

    // It is refused again, and not by what the first try has left.
    sync(&env, &source, &target, "").with_code(i32::from(exit::REFUSED)).unwrap();
    sync(&env, &source, &target, "adopt = \"partial\"").ok().unwrap();
    let after = refs(&target);
    assert_eq!(after["refs/heads/theirs"], theirs);
    assert!(after.contains_key("refs/heads/master"));
    only_fast_forward(&before, &target).unwrap();
}

/// A commit that was pushed to a mirror is not lost silently.
#[test]
fn a_mirror_of_another_identity_with_a_foreign_commit_is_refused() {
    for keys in ["", "identity = \"hg-git\""] {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", "hg-git");
        foreign_commit(&target);
        let source = Fixture::named("halves-whole").unpack(&env);
        let before = refs(&target);
        let ran = sync(&env, &source, &target, keys);
        ran.with_code(i32::from(exit::REFUSED)).unwrap();
        assert_eq!(refs(&target), before);
    }
}

/// Whoever looks at the commits sees whose they are: nothing is fetched, and what others have pushed
/// stays as it does with a cache.
#[test]
fn a_mirror_of_ours_is_known_by_its_commits_beside_those_of_others() {
    for keys in ["", "identity = \"native\""] {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", "native");
        foreign_commit(&target);
        let theirs = refs(&target)["refs/heads/theirs"];
        let source = Fixture::named("halves-whole").unpack(&env);
        let said = sync(&env, &source, &target, keys).ok().unwrap();
        assert!(said.contains("made the cache again"), "{said}");
        assert_eq!(refs(&target)["refs/heads/theirs"], theirs);
        assert!(!refs(&env.path("cache/it/git")).contains_key("refs/heads/theirs"));
        let repository = Repository::open(env.path("cache/it/git")).unwrap();
        assert!(repository.find_commit(theirs).is_err(), "nothing was fetched");
        assert!(!env.path("cache/it/rebuilding").exists());
    }
}

/// A run that is killed while it finds out whose the commits are leaves nothing that a later one
/// believes.
#[test]
fn a_trial_that_is_killed_misleads_nobody() {
    for (identity, state) in
        ["native", "hg-git"].into_iter().flat_map(|i| ["trying", "failed"].map(|state| (i, state)))
    {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", identity);
        let source = Fixture::named("halves-whole").unpack(&env);
        // What such a run has converted and recorded so far: all of it, as native commits.
        let empty = env.path("empty.git");
        Repository::init_bare(&empty).unwrap();
        sync(&env, &source, &empty, "").ok().unwrap();
        for reference in refs(&env.path("cache/it/git")).into_keys() {
            let repository = Repository::open(env.path("cache/it/git")).unwrap();
            repository.find_reference(&reference).unwrap().delete().unwrap();
        }
        std::fs::write(env.path("cache/it/rebuilding"), state).unwrap();
        let before = refs(&target);
        let said = sync(&env, &source, &target, "").ok().unwrap();
        only_fast_forward(&before, &target).unwrap();
        assert!(!env.path("cache/it/rebuilding").exists());
        let recorded = std::fs::read_to_string(env.path("cache/it/identity")).unwrap();
        assert_eq!(recorded.trim(), identity, "{said}");
        if env::has("git") {
            git::fsck(&env, &env.path("cache/it/git")).unwrap();
        }
    }
}

/// `adopt` with a git-mapfile: what it says is taken, what does not fit is refused, and it comes out
/// again as it went in.
#[test]
fn a_map_of_another_tool_is_adopted_unless_it_lies() {
    let env = TestEnv::new();
    let source = Fixture::named("halves-first").unpack(&env);
    let target = env.path("target.git");
    let made = Converted::make_as(&env, &source, &target, "hg-git").unwrap();
    std::fs::remove_dir_all(target.join("synchroniser")).unwrap();
    let (map, out) = (env.path("git-mapfile"), env.path("out"));
    let mut lines: Vec<_> = made.commits.iter().map(|(node, id)| format!("{id} {node}")).collect();
    lines.sort();
    let adopt = |lines: &[String]| {
        std::fs::write(&map, format!("{}\n", lines.join("\n"))).unwrap();
        let words = [Path::new("adopt"), &source, &target, Path::new("--hg-git-map"), &map];
        env.synchronise(words.into_iter().chain([Path::new("--export-map"), &out]))
    };
    let mut wrong = lines.clone();
    let (first, second) = (wrong[0][..40].to_owned(), wrong[1][..40].to_owned());
    wrong[0].replace_range(..40, &second);
    wrong[1].replace_range(..40, &first);
    let ran = adopt(&wrong).with_code(i32::from(exit::CONFIG)).unwrap();
    assert!(
        ran.stderr.contains("use the given map: it names 2 commits that do not match"),
        "{}",
        ran.stderr
    );
    assert!(!target.join("synchroniser/map").exists());

    let ran = adopt(&lines);
    let changesets = made.commits.len();
    let written = format!("writing commits: {changesets} changesets in ");
    assert!(ran.stderr.contains(&written), "{ran:?}");
    let said = ran.ok().unwrap();
    assert!(said.contains("the identity is hg-git"), "{said}");
    let mut written: Vec<_> =
        std::fs::read_to_string(&out).unwrap().lines().map(str::to_owned).collect();
    written.sort();
    assert_eq!(written, lines);
}

/// Runs another command on the mirror that [`sync`] has configured.
fn on_mirror(env: &TestEnv, command: &str) -> Ran {
    env.synchronise(["-q", command, "--config", "synchroniser.toml", "it"])
}

/// hg-git writes committers that libgit2 does not read. The target has them all the same.
#[test]
fn commits_that_libgit2_does_not_read_are_published() {
    let env = TestEnv::new();
    let source = Fixture::named("committers").unpack(&env);
    let made = Converted::make_as(&env, &source, &env.path("whole.git"), "hg-git").unwrap();
    let target = env.path("target.git");
    Repository::init_bare(&target).unwrap();
    let keys = "identity = \"hg-git\"";
    sync(&env, &source, &target, keys).ok().unwrap();
    // Branches that end with what cannot be read go on from there.
    for lost in [false, true] {
        let repository = Repository::open(&target).unwrap();
        let before = refs(&target)["refs/heads/before"];
        for name in ["refs/heads/master", "refs/heads/default"] {
            repository.reference(name, before, true, "").unwrap();
        }
        if lost {
            lose_cache(&env);
        }
        sync(&env, &source, &target, keys).ok().unwrap();
        on_mirror(&env, "verify").ok().unwrap();
        let published = refs(&target).into_iter().map(|(name, id)| (name, id.to_string()));
        assert_eq!(published.collect::<BTreeMap<_, _>>(), made.refs(), "lost: {lost}");
    }
}

/// Notes that the target has go on, whoever has lost what was made of them.
#[test]
fn notes_go_on_after_a_lost_cache() {
    let env = TestEnv::new();
    let target = env.path("target.git");
    Repository::init_bare(&target).unwrap();
    let half = Fixture::named("halves-first").unpack(&env);
    let keys = "notes = true";
    sync(&env, &half, &target, keys).ok().unwrap();
    let first = refs(&target);
    lose_cache(&env);
    let said = sync(&env, &half, &target, keys).ok().unwrap();
    assert!(said.contains(", 0 new; "), "{said}");
    assert_eq!(refs(&target), first);
    lose_cache(&env);
    let whole = Fixture::named("halves-whole").unpack(&env);
    sync(&env, &whole, &target, keys).ok().unwrap();
    let notes = |refs: &BTreeMap<String, Oid>| refs["refs/notes/hg"];
    let repository = Repository::open(&target).unwrap();
    let now = repository.find_commit(notes(&refs(&target))).unwrap();
    assert_eq!(now.parent_ids().collect::<Vec<_>>(), [notes(&first)]);
    on_mirror(&env, "verify").ok().unwrap();
}

/// What people put in the place of our tags says the same, and more.
#[test]
fn annotated_tags_of_the_right_commits_stay() {
    for at_adoption in [true, false] {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", "hg-git");
        let source = Fixture::named("halves-whole").unpack(&env);
        if !at_adoption {
            sync(&env, &source, &target, "").ok().unwrap();
        }
        let repository = Repository::open(&target).unwrap();
        let commit = repository.find_reference("refs/tags/v1").unwrap().peel_to_commit().unwrap();
        let who = git2::Signature::new("T", "t@t", &git2::Time::new(5, 0)).unwrap();
        let tag = repository.tag("v1", commit.as_object(), &who, "the first", true).unwrap();
        let nested = repository.find_object(tag, None).unwrap();
        let tag = repository.tag("v1", &nested, &who, "and again", true).unwrap();
        for _ in 0..2 {
            sync(&env, &source, &target, "").ok().unwrap();
            assert_eq!(refs(&target)["refs/tags/v1"], tag);
            on_mirror(&env, "verify").ok().unwrap();
            let plan = on_mirror(&env, "plan").ok().unwrap();
            assert!(plan.contains("6 refs are as in the source"), "{plan}");
        }
        // One of another commit is another tag.
        let parent = commit.parent(0).unwrap();
        repository.tag("v1", parent.as_object(), &who, "wrong", true).unwrap();
        let ran = sync(&env, &source, &target, "").with_code(i32::from(exit::REFUSED)).unwrap();
        assert!(ran.stderr.contains("refs/tags/v1: the target has this tag"), "{}", ran.stderr);
        on_mirror(&env, "verify").with_code(i32::from(exit::DIFFERENCES)).unwrap();
    }
}

/// The same for a bare repository that `convert` goes on with.
#[test]
fn annotated_tags_stay_in_a_repository_that_is_converted_into() {
    let env = TestEnv::new();
    let target = old_mirror(&env, "halves-first", "native");
    let repository = Repository::open(&target).unwrap();
    let commit = repository.find_reference("refs/tags/v1").unwrap().peel_to_commit().unwrap();
    let who = git2::Signature::new("T", "t@t", &git2::Time::new(5, 0)).unwrap();
    let tag = repository.tag("v1", commit.as_object(), &who, "the first", true).unwrap();
    let source = Fixture::named("halves-whole").unpack(&env);
    for command in ["convert", "verify"] {
        env.synchronise([Path::new(command), &source, &target]).ok().unwrap();
        assert_eq!(refs(&target)["refs/tags/v1"], tag);
    }
}

/// A plan for a mirror that another tool has made says what its first sync does.
#[test]
fn a_plan_foresees_what_is_taken_over() {
    for edit in [false, true] {
        let env = TestEnv::new();
        let target = old_mirror(&env, "halves-first", "fast-export");
        if edit {
            rewrite(&target, edited);
        }
        let source = Fixture::named("halves-whole").unpack(&env);
        // Only the configuration is wanted.
        sync(&env, &source, &env.path("nowhere"), "").with_code(i32::from(exit::CONFIG)).unwrap();
        lose_cache(&env);
        let config = env.path("synchroniser.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, text.replace("/nowhere", "/target.git")).unwrap();
        let before = refs(&target);
        let plan = on_mirror(&env, "plan").ok().unwrap();
        for words in [
            "(fast-export)",
            "19 changesets, 10 to convert",
            "move refs/heads/master",
            "continues from 9 existing commits",
        ] {
            assert!(plan.contains(words), "{words}: {plan}");
        }
        assert_eq!(plan.contains("made by another tool"), edit, "{plan}");
        assert!(!plan.contains("refuse"), "{plan}");
        assert!(!env.path("cache").exists() && env.leftovers().is_empty());
        assert_eq!(refs(&target), before);

        // A sync would be refused, and the plan says why.
        foreign_commit(&target);
        let ran = on_mirror(&env, "plan").with_code(i32::from(exit::REFUSED)).unwrap();
        assert!(ran.stderr.contains("1 commit there matches no changeset"), "{}", ran.stderr);
    }
}
