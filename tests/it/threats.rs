//! The table of threats in `docs/threats.md`: each test and file that it names is there.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::support::files_below;

/// Modules and functions below `folder`, as `cargo test` names them.
fn names(folder: &Path) -> HashSet<String> {
    let mut names = HashSet::new();
    for path in
        files_below(folder).iter().filter(|path| path.extension().is_some_and(|it| it == "rs"))
    {
        let relative = path.strip_prefix(folder).unwrap().with_extension("");
        let parts =
            relative.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod");
        let module = parts.collect::<Vec<_>>().join("::");
        for line in fs::read_to_string(path).unwrap().lines() {
            if let Some(rest) = line.trim().strip_prefix("fn ") {
                let name = rest.split('(').next().unwrap();
                names.insert(format!("{module}::{name}"));
                names.insert(format!("{module}::tests::{name}"));
            }
        }
        names.insert(module);
    }
    names
}

#[test]
fn tests_that_the_table_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let there: HashSet<_> =
        ["src", "tests/it"].iter().flat_map(|folder| names(&root.join(folder))).collect();
    let table = fs::read_to_string(root.join("docs/threats.md")).unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut named = 0;
    for row in rows {
        let tests = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let mut of_row = 0;
        for name in tests.split('`').skip(1).step_by(2) {
            let is_file = name.contains('/') && root.join(name).exists();
            assert!(is_file || there.contains(name), "{name} is not there:\n{row}");
            of_row += 1;
        }
        assert!(of_row > 0 || row.starts_with("| ---"), "no test is named:\n{row}");
        named += of_row;
    }
    assert!(named > 40, "{named}");
}
