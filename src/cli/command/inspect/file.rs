//! `inspect file`

use serde::Serialize;

use super::{InspectError, Outcome, Shown, damaged, manifest, open, show};
use crate::base::text::printable;
use crate::cli::args::InspectFileArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::hg::filelog::{contents, copied_from, metadata_length};
use crate::hg::manifest::Manifest;

/// A file revision as it is told.
#[derive(Debug, Serialize)]
struct ShownFile {
    path: String,
    node: String,
    revision: u32,
    parents: [String; 2],
    /// The revision number of the changeset that says it introduced it.
    link: i32,
    /// Bytes of metadata before the contents.
    metadata: usize,
    /// Bytes of contents.
    size: usize,
    copied_from: Option<String>,
}

pub(super) fn run(args: &InspectFileArgs, ui: &Ui) -> Outcome {
    let repository = open(&args.source, ui)?;
    let path = args.path.as_encoded_bytes();
    let missing = || InspectError::NotFound { what: "the file", name: printable(path) };
    let (_, _, text) = manifest::read(&repository, &args.revision)?;
    let line = Manifest::new(&text).file(path.into()).ok_or_else(missing)?;
    let damaged = damaged(&repository);
    let filelog = repository.filelog(path.into()).map_err(&damaged)?.ok_or_else(missing)?;
    let rev = filelog.rev(line.node).ok_or_else(missing)?;
    let text = filelog.reader().text(rev).map_err(&damaged)?;
    let malformed = || damaged(filelog.malformed(rev, "its copy metadata does not end"));
    let contents = contents(&text).ok_or_else(malformed)?;
    if !args.metadata && !args.show.json {
        ui.bytes(contents);
        return Ok(exit::OK);
    }
    let entry = filelog.entry(rev).map_err(&damaged)?;
    let parents = filelog.parent_nodes(rev).map_err(&damaged)?;
    let shown = ShownFile {
        path: printable(path),
        node: line.node.to_string(),
        revision: rev.number(),
        parents: parents.map(|node| node.to_string()),
        link: entry.link,
        metadata: metadata_length(&text).unwrap_or_default(),
        size: contents.len(),
        copied_from: copied_from(&text).map(printable),
    };
    Ok(show(ui, &shown, args.show))
}

impl Shown for ShownFile {
    fn lines(&self) -> Vec<String> {
        let [p1, p2] = &self.parents;
        let mut lines = vec![
            format!("file {}", self.path),
            format!("  revision {}:{}", self.revision, self.node),
            format!("  parents: {p1} {p2}"),
            format!("  link: {}", self.link),
            format!("  metadata: {} bytes", self.metadata),
            format!("  contents: {} bytes", self.size),
        ];
        lines.extend(self.copied_from.iter().map(|from| format!("  copied from: {from}")));
        lines
    }
}
