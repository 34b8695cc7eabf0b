//! The writer of stores: whatever comes, the store is as it was, or has it and is sound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use synchroniser::base::{Interrupt, NoProgress, RepoPath, sha1};
use synchroniser::hg::bundle::{Bundle, Content, DeltaRevision, Group, Item};
use synchroniser::hg::revlog::{Delta, Flags};
use synchroniser::hg::write::{NewStore, Revisions, RevisionsError, WriteError, Writer};
use synchroniser::hg::{Node, Repository};
use synchroniser_fuzz::{Input, limits, told};

/// Names of files and directories, of which some are that of one file in the end.
const NAMES: [&str; 8] = ["a", "b/A", "b//A", "./a", "../../x", "c.i/d", "e\nf", ""];

/// A changegroup that is made up as the input says.
struct Made<'a> {
    input: Input<'a>,
    /// Nodes and texts of the group, and the changesets.
    known: Vec<(Node, Vec<u8>)>,
    changesets: Vec<Node>,
    is_changelog: bool,
    is_begun: bool,
}

impl Made<'_> {
    fn one_of(&mut self) -> (Node, Vec<u8>) {
        match usize::from(self.input.byte()) {
            0 => (Node::NULL, Vec::new()),
            255 => (Node::from_bytes([0xff; 20]), Vec::new()),
            // The last is what is nearly always meant.
            back => {
                let known = self.known.len().checked_sub(back);
                known.map_or_else(|| (Node::NULL, Vec::new()), |at| self.known[at].clone())
            }
        }
    }

    fn revision(&mut self) -> DeltaRevision {
        let (base, base_text) = self.one_of();
        let parents = [self.one_of().0, self.one_of().0];
        let kind = self.input.byte();
        let replacement = self.input.part().to_vec();
        let kept = usize::from(kind & 0x3f).min(base_text.len());
        let number = |number: usize| u32::try_from(number).expect("inputs are short").to_be_bytes();
        let lengths = [number(kept), number(base_text.len()), number(replacement.len())].concat();
        let delta = Delta::parse([lengths, replacement].concat()).expect("it is a delta");
        let text = delta.apply(&base_text).expect("it is one of this text");
        let mut sorted = parents;
        sorted.sort_unstable();
        let parts = [sorted[0].as_bytes().as_slice(), sorted[1].as_bytes(), &text];
        let node = match kind {
            0x40..=0x4f => Node::from_bytes([kind; 20]),
            _ => Node::from_bytes(sha1::digest(&parts)),
        };
        let flags = Flags(if kind >= 0xf0 { u16::from(kind) << 12 } else { 0 });
        self.known.push((node, text));
        let link = match self.is_changelog {
            true => node,
            false => {
                let at = usize::from(self.input.byte());
                self.changesets.get(at).copied().unwrap_or(Node::NULL)
            }
        };
        if self.is_changelog {
            self.changesets.push(node);
        }
        DeltaRevision { node, parents, link, base, flags, delta }
    }
}

impl Revisions for Made<'_> {
    fn next_item(&mut self) -> Result<Option<Item>, RevisionsError> {
        if self.input.is_empty() {
            return Ok(None);
        }
        let what = if self.is_begun { self.input.byte() } else { 0xff };
        self.is_begun = true;
        let path = || RepoPath::new(NAMES[usize::from(what) % NAMES.len()]).to_owned();
        let group = match what {
            0xff => Group::Changelog,
            0xe0..=0xfe => Group::Manifests,
            0xd0..=0xdf => Group::Directory(path()),
            0xa0..=0xcf => Group::File(path()),
            _ => return Ok(Some(Item::Revision(self.revision()))),
        };
        self.is_changelog = group == Group::Changelog;
        self.known.clear();
        Ok(Some(Item::Group(group)))
    }
}

/// Adds what is in the input; how many revisions that was.
fn add(root: &std::path::Path, data: &[u8]) -> Result<u64, WriteError> {
    let mut writer = Writer::open(root, &limits())?;
    let mut count = 0;
    let mut take = |revisions: &mut dyn Revisions| {
        let added = writer.add(revisions, &NoProgress, &Interrupt::default())?;
        count += added.changesets.len() as u64 + added.manifests + added.file_revisions;
        Ok::<_, WriteError>(())
    };
    match data.split_first() {
        Some((0, bytes)) => {
            let wrong = |error| WriteError::Revisions(RevisionsError::Bundle(error));
            let mut bundle = Bundle::open(bytes, &limits()).map_err(wrong)?;
            while let Some(mut part) = bundle.next_part().map_err(wrong)? {
                if let Content::Changegroup(mut group) = part.content().map_err(wrong)? {
                    take(&mut group)?;
                }
            }
        }
        _ => {
            let (known, changesets) = (Vec::new(), Vec::new());
            let input = Input::new(data.get(1..).unwrap_or_default());
            take(&mut Made { input, known, changesets, is_changelog: true, is_begun: false })?;
        }
    }
    writer.commit()?;
    Ok(count)
}

fuzz_target!(|data: &[u8]| {
    let folder = tempfile::tempdir().expect("there is room");
    let root = folder.path().join("repository");
    let options = NewStore { tree_manifests: data.len() % 2 == 1 };
    Writer::create(&root, &options).expect("nothing is there");
    let added = add(&root, data);
    if let Err(error) = &added {
        told(error);
    }
    // A second writer finds nothing to undo, and adds nothing again.
    let again = add(&root, data);
    assert_eq!(added.is_ok(), again.is_ok());
    assert_eq!(again.unwrap_or(0), 0);
    let repository = Repository::open(&root, &limits()).expect("it is sound");
    let (changelog, manifests) = (repository.changelog().revlog(), repository.manifests().revlog());
    let mut sound = 0;
    for revlog in [changelog, manifests] {
        let mut reader = revlog.reader();
        for rev in revlog.revs() {
            reader.text(rev).expect("it was checked");
            sound += 1;
        }
    }
    // Names that are those of a file that another one has, too, do not count.
    for name in ["a", "b/A", "../../x", "c.i/d"] {
        let Ok(Some(filelog)) = repository.filelog(name.into()) else { continue };
        let mut reader = filelog.reader();
        for rev in filelog.revs() {
            let entry = filelog.entry(rev).expect("it was written");
            let text = reader.unchecked_text(rev).expect("it was written");
            if entry.flags == Flags::default() {
                synchroniser::hg::revlog::check_node(&filelog, rev, &text).expect("it was checked");
            }
            sound += 1;
        }
    }
    // Those of directories are not among them.
    assert!(sound <= added.unwrap_or(0));
    assert!(!root.join(".hg/store/journal").exists() && !root.join(".hg/store/lock").exists());
});
