//! Notes against nodes.

use std::collections::HashMap;

use bstr::ByteSlice;

use super::commits::Commits;
use super::{Context, Difference, Differences, VerifyError};
use crate::git::reference::HG_NOTES;
use crate::git::tree::entries;
use crate::git::{ObjectId, ObjectKind};

/// Compares the notes of the target with the commits of the changesets, if they were asked for.
pub(super) fn compare(
    context: &Context<'_>,
    commits: &Commits,
    differences: &mut Differences,
) -> Result<(), VerifyError> {
    if !context.options.notes || commits.is_empty() {
        return Ok(());
    }
    let Some(tip) = context.target.reference(HG_NOTES)? else {
        differences.add(Difference::NotesMissing { name: HG_NOTES });
        return Ok(());
    };
    let notes = notes(context, tip, differences)?;
    let changelog = context.source.changelog();
    let mut expected: HashMap<ObjectId, ObjectId> = HashMap::new();
    for node in context.source.view().served().iter().map(|rev| changelog.node(rev)) {
        if let Some(commit) = commits.get(&node) {
            let note = ObjectId::of(ObjectKind::Blob, node.to_string().as_bytes());
            expected.insert(*commit, note);
        }
    }
    let mut wrong: Vec<_> = expected
        .iter()
        .filter(|(commit, note)| notes.get(&commit.to_string()) != Some(*note))
        .collect();
    wrong.sort_unstable();
    for (commit, _) in wrong {
        differences.add(Difference::NoteDiffers { commit: *commit });
    }
    Ok(())
}

/// The notes: the id of a commit, and that of the blob that is its note.
fn notes(
    context: &Context<'_>,
    tip: ObjectId,
    differences: &mut Differences,
) -> Result<HashMap<String, ObjectId>, VerifyError> {
    let mut notes = HashMap::new();
    let mut folders = vec![(String::new(), context.target.tree_of(tip)?)];
    while let Some((above, tree)) = folders.pop() {
        context.interrupt.check()?;
        let Some((ObjectKind::Tree, contents)) = context.target.read(tree)? else {
            differences.add(Difference::NotesTreeMissing { tree });
            continue;
        };
        for entry in entries(&contents).map_while(Result::ok) {
            let name = format!("{above}{}", entry.name.to_str_lossy());
            // No commit has a longer id.
            match entry.is_directory && name.len() < 40 {
                true => folders.push((name, entry.id)),
                false => drop(notes.insert(name, entry.id)),
            }
        }
    }
    Ok(notes)
}
