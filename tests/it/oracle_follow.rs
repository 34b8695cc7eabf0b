//! A mirror follows its source: what stock Mercurial does to a repository between syncs, and what the
//! target has afterwards. Each story can be told of any target: see [`tell_stories`].

mod kills;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use synchroniser::base::{HasFault as _, Interrupt};
use synchroniser::cli::exit;
use synchroniser::convert::names::RefNaming;
use synchroniser::git::ObjectId;
use synchroniser::git::destination::{RefusalKind, Target};
use synchroniser::hg::Node;
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{
    self, CacheLocation, ConvertOptions, Divergence, Kept, Mirror, NoObserver, Note, Prune,
    PublishRules, SyncReport, SyncStatus,
};

use crate::destination::{Place, commit_in};
use crate::support::{Hg, TestEnv, env, git, kill, same, skip};

pub(crate) use kills::killed_in_pushes;

/// Adds what `test.topic` says as the topic of new changesets.
const TOPICS: &str = "\
def reposetup(ui, repo):
    class Topics(repo.__class__):
        def commit(self, *args, **kwargs):
            topic = self.ui.config(b'test', b'topic')
            if topic:
                kwargs['extra'][b'topic'] = topic
            return super().commit(*args, **kwargs)
    if repo.local():
        repo.__class__ = Topics
";

/// A repository of stock Mercurial and its mirror at a target.
pub(crate) struct Follower {
    env: TestEnv,
    program: PathBuf,
    place: Place,
    mirror: Mirror,
    commits: std::cell::Cell<u32>,
}

impl Follower {
    /// A repository with one changeset; nothing is synced yet.
    pub(crate) fn new(program: PathBuf, place: Place) -> Self {
        let env = TestEnv::new();
        let mirror = Mirror {
            name: "it".to_owned(),
            source: Source::Path(env.path("source")),
            cache: CacheLocation::Folder(env.path("caches/it")),
            target: Some(place.target.clone()),
            forge: None,
            options: ConvertOptions::default(),
            publish: PublishRules::default(),
        };
        fs::write(env.path("topics.py"), TOPICS).unwrap();
        let follower = Self { env, program, place, mirror, commits: 0.into() };
        follower.env.run(&follower.program, [Path::new("init"), &follower.source()]).ok().unwrap();
        follower.commit("zero");
        follower
    }

    fn source(&self) -> PathBuf {
        self.env.path("source")
    }

    /// What `hg` prints.
    fn hg(&self, args: &[&str]) -> String {
        let hg = Hg { env: &self.env, program: self.program.clone() };
        let topics = format!("extensions.topics={}", self.env.path("topics.py").display());
        let all = [&["--config", "extensions.strip=", "--config", &topics], args].concat();
        let ran = hg.run(&self.source(), &all);
        ran.ok().unwrap()
    }

    /// A changeset that changes the file `name`.
    fn commit(&self, name: &str) {
        self.commit_with(name, &[]);
    }

    fn commit_with(&self, name: &str, more: &[&str]) {
        let number = self.commits.get() + 1;
        self.commits.set(number);
        let file = self.source().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, number.to_string()).unwrap();
        let date = format!("{} 0", 1_000_000_000 + 60 * number);
        let message = format!("{name} {number}");
        let args = ["commit", "-q", "-A", "-u", "a <a@b>", "-m", &message, "-d", &date];
        self.hg(&[&args[..], more].concat());
    }

    /// A sync, as the daemon does it.
    fn try_sync(&self) -> SyncReport {
        mirror::sync(&self.mirror, &NoObserver, &Interrupt::default()).unwrap()
    }

    /// A sync by which everything is as the source wants it.
    fn sync(&self) -> SyncReport {
        let report = self.try_sync();
        assert_eq!(report.status(), SyncStatus::Complete, "{:?}", report.refused);
        self.check();
        report
    }

    /// A sync after which these refs are refused.
    fn sync_but_for(&self, refused: &[&str]) -> SyncReport {
        let report = self.try_sync();
        assert_eq!(report.status(), SyncStatus::Partial);
        let names: Vec<_> = report.refused.iter().map(|refusal| refusal.name.as_str()).collect();
        assert_eq!(names, refused, "{:?}", report.refused);
        assert_eq!(report.failure().unwrap().to_string().matches("refs/").count(), refused.len());
        self.check();
        report
    }

    /// The target is whole, and the cache, too.
    fn check(&self) {
        self.place.assert_complete();
        if env::has("git") {
            git::fsck(&self.env, &self.place.repository).unwrap();
        }
    }

    /// The refs of the target that are not others', with what of the source they name: the number of
    /// its revision, or `-` if the source does not have it.
    fn refs(&self) -> String {
        let commits: BTreeMap<ObjectId, Node> = mirror::commits(&self.mirror)
            .unwrap()
            .into_iter()
            .map(|(node, commit)| (commit, node))
            .collect();
        let log = self.hg(&["log", "-T", "{node} {rev}\n"]);
        let numbers: BTreeMap<_, _> = log.lines().filter_map(|line| line.split_once(' ')).collect();
        let shown = |commit: &ObjectId| {
            let node = commits.get(commit).map(ToString::to_string);
            node.and_then(|node| numbers.get(node.as_str()).copied()).unwrap_or("-")
        };
        let refs = self.place.refs();
        let ours = refs.iter().filter(|(name, _)| !name.contains("foreign"));
        let line = |(name, commit): (&String, &ObjectId)| {
            let short = name.strip_prefix("refs/").unwrap();
            format!("{} {}", short.strip_prefix("heads/").unwrap_or(short), shown(commit))
        };
        ours.map(line).collect::<Vec<_>>().join("\n")
    }

    /// Somebody else makes a branch and a tag at the target.
    fn make_foreign(&self) {
        let repository = git2::Repository::open(&self.place.repository).unwrap();
        let commit = commit_in(&repository, "foreign", &[]);
        for name in ["refs/heads/foreign", "refs/tags/foreign"] {
            repository.reference(name, commit.into(), false, "").unwrap();
        }
    }

    /// They are as they were.
    fn check_foreign(&self) {
        let refs = self.place.refs();
        assert_eq!(refs["refs/heads/foreign"], refs["refs/tags/foreign"]);
        let repository = git2::Repository::open(&self.place.repository).unwrap();
        let commit = repository.find_commit(refs["refs/heads/foreign"].into()).unwrap();
        assert_eq!(commit.message().unwrap(), "foreign");
    }

    /// Somebody else moves a ref of the target.
    fn move_there(&self, name: &str, commit: ObjectId) {
        let repository = git2::Repository::open(&self.place.repository).unwrap();
        repository.reference(name, commit.into(), true, "").unwrap();
    }
}

/// What a source can do between syncs.
pub(crate) type Story = fn(&mut Follower);

/// Every story, and what it is about.
pub(crate) const STORIES: [(&str, Story); 11] = [
    ("the tip jumps from branch to branch", the_tip_jumps),
    ("a bookmark keeps its name", a_bookmark_keeps_its_name),
    ("bookmarks move and go", bookmarks_move_and_go),
    ("a closed branch makes room", a_closed_branch_makes_room),
    ("closed branches have tags", closed_branches_have_tags),
    ("tags move", tags_move),
    ("topics come and go", topics_come_and_go),
    ("changesets are stripped", changesets_are_stripped),
    ("rewrites by rule", rewrites_by_rule),
    ("somebody else moves a ref", somebody_else_moves_a_ref),
    ("the source loses its tags", the_source_loses_its_tags),
];

/// Which stories are told of a network: every second one, and the others of the other network.
#[derive(Clone, Copy)]
pub(crate) enum Half {
    Even,
    Odd,
}

/// Tells stories of a new, empty target from `place`, one after the other: one half of them, or all where there is
/// time for that. All are told of a path anyway.
pub(crate) fn tell_stories(half: Half, place: &dyn Fn() -> Place) {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let first = env::cases(half as usize, 0);
    for (name, story) in STORIES.into_iter().skip(first).step_by(env::cases(2, 1)) {
        eprintln!("story: {name}");
        story(&mut Follower::new(program.clone(), place()));
    }
}

/// By default the main branch follows the tip.
fn the_tip_jumps(it: &mut Follower) {
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.sync();
    it.make_foreign();
    for n in 2..13 {
        let branch = if n % 2 == 0 { "stable" } else { "default" };
        it.hg(&["update", "-q", branch]);
        it.commit(branch);
        let report = it.sync();
        let changed = report.refs.iter().filter(|change| change.is_change()).count();
        assert_eq!(changed, 2, "{report:?}");
        assert_eq!(it.refs().lines().last().unwrap(), format!("stable {}", n - n % 2));
    }
    assert_eq!(it.refs(), "default 11\nmaster 12\nstable 12");
    it.check_foreign();
}

fn a_bookmark_keeps_its_name(it: &mut Follower) {
    it.hg(&["bookmark", "-i", "work"]);
    it.commit("one");
    it.sync();
    it.make_foreign();
    assert_eq!(it.refs(), "default 1\nmaster 1\nwork 0");
    it.hg(&["branch", "-q", "work/x"]);
    it.commit("x");
    let renamed = |report: &SyncReport| {
        let is_renamed = |note: &&Note| note.to_string().contains(" here");
        report.notes.iter().find(is_renamed).map(ToString::to_string)
    };
    let told = renamed(&it.sync()).unwrap();
    let below = told.rsplit(' ').nth(1).unwrap().strip_prefix("refs/heads/").unwrap();
    assert!(below.starts_with("work%2Fx-"), "{told}");
    assert_eq!(it.refs(), format!("default 1\nmaster 2\nwork 0\n{below} 2"));
    it.hg(&["update", "-q", "default"]);
    it.hg(&["branch", "-q", "-f", "work"]);
    it.commit("work");
    let told = renamed(&it.sync()).unwrap();
    let branch = told.rsplit(' ').nth(1).unwrap().strip_prefix("refs/heads/").unwrap();
    assert_eq!(it.refs(), format!("default 1\nmaster 3\nwork 0\n{below} 2\n{branch} 3"));
    it.check_foreign();
}

fn bookmarks_move_and_go(it: &mut Follower) {
    it.commit("one");
    it.hg(&["update", "-q", "0"]);
    it.commit("two");
    it.hg(&["bookmark", "-i", "-r", "1", "here"]);
    it.hg(&["bookmark", "-i", "-r", "2", "there"]);
    it.sync();
    it.make_foreign();
    let head = format!("default-{}", it.hg(&["log", "-r", "1", "-T", "{node|short}"]));
    assert_eq!(it.refs(), format!("default 2\n{head} 1\nhere 1\nmaster 2\nthere 2"));
    // They change places.
    it.hg(&["bookmark", "-i", "-f", "-r", "2", "here"]);
    it.hg(&["bookmark", "-i", "-f", "-r", "1", "there"]);
    it.sync();
    assert_eq!(it.refs(), format!("default 2\n{head} 1\nhere 2\nmaster 2\nthere 1"));
    it.hg(&["bookmark", "-d", "here"]);
    it.hg(&["bookmark", "-i", "-f", "-r", "0", "there"]);
    let report = it.sync();
    assert!(
        report.refs.iter().any(|change| change.name == "refs/heads/here" && change.new.is_none())
    );
    assert_eq!(it.refs(), format!("default 2\n{head} 1\nmaster 2\nthere 0"));
    it.check_foreign();
}

fn a_closed_branch_makes_room(it: &mut Follower) {
    it.hg(&["branch", "-q", "feature/lua"]);
    it.commit("lua");
    it.sync();
    it.make_foreign();
    it.hg(&["update", "-q", "default"]);
    it.commit("more");
    it.hg(&["update", "-q", "feature/lua"]);
    it.commit_with("close", &["--close-branch"]);
    it.hg(&["branch", "-q", "feature/lua/jit"]);
    it.commit("jit");
    it.sync();
    // It is published at once, and the other one goes: nothing is lost by it.
    let refs = it.refs();
    let jit = refs.lines().find_map(|line| line.strip_suffix(" 4").filter(|it| *it != "master"));
    let jit = jit.unwrap().to_owned();
    assert_eq!(refs, format!("default 2\n{jit} 4\nmaster 4"));
    it.commit("jit");
    it.sync();
    assert_eq!(it.refs(), format!("default 2\n{jit} 5\nmaster 5"));
    // A closed branch that nothing else reaches stays, and is in nobody's way.
    it.hg(&["update", "-q", "default"]);
    it.hg(&["branch", "-q", "other"]);
    it.commit("other");
    it.sync();
    it.commit_with("close", &["--close-branch"]);
    it.hg(&["update", "-q", "default"]);
    it.hg(&["branch", "-q", "other/new"]);
    it.commit("new");
    let report = it.sync();
    let kept = Note::RefKept { reference: "refs/heads/other".to_owned(), why: Kept::Unmerged };
    assert!(report.notes.contains(&kept), "{:?}", report.notes);
    assert!(!it.sync().notes.contains(&kept), "it is told once");
    let refs = it.refs();
    assert!(refs.contains("\nother 6\n") && refs.contains("\nother%2Fnew-"), "{refs}");
    it.check_foreign();
}

fn closed_branches_have_tags(it: &mut Follower) {
    it.mirror.options.naming.closed_branches = Some("closed/".to_owned());
    it.hg(&["branch", "-q", "side"]);
    it.commit("side");
    it.hg(&["update", "-q", "default"]);
    it.commit("more");
    it.sync();
    it.make_foreign();
    it.hg(&["update", "-q", "side"]);
    it.commit_with("close", &["--close-branch"]);
    it.hg(&["update", "-q", "default"]);
    it.commit("more");
    it.sync();
    assert_eq!(it.refs(), "default 4\nmaster 4\ntags/closed/side 3");
    // It is opened again.
    it.hg(&["update", "-q", "side"]);
    it.commit("side");
    it.sync();
    assert_eq!(it.refs(), "default 4\nmaster 5\nside 5");
    it.check_foreign();
}

fn tags_move(it: &mut Follower) {
    let tag = |args: &[&str]| {
        let args = [&["tag", "-u", "a <a@b>", "-d", "1000000000 0"], args].concat();
        it.hg(&args);
    };
    it.commit("one");
    it.commit("two");
    tag(&["-r", "0", "v1"]);
    tag(&["-r", "1", "nightly"]);
    it.sync();
    it.make_foreign();
    assert_eq!(it.refs(), "default 4\nmaster 4\ntags/nightly 1\ntags/v1 0");
    tag(&["-f", "-r", "2", "nightly"]);
    tag(&["--remove", "v1"]);
    it.sync();
    assert_eq!(it.refs(), "default 6\nmaster 6\ntags/nightly 2");
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.hg(&["update", "-q", "default"]);
    tag(&["-r", "2", "v1"]);
    tag(&["-f", "-r", "0", "nightly"]);
    it.sync();
    assert_eq!(it.refs(), "default 9\nmaster 9\nstable 7\ntags/nightly 0\ntags/v1 2");
    it.check_foreign();
}

fn topics_come_and_go(it: &mut Follower) {
    it.mirror.options.naming.topics = Some("topic/".to_owned());
    it.mirror.options.naming.main = "default".into();
    it.hg(&["phase", "-p", "0"]);
    it.commit_with("fix", &["--config", "test.topic=fix"]);
    it.sync();
    it.make_foreign();
    assert_eq!(it.refs(), "default 0\nmaster 0\ntopic/fix 1");
    // Another one below the name of the first.
    it.commit_with("x", &["--config", "test.topic=fix/x"]);
    it.sync();
    let refs = it.refs();
    assert!(refs.starts_with("default 0\nmaster 0\ntopic%2Ffix%2Fx-"), "{refs}");
    assert!(refs.ends_with("topic/fix 1"), "{refs}");
    // Both are published by the source, and so are no topics any more.
    it.hg(&["phase", "-p", "2"]);
    it.sync();
    assert_eq!(it.refs(), "default 2\nmaster 2");
    it.check_foreign();
}

fn changesets_are_stripped(it: &mut Follower) {
    for n in 1..5 {
        it.commit(&format!("file{n}"));
    }
    it.sync();
    it.make_foreign();
    it.hg(&["strip", "-q", "--no-backup", "-r", "3"]);
    for n in 5..8 {
        it.commit(&format!("file{n}"));
    }
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    // What goes forward goes; what would lose something does not, in any sync.
    let both = ["refs/heads/master", "refs/heads/default"];
    for _ in 0..2 {
        let report = it.sync_but_for(&both);
        assert!(report.refused.iter().all(|r| r.kind == RefusalKind::Rewritten), "{report:?}");
        let hint = report.failure().unwrap().hint().unwrap();
        for way in ["--allow-rewrite", "divergence = \"overwrite\"", "divergence = \"keep\""] {
            assert!(hint.contains(way), "{hint}");
        }
        assert_eq!(it.refs(), "default -\nmaster -\nstable 6");
    }
    it.mirror.publish.allow_rewrite = true;
    let report = it.sync();
    let told = report.notes.iter().filter(|note| matches!(note, Note::RefRewritten { .. }));
    assert_eq!(told.count(), 2);
    it.mirror.publish.allow_rewrite = false;
    assert_eq!(it.refs(), "default 5\nmaster 6\nstable 6");
    it.commit("stable");
    it.sync();
    assert_eq!(it.refs(), "default 5\nmaster 7\nstable 7");
    it.check_foreign();
}

fn rewrites_by_rule(it: &mut Follower) {
    it.commit("one");
    it.sync();
    it.make_foreign();
    let old = it.place.refs()["refs/heads/master"];
    it.hg(&["strip", "-q", "--no-backup", "-r", "1"]);
    it.commit("two");
    it.mirror.publish.divergence = Divergence::Keep;
    let report = it.sync();
    let kept = |name: &str| Note::RefKept { reference: name.to_owned(), why: Kept::Rewritten };
    assert!(report.notes.contains(&kept("refs/heads/master")), "{:?}", report.notes);
    assert_eq!(it.refs(), "default -\nmaster -");
    it.mirror.publish.divergence = Divergence::Overwrite;
    it.mirror.publish.backup = true;
    it.sync();
    let short = old.short();
    let backups = format!(
        "synchroniser-backup/heads/default/{short} -\nsynchroniser-backup/heads/master/{short} -"
    );
    assert_eq!(it.refs(), format!("default 1\nmaster 1\n{backups}"));
    it.commit("three");
    it.sync();
    assert_eq!(it.refs(), format!("default 2\nmaster 2\n{backups}"));
    // A cache that is made again neither stumbles over them nor removes them.
    fs::remove_dir_all(it.mirror.cache.path()).unwrap();
    it.commit("four");
    it.sync();
    assert_eq!(it.refs(), format!("default 3\nmaster 3\n{backups}"));
    it.check_foreign();
}

fn somebody_else_moves_a_ref(it: &mut Follower) {
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.hg(&["bookmark", "-i", "-r", "0", "mark"]);
    it.sync();
    it.make_foreign();
    let stable = it.place.refs()["refs/heads/stable"];
    let theirs = it.place.refs()["refs/heads/foreign"];
    it.move_there("refs/heads/stable", theirs);
    // A commit of ours, but not by us: and the source has no such name any more.
    it.move_there("refs/heads/mark", stable);
    it.hg(&["bookmark", "-d", "mark"]);
    it.commit("stable");
    it.mirror.publish = PublishRules {
        divergence: Divergence::Overwrite,
        prune: Prune::All,
        allow_rewrite: true,
        ..PublishRules::default()
    };
    for _ in 0..2 {
        let report = it.sync_but_for(&["refs/heads/stable"]);
        assert_eq!(report.refused[0].kind, RefusalKind::Unknown);
        assert_eq!(it.place.refs()["refs/heads/stable"], theirs);
        assert_eq!(it.refs(), "default 0\nmark 1\nmaster 2\nstable -");
    }
    it.move_there("refs/heads/stable", stable);
    it.sync();
    assert_eq!(it.refs(), "default 0\nmark 1\nmaster 2\nstable 2");
    it.check_foreign();
}

fn the_source_loses_its_tags(it: &mut Follower) {
    let tags: Vec<_> = (0..20).map(|n| format!("t{n:02}")).collect();
    let mut args = vec!["tag", "-r", "0", "-u", "a <a@b>", "-d", "1000000000 0"];
    args.extend(tags.iter().map(String::as_str));
    it.hg(&args);
    it.sync();
    it.make_foreign();
    fs::write(it.source().join(".hgtags"), "").unwrap();
    it.commit("lost");
    let all: Vec<_> = tags.iter().map(|tag| format!("refs/tags/{tag}")).collect();
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    let report = it.try_sync();
    let refused: Vec<_> = report.refused.iter().map(|refusal| refusal.name.as_str()).collect();
    assert_eq!(refused, all);
    let error = report.failure().unwrap();
    assert!(error.to_string().contains(" and 17 more refs: it would be removed"), "{error}");
    assert!(error.hint().unwrap().contains("--allow-prune"), "{:?}", error.hint());
    assert_eq!(it.refs().lines().count(), 22);
    it.mirror.publish.allow_prune = true;
    it.sync();
    assert_eq!(it.refs(), "default 2\nmaster 2");
    it.check_foreign();
}

/// An empty bare repository at a path; the folder goes with the second.
fn path_place() -> (Place, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("target.git");
    git2::Repository::init_bare(&repository).unwrap();
    (Place { target: Target::local(&repository), repository }, folder)
}

macro_rules! stories {
    ($($name:ident)*) => { $(
        mod $name {
            #[test]
            fn to_a_path() {
                let Some(program) = crate::support::env::hg() else {
                    return crate::support::skip("SYNCHRONISER_HG names no hg");
                };
                let (place, _folder) = super::path_place();
                super::$name(&mut super::Follower::new(program, place));
            }
        }
    )* };
}

stories! {
    the_tip_jumps a_bookmark_keeps_its_name bookmarks_move_and_go a_closed_branch_makes_room
    closed_branches_have_tags tags_move topics_come_and_go changesets_are_stripped rewrites_by_rule
    somebody_else_moves_a_ref the_source_loses_its_tags
}

/// Names are kept in a repository that is converted into and has no target, too; there a name that
/// is gone is free at once.
#[test]
fn a_conversion_keeps_names() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let (place, _folder) = path_place();
    let mut it = Follower::new(program, place);
    it.mirror.cache = CacheLocation::Repository(it.place.repository.clone());
    it.mirror.target = None;
    it.hg(&["bookmark", "-i", "work"]);
    it.sync();
    it.hg(&["branch", "-q", "work"]);
    it.commit("work");
    it.sync();
    let refs = it.refs();
    let branch = refs.lines().find(|line| line.starts_with("work-")).unwrap();
    assert_eq!(refs, format!("default 0\nmaster 1\nwork 0\n{branch}"));
    it.hg(&["bookmark", "-d", "work"]);
    it.hg(&["branch", "-q", "work/x"]);
    it.commit("x");
    it.sync();
    let (name, _) = branch.split_once(' ').unwrap();
    assert_eq!(it.refs(), format!("default 0\nmaster 2\n{name} 1\nwork/x 2"));
}

/// A ledger that was lost, is damaged, or is of another target moves nothing wrongly.
#[test]
fn a_ledger_that_is_lost_or_damaged_moves_nothing_wrongly() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    for spoil in [
        (|ledger: &Path| fs::remove_file(ledger).unwrap()) as fn(&Path),
        |ledger| fs::write(ledger, "{\"version\": 1, \"target\"").unwrap(),
        |ledger| fs::write(ledger, "{\"version\": 0, \"target\": null, \"refs\": {}}").unwrap(),
        |ledger| {
            let text = fs::read_to_string(ledger).unwrap();
            fs::write(ledger, text.replace("refs/heads/stable", "refs/remotes/../x")).unwrap();
        },
    ] {
        let (place, _folder) = path_place();
        let it = Follower::new(program.clone(), place);
        it.hg(&["branch", "-q", "stable"]);
        it.commit("stable");
        it.hg(&["bookmark", "-i", "-r", "0", "gone"]);
        it.sync();
        it.make_foreign();
        it.move_there("refs/heads/gone", it.place.refs()["refs/heads/foreign"]);
        let ledger = it.mirror.cache.path().join("ledger");
        spoil(&ledger);
        let is_there = ledger.exists();
        it.hg(&["bookmark", "-d", "gone"]);
        it.hg(&["update", "-q", "default"]);
        it.commit("default");
        let report = it.sync();
        let told = report.notes.iter().any(|note| matches!(note, Note::LedgerDamaged { .. }));
        assert_eq!(told, is_there, "{:?}", report.notes);
        // The main branch moves aside: its commit is ours. What is not asked for stays.
        assert_eq!(it.refs(), "default 2\ngone -\nmaster 2\nstable 1");
        it.hg(&["update", "-q", "stable"]);
        it.commit("stable");
        it.sync();
        it.check_foreign();
    }
}

/// A mirror that goes to another target keeps its names, and takes nothing there for its own but what
/// it has brought there.
#[test]
fn another_target_gets_the_same_names() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let ((place, _folder), (other, _other_folder)) = (path_place(), path_place());
    let mut it = Follower::new(program, place);
    it.hg(&["bookmark", "-i", "work"]);
    it.sync();
    it.hg(&["branch", "-q", "work"]);
    it.commit("work");
    it.sync();
    let refs = it.refs();
    it.mirror.target = Some(other.target.clone());
    it.place = other;
    it.sync();
    assert_eq!(it.refs(), refs);
}

/// What a target refused is not asked for again until something changes.
#[test]
fn a_refused_ref_is_not_tried_again_in_vain() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let (place, _folder) = path_place();
    let mut it = Follower::new(program, place);
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.sync();
    // A working copy of the branch stands in the way.
    let repository = git2::Repository::open(&it.place.repository).unwrap();
    let stable = repository.find_reference("refs/heads/stable").unwrap();
    let mut options = git2::WorktreeAddOptions::new();
    options.reference(Some(&stable));
    let copy = it.env.path("copy");
    let worktree = repository.worktree("copy", &copy, Some(&options)).unwrap();
    it.commit("stable");
    let refused = ["refs/heads/stable"];
    let again = "nothing has changed since, so it was not tried again";
    let first = it.sync_but_for(&refused);
    assert_eq!(first.refused[0].kind, RefusalKind::CheckedOut);
    assert!(!first.refused[0].reason.contains(again));
    let second = it.sync_but_for(&refused);
    assert!(second.refused[0].reason.ends_with(again), "{second:?}");
    assert_eq!(second.failure().unwrap().fault(), first.failure().unwrap().fault());
    // Somebody asks for it.
    it.mirror.publish.retry = true;
    assert!(!it.sync_but_for(&refused).refused[0].reason.contains(again));
    it.mirror.publish.retry = false;
    assert!(it.sync_but_for(&refused).refused[0].reason.contains(again));
    // The source has something new, and then the way is free, which nobody tells us.
    it.commit("stable");
    assert!(!it.sync_but_for(&refused).refused[0].reason.contains(again));
    fs::remove_dir_all(&copy).unwrap();
    worktree.prune(None).unwrap();
    assert!(it.sync_but_for(&refused).refused[0].reason.contains(again));
    it.mirror.publish.retry = true;
    it.sync();
    assert_eq!(it.refs(), "default 0\nmaster 3\nstable 3");
}

/// What a person reads, and what a sync answers: the flags, the plan, the exit code.
#[test]
fn what_a_person_types() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let (place, _folder) = path_place();
    let it = Follower::new(program, place);
    let config = format!(
        "cache = \"{}\"\n[mirrors.it]\nsource = \"{}\"\ntarget = \"{}\"\n",
        it.env.path("caches").display(),
        it.source().display(),
        it.place.repository.display()
    );
    let file = it.env.path("synchroniser.toml");
    fs::write(&file, &config).unwrap();
    let run = |words: &[&str], code: u8| {
        let all = [words, &["--config", "synchroniser.toml"]].concat();
        it.env.synchronise(&all).with_code(code.into()).unwrap()
    };
    it.commit("one");
    it.hg(&["bookmark", "-i", "-r", "0", "gone"]);
    run(&["sync"], exit::OK);
    it.hg(&["bookmark", "-d", "gone"]);
    it.hg(&["bookmark", "-i", "-r", "0", "a b"]);
    it.hg(&["strip", "-q", "--no-backup", "-r", "1"]);
    it.commit("two");
    let plan = run(&["plan"], exit::OK).stdout;
    for line in [
        "  create refs/heads/a%20b ",
        "  remove refs/heads/gone at ",
        "  refuse refs/heads/master ",
    ] {
        assert!(plan.contains(line), "{plan}");
    }
    let ran = run(&["sync"], exit::REFUSED);
    assert!(
        ran.stderr.contains("hint: `synchroniser sync MIRROR --allow-rewrite` moves"),
        "{ran:?}"
    );
    // What was done is told, and what it is called, though the sync has failed.
    assert!(ran.stdout.contains("  refs/heads/a%20b new -> "), "{ran:?}");
    assert!(
        ran.stdout.contains("the bookmark \"a b\" of the source is refs/heads/a%20b"),
        "{ran:?}"
    );
    fs::write(&file, config.clone() + "divergence = \"overwrite\"\nbackup = true\n").unwrap();
    let plan = run(&["plan"], exit::OK).stdout;
    assert!(plan.contains("  rewrite refs/heads/master "), "{plan}");
    assert!(plan.contains("  create refs/heads/synchroniser-backup/heads/master/"), "{plan}");
    fs::write(&file, config).unwrap();
    run(&["sync", "--allow-rewrite"], exit::OK);
    run(&["sync"], exit::OK);
    // The target is gone, and so is what would have been published.
    it.hg(&["bookmark", "-i", "-r", "0", "c d"]);
    fs::rename(&it.place.repository, it.env.path("elsewhere.git")).unwrap();
    let ran = run(&["sync"], exit::CONFIG);
    assert!(
        ran.stdout.contains("the bookmark \"c d\" of the source is refs/heads/c%20d"),
        "{ran:?}"
    );
}

/// Changing what a name should be called moves it, and frees the old one.
#[test]
fn the_operator_names_as_he_likes() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let (place, _folder) = path_place();
    let mut it = Follower::new(program, place);
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.sync();
    let map = [("stable".to_owned(), "release".to_owned())].into();
    it.mirror.options.naming = RefNaming { branches: map, ..RefNaming::default() };
    it.sync();
    assert_eq!(it.refs(), "default 0\nmaster 1\nrelease 1");
    // The main branch gets the name that it is given, whoever had that; the old one stays.
    it.mirror.options.naming =
        RefNaming { main_branch: "stable".to_owned(), ..RefNaming::default() };
    let report = it.sync();
    let kept = Note::RefKept { reference: "refs/heads/master".to_owned(), why: Kept::WasMain };
    assert!(report.notes.contains(&kept), "{:?}", report.notes);
    let refs = it.refs();
    assert!(refs.starts_with("default 0\nmaster 1\nstable 1\nstable-"), "{refs}");
}

/// Killed before any step of a sync that creates, moves and removes refs, the next one ends where it
/// would have ended anyway.
#[test]
fn a_sync_with_moves_and_removals_that_is_killed_goes_on() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let (place, _folder) = path_place();
    let mut it = Follower::new(program, place);
    let state = it.env.path("state");
    let repository = state.join("target.git");
    fs::create_dir(&state).unwrap();
    git2::Repository::init_bare(&repository).unwrap();
    it.place = Place { target: Target::local(&repository), repository: repository.clone() };
    it.mirror.target = Some(it.place.target.clone());
    it.mirror.cache = CacheLocation::Folder(state.join("cache/it"));
    let config = format!(
        "cache = \"{}\"\n[mirrors.it]\nsource = \"{}\"\ntarget = \"{}\"\n",
        state.join("cache").display(),
        it.source().display(),
        repository.display()
    );
    fs::write(it.env.path("synchroniser.toml"), config).unwrap();
    it.hg(&["branch", "-q", "stable"]);
    it.commit("stable");
    it.hg(&["bookmark", "-i", "-r", "0", "here"]);
    it.hg(&["bookmark", "-i", "-r", "1", "there"]);
    it.hg(&["tag", "--local", "-r", "0", "local"]);
    it.hg(&["tag", "-r", "1", "-u", "a <a@b>", "-d", "1000000000 0", "v1"]);
    it.sync();
    it.make_foreign();
    it.hg(&["bookmark", "-d", "here"]);
    it.hg(&["bookmark", "-i", "-f", "-r", "0", "there"]);
    it.hg(&["tag", "-f", "-r", "0", "-u", "a <a@b>", "-d", "1000000000 0", "v1"]);
    it.hg(&["update", "-q", "default"]);
    it.hg(&["branch", "-q", "here/x"]);
    it.commit("x");

    let saved = it.env.path("saved");
    let copy = |from: &Path, to: &Path| {
        drop(fs::remove_dir_all(to));
        it.env.run("cp", [Path::new("-a"), from, to]).ok().unwrap();
    };
    copy(&state, &saved);
    let words = ["-q", "sync", "--config", "synchroniser.toml"];
    let run = |at| kill::run(&it.env, &words, &state, at);
    let all = run(usize::MAX).unwrap().steps.len();
    let expected = it.place.refs();
    let refs = it.refs();
    assert!(refs.contains("there 0\n") && refs.ends_with("tags/v1 0"), "{refs}");
    assert!(!expected.contains_key("refs/heads/here"), "{refs}");
    let ledger = fs::read_to_string(state.join("cache/it/ledger")).unwrap();
    assert!(!ledger.contains("publishing"), "{ledger}");
    for at in 0..all {
        copy(&saved, &state);
        let check = || {
            same("killed", &run(at)?.is_killed, &true)?;
            it.env.synchronise(words).ok()?;
            same("refs", &it.place.refs(), &expected)?;
            let after = fs::read_to_string(state.join("cache/it/ledger")).unwrap();
            same("ledger", &after, &ledger)
        };
        check().unwrap_or_else(|problem| panic!("killed before step {at} of {all}: {problem}"));
    }
    it.check();
}
