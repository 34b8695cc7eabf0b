//! `docs/errors.md` lists every message of every error, with what can be done about it. It is made of the
//! sources: `SYNCHRONISER_WRITE_ERRORS=1 cargo test --test it error_index` writes it, and without the variable the
//! same test says whether it is stale.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

mod source;

use std::collections::BTreeMap;
use std::fs;

use source::{Diagnosed, errors};

use crate::layers::root;
use crate::support::files_below;

/// Where it is.
const PAGE: &str = "docs/errors.md";
/// What it begins with.
const HEAD: &str = "\
# Errors

Every message of every error, in alphabetical order, with what can be done about it. An error is printed as

    error at the source: failed to MESSAGE
      1: the cause, which is in this list too
    hint: what to do

and pages, logs and notifications have the same words. `…` stands for what is different each time. Look for the last
numbered line first: it is the cause of the others. `synchroniser doctor` looks for the usual mistakes.

- **class** decides the [exit code](exit-codes.md), and [when a sync is tried again](service.md#what-is-synced-when).
  Where it is *of the cause*, that of the error below it counts; a *detail* stands behind the colon of another message,
  whose row counts.
- **side** is where it is to be mended: at the *source*, at the *target*, or *here*, on the machine that runs
  synchroniser. Where there is none, it depends on whose file or server it is, and the first line of the error says it.
";

/// Everything that the sources say, by file.
fn all() -> Vec<Diagnosed> {
    let files = files_below(&root().join("src"));
    let sources = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let texts: Vec<_> = sources
        .filter(|path| !path.ends_with("tests.rs"))
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let end = text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len());
            (path.display().to_string(), text[..end].to_owned())
        })
        .collect();
    errors(&texts)
}

/// One cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "\\<").replace('*', "\\*")
}

fn page() -> String {
    let mut by_letter: BTreeMap<String, BTreeMap<String, Vec<Diagnosed>>> = BTreeMap::new();
    for error in all() {
        let letter = error.message.chars().next().filter(char::is_ascii_alphabetic);
        let letter = letter.map_or("Other".to_owned(), |letter| letter.to_uppercase().collect());
        by_letter.entry(letter).or_default().entry(error.message.clone()).or_default().push(error);
    }
    let mut page = HEAD.to_owned();
    for (letter, messages) in by_letter {
        page += &format!(
            "\n## {letter}\n\n| message | class | side | what to do |\n| --- | --- | --- | --- |\n"
        );
        for (message, errors) in messages {
            let joined = |of: fn(&Diagnosed) -> &Vec<String>| {
                let mut all: Vec<String> = Vec::new();
                for one in errors.iter().flat_map(of) {
                    if !all.contains(one) {
                        all.push(one.clone());
                    }
                }
                all
            };
            let (classes, sides) = (joined(|it| &it.classes), joined(|it| &it.sides));
            let hints: Vec<_> = joined(|it| &it.hints).iter().map(|hint| cell(hint)).collect();
            page += &format!(
                "| {} | {} | {} | {} |\n",
                cell(&message),
                classes.join(", "),
                sides.join(", "),
                hints.join("<br>")
            );
        }
    }
    page
}

#[test]
fn the_page_is_up_to_date() {
    let (made, path) = (page(), root().join(PAGE));
    if std::env::var_os("SYNCHRONISER_WRITE_ERRORS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let first = made.lines().zip(there.lines()).find(|(made, there)| made != there);
    assert!(
        made == there,
        "{PAGE} is stale, at {first:?}: SYNCHRONISER_WRITE_ERRORS=1 cargo test --test it error_index"
    );
}

/// Nothing is left out because it was not understood.
#[test]
fn every_error_is_read() {
    let all = all();
    let texts = files_below(&root().join("src"));
    let texts = texts.iter().filter_map(|path| fs::read_to_string(path).ok());
    let attributes: usize = texts.map(|text| text.matches("#[error(\"").count()).sum();
    let undiagnosed: Vec<_> =
        all.iter().filter(|error| error.classes.is_empty()).map(|error| &error.message).collect();
    assert!(undiagnosed.is_empty(), "no diagnosis was found of {undiagnosed:#?}");
    // Those that only pass on what is inside, and those of tests, are not among them.
    assert!(all.len() * 10 > attributes * 7, "{} of {attributes}", all.len());
    for known in ["find …, or get access to it", "read the secret in …"] {
        assert!(all.iter().any(|error| error.message == known), "{known}");
    }
}

#[test]
fn a_table_of_diagnoses_is_read() {
    let text = r#"
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A file.
    #[error("read {}: {{x}} \
             more", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Same(#[from] Other),
    #[error("push to {target}")]
    Push { target: String },
    #[error("rest")]
    Rest,
}

faults!(SampleError {
    Self::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => Config.at(Here).hint(format!(
        "look for {}, there", x.join(", ")
    )),
    Self::Read { source, .. } => io(source),
    Self::Push { .. } | Self::Same(_) => { UNTRUSTED.at(Target).hint(hint_of(x)) },
    _ => Internal,
});

#[derive(Debug, thiserror::Error)]
#[error("alone")]
pub(super) struct Alone;

faults!(Alone => Config.hint("do what it says"));
"#;
    let found = errors(&[("x.rs".to_owned(), text.to_owned())]);
    let shown: Vec<_> = found
        .iter()
        .map(|it| format!("{}; {:?} {:?} {:?}", it.message, it.classes, it.sides, it.hints))
        .collect();
    assert_eq!(
        shown,
        [
            r#"read …: {x} more; ["config", "*of the cause*"] ["here"] ["look for …, there"]"#,
            r#"push to …; ["config"] ["target"] ["depends on the cause: the error says it"]"#,
            r#"rest; ["internal"] [] []"#,
            r#"alone; ["config"] [] ["do what it says"]"#,
        ]
    );
}
