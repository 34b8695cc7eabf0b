//! The sources against the rules of `src/README.md`: who may use whom, where a crate is at home,
//! how long a file may be.

mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The layers from the bottom up, and what each may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("net", &["base"]),
    ("hg", &["base", "net"]),
    ("git", &["base", "net"]),
    ("convert", &["base", "hg", "git"]),
    ("mirror", &["base", "net", "hg", "git", "convert"]),
    ("queue", &["base"]),
    ("hook", &["base"]),
    // It resolves into the options of the layers it configures.
    ("config", &["base", "net", "hg", "git", "convert", "mirror", "queue", "hook"]),
    ("daemon", &["base", "mirror", "queue", "hook", "config"]),
    (
        "cli",
        &["base", "net", "hg", "git", "convert", "mirror", "queue", "hook", "config", "daemon"],
    ),
];

/// Crates that only one layer may name.
const HOMES: &[(&str, &str)] = &[
    ("bzip2", "base"),
    ("clap", "cli"),
    ("crc32fast", "base"),
    ("flate2", "base"),
    ("libdeflater", "base"),
    ("git2", "git"),
    ("indicatif", "cli"),
    ("sha1", "base"),
    ("tar", "cli"),
    ("tokio", "daemon"),
    ("toml", "config"),
    ("tracing_subscriber", "cli"),
    ("ureq", "net"),
    ("warp", "daemon"),
    ("zstd", "base"),
];

/// Lines of a file without its tests.
const MAX_LINES: usize = 400;
/// Files that may be longer, because they are tables.
const TABLES: &[&str] = &[];

/// Places of the machine that something was written on.
const PLACES: &[&str] = &["../shared", "/work/", "/root/", "/home/", ".cargo/registry"];

struct Source {
    /// Below `src/`.
    path: PathBuf,
    text: String,
}

impl Source {
    /// The first folder, or the name of a file at the top.
    fn layer(&self) -> String {
        let first = self.path.iter().next().unwrap().to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    fn shown(&self) -> String {
        format!("src/{}", self.path.display())
    }

    /// How many modules this one is below the crate's root.
    fn depth(&self) -> usize {
        let folders = self.path.iter().count() - 1;
        let is_folder = self.path.file_name().is_some_and(|name| name == "mod.rs");
        folders + usize::from(!is_folder)
    }

    /// The layers that it names, itself left out.
    fn layers_used(&self) -> BTreeSet<String> {
        let known = |name: &String| LAYERS.iter().any(|(layer, _)| layer == name);
        rust::paths(&self.text)
            .into_iter()
            .filter_map(|path| rust::in_crate(&path, self.depth()))
            .filter(|name| known(name) && *name != self.layer())
            .collect()
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path, extension));
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn sources() -> Vec<Source> {
    let src = root().join("src");
    let read = |path: PathBuf| Source {
        text: std::fs::read_to_string(&path).unwrap(),
        path: path.strip_prefix(&src).unwrap().to_owned(),
    };
    let sources: Vec<_> = files_below(&src, "rs").into_iter().map(read).collect();
    assert!(sources.len() > 20, "only {} sources found", sources.len());
    sources
}

fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_table_points_downward_only() {
    for (position, (layer, uses)) in LAYERS.iter().enumerate() {
        for used in *uses {
            let below = LAYERS[..position].iter().any(|(other, _)| other == used);
            assert!(below, "{layer} may use {used}, which is not below it");
        }
    }
}

#[test]
fn every_module_is_a_layer() {
    let layers: BTreeSet<String> = sources().iter().map(Source::layer).collect();
    let mut expected: BTreeSet<String> =
        LAYERS.iter().map(|(layer, _)| (*layer).to_owned()).collect();
    expected.extend(["lib".to_owned(), "main".to_owned()]);
    assert_eq!(layers, expected);
}

#[test]
fn a_layer_uses_only_what_it_may() {
    let mut problems = Vec::new();
    for source in sources() {
        let Some((layer, uses)) = LAYERS.iter().find(|(layer, _)| *layer == source.layer()) else {
            continue;
        };
        for used in source.layers_used() {
            if !uses.contains(&used.as_str()) {
                problems.push(format!("{}: {layer} may not use {used}", source.shown()));
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn a_crate_is_named_in_its_home_only() {
    let mut problems = Vec::new();
    for source in sources() {
        for name in rust::crates(&source.text) {
            let home = HOMES.iter().find(|(crate_name, _)| *crate_name == name);
            if let Some((_, home)) = home.filter(|(_, home)| source.layer() != *home) {
                problems.push(format!("{}: {name} is at home in {home}", source.shown()));
            }
        }
    }
    assert_none(&problems);
}

/// A home that is wrong, or a dependency that nobody uses, shows here.
#[test]
fn every_crate_with_a_home_is_used_there() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        for name in rust::crates(&source.text) {
            used.entry(name).or_default().insert(source.layer());
        }
    }
    for (name, home) in HOMES {
        assert!(used.get(*name).is_some_and(|layers| layers.contains(*home)), "{name} in {home}");
    }
}

#[test]
fn files_are_short() {
    let mut problems = Vec::new();
    for source in sources() {
        let lines = source.text.lines().take_while(|line| *line != "#[cfg(test)]").count();
        let excepted = TABLES.iter().any(|table| Path::new(table) == source.path);
        if lines > MAX_LINES && !excepted {
            problems.push(format!("{}: {lines} lines", source.shown()));
        }
    }
    assert_none(&problems);
}

#[test]
fn nothing_names_the_machine_it_was_written_on() {
    let mut problems = Vec::new();
    let mut files = files_below(&root().join("src"), "rs");
    for (folder, extension) in [
        ("src", "md"),
        ("src", "toml"),
        ("fixtures", "py"),
        ("fixtures", "sh"),
        ("fixtures", "md"),
        ("tests/fuzz", "rs"),
    ] {
        files.extend(files_below(&root().join(folder), extension));
    }
    files.extend(["README.md", ".ci/run", "tests/fuzz/run"].map(|name| root().join(name)));
    for path in files {
        // A published crate has no `.ci`.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for place in PLACES.iter().filter(|place| text.contains(**place)) {
            problems.push(format!("{}: {place}", path.display()));
        }
    }
    assert_none(&problems);
}

/// A fuzz target that is not built finds nothing, and neither does one alone: each has a row in the
/// table of what is cut and flipped.
#[test]
fn every_fuzz_target_is_in_the_list() {
    let folder = root().join("tests/fuzz");
    let list = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let targets = files_below(&folder.join("fuzz_targets"), "rs");
    let table = root().join("tests/it/hostile/decoders.rs");
    let table = std::fs::read_to_string(table).unwrap();
    assert!(targets.len() > 10, "only {} targets found", targets.len());
    for path in targets {
        let name = path.file_stem().unwrap().to_string_lossy();
        let entry = format!("[[bin]]\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\"\n");
        assert!(list.contains(&entry), "{name} is not in tests/fuzz/Cargo.toml");
        let row = format!("\"{name}\",");
        assert!(table.contains(&row), "{name} has no row in tests/it/hostile/decoders.rs");
    }
}

/// With one binary a test file that nobody lists is a test that never runs.
#[test]
fn every_test_file_is_in_the_list() {
    let folder = root().join("tests/it");
    let list = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for path in files_below(&folder, "rs") {
        let below = path.strip_prefix(&folder).unwrap();
        let module = below.iter().next().unwrap().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        let listed = module == "main" || list.contains(&format!("\nmod {module};\n"));
        assert!(listed, "{} is not in tests/it/main.rs", below.display());
    }
}
