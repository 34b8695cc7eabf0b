//! Writes Mercurial stores: what was fetched becomes a repository that stock Mercurial reads.
//!
//! A [`Writer`] is one transaction. Files are appended first, then manifests, the changelog last, so
//! that whoever reads meanwhile sees the old history or the new one. What was there before is in a
//! journal of the kind that `hg recover` knows: killed at any moment, the next [`Writer::open`], or
//! Mercurial, puts it back. Every text is checked against its node before anything becomes visible.
//!
//! Source: `hg help internals.revlogs`, `internals.requirements`, `internals.changegroups`; what
//! these do not say is how `hg` was seen to write.

mod appender;
mod arrivals;
mod check;
mod checker;
mod create;
mod entry;
mod error;
mod files;
mod history;
mod journal;
mod lock;
mod packer;
mod receive;
mod small;
mod streamed;
mod transaction;

use std::path::{Path, PathBuf};

use crate::base::{Interrupt, Limits, Progress};
use crate::hg::Node;
use crate::hg::bundle::{Changegroup, Item};
use crate::hg::store::bookmarks::Bookmarks;
use crate::hg::store::obsolete::parse_markers;
use crate::hg::store::{Layout, Phase};
use appender::{Appender, Kind};
use create::Making;
use lock::Lock;
use packer::Packer;
use receive::Receiver;
use small::{Small, Target};
use transaction::Transaction;

pub use create::NewStore;
pub use error::{RevisionsError, WriteError, Wrong};
pub use streamed::{CheckedStore, StreamedStore};

/// Where revisions come from: groups in the order of a changegroup, the changelog first.
pub trait Revisions {
    /// What comes next; `None` at the end.
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError>;
}

impl Revisions for Changegroup<'_, '_> {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        Ok(Changegroup::next_item(self)?)
    }
}

/// What was added by a changegroup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// The changesets that were not there before, in their order.
    pub changesets: Vec<Node>,
    /// How many revisions of manifests, those of directories included.
    pub manifests: u64,
    /// How many revisions of files.
    pub file_revisions: u64,
    /// How many revisions came that were there already.
    pub known: u64,
}

/// A transaction under way. Dropped without [`Writer::commit`], it is undone.
pub struct Writer {
    root: PathBuf,
    layout: Layout,
    limits: Limits,
    packer: Packer,
    changelog: Option<Appender>,
    small: Small,
    state: State,
    /// Held until all else is done.
    _lock: Lock,
}

/// What there is to undo.
#[derive(Debug)]
enum State {
    /// Nothing was written yet.
    Clean,
    /// Something may have been written.
    Begun(Box<Transaction>),
    /// It went wrong, and was undone.
    Undone,
    /// It is there to stay.
    Ended,
}

impl Writer {
    /// Makes a repository without working copy and without changesets at `root`, whole or not at all.
    /// There may be an empty folder.
    pub fn create(root: &Path, options: &NewStore) -> Result<(), WriteError> {
        Making::begin(root, &options.requirements())?.finish()
    }

    /// Takes the lock of the store at `root`, undoes what an earlier writer did not end, and begins.
    pub fn open(root: &Path, limits: &Limits) -> Result<Self, WriteError> {
        let layout = Layout::open(root, limits)?;
        let requirements = refused(&layout);
        if !requirements.is_empty() {
            return Err(WriteError::Unsupported { path: root.to_owned(), requirements });
        }
        let store = layout.store_dir();
        let lock = Lock::take(root, &store)?;
        journal::roll_back(&layout, limits.metadata_bytes)?;
        let packer = Packer::new(layout.requirements()).map_err(WriteError::io(&store))?;
        let place = receive::place("00changelog", layout.changelog());
        let changelog = Appender::open(place, Kind::Changelog, false, limits)?;
        Ok(Self {
            root: root.to_owned(),
            layout,
            limits: limits.clone(),
            packer,
            changelog: Some(changelog),
            small: Small::default(),
            state: State::Clean,
            _lock: lock,
        })
    }

    /// Whether there is a changeset with this node, added in this transaction or before.
    pub fn has_changeset(&self, node: Node) -> bool {
        self.changelog.as_ref().is_some_and(|changelog| changelog.rev(node).is_some())
    }

    /// Adds what `revisions` has and the repository has not. After an error all that was done since
    /// the writer was opened is undone, and it is of no further use.
    pub fn add(
        &mut self,
        revisions: &mut dyn Revisions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Added, WriteError> {
        let added = self.receive(revisions, progress, interrupt);
        if added.is_err() {
            self.undo()?;
        }
        added
    }

    fn receive(
        &mut self,
        revisions: &mut dyn Revisions,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Added, WriteError> {
        self.begin()?;
        let undone = || WriteError::Undone { path: self.root.clone() };
        let State::Begun(transaction) = &mut self.state else { return Err(undone()) };
        let changelog = self.changelog.as_mut().ok_or_else(undone)?;
        check::checked(|checks| {
            let tools = appender::Tools {
                transaction,
                packer: &mut self.packer,
                checks,
                limits: &self.limits,
            };
            let made = &mut self.small.made;
            let receiver = Receiver::new(&self.layout, changelog, made, tools);
            receiver.all(revisions, progress, interrupt)
        })
    }

    /// The phase roots are these, and no others.
    pub fn set_phase_roots(&mut self, roots: &[(Phase, Node)]) {
        self.small.phase_roots = Some(roots.to_vec());
    }

    /// The bookmarks are these, and no others.
    pub fn set_bookmarks(&mut self, bookmarks: &Bookmarks) {
        self.small.bookmarks = Some(bookmarks.clone());
    }

    /// Whether the repository publishes: in its `hgrc`, which otherwise stays as it is.
    pub fn set_publishing(&mut self, publishing: bool) {
        self.small.publishing = Some(publishing);
    }

    /// Adds those obsolescence markers that are not there: a version byte and markers, as in the
    /// `obsmarkers` part of a bundle.
    pub fn add_markers(&mut self, markers: &[u8]) -> Result<(), WriteError> {
        if !parse_markers(markers)?.is_empty() {
            self.small.markers.push(markers.to_vec());
        }
        Ok(())
    }

    /// Makes all of it durable, then visible. After an error all is undone.
    pub fn commit(mut self) -> Result<(), WriteError> {
        let ended = self.end();
        match ended.is_ok() {
            true => self.state = State::Ended,
            false => self.undo()?,
        }
        ended
    }

    fn begin(&mut self) -> Result<(), WriteError> {
        if matches!(self.state, State::Clean) {
            self.state = State::Begun(Box::new(Transaction::begin(&self.layout)?));
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), WriteError> {
        if !self.small.is_empty() {
            self.begin()?;
        }
        let undone = || WriteError::Undone { path: self.root.clone() };
        let mut transaction = match std::mem::replace(&mut self.state, State::Undone) {
            State::Clean => return Ok(()),
            State::Undone | State::Ended => return Err(undone()),
            State::Begun(transaction) => transaction,
        };
        transaction.sync()?;
        let mut target =
            Target { layout: &self.layout, limits: &self.limits, transaction: &mut transaction };
        self.small.write_before(&mut target)?;
        transaction.sync()?;
        let changelog = self.changelog.take().ok_or_else(undone)?;
        // The list of all files has those of tracked files only.
        changelog.finish(&mut transaction, &mut Vec::new())?;
        transaction.sync()?;
        let mut target =
            Target { layout: &self.layout, limits: &self.limits, transaction: &mut transaction };
        self.small.write_after(&mut target)?;
        transaction.end()
    }

    /// Undoes all that was done.
    fn undo(&mut self) -> Result<(), WriteError> {
        self.state = State::Undone;
        journal::roll_back(&self.layout, self.limits.metadata_bytes).map(drop)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !matches!(self.state, State::Begun(_)) {
            return;
        }
        if let Err(error) = self.undo() {
            let path = self.root.display();
            tracing::warn!("{path}: not undone yet: {}", crate::base::fault::one_line(&error));
        }
    }
}

/// What the repository requires that we read and do not write.
fn refused(layout: &Layout) -> Vec<String> {
    const READ_ONLY: [&str; 3] = ["fileindex-v1", "relshared", "shared"];
    let requirements = layout.requirements();
    let refused = READ_ONLY.into_iter().filter(|name| requirements.has(name));
    // Revlogs of version 0, from before 2006, are what is required where nothing is.
    let old = (!requirements.has("revlogv1")).then_some("revlogv0");
    refused.chain(old).map(str::to_owned).collect()
}

#[cfg(test)]
pub(in crate::hg) mod testing;
#[cfg(test)]
mod tests;
