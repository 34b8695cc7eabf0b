//! `inspect bundle`

use std::fs::File;
use std::path::Path;

use serde::Serialize;

use super::{InspectError, Outcome, Shown, show};
use crate::base::Limits;
use crate::base::decompress::Format;
use crate::base::text::printable;
use crate::cli::args::InspectBundleArgs;
use crate::cli::ui::Ui;
use crate::hg::Node;
use crate::hg::bundle::{
    Bundle, BundleError, Changegroup, Container, Content, DeltaRevision, Group, Header, Item, Part,
};
use crate::hg::store::Phase;

/// A bundle as it is told.
#[derive(Debug, Serialize)]
struct ShownBundle {
    container: &'static str,
    compression: Option<&'static str>,
    parameters: Vec<(String, Option<String>)>,
    parts: Vec<ShownPart>,
}

#[derive(Debug, Serialize)]
struct ShownPart {
    kind: String,
    mandatory: bool,
    parameters: Vec<(String, String)>,
    content: ShownContent,
}

/// What is in a part.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum ShownContent {
    Changegroup(ShownChangegroup),
    PhaseHeads(Vec<(String, String)>),
    Bookmarks(Vec<(String, String)>),
    Keys(Vec<(String, String)>),
    Markers(Vec<ShownMarker>),
    TagsFileNodes(Vec<(String, String)>),
    Stream { requirements: Vec<String>, files: Option<u64>, bytes: Option<u64> },
    NotRead { bytes: u64 },
}

#[derive(Debug, Default, Serialize)]
struct ShownChangegroup {
    changesets: u64,
    manifests: u64,
    directories: u64,
    directory_revisions: u64,
    files: u64,
    file_revisions: u64,
    /// Each group with its revisions, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    groups: Option<Vec<ShownGroup>>,
}

#[derive(Debug, Serialize)]
struct ShownGroup {
    name: String,
    revisions: Vec<ShownRevision>,
}

#[derive(Debug, Serialize)]
struct ShownRevision {
    node: String,
    parents: [String; 2],
    /// The changeset that introduced it.
    link: String,
    base: String,
    flags: u16,
    /// How many ranges of the base the delta replaces, and by how many bytes.
    ranges: usize,
    bytes: usize,
}

#[derive(Debug, Serialize)]
struct ShownMarker {
    precursor: String,
    successors: Vec<String>,
    flags: u16,
}

pub(super) fn run(args: &InspectBundleArgs, ui: &Ui) -> Outcome {
    let found = read(&args.file, args.entries);
    let wrong = |source| InspectError::Bundle { file: args.file.clone(), source };
    Ok(show(ui, &found.map_err(wrong)?, args.show))
}

fn read(file: &Path, entries: bool) -> Result<ShownBundle, BundleError> {
    let mut bundle = Bundle::open(File::open(file)?, &Limits::default())?;
    let mut shown = ShownBundle::new(bundle.header());
    while let Some(mut part) = bundle.next_part()? {
        shown.parts.push(ShownPart::read(&mut part, entries)?);
    }
    bundle.finish()?;
    Ok(shown)
}

impl ShownBundle {
    fn new(header: &Header) -> Self {
        let parameter = |(name, value): &(String, Option<String>)| {
            let value = value.as_ref().map(|value| printable(value.as_bytes()));
            (printable(name.as_bytes()), value)
        };
        Self {
            container: match header.container {
                Container::Hg10 => "HG10",
                Container::Hg20 => "HG20",
            },
            compression: header.compression.map(|compression| match compression {
                Format::Zlib => "zlib",
                Format::Bzip2 => "bzip2",
                Format::Zstd => "zstd",
            }),
            parameters: header.params.iter().map(parameter).collect(),
            parts: Vec::new(),
        }
    }
}

impl ShownPart {
    fn read(part: &mut Part<'_, '_>, entries: bool) -> Result<Self, BundleError> {
        let header = part.header();
        let params = header.params.iter();
        let parameters = params.map(|p| (p.key.clone(), printable(&p.value))).collect();
        let (kind, mandatory) = (header.kind.clone(), header.is_mandatory);
        let content = match ShownContent::read(part.content()?, entries)? {
            Some(content) => content,
            None => ShownContent::NotRead { bytes: part.skip()? },
        };
        Ok(Self { kind, mandatory, parameters, content })
    }
}

impl ShownContent {
    /// `None` for what is not read.
    fn read(content: Content<'_, '_>, entries: bool) -> Result<Option<Self>, BundleError> {
        let node = |node: Node| node.to_string();
        Ok(Some(match content {
            Content::Changegroup(group) => {
                Self::Changegroup(ShownChangegroup::read(group, entries)?)
            }
            Content::PhaseHeads(heads) => {
                let phase = |number: u32| match Phase::from_number(number) {
                    Some(phase) => phase.name().to_owned(),
                    None => number.to_string(),
                };
                Self::PhaseHeads(
                    heads.into_iter().map(|(n, head)| (phase(n), node(head))).collect(),
                )
            }
            Content::Bookmarks(marks) => Self::Bookmarks(
                marks.into_iter().map(|(name, at)| (printable(&name), node(at))).collect(),
            ),
            Content::ListKeys(keys) => Self::Keys(
                keys.into_iter().map(|(key, to)| (printable(&key), printable(&to))).collect(),
            ),
            Content::ObsMarkers { markers, .. } => {
                let markers = markers.into_iter().map(|marker| ShownMarker {
                    precursor: node(marker.precursor),
                    successors: marker.successors.into_iter().map(node).collect(),
                    flags: marker.flags,
                });
                Self::Markers(markers.collect())
            }
            Content::TagsFileNodes(nodes) => Self::TagsFileNodes(
                nodes.into_iter().map(|(changeset, file)| (node(changeset), node(file))).collect(),
            ),
            Content::Stream { requirements, files, bytes, .. } => {
                let requirements = requirements.iter().map(|name| printable(name.as_bytes()));
                Self::Stream { requirements: requirements.collect(), files, bytes }
            }
            Content::Opaque => return Ok(None),
        }))
    }
}

impl ShownChangegroup {
    fn read(mut from: Changegroup<'_, '_>, entries: bool) -> Result<Self, BundleError> {
        let mut shown = Self { groups: entries.then(Vec::new), ..Self::default() };
        let mut group = Group::Changelog;
        while let Some(item) = from.next_item()? {
            match item {
                Item::Group(begins) => {
                    let (name, count) = match &begins {
                        Group::Changelog => ("the changelog".to_owned(), None),
                        Group::Manifests => ("the manifests".to_owned(), None),
                        Group::Directory(path) => {
                            (format!("directory {}", printable(path)), Some(&mut shown.directories))
                        }
                        Group::File(path) => {
                            (format!("file {}", printable(path)), Some(&mut shown.files))
                        }
                    };
                    if let Some(count) = count {
                        *count += 1;
                    }
                    let groups = shown.groups.iter_mut();
                    groups.for_each(|all| {
                        all.push(ShownGroup { name: name.clone(), revisions: Vec::new() });
                    });
                    group = begins;
                }
                Item::Revision(revision) => {
                    *shown.revisions_of(&group) += 1;
                    if let Some(last) = shown.groups.as_mut().and_then(|groups| groups.last_mut()) {
                        last.revisions.push(ShownRevision::new(&revision));
                    }
                }
            }
        }
        Ok(shown)
    }

    fn revisions_of(&mut self, group: &Group) -> &mut u64 {
        match group {
            Group::Changelog => &mut self.changesets,
            Group::Manifests => &mut self.manifests,
            Group::Directory(_) => &mut self.directory_revisions,
            Group::File(_) => &mut self.file_revisions,
        }
    }

    fn lines(&self, lines: &mut Vec<String>) {
        lines.push(format!("  changesets: {}", self.changesets));
        lines.push(format!("  manifests: {}", self.manifests));
        if self.directories > 0 {
            let (count, revisions) = (self.directories, self.directory_revisions);
            lines.push(format!("  directories: {count}, {revisions} revisions"));
        }
        lines.push(format!("  files: {}, {} revisions", self.files, self.file_revisions));
        for group in self.groups.iter().flatten() {
            lines.push(format!("  {}", group.name));
            lines.extend(group.revisions.iter().map(ShownRevision::line));
        }
    }
}

impl ShownRevision {
    fn new(revision: &DeltaRevision) -> Self {
        let fragments = || revision.delta.fragments();
        Self {
            node: revision.node.to_string(),
            parents: revision.parents.map(|parent| parent.to_string()),
            link: revision.link.to_string(),
            base: revision.base.to_string(),
            flags: revision.flags.0,
            ranges: fragments().count(),
            bytes: fragments().map(|fragment| fragment.replacement.len()).sum(),
        }
    }

    fn line(&self) -> String {
        let Self { node, parents: [p1, p2], link, base, flags, ranges, bytes } = self;
        let flags = if *flags == 0 { String::new() } else { format!(" flags {flags:#06x}") };
        format!(
            "    {node} parents {p1} {p2} link {link} base {base} ranges {ranges} bytes {bytes}{flags}"
        )
    }
}

impl Shown for ShownBundle {
    fn lines(&self) -> Vec<String> {
        let compression = self.compression.unwrap_or("none");
        let mut lines = vec![format!("bundle {}, compression {compression}", self.container)];
        for (name, value) in &self.parameters {
            lines.push(format!("  parameter {name}: {}", value.as_deref().unwrap_or_default()));
        }
        for part in &self.parts {
            part.lines(&mut lines);
        }
        lines
    }
}

impl ShownPart {
    fn lines(&self, lines: &mut Vec<String>) {
        let advisory = if self.mandatory { "" } else { ", advisory" };
        lines.push(format!("part {}{advisory}", self.kind));
        let parameters = self.parameters.iter();
        lines.extend(parameters.map(|(key, value)| format!("  parameter {key}: {value}")));
        let pairs = |name: &str, pairs: &[(String, String)]| {
            let line = |(left, right): &(String, String)| format!("  {name} {left}: {right}");
            pairs.iter().map(line).collect::<Vec<_>>()
        };
        match &self.content {
            ShownContent::Changegroup(group) => group.lines(lines),
            ShownContent::PhaseHeads(heads) => lines.extend(pairs("phase", heads)),
            ShownContent::Bookmarks(marks) => lines.extend(pairs("bookmark", marks)),
            ShownContent::Keys(keys) => lines.extend(pairs("key", keys)),
            ShownContent::TagsFileNodes(nodes) => lines.extend(pairs(".hgtags of", nodes)),
            ShownContent::Markers(markers) => {
                lines.extend(markers.iter().map(|marker| {
                    let successors = match marker.successors.as_slice() {
                        [] => "dropped".to_owned(),
                        successors => successors.join(" "),
                    };
                    format!("  marker {}: {successors}, flags {}", marker.precursor, marker.flags)
                }));
            }
            ShownContent::Stream { requirements, files, bytes, .. } => {
                lines.push(format!("  requirements: {}", requirements.join(" ")));
                let counts = [("files", files), ("bytes", bytes)];
                let told = counts.iter().filter_map(|(name, count)| Some((name, (**count)?)));
                lines.extend(told.map(|(name, count)| format!("  {name}: {count}")));
            }
            ShownContent::NotRead { bytes } => lines.push(format!("  not read: {bytes} bytes")),
        }
    }
}
