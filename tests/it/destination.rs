//! The contract of every destination, and what is special about those on this machine.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use synchroniser::base::{Fault, HasFault as _, Interrupt, NoProgress, Progress, Stage};
use synchroniser::git::destination::{
    self, Destination, FETCHED, KnownRef, NoJournal, Orders, PublishError, PublishRules,
    RefOutcome, RefResult, RefUpdate, RefusalKind, Target,
};
use synchroniser::git::pack::LargeFile;
use synchroniser::git::{ObjectId, Reference};

/// A bare repository that commits are pushed from.
pub(crate) struct History {
    folder: tempfile::TempDir,
    repository: git2::Repository,
}

impl History {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let repository = git2::Repository::init_bare(folder.path().join("git")).unwrap();
        Self { folder, repository }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("git")
    }

    /// A commit with one file, told apart from others by its text.
    pub(crate) fn commit(&self, text: &str, parents: &[ObjectId]) -> ObjectId {
        commit_in(&self.repository, text, parents)
    }

    /// A line of commits, oldest first.
    pub(crate) fn line(&self, text: &str, length: usize) -> Vec<ObjectId> {
        let mut line: Vec<ObjectId> = Vec::new();
        for number in 0..length {
            let parents: Vec<_> = line.last().copied().into_iter().collect();
            line.push(self.commit(&format!("{text} {number}"), &parents));
        }
        line
    }
}

pub(crate) fn commit_in(
    repository: &git2::Repository,
    text: &str,
    parents: &[ObjectId],
) -> ObjectId {
    let who = git2::Signature::new("A", "a@b", &git2::Time::new(0, 0)).unwrap();
    let blob = repository.blob(text.as_bytes()).unwrap();
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("file", blob, 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let parents: Vec<_> =
        parents.iter().map(|&id| repository.find_commit(id.into()).unwrap()).collect();
    let parents: Vec<_> = parents.iter().collect();
    repository.commit(None, &who, &who, text, &tree, &parents).unwrap().into()
}

/// A target, how to push to it, and where to look what came of it.
pub(crate) struct Place {
    pub(crate) target: Target,
    /// The target's repository on this machine.
    pub(crate) repository: PathBuf,
}

impl Place {
    /// The references that the repository has, read without what is tested here.
    pub(crate) fn refs(&self) -> BTreeMap<String, ObjectId> {
        let repository = git2::Repository::open(&self.repository).unwrap();
        let references = repository.references().unwrap();
        references
            .map(|reference| reference.unwrap().resolve().unwrap())
            .map(|reference| {
                (reference.name().unwrap().to_owned(), reference.target().unwrap().into())
            })
            .collect()
    }

    /// Reads every object that the references reach; fails if one is missing.
    pub(crate) fn assert_complete(&self) {
        let repository = git2::Repository::open(&self.repository).unwrap();
        let mut walk = repository.revwalk().unwrap();
        walk.push_glob("refs/*").unwrap();
        for id in walk {
            let tree = repository.find_commit(id.unwrap()).unwrap().tree().unwrap();
            for entry in &tree {
                entry.to_object(&repository).unwrap();
            }
        }
    }

    /// Brings what the target has into the repository of `history`.
    fn fetch(&self, history: &History) -> Result<BTreeMap<String, ObjectId>, PublishError> {
        let mut destination = destination::open(&self.target, &history.path())?;
        let found = destination.fetch(&NoProgress, &Interrupt::default())?;
        Ok(found.into_iter().map(|reference| (reference.name, reference.id)).collect())
    }

    pub(crate) fn publish(
        &self,
        history: &History,
        wanted: &[(&str, ObjectId)],
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let (outcomes, _) = self.publish_counted(history, wanted)?;
        Ok(outcomes)
    }

    /// The outcomes, and how many pushes they took.
    pub(crate) fn publish_counted(
        &self,
        history: &History,
        wanted: &[(&str, ObjectId)],
    ) -> Result<(Vec<RefOutcome>, Vec<usize>), PublishError> {
        self.publish_meddled(history, wanted, |_| (true, true))
    }

    /// The same, where `meddle` is told how many pushes came before each; it says whether that one
    /// arrives, and whether there is an answer.
    pub(crate) fn publish_meddled(
        &self,
        history: &History,
        wanted: &[(&str, ObjectId)],
        meddle: impl Fn(usize) -> (bool, bool),
    ) -> Result<(Vec<RefOutcome>, Vec<usize>), PublishError> {
        let inner = destination::open(&self.target, &history.path())?;
        let mut watched = Watched { inner, pushes: Vec::new(), meddle };
        let (known, interrupt) = (HashMap::new(), Interrupt::default());
        let path = history.path();
        let outcomes = publish(&mut watched, &path, wanted, &known, &NoProgress, &interrupt)?;
        Ok((outcomes, watched.pushes))
    }

    /// The same for a mirror that has published `known` before.
    pub(crate) fn publish_again(
        &self,
        history: &History,
        wanted: &[(&str, ObjectId)],
        known: &[(&str, ObjectId)],
    ) -> Vec<RefOutcome> {
        let mut destination = destination::open(&self.target, &history.path()).unwrap();
        let interrupt = Interrupt::default();
        let known = known.iter().map(|(name, value)| {
            ((*name).to_owned(), KnownRef { values: vec![*value], is_main: *name == MASTER })
        });
        let known = known.collect();
        publish(destination.as_mut(), &history.path(), wanted, &known, &NoProgress, &interrupt)
            .unwrap()
    }
}

/// Publishes by the rules that hold if nothing is configured.
fn publish(
    destination: &mut dyn Destination,
    history: &Path,
    wanted: &[(&str, ObjectId)],
    known: &HashMap<String, KnownRef>,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Vec<RefOutcome>, PublishError> {
    let wanted: Vec<_> = wanted.iter().map(|&(name, id)| Reference::new(name, id)).collect();
    let orders = Orders {
        wanted: &wanted,
        known,
        is_ours: &|_| false,
        rules: &PublishRules::default(),
        backups: "refs/heads/synchroniser-backup/",
    };
    let published =
        destination::publish(destination, &orders, history, &mut NoJournal, progress, interrupt)?;
    Ok(published.outcomes)
}

/// A target whose pushes are counted, and may be meddled with.
struct Watched<F> {
    inner: Box<dyn Destination>,
    /// How many updates each push had.
    pushes: Vec<usize>,
    /// Is told how many pushes came before; says whether this one arrives, and whether there is an
    /// answer.
    meddle: F,
}

impl<F: Fn(usize) -> (bool, bool)> Destination for Watched<F> {
    fn references(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError> {
        self.inner.references(interrupt)
    }

    fn fetch(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Reference>, PublishError> {
        self.inner.fetch(progress, interrupt)
    }

    fn push(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let (arrives, answers) = (self.meddle)(self.pushes.len());
        self.pushes.push(updates.len());
        let pushed =
            if arrives { self.inner.push(updates, progress, interrupt)? } else { Vec::new() };
        match answers {
            true => Ok(pushed),
            false => Err(PublishError::NoCredential { target: "x".to_owned() }),
        }
    }

    fn parts(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Vec<RefUpdate>>, PublishError> {
        self.inner.parts(updates, progress, interrupt)
    }

    fn large_files(&mut self) -> Vec<LargeFile> {
        self.inner.large_files()
    }

    fn make_default(&mut self, main_branch: &str) -> Result<(), PublishError> {
        self.inner.make_default(main_branch)
    }
}

/// Outcomes in short: `=` up to date, `+` created, `>` moved, `-` removed, `!` refused.
pub(crate) fn short(outcomes: &[RefOutcome]) -> String {
    let signs = outcomes.iter().map(|outcome| match outcome.result {
        RefResult::UpToDate => '=',
        RefResult::Created => '+',
        RefResult::Moved => '>',
        RefResult::Removed => '-',
        RefResult::Refused { .. } => '!',
    });
    signs.collect()
}

/// Why the reference was refused.
pub(crate) fn reason(outcome: &RefOutcome) -> &str {
    match &outcome.result {
        RefResult::Refused { reason, .. } => reason,
        other => panic!("{} was not refused: {other:?}", outcome.name),
    }
}

/// What kind of refusal it was.
pub(crate) fn kind(outcome: &RefOutcome) -> RefusalKind {
    match &outcome.result {
        RefResult::Refused { kind, .. } => *kind,
        other => panic!("{} was not refused: {other:?}", outcome.name),
    }
}

const MASTER: &str = "refs/heads/master";
const SIDE: &str = "refs/heads/side";
const TAG: &str = "refs/tags/v1";

/// What every destination must do, each time with a new, empty repository from `place`.
pub(crate) fn contract(place: &dyn Fn() -> Place) {
    contract_with_tags(place, 1500);
}

/// The same, with so many tags at a time: some servers start a program for each.
pub(crate) fn contract_with_tags(place: &dyn Fn() -> Place, tags: usize) {
    creates_then_changes_nothing(&place());
    moves_forward_and_refuses_the_rest(&place());
    leaves_what_is_not_ours(&place());
    tags_do_not_move(&place());
    a_reference_that_moved_meanwhile_stays(&place());
    moves_back_and_removes_where_asked(&place());
    follows_what_it_has_published(&place());
    an_interrupt_comes_before_anything(&place());
    an_interrupt_ends_a_push(&place());
    a_long_history_arrives_whole(&place());
    what_is_hidden_stays_here(&place());
    file_and_folder_do_not_mix(&place());
    many_references(&place(), tags);
    gives_what_it_has(&place());
}

/// What only a hidden ref reaches is not sent, although it lies in the same pack, in whose order it comes
/// between what is.
fn what_is_hidden_stays_here(place: &Place) {
    let history = History::new();
    let (line, hidden) = (history.line("a", 20), history.line("hidden", 20));
    let last = (*hidden.last().unwrap()).into();
    history.repository.reference("refs/synchroniser/keep/1", last, true, "").unwrap();
    pack_everything(&history);
    place.publish(&history, &[(MASTER, line[10])]).unwrap();
    place.publish(&history, &[(MASTER, line[15])]).unwrap();
    place.assert_complete();
    let there = git2::Repository::open(&place.repository).unwrap();
    let has = |id: &&ObjectId| there.find_commit((**id).into()).is_ok();
    assert_eq!((line.iter().filter(has).count(), hidden.iter().filter(has).count()), (16, 0));
}

/// What a target has comes to an empty repository, whole, and again when it has more.
fn gives_what_it_has(place: &Place) {
    let (history, copy) = (History::new(), History::new());
    assert_eq!(place.fetch(&copy).unwrap(), BTreeMap::new());
    let line = history.line("a", 3);
    place.publish(&history, &[(MASTER, line[1]), (SIDE, line[0]), (TAG, line[0])]).unwrap();
    let names = |references: BTreeMap<String, ObjectId>| {
        let fetched = |name: &str| format!("{FETCHED}{}", name.strip_prefix("refs/").unwrap());
        references.into_iter().map(|(name, id)| (fetched(&name), id)).collect::<BTreeMap<_, _>>()
    };
    for tip in [line[1], line[2]] {
        place.publish(&history, &[(MASTER, tip)]).unwrap();
        assert_eq!(place.fetch(&copy).unwrap(), names(place.refs()));
        let copied = Place { target: Target::local(copy.path()), repository: copy.path() };
        assert_eq!(copied.refs(), names(place.refs()));
        copied.assert_complete();
    }
    let interrupt = Interrupt::default();
    interrupt.raise();
    let late = History::new();
    let mut destination = destination::open(&place.target, &late.path()).unwrap();
    let error = destination.fetch(&NoProgress, &interrupt).unwrap_err();
    assert_eq!(error.fault(), Fault::Interrupted, "{error:?}");
}

fn creates_then_changes_nothing(place: &Place) {
    let history = History::new();
    let line = history.line("a", 3);
    let side = history.commit("side", &[line[0]]);
    let wanted = [(MASTER, line[2]), (SIDE, side), (TAG, line[1])];

    let (outcomes, pushes) = place.publish_counted(&history, &wanted).unwrap();
    assert_eq!((short(&outcomes).as_str(), pushes), ("+++", vec![1, 2]));
    assert_eq!(outcomes[0].name, MASTER);
    assert_eq!((outcomes[0].old, outcomes[0].new), (None, Some(line[2])));
    let has = [(MASTER, line[2]), (SIDE, side), (TAG, line[1])];
    assert_eq!(place.refs(), has.map(|(name, id)| (name.to_owned(), id)).into());
    place.assert_complete();

    let (outcomes, pushes) = place.publish_counted(&history, &wanted).unwrap();
    assert_eq!((short(&outcomes).as_str(), pushes), ("===", vec![]));
}

fn moves_forward_and_refuses_the_rest(place: &Place) {
    let history = History::new();
    let line = history.line("a", 4);
    let other = history.commit("other", &[line[0]]);
    place.publish(&history, &[(MASTER, line[1]), (SIDE, line[3]), (TAG, line[0])]).unwrap();

    let wanted = [(MASTER, line[3]), (SIDE, other), (TAG, line[0]), ("refs/heads/new", other)];
    let (outcomes, pushes) = place.publish_counted(&history, &wanted).unwrap();
    assert_eq!((short(&outcomes).as_str(), pushes), (">!=+", vec![2]));
    assert_eq!(outcomes[0].old, Some(line[1]));
    assert_eq!(kind(&outcomes[1]), RefusalKind::MovedByOthers);
    assert!(reason(&outcomes[1]).contains(&line[3].to_string()), "{outcomes:?}");
    assert_eq!(place.refs()[SIDE], line[3]);
    assert_eq!(place.refs()[MASTER], line[3]);
    place.assert_complete();
}

fn leaves_what_is_not_ours(place: &Place) {
    let history = History::new();
    let mine = history.commit("mine", &[]);
    let theirs = {
        let repository = git2::Repository::open(&place.repository).unwrap();
        let theirs = commit_in(&repository, "theirs", &[]);
        repository.reference(MASTER, theirs.into(), false, "").unwrap();
        repository.reference("refs/heads/theirs", theirs.into(), false, "").unwrap();
        theirs
    };
    let outcomes = place.publish(&history, &[(MASTER, mine), (SIDE, mine)]).unwrap();
    assert_eq!(short(&outcomes), "!+");
    let expected =
        format!("the target is at {theirs}, a commit that did not come from this mirror");
    assert_eq!(reason(&outcomes[0]), expected);
    assert_eq!(place.refs()[MASTER], theirs);
    assert_eq!(place.refs()["refs/heads/theirs"], theirs);
}

fn tags_do_not_move(place: &Place) {
    let history = History::new();
    let line = history.line("a", 2);
    place.publish(&history, &[(MASTER, line[1]), (TAG, line[0])]).unwrap();
    let outcomes = place.publish(&history, &[(MASTER, line[1]), (TAG, line[1])]).unwrap();
    assert_eq!(short(&outcomes), "=!");
    assert_eq!(reason(&outcomes[1]), format!("the target has this tag, at {}", line[0]));
    assert_eq!(place.refs()[TAG], line[0]);
}

fn a_reference_that_moved_meanwhile_stays(place: &Place) {
    let history = History::new();
    let line = history.line("a", 3);
    place.publish(&history, &[(MASTER, line[1])]).unwrap();
    let mut destination = destination::open(&place.target, &history.path()).unwrap();
    for old in [Some(line[0]), None] {
        let update = RefUpdate { name: MASTER.to_owned(), old, new: Some(line[2]) };
        let pushed = destination.push(&[update], &NoProgress, &Interrupt::default()).unwrap();
        assert_eq!(reason(&pushed[0]), "it moved meanwhile");
        assert_eq!(place.refs()[MASTER], line[1]);
    }
}

fn moves_back_and_removes_where_asked(place: &Place) {
    let history = History::new();
    let line = history.line("a", 3);
    place.publish(&history, &[(MASTER, line[0]), (SIDE, line[2])]).unwrap();
    let mut destination = destination::open(&place.target, &history.path()).unwrap();
    let mut push = |updates: &[(&str, Option<ObjectId>, Option<ObjectId>)]| {
        let updates: Vec<_> = updates
            .iter()
            .map(|(name, old, new)| RefUpdate { name: (*name).to_owned(), old: *old, new: *new })
            .collect();
        short(&destination.push(&updates, &NoProgress, &Interrupt::default()).unwrap())
    };
    assert_eq!(push(&[(SIDE, Some(line[2]), Some(line[1]))]), ">");
    assert_eq!(place.refs()[SIDE], line[1]);
    // One that goes makes room for names in the folder that it stood in the way of.
    let below = format!("{SIDE}/x");
    assert_eq!(push(&[(&below, None, Some(line[2])), (SIDE, Some(line[1]), None)]), "+-");
    assert_eq!(place.refs().get(SIDE), None);
    assert_eq!(place.refs()[&below], line[2]);
}

/// What this mirror has published moves aside and goes; what others did stays.
fn follows_what_it_has_published(place: &Place) {
    let history = History::new();
    let line = history.line("a", 3);
    let other = history.commit("other", &[line[0]]);
    let new = "refs/heads/new";
    let before = [(MASTER, line[2]), (SIDE, line[2]), (TAG, line[1]), (new, line[1])];
    place.publish(&history, &before).unwrap();
    let wanted = [(MASTER, other), (SIDE, line[2]), (TAG, line[0])];
    let outcomes = place.publish_again(&history, &wanted, &before);
    assert_eq!(short(&outcomes), ">=>-", "{outcomes:?}");
    let has = |all: &[(&str, ObjectId)]| {
        all.iter().map(|(name, id)| ((*name).to_owned(), *id)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(place.refs(), has(&wanted));
    // Nothing else keeps what is given up here, and this one was moved by others.
    let last = [(MASTER, other), (SIDE, other), (TAG, line[2])];
    let known = [(MASTER, other), (SIDE, line[2]), (TAG, other)];
    let outcomes = place.publish_again(&history, &last, &known);
    assert_eq!(short(&outcomes), "=!!", "{outcomes:?}");
    assert_eq!(
        [kind(&outcomes[1]), kind(&outcomes[2])],
        [RefusalKind::Rewritten, RefusalKind::TagDiffers]
    );
    assert_eq!(place.refs(), has(&wanted));
}

fn an_interrupt_comes_before_anything(place: &Place) {
    let history = History::new();
    let id = history.commit("a", &[]);
    let mut destination = destination::open(&place.target, &history.path()).unwrap();
    let interrupt = Interrupt::default();
    interrupt.raise();
    let update = RefUpdate { name: MASTER.to_owned(), old: None, new: Some(id) };
    let error = destination.push(&[update], &NoProgress, &interrupt).unwrap_err();
    assert_eq!(error.fault(), Fault::Interrupted, "{error:?}");
    assert_eq!(place.refs().len(), 0);
}

fn an_interrupt_ends_a_push(place: &Place) {
    let history = History::new();
    let line = history.line("a", 20);
    let mut destination = destination::open(&place.target, &history.path()).unwrap();
    let interrupt = Interrupt::default();
    let update = RefUpdate { name: MASTER.to_owned(), old: None, new: Some(line[19]) };
    let stop = StopAt(None, &interrupt);
    let error = destination.push(&[update], &stop, &interrupt).unwrap_err();
    assert!(interrupt.is_raised(), "it has told of progress");
    assert_eq!(error.fault(), Fault::Interrupted, "{error:?}");
    assert_eq!(place.refs().len(), 0);
    // The next one knows nothing of it.
    assert_eq!(short(&place.publish(&history, &[(MASTER, line[19])]).unwrap()), "+");
}

fn a_long_history_arrives_whole(place: &Place) {
    let history = History::new();
    let line = history.line("long", 1200);
    let last = *line.last().unwrap();
    pack_everything(&history);
    let loose = history.commit("loose", &[last]);
    let outcomes = place.publish(&history, &[(MASTER, loose), (TAG, line[600])]).unwrap();
    assert_eq!(short(&outcomes), "++");
    place.assert_complete();
    let target = git2::Repository::open(&place.repository).unwrap();
    let mut commits = target.revwalk().unwrap();
    commits.push(loose.into()).unwrap();
    assert_eq!(commits.count(), 1201);
    let next = history.commit("next", &[loose]);
    assert_eq!(short(&place.publish(&history, &[(MASTER, next)]).unwrap()), ">");
    place.assert_complete();
}

/// Moves all objects of the history into one pack.
fn pack_everything(history: &History) {
    let repository = &history.repository;
    let odb = repository.odb().unwrap();
    let mut builder = repository.packbuilder().unwrap();
    odb.foreach(|id| {
        builder.insert_object(*id, None).unwrap();
        true
    })
    .unwrap();
    builder.write(&history.path().join("objects/pack"), 0).unwrap();
    for entry in fs::read_dir(history.path().join("objects")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().len() == 2 {
            fs::remove_dir_all(entry.path()).unwrap();
        }
    }
}

fn file_and_folder_do_not_mix(place: &Place) {
    let history = History::new();
    let line = history.line("a", 2);
    place.publish(&history, &[(MASTER, line[0]), ("refs/heads/a", line[0])]).unwrap();
    let wanted = [(MASTER, line[1]), ("refs/heads/a/b", line[1])];
    let outcomes = place.publish(&history, &wanted).unwrap();
    assert_eq!(short(&outcomes), ">!", "{outcomes:?}");
    assert!(!reason(&outcomes[1]).is_empty());
    assert_eq!(place.refs().len(), 2);
}

fn many_references(place: &Place, tags: usize) {
    let history = History::new();
    let id = history.commit("a", &[]);
    let names: Vec<_> = (0..tags).map(|number| format!("refs/tags/t{number:04}")).collect();
    let mut wanted = vec![(MASTER, id)];
    wanted.extend(names.iter().map(|name| (name.as_str(), id)));
    let (outcomes, pushes) = place.publish_counted(&history, &wanted).unwrap();
    // The first commit by itself, then at most 500 at a time.
    let parts: Vec<_> = names.chunks(500).map(<[_]>::len).collect();
    let expected = ("+".repeat(tags + 1), [&[1], &parts[..]].concat());
    assert_eq!((short(&outcomes), pushes), expected);
    assert_eq!(place.refs().len(), tags + 1);
}

/// An empty bare repository in a folder of its own.
struct Bare(tempfile::TempDir);

impl Bare {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        git2::Repository::init_bare(folder.path().join("target.git")).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("target.git")
    }

    fn place(&self) -> Place {
        Place { target: Target::local(self.path()), repository: self.path() }
    }
}

#[test]
fn a_path_keeps_the_contract() {
    let folders = std::cell::RefCell::new(Vec::new());
    contract(&|| {
        let bare = Bare::new();
        let place = bare.place();
        folders.borrow_mut().push(bare);
        place
    });
}

#[test]
fn an_empty_repository_gets_its_default_branch() {
    let (bare, history) = (Bare::new(), History::new());
    let id = history.commit("a", &[]);
    let repository = git2::Repository::open(bare.path()).unwrap();
    repository.set_head("refs/heads/trunk").unwrap();
    bare.place().publish(&history, &[("refs/heads/main", id), (SIDE, id)]).unwrap();
    assert_eq!(repository.head().unwrap().name().unwrap(), "refs/heads/main");
    // Later it is nobody's business but its owner's.
    repository.set_head("refs/heads/gone").unwrap();
    bare.place().publish(&history, &[("refs/heads/other", id)]).unwrap();
    assert_eq!(fs::read(bare.path().join("HEAD")).unwrap(), b"ref: refs/heads/gone\n");
}

#[test]
fn the_branch_that_is_checked_out_stays() {
    let (folder, history) = (tempfile::tempdir().unwrap(), History::new());
    let id = history.commit("a", &[]);
    let repository = git2::Repository::init(folder.path()).unwrap();
    repository.set_head(MASTER).unwrap();
    let place =
        Place { target: Target::local(folder.path()), repository: folder.path().to_owned() };
    let outcomes = place.publish(&history, &[(MASTER, id), (SIDE, id)]).unwrap();
    assert_eq!(short(&outcomes), "!+");
    assert!(reason(&outcomes[0]).contains("checked out"));
    repository.config().unwrap().set_str("receive.denyCurrentBranch", "ignore").unwrap();
    assert_eq!(short(&place.publish(&history, &[(MASTER, id), (SIDE, id)]).unwrap()), "+=");
}

#[test]
fn a_branch_checked_out_elsewhere_stays() {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("a", 2);
    let place = bare.place();
    place.publish(&history, &[(MASTER, line[0]), (SIDE, line[0])]).unwrap();
    let repository = git2::Repository::open(bare.path()).unwrap();
    let side = repository.find_reference(SIDE).unwrap();
    let mut options = git2::WorktreeAddOptions::new();
    options.reference(Some(&side));
    repository.worktree("copy", &bare.0.path().join("copy"), Some(&options)).unwrap();
    let outcomes = place.publish(&history, &[(MASTER, line[1]), (SIDE, line[1])]).unwrap();
    assert_eq!(short(&outcomes), ">!");
    assert_eq!(place.refs()[SIDE], line[0]);
}

#[test]
fn a_locked_reference_is_refused_alone() {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("a", 2);
    let place = bare.place();
    place.publish(&history, &[(MASTER, line[0]), (SIDE, line[0])]).unwrap();
    fs::write(bare.path().join("refs/heads/side.lock"), "").unwrap();
    let outcomes = place.publish(&history, &[(MASTER, line[1]), (SIDE, line[1])]).unwrap();
    assert_eq!(short(&outcomes), ">!");
    assert!(reason(&outcomes[1]).starts_with("another program has locked it: /"));
    assert_eq!(kind(&outcomes[1]), RefusalKind::Locked);
}

#[test]
fn an_alias_of_a_branch_is_not_overwritten() {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("a", 2);
    let place = bare.place();
    place.publish(&history, &[(MASTER, line[0])]).unwrap();
    let repository = git2::Repository::open(bare.path()).unwrap();
    repository.reference_symbolic(SIDE, MASTER, false, "").unwrap();
    let outcomes = place.publish(&history, &[(SIDE, line[1])]).unwrap();
    assert_eq!(short(&outcomes), "!");
    let alias = repository.find_reference(SIDE).unwrap();
    assert_eq!(alias.symbolic_target().unwrap(), Some(MASTER));
}

/// What a path without a usable repository gives: the fault, and the whole text.
fn error_of(path: &Path) -> (Fault, String) {
    let history = History::new();
    let place = Place { target: Target::local(path), repository: path.to_owned() };
    let error = place.publish(&history, &[(MASTER, history.commit("a", &[]))]).unwrap_err();
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    (error.fault(), format!("{error}: {source}. {}", error.hint().unwrap_or_default()))
}

#[test]
fn what_is_no_repository() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing");
    let shown = path.display();
    let expected = format!(
        "open the target {shown}: there is nothing at this path: . \
         `git init --bare {shown}` makes an empty repository"
    );
    assert_eq!(error_of(&path), (Fault::Config, expected));
    fs::create_dir(&path).unwrap();
    let (fault, text) = error_of(&path);
    assert_eq!(fault, Fault::Config);
    assert!(text.contains("it is not a Git repository"), "{text}");
    assert!(fs::read_dir(&path).unwrap().next().is_none(), "nothing is made there");
    fs::remove_dir(&path).unwrap();
    fs::write(&path, "a file").unwrap();
    assert_eq!(error_of(&path).0, Fault::Config);
}

#[test]
fn a_format_that_libgit2_does_not_write() {
    let bare = Bare::new();
    let config = bare.path().join("config");
    let reftable = "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\trefstorage = reftable\n";
    fs::write(config, reftable).unwrap();
    let (fault, text) = error_of(&bare.path());
    assert_eq!(fault, Fault::Unsupported, "{text}");
    assert!(text.contains("refstorage"), "{text}");
}

#[test]
fn a_damaged_pack_is_not_passed_on() {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("long", 1100);
    pack_everything(&history);
    let pack = fs::read_dir(history.path().join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|extension| extension == "pack"))
        .unwrap();
    let mut bytes = fs::read(&pack).unwrap();
    // Inside the checksum at the end, so that everything else still reads.
    let place_of_damage = bytes.len() - 3;
    bytes[place_of_damage] ^= 1;
    fs::set_permissions(&pack, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&pack, bytes).unwrap();
    let place = bare.place();
    let error = place.publish(&history, &[(MASTER, line[1099])]).unwrap_err();
    assert_eq!(error.fault(), Fault::Corrupt, "{error:?}");
    assert_eq!(place.refs().len(), 0);
    assert_eq!(fs::read_dir(bare.path().join("objects/pack")).unwrap().count(), 0);
}

#[test]
fn a_copy_that_was_cut_short_is_finished() {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("long", 1100);
    pack_everything(&history);
    let (ours, theirs) = (history.path().join("objects/pack"), bare.path().join("objects/pack"));
    for entry in fs::read_dir(&ours).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            fs::copy(&path, theirs.join(path.file_name().unwrap())).unwrap();
        }
    }
    fs::write(theirs.join("tmp_pack_abc"), "half a file").unwrap();
    let place = bare.place();
    assert_eq!(short(&place.publish(&history, &[(MASTER, line[1099])]).unwrap()), "+");
    place.assert_complete();
}

/// Stops at the beginning of that stage, or of any.
struct StopAt<'a>(Option<Stage>, &'a Interrupt);

impl Progress for StopAt<'_> {
    fn begin(&self, stage: Stage, _total: Option<u64>) {
        if self.0.is_none_or(|expected| stage == expected) {
            self.1.raise();
        }
    }
    fn advance(&self, _n: u64) {}
    fn end(&self) {}
}

#[test]
fn stopped_while_counting_or_packing_nothing_has_moved() {
    for stage in [Stage::CountingObjects, Stage::PackingObjects] {
        let (bare, history) = (Bare::new(), History::new());
        let line = history.line("a", 10);
        pack_everything(&history);
        let interrupt = Interrupt::default();
        let mut destination = destination::open(&bare.place().target, &history.path()).unwrap();
        let wanted = [(MASTER, *line.last().unwrap())];
        let (path, stop) = (history.path(), StopAt(Some(stage), &interrupt));
        let error =
            publish(destination.as_mut(), &path, &wanted, &HashMap::new(), &stop, &interrupt)
                .unwrap_err();
        assert_eq!(error.fault(), Fault::Interrupted, "{stage:?}");
        assert_eq!(bare.place().refs().len(), 0, "{stage:?}");
    }
}

/// Publishes the end of a line, of which the target has the beginning. Returns the outcomes and how
/// many pushes there were.
fn publish_meddled(
    meddle: impl Fn(&git2::Repository, &[ObjectId], usize) -> (bool, bool),
) -> (Result<String, Fault>, usize) {
    let (bare, history) = (Bare::new(), History::new());
    let line = history.line("a", 4);
    bare.place().publish(&history, &[(MASTER, line[0]), (SIDE, line[2])]).unwrap();
    let repository = git2::Repository::open(bare.path()).unwrap();
    let pushes = Cell::new(0);
    let meddle = |before| {
        pushes.set(before + 1);
        meddle(&repository, &line, before)
    };
    let outcomes = bare.place().publish_meddled(&history, &[(MASTER, line[3])], meddle);
    let result = match &outcomes {
        Ok((outcomes, _)) => Ok(short(outcomes)),
        Err(error) => Err(error.fault()),
    };
    (result, pushes.get())
}

/// Somebody else moves the ref between the list and the push.
#[test]
fn a_target_that_moves_meanwhile_is_looked_at_again() {
    let moved = |repository: &git2::Repository, to: ObjectId| {
        repository.reference(MASTER, to.into(), true, "").unwrap();
        (true, true)
    };
    let once = publish_meddled(|repository, line, before| match before {
        0 => moved(repository, line[1]),
        _ => (true, true),
    });
    assert_eq!(once, (Ok(">".to_owned()), 2));
    let always =
        publish_meddled(|repository, line, before| moved(repository, line[(before + 1) % 2]));
    assert_eq!(always, (Ok("!".to_owned()), 3));
}

/// What has arrived counts, whatever became of the connection.
#[test]
fn after_a_broken_connection_the_target_is_asked() {
    assert_eq!(publish_meddled(|_, _, _| (true, false)), (Ok(">".to_owned()), 1));
    assert_eq!(publish_meddled(|_, _, _| (false, false)), (Err(Fault::Auth), 1));
}
