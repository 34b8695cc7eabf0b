//! `inspect manifest`

use serde::Serialize;

use super::{InspectError, Outcome, Shown, damaged, open, revision, show};
use crate::base::text::printable;
use crate::cli::args::InspectChangesetArgs;
use crate::cli::ui::Ui;
use crate::hg::Repository;
use crate::hg::manifest::{FileKind, Line, Manifest};
use crate::hg::revlog::Text;

/// A manifest as it is told.
#[derive(Debug, Serialize)]
struct ShownManifest {
    changeset: String,
    manifest: String,
    files: Vec<ShownLine>,
    /// What is wrong with the line after the last of `files`.
    malformed: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct ShownLine {
    path: String,
    node: String,
    flag: &'static str,
}

pub(super) fn run(args: &InspectChangesetArgs, ui: &Ui) -> Outcome {
    let repository = open(&args.source, ui)?;
    let (changeset, node, text) = read(&repository, &args.revision)?;
    let mut shown = ShownManifest { changeset, manifest: node, files: Vec::new(), malformed: None };
    for line in Manifest::new(&text).lines() {
        match line {
            Ok(line) => shown.files.push(ShownLine::new(line)),
            Err(what) => shown.malformed = Some(what),
        }
    }
    Ok(show(ui, &shown, args.show))
}

/// The node of the changeset called `name`, and the node and the text of its manifest.
pub(super) fn read(
    repository: &Repository,
    name: &str,
) -> Result<(String, String, Text), InspectError> {
    let rev = revision::changeset(repository, name)?;
    let changelog = repository.changelog();
    let node = changelog.reader().changeset(rev).map_err(damaged(repository))?.manifest;
    let text = if node.is_null() {
        Text::default()
    } else {
        let manifest = repository
            .manifests()
            .rev(node)
            .ok_or_else(|| InspectError::NotFound { what: "manifest", name: node.to_string() })?;
        repository.manifests().reader().text(manifest).map_err(damaged(repository))?
    };
    Ok((changelog.node(rev).to_string(), node.to_string(), text))
}

impl ShownLine {
    fn new(line: Line<'_>) -> Self {
        let flag = match line.kind {
            FileKind::Regular => "",
            FileKind::Executable => "x",
            FileKind::Symlink => "l",
        };
        Self { path: printable(line.path), node: line.node.to_string(), flag }
    }
}

impl Shown for ShownManifest {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("manifest {} of changeset {}", self.manifest, self.changeset)];
        let line = |file: &ShownLine| format!("  {} {:1} {}", file.node, file.flag, file.path);
        lines.extend(self.files.iter().map(line));
        lines.extend(self.malformed.map(|what| format!("  malformed: {what}")));
        lines
    }
}
