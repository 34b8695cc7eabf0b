//! Writes revlogs, and stores made of them, that say whatever a test wants them to say.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use synchroniser::base::{hex, sha1};
use synchroniser::hg::revlog::RevlogFiles;

/// 20 bytes.
pub(super) type Hash = [u8; 20];
pub(super) const NO_PARENTS: [i32; 2] = [-1, -1];

/// One entry of an index, with its chunk.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// `None` for where the chunk really is.
    pub(super) offset: Option<u64>,
    pub(super) flags: u16,
    pub(super) chunk: Vec<u8>,
    /// `None` for the length of the chunk.
    pub(super) stored_length: Option<i32>,
    pub(super) text_length: i32,
    pub(super) base: i32,
    /// The changeset that introduced it; `None` for the one with the same number.
    pub(super) link: Option<i32>,
    pub(super) parents: [i32; 2],
    pub(super) node: Hash,
}

/// A revlog of version 1 with generaldelta, its data in a file of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Revlog(pub(super) Vec<Entry>);

pub(super) fn number(value: usize) -> i32 {
    i32::try_from(value).unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// One range of a delta.
pub(super) fn fragment(start: u32, end: u32, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap();
    let numbers = [start, end, length].map(u32::to_be_bytes).concat();
    [&numbers, data].concat()
}

impl Revlog {
    fn node(&self, parent: i32) -> Hash {
        usize::try_from(parent).map_or([0; 20], |parent| self.0[parent].node)
    }

    /// What a text hashes to, given its parents.
    pub(super) fn hash(&self, text: &[u8], parents: [i32; 2]) -> Hash {
        let mut nodes = parents.map(|parent| self.node(parent));
        nodes.sort_unstable();
        sha1::digest(&[&nodes[0], &nodes[1], text])
    }

    /// Adds `text`, stored in full. Returns its number.
    pub(super) fn push(&mut self, text: &[u8], parents: [i32; 2]) -> i32 {
        let plain = [b"u", text].concat();
        let chunk = if text.len() < 100 { plain } else { zlib(text) };
        self.push_stored(text, parents, chunk, number(self.0.len()))
    }

    /// Adds `text`, stored as `chunk`, which is a delta against `base`.
    pub(super) fn push_stored(
        &mut self,
        text: &[u8],
        parents: [i32; 2],
        chunk: Vec<u8>,
        base: i32,
    ) -> i32 {
        let node = self.hash(text, parents);
        let text_length = number(text.len());
        let (offset, flags, stored_length, link) = (None, 0, None, None);
        self.0.push(Entry {
            offset,
            flags,
            chunk,
            stored_length,
            text_length,
            base,
            link,
            parents,
            node,
        });
        number(self.0.len() - 1)
    }

    /// The index and the data of the revlog, the latter in the former where it is `inline`.
    pub(super) fn to_bytes(&self, inline: bool) -> (Vec<u8>, Vec<u8>) {
        let (mut index, mut data) = (Vec::new(), Vec::new());
        let mut written: u64 = 0;
        for (rev, entry) in self.0.iter().enumerate() {
            let offset = entry.offset.unwrap_or(written) << 16 | u64::from(entry.flags);
            let header: u64 = if inline { 3 << 48 | 1 << 32 } else { 2 << 48 | 1 << 32 };
            let first = if rev == 0 { offset & 0xffff_ffff | header } else { offset };
            index.extend_from_slice(&first.to_be_bytes());
            let stored_length = entry.stored_length.unwrap_or(number(entry.chunk.len()));
            let link = entry.link.unwrap_or(number(rev));
            let [p1, p2] = entry.parents;
            for number in [stored_length, entry.text_length, entry.base, link, p1, p2] {
                index.extend_from_slice(&number.to_be_bytes());
            }
            index.extend_from_slice(&entry.node);
            index.extend_from_slice(&[0; 12]);
            if inline { &mut index } else { &mut data }.extend_from_slice(&entry.chunk);
            written += entry.chunk.len() as u64;
        }
        (index, data)
    }

    /// Writes the two files of a revlog called `name`, or one where it is `inline`.
    pub(super) fn write(&self, folder: &Path, name: &str, inline: bool) -> RevlogFiles {
        let (index, data) = self.to_bytes(inline);
        let path = |suffix: &str| folder.join(format!("{name}{suffix}"));
        let files = RevlogFiles { index: path(".i"), data: path(".d") };
        std::fs::create_dir_all(files.index.parent().unwrap()).unwrap();
        std::fs::write(&files.index, index).unwrap();
        if !inline {
            std::fs::write(&files.data, data).unwrap();
        }
        files
    }
}

/// A repository: names of files are lower-case letters and dots.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub(super) changelog: Revlog,
    pub(super) manifest: Revlog,
    pub(super) files: BTreeMap<String, Revlog>,
}

impl Store {
    /// Adds a revision of a file, for the next changeset. Returns its node.
    pub(super) fn file(&mut self, name: &str, text: &[u8]) -> Hash {
        let log = self.files.entry(name.to_owned()).or_default();
        let rev = log.push(text, [number(log.0.len()) - 1, -1]);
        log.0.last_mut().unwrap().link = Some(number(self.changelog.0.len()));
        log.node(rev)
    }

    /// Adds a changeset with these files, all of which it lists. Returns its number.
    pub(super) fn commit(&mut self, parents: [i32; 2], files: &[(&str, Hash)]) -> i32 {
        let line = |(name, node): &(&str, Hash)| format!("{name}\0{}\n", hex::encode(node));
        let manifest: String = files.iter().map(line).collect();
        let manifest = self.manifest.push(manifest.as_bytes(), parents);
        let rev = number(self.changelog.0.len());
        let manifest = hex::encode(&self.manifest.node(manifest));
        let list: String = files.iter().flat_map(|(name, _)| [*name, "\n"]).collect();
        let user = "Test <test@example.org>";
        let text = format!("{manifest}\n{user}\n{rev} 0\n{list}\nchangeset {rev}");
        self.changelog.push(text.as_bytes(), parents)
    }

    pub(super) fn write(&self, repository: &Path) -> PathBuf {
        let store = repository.join(".hg/store");
        std::fs::create_dir_all(&store).unwrap();
        let requires = "revlogv1\nstore\ngeneraldelta\n";
        std::fs::write(repository.join(".hg/requires"), requires).unwrap();
        self.changelog.write(&store, "00changelog", false);
        self.manifest.write(&store, "00manifest", true);
        for (name, log) in &self.files {
            log.write(&store.join("data"), name, false);
        }
        repository.to_owned()
    }
}
