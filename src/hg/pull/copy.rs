//! A copy of a repository on this machine: a plain Mercurial repository without a working copy, and
//! beside it what its source said last.

use std::path::{Path, PathBuf};

use super::PullError;
use crate::base::Limits;
use crate::base::durable::{self, replace_file};
use crate::hg::revlog::Revlog;
use crate::hg::store::files::lines;
use crate::hg::store::{Layout, read_bounded};
use crate::hg::wire::Capabilities;
use crate::hg::{Changelog, Node, Shown};

/// The heads that the source has, the newest first, a line each.
const HEADS: &str = "synchroniser-heads";
/// The heads of its named branches, a line each; not there if it does not say.
const BRANCH_HEADS: &str = "synchroniser-branch-heads";
/// The address of the source, and on a line of its own what its server can do.
const SERVER: &str = "synchroniser-server";

/// What is beside a copy.
pub(super) const BESIDE: [&str; 3] = [HEADS, BRANCH_HEADS, SERVER];

/// A copy, which need not be there yet.
#[derive(Clone, Debug)]
pub struct Copy {
    root: PathBuf,
    limits: Limits,
}

impl Copy {
    /// The copy in the folder `root`.
    pub fn at(root: &Path, limits: &Limits) -> Self {
        Self { root: root.to_owned(), limits: limits.clone() }
    }

    /// Its folder, which holds `.hg`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// How large its parts may be.
    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether there is something.
    pub fn exists(&self) -> bool {
        self.root.join(".hg").is_dir()
    }

    /// What its source showed last; `None` if that shows nothing of its own, as a bundle does.
    pub fn shown(&self) -> Result<Option<Shown>, PullError> {
        let Some(heads) = self.nodes(HEADS)? else { return Ok(None) };
        Ok(Some(Shown { heads, branch_heads: self.nodes(BRANCH_HEADS)? }))
    }

    /// Keeps what its source shows; `None` if that shows nothing of its own.
    pub(super) fn set_shown(&self, shown: Option<&Shown>) -> Result<(), PullError> {
        self.set_nodes(BRANCH_HEADS, shown.and_then(|shown| shown.branch_heads.as_deref()))?;
        self.set_nodes(HEADS, shown.map(|shown| shown.heads.as_slice()))
    }

    /// The nodes in the file `name`; `None` if it is not there.
    fn nodes(&self, name: &str) -> Result<Option<Vec<Node>>, PullError> {
        let Some(text) = self.read(name)? else { return Ok(None) };
        let nodes: Option<Vec<Node>> = lines(&text).map(Node::from_hex).collect();
        nodes.map(Some).ok_or_else(|| PullError::Damaged { path: self.file(name) })
    }

    fn set_nodes(&self, name: &str, nodes: Option<&[Node]>) -> Result<(), PullError> {
        let path = self.file(name);
        let Some(nodes) = nodes else {
            let removed = durable::remove_if_there(&path).map(drop);
            return removed.map_err(|source| PullError::Folder { path, source });
        };
        if self.nodes(name).ok().flatten().as_deref() == Some(nodes) {
            return Ok(());
        }
        let lines: Vec<_> = nodes.iter().map(|node| format!("{node}\n")).collect();
        let text = lines.concat();
        replace_file(&path, text.as_bytes()).map_err(|source| PullError::Folder { path, source })
    }

    /// What the server at `url` said that it can do, if it was asked before.
    pub(super) fn capabilities(&self, url: &str) -> Option<Capabilities> {
        // Whatever keeps us from reading it, the server says it again.
        let text = self.read(SERVER).ok()??;
        let (of, capabilities) = text.split_at_checked(text.iter().position(|b| *b == b'\n')?)?;
        let capabilities = capabilities.strip_prefix(b"\n").filter(|_| of == url.as_bytes())?;
        Capabilities::parse(capabilities, &self.limits).ok()
    }

    /// Keeps what the server at `url` can do.
    pub(super) fn remember(&self, url: &str, capabilities: &Capabilities) -> Result<(), PullError> {
        let text = [url.as_bytes(), b"\n", &capabilities.to_bytes()].concat();
        if self.read(SERVER)?.as_ref() == Some(&text) {
            return Ok(());
        }
        let path = self.file(SERVER);
        replace_file(&path, &text).map_err(|source| PullError::Folder { path, source })
    }

    /// Its changelog, which is empty if there is nothing.
    pub(super) fn changelog(&self) -> Result<Changelog, PullError> {
        let revlog = |source| PullError::Revlog { path: self.root.clone(), source };
        if !self.exists() {
            let empty = Revlog::empty("00changelog", &self.limits);
            return Changelog::new(empty).map_err(revlog);
        }
        Changelog::open(&self.layout()?, &self.limits).map_err(revlog)
    }

    /// Where its parts are.
    pub(super) fn layout(&self) -> Result<Layout, PullError> {
        Ok(Layout::open(&self.root, &self.limits)?)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.root.join(".hg").join(name)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, PullError> {
        Ok(read_bounded(&self.file(name), self.limits.metadata_bytes)?)
    }
}
