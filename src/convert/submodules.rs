//! Submodules along a history: what each changeset's tree has beside the files of its manifest.

mod contents;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use contents::{Contents, Lost, SubrepoFiles};

use super::ConvertError;
use super::identity::submodules::{
    FileChange, Follows, GitSubrepository, MODULES, Modules, SubmoduleRules, Submodules,
    SubrepoStep,
};
use super::identity::{Identity, Place};
use super::left_out::LeftOutReason;
use super::placeholder::Placeholders;
use super::places::mode;
use crate::base::{RepoPath, RepoPathBuf};
use crate::git::tree::{Mode, TreeSource};
use crate::git::tree_path::entry_at;
use crate::git::{ObjectId, ObjectKind};
use crate::hg::manifest::{FileKind, Manifest};
use crate::hg::revlog::Text;
use crate::hg::subrepo::{STATE, SUB, SubrepoError, subrepositories};
use crate::hg::{Changeset, Node, Repository, Rev};

/// What lies over the files of a manifest: at each path a file or a link, or `None` where nothing is
/// whatever the manifest has there. No path of it clashes with another, nor with the manifest.
pub(super) type Overlay = BTreeMap<RepoPathBuf, Option<(Mode, ObjectId)>>;

/// What has no place, and why.
pub(super) type Without = Vec<(RepoPathBuf, LeftOutReason)>;

/// A changeset that an earlier run converted.
pub(super) struct Earlier<'t> {
    pub changeset: Changeset,
    /// The text of its manifest.
    pub manifest: Text,
    /// Its commit.
    pub commit: ObjectId,
    /// Where the commit is.
    pub objects: &'t dyn TreeSource,
}

/// Finds a changeset that an earlier run converted; `None` if none did.
pub(super) type FindEarlier<'f, 't> =
    dyn FnMut(Rev) -> Result<Option<Earlier<'t>>, ConvertError> + 'f;

/// What a changeset brought.
#[derive(Default)]
pub(super) struct Brought {
    /// The text of a file that was made, which is a new blob.
    pub made: Option<Vec<u8>>,
    /// The subrepositories that cannot become submodules.
    pub without: Without,
}

/// Why the subrepositories of a changeset are not read.
enum Stop {
    /// Something that they are said in cannot be read.
    Lost,
    Error(ConvertError),
}

/// The submodules of all changesets so far.
pub(super) struct SubmoduleHistory<'h> {
    identity: &'static dyn Identity,
    rules: &'static dyn SubmoduleRules,
    source: &'h Repository,
    files: SubrepoFiles<'h>,
    states: HashMap<Rev, Arc<Known>>,
}

/// A revision of a file, as a manifest has it.
type File = (Node, FileKind);

/// What those that follow a changeset need to know of it.
#[derive(Default, PartialEq, Eq)]
struct Known {
    sub: Option<File>,
    state: Option<File>,
    tracked: Option<File>,
    is_followed: bool,
    submodules: Arc<Submodules>,
}

impl Known {
    /// What a manifest says, without the submodules that follow from it.
    fn of(manifest: &[u8], is_followed: bool) -> Self {
        let file = |path: &str| {
            Manifest::new(manifest).file(path.into()).map(|line| (line.node, line.kind))
        };
        let (sub, state, tracked) = (file(SUB), file(STATE), file(MODULES));
        Self { sub, state, tracked, is_followed, submodules: Arc::default() }
    }
}

/// How a file differs, if it does.
fn change(before: Option<File>, after: Option<File>) -> Option<FileChange> {
    match (before, after) {
        (None, None) => None,
        (Some(before), Some(after)) => (before != after).then_some(FileChange::Modified),
        (Some(_), None) => Some(FileChange::Removed),
        (None, Some(_)) => Some(FileChange::Added),
    }
}

impl<'h> SubmoduleHistory<'h> {
    /// The history of `source` under `identity`, nothing of it looked at yet; `None` if the identity
    /// makes no submodules.
    pub(super) fn new(
        identity: &'static dyn Identity,
        source: &'h Repository,
        placeholders: &'h Placeholders,
    ) -> Option<Self> {
        let rules = identity.submodules()?;
        let files = SubrepoFiles::new(source, placeholders);
        Some(Self { identity, rules, source, files, states: HashMap::new() })
    }

    /// What could not be read since this was asked the last time. A changeset that needs it has no
    /// submodules.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        self.files.take_lost()
    }

    /// Adds a changeset with the manifest of this text. Changesets come in revision order.
    pub(super) fn add(
        &mut self,
        rev: Rev,
        changeset: &Changeset,
        manifest: &[u8],
        earlier: &mut FindEarlier<'_, '_>,
    ) -> Result<Brought, ConvertError> {
        let before = self.followed(rev, earlier)?;
        let mut after = Known::of(manifest, self.rules.is_followed(changeset));
        let mut brought = Brought::default();
        let mut step = SubrepoStep {
            before: &before.submodules,
            sub: change(before.sub, after.sub),
            state: change(before.state, after.state),
            tracked: change(before.tracked, after.tracked),
            mode: after.sub.map_or(Mode::Regular, |(_, kind)| mode(kind)),
            subrepositories: &[],
            contents: None,
        };
        let (subs, contents);
        if step.is_about_subrepositories() {
            (subs, brought.without) = self.git_subrepositories(rev, manifest)?;
            contents = match subs.is_empty() {
                true => None,
                false => match self.contents(rev, manifest, MODULES.into())? {
                    Some(Contents::Read(text)) => Some(text),
                    Some(Contents::Placeholder(_)) | None => None,
                },
            };
            (step.subrepositories, step.contents) = (&subs, contents.as_deref());
        }
        if step.is_about_subrepositories() || step.tracked.is_some() {
            let (submodules, made) = self.rules.next(&step);
            after.submodules = Arc::new(submodules);
            brought.made = made;
        } else {
            after.submodules = before.submodules.clone();
        }
        // hg-fast-export leaves a link where it is when its commit is not known any more.
        let stays = |path: &RepoPathBuf| after.submodules.links.contains_key(path);
        brought.without.retain(|(path, _)| !stays(path));
        // Most changesets are like the one before.
        let same = *before == after;
        self.states.insert(rev, if same { before } else { Arc::new(after) });
        Ok(brought)
    }

    /// What lies over the files of `rev`, whose manifest has this text.
    pub(super) fn overlay(
        &mut self,
        rev: Rev,
        manifest: &[u8],
        earlier: &mut FindEarlier<'_, '_>,
    ) -> Result<(Overlay, Without), ConvertError> {
        let state = self.state(rev, earlier)?;
        Ok(overlay(self.identity, &state.submodules, Manifest::new(manifest)))
    }

    /// The state that the one of `rev` is made from.
    fn followed(
        &mut self,
        rev: Rev,
        earlier: &mut FindEarlier<'_, '_>,
    ) -> Result<Arc<Known>, ConvertError> {
        match self.rules.follows() {
            Follows::FirstParent => {
                if let Some(parent) = self.source.changelog().dag().parents(rev).next() {
                    return self.state(parent, earlier);
                }
            }
            Follows::Previous => {
                for rev in (0..rev.number()).rev().map(Rev::new) {
                    if let Some(state) = self.known(rev, earlier)?.filter(|s| s.is_followed) {
                        return Ok(state);
                    }
                }
            }
        }
        Ok(Arc::new(Known { is_followed: true, ..Known::default() }))
    }

    /// The state of a changeset that was added, or that an earlier run converted.
    fn state(
        &mut self,
        rev: Rev,
        earlier: &mut FindEarlier<'_, '_>,
    ) -> Result<Arc<Known>, ConvertError> {
        Ok(self.known(rev, earlier)?.unwrap_or_default())
    }

    /// The same; `None` for one that has no commit.
    fn known(
        &mut self,
        rev: Rev,
        earlier: &mut FindEarlier<'_, '_>,
    ) -> Result<Option<Arc<Known>>, ConvertError> {
        if let Some(state) = self.states.get(&rev) {
            return Ok(Some(state.clone()));
        }
        let Some(found) = earlier(rev)? else { return Ok(None) };
        let mut state = Known::of(&found.manifest, self.rules.is_followed(&found.changeset));
        state.submodules = Arc::new(self.recovered(rev, &found, state.tracked)?);
        let state = Arc::new(state);
        self.states.insert(rev, state.clone());
        Ok(Some(state))
    }

    /// The submodules of a changeset that an earlier run converted, from its tree.
    fn recovered(
        &mut self,
        rev: Rev,
        earlier: &Earlier<'_>,
        tracked: Option<File>,
    ) -> Result<Submodules, ConvertError> {
        let changeset = self.node(rev);
        let tree_error = |source| ConvertError::Tree { changeset, source };
        let tree = earlier.objects.tree_of_commit(earlier.commit).map_err(tree_error)?;
        let at = |path: &RepoPath| entry_at(earlier.objects, tree, path).map_err(tree_error);
        let there = at(MODULES.into())?;
        let place = self.identity.place(MODULES.into(), Mode::Regular);
        let tracked = tracked.filter(|_| place == Place::Same);
        let (all, _) = self.git_subrepositories(rev, &earlier.manifest)?;
        let mut links = BTreeMap::new();
        for sub in all {
            let place = link_place(self.identity, sub.path.as_ref()).ok();
            let entry = place.map_or(Ok(None), |place| at(place.as_ref()))?;
            // One that is not in the tree is hidden by something, and as it is recorded.
            let link = entry.filter(|(mode, _)| *mode == Mode::Gitlink).map(|(_, id)| id);
            links.insert(sub.path, link.unwrap_or(sub.commit));
        }
        let modules = match (there, tracked) {
            (None, None) => Modules::Tracked,
            (None, Some(_)) => Modules::Nothing,
            (Some((there, id)), None) => Modules::Made(there, id),
            (Some((there, id)), Some((_, kind))) => {
                let text = match self.contents(rev, &earlier.manifest, MODULES.into())? {
                    Some(Contents::Read(text) | Contents::Placeholder(text)) => text,
                    None => Vec::new(),
                };
                let blob = ObjectId::of(ObjectKind::Blob, &text);
                match (blob, mode(kind)) == (id, there) {
                    true => Modules::Tracked,
                    false => Modules::Made(there, id),
                }
            }
        };
        Ok(Submodules { links, modules })
    }

    /// The subrepositories of `rev` that are Git's and whose commits are known, and what is wrong
    /// with the others.
    fn git_subrepositories(
        &mut self,
        rev: Rev,
        manifest: &[u8],
    ) -> Result<(Vec<GitSubrepository>, Without), ConvertError> {
        let mut read = |path: &RepoPath| match self.contents(rev, manifest, path) {
            Ok(Some(Contents::Read(text))) => Ok(Some(text)),
            Ok(Some(Contents::Placeholder(_))) => Err(Stop::Lost),
            Ok(None) => Ok(None),
            Err(error) => Err(Stop::Error(error)),
        };
        let without = |why| Ok((Vec::new(), vec![(SUB.into(), why)]));
        let all = match subrepositories(&mut read) {
            Ok(all) => all,
            Err(SubrepoError::Read(Stop::Error(error))) => return Err(error),
            Err(SubrepoError::Read(Stop::Lost)) => {
                return without(LeftOutReason::SubrepositoriesUnreadable);
            }
            Err(SubrepoError::Malformed(_)) => {
                return without(LeftOutReason::SubrepositoriesMalformed);
            }
        };
        let (mut of_git, mut without) = (Vec::new(), Vec::new());
        for sub in all.into_iter().filter(|sub| sub.kind == "git") {
            let commit =
                ObjectId::from_hex(&sub.revision).ok_or(LeftOutReason::SubrepositoryWithoutCommit);
            match commit
                .and_then(|commit| Ok((commit, link_place(self.identity, sub.path.as_ref())?)))
            {
                Ok((commit, _)) => {
                    of_git.push(GitSubrepository { path: sub.path, source: sub.source, commit });
                }
                Err(why) => without.push((sub.path, why)),
            }
        }
        Ok((of_git, without))
    }

    /// The contents of the file at `path`, if `rev` has it.
    fn contents(
        &mut self,
        rev: Rev,
        manifest: &[u8],
        path: &RepoPath,
    ) -> Result<Option<Contents>, ConvertError> {
        let Some(line) = Manifest::new(manifest).file(path) else { return Ok(None) };
        let changeset = self.node(rev);
        let error = |source| ConvertError::File { path: path.to_owned(), changeset, source };
        self.files.contents(path, line.node).map(Some).map_err(error)
    }

    fn node(&self, rev: Rev) -> Node {
        self.source.changelog().node(rev)
    }
}

/// Where the link of a subrepository at `path` is in a tree; or why it is nowhere.
fn link_place(identity: &dyn Identity, path: &RepoPath) -> Result<RepoPathBuf, LeftOutReason> {
    match identity.place(path, Mode::Gitlink) {
        Place::Same => Ok(path.to_owned()),
        Place::At(place) => Ok(place),
        Place::Nowhere => Err(LeftOutReason::SubrepositoryReserved),
        Place::LeftOut(why) => Err(why),
    }
}

/// What lies over a manifest. What the manifest has stays: a link that is in its way has no place.
fn overlay(
    identity: &dyn Identity,
    submodules: &Submodules,
    manifest: Manifest<'_>,
) -> (Overlay, Without) {
    let (mut all, mut without) = (Overlay::new(), Without::new());
    for (path, commit) in &submodules.links {
        let Ok(place) = link_place(identity, path.as_ref()) else { continue };
        let is_modules = place.strip_prefix(MODULES.as_bytes());
        let is_modules = is_modules.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"));
        let taken = manifest.has_file(place.as_ref()) || manifest.clashes_at(place.as_ref());
        if is_modules || taken {
            without.push((path.clone(), LeftOutReason::SubrepositoryOverFiles));
            continue;
        }
        all.insert(place, Some((Mode::Gitlink, *commit)));
    }
    let holds_another = |path: &RepoPathBuf| {
        let below = [path.as_slice(), b"/"].concat();
        let next = all.range(RepoPathBuf::from(below.clone())..).next();
        next.is_some_and(|(next, _)| next.starts_with(&below))
    };
    let outer: Vec<_> = all.keys().filter(|path| holds_another(path)).cloned().collect();
    for path in outer {
        all.remove(&path);
        without.push((path, LeftOutReason::SubrepositoryAroundAnother));
    }
    match submodules.modules {
        Modules::Tracked => {}
        Modules::Nothing => drop(all.insert(MODULES.into(), None)),
        Modules::Made(..) if manifest.has_directory(MODULES.into()) => {}
        Modules::Made(mode, id) => drop(all.insert(MODULES.into(), Some((mode, id)))),
    }
    (all, without)
}
