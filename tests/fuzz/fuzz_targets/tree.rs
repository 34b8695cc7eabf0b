//! Trees and commits of a target, which may be damaged: read, and edited.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::git::ObjectId;
use synchroniser::git::commit::header;
use synchroniser::git::tree::{Directory, Edit, Mode, TreeEditor, entries};
use synchroniser_fuzz::trees::Trees;
use synchroniser_fuzz::{Input, told};

const FILE: Option<(Mode, ObjectId)> = Some((Mode::Regular, ObjectId::NULL));

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let root = input.part().to_vec();
    let below = input.part().to_vec();
    let commit = input.rest();
    for key in ["tree", "parent", "HG:node", ""] {
        let value = header(commit, key);
        assert!(value.is_none_or(|value| !value.contains(&b'\n')));
    }
    let mut length = 0;
    for entry in entries(&root).map_while(Result::ok) {
        assert!(!entry.name.contains(&0) && !entry.mode.contains(&b' '));
        length += entry.mode.len() + 1 + entry.name.len() + 1 + 20;
    }
    assert!(length <= root.len());
    let source = Trees { otherwise: Some(below), ..Trees::default() };
    let id = ObjectId::of(synchroniser::git::ObjectKind::Tree, &root);
    let source = Trees { held: [(id, root)].into(), ..source };
    let old = Directory::read(id, &source).expect("it is held");
    let names: Vec<_> =
        entries(&source.held[&id]).map_while(Result::ok).map(|e| e.name.to_vec()).collect();
    let mut paths: Vec<Vec<u8>> = vec![b"a/b/c".to_vec(), b"x".to_vec()];
    paths.extend(
        names
            .iter()
            .filter(|name| !name.is_empty() && !name.contains(&b'/'))
            .take(8)
            .map(|name| [name, &b"/new"[..]].concat()),
    );
    paths.sort_unstable();
    paths.dedup();
    for file in [FILE, None] {
        let edits: Vec<_> = paths.iter().map(|path| Edit { path, file }).collect();
        let mut written = Trees::default();
        let edited = TreeEditor { source: &source, writer: &mut written }.apply(&old, &edits);
        match edited {
            Ok(new) => assert!(new.id() == old.id() || written.held.contains_key(&new.id())),
            Err(error) => told(&error),
        }
    }
});
