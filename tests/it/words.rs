//! What sources, tests and documents must not say: names of the machine that they were written on, and
//! words that were given up for those of Mercurial and Git.

use std::path::{Path, PathBuf};

use crate::layers::{assert_none, root};
use crate::support::files_below;

/// Places of the machine that something was written on, and of other folders than our own.
const PLACES: [&str; 5] = ["../shared", "/work/", "/root/", "/home/", ".cargo/registry"];

/// Where a place is meant as such: the file, and the place.
const PLACES_MEANT: [(&str, &str); 1] = [
    // The folder that CI looks for a corpus in.
    (".ci/run", "../shared"),
];

/// Words that were given up, in lower case; a word that begins with one counts. What is said instead
/// is in the second column.
const WORDS: [(&str, &str); 12] = [
    ("graft", "adopt, adoption"),
    ("stranger", "unmatched"),
    ("likeness", "delta hint"),
    ("handing", "pipeline, batches"),
    ("ticket", "receipt"),
    ("workspace", "cache"),
    ("takeover", "adoption"),
    ("ledger of jobs", "store"),
    ("riddle", ""),
    ("puppet", "substitute"),
    ("board", "queue, store"),
    ("makes no sense", "malformed, not valid"),
];

/// Words that only documents do not use: sources name types of Rust and functions of libgit2 so.
const WORDS_OF_DOCUMENTS: [(&str, &str); 1] = [("references", "refs")];

/// What may be said although a word is in it: names of Cargo and of cargo-deny.
const MEANT: [&str; 3] = ["RUSTC_WORKSPACE_WRAPPER", "[workspace]", "unmaintained = \"workspace\""];

/// Everything that is text and ours, by its path below the root.
fn texts() -> Vec<(String, String)> {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["src", "benches", "tests", "docs", "fixtures", "packaging", ".ci"] {
        let folder = root().join(folder);
        if folder.is_dir() {
            files.extend(files_below(&folder));
        }
    }
    let more = ["README.md", "SHORTCOMINGS.md", "Cargo.toml", "deny.toml"];
    files.extend(more.map(|name| root().join(name)));
    let is_text = |path: &PathBuf| {
        let suffix = path.extension().map(|suffix| suffix.to_string_lossy().into_owned());
        let of_ours = ["rs", "md", "toml", "py", "sh", "service", "sysusers", "tmpfile"];
        let is_ours = suffix.is_none_or(|suffix| of_ours.contains(&suffix.as_str()));
        // This file has to name what it looks for.
        is_ours && !path.ends_with("tests/it/words.rs")
    };
    let texts: Vec<_> = files
        .into_iter()
        .filter(is_text)
        .filter_map(|path| {
            let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
            Some((name, std::fs::read_to_string(path).ok()?))
        })
        .collect();
    assert!(texts.len() > 200, "only {} texts found", texts.len());
    let kinds = ["src/lib.rs", "docs/targets.md", "packaging/synchroniser.service", ".ci/run"];
    for name in kinds.into_iter().chain(more) {
        assert!(texts.iter().any(|(found, _)| found == name), "{name} is not read");
    }
    texts
}

fn is_meant(name: &str, place: &str) -> bool {
    PLACES_MEANT.iter().any(|(file, of)| *file == name && *of == place)
}

/// Whether a line names `place`: as a whole path or the beginning of one, and not in the middle of it.
fn names_place(line: &str, place: &str) -> bool {
    let inside =
        |before: Option<char>| before.is_some_and(|c| c.is_alphanumeric() || "-_.}".contains(c));
    line.match_indices(place).any(|(at, _)| !inside(line[..at].chars().next_back()))
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let mut problems = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let found = PLACES.iter().filter(|place| names_place(line, place));
            for place in found.filter(|place| !is_meant(&name, place)) {
                problems.push(format!("{name}:{}: {place}", number + 1));
            }
        }
    }
    assert_none(&problems);
}

/// The words of a line in lower case, those of a name like `OldWord` or `old_word` too.
fn has_word(line: &str, word: &str) -> bool {
    let lower = line.to_lowercase();
    lower.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let first = line.get(at..).and_then(|rest| rest.chars().next());
        let is_hump =
            first.is_some_and(char::is_uppercase) && before.is_some_and(char::is_lowercase);
        is_hump || !before.is_some_and(char::is_alphanumeric)
    })
}

#[test]
fn words_that_were_given_up_are_gone() {
    let mut problems = Vec::new();
    for (name, text) in texts() {
        for (number, line) in text.lines().enumerate() {
            let line = MEANT.iter().fold(line.to_owned(), |line, meant| line.replace(meant, ""));
            let is_document = Path::new(&name).extension().is_some_and(|ending| ending == "md");
            let more = WORDS_OF_DOCUMENTS.iter().filter(|_| is_document);
            let words = WORDS.iter().chain(more);
            for (word, instead) in words.filter(|(word, _)| has_word(&line, word)) {
                problems.push(format!("{name}:{}: {word}, better {instead}", number + 1));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn words_are_found_in_names_too() {
    for line in ["a graft", "Grafts", "GRAFTED", "is_graft", "NoGraft", "(graft)"] {
        assert!(has_word(line, "graft"), "{line}");
    }
    assert!(!has_word("engrafted", "graft"));
    assert!(names_place("in /work/x", "/work/") && names_place("\"/work/x\"", "/work/"));
    assert!(!names_place("a/work/x", "/work/"));
}

/// What is skipped is said through `support::skip`, which fails where nothing may be.
#[test]
fn nothing_is_skipped_in_another_way() {
    let mut problems = Vec::new();
    for (name, text) in texts() {
        if name.starts_with("tests/it/") && name != "tests/it/support/mod.rs" {
            let number = text.lines().position(|line| line.contains("\"skipped"));
            problems.extend(number.map(|number| format!("{name}:{}", number + 1)));
        }
    }
    assert_none(&problems);
}
