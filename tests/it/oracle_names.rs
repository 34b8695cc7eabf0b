//! What we say of names, against what Git says: in trees, and of references.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Stdio;

use bstr::BString;
use git2::{ObjectType, Oid, Repository};
use synchroniser::convert::names::RefNaming;
use synchroniser::convert::refs::{SourceNames, name_refs};
use synchroniser::git::tree::Mode;
use synchroniser::git::tree_name::forbidden;
use synchroniser::hg::Node;

use crate::support::{Fixture, Ran, TestEnv, env, skip};

const MODES: [Mode; 4] = [Mode::Regular, Mode::Executable, Mode::Symlink, Mode::Directory];

const STEMS: &str = ".git .gitmodules .gitattributes .gitignore .mailmap git~1 git~2 git~10 gitmod~1 \
    gitmod~4 gitmod~5 gitatt~1 gitatt~4 gitatt~5 gi7eba~1 gi7eba~9 gi7eb~10 gi7e~100 gi~12345 \
    g~123456 ~1234567 gi7eba~0 gi7eba~a gi7ebb~1 gi7d29~1 gi7d2~10 gitign~1 gi250a~1 mailma~1 \
    maba30~1 git .gi .gitx ..git .git.git x . .. ... ~";

const ENDS: [&str; 22] = [
    "",
    ".",
    " ",
    "..",
    " .",
    ". . ",
    ":",
    ":x",
    "::$INDEX_ALLOCATION",
    "\\",
    "\\x",
    "x",
    "~1",
    ".x",
    " x",
    "\t",
    "\u{200c}",
    "\u{feff}",
    "\u{fffe}",
    "\u{ffff}x",
    "\u{10ffff}",
    "\u{e9}",
];

const NOT_UTF8: [&[u8]; 6] =
    [b"\xff", b"\xc3", b"\xe2\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\xae"];

/// Names that are, look like, or nearly are one that Git or a file system treats as special.
fn names() -> BTreeSet<Vec<u8>> {
    let mut names: BTreeSet<Vec<u8>> = BTreeSet::new();
    for stem in STEMS.split_whitespace() {
        for end in ENDS {
            let name = format!("{stem}{end}");
            names.insert(name.to_ascii_uppercase().into_bytes());
            names.insert(format!("a\\{name}").into_bytes());
            names.insert(name.into_bytes());
        }
        for end in NOT_UTF8 {
            names.insert([stem.as_bytes(), end].concat());
            names.insert([stem.as_bytes(), end, b"x"].concat());
        }
    }
    // What HFS+ does not see, at every place, and its neighbours, which it sees.
    let unseen = ('\u{200b}'..='\u{2010}').chain('\u{2029}'..='\u{202f}');
    for c in unseen.chain('\u{2069}'..='\u{2070}').chain(['\u{feff}', '\u{fefe}', '\u{ff00}']) {
        for word in [".git", ".gitmodules", ".GitAttributes"] {
            for at in 0..=word.len() {
                names.insert(format!("{}{c}{}", &word[..at], &word[at..]).into_bytes());
            }
        }
    }
    names.extend([vec![b'x'; 4096], vec![b'x'; 4097], b"x".repeat(255), b"con".to_vec()]);
    names.extend([b".git\n".to_vec(), b".g it".to_vec(), b"\n".to_vec()]);
    names
}

/// One tree for each name and mode, with nothing else in it.
struct Trees {
    /// What each tree was made for.
    made_for: BTreeMap<String, (Vec<u8>, Mode)>,
    /// The tree that a folder is in: Git blames `.gitmodules` for being a folder, not what has it.
    holder: BTreeMap<String, String>,
}

fn write_trees(repository: &Repository) -> Trees {
    let odb = repository.odb().unwrap();
    let blob = odb.write(ObjectType::Blob, b"").unwrap();
    let tree = |mode: Mode, name: &[u8], id: Oid| {
        let entry = [mode.digits().as_bytes(), b" ", name, b"\0", id.as_bytes()].concat();
        odb.write(ObjectType::Tree, &entry).unwrap()
    };
    let mut trees = Trees { made_for: BTreeMap::new(), holder: BTreeMap::new() };
    for (number, name) in names().into_iter().enumerate() {
        for mode in MODES {
            let folder = tree(Mode::Regular, format!("f{number}").as_bytes(), blob);
            let id = if mode == Mode::Directory { folder } else { blob };
            let tree = tree(mode, &name, id).to_string();
            if mode == Mode::Directory {
                trees.holder.insert(folder.to_string(), tree.clone());
            }
            trees.made_for.insert(tree, (name.clone(), mode));
        }
    }
    trees
}

#[test]
fn git_forbids_just_the_names_that_we_leave_out() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let path = env.path("names.git");
    let trees = write_trees(&Repository::init_bare(&path).unwrap());
    assert!(trees.made_for.len() > 2000, "{}", trees.made_for.len());
    let ran = env.git(&path, &["fsck", "--strict", "--no-dangling", "--no-progress"]);
    let blamed = |line: &str| {
        let id = line.strip_prefix("error in tree ")?.split(':').next()?.to_owned();
        Some(trees.holder.get(&id).cloned().unwrap_or(id))
    };
    let lines = ran.stderr.lines().chain(ran.stdout.lines());
    let refused: BTreeSet<String> = lines.filter_map(blamed).collect();
    let unknown = refused.iter().find(|id| !trees.made_for.contains_key(*id));
    assert_eq!(unknown, None);
    assert!(refused.len() > 100, "{}", refused.len());
    let differ = |(id, (name, mode)): (&String, &(Vec<u8>, Mode))| {
        let (git, ours) = (refused.contains(id), forbidden(name, *mode));
        let name = BString::from(name.as_slice());
        (git != ours.is_some()).then(|| format!("{name:?} {mode:?}: git {git}, we {ours:?}"))
    };
    let differences: Vec<_> = trees.made_for.iter().filter_map(differ).collect();
    assert!(differences.is_empty(), "{} differ:\n{}", differences.len(), differences.join("\n"));
}

/// The names of all fixtures at once, as branches, as bookmarks and as tags.
fn fixture_names() -> SourceNames {
    let mut names = SourceNames { main: Some(node(0)), ..SourceNames::default() };
    let (mut branches, mut bookmarks, mut tags) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for fixture in Fixture::all() {
        branches.extend(fixture.truth.heads.into_iter().map(|(name, _)| name));
        bookmarks.extend(fixture.truth.bookmarks.into_iter().map(|(name, _)| name));
        tags.extend(fixture.truth.tags.into_iter().map(|(name, _)| name));
    }
    let heads = vec![node(1), node(2), node(3)];
    names.branches = branches.into_iter().map(|name| (name.into(), heads.clone())).collect();
    names.bookmarks = bookmarks.into_iter().map(|name| (name.into(), node(4))).collect();
    names.tags = tags.into_iter().map(|name| (name.into(), node(5))).collect();
    names
}

fn node(number: u8) -> Node {
    Node::from_bytes([number; 20])
}

#[test]
fn git_takes_every_reference_name_that_we_make() {
    if !env::has("git") {
        return skip("there is no git");
    }
    let env = TestEnv::new();
    let wanted = name_refs(&fixture_names(), &RefNaming::default(), &[]).refs;
    assert!(wanted.len() > 150, "{}", wanted.len());
    for wanted in wanted.iter().step_by(env::cases(3, 1)) {
        env.run("git", ["check-ref-format", &wanted.name])
            .ok()
            .unwrap_or_else(|problem| panic!("{:?}: {problem}", wanted.name));
        // What the porcelain takes is less than what the plumbing does.
        if let Some(branch) = wanted.name.strip_prefix("refs/heads/") {
            env.run("git", ["check-ref-format", "--branch", branch])
                .ok()
                .unwrap_or_else(|problem| panic!("branch {branch:?}: {problem}"));
        }
    }
    // And all of them side by side.
    let path = env.path("refs.git");
    let repository = Repository::init_bare(&path).unwrap();
    let odb = repository.odb().unwrap();
    let tree = odb.write(ObjectType::Tree, b"").unwrap();
    let commit = format!("tree {tree}\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\n");
    let commit = odb.write(ObjectType::Commit, commit.as_bytes()).unwrap();
    let mut update = env.command("git");
    update.arg("--git-dir").arg(&path).args(["update-ref", "--stdin"]);
    let mut update = update.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = update.stdin.take().unwrap();
    for wanted in &wanted {
        writeln!(input, "create {} {commit}", wanted.name).unwrap();
    }
    drop(input);
    Ran::from(&update.wait_with_output().unwrap()).ok().unwrap();
    assert_eq!(repository.references().unwrap().count(), wanted.len());
}
