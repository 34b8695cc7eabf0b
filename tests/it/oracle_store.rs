//! `hg::store` against stock Mercurial: `SYNCHRONISER_HG` names an `hg`.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use bstr::ByteSlice;
use synchroniser::base::{Fault, HasFault, Limits};
use synchroniser::hg::store::bookmarks::is_divergent;
use synchroniser::hg::store::branches::{Branches, branches};
use synchroniser::hg::store::fncache::Fncache;
use synchroniser::hg::store::tags::{TagsFile, compute};
use synchroniser::hg::store::{Layout, OpenError, ServedView, hgrc};
use synchroniser::hg::{Dag, Node, Rev, Serving};

use crate::support::{env, skip};

/// Stock `hg` in a folder of its own.
struct Hg {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Hg {
    /// `None`, and a word why, where there is no `hg`.
    fn find() -> Option<Self> {
        let Some(program) = std::env::var_os("SYNCHRONISER_HG") else {
            skip("SYNCHRONISER_HG names no hg");
            return None;
        };
        Some(Self { program: program.into(), home: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn command(&self, repo: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path(repo)).env_clear().stdin(Stdio::null());
        for (name, value) in [
            ("HGRCPATH", "/dev/null"),
            ("HGPLAIN", "1"),
            ("HGENCODING", "utf-8"),
            ("HGUSER", "u"),
            ("LC_ALL", "C.UTF-8"),
        ] {
            command.env(name, value);
        }
        command.env("HOME", self.home.path());
        command.args(["--config", "extensions.share=", "--config", "experimental.evolution=all"]);
        for config in [
            "http.timeout=60",
            "storage.dirstate-v2.slow-path=allow",
            "storage.revlog.persistent-nodemap.slow-path=allow",
        ] {
            command.args(["--config", config]);
        }
        command
    }

    /// What `hg ARGS` in the repository `repo` prints.
    fn bytes(&self, repo: &str, args: &[&str]) -> Vec<u8> {
        let output = self.command(repo).args(args).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "hg {args:?} in {repo}: {error}");
        output.stdout
    }

    /// The same as text, with what it says of errors, and whether it succeeded.
    fn try_run<S: AsRef<OsStr>>(&self, repo: &str, args: &[S]) -> (bool, String, String) {
        let output = self.command(repo).args(args).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    fn run<S: AsRef<OsStr>>(&self, repo: &str, args: &[S]) -> String {
        let (succeeded, stdout, stderr) = self.try_run(repo, args);
        let args: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        assert!(succeeded, "hg {args:?} in {repo}: {stdout}{stderr}");
        stdout
    }

    fn init(&self, repo: &str, config: &[&str]) {
        let mut args = vec!["init", repo];
        args.extend(config.iter().flat_map(|item| ["--config", item]));
        self.run("", &args);
    }

    /// Commits `text` as the file `name`; the words after the message go to `hg commit`.
    fn commit(&self, repo: &str, name: &str, text: &str, more: &[&str]) {
        let file = self.path(repo).join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
        let args = [&["commit", "-q", "-A", "-d", "0 0", "-m", text][..], more].concat();
        self.run(repo, &args);
    }

    fn open(&self, repo: &str) -> Result<Layout, OpenError> {
        Layout::open(&self.path(repo), &Limits::default())
    }
}

/// The history of a repository as `hg log --hidden` prints it.
struct History {
    dag: Dag,
    nodes: Vec<Node>,
    branch: Vec<String>,
    closes: Vec<bool>,
    at: HashMap<Node, Rev>,
}

impl History {
    fn read(hg: &Hg, repo: &str) -> Self {
        let template = concat!(
            "{node} {p1node} {p2node} ",
            r#"{if(get(extras, "close"), "true", "false")} {branch}\n"#
        );
        let text = hg.run(repo, &["log", "--hidden", "-r", "0:tip", "-T", template]);
        let mut history = Self {
            dag: Dag::new(),
            nodes: vec![],
            branch: vec![],
            closes: vec![],
            at: HashMap::new(),
        };
        // Without any changeset, `hg` shows the null one.
        for line in text.lines().filter(|line| !line.starts_with(&Node::NULL.to_string())) {
            let words: Vec<&str> = line.splitn(5, ' ').collect();
            let node = |i: usize| Node::from_hex(words[i].as_bytes()).unwrap();
            let parents = [1, 2].map(|i| history.at.get(&node(i)).copied());
            let rev = history.dag.push(parents).unwrap();
            history.at.insert(node(0), rev);
            history.nodes.push(node(0));
            history.closes.push(words[3] == "true");
            history.branch.push(words[4].to_owned());
        }
        history
    }

    fn view(&self, layout: &Layout) -> ServedView {
        let lookup = |node: Node| self.at.get(&node).copied();
        ServedView::read(layout, &Limits::default(), &self.dag, &lookup, Serving::default())
            .unwrap()
    }

    fn node(&self, rev: Rev) -> Node {
        self.nodes[rev.index()]
    }

    fn branches(&self, view: &ServedView) -> Branches {
        let name = |rev: Rev| (self.branch[rev.index()].as_bytes().as_bstr(), rev.number() + 1);
        branches(&self.dag, (view.served(), view.obsolete()), name, |rev| self.closes[rev.index()])
    }
}

/// `hg serve` on a free port; ended when dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(hg: &Hg, repo: &str) -> Self {
        let args = ["serve", "--address", "127.0.0.1", "--port", "0", "--accesslog", "/dev/null"];
        let mut child = hg.command(repo).args(args).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        // "listening at http://localhost:PORT/ (bound to 127.0.0.1:PORT)"
        let address = line.rsplit("(bound to ").next().unwrap().trim_end().trim_end_matches(')');
        Self { url: format!("http://{address}/"), child }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Branches, closed and reopened, merges, tags on two heads, bookmarks, and rewritten changesets.
fn make_busy_repository(hg: &Hg) {
    hg.init("busy", &[]);
    hg.commit("busy", "f", "0", &[]);
    hg.run("busy", &["phase", "-p", "0"]);
    for (branch, from) in [("stable", "0"), ("feature/x", "0"), ("late", "0")] {
        hg.run("busy", &["update", "-q", "-C", from]);
        hg.run("busy", &["branch", "-q", branch]);
        hg.commit("busy", branch, &format!("start {branch}"), &[]);
        hg.commit("busy", branch, &format!("go on with {branch}"), &[]);
    }
    hg.run("busy", &["commit", "-q", "--close-branch", "-m", "close late"]);
    hg.run("busy", &["update", "-q", "-C", "stable"]);
    hg.run("busy", &["merge", "-q", "feature/x"]);
    hg.run("busy", &["commit", "-q", "-m", "merge"]);
    hg.run("busy", &["tag", "-r", "0", "zero", "-d", "1 0"]);
    hg.run("busy", &["tag", "-r", "1", "moved", "-d", "2 0"]);
    hg.run("busy", &["tag", "-f", "-r", "2", "moved", "-d", "3 0"]);
    hg.run("busy", &["tag", "-r", "2", "removed", "-d", "4 0"]);
    hg.run("busy", &["tag", "--remove", "removed", "-d", "5 0"]);
    hg.run("busy", &["update", "-q", "-C", "default"]);
    hg.run("busy", &["tag", "-f", "-r", "0", "moved", "-d", "6 0"]);
    for i in 0..6 {
        hg.commit("busy", "g", &format!("draft {i}"), &[]);
    }
    hg.run("busy", &["bookmark", "-r", "tip^", "here"]);
    hg.run("busy", &["bookmark", "-r", "0", "with space"]);
    hg.run("busy", &["phase", "-f", "-s", "tip"]);
    hg.run("busy", &["update", "-q", "-C", "stable"]);
    hg.commit("busy", "h", "to be dropped", &[]);
    hg.commit("busy", "h", "to be replaced", &[]);
    let node = |rev: &str| hg.run("busy", &["log", "--hidden", "-r", rev, "-T", "{node}"]);
    let (dropped, replaced, by) = (node("tip^"), node("tip"), node("tip^^"));
    hg.run("busy", &["update", "-q", "-C", "0"]);
    hg.run("busy", &["debugobsolete", &dropped]);
    hg.run("busy", &["debugobsolete", &replaced, &by]);
}

#[test]
fn a_busy_repository_is_read_as_hg_shows_it() {
    let Some(hg) = Hg::find() else { return };
    make_busy_repository(&hg);
    let history = History::read(&hg, "busy");
    let view = history.view(&hg.open("busy").unwrap());
    let server = Server::start(&hg, "busy");
    hg.run("", &["clone", "-q", "-U", &server.url, "clone"]);
    served_changesets_are_those_of_the_clone(&hg, &history, &view, "clone");
    assert!(view.served().count() + 3 == history.nodes.len(), "two are obsolete, one is secret");
    branches_and_their_heads_are_those_of_hg(&hg, "clone");
    assert_eq!(hg.run("clone", &["branches", "--closed", "-q"]).lines().count(), 4);
    tags_are_those_of_hg(&hg, &history, &view, "busy", "clone");
    let tags = hg.run("clone", &["tags", "-q"]);
    assert_eq!(tags.lines().collect::<Vec<_>>(), ["tip", "zero", "moved"]);
}

/// Compares what `repo` serves with what its clone got.
fn served_changesets_are_those_of_the_clone(
    hg: &Hg,
    history: &History,
    view: &ServedView,
    clone: &str,
) {
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        lines
    };
    let own = |revs: &mut dyn Iterator<Item = Rev>| {
        let nodes: Vec<String> = revs.map(|rev| history.node(rev).to_string()).collect();
        sorted(&nodes.join("\n"))
    };
    let cloned = hg.run(clone, &["log", "-T", "{node}\n"]);
    assert_eq!(own(&mut view.served().iter()), sorted(&cloned), "{clone}");
    let heads = hg.try_run(clone, &["heads", "--topo", "-T", "{node}\n"]).1;
    let heads = heads.replace(&format!("{}\n", Node::NULL), "");
    assert_eq!(own(&mut view.heads().iter().copied()), sorted(&heads), "{clone}");
    let shown = hg.run(clone, &["bookmarks", "-T", "{node} {bookmark}\n"]);
    let bookmarks = view.bookmarks().iter().filter(|(name, _)| !is_divergent(name));
    let own: Vec<String> =
        bookmarks.map(|(name, rev)| format!("{} {name}", history.node(*rev))).collect();
    assert_eq!(own, shown.lines().collect::<Vec<_>>(), "{clone}");
}

/// Compares the branches of `repo`, from which nothing is hidden, and all their heads.
fn branches_and_their_heads_are_those_of_hg(hg: &Hg, repo: &str) {
    let history = History::read(hg, repo);
    let view = history.view(&hg.open(repo).unwrap());
    let text = hg.run(repo, &["branches", "--closed", "-T", "{node} {closed} {branch}\n"]);
    let mut shown = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(3, ' ').collect();
        shown.insert(words[2].to_owned(), (words[0].to_owned(), words[1] == "True"));
    }
    let text = hg.try_run(repo, &["heads", "--closed", "-T", "{node} {branch}\n"]).1;
    let mut heads: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in text.lines() {
        let (node, name) = line.split_once(' ').unwrap();
        heads.entry(name).or_default().push(node);
    }
    for (name, branch) in history.branches(&view) {
        let name = name.to_string();
        let tip = history.node(branch.tip().unwrap().rev).to_string();
        assert_eq!(shown.remove(&name), Some((tip, branch.is_closed())), "{name} in {repo}");
        let own: Vec<String> =
            branch.heads.iter().map(|head| history.node(head.rev).to_string()).collect();
        assert_eq!(own, heads[&*name], "{name} in {repo}");
    }
    assert!(shown.is_empty(), "{shown:?} in {repo}");
}

/// Compares the tags of `repo` with those that its clone has.
fn tags_are_those_of_hg(hg: &Hg, history: &History, view: &ServedView, repo: &str, clone: &str) {
    let mut texts = Vec::new();
    let tagged = !hg.run(repo, &["log", "-r", "file('path:.hgtags')", "-T", "x"]).is_empty();
    for head in view.heads().iter().filter(|_| tagged) {
        let rev = history.node(*head).to_string();
        let file_node = |line: &str| Node::from_hex(&line.as_bytes()[..40]).unwrap();
        let manifest = hg.bytes(repo, &["manifest", "--debug", "-r", &rev]);
        let line = ByteSlice::lines(&*manifest).find(|line| line.ends_with(b" .hgtags"));
        if let Some(line) = line {
            let text = hg
                .bytes(repo, &["cat", "-r", &rev, &format!("{}/.hgtags", hg.path(repo).display())]);
            texts.push((file_node(line.to_str().unwrap()), text));
        }
    }
    let files = texts.iter().map(|(file_node, text)| TagsFile { file_node: *file_node, text });
    let known = |node| history.at.get(&node).is_some_and(|rev| view.served().contains(*rev));
    let tags = compute(files, &known);
    let shown = hg.run(clone, &["tags", "-T", "{tag}\\0{node}\\0\\0"]);
    let mut shown: Vec<&str> =
        shown.split("\0\0").filter(|tag| !tag.is_empty() && !tag.starts_with("tip\0")).collect();
    shown.sort_unstable();
    let own: Vec<String> =
        tags.known.iter().map(|(name, node)| format!("{name}\0{node}")).collect();
    assert_eq!(own, shown, "{repo}");
}

/// Names that some encoding changes.
const NAMES: &[&str] = &[
    "plain",
    "Upper/Case_And_Underscores",
    ".hidden/.x",
    "dir.i/file",
    "dir.d/file.d",
    "dir.hg/f",
    "aux",
    "Sub/con.txt",
    "a:b",
    "trailing./dot.",
    "caf\u{e9}",
    "tilde~",
    " leading",
];

/// `len` bytes that no compression makes shorter.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_be_bytes()[3]
    };
    (0..len).map(|_| next()).collect()
}

#[test]
fn filelogs_are_where_hg_puts_them() {
    let Some(hg) = Hg::find() else { return };
    for (i, config) in [
        "format.usestore=no",
        "format.usefncache=no",
        "format.dotencode=no",
        "format.use-share-safe=no",
        "format.use-share-safe=yes",
    ]
    .iter()
    .enumerate()
    {
        let repo = format!("repo{i}");
        hg.init(&repo, &[config]);
        let long = ["A very long name/".repeat(9), "b".repeat(40)].concat();
        let mut names = NAMES.to_vec();
        names.push(&long);
        for name in &names {
            let file = hg.path(&repo).join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            // What does not fit into an index goes into a data file of its own.
            let large = name.starts_with("dir") || *name == long;
            std::fs::write(&file, noise(if large { 200_000 } else { 10 })).unwrap();
        }
        hg.run(
            &repo,
            &["commit", "-q", "-A", "-m", "names", "--config", "ui.portablefilenames=ignore"],
        );
        check_filelogs(&hg, &repo, &names);
    }
}

fn check_filelogs(hg: &Hg, repo: &str, names: &[&str]) {
    let layout = hg.open(repo).unwrap();
    let fncache =
        layout.fncache_file().map(|file| Fncache::parse(&std::fs::read(file).unwrap()).unwrap());
    let mut split = 0;
    for name in names {
        let path = name.as_bytes().as_bstr();
        let files = layout.filelog(path).unwrap();
        assert!(files.index.is_file(), "{name:?} in {repo}: no {}", files.index.display());
        split += usize::from(files.data.is_file());
        if let Some(fncache) = &fncache {
            assert!(fncache.lists(path), "{name:?} in {repo}");
        }
    }
    assert!(split == 4, "{split} histories in {repo} have a data file");
    assert!(layout.changelog().index.is_file());
    assert!(layout.manifest().index.is_file());
}

#[test]
fn formats_that_hg_makes_open_or_are_named() {
    let Some(hg) = Hg::find() else { return };
    for (i, (config, unsupported)) in [
        ("format.use-dirstate-v2=yes", None),
        ("format.use-persistent-nodemap=yes", None),
        ("format.bookmarks-in-store=yes", None),
        ("format.sparse-revlog=no", None),
        ("format.usegeneraldelta=no", None),
        ("format.revlog-compression=none", None),
        ("format.revlog-compression=zlib", None),
        ("format.use-internal-phase=yes", None),
        ("format.exp-archived-phase=yes", None),
        ("format.use-dirstate-tracked-hint=yes", None),
        ("experimental.treemanifest=yes", None),
        ("format.use-delta-info-flags=yes", None),
        (
            "format.exp-use-changelog-v2=enable-unstable-format-and-corrupt-my-data",
            Some("exp-changelog-v2"),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let repo = format!("repo{i}");
        hg.init(&repo, &[config]);
        let written = std::fs::read_to_string(hg.path(&repo).join(".hg/store/requires")).unwrap();
        if let Some(name) = unsupported.filter(|name| !written.contains(name)) {
            skip(&format!("this hg makes no {name}"));
            continue;
        }
        match (hg.open(&repo), unsupported) {
            (Ok(_), None) => {}
            (Err(OpenError::Unsupported { requirements, .. }), Some(name)) => {
                assert!(requirements.iter().any(|it| it == name), "{config}: {requirements:?}");
            }
            (result, _) => panic!("{config}: {result:?}"),
        }
    }
}

#[test]
fn dirstates_of_both_versions_keep_their_parents_visible() {
    let Some(hg) = Hg::find() else { return };
    for (repo, version) in [("v1", "no"), ("v2", "yes")] {
        hg.init(repo, &[&format!("format.use-dirstate-v2={version}")]);
        hg.commit(repo, "f", "kept", &[]);
        hg.commit(repo, "f", "dropped", &[]);
        let node = hg.run(repo, &["log", "-r", "tip", "-T", "{node}"]);
        hg.run(repo, &["debugobsolete", &node]);
        for (update, count) in [("tip", 2), ("0", 1)] {
            hg.run(repo, &["update", "-q", "--hidden", "-C", update]);
            let view = History::read(&hg, repo).view(&hg.open(repo).unwrap());
            assert_eq!(view.served().count(), count, "{repo} at {update}");
            let seen = hg.run("", &["-R", repo, "log", "-T", "x"]);
            assert_eq!(seen.len(), count, "{repo} at {update}");
        }
    }
}

#[test]
fn shares_read_what_hg_reads() {
    let Some(hg) = Hg::find() else { return };
    for safe in ["yes", "no"] {
        let source = format!("source-{safe}");
        hg.init(&source, &[&format!("format.use-share-safe={safe}")]);
        hg.commit(&source, "f", "one", &[]);
        hg.run(&source, &["bookmark", "-r", "0", "mark"]);
        std::fs::write(hg.path(&source).join(".hg/hgrc"), "[phases]\npublish = no\n").unwrap();
        for options in [&[][..], &["-B"], &["--relative"], &["-B", "--relative"]] {
            let share = format!("share-{safe}{}", options.concat());
            let args = [&["share", "-q", "-U"][..], options, &[&source, &share]].concat();
            hg.run("", &args);
            let layout = hg.open(&share).unwrap();
            let store = hg.path(&source).join(".hg/store").canonicalize().unwrap();
            assert_eq!(layout.store_dir().canonicalize().unwrap(), store);
            let view = History::read(&hg, &share).view(&layout);
            let bookmarks = hg.run(&share, &["bookmarks", "-q"]);
            let all: Vec<&str> = bookmarks.lines().filter(|line| line.contains("mark")).collect();
            assert_eq!(all.len(), usize::from(options.contains(&"-B")), "{share}");
            // What is draft is not served from a repository that does not publish.
            assert_eq!(view.publishes(), safe == "no", "{share}");
            assert_eq!(
                view.bookmarks().len(),
                usize::from(safe == "no" && all.len() == 1),
                "{share}"
            );
        }
    }
    let mismatch = hg.path("share-no/.hg/sharedpath");
    std::fs::write(mismatch, hg.path("source-yes/.hg").to_str().unwrap()).unwrap();
    assert!(!hg.try_run("share-no", &["log"]).0);
    assert!(matches!(hg.open("share-no"), Err(OpenError::ShareMismatch { .. })));
}

#[test]
fn publishing_is_what_hg_config_says() {
    let Some(hg) = Hg::find() else { return };
    hg.init("repo", &[]);
    let file = hg.path("repo/.hg/hgrc");
    let layout = hg.open("repo").unwrap();
    let lines = [
        "[phases]",
        "[phases] # c",
        "[other]",
        "publish = no",
        "publish=YES",
        "publish = 0",
        "publish=maybe",
        " on",
        "",
        "# no",
        "%unset publish",
        "x=y",
        "%include nothere",
        "junk",
    ];
    // A sample of all texts of four lines.
    for number in (0..lines.len().pow(4)).step_by(1201) {
        let places = (0..4u32).map(|place| lines[number / lines.len().pow(place) % lines.len()]);
        let text = places.collect::<Vec<_>>().join("\n");
        std::fs::write(&file, &text).unwrap();
        let (read, value, error) = hg.try_run("repo", &["config", "phases.publish"]);
        let value = value.trim_end().to_ascii_lowercase();
        let expected = match value.as_str() {
            _ if !read && error.contains("config error") => None,
            "" => Some(true),
            "yes" | "no\non" => (value == "yes").then_some(true),
            "no" | "0" => Some(false),
            _ => None,
        };
        let made = hgrc::publishes(&layout.config_files(), &Limits::default());
        assert_eq!(
            made.as_ref().ok().map(|(publish, _)| *publish),
            expected,
            "{text:?}: {made:?} {value:?} {error}"
        );
    }
}

/// The archives of a kind in the corpus; `None` where there is no corpus, with a word why.
fn corpus(kind: &str) -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(env::corpus()?.join(kind)).unwrap();
    Some(entries.map(|entry| entry.unwrap().path()).collect())
}

fn unpack(archive: &Path, into: &Path) -> String {
    let status = Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(into).status().unwrap();
    assert!(status.success(), "unpacking {}", archive.display());
    archive.file_name().unwrap().to_str().unwrap().trim_end_matches(".tar.xz").to_owned()
}

#[test]
fn the_corpus_opens() {
    for kind in ["awkward", "real"] {
        for archive in corpus(kind).unwrap_or_default() {
            let folder = tempfile::tempdir().unwrap();
            let name = unpack(&archive, folder.path());
            let root = folder.path().join(&name);
            let opened = Layout::open(&root, &Limits::default());
            match name.as_str() {
                "bad-nothg" => {
                    assert!(matches!(opened, Err(OpenError::NotARepository { .. })), "{name}");
                }
                "bad-unknownreq" => {
                    let error = opened.unwrap_err();
                    assert_eq!(error.fault(), Fault::Unsupported);
                    assert!(error.to_string().ends_with("requires frobnicate-9000"), "{error}");
                }
                "share" => {
                    let source = folder.path().join("share-src/.hg");
                    std::fs::write(root.join(".hg/sharedpath"), source.to_str().unwrap()).unwrap();
                    let layout = Layout::open(&root, &Limits::default()).unwrap();
                    assert_eq!(layout.store_dir(), source.join("store"));
                }
                _ => check_corpus_layout(&name, &opened.unwrap()),
            }
        }
    }
}

/// Every history that `fncache` lists is where the layout says, but in what was damaged.
fn check_corpus_layout(name: &str, layout: &Layout) {
    if name != "emptyrepo" {
        assert!(layout.changelog().index.is_file(), "{name}");
    }
    let Some(file) = layout.fncache_file() else { return };
    let text = std::fs::read(file).unwrap_or_default();
    let mut missing = 0;
    for line in ByteSlice::lines(&*text).filter(|line| line.ends_with(b".i")) {
        let path = line.strip_prefix(b"data/").unwrap().strip_suffix(b".i").unwrap();
        let path = [".i", ".d", ".hg"].iter().fold(path.to_vec(), |path, suffix| {
            path.replace(format!("{suffix}.hg/"), format!("{suffix}/"))
        });
        missing += usize::from(!layout.filelog(path.as_bstr()).unwrap().index.is_file());
    }
    let damaged = ["bad-missingfilelog", "damaged-django-coverage"].contains(&name);
    assert_eq!(missing > 0, damaged, "{missing} histories are missing in {name}");
}

#[test]
fn the_corpus_is_read_as_hg_shows_it() {
    let Some(hg) = Hg::find() else { return };
    for kind in ["awkward", "real"] {
        for archive in corpus(kind).unwrap_or_default() {
            let name = unpack(&archive, hg.home.path());
            if name == "share" || name.starts_with("bad-") || name.starts_with("damaged-") {
                continue;
            }
            let clone = format!("{name}.clone");
            hg.run("", &["clone", "-q", "-U", "--pull", &name, &clone]);
            let history = History::read(&hg, &name);
            let view = history.view(&hg.open(&name).unwrap());
            served_changesets_are_those_of_the_clone(&hg, &history, &view, &clone);
            branches_and_their_heads_are_those_of_hg(&hg, &clone);
            tags_are_those_of_hg(&hg, &history, &view, &name, &clone);
        }
    }
}
