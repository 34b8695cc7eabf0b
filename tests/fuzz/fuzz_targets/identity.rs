//! Commits under every identity, whatever people typed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::convert::identity::{CopiedFile, Facts, IDENTITIES, Place};
use synchroniser::git::ObjectId;
use synchroniser::git::tree::Mode;
use synchroniser::git::tree_name::forbidden_path;
use synchroniser::hg::{Changeset, Date, Node};
use synchroniser_fuzz::{Input, fsck};

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let node = Node::from_bytes([0xa5; 20]);
    let date = Date { seconds: input.long(), west: input.long() };
    let parents = usize::from(input.byte() % 4);
    let (user, description) = (input.part().into(), input.part().into());
    let mut changeset =
        Changeset { manifest: node, user, date, files: Vec::new(), extra: Vec::new(), description };
    let mut copies = Vec::new();
    while !input.is_empty() && copies.len() + changeset.extra.len() < 20 {
        match input.byte() % 3 {
            0 => copies.push(CopiedFile { to: input.part().into(), from: input.part().into() }),
            1 => changeset.files.push(input.part().into()),
            _ => changeset.extra.push((input.part().into(), input.part().into())),
        }
    }
    let parents = vec![ObjectId::NULL; parents];
    let tree = ObjectId::from_bytes([0x5a; 20]);
    for identity in IDENTITIES {
        let copies = if identity.records_copies() { &copies[..] } else { &[] };
        let facts = Facts { node, changeset: &changeset, tree, parents: &parents, copies };
        let bytes = identity.commit(&facts).to_bytes();
        assert_eq!(identity.commit(&facts).to_bytes(), bytes);
        assert!(bytes.starts_with(format!("tree {tree}\n").as_bytes()));
        if identity.names_changesets() {
            assert_eq!(identity.node_of(&bytes), Some(node));
        }
        if identity.name() == "native" {
            assert_eq!(fsck::commit(&bytes), Ok(()), "{:?}", bstr::BStr::new(&bytes));
        }
        for path in &changeset.files {
            let file = identity.place(path.as_ref(), Mode::Regular);
            assert_eq!(identity.place(path.as_ref(), Mode::Executable), file);
            let link = identity.place(path.as_ref(), Mode::Symlink);
            assert!(link == file || matches!(link, Place::Nowhere | Place::LeftOut(_)));
            if identity.name() == "native" && file == Place::Same {
                assert_eq!(forbidden_path(path.as_ref()), None);
            }
        }
    }
});
