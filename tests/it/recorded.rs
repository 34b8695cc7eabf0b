//! The fixtures whose commits are all recorded: what hg-git and hg-fast-export were seen to
//! make, and what the rules of `native` ask for.

use std::collections::BTreeSet;

use git2::{ObjectType, Oid, Repository, TreeWalkMode, TreeWalkResult};
use synchroniser::convert::identity::names;

use crate::support::truth::unescape;
use crate::support::{Converted, Fixture, TestEnv, fixture, for_all, same};

/// A line of a recording.
struct Recorded {
    node: String,
    commit: String,
    /// The contents of the commit, escaped.
    text: String,
    /// What its tree holds, escaped; not recorded of `native`, whose trees are in `expected.tsv`.
    entries: Option<String>,
}

/// The recording of a fixture under an identity, if there is one.
fn recording(name: &str, identity: &str) -> Option<Vec<Recorded>> {
    let path = fixture::folder().join("hg").join(name).join(format!("{identity}.tsv"));
    let text = std::fs::read_to_string(path).ok()?;
    let line = |line: &str| {
        let mut fields = line.split('\t').map(str::to_owned);
        let mut field = || fields.next().unwrap();
        let (node, commit, text) = (field(), field(), field());
        Recorded { node, commit, text, entries: fields.next() }
    };
    Some(text.lines().map(line).collect())
}

/// Bytes as the recordings have them.
fn escape(bytes: &[u8]) -> String {
    let escape = |&byte: &u8| match byte {
        b'\\' => "\\\\".to_owned(),
        b' '..=b'~' => char::from(byte).to_string(),
        _ => format!("\\x{byte:02x}"),
    };
    bytes.iter().map(escape).collect()
}

/// The contents of a commit, and what its tree holds, both as they are recorded.
fn read(repository: &Repository, commit: &str) -> Result<(String, String), git2::Error> {
    let odb = repository.odb()?;
    let object = odb.read(Oid::from_str(commit)?)?;
    assert_eq!(object.kind(), ObjectType::Commit);
    // libgit2 refuses commits that hg-git has made, and the line of the tree is the first one.
    let tree = object.data().strip_prefix(b"tree ").and_then(|rest| rest.get(..40)).unwrap();
    let tree = repository.find_tree(Oid::from_str(std::str::from_utf8(tree).unwrap())?)?;
    let mut entries = Vec::new();
    tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
        if entry.kind() != Some(ObjectType::Tree) {
            let head = format!("{:06o} {} ", entry.filemode(), entry.id());
            let line = [head.as_bytes(), folder.as_bytes(), entry.name_bytes(), b"\n"].concat();
            entries.extend(line);
        }
        TreeWalkResult::Ok
    })?;
    Ok((escape(object.data()), escape(&entries)))
}

/// Converts a fixture and compares every commit that is recorded of it; how many there are.
fn check(name: &str, identity: &str, recorded: &[Recorded]) -> Result<(), String> {
    let env = TestEnv::new();
    let source = Fixture::named(name).unpack(&env);
    let target = env.path("target.git");
    let made = Converted::make_as(&env, &source, &target, identity)?;
    let repository = Repository::open_bare(&target).unwrap();
    for Recorded { node, commit, text, entries } in recorded {
        let ours = made.commits.get(node).ok_or_else(|| format!("{node} is not converted"))?;
        let (our_text, our_entries) =
            read(&repository, ours).map_err(|error| format!("{node}: {error}"))?;
        if let Some(entries) = entries {
            same(&format!("tree of {node}"), &our_entries, entries)?;
        }
        same(&format!("text of {node}"), &our_text, text)?;
        same(&format!("commit of {node}"), ours, commit)?;
    }
    let words = ["verify", source.to_str().unwrap(), target.to_str().unwrap()];
    env.synchronise(words.into_iter().chain(["--identity", identity])).ok().map(drop)
}

/// The folders with a recording of any identity.
const RECORDED: [&str; 8] = [
    "committers",
    "extras",
    "flips",
    "largefiles",
    "renames",
    "subrepos",
    "subrepos-tracked",
    "tree-names",
];

#[test]
fn every_recorded_commit_is_made() {
    for identity in names() {
        let recordings = RECORDED.iter().filter_map(|name| {
            Some((format!("{name} under {identity}"), (*name, recording(name, identity)?)))
        });
        let recordings: Vec<_> = recordings.collect();
        let count: usize = recordings.iter().map(|(_, (_, recorded))| recorded.len()).sum();
        // hg-git makes no commit of a part of an octopus; hg-fast-export ends at large files that
        // are not there.
        let expected = match identity {
            "hg-git" => 100,
            "fast-export" => 99,
            _ => 102,
        };
        assert_eq!(count, expected, "commits recorded under {identity}");
        for_all(recordings, |(name, recorded)| check(name, identity, &recorded));
    }
}

/// One tree of names that are hard to keep: where each is under every identity.
#[test]
fn names_are_where_each_identity_has_them() {
    let table = std::fs::read_to_string(fixture::folder().join("identities/trees.tsv")).unwrap();
    let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let columns = lines.next().unwrap();
    assert_eq!(columns[1..].iter().collect::<BTreeSet<_>>().len(), names().count());
    let rows: Vec<_> = lines.collect();
    let fixture = Fixture::named("tree-names");
    // The third changeset has all that the table names.
    let node = &fixture.truth.changesets[2].node;
    let env = TestEnv::new();
    let source = fixture.unpack(&env);
    for (column, identity) in columns.iter().enumerate().skip(1) {
        let target = env.path(format!("{identity}.git"));
        let made = Converted::make_as(&env, &source, &target, identity).unwrap();
        let (_, entries) =
            read(&Repository::open_bare(&target).unwrap(), &made.commits[node]).unwrap();
        let entries = unescape(&entries);
        let found: BTreeSet<_> = entries.split(|&byte| byte == b'\n').map(without_id).collect();
        let expected: BTreeSet<_> = rows.iter().map(|row| unescape(row[column])).collect();
        assert_eq!(found.len(), expected.len(), "{identity}");
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(escape(found), escape(expected), "{identity}");
        }
    }
}

/// `MODE PATH` of a line `MODE ID PATH`; nothing of nothing.
fn without_id(line: &[u8]) -> Vec<u8> {
    match (line.get(..7), line.get(48..)) {
        (Some(mode), Some(path)) => [mode, path].concat(),
        _ => Vec::new(),
    }
}
