//! Modules of one folder that use each other in a circle.

use std::collections::{BTreeMap, BTreeSet};

use super::{Source, assert_none, rust, sources};

/// For each module, those beside it that it uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// The module of `folder` that a source is in or below; none for the folder's own `mod.rs`.
fn module(source: &Source, folder: &str) -> Option<String> {
    let below = source.path.strip_prefix(folder).ok()?;
    let name = below.iter().next()?.to_string_lossy().trim_end_matches(".rs").to_owned();
    (name != "mod").then_some(name)
}

/// The name after `crate::folder`, or after as many `super` as lead to the folder from `depth`.
fn beside<'p>(path: &'p [String], folder: &str, depth: usize) -> Option<&'p String> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    match path {
        [first, second, name, ..] if first == "crate" && second == folder => Some(name),
        _ if supers > 0 && supers == depth - 1 => path.get(supers),
        _ => None,
    }
}

fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// Which module of `folder` uses which. A name that its `mod.rs` re-exports counts as its module's.
fn uses(sources: &[Source], folder: &str) -> Uses {
    let mut found: Uses = sources
        .iter()
        .filter_map(|source| Some((module(source, folder)?, BTreeSet::new())))
        .collect();
    let top = format!("{folder}/mod.rs");
    let top = sources.iter().find(|source| source.path.as_os_str() == top.as_str()).unwrap();
    let re_exported: BTreeMap<String, String> = rust::paths(&top.text)
        .into_iter()
        .filter(|path| path.len() > 1 && found.contains_key(&path[0]))
        .map(|path| (path[path.len() - 1].clone(), path[0].clone()))
        .collect();
    for source in sources {
        let Some(module) = module(source, folder) else { continue };
        for path in rust::paths(without_tests(&source.text)) {
            let Some(name) = beside(&path, folder, source.depth()) else { continue };
            let used = if found.contains_key(name) { Some(name) } else { re_exported.get(name) };
            if let Some(used) = used.filter(|used| **used != module) {
                found.get_mut(&module).unwrap().insert(used.clone());
            }
        }
    }
    found
}

/// All that `module` uses, by way of others too.
fn reached(uses: &Uses, module: &str) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut left = vec![module.to_owned()];
    while let Some(module) = left.pop() {
        let new = uses[&module].iter().filter(|used| reached.insert((*used).clone()));
        left.extend(new.cloned());
    }
    reached
}

/// The modules that use each other in circles, those of one circle together.
fn circles(uses: &Uses) -> BTreeSet<String> {
    let reached: Uses = uses.keys().map(|name| (name.clone(), reached(uses, name))).collect();
    let circle = |name: &String| {
        let back = reached[name].iter().filter(|other| reached[*other].contains(name));
        back.cloned().collect::<Vec<_>>().join(", ")
    };
    reached.keys().map(circle).filter(|circle| !circle.is_empty()).collect()
}

#[test]
fn the_modules_of_convert_use_each_other_in_no_circle() {
    let uses = uses(&sources(), "convert");
    // Uses that the search must find; the last one is by a name that `mod.rs` re-exports.
    for (module, used) in [("engine", "planner"), ("planner", "input"), ("input", "idmap")] {
        assert!(uses[module].contains(used), "{module} uses {used}: {:?}", uses[module]);
    }
    let circles = circles(&uses);
    assert_none(&circles.into_iter().collect::<Vec<_>>());
}

#[test]
fn a_circle_is_found() {
    let uses = [("a", &["b"][..]), ("b", &["c"]), ("c", &["b", "d"]), ("d", &[])];
    let uses: Uses = uses
        .into_iter()
        .map(|(name, used)| (name.to_owned(), used.iter().map(|used| (*used).to_owned()).collect()))
        .collect();
    assert_eq!(circles(&uses), ["b, c".to_owned()].into());
}
