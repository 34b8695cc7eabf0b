//! Stores that we write against stock Mercurial: what it says of them, and what it writes itself of
//! the same bundles.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use synchroniser::base::{Interrupt, Limits, NoProgress, RepoPath};
use synchroniser::hg::bundle::{Bundle, Content};
use synchroniser::hg::revlog::{Revlog, RevlogFiles};
use synchroniser::hg::store::Layout;
use synchroniser::hg::write::{Added, NewStore, WriteError, Writer};

use crate::support::corpus::Corpus;
use crate::support::{Fixture, Hg, Ran, TestEnv, env, for_all, same, skip, skipped};

/// An error on one line.
fn text(error: &dyn std::error::Error) -> String {
    synchroniser::base::fault::one_line(error)
}

/// Adds what is in the bundle at `file` to the repository at `root`.
fn add(root: &Path, file: &Path) -> Result<Added, WriteError> {
    let limits = Limits::default();
    let mut writer = Writer::open(root, &limits)?;
    let mut added = Added::default();
    let reader = std::io::BufReader::new(std::fs::File::open(file).unwrap());
    let mut bundle = Bundle::open(reader, &limits).unwrap();
    while let Some(mut part) = bundle.next_part().unwrap() {
        if let Content::Changegroup(mut group) = part.content().unwrap() {
            added = writer.add(&mut group, &NoProgress, &Interrupt::default())?;
        }
    }
    writer.commit()?;
    Ok(added)
}

/// The revlogs of a repository, as the list of its files has them.
fn revlogs(layout: &Layout) -> Result<Vec<(String, RevlogFiles)>, String> {
    let mut revlogs = vec![
        ("00changelog".to_owned(), layout.changelog()),
        ("00manifest".to_owned(), layout.manifest()),
    ];
    let list = layout.fncache_file().map(|file| std::fs::read(file).unwrap_or_default());
    let mut names = BTreeSet::new();
    for line in list.unwrap_or_default().lines() {
        let line =
            line.replace(".i.hg/", ".i/").replace(".d.hg/", ".d/").replace(".hg.hg/", ".hg/");
        names.insert(line);
    }
    for name in names.iter().filter_map(|name| name.strip_suffix(b".i")) {
        let found = match (name.strip_prefix(b"data/"), name.strip_prefix(b"meta/")) {
            (Some(path), _) => layout.filelog(RepoPath::new(path)),
            (_, Some(path)) => {
                let folder = path.strip_suffix(b"00manifest").ok_or("no manifest")?;
                layout.directory_manifest(RepoPath::new(folder))
            }
            _ => return Err(format!("a strange file: {:?}", name.as_bstr())),
        };
        revlogs.push((name.as_bstr().to_string(), found.map_err(|error| text(&error))?));
    }
    Ok(revlogs)
}

/// An error unless both repositories have the same revisions, in the same order, with the same texts.
fn same_contents(made: &Path, expected: &Path) -> Result<usize, String> {
    let limits = Limits::default();
    let layouts = [made, expected].map(|path| Layout::open(path, &limits).unwrap());
    let [left, right] = [revlogs(&layouts[0])?, revlogs(&layouts[1])?];
    let names =
        |list: &[(String, RevlogFiles)]| list.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    same("revlogs", &names(&left), &names(&right))?;
    let mut revisions = 0;
    for ((name, ours), (_, theirs)) in left.iter().zip(&right) {
        let open = |files| {
            let opened = Revlog::open(name, files, &limits).map_err(|error| text(&error));
            Ok::<_, String>(opened?.unwrap_or_else(|| Revlog::empty(name, &limits)))
        };
        let (ours, theirs) = (open(ours)?, open(theirs)?);
        same("revisions", &ours.len(), &theirs.len())?;
        let (mut our_texts, mut their_texts) = (ours.reader(), theirs.reader());
        for rev in ours.revs() {
            let told = |revlog: &Revlog| {
                let entry = revlog.entry(rev).map_err(|error| text(&error))?;
                Ok::<_, String>((
                    entry.node,
                    entry.parents,
                    entry.link,
                    entry.flags,
                    entry.text_length,
                ))
            };
            same(&format!("{name} {rev}"), &told(&ours)?, &told(&theirs)?)?;
            let made = our_texts.unchecked_text(rev).map_err(|error| text(&error))?;
            let expected = their_texts.unchecked_text(rev).map_err(|error| text(&error))?;
            if made != expected {
                return Err(format!("{name} {rev}: another text"));
            }
            revisions += 1;
        }
    }
    Ok(revisions)
}

/// An error unless `hg verify` finds nothing to say.
fn verify(hg: &Hg<'_>, repository: &Path) -> Result<(), String> {
    let ran = hg.run(repository, &["verify", "-q"]).with_code(0)?;
    match (ran.stdout.trim(), ran.stderr.trim()) {
        ("", "") => Ok(()),
        said => Err(format!("hg verify says {said:?}")),
    }
}

/// Bundles `source`, in whichever kind has all of it; `None` if there is nothing to bundle.
fn bundle(
    hg: &Hg<'_>,
    source: &Path,
    words: &[&str],
    name: &str,
) -> Result<Option<PathBuf>, String> {
    let requires = Layout::open(source, &Limits::default()).map_err(|error| text(&error))?;
    let trees = requires.requirements().has("treemanifest");
    let kind = if trees { "none-v2;cg.version=03" } else { "none-v2" };
    let file = hg.env.path(name);
    let words =
        [&["--hidden", "bundle", "-q", "-t", kind], words, &[file.to_str().unwrap()]].concat();
    let ran = match trees {
        // The compiled parts of Mercurial take a manifest of a directory for one of all.
        true => {
            let mut command = hg.env.command(&hg.program);
            command.env("HGMODULEPOLICY", "py").arg("-R").arg(source).args(&words);
            Ran::from(&command.output().unwrap())
        }
        false => hg.run(source, &words),
    };
    if ran.code == Some(1) && ran.stdout.is_empty() && ran.stderr.is_empty() {
        return Ok(None);
    }
    ran.ok().map(|_| Some(file))
}

/// What we make of a bundle of all of `source` is what `hg` makes of it.
fn check_whole(hg: &Hg<'_>, source: &Path) -> Result<(), String> {
    let Some(file) = bundle(hg, source, &["-a"], "all.hg")? else { return Ok(()) };
    let layout = Layout::open(source, &Limits::default()).map_err(|error| text(&error))?;
    let tree_manifests = layout.requirements().has("treemanifest");
    let (made, expected) = (hg.env.path("made"), hg.env.path("expected"));
    Writer::create(&made, &NewStore { tree_manifests }).map_err(|error| text(&error))?;
    let added = add(&made, &file).map_err(|error| text(&error))?;
    let trees = format!("experimental.treemanifest={tree_manifests}");
    hg.run(&made, &["--config", &trees, "init", expected.to_str().unwrap()]).ok()?;
    hg.run(&expected, &["unbundle", "-q", file.to_str().unwrap()]).ok()?;
    let revisions = same_contents(&made, &expected)? as u64;
    let counted = added.changesets.len() as u64 + added.manifests + added.file_revisions;
    same("revisions that were added", &counted, &revisions)?;
    let template =
        "{rev} {node} {p1node} {p2node} {branch} {author} {date|hgdate} {files}\n{desc}\n";
    let log = |path: &Path| hg.run(path, &["--hidden", "log", "--debug", "-T", template]).ok();
    same("log", &log(&made)?, &log(source)?)?;
    // Whoever has a damaged or odd history bundles one.
    if verify(hg, &expected).is_ok() { verify(hg, &made) } else { Ok(()) }
}

mod stores_made_of_the_fixtures {
    crate::support::each_fixture!(super::check_fixture);
}

fn check_fixture(fixture: &Fixture) -> Result<(), String> {
    let Some(program) = env::hg() else { return skipped("SYNCHRONISER_HG names no hg") };
    // See `oracle_bundles` for what Mercurial cannot bundle.
    let cannot = ["lying-files/", "largefiles-trees/", "censored/"];
    if !fixture.converts() || cannot.iter().any(|start| fixture.name.starts_with(start)) {
        return Ok(());
    }
    let env = TestEnv::new();
    check_whole(&Hg { env: &env, program }, &fixture.unpack(&env))
}

#[test]
fn stores_made_of_the_corpus() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(corpus) = Corpus::find() else { return };
    let check = |history: &crate::support::corpus::History| {
        if history.is_damaged() {
            return Ok(());
        }
        let hg = Hg { env: &history.env, program: program.clone() };
        check_whole(&hg, &history.source)
    };
    corpus.for_archives(check);
    corpus.for_bundles(check);
}

/// Bundles of `source` that hold its changesets bit by bit, `steps` of them.
fn in_steps(hg: &Hg<'_>, source: &Path, steps: usize) -> Result<Vec<PathBuf>, String> {
    let count = hg.run(source, &["--hidden", "log", "-T", "."]).ok()?.len();
    let mut files = Vec::new();
    let mut before = "null".to_owned();
    for step in 1..=steps {
        let Some(last) = (count * step / steps).checked_sub(1) else { continue };
        let revs = format!("0:{last}");
        let words = ["-r", revs.as_str(), "--base", before.as_str()];
        files.extend(bundle(hg, source, &words, &format!("step-{step}.hg"))?);
        before = revs;
    }
    Ok(files)
}

/// What we add bit by bit to an empty repository that `hg init` made with `config` is what `hg` adds.
fn check_steps(hg: &Hg<'_>, source: &Path, config: &[&str], steps: usize) -> Result<(), String> {
    let roots = ["made", "expected"].map(|name| hg.env.path(name));
    for root in &roots {
        let mut words: Vec<_> = config.iter().flat_map(|config| ["--config", *config]).collect();
        words.extend(["init", root.to_str().unwrap()]);
        hg.run(source, &words).ok()?;
    }
    let [made, expected] = &roots;
    let files = in_steps(hg, source, steps)?;
    for file in &files {
        add(made, file).map_err(|error| format!("{}: {}", file.display(), text(&error)))?;
        hg.run(expected, &["unbundle", "-q", file.to_str().unwrap()]).ok()?;
        same_contents(made, expected)?;
    }
    let added = add(made, files.first().ok_or("nothing to add")?).map_err(|error| text(&error))?;
    same("changesets that were there", &added.changesets.len(), &0)?;
    same_contents(made, expected)?;
    // Mercurial goes on where we have ended, and the other way round.
    std::fs::write(made.join("new"), "new").unwrap();
    hg.run(made, &["--config", "ui.username=me", "commit", "-q", "-A", "-m", "new"]).ok()?;
    verify(hg, made)
}

/// Stores in every format that we write.
#[test]
fn stores_grow_in_every_format() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let formats: [(&str, &[&str]); 9] = [
        ("default", &[]),
        ("zlib", &["format.revlog-compression=zlib"]),
        ("not compressed", &["format.revlog-compression=none"]),
        ("no general deltas", &["format.usegeneraldelta=no", "format.sparse-revlog=no"]),
        ("no dotencode", &["format.dotencode=no"]),
        ("no fncache", &["format.usefncache=no"]),
        ("no store", &["format.usestore=no"]),
        ("flags", &["format.use-delta-info-flags=yes"]),
        ("bookmarks", &["format.bookmarks-in-store=yes", "format.use-persistent-nodemap=yes"]),
    ];
    let sources = [Fixture::demo(), Fixture::named("renames")];
    let cases = formats.into_iter().zip(sources.iter().cycle());
    for_all(
        cases.map(|((name, config), source)| (name.to_owned(), (config, source))),
        |(config, source)| {
            let env = TestEnv::new();
            let hg = Hg { env: &env, program: program.clone() };
            check_steps(&hg, &source.unpack(&env), config, 3)
        },
    );
}

/// Ten steps of real histories.
#[test]
fn real_stores_grow_in_steps() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(corpus) = Corpus::find() else { return };
    for_all(["numexpr", "hotot", "hgtest-issue6528"].map(|name| (name.to_owned(), name)), |name| {
        let history = corpus.unpack("real", name)?;
        let hg = Hg { env: &history.env, program: program.clone() };
        check_steps(&hg, &history.source, &[], 10)
    });
}
