//! Histories of any length, made from a seed: many changesets quickly, with merges and named
//! branches, in a store that stock Mercurial verifies.
//!
//! All files are there from the first changeset on, and all lines of a file have the same length, so
//! that each change is one line of a file, one of the manifest for each changed file, and no text need
//! be looked for in another.
//!
//! The benches make their long histories with it (`benches/src/main.rs`).

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use synchroniser::base::{Interrupt, Limits, NoProgress, sha1};
use synchroniser::hg::Node;
use synchroniser::hg::bundle::{DeltaRevision, Group, Item};
use synchroniser::hg::revlog::{Delta, Flags};
use synchroniser::hg::write::{NewStore, Revisions, RevisionsError, Writer};

/// What a history is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) seed: u64,
    pub(crate) changesets: usize,
    pub(crate) files: usize,
    /// How many heads there are at most at a time. The first is on `default`, the others are on named
    /// branches `line-N` that come from it and are merged into it. Which one grows is drawn for each
    /// changeset, so that many of them interleave.
    pub(crate) heads: usize,
    /// One of so many changesets of another branch is a merge of it; 0 for none, ever.
    pub(crate) merges: usize,
    /// How many folders are above each file. A folder has 32 files, or 32 folders.
    pub(crate) depth: usize,
    /// How many lines of 32 bytes a file has, at least and at most.
    pub(crate) lines: [usize; 2],
}

impl Shape {
    /// What tests need: short, straight, small.
    pub(crate) const PLAIN: Self =
        Self { seed: 1, changesets: 100, files: 20, heads: 1, merges: 8, depth: 1, lines: [24; 2] };

    fn name(&self, file: usize) -> String {
        let folders = (1..=self.depth).rev().map(|level| {
            let number = u32::try_from(level).ok().and_then(|level| 32_usize.checked_pow(level));
            format!("f-{:06}/", file / number.unwrap_or(usize::MAX))
        });
        folders.collect::<String>() + &format!("{file:08}")
    }

    /// The line of a file in a manifest: a name, NUL, a node in hexadecimal digits, a line feed.
    fn entry(&self, file: usize, node: Node) -> Vec<u8> {
        format!("{}\0{node}\n", self.name(file)).into_bytes()
    }

    /// Bytes of each such line.
    fn entry_length(&self) -> usize {
        self.name(0).len() + 1 + 40 + 1
    }

    fn lines_of(&self, file: usize) -> usize {
        let [least, most] = self.lines;
        least + Random(self.seed ^ file as u64).below(most - least + 1)
    }
}

/// A history that is known, but for its texts.
pub(crate) struct Generated {
    shape: Shape,
    changesets: Vec<Changeset>,
    /// The revisions of each file.
    files: Vec<Vec<FileRevision>>,
}

struct Changeset {
    node: Node,
    parents: [Node; 2],
    text: Vec<u8>,
    manifest: Node,
    manifest_parents: [Node; 2],
    /// What differs from the manifest of the first parent.
    changes: Vec<(usize, Node)>,
}

struct FileRevision {
    node: Node,
    /// The position of the parent among the file's revisions; there is none of the first.
    parent: Option<usize>,
    changeset: usize,
    line: usize,
    text: [u8; LINE],
}

/// Bytes of a line of a file.
const LINE: usize = 32;

/// A head while the history is made.
#[derive(Clone)]
struct Head {
    node: Node,
    manifest: Node,
    text: Vec<u8>,
    /// The revision of each file.
    revisions: Vec<usize>,
}

/// Numbers that anybody can make again (`SplitMix64`).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn line(&mut self) -> [u8; LINE] {
        let mut line = [b'\n'; LINE];
        for (at, byte) in line[..LINE - 1].iter_mut().enumerate() {
            // A space now and then, as between words.
            *byte = if at % 6 == 5 { b' ' } else { b'a' + self.next().to_le_bytes()[0] % 26 };
        }
        line
    }
}

fn node_of(parents: [Node; 2], text: &[u8]) -> Node {
    let mut sorted = parents;
    sorted.sort_unstable();
    Node::from_bytes(sha1::digest(&[sorted[0].as_bytes(), sorted[1].as_bytes(), text]))
}

/// Lines of one length, with some of them replaced.
fn delta(changes: impl Iterator<Item = (usize, Vec<u8>)>) -> Delta {
    let mut bytes = Vec::new();
    for (line, text) in changes {
        let number = |number: usize| u32::try_from(number).unwrap().to_be_bytes();
        let (start, end) = (line * text.len(), (line + 1) * text.len());
        bytes.extend([number(start), number(end), number(text.len())].concat());
        bytes.extend(text);
    }
    Delta::parse(bytes).unwrap()
}

impl Generated {
    /// Decides what the history of this shape is.
    pub(crate) fn new(shape: Shape) -> Self {
        assert!(shape.files > 0 && shape.files < 100_000_000 && shape.heads > 0);
        assert!(shape.lines[0] > 0 && shape.lines[0] <= shape.lines[1]);
        let mut random = Random(shape.seed);
        let mut made = Self { shape, changesets: Vec::new(), files: Vec::new() };
        let mut heads: Vec<Option<Head>> = vec![None; shape.heads];
        heads[0] = Some(made.first(&mut random));
        // The texts of files at each head would be much: the revisions say how to make them.
        for _ in 1..shape.changesets {
            let at = random.below(shape.heads);
            let forks = heads[at].is_none();
            let merges = at > 0 && !forks && shape.merges > 0 && random.below(shape.merges) == 0;
            let mut head = if forks { heads[0].clone() } else { heads[at].take() }.unwrap();
            if merges {
                let mut main = heads[0].take().unwrap();
                made.merge(&mut main, &head);
                heads[0] = Some(main);
            } else {
                made.change(&mut head, at, &mut random);
                heads[at] = Some(head);
            }
        }
        made
    }

    /// The first changeset: all files, one revision of each.
    fn first(&mut self, random: &mut Random) -> Head {
        let mut head = Head {
            node: Node::NULL,
            manifest: Node::NULL,
            text: Vec::new(),
            revisions: vec![0; self.shape.files],
        };
        let mut changes = Vec::new();
        for file in 0..self.shape.files {
            self.files.push(Vec::new());
            let text = random.line();
            let revision =
                FileRevision { node: Node::NULL, parent: None, changeset: 0, line: 0, text };
            let node = self.add_file_revision(file, revision);
            changes.push((file, node));
            head.text.extend(self.shape.entry(file, node));
        }
        self.add_changeset(&mut head, [Node::NULL; 2], Node::NULL, 0, changes);
        head
    }

    /// A change of one to three files.
    fn change(&mut self, head: &mut Head, line: usize, random: &mut Random) {
        let first = random.below(self.shape.files);
        let count = (1 + random.below(3)).min(self.shape.files - first);
        let mut changes = Vec::new();
        for file in first..first + count {
            let parent = Some(head.revisions[file]);
            let changeset = self.changesets.len();
            let (line, text) = (random.below(self.shape.lines_of(file)), random.line());
            let revision = FileRevision { node: Node::NULL, parent, changeset, line, text };
            head.revisions[file] = self.files[file].len();
            changes.push((file, self.add_file_revision(file, revision)));
        }
        let parents = [head.node, Node::NULL];
        self.add_changeset(head, parents, Node::NULL, line, changes);
    }

    /// The main line with what is newer on the other: revisions that are there already.
    fn merge(&mut self, main: &mut Head, other: &Head) {
        let mut changes = Vec::new();
        for file in 0..self.shape.files {
            let (ours, theirs) = (main.revisions[file], other.revisions[file]);
            if theirs > ours {
                main.revisions[file] = theirs;
                changes.push((file, self.files[file][theirs].node));
            }
        }
        self.add_changeset(main, [main.node, other.node], other.manifest, 0, changes);
    }

    fn add_file_revision(&mut self, file: usize, mut revision: FileRevision) -> Node {
        let text = self.text_of(file, &revision);
        let parent = revision.parent.map_or(Node::NULL, |parent| self.files[file][parent].node);
        revision.node = node_of([parent, Node::NULL], &text);
        let node = revision.node;
        self.files[file].push(revision);
        node
    }

    /// The text of a file's revision: each line as it was changed last on the way to it.
    fn text_of(&self, file: usize, revision: &FileRevision) -> Vec<u8> {
        let mut missing = self.shape.lines_of(file);
        let mut lines: Vec<Option<&[u8; LINE]>> = vec![None; missing];
        let mut next = Some(revision);
        let mut first = revision;
        while let Some(this) = next.filter(|_| missing > 0) {
            if this.parent.is_some() && lines[this.line].is_none() {
                lines[this.line] = Some(&this.text);
                missing -= 1;
            }
            first = this;
            next = this.parent.map(|parent| &self.files[file][parent]);
        }
        // A line that never changed is that of the first revision.
        lines.iter().flat_map(|line| line.unwrap_or(&first.text)).copied().collect()
    }

    fn add_changeset(
        &mut self,
        head: &mut Head,
        parents: [Node; 2],
        second_manifest: Node,
        line: usize,
        changes: Vec<(usize, Node)>,
    ) {
        let length = self.shape.entry_length();
        for (file, node) in &changes {
            let entry = self.shape.entry(*file, *node);
            head.text[file * length..(file + 1) * length].copy_from_slice(&entry);
        }
        let manifest_parents = [head.manifest, second_manifest];
        // A merge that changes nothing has the manifest of its first parent.
        let is_new = !changes.is_empty();
        let manifest = if is_new { node_of(manifest_parents, &head.text) } else { head.manifest };
        let number = self.changesets.len();
        let is_merge = !parents[1].is_null();
        let of_changeset = changes.iter().filter(|_| !is_merge);
        let names: Vec<_> = of_changeset.map(|(file, _)| self.shape.name(*file) + "\n").collect();
        let branch = if line > 0 { format!(" branch:line-{line}") } else { String::new() };
        let files = names.concat();
        let text = format!(
            "{manifest}\nPerson {} <person@example.com>\n{} 0{branch}\n{files}\nchange {number}",
            number % 20,
            1_500_000_000 + number,
        )
        .into_bytes();
        let node = node_of(parents, &text);
        head.node = node;
        head.manifest = manifest;
        self.changesets.push(Changeset {
            node,
            parents,
            text,
            manifest,
            manifest_parents,
            changes,
        });
    }

    /// The nodes of all changesets, in their order.
    pub(crate) fn nodes(&self) -> impl ExactSizeIterator<Item = Node> + DoubleEndedIterator {
        self.changesets.iter().map(|changeset| changeset.node)
    }

    /// Makes an empty repository at `root`.
    pub(crate) fn create(root: &Path) {
        Writer::create(root, &NewStore::default()).unwrap();
    }

    /// Adds the changesets of a range to the repository at `root`, which has those before it.
    pub(crate) fn add(&self, root: &Path, range: Range<usize>) {
        let mut writer = Writer::open(root, &Limits::default()).unwrap();
        let mut revisions = self.revisions(range);
        writer.add(&mut revisions, &NoProgress, &Interrupt::default()).unwrap();
        writer.commit().unwrap();
    }

    /// Writes all of it into a new repository at `root`.
    pub(crate) fn write(&self, root: &Path) {
        Self::create(root);
        self.add(root, 0..self.changesets.len());
    }

    fn revisions(&self, range: Range<usize>) -> Parts<'_> {
        let (changesets, manifests) = (range.clone(), range.clone());
        let (first, last) = (Item::Group(Group::Changelog), Item::Group(Group::Manifests));
        Parts {
            of: self,
            ready: VecDeque::from([first]),
            changesets,
            manifests_header: Some(last),
            manifests,
            file: 0,
            range,
        }
    }

    fn manifest_revision(&self, number: usize) -> Option<DeltaRevision> {
        let changeset = &self.changesets[number];
        if changeset.changes.is_empty() {
            return None;
        }
        let entry = |(file, node): &(usize, Node)| (*file, self.shape.entry(*file, *node));
        let changes = changeset.changes.iter().map(entry);
        let delta = match number {
            0 => Delta::of_all(&changes.flat_map(|(_, entry)| entry).collect::<Vec<_>>()),
            _ => delta(changes),
        };
        Some(DeltaRevision {
            node: changeset.manifest,
            parents: changeset.manifest_parents,
            link: changeset.node,
            base: changeset.manifest_parents[0],
            flags: Flags::default(),
            delta,
        })
    }

    fn file_revisions(&self, file: usize, range: &Range<usize>) -> Vec<Item> {
        let all = &self.files[file];
        let begin = all.partition_point(|revision| revision.changeset < range.start);
        let wanted = all[begin..].iter().take_while(|revision| revision.changeset < range.end);
        let item = |revision: &FileRevision| {
            let parent = revision.parent.map_or(Node::NULL, |parent| all[parent].node);
            let delta = match revision.parent {
                None => Delta::of_all(&self.text_of(file, revision)),
                Some(_) => delta(std::iter::once((revision.line, revision.text.to_vec()))),
            };
            Item::Revision(DeltaRevision {
                node: revision.node,
                parents: [parent, Node::NULL],
                link: self.changesets[revision.changeset].node,
                base: parent,
                flags: Flags::default(),
                delta,
            })
        };
        wanted.map(item).collect()
    }
}

/// The revisions of a range of changesets, as a changegroup has them.
struct Parts<'g> {
    of: &'g Generated,
    ready: VecDeque<Item>,
    changesets: Range<usize>,
    manifests_header: Option<Item>,
    manifests: Range<usize>,
    file: usize,
    range: Range<usize>,
}

impl Revisions for Parts<'_> {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(Some(item));
            }
            if let Some(number) = self.changesets.next() {
                let changeset = &self.of.changesets[number];
                return Ok(Some(Item::Revision(DeltaRevision {
                    node: changeset.node,
                    parents: changeset.parents,
                    link: changeset.node,
                    base: Node::NULL,
                    flags: Flags::default(),
                    delta: Delta::of_all(&changeset.text),
                })));
            }
            if let Some(header) = self.manifests_header.take() {
                return Ok(Some(header));
            }
            if let Some(number) = self.manifests.next() {
                self.ready.extend(self.of.manifest_revision(number).map(Item::Revision));
                continue;
            }
            if self.file == self.of.files.len() {
                return Ok(None);
            }
            let revisions = self.of.file_revisions(self.file, &self.range);
            if !revisions.is_empty() {
                self.ready.push_back(Item::Group(Group::File(
                    self.of.shape.name(self.file).as_str().into(),
                )));
                self.ready.extend(revisions);
            }
            self.file += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::{Converted, Hg, TestEnv, env};

    const SHAPE: Shape =
        Shape { changesets: 300, files: 40, heads: 3, depth: 3, lines: [3, 60], ..Shape::PLAIN };

    #[test]
    fn what_is_made_is_sound_and_converts() {
        let env = TestEnv::new();
        let made = Generated::new(SHAPE);
        let (at_once, in_steps) = (env.path("at-once"), env.path("in-steps"));
        made.write(&at_once);
        Generated::create(&in_steps);
        for begin in (0..SHAPE.changesets).step_by(70) {
            made.add(&in_steps, begin..(begin + 70).min(SHAPE.changesets));
        }
        let first = Converted::make(&env, &at_once, &env.path("at-once.git")).unwrap();
        let second = Converted::make(&env, &in_steps, &env.path("in-steps.git")).unwrap();
        assert_eq!(first.commits.len(), made.nodes().len());
        assert_eq!(first.commits, second.commits);
        assert_eq!(first.refs(), second.refs());
        assert!(made.changesets.iter().filter(|made| !made.parents[1].is_null()).count() > 5);
        if let Some(program) = env::hg() {
            let hg = Hg { env: &env, program };
            for root in [&at_once, &in_steps] {
                hg.run(root, &["verify", "-q"]).ok().unwrap();
            }
        }
    }

    #[test]
    fn a_seed_makes_the_same_again_and_another_one_does_not() {
        let nodes = |seed| Generated::new(Shape { seed, ..SHAPE }).nodes().collect::<Vec<_>>();
        assert_eq!(nodes(1), nodes(1));
        assert_ne!(nodes(1), nodes(2));
    }
}
