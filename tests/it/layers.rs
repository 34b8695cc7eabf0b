//! The sources against the rules of `src/README.md`: who may use whom, where a crate is at home,
//! how long a file may be.

mod circles;
mod rust;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A row of the table of layers in `src/README.md`.
struct Layer {
    name: String,
    /// The layers that it may use, and whether each must be used: "all" allows, a list says what is.
    uses: BTreeSet<String>,
    is_list: bool,
    /// The crates that no other layer may name.
    crates: BTreeSet<String>,
}

/// What the table calls the row of crates that every layer may name.
const ANY: &str = "any";

/// Names between backticks or commas, as code spells those of crates.
fn names(cell: &str) -> BTreeSet<String> {
    let names = cell.split(',').map(|name| name.trim().trim_matches('`').replace('-', "_"));
    names.filter(|name| !name.is_empty()).collect()
}

/// The table in `src/README.md`: the layers from the bottom up, and the crates that any may name.
fn table() -> (Vec<Layer>, BTreeSet<String>) {
    let text = std::fs::read_to_string(root().join("src/README.md")).unwrap();
    parse(&text)
}

fn parse(text: &str) -> (Vec<Layer>, BTreeSet<String>) {
    const HEADER: &str = "| layer | is | may use | only home of |";
    let rows = text.lines().skip_while(|line| *line != HEADER).skip(2);
    let rows: Vec<[&str; 4]> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
            cells.try_into().unwrap_or_else(|_| panic!("not four cells: {line}"))
        })
        .collect();
    let name = |row: &[&str; 4]| row[0].trim_matches('`').to_owned();
    let all: Vec<String> = rows.iter().map(name).filter(|name| name != ANY).collect();
    let (mut layers, mut any) = (Vec::new(), BTreeSet::new());
    for row in rows {
        let (name, crates) = (name(&row), names(row[3]));
        if name == ANY {
            any = crates;
            continue;
        }
        let above = all.iter().take_while(|other| **other != name).cloned();
        let (uses, is_list) = match row[2] {
            "all" | "all above" => (above.collect(), false),
            list => (names(list), true),
        };
        layers.push(Layer { name, uses, is_list, crates });
    }
    (layers, any)
}

fn layers() -> Vec<Layer> {
    let (layers, _) = table();
    assert!(layers.len() > 5, "only {} layers in the table", layers.len());
    layers
}

/// The crates of `Cargo.toml`, as code names them.
fn dependencies() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = text.parse().unwrap();
    let tables = manifest.iter().filter(|(key, _)| *key == "dependencies");
    let tables = tables.filter_map(|(_, table)| table.as_table());
    tables.flat_map(|table| table.keys().map(|name| name.replace('-', "_"))).collect()
}

/// Lines of a file without its tests.
const MAX_LINES: usize = 400;
/// Files that may be longer, because they are tables.
const TABLES: &[&str] = &[];

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
    fn layers_used(&self, layers: &[Layer]) -> BTreeSet<String> {
        let known = |name: &String| layers.iter().any(|layer| layer.name == *name);
        rust::paths(&self.text)
            .into_iter()
            .filter_map(|path| rust::in_crate(&path, self.depth()))
            .filter(|name| known(name) && *name != self.layer())
            .collect()
    }
}

pub(crate) fn root() -> &'static Path {
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

pub(crate) fn assert_none(problems: &[String]) {
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn the_table_points_downward_only() {
    let layers = layers();
    for (position, layer) in layers.iter().enumerate() {
        for used in &layer.uses {
            let below = layers[..position].iter().any(|other| other.name == *used);
            assert!(below, "{} may use {used}, which is not above it in the table", layer.name);
        }
    }
}

#[test]
fn every_module_is_a_layer() {
    let found: BTreeSet<String> = sources().iter().map(Source::layer).collect();
    let mut expected: BTreeSet<String> = layers().into_iter().map(|layer| layer.name).collect();
    expected.extend(["lib".to_owned(), "main".to_owned()]);
    assert_eq!(found, expected);
}

/// What the table allows is what is used, unless it allows all.
#[test]
fn a_layer_uses_what_the_table_says() {
    let layers = layers();
    let mut problems = Vec::new();
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for source in &sources() {
        let Some(layer) = layers.iter().find(|layer| layer.name == source.layer()) else {
            continue;
        };
        for name in source.layers_used(&layers) {
            if !layer.uses.contains(&name) {
                problems.push(format!("{}: {} may not use {name}", source.shown(), layer.name));
            }
            used.entry(&layer.name).or_default().insert(name);
        }
    }
    for layer in layers.iter().filter(|layer| layer.is_list) {
        let unused = layer.uses.iter();
        let unused = unused
            .filter(|name| !used.get(layer.name.as_str()).is_some_and(|used| used.contains(*name)));
        problems.extend(unused.map(|name| format!("{} uses nothing of {name}", layer.name)));
    }
    assert_none(&problems);
}

#[test]
fn every_dependency_has_one_home() {
    let (layers, any) = table();
    let homes: Vec<&String> = layers.iter().flat_map(|layer| &layer.crates).chain(&any).collect();
    let mut problems = Vec::new();
    let dependencies = dependencies();
    for name in &dependencies {
        match homes.iter().filter(|home| **home == name).count() {
            0 => problems.push(format!("{name} has no home in the table of src/README.md")),
            1 => {}
            more => problems.push(format!("{name} has {more} homes")),
        }
    }
    let strange = homes.into_iter().filter(|home| !dependencies.contains(*home));
    problems.extend(strange.map(|home| format!("{home} is no dependency")));
    assert_none(&problems);
}

#[test]
fn a_crate_is_named_in_its_home_only() {
    let layers = layers();
    let mut problems = Vec::new();
    for source in sources() {
        for name in rust::crates(&source.text) {
            let home = layers.iter().find(|layer| layer.crates.contains(&name));
            if let Some(home) = home.filter(|home| source.layer() != home.name) {
                problems.push(format!("{}: {name} is at home in {}", source.shown(), home.name));
            }
        }
    }
    assert_none(&problems);
}

/// A home that is wrong, or a dependency that nothing uses, shows here.
#[test]
fn every_crate_is_used_where_the_table_says() {
    let mut used: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for source in sources() {
        for name in rust::crates(&source.text) {
            used.entry(name).or_default().insert(source.layer());
        }
    }
    let (layers, any) = table();
    let mut problems = Vec::new();
    for layer in layers {
        let unused = layer.crates.iter();
        let unused =
            unused.filter(|name| !used.get(*name).is_some_and(|in_| in_.contains(&layer.name)));
        problems.extend(unused.map(|name| format!("{} does not use {name}", layer.name)));
    }
    // What one layer alone uses has its home there.
    for name in any {
        let count = used.get(&name).map_or(0, BTreeSet::len);
        if count < 2 {
            problems.push(format!("{name} is used in {count} layers, and any may use it"));
        }
    }
    assert_none(&problems);
}

/// The test fails whichever row is changed: the table that it reads is the one that people read.
#[test]
fn the_table_is_read_as_it_stands() {
    let text = "before\n\n| layer | is | may use | only home of |\n|---|---|---|---|\n\
                | `a` | x | | one-crate, two |\n| `b` | y | a | |\n| `c` | z | all above | `three` |\n\
                | any | | | four |\n\n| `d` | no row | | |\n";
    let (layers, any) = parse(text);
    let shown: Vec<_> = layers
        .iter()
        .map(|layer| {
            let joined =
                |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join("+");
            format!(
                "{} {} {} {}",
                layer.name,
                joined(&layer.uses),
                layer.is_list,
                joined(&layer.crates)
            )
        })
        .collect();
    assert_eq!(shown, ["a  true one_crate+two", "b a true ", "c a+b false three"]);
    assert_eq!(any, ["four".to_owned()].into());
}

/// What changes state on the disk, other than through `base::durable`, which tells tests of it.
const PAST_THE_SEAM: [&str; 6] = [
    ".sync_all(",
    ".sync_data(",
    "fs::rename(",
    "fs::remove_file(",
    "fs::remove_dir(",
    ".persist(",
];

/// Tools that write for people and leave nothing that a later run reads.
fn is_of_people(path: &Path) -> bool {
    path.starts_with("cli") || path == Path::new("base/durable.rs")
}

#[test]
fn state_changes_through_the_seam_only() {
    let mut problems = Vec::new();
    for source in sources() {
        let is_test = ["tests.rs", "testing.rs"].iter().any(|name| source.path.ends_with(name));
        if is_test || is_of_people(&source.path) {
            continue;
        }
        let lines = source.text.lines().take_while(|line| *line != "#[cfg(test)]");
        for (number, line) in lines.enumerate() {
            for call in PAST_THE_SEAM.iter().filter(|call| line.contains(**call)) {
                problems.push(format!("{}:{}: {call}", source.shown(), number + 1));
            }
        }
    }
    assert_none(&problems);
}

/// Code for tests only is in a module of tests: everything else is what users run.
#[test]
fn production_is_not_different_in_tests() {
    let mut problems = Vec::new();
    for source in sources() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let is_module = lines.get(number + 1).is_some_and(|next| {
                next.split_once("mod ").is_some_and(|(before, _)| before.len() < 20)
            });
            let code = line.split("//").next().unwrap_or_default();
            if code.contains("cfg(test)") && !is_module || code.contains("cfg!(test)") {
                problems.push(format!("{}:{}", source.shown(), number + 1));
            }
        }
    }
    assert_none(&problems);
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

/// The files that the modules from `root` on are in: each `mod name;` is `name.rs` or `name/mod.rs` in
/// the folder of the module that says so.
fn modules(root: &Path, folder: &Path) -> BTreeSet<PathBuf> {
    let text = std::fs::read_to_string(root).unwrap();
    let mut found = BTreeSet::from([root.to_owned()]);
    for line in text.lines() {
        let Some(name) = line.trim().strip_suffix(';') else { continue };
        let Some((visibility, name)) = name.split_once("mod ") else { continue };
        let is_declared = visibility.is_empty() || visibility.starts_with("pub");
        if !is_declared || name.contains(' ') {
            continue;
        }
        let below = folder.join(name);
        let file = [folder.join(format!("{name}.rs")), below.join("mod.rs")];
        let file = file.into_iter().find(|file| file.exists());
        let file = file.unwrap_or_else(|| panic!("{}: no file for {name}", root.display()));
        found.extend(modules(&file, &below));
    }
    found
}

/// A file that no module declares is code or a test that never runs.
#[test]
fn every_source_file_is_a_module() {
    for (folder, roots) in [("tests/it", &["main.rs"][..]), ("src", &["lib.rs", "main.rs"])] {
        let folder = root().join(folder);
        let declared: BTreeSet<_> =
            roots.iter().flat_map(|name| modules(&folder.join(name), &folder)).collect();
        let there: BTreeSet<_> = files_below(&folder, "rs").into_iter().collect();
        let left_out: Vec<_> =
            there.difference(&declared).map(|path| path.display().to_string()).collect();
        assert!(left_out.is_empty(), "no module declares these: {left_out:#?}");
        assert!(declared.len() > 40, "only {} modules found", declared.len());
    }
}
