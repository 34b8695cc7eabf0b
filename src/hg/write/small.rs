//! The small files of a repository that say what its changesets are to others.

use std::path::Path;

use super::error::WriteError;
use super::journal::Folder;
use super::transaction::Transaction;
use crate::base::Limits;
use crate::hg::Node;
use crate::hg::store::bookmarks::Bookmarks;
use crate::hg::store::fncache::Fncache;
use crate::hg::store::hgrc::publishes_by;
use crate::hg::store::obsolete::merged_markers;
use crate::hg::store::path_encode::encode_folders;
use crate::hg::store::{Layout, Phase, read_bounded};

/// What is to be written when all else is.
#[derive(Debug, Default)]
pub(super) struct Small {
    /// Names of new files in the store.
    pub(super) made: Vec<Vec<u8>>,
    pub(super) phase_roots: Option<Vec<(Phase, Node)>>,
    pub(super) bookmarks: Option<Bookmarks>,
    pub(super) publishing: Option<bool>,
    pub(super) markers: Vec<Vec<u8>>,
}

/// Where small files are written.
pub(super) struct Target<'t> {
    pub(super) layout: &'t Layout,
    pub(super) limits: &'t Limits,
    pub(super) transaction: &'t mut Transaction,
}

impl Target<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, WriteError> {
        Ok(read_bounded(path, self.limits.metadata_bytes)?)
    }

    /// Writes the file at `path`, called `name`, unless it says the same already.
    fn write(
        &mut self,
        folder: Folder,
        name: &str,
        path: &Path,
        text: &[u8],
    ) -> Result<(), WriteError> {
        let old = self.read(path)?;
        if old.as_deref().unwrap_or_default() == text {
            return Ok(());
        }
        self.transaction.replace(folder, name.as_bytes(), path, &[text])
    }

    /// The folder of a file and its name in it.
    fn place(&self, path: &Path) -> Folder {
        match path.parent() == Some(self.layout.dot_hg())
            && self.layout.store_dir() != self.layout.dot_hg()
        {
            true => Folder::DotHg,
            false => Folder::Store,
        }
    }
}

impl Small {
    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.made.is_empty()
            && self.phase_roots.is_none()
            && self.bookmarks.is_none()
            && self.publishing.is_none()
            && self.markers.is_empty()
    }

    /// Writes what must be there before the changesets are.
    pub(super) fn write_before(&self, target: &mut Target<'_>) -> Result<(), WriteError> {
        self.write_fncache(target)?;
        if let Some(roots) = &self.phase_roots {
            let lines = roots.iter().map(|(phase, node)| format!("{} {node}\n", phase.number()));
            let path = target.layout.phaseroots_file();
            target.write(
                Folder::Store,
                "phaseroots",
                &path,
                lines.collect::<String>().as_bytes(),
            )?;
        }
        for markers in &self.markers {
            let path = target.layout.obsstore_file();
            let old = target.read(&path)?.unwrap_or_default();
            target.write(Folder::Store, "obsstore", &path, &merged_markers(&old, markers)?)?;
        }
        let Some(publishing) = self.publishing else { return Ok(()) };
        let path = target.layout.dot_hg().join("hgrc");
        let old = target.read(&path)?.unwrap_or_default();
        let text = published(&path, old, publishing)?;
        let folder = target.place(&path);
        target.write(folder, "hgrc", &path, &text)
    }

    /// Writes what names changesets that must be there before.
    pub(super) fn write_after(&self, target: &mut Target<'_>) -> Result<(), WriteError> {
        let Some(bookmarks) = &self.bookmarks else { return Ok(()) };
        let mut text = Vec::new();
        for (name, node) in bookmarks {
            text.extend_from_slice(format!("{node} ").as_bytes());
            text.extend_from_slice(name);
            text.push(b'\n');
        }
        let path = target.layout.bookmarks_file();
        let folder = target.place(&path);
        target.write(folder, "bookmarks", &path, &text)
    }

    /// Adds the new files to the list of all, if there is one.
    fn write_fncache(&self, target: &mut Target<'_>) -> Result<(), WriteError> {
        let Some(path) = target.layout.fncache_file().filter(|_| !self.made.is_empty()) else {
            return Ok(());
        };
        let mut text = target.read(&path)?.unwrap_or_default();
        let listed = Fncache::parse(&text)?;
        for name in &self.made {
            let line = encode_folders(name);
            let is_listed = [&b"data/"[..], b"meta/"].iter().any(|folder| name.starts_with(folder));
            if is_listed && !listed.has(&line) {
                text.extend_from_slice(&line);
                text.push(b'\n');
            }
        }
        target.write(Folder::Store, "fncache", &path, &text)
    }
}

/// What `hgrc` is to say, and what follows what others have written into it.
const BLOCK: [&str; 2] = ["[phases]\npublish = False\n", "[phases]\npublish = True\n"];

/// The text of the `hgrc` at `path` with the repository publishing or not.
fn published(path: &Path, text: Vec<u8>, publishing: bool) -> Result<Vec<u8>, WriteError> {
    let says = |text: &Vec<u8>| publishes_by(&[(path, text.clone())]).map(|(is, _)| is);
    if says(&text)? == publishing {
        return Ok(text);
    }
    let [off, on] = BLOCK.map(str::as_bytes);
    let (own, other) = if publishing { (on, off) } else { (off, on) };
    let mut text = text;
    // What we have added ourselves is taken away again.
    if let Some(before) = text.strip_suffix(other) {
        text = before.to_vec();
    }
    if says(&text)? != publishing {
        if text.last().is_some_and(|last| *last != b'\n') {
            text.push(b'\n');
        }
        text.extend_from_slice(own);
    }
    Ok(text)
}
