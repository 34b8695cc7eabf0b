//! Reads and hashes every revision of a repository, with our own reader, on one thread.

use std::path::{Path, PathBuf};

use synchroniser::base::Limits;
use synchroniser::hg::Repository;
use synchroniser::hg::revlog::{Revlog, RevlogFiles};

use crate::Outcome;

/// What there was.
#[derive(Default)]
struct Read {
    revisions: u64,
    bytes: u64,
}

impl Read {
    fn all_of(&mut self, revlog: &Revlog) -> Outcome<()> {
        let mut reader = revlog.reader();
        for rev in revlog.revs() {
            self.bytes += reader.text(rev)?.len() as u64;
            self.revisions += 1;
        }
        Ok(())
    }
}

/// All indexes below `folder`.
pub(crate) fn indexes(folder: &Path, found: &mut Vec<PathBuf>) -> Outcome<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true => indexes(&path, found)?,
            false if path.extension().is_some_and(|suffix| suffix == "i") => found.push(path),
            false => {}
        }
    }
    Ok(())
}

pub(crate) fn decode(repository: &Path) -> Outcome<()> {
    let limits = Limits::default();
    let opened = Repository::open(repository, &limits)?;
    let mut read = Read::default();
    read.all_of(opened.changelog().revlog())?;
    read.all_of(opened.manifests().revlog())?;
    let of_manifests = read.bytes;
    let mut files = Vec::new();
    let data = opened.layout().store_dir().join("data");
    if data.is_dir() {
        indexes(&data, &mut files)?;
    }
    files.sort_unstable();
    for index in files {
        let files = RevlogFiles { data: index.with_extension("d"), index };
        let name = files.index.display().to_string();
        if let Some(revlog) = Revlog::open(&name, &files, &limits)? {
            read.all_of(&revlog)?;
        }
    }
    let Read { revisions, bytes } = read;
    println!(
        "{revisions} revisions, {bytes} bytes, {of_manifests} of them changesets and manifests"
    );
    Ok(())
}
