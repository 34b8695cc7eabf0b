//! A bundle in the words of `hg debugbundle --all`.

use std::fmt::Write as _;

use synchroniser::base::Limits;
use synchroniser::base::decompress::Format;
use synchroniser::hg::Node;
use synchroniser::hg::bundle::{
    Bundle, BundleError, Container, Content, Group, Header, Item, Part,
};
use synchroniser::hg::store::Phase;
use synchroniser::hg::store::obsolete::Marker;

/// What is in the bundle, one thing a line.
pub(crate) fn told(bytes: &[u8]) -> Result<String, BundleError> {
    let mut bundle = Bundle::open(bytes, &Limits::default())?;
    let mut out = String::new();
    let is_whole = bundle.header().container == Container::Hg10;
    if !is_whole {
        writeln!(out, "Stream params: {}", stream_params(bundle.header())).unwrap();
    }
    while let Some(mut part) = bundle.next_part()? {
        if !is_whole {
            part_line(&mut out, &part);
        }
        content(&mut out, &mut part, if is_whole { "" } else { "    " })?;
    }
    bundle.finish()?;
    Ok(out)
}

fn stream_params(header: &Header) -> String {
    let name = header.compression.map(|compression| match compression {
        Format::Zlib => "GZ",
        Format::Bzip2 => "BZ",
        Format::Zstd => "ZS",
    });
    name.map_or("{}".to_owned(), |name| format!("{{Compression: {name}}}"))
}

fn part_line(out: &mut String, part: &Part<'_, '_>) {
    let header = part.header();
    let mut params: Vec<_> =
        header.params.iter().map(|param| format!("{}: {}", param.key, param.value)).collect();
    params.sort();
    let mandatory = if header.is_mandatory { "True" } else { "False" };
    let params = params.join(", ");
    writeln!(out, "{} -- {{{params}}} (mandatory: {mandatory})", header.kind).unwrap();
}

fn content(out: &mut String, part: &mut Part<'_, '_>, indent: &str) -> Result<(), BundleError> {
    match part.content()? {
        Content::Changegroup(mut group) => {
            writeln!(out, "{indent}format: id, p1, p2, cset, delta base, len(delta)").unwrap();
            while let Some(item) = group.next_item()? {
                match item {
                    Item::Group(Group::Changelog) => write!(out, "\n{indent}changelog\n"),
                    Item::Group(Group::Manifests) => write!(out, "\n{indent}manifest\n"),
                    Item::Group(Group::Directory(path) | Group::File(path)) => {
                        write!(out, "\n{indent}{path}\n")
                    }
                    Item::Revision(revision) => {
                        let fragments = revision.delta.fragments();
                        let length: usize = fragments.map(|f| 12 + f.replacement.len()).sum();
                        let [p1, p2] = revision.parents;
                        let (node, link, base) = (revision.node, revision.link, revision.base);
                        writeln!(out, "{indent}{node} {p1} {p2} {link} {base} {length}")
                    }
                }
                .unwrap();
            }
        }
        Content::ObsMarkers { markers, .. } => {
            let line = |marker: Marker| {
                let nodes = std::iter::once(&marker.precursor).chain(&marker.successors);
                let nodes: Vec<_> = nodes.map(Node::to_string).collect();
                format!("{indent}{} {:x}\n", nodes.join(" "), marker.flags)
            };
            // Mercurial sorts them before it tells them.
            let mut lines: Vec<_> = markers.into_iter().map(line).collect();
            lines.sort();
            out.extend(lines);
        }
        Content::PhaseHeads(heads) => {
            for (phase, node) in heads {
                let phase = Phase::from_number(phase).map_or("unknown", Phase::name);
                writeln!(out, "{indent}{node} {phase}").unwrap();
            }
        }
        _ => {}
    }
    Ok(())
}

/// What Mercurial said, without what we do not read: how many bytes markers take, and who made them.
pub(crate) fn comparable(expected: &str) -> String {
    let lines = expected
        .lines()
        .filter(|line| !line.starts_with("    version: ") && !line.contains("feature not enabled"));
    let lines = lines.map(|line| match line.split_once(" (Thu ") {
        Some((marker, _)) if line.ends_with('}') => marker,
        _ => line,
    });
    lines.flat_map(|line| [line, "\n"]).collect()
}
