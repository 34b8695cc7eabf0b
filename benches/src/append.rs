//! Adds a changeset to any repository: the newest one, with one more line in one of its files.

use std::path::Path;

use synchroniser::base::{Interrupt, Limits, NoProgress, RepoPath, sha1};
use synchroniser::hg::bundle::{DeltaRevision, Group, Item};
use synchroniser::hg::manifest::Manifest;
use synchroniser::hg::revlog::{Delta, Flags};
use synchroniser::hg::write::{Revisions, RevisionsError, Writer};
use synchroniser::hg::{Node, Repository};

use crate::Outcome;

/// So many changesets are asked for their dates.
const NEWEST: usize = 100;

struct Items(std::vec::IntoIter<Item>);

impl Revisions for Items {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        Ok(self.0.next())
    }
}

fn node_of(parent: Node, text: &[u8]) -> Node {
    Node::from_bytes(sha1::digest(&[Node::NULL.as_bytes(), parent.as_bytes(), text]))
}

/// A revision that replaces the bytes from `start` to `end` of its parent.
fn revision(node: Node, parent: Node, link: Node, part: (usize, usize, &[u8])) -> Outcome<Item> {
    let (start, end, bytes) = part;
    let mut delta = Vec::new();
    for number in [start, end, bytes.len()] {
        delta.extend(u32::try_from(number)?.to_be_bytes());
    }
    delta.extend(bytes);
    Ok(Item::Revision(DeltaRevision {
        node,
        parents: [parent, Node::NULL],
        link,
        base: parent,
        flags: Flags::default(),
        delta: Delta::parse(delta)?,
    }))
}

/// The node of the new changeset.
pub(crate) fn append(root: &Path) -> Outcome<Node> {
    let limits = Limits::default();
    let repository = Repository::open(root, &limits)?;
    let (changelog, manifests) = (repository.changelog(), repository.manifests());
    let last = changelog.revlog().revs().next_back().ok_or("there is no changeset")?;
    let number = changelog.revlog().len();
    let (tip, changeset) = (changelog.node(last), changelog.reader().changeset(last)?);
    let rev = manifests.rev(changeset.manifest).ok_or("the newest manifest is not there")?;
    let manifest = manifests.reader().text(rev)?;
    // Another file each time, but not always those in the same folder.
    let count = Manifest::new(&manifest).lines().count();
    let line = Manifest::new(&manifest).lines().nth(number.wrapping_mul(7919) % count.max(1));
    let line = line.ok_or("the newest manifest has no file")?.map_err(|_| "a line is malformed")?;
    let path: &RepoPath = line.path;
    let name = path.to_vec();
    let filelog = repository.filelog(path)?.ok_or("a file has no history")?;
    let old = filelog.rev(line.node).ok_or("a revision of a file is not there")?;
    let text = filelog.reader().text(old)?;
    let more = format!("line {number}\n").into_bytes();
    let file = node_of(line.node, &[text.as_slice(), &more].concat());

    let before = format!("{}\0", String::from_utf8_lossy(&name)).into_bytes();
    // Mercurial reads deltas of manifests by whole lines.
    let start = find(&manifest, &before).ok_or("a file is not in its manifest")?;
    let length = manifest[start..].iter().position(|byte| *byte == b'\n').unwrap_or_default() + 1;
    let mut new_manifest = manifest.to_vec();
    let digits = file.to_string().into_bytes();
    let at = start + before.len();
    new_manifest[at..at + digits.len()].copy_from_slice(&digits);
    let new_line = &new_manifest[start..start + length];
    let manifest_node = node_of(changeset.manifest, &new_manifest);

    let branch = changeset.branch().to_string();
    let extra = if branch == "default" { String::new() } else { format!(" branch:{branch}") };
    let changed = String::from_utf8_lossy(&name);
    // Made after all others, as what somebody pushes mostly is.
    let dates = changelog.revlog().revs().rev().take(NEWEST);
    let dates = dates.map(|rev| Ok(changelog.reader().changeset(rev)?.date.seconds));
    let newest = dates.collect::<Outcome<Vec<_>>>()?.into_iter().max();
    let date = newest.unwrap_or_default() + 60;
    let of_changeset = format!(
        "{manifest_node}\nPerson <person@example.com>\n{date} 0{extra}\n{changed}\n\nchange {number}"
    );
    let node = node_of(tip, of_changeset.as_bytes());

    let whole = Item::Revision(DeltaRevision {
        node,
        parents: [tip, Node::NULL],
        link: node,
        base: Node::NULL,
        flags: Flags::default(),
        delta: Delta::of_all(of_changeset.as_bytes()),
    });
    let items = vec![
        Item::Group(Group::Changelog),
        whole,
        Item::Group(Group::Manifests),
        revision(manifest_node, changeset.manifest, node, (start, start + length, new_line))?,
        Item::Group(Group::File(path.to_owned())),
        revision(file, line.node, node, (text.len(), text.len(), &more))?,
    ];
    let mut writer = Writer::open(root, &limits)?;
    writer.add(&mut Items(items.into_iter()), &NoProgress, &Interrupt::default())?;
    writer.commit()?;
    Ok(node)
}

/// Where a line of a manifest that begins so is.
fn find(manifest: &[u8], before: &[u8]) -> Option<usize> {
    if manifest.starts_with(before) {
        return Some(0);
    }
    let whole = [b"\n", before].concat();
    manifest.windows(whole.len()).position(|window| window == whole).map(|at| at + 1)
}
