//! The texts of changesets and files, and the table of branches that is kept between runs.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::base::{Limits, sha1};
use synchroniser::hg::revlog::Revlog;
use synchroniser::hg::{BranchTable, Changelog, Changeset, Rev, filelog};

fn changeset(text: &[u8]) {
    let Ok(changeset) = Changeset::parse(text) else { return };
    assert!(text.ends_with(&changeset.description));
    assert!(!changeset.user.contains(&b'\n'));
    assert!(changeset.files.iter().all(|file| !file.is_empty() && !file.contains(&b'\n')));
    for (key, value) in &changeset.extra {
        let key = std::str::from_utf8(key).unwrap_or_default();
        let _ = (changeset.extra(key), value);
    }
    let _ = (changeset.branch(), changeset.closes_branch());
}

fn file(text: &[u8]) {
    let Some(length) = filelog::metadata_length(text) else {
        assert_eq!(filelog::contents(text), None);
        assert_eq!(filelog::copied_from(text), None);
        return;
    };
    assert_eq!(filelog::contents(text), Some(&text[length..]));
    if let Some(path) = filelog::copied_from(text) {
        assert!(length > path.len() && !path.contains(&b'\n'));
    }
}

/// A table whose checksum is right, and what is in it whatever.
fn table(body: &[u8]) {
    let empty = Revlog::empty("00changelog", &Limits::default());
    let changelog = Changelog::new(empty).expect("nothing is in it");
    let bytes = [body, &sha1::digest(&[body])].concat();
    let table = BranchTable::from_bytes(&bytes, &changelog);
    let again = BranchTable::from_bytes(&table.to_bytes(&changelog), &changelog);
    assert_eq!(again, table);
    let _ = (table.branch(Rev::new(0)), table.closes(Rev::new(0)));
}

fuzz_target!(|data: &[u8]| {
    changeset(data);
    file(data);
    table(data);
});
