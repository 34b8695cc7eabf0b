//! What is made of the program and lies in the repository, for those who read it there and for packages: the
//! pages about keys and API, the configuration with every key, man pages, completions. A file that is old, missing
//! or left over fails a test; `SYNCHRONISER_GENERATE=1 cargo test --test it generated` writes all of them.

mod manual;

use std::collections::BTreeMap;
use std::path::Path;

use clap_complete::Shell;

use crate::layers::{assert_none, root};
use crate::support::files_below;

/// The folders in which everything is made.
const FOLDERS: [&str; 2] = ["packaging/man", "packaging/completions"];

/// Each file, by its path in the project.
fn files() -> BTreeMap<String, Vec<u8>> {
    let line = |text: String| format!("{}\n", text.trim_end()).into_bytes();
    let mut files = BTreeMap::from([
        ("docs/configuration-keys.md".to_owned(), line(synchroniser::config::reference())),
        ("docs/openapi.json".to_owned(), line(synchroniser::daemon::web::openapi())),
        ("packaging/examples/every-key.toml".to_owned(), line(synchroniser::config::template())),
        (
            "packaging/man/synchroniser.toml.5".to_owned(),
            manual::of_markdown(&synchroniser::config::reference()),
        ),
    ]);
    for (name, page) in manual::of_commands(synchroniser::cli::command_line()) {
        files.insert(format!("packaging/man/{name}"), page);
    }
    for (shell, name) in [
        (Shell::Bash, "synchroniser.bash"),
        (Shell::Zsh, "_synchroniser"),
        (Shell::Fish, "synchroniser.fish"),
    ] {
        let mut text = Vec::new();
        let mut commands = synchroniser::cli::command_line();
        clap_complete::generate(shell, &mut commands, "synchroniser", &mut text);
        files.insert(format!("packaging/completions/{name}"), text);
    }
    files
}

/// Files in the folders of what is made that are not made any more.
fn left_over(files: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let found = FOLDERS.iter().flat_map(|folder| files_below(&root().join(folder)));
    let found = found.map(|path| path.strip_prefix(root()).unwrap().display().to_string());
    found.filter(|name| !files.contains_key(name)).collect()
}

#[test]
fn generated_files_are_as_the_program_makes_them() {
    let files = files();
    assert!(files.len() > 30, "only {} files are made", files.len());
    if std::env::var_os("SYNCHRONISER_GENERATE").is_some() {
        for (name, bytes) in &files {
            let path = root().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        for name in left_over(&files) {
            std::fs::remove_file(root().join(name)).unwrap();
        }
    }
    let is_old =
        |name: &str, bytes: &[u8]| std::fs::read(root().join(name)).ok().as_deref() != Some(bytes);
    let mut problems: Vec<_> = files
        .iter()
        .filter(|(name, bytes)| is_old(name, bytes))
        .map(|(name, _)| format!("{name} is old or missing"))
        .collect();
    problems.extend(left_over(&files).into_iter().map(|name| format!("{name} is left over")));
    if !problems.is_empty() {
        problems
            .push("`SYNCHRONISER_GENERATE=1 cargo test --test it generated` makes them".to_owned());
    }
    assert_none(&problems);
}

/// The file that packages install is short, so that an update seldom asks about it; all that it shows is right.
#[test]
fn the_installed_configuration_is_one_with_its_examples() {
    let path = root().join("packaging/synchroniser.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().count() < 60, "this is for packaging/examples/every-key.toml");
    let parse = |text: &str| synchroniser::config::Config::parse(text, Path::new("x.toml"), None);
    assert!(parse(&text).unwrap().mirrors.is_empty());
    let is_example = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let examples: Vec<_> = text
        .lines()
        .map(|line| if is_example(&line) { line.trim_start_matches('#') } else { line })
        .collect();
    let config = parse(&examples.join("\n")).unwrap();
    assert_eq!(config.mirrors.len(), 1);
    assert_eq!(config.web.access.tokens.len(), 1);
}

/// The changelog of the Debian package begins with the version that is built.
#[test]
fn the_changelog_of_the_package_has_this_version() {
    let text = std::fs::read_to_string(root().join("packaging/debian/changelog")).unwrap();
    let first = text.lines().next().unwrap();
    let version = env!("CARGO_PKG_VERSION");
    assert!(first.starts_with(&format!("synchroniser ({version}-")), "{first}");
}
