//! Bundles against stock Mercurial: what it says is in them, and what it makes of them.

use std::path::{Path, PathBuf};

use synchroniser::base::Limits;
use synchroniser::hg::bundle::{Bundle, Content, DeltaRevision, Group, Item};
use synchroniser::hg::revlog::{Revlog, RevlogReader};
use synchroniser::hg::{Changelog, Node, Repository};

use crate::support::bundle::{comparable, told};
use crate::support::{Fixture, Hg, TestEnv, env, for_all, same, skip, skipped};

/// What `hg debugbundle` says is what we read.
fn check_told(hg: &Hg<'_>, file: &Path) -> Result<(), String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let found = told(&bytes).map_err(|error| error.to_string())?;
    let expected =
        hg.run(file.parent().unwrap(), &["debugbundle", "--all", file.to_str().unwrap()]);
    let expected = comparable(&expected.ok()?);
    let differs = found.lines().zip(expected.lines()).find(|(left, right)| left != right);
    if found == expected { Ok(()) } else { Err(format!("{differs:?}")) }
}

/// The deltas of a bundle make the texts that are in the repository which Mercurial makes of it.
struct Applied<'r> {
    repository: &'r Repository,
    revisions: usize,
}

impl Applied<'_> {
    fn check(&mut self, bytes: &[u8]) -> Result<(), String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let mut bundle = Bundle::open(bytes, &Limits::default()).map_err(|error| text(&error))?;
        while let Some(mut part) = bundle.next_part().map_err(|error| text(&error))? {
            let content = part.content().map_err(|error| text(&error))?;
            let Content::Changegroup(mut group) = content else { continue };
            let mut items = Vec::new();
            while let Some(item) = group.next_item().map_err(|error| text(&error))? {
                if matches!(item, Item::Group(_)) && !items.is_empty() {
                    self.group(&std::mem::take(&mut items))?;
                }
                items.push(item);
            }
            self.group(&items)?;
        }
        Ok(())
    }

    fn group(&mut self, items: &[Item]) -> Result<(), String> {
        let Some((Item::Group(group), revisions)) = items.split_first() else {
            return Err("no group".to_owned());
        };
        let filelog;
        let revlog: &Revlog = match group {
            Group::Changelog => self.repository.changelog().revlog(),
            Group::Manifests => self.repository.manifests().revlog(),
            Group::Directory(path) => return Err(format!("a directory {path}")),
            Group::File(path) => {
                let found = self.repository.filelog(path.as_ref());
                filelog = found.map_err(|error| error.to_string())?.ok_or("no filelog")?;
                &filelog
            }
        };
        let mut reader = revlog.reader();
        for item in revisions {
            let Item::Revision(revision) = item else { return Err("two groups".to_owned()) };
            self.revision(&mut reader, revision)
                .map_err(|error| format!("{group:?} {}: {error}", revision.node))?;
        }
        Ok(())
    }

    fn revision(
        &mut self,
        reader: &mut RevlogReader<'_>,
        revision: &DeltaRevision,
    ) -> Result<(), String> {
        let (revlog, changelog): (_, &Changelog) = (reader.revlog(), self.repository.changelog());
        let rev = revlog.rev(revision.node).ok_or("no such node")?;
        let parents = revlog.parent_nodes(rev).map_err(|error| error.to_string())?;
        // Mercurial puts the parents of a file right where the first is null.
        let mut swapped = revision.parents;
        swapped.reverse();
        if swapped != parents {
            same("parents", &revision.parents, &parents)?;
        }
        let entry = revlog.entry(rev).map_err(|error| error.to_string())?;
        same("flags", &revision.flags, &entry.flags)?;
        let link = u32::try_from(entry.link).map_err(|error| error.to_string())?;
        same("link", &revision.link, &changelog.node(synchroniser::hg::Rev::new(link)))?;
        let base = match revision.base {
            Node::NULL => Vec::new(),
            base => {
                let base = revlog.rev(base).ok_or("no such base")?;
                reader.text(base).map_err(|error| error.to_string())?.to_vec()
            }
        };
        let made = revision.delta.apply(&base).map_err(|error| error.to_string())?;
        let text = reader.text(rev).map_err(|error| error.to_string())?;
        self.revisions += 1;
        if made == **text { Ok(()) } else { Err("another text".to_owned()) }
    }
}

/// How many revisions a bundle has, each of which is right.
fn check_applied(hg: &Hg<'_>, file: &Path) -> Result<usize, String> {
    let path = hg.env.path("unbundled");
    std::fs::create_dir_all(&path).map_err(|error| error.to_string())?;
    hg.run(&path, &["init", path.to_str().unwrap()]).ok()?;
    hg.run(&path, &["unbundle", "-q", file.to_str().unwrap()]).ok()?;
    let repository = Repository::open(&path, &Limits::default());
    let repository = repository.map_err(|error| error.to_string())?;
    let mut applied = Applied { repository: &repository, revisions: 0 };
    applied.check(&std::fs::read(file).map_err(|error| error.to_string())?)?;
    if applied.revisions == 0 { Err("nothing is in it".to_owned()) } else { Ok(applied.revisions) }
}

fn all_in(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    entries.map(|path| (name(&path), path)).collect()
}

#[test]
fn bundles_of_the_corpus() {
    let Some(corpus) = env::corpus() else { return };
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let mut files = all_in(&corpus.join("bundles"));
    files.push(("nginx".to_owned(), corpus.join("../bench/nginx.hg")));
    for_all(files, |file| {
        let env = TestEnv::new();
        let hg = Hg { env: &env, program: program.clone() };
        check_told(&hg, &file)?;
        check_applied(&hg, &file).map(|_| ())
    });
}

/// The kinds that an `hg` of today makes.
const KINDS: [&str; 7] = [
    "none-v1",
    "gzip-v1",
    "bzip2-v1",
    "none-v2;cg.version=03",
    "gzip-v2",
    "bzip2-v2;phases=true",
    "zstd-v2;obsolescence=true;phases=true;tagsfnodescache=true",
];

/// Every fixture that is whole, as a bundle of one kind or another.
mod bundles_of_the_fixtures {
    crate::support::each_fixture!(super::check_fixture);
}

fn check_fixture(fixture: &Fixture) -> Result<(), String> {
    let Some(program) = env::hg() else { return skipped("SYNCHRONISER_HG names no hg") };
    // Mercurial itself cannot bundle these: changesets that list their files wrongly, and tree manifests,
    // which it refuses in versions before 03 and where it ends with an exception in that one. No
    // version before 03 tells what is censored.
    let cannot = ["lying-files/", "treemanifest", "largefiles-trees/", "censored/"];
    if !fixture.converts() || cannot.iter().any(|start| fixture.name.starts_with(start)) {
        return Ok(());
    }
    // There are more fixtures than kinds, and each kind has its turn.
    let turn: usize = fixture.name.bytes().map(usize::from).sum();
    let kind = KINDS[turn % KINDS.len()];
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let source = fixture.unpack(&env);
    // There is no bundle of nothing, and none of files that are not there.
    if Repository::open(&source, &Limits::default()).is_ok_and(|it| it.changelog().dag().is_empty())
    {
        return Ok(());
    }
    let file = env.path("made.hg");
    let words = ["--hidden", "bundle", "-q", "-a", "-t", kind, file.to_str().unwrap()];
    hg.run(&source, &words).ok()?;
    // It does not tell all that is in one of version 03.
    if !kind.contains("03") {
        check_told(&hg, &file)?;
    }
    check_applied(&hg, &file).map(|_| ())
}
