//! What is in a bundle, put into a copy.

use std::io::Read;

use super::phases::Told;
use super::{Copy, PullError, Run};
use crate::base::{Limits, Stage};
use crate::hg::Node;
use crate::hg::bundle::{BookmarkList, Bundle, Content, Part};
use crate::hg::store::Phase;
use crate::hg::write::{NewStore, StreamedStore, Writer};

/// What a bundle said and what became of it.
#[derive(Debug, Default)]
pub(super) struct Unbundled {
    /// The changesets that were new.
    pub changesets: u64,
    /// Its bookmarks, if it has some.
    pub bookmarks: Option<BookmarkList>,
    /// Its phases, if it has some.
    pub phases: Option<Told>,
}

/// What follows a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: it is a file.
    Nothing,
    /// What the other side says next: waiting for it would be in vain.
    Conversation,
}

/// Adds what is in the bundle that `reader` gives to `copy`, which is made if it is not there.
pub(super) fn unbundle(
    reader: impl Read,
    after: After,
    copy: &Copy,
    run: &Run<'_>,
) -> Result<Unbundled, PullError> {
    let limits = run.limits;
    let mut bundle = Bundle::open(reader, limits)?;
    let mut found = Unbundled::default();
    let mut writer = None;
    while let Some(mut part) = bundle.next_part()? {
        run.interrupt.check()?;
        let trees = has_tree_manifests(&part);
        match part.content()? {
            Content::Stream { requirements, mut stream, bytes, .. } => {
                if copy.exists() {
                    return Err(PullError::NotEmpty { path: copy.root().to_owned() });
                }
                run.progress.begin(Stage::CopyingFiles, bytes);
                let mut store =
                    StreamedStore::create(copy.root(), &requirements, limits, run.interrupt)?;
                while let Some(file) = stream.next_file()? {
                    run.interrupt.check()?;
                    store.file(file.area, &file.name, file.size, &mut stream)?;
                    run.progress.advance(file.size);
                }
                run.progress.end();
                store.check(run.progress)?.finish()?;
                found.changesets += copy.changelog()?.dag().len() as u64;
            }
            Content::Changegroup(mut group) => {
                let writer = begun(&mut writer, copy, trees, limits)?;
                let added = writer.add(&mut group, run.progress, run.interrupt)?;
                found.changesets += added.changesets.len() as u64;
            }
            Content::ObsMarkers { bytes, .. } => {
                begun(&mut writer, copy, false, limits)?.add_markers(&bytes)?;
            }
            Content::PhaseHeads(heads) => found.phases = Some(told(heads)),
            Content::Bookmarks(bookmarks) => found.bookmarks = Some(bookmarks),
            Content::ListKeys(_) | Content::TagsFileNodes(_) | Content::Opaque => {}
        }
    }
    if after == After::Nothing {
        bundle.finish()?;
    }
    if let Some(writer) = writer {
        writer.commit()?;
    }
    Ok(found)
}

/// Whether a part says that each directory has a manifest of its own.
fn has_tree_manifests(part: &Part<'_, '_>) -> bool {
    part.header().param("treemanifest").is_some()
}

/// The transaction that is under way, or a new one.
fn begun<'w>(
    writer: &'w mut Option<Writer>,
    copy: &Copy,
    tree_manifests: bool,
    limits: &Limits,
) -> Result<&'w mut Writer, PullError> {
    match writer {
        Some(writer) => Ok(writer),
        none => {
            if !copy.exists() {
                Writer::create(copy.root(), &NewStore { tree_manifests })?;
            }
            Ok(none.insert(Writer::open(copy.root(), limits)?))
        }
    }
}

fn told(heads: Vec<(u32, Node)>) -> Told {
    // A phase that is not known is above all that are.
    let phase = |number| Phase::from_number(number).unwrap_or(Phase::Internal);
    Told::Heads(heads.into_iter().map(|(number, head)| (phase(number), head)).collect())
}
