use std::collections::BTreeSet;

use super::*;
use crate::git::tree::Mode;

/// One of each kind.
fn samples() -> Vec<Difference> {
    let node = |byte| Node::from_bytes([byte; 20]);
    let id = |byte| ObjectId::from_bytes([byte; 20]);
    let (changeset, commit) = (node(1), id(2));
    let (path, revision, name) = (RepoPathBuf::from("a b"), node(3), "refs/heads/x".to_owned());
    let cause = || Cause { fault: Fault::Corrupt, side: None, message: "read x: cut off".into() };
    let file = TreeFile { mode: Mode::Executable, id: id(4) };
    vec![
        Difference::Unreadable { cause: cause() },
        Difference::ChangesetUnreadable { changeset, cause: cause() },
        Difference::RevisionMissing { path: path.clone(), revision },
        Difference::ManifestMissing { changeset },
        Difference::ChangesetLink { revision: 7 },
        Difference::ManifestLink { revision: 7 },
        Difference::FileLink { path: path.clone(), revision, link: 9 },
        Difference::NotIntroduced { path: path.clone(), revision, changeset },
        Difference::NotListed { path: path.clone() },
        Difference::CommitMissing { changeset, commit: None },
        Difference::CommitMissing { changeset, commit: Some(commit) },
        Difference::CommitNotThere { changeset, commit },
        Difference::CommitDiffers {
            changeset,
            commit,
            has: "author a\n".into(),
            wants: "author b\n".into(),
        },
        Difference::TreeNotNamed { changeset, commit },
        Difference::ParentWithoutCommit { changeset, parent: node(5) },
        Difference::ContentDiffers { changeset, commit },
        Difference::TimeDiffers { changeset, commit },
        Difference::ParentsDiffer { changeset, commit },
        Difference::ChangesetNotNamed { commit },
        Difference::ChangesetUnknown { changeset, commit },
        Difference::TwoCommits { changeset, commits: [commit, id(6)] },
        Difference::CommitUnmatched { commit },
        Difference::FileUnreadable { changeset, path: path.clone(), problem: FileProblem::Missing },
        Difference::FileDiffers { changeset, path: path.clone(), has: None, wants: Some(file) },
        Difference::FileNotChanged { changeset, path: path.clone(), has: Some(file) },
        Difference::SubmoduleDiffers { changeset, path: path.clone() },
        Difference::BlobMissing { changeset, path, blob: id(4) },
        Difference::TreeUnreadable { changeset, tree: id(4), problem: TreeProblem::NotThere },
        Difference::ObjectMissing { object: id(4) },
        Difference::PackDamaged { file: "x.git/objects/pack/a.idx".into() },
        Difference::RefMissing { name: name.clone() },
        Difference::RefDiffers { name: name.clone(), has: commit, changeset },
        Difference::RefUnknown { name: name.clone() },
        Difference::RefNotPublished { name: name.clone(), has: None, wants: commit },
        Difference::RefNotPublished { name, has: Some(id(4)), wants: commit },
        Difference::MapDiffers { changeset },
        Difference::NotesMissing { name: "refs/notes/hg" },
        Difference::NoteDiffers { commit },
        Difference::NotesTreeMissing { tree: id(4) },
        Difference::AtTarget { difference: Box::new(Difference::ObjectMissing { object: id(4) }) },
    ]
}

#[test]
fn how_differences_read() {
    let lines: Vec<_> = samples()
        .iter()
        .map(|difference| format!("({}) {difference}", difference.side().name()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
(source) read x: cut off
(source) changeset 010101010101: read x: cut off
(source) the source has no sound revision 030303030303 of "a b"
(source) the source has no manifest for changeset 0101010101010101010101010101010101010101
(source) the source's changeset 7 does not link to itself
(source) the source's manifest of changeset 7 links to no changeset
(source) the source's file "a b": revision 030303030303 was introduced by changeset 9, which is not there
(source) the source's file "a b": revision 030303030303 says that changeset 010101010101 introduced it, which does not have it
(source) the source's fncache does not list "a b"
(target) changeset 010101010101: it has no commit
(target) changeset 010101010101: it has no commit: it would be 0202020202020202020202020202020202020202
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 is missing
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 has "author a\n", not "author b\n"
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 has no tree
(target) changeset 010101010101: its parent 050505050505 has no commit
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 does not hold the same files
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 has another time
(target) changeset 010101010101: its commit 0202020202020202020202020202020202020202 has other parents
(target) commit 0202020202020202020202020202020202020202 names no changeset
(target) commit 0202020202020202020202020202020202020202 is of changeset 0101010101010101010101010101010101010101, which the source does not have
(target) changeset 010101010101: it has two commits, 0202020202020202020202020202020202020202 and 0606060606060606060606060606060606060606
(target) commit 0202020202020202020202020202020202020202 is of no changeset
(source) changeset 010101010101: the file "a b": the source has no such revision
(target) changeset 010101010101: the file "a b" is missing in its commit, and must be 100755 0404040404040404040404040404040404040404
(target) changeset 010101010101: the file "a b" is 100755 0404040404040404040404040404040404040404 in its commit, and the changeset did not change it
(target) changeset 010101010101: "a b" is not the submodule that it must be
(target) changeset 010101010101: the blob 0404040404040404040404040404040404040404 of "a b" is missing
(target) changeset 010101010101: the tree 0404040404040404040404040404040404040404 is missing
(target) object 0404040404040404040404040404040404040404 is missing or damaged
(target) the file x.git/objects/pack/a.idx is damaged
(target) refs/heads/x is missing
(target) refs/heads/x is at 0202020202020202020202020202020202020202, not at the commit of changeset 0101010101010101010101010101010101010101
(target) refs/heads/x is there, and the source has no such name
(target) at the target: refs/heads/x is missing
(target) at the target: refs/heads/x is at 0404040404040404040404040404040404040404, not at 0202020202020202020202020202020202020202
(here) the id map is wrong about changeset 0101010101010101010101010101010101010101
(target) refs/notes/hg is missing
(target) the note of commit 0202020202020202020202020202020202020202 is not the node of its changeset
(target) the tree 0404040404040404040404040404040404040404 of the notes is missing
(target) at the target: object 0404040404040404040404040404040404040404 is missing or damaged
"#);
}

#[test]
fn every_difference_has_a_tag_that_does_not_change() {
    let tag = |difference: &Difference| {
        serde_json::to_value(difference).unwrap()["kind"].as_str().unwrap().to_owned()
    };
    let tags: BTreeSet<_> = samples().iter().map(tag).collect();
    let tags: Vec<_> = tags.into_iter().collect();
    insta::assert_snapshot!(tags.join(" "), @r#"at_target blob_missing changeset_link changeset_not_named changeset_unknown changeset_unreadable commit_differs commit_missing commit_not_there commit_unmatched content_differs file_differs file_link file_not_changed file_unreadable manifest_link manifest_missing map_differs not_introduced not_listed note_differs notes_missing notes_tree_missing object_missing pack_damaged parent_without_commit parents_differ ref_differs ref_missing ref_not_published ref_unknown revision_missing submodule_differs time_differs tree_not_named tree_unreadable two_commits unreadable"#);
}
