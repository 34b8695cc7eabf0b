//! Targets on this machine: objects go straight into their object database, then references move
//! one by one, each only if it still has the value that was listed.
//!
//! libgit2's own push to a path has three flaws that matter here. It searches for deltas anew,
//! which takes minutes for a large history whose packs have good ones already; it takes no
//! repository with a working copy; and it moves a reference that was moved meanwhile. What it
//! has in common with this: hooks of the target do not run, as there is no server to run them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use git2::ErrorCode;

use super::fetched::{download, keep};
use super::objects;
use super::{Destination, PublishError, RefOutcome, RefUpdate, RefusalKind, Said};
use crate::base::{Interrupt, Progress};
use crate::git::reference::{Reference, is_mirrored};
use crate::git::repository::{
    BareRepository, Moved, Opened, PackedRefs, RepositoryError, UpdateRefsError, move_reference,
    open_any, point_head, read_reference, remove_reference,
};

/// A repository on this machine, bare or with a working copy.
pub(super) struct LocalDestination {
    source: BareRepository,
    target: Opened,
    /// As it is shown.
    address: String,
}

/// How many new references are made one by one.
const FEW_CREATIONS: usize = 10;

/// The hooks that could refuse a push, or that wait for one. They do not run.
const HOOKS: [&str; 6] = [
    "pre-receive",
    "update",
    "proc-receive",
    "reference-transaction",
    "post-receive",
    "post-update",
];

impl LocalDestination {
    /// Opens the repository at `path`, to be pushed to from the bare repository `git_dir`.
    pub(super) fn open(path: &Path, git_dir: &Path) -> Result<Self, PublishError> {
        let source = BareRepository::open(git_dir)?;
        let address = path.display().to_string();
        let target = open_any(path).map_err(|error| cannot_open(error, &address))?;
        warn_of_hooks(target.repository(), &address);
        Ok(Self { source, target, address })
    }

    fn repository(&self) -> &git2::Repository {
        self.target.repository()
    }

    /// Moves one reference, if it still has the value that was listed.
    fn update(&self, names: &mut Names, update: &RefUpdate) -> Result<RefOutcome, PublishError> {
        if names.made.contains(&update.name) {
            return Ok(RefOutcome::accepted(update));
        }
        // libgit2 stumbles over the file system here, with an error that looks like a broken disk.
        if let (Some(other), Some(_)) = (names.clash(&update.name), update.new) {
            let reason = format!("{other} is in the way: one of the two would have to be a folder");
            return Ok(RefOutcome::refused(update, RefusalKind::FolderConflict, reason));
        }
        if self.is_checked_out(&update.name) {
            let reason = "it is checked out there, and its files would no longer fit it";
            return Ok(RefOutcome::refused(update, RefusalKind::CheckedOut, reason));
        }
        let refused = |kind, reason: String| Ok(RefOutcome::refused(update, kind, reason));
        let moved = match (update.old, update.new) {
            (old, Some(new)) => move_reference(self.repository(), &update.name, old, new),
            (Some(old), None) => remove_reference(self.repository(), &update.name, old),
            (None, None) => Ok(Moved::Meanwhile),
        };
        match moved {
            Ok(Moved::Done) => {
                match update.new {
                    Some(_) => names.add(&update.name),
                    None => names.remove(&update.name),
                }
                Ok(RefOutcome::accepted(update))
            }
            Ok(Moved::Meanwhile) => refused(RefusalKind::Raced, "it moved meanwhile".to_owned()),
            Ok(Moved::Alias) => {
                refused(RefusalKind::Symbolic, "it stands for another ref there".to_owned())
            }
            Err(UpdateRefsError::Locked { path }) => refused(
                RefusalKind::Locked,
                format!("another program has locked it: {} exists", path.display()),
            ),
            Err(error) => Err(self.cannot_move(error)),
        }
    }

    /// Creates the references of `updates` that are new, in one go: a file for each, flushed to disk,
    /// takes milliseconds, and there may be thousands. [`Self::update`] finds them done.
    fn create_together(
        &self,
        names: &mut Names,
        updates: &[RefUpdate],
    ) -> Result<(), PublishError> {
        let failed = |error| self.cannot_move(error);
        let mut packed = PackedRefs::lock(self.repository()).map_err(failed)?;
        for update in updates.iter().filter(|update| update.old.is_none()) {
            let Some(id) = update.new else { continue };
            let is_free = !names.existing.contains(&update.name) && !packed.has(&update.name);
            if is_free && names.clash(&update.name).is_none() && !self.is_checked_out(&update.name)
            {
                packed.set(&update.name, id).map_err(failed)?;
                names.add(&update.name);
                names.made.insert(update.name.clone());
            }
        }
        packed.commit().map_err(failed)
    }

    /// Whether files of a working copy belong to that branch, and moving it is not allowed
    /// (`receive.denyCurrentBranch`, as Git has it: refused unless said otherwise).
    fn is_checked_out(&self, name: &str) -> bool {
        let heads = self.working_copies().into_iter().filter_map(|copy| {
            let head = copy.find_reference("HEAD").ok()?;
            head.symbolic_target().ok().flatten().map(str::to_owned)
        });
        let is_head = heads.into_iter().any(|head| head == name);
        is_head && !self.may_move_current_branch()
    }

    /// The repository itself if it has a working copy, and those it has elsewhere.
    fn working_copies(&self) -> Vec<git2::Repository> {
        let repository = self.repository();
        let itself = (!repository.is_bare()).then(|| git2::Repository::open(repository.path()));
        let names = repository.worktrees().ok();
        let linked = names.iter().flatten().filter_map(|name| {
            let worktree = repository.find_worktree(name.ok().flatten()?).ok()?;
            Some(git2::Repository::open_from_worktree(&worktree))
        });
        itself.into_iter().chain(linked).filter_map(Result::ok).collect()
    }

    /// Whether the target's owner has said that the branch that is checked out may move.
    fn may_move_current_branch(&self) -> bool {
        let config = self.repository().config();
        let value = config.and_then(|config| config.get_string("receive.denyCurrentBranch"));
        value.is_ok_and(|value| {
            matches!(
                value.to_ascii_lowercase().as_str(),
                "ignore" | "warn" | "false" | "no" | "off"
            )
        })
    }

    /// All references of the target, also those we never touch.
    fn names(&self) -> Result<Names, PublishError> {
        let mut names = Names::default();
        let mut references = self.repository().references().map_err(|error| self.broken(&error))?;
        for name in references.names().flatten() {
            names.add(name);
        }
        Ok(names)
    }

    fn broken(&self, error: &git2::Error) -> PublishError {
        let source = Said(error.message().to_owned());
        PublishError::Unintelligible { target: self.address.clone(), source }
    }

    fn cannot_move(&self, source: UpdateRefsError) -> PublishError {
        PublishError::References { target: self.address.clone(), source }
    }
}

impl Destination for LocalDestination {
    fn references(&mut self, interrupt: &Interrupt) -> Result<Vec<Reference>, PublishError> {
        interrupt.check()?;
        let broken = |error| self.broken(&error);
        let mut found = Vec::new();
        for reference in self.repository().references().map_err(broken)? {
            let reference = reference.map_err(broken)?;
            let Ok(name) = reference.name() else { continue };
            if !is_mirrored(name) {
                continue;
            }
            // What another name stands for is listed as what it finally names, as a server does.
            if let Some(id) = reference.resolve().ok().and_then(|resolved| resolved.target()) {
                found.push(read_reference(self.repository(), name, id));
            }
        }
        found.sort();
        Ok(found)
    }

    fn fetch(
        &mut self,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<Reference>, PublishError> {
        let found = self.references(interrupt)?;
        if found.is_empty() {
            return Ok(found);
        }
        if self.repository().is_shallow() {
            return Err(PublishError::Shallow { target: self.address.clone() });
        }
        let path = self.repository().path();
        let is_whole = self.repository().is_bare() && !objects::has_alternates(path);
        if is_whole {
            let transfer = objects::Transfer {
                source: &BareRepository::open(path)?,
                target: self.source.repository(),
                address: &self.source.path().display().to_string(),
                progress,
                interrupt,
            };
            // Here the target is what is read, and what is written is ours.
            transfer.copy().map_err(|error| match error {
                PublishError::Cache(source) => {
                    PublishError::Read { target: self.address.clone(), source }
                }
                PublishError::Write { source, .. } => {
                    PublishError::Keep { path: self.source.path().to_owned(), source }
                }
                error => error,
            })?;
        } else {
            let address = path.to_str().unwrap_or(&self.address);
            download(&self.source, address, git2::RemoteCallbacks::new())
                .map_err(|error| self.broken(&error))?;
        }
        keep(&self.source, &found)
    }

    fn push(
        &mut self,
        updates: &[RefUpdate],
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let has = self.references(interrupt)?;
        let transfer = objects::Transfer {
            source: &self.source,
            target: self.repository(),
            address: &self.address,
            progress,
            interrupt,
        };
        transfer.run(updates, &has)?;
        interrupt.check()?;
        let mut names = self.names()?;
        // A name may have to go before another one can be the folder, or in the folder, of it.
        let mut removed = HashMap::new();
        for update in updates.iter().filter(|update| update.new.is_none()) {
            removed.insert(update.name.as_str(), self.update(&mut names, update)?);
        }
        if updates.iter().filter(|update| update.old.is_none()).count() > FEW_CREATIONS {
            self.create_together(&mut names, updates)?;
        }
        let outcome = |update: &RefUpdate| match removed.remove(update.name.as_str()) {
            Some(outcome) => Ok(outcome),
            None => self.update(&mut names, update),
        };
        updates.iter().map(outcome).collect()
    }

    /// Nobody else works for a target that is a path.
    fn pushes_a_minute(&self) -> Option<usize> {
        None
    }

    /// Points `HEAD` at the main branch where it names a branch that does not exist, so that a clone
    /// of a repository that was empty has something to check out.
    fn make_default(&mut self, main_branch: &str) -> Result<(), PublishError> {
        let repository = self.repository();
        let dangles =
            matches!(repository.head(), Err(error) if error.code() == ErrorCode::UnbornBranch);
        if dangles && repository.is_bare() {
            point_head(repository, main_branch).map_err(|error| self.cannot_move(error))?;
        }
        Ok(())
    }
}

/// The names of references, and the folders that they need.
#[derive(Default)]
struct Names {
    existing: HashSet<String>,
    /// Those that we have just made.
    made: HashSet<String>,
    /// Each with the names that need it.
    folders: HashMap<String, BTreeSet<String>>,
}

impl Names {
    fn add(&mut self, name: &str) {
        for folder in folders_of(name) {
            self.folders.entry(folder.to_owned()).or_default().insert(name.to_owned());
        }
        self.existing.insert(name.to_owned());
    }

    fn remove(&mut self, name: &str) {
        for folder in folders_of(name) {
            if let Some(names) = self.folders.get_mut(folder) {
                names.remove(name);
            }
        }
        self.existing.remove(name);
    }

    /// An existing reference that cannot be there beside `name`.
    fn clash(&self, name: &str) -> Option<&str> {
        let above = folders_of(name).find_map(|folder| self.existing.get(folder));
        above.or_else(|| self.folders.get(name)?.first()).map(String::as_str)
    }
}

/// The folders of `a/b/c`: `a` and `a/b`.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// Why a target on this machine does not open.
fn cannot_open(error: RepositoryError, address: &str) -> PublishError {
    let target = address.to_owned();
    match error {
        RepositoryError::Init(error) => PublishError::Init(error),
        RepositoryError::NotARepository { path } => {
            PublishError::NoRepository { target, is_there: path.exists() }
        }
        RepositoryError::ForeignOwner { .. } => PublishError::ForeignOwner { target },
        RepositoryError::Open { source, .. } => {
            let source = Said(source.message().to_owned());
            if source.0.contains("unsupported") {
                PublishError::Unsupported { target, source }
            } else {
                PublishError::Missing { target, source }
            }
        }
        other => PublishError::Cache(other),
    }
}

/// Says so, if the target's owner has hooks that a push over a path passes by.
fn warn_of_hooks(repository: &git2::Repository, address: &str) {
    let is_hook = |path: &PathBuf| {
        fs::metadata(path)
            .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
    };
    let folder = repository.commondir().join("hooks");
    if let Some(hook) = HOOKS.iter().map(|hook| folder.join(hook)).find(is_hook) {
        tracing::warn!(
            target_repository = address,
            hook = %hook.display(),
            "hooks do not run for a target that is a path; use ssh:// if they must"
        );
    }
}
