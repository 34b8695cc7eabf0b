//! Subrepositories whose files cannot be read, under the identities that make submodules of them.

use std::path::{Path, PathBuf};

use git2::{ObjectType, Repository};
use synchroniser::cli::exit;

use super::damage::{convert, placeholder, verify};
use super::store::{Hash, Store};
use crate::support::{TestEnv, for_all, same};

const SUB: &str = ".hgsub";
const STATE: &str = ".hgsubstate";
const IDENTITIES: [&str; 2] = ["hg-git", "fast-export"];

/// Five changesets: `.hgsub` changes in the third, `.hgsubstate` in the second, third and fifth, and
/// another file in the fourth.
fn five() -> Store {
    let mut store = Store::default();
    let commit = |number: char| number.to_string().repeat(40);
    let (one, two) = ("q = [git]u://q\n", "q = [git]u://q\nr = [git]u://r\n");
    let mut f = store.file("f", b"f 0\n");
    let mut sub = store.file(SUB, one.as_bytes());
    let mut state = store.file(STATE, format!("{} q\n", commit('1')).as_bytes());
    let write = |store: &mut Store, files: [Hash; 3], number: i32| {
        let [sub, state, f] = files;
        store.commit([number - 1, -1], &[(SUB, sub), (STATE, state), ("f", f)]);
    };
    write(&mut store, [sub, state, f], 0);
    state = store.file(STATE, format!("{} q\n", commit('2')).as_bytes());
    write(&mut store, [sub, state, f], 1);
    sub = store.file(SUB, two.as_bytes());
    state = store.file(STATE, format!("{} q\n{} r\n", commit('3'), commit('4')).as_bytes());
    write(&mut store, [sub, state, f], 2);
    f = store.file("f", b"f 1\n");
    write(&mut store, [sub, state, f], 3);
    state = store.file(STATE, format!("{} q\n{} r\n", commit('5'), commit('4')).as_bytes());
    write(&mut store, [sub, state, f], 4);
    store
}

/// A way to break a store, and which changesets have no submodules then.
type Breakage = (&'static str, fn(&mut Store), &'static [usize]);

const BREAKAGES: [Breakage; 6] = [
    ("nothing", |_| {}, &[]),
    ("the first .hgsub", |store| flip(store, SUB, 0), &[0, 1]),
    ("the second .hgsub", |store| flip(store, SUB, 1), &[2, 3, 4]),
    ("the second .hgsubstate", |store| flip(store, STATE, 1), &[1]),
    ("all of .hgsub", |store| drop(store.files.remove(SUB)), &[0, 1, 2, 3, 4]),
    ("the last .hgsubstate", |store| drop(store.files.get_mut(STATE).unwrap().0.pop()), &[4]),
];

fn flip(store: &mut Store, name: &str, rev: usize) {
    store.files.get_mut(name).unwrap().0[rev].chunk[3] ^= 1;
}

/// Every breakage under every identity that makes submodules.
fn cases() -> impl Iterator<Item = (String, (Breakage, &'static str))> {
    let all =
        BREAKAGES.into_iter().flat_map(|broken| IDENTITIES.map(|identity| (broken, identity)));
    all.map(|(broken, identity)| (format!("{} under {identity}", broken.0), (broken, identity)))
}

struct Case {
    env: TestEnv,
    identity: &'static str,
    source: PathBuf,
}

impl Case {
    fn new(store: &Store, identity: &'static str) -> Self {
        let env = TestEnv::new();
        let source = env.path("made");
        store.write(&source);
        Self { env, identity, source }
    }

    /// Writes the source anew.
    fn write(&self, store: &Store) {
        std::fs::remove_dir_all(&self.source).unwrap();
        store.write(&self.source);
    }

    fn convert(&self, target: &Path, options: &[&str]) -> crate::support::Ran {
        let options = [&["--identity", self.identity], options].concat();
        convert(&self.env, &self.source, target, &options)
    }

    fn map(&self) -> String {
        std::fs::read_to_string(self.env.path("map")).unwrap()
    }
}

/// The names in the tree of each changeset, with `@` before submodules.
fn trees(target: &Path) -> Vec<Vec<String>> {
    let repository = Repository::open_bare(target).unwrap();
    let mut commit = repository.find_reference("refs/heads/master").unwrap().peel_to_commit().ok();
    let mut trees = Vec::new();
    while let Some(found) = commit {
        let name = |entry: git2::TreeEntry<'_>| {
            let mark = if entry.kind() == Some(ObjectType::Commit) { "@" } else { "" };
            format!("{mark}{}", entry.name().unwrap())
        };
        trees.push(found.tree().unwrap().iter().map(name).collect());
        commit = found.parent(0).ok();
    }
    trees.reverse();
    trees
}

#[test]
fn a_run_stops_at_what_is_broken_and_says_who_needs_it() {
    for_all(cases(), |((_, damage, without), identity)| {
        let mut store = five();
        damage(&mut store);
        let case = Case::new(&store, identity);
        let ran = case.convert(&case.env.path("target.git"), &[]);
        if without.is_empty() {
            return ran.ok().map(drop);
        }
        let said = ran.with_code(i32::from(exit::CORRUPT))?.stderr;
        let words = [".hgsub", "--skip-damaged", "(needed by "];
        match words.iter().all(|words| said.contains(words)) && !said.contains("needed by 0") {
            true => Ok(()),
            false => Err(said),
        }
    });
}

#[test]
fn a_run_that_skips_damage_goes_on_without_submodules() {
    for_all(cases(), |((_, damage, without), identity)| {
        let mut store = five();
        damage(&mut store);
        let case = Case::new(&store, identity);
        let (target, skip) = (case.env.path("target.git"), ["--skip-damaged"]);
        let said = case.convert(&target, &skip).ok()?;
        same("placeholders", &said.contains("made a placeholder"), &!without.is_empty())?;
        for (number, tree) in trees(&target).into_iter().enumerate() {
            let links = tree.iter().map(String::as_str).filter(|name| name.starts_with('@'));
            let has: Vec<_> = links.collect();
            let expected = match number {
                _ if without.contains(&number) => &[][..],
                0 | 1 => &["@q"],
                _ => &["@q", "@r"],
            };
            same(&format!("submodules of {number}"), &&*has, &expected)?;
            same("its .hgsub", &tree.iter().any(|name| name == SUB), &(identity != "hg-git"))?;
        }
        let as_identity = ["--identity", identity];
        verify(&case.env, &case.source, &target, &as_identity).ok()?;
        // The same elsewhere, and in steps.
        let (map, elsewhere) = (case.map(), case.env.path("elsewhere.git"));
        for changesets in 1..=5 {
            let mut some = store.clone();
            some.changelog.0.truncate(changesets);
            case.write(&some);
            case.convert(&elsewhere, &skip).ok()?;
        }
        same("ids made in steps", &case.map(), &map)?;
        // What was lost stays so when it is found.
        let mut repaired = five();
        let f = repaired.file("f", b"f 2\n");
        let [sub, state] = [SUB, STATE].map(|name| repaired.files[name].0.last().unwrap().node);
        repaired.commit([4, -1], &[(SUB, sub), (STATE, state), ("f", f)]);
        case.write(&repaired);
        for target in [&target, &elsewhere] {
            case.convert(target, &[]).ok()?;
            same("old ids", &case.map().starts_with(&map), &true)?;
            verify(&case.env, &case.source, target, &as_identity).ok()?;
        }
        Ok(())
    });
}

/// What stands in a tree is the placeholder of any file.
#[test]
fn a_tree_has_the_placeholder_of_a_broken_hgsub() {
    let mut store = five();
    flip(&mut store, SUB, 0);
    let case = Case::new(&store, "fast-export");
    let target = case.env.path("target.git");
    case.convert(&target, &["--skip-damaged"]).ok().unwrap();
    let repository = Repository::open_bare(&target).unwrap();
    let tip = repository.find_reference("refs/heads/master").unwrap().peel_to_commit().unwrap();
    let first = (0..4).fold(tip, |commit, _| commit.parent(0).unwrap());
    let blob = first.tree().unwrap().get_name(SUB).unwrap().id();
    let contents = repository.find_blob(blob).unwrap().content().to_vec();
    assert_eq!(contents, placeholder(&store, SUB, 0).as_bytes());
}
