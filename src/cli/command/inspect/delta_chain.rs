//! `inspect delta-chain`

use serde::Serialize;

use super::{InspectError, Outcome, Shown, damaged, open, revision, show};
use crate::base::text::printable;
use crate::cli::args::InspectChainArgs;
use crate::cli::ui::Ui;
use crate::hg::Repository;
use crate::hg::revlog::{Revlog, Storage};

/// What leads to the text of a revision, the full text first.
#[derive(Debug, Serialize)]
struct ShownChain {
    revlog: String,
    links: Vec<ShownLink>,
}

#[derive(Debug, Serialize)]
struct ShownLink {
    revision: u32,
    node: String,
    /// The revision that this is a delta against, -1 for the null revision; none for a full text.
    base: Option<i64>,
    compression: &'static str,
    /// Bytes as stored.
    stored: u32,
    /// Bytes of the full text, where the index says.
    text: Option<u32>,
    flags: u16,
    link: i32,
}

pub(super) fn run(args: &InspectChainArgs, ui: &Ui) -> Outcome {
    let repository = open(&args.source, ui)?;
    let missing = |what| InspectError::NotFound { what, name: args.revlog.clone() };
    let filelog;
    let revlog = match args.revlog.as_str() {
        "changelog" => repository.changelog().revlog(),
        "manifest" => repository.manifests().revlog(),
        path => {
            let found = repository.filelog(path.into()).map_err(damaged(&repository))?;
            filelog = found.ok_or_else(|| missing("a history of the file"))?;
            &filelog
        }
    };
    let links = links(&repository, revlog, &args.revision)?;
    Ok(show(ui, &ShownChain { revlog: printable(args.revlog.as_bytes()), links }, args.show))
}

/// The links down from the revision called `name`, the last one first.
fn links(
    repository: &Repository,
    revlog: &Revlog,
    name: &str,
) -> Result<Vec<ShownLink>, InspectError> {
    let damaged = damaged(repository);
    let mut next = Some(revision::of_revlog(revlog, name)?);
    let mut reader = revlog.reader();
    let mut links = Vec::new();
    // A base is an earlier revision, so this ends.
    while let Some(rev) = next {
        let entry = revlog.entry(rev).map_err(&damaged)?;
        let (base, before) = match entry.storage {
            Storage::Full => (None, None),
            Storage::Delta(base) => (Some(base.map_or(-1, |base| base.number().into())), base),
        };
        links.push(ShownLink {
            revision: rev.number(),
            node: entry.node.to_string(),
            base,
            compression: reader.compression(rev).map_err(&damaged)?,
            stored: entry.stored_length,
            text: entry.text_length,
            flags: entry.flags.0,
            link: entry.link,
        });
        next = before;
    }
    links.reverse();
    Ok(links)
}

impl Shown for ShownChain {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{}: {} links", self.revlog, self.links.len())];
        lines.extend(self.links.iter().map(|link| {
            let kind = match link.base {
                Some(-1) => "delta against the null revision".to_owned(),
                Some(base) => format!("delta against {base}"),
                None => "full text".to_owned(),
            };
            let text = link.text.map_or_else(|| "?".to_owned(), |size| size.to_string());
            format!(
                "  {}:{} {kind}, {}, {} bytes stored, {text} bytes of text, flags {:#06x}, link {}",
                link.revision, link.node, link.compression, link.stored, link.flags, link.link
            )
        }));
        lines
    }
}
