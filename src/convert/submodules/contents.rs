//! What the files hold in which subrepositories are named; or what stands for one that cannot be read.

use std::collections::HashMap;

use crate::base::{RepoPath, RepoPathBuf};
use crate::convert::flaw::{Flaw, SoundFile, check_file};
use crate::convert::placeholder::{PlaceholderKind, Placeholders};
use crate::hg::revlog::{Revlog, RevlogError};
use crate::hg::{Node, Repository};

const DAMAGED: PlaceholderKind = PlaceholderKind::Damaged;

/// A file revision that would say which submodules there are, and cannot be read.
pub(in crate::convert) struct Lost {
    pub path: RepoPathBuf,
    pub node: Node,
    pub flaw: Flaw,
}

/// What a file holds.
pub(super) enum Contents {
    Read(Vec<u8>),
    /// It cannot be read, and this is what stands for it.
    Placeholder(Vec<u8>),
}

/// Reads the few files of a source that its subrepositories are named in.
pub(super) struct SubrepoFiles<'h> {
    source: &'h Repository,
    placeholders: &'h Placeholders,
    lost: Vec<Lost>,
    filelogs: HashMap<RepoPathBuf, Result<Revlog, Flaw>>,
}

impl<'h> SubrepoFiles<'h> {
    pub(super) fn new(source: &'h Repository, placeholders: &'h Placeholders) -> Self {
        Self { source, placeholders, lost: Vec::new(), filelogs: HashMap::new() }
    }

    /// What could not be read, and has no placeholder yet, since this was asked the last time.
    pub(super) fn take_lost(&mut self) -> Vec<Lost> {
        std::mem::take(&mut self.lost)
    }

    /// The contents of a revision of the file at `path`. What has a placeholder is not read.
    pub(super) fn contents(
        &mut self,
        path: &RepoPath,
        node: Node,
    ) -> Result<Contents, RevlogError> {
        if let Some(kind) = self.placeholders.kind(path, node) {
            return Ok(Contents::Placeholder(kind.contents(path, node)));
        }
        self.open(path)?;
        match self.read(path, node) {
            Ok(text) => Ok(Contents::Read(text)),
            Err(Unreadable::Flawed(flaw)) => Ok(self.lose(path, node, flaw)),
            Err(Unreadable::Error(kind, error)) => {
                let flaw = Flaw::of(kind, error)?;
                Ok(self.lose(path, node, flaw))
            }
        }
    }

    fn lose(&mut self, path: &RepoPath, node: Node, flaw: Flaw) -> Contents {
        let placeholder = Contents::Placeholder(flaw.kind.contents(path, node));
        self.lost.push(Lost { path: path.to_owned(), node, flaw });
        placeholder
    }

    fn open(&mut self, path: &RepoPath) -> Result<(), RevlogError> {
        if !self.filelogs.contains_key(path) {
            let filelog = match self.source.filelog(path) {
                Ok(filelog) => filelog.ok_or(Flaw::MISSING),
                Err(error) => Err(Flaw::of(DAMAGED, error)?),
            };
            self.filelogs.insert(path.to_owned(), filelog);
        }
        Ok(())
    }

    /// Reads a revision of a file that is open.
    fn read(&self, path: &RepoPath, node: Node) -> Result<Vec<u8>, Unreadable> {
        let missing = || Unreadable::Flawed(Flaw::MISSING);
        let filelog = self.filelogs.get(path).ok_or_else(missing)?;
        let filelog = filelog.as_ref().map_err(|flaw| Unreadable::Flawed(flaw.clone()))?;
        let rev = filelog.rev(node).ok_or_else(missing)?;
        let damaged = |error| Unreadable::Error(DAMAGED, error);
        let text = filelog.reader().unchecked_text(rev).map_err(damaged)?;
        let SoundFile { metadata, .. } = check_file(filelog, rev, &text)
            .map_err(|(kind, error)| Unreadable::Error(kind, error))?;
        Ok(text.get(metadata..).unwrap_or_default().to_vec())
    }
}

/// Why a revision cannot be read.
enum Unreadable {
    Flawed(Flaw),
    Error(PlaceholderKind, RevlogError),
}
