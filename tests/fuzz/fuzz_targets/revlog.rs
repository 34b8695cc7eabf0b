//! Revlogs of every version: index, chunks, chains of deltas; and the changelog in one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::hg::revlog::{Revlog, RevlogError, Storage};
use synchroniser::hg::{BranchTable, Changelog, RevSet};
use synchroniser_fuzz::{Input, limits, told};

/// Every accessor; the text of each revision is the same in whatever order they are read.
fn check(revlog: &Revlog) -> Result<(), RevlogError> {
    let mut reader = revlog.reader();
    let mut texts = Vec::new();
    for rev in revlog.revs() {
        let node = revlog.node(rev)?;
        let found = revlog.rev(node).expect("its node is there");
        assert!(found <= rev && revlog.node(found)? == node);
        match revlog.entry(rev) {
            Ok(entry) => {
                assert!(!matches!(entry.storage, Storage::Delta(Some(base)) if base >= rev));
                assert!(entry.parents.iter().flatten().all(|parent| *parent < rev));
            }
            Err(error) => told(&error),
        }
        if let Err(error) = revlog.parent_nodes(rev) {
            told(&error);
        }
        match reader.text_and_delta(rev) {
            Ok((text, delta)) => {
                assert!(text.len() <= limits().revision_bytes);
                if let Some((base, delta)) = delta {
                    let base = reader.unchecked_text(base)?;
                    assert_eq!(delta.apply(&base).as_ref(), Ok(&*text));
                }
                texts.push((rev, text));
            }
            Err(error) => told(&error),
        }
        if let Err(error) = reader.text(rev) {
            told(&error);
        }
    }
    let mut again = revlog.reader();
    for (rev, text) in texts.iter().rev().take(16) {
        assert_eq!(again.unchecked_text(*rev)?, *text);
    }
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let stored = input.part().to_vec();
    let index = input.rest().to_vec();
    let revlog = match Revlog::from_bytes("fuzzed", index, stored, &limits()) {
        Ok(revlog) => revlog,
        Err(error) => return told(&error),
    };
    if let Err(error) = check(&revlog) {
        panic!("what was read once is not read again: {error}");
    }
    let Ok(changelog) = Changelog::new(revlog) else { return };
    let mut table = BranchTable::default();
    let all = RevSet::full(changelog.dag().len());
    match table.fill(&changelog, &all) {
        Ok(_) => {
            let bytes = table.to_bytes(&changelog);
            assert_eq!(BranchTable::from_bytes(&bytes, &changelog), table);
        }
        Err(error) => told(&error),
    }
});
