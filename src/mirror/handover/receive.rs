//! Takes a cache that another machine sends: unpacks it beside, checks it, and puts it in place.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::path::{Path, PathBuf};

use super::format::{Decoder, StreamError};
use super::{Arriving, COPY, MAP, PACKS, REFS, REQUIRES, SMALL, STORE};
use crate::base::durable::{self, Step, sync_folder};
use crate::base::text::megabytes;
use crate::base::{Interrupt, Limits, Progress as _, Stage, faults, hex};
use crate::git::pack::PackError;
use crate::git::reference::is_valid_ref_name;
use crate::git::repository::{KnownObjects, RefEdit, RepositoryError, UpdateRefsError};
use crate::git::{BareRepository, ObjectId};
use crate::hg::pull::{HandedCopy, PullError};
use crate::mirror::cache::LockedCache;
use crate::mirror::event::Events;
use crate::mirror::{Mirror, SyncContext, SyncError};

/// One record of the map.
const RECORD: usize = 40;
/// What each file takes on a disk at most, beside its contents.
const FILE: u64 = 4 << 10;
/// What is written at a time.
const BLOCK: usize = 128 << 10;

/// Why a cache that another machine sends is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It does not arrive as it should.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// There is too little room for it.
    #[error("take the cache of another daemon: it has {}, and there is room for {}", megabytes(*bytes), megabytes(*room))]
    NoRoom {
        /// What it takes.
        bytes: u64,
        /// What there is room for.
        room: u64,
    },
    /// A file in it that has no place in a cache, or not there.
    #[error("take the cache of another daemon: it has a file called {name:?}")]
    Unexpected {
        /// What it is called.
        name: String,
    },
    /// A file in it is not as such files are.
    #[error("take the cache of another daemon: {name:?} in it is damaged")]
    Damaged {
        /// What it is called.
        name: &'static str,
    },
    /// A pack in it is not as it was written.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// Something is named that is not in it.
    #[error("take the cache of another daemon: it lacks the commit {id}, which {by} names")]
    Lacks {
        /// The commit.
        id: ObjectId,
        /// What names it.
        by: &'static str,
    },
    /// The copy of the source is damaged, or cannot be written.
    #[error(transparent)]
    Copy(#[from] PullError),
    /// The repository cannot be written.
    #[error(transparent)]
    Git(#[from] RepositoryError),
    /// The refs cannot be written.
    #[error(transparent)]
    Refs(#[from] UpdateRefsError),
    /// The cache here cannot be used.
    #[error(transparent)]
    Cache(#[from] SyncError),
    /// A file cannot be written.
    #[error("write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

faults!(TakeError {
    Self::Stream(error) => of(error),
    Self::NoRoom { .. } => Unavailable.at(Here).hint("make room on the disk of the caches"),
    Self::Unexpected { .. } | Self::Damaged { .. } | Self::Lacks { .. } => Corrupt.at(Here),
    Self::Pack(error) => of(error).at(Here),
    Self::Copy(error) => of(error).at(Here),
    Self::Git(error) => of(error).at(Here),
    Self::Refs(error) => of(error).at(Here),
    Self::Cache(error) => of(error),
    Self::Write { source, .. } => io(source).at(Here),
});

/// Removes what an earlier one has left that was broken off.
pub(super) fn clear(cache: &LockedCache) -> Result<(), SyncError> {
    let path = cache.arriving();
    match durable::remove_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(SyncError::Folder { path, source: error })
        }
        _ => Ok(()),
    }
}

/// Takes all of it, checks it and puts it in place. Says how many bytes that were.
pub(super) fn take(
    mirror: &Mirror,
    context: &SyncContext<'_>,
    cache: &LockedCache,
    arriving: Arriving,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<u64, TakeError> {
    let Arriving { stream, seal, room, .. } = arriving;
    let mut stream = Decoder::begin(stream)?;
    let announced = stream.announced();
    let bytes = announced.files.saturating_mul(FILE).saturating_add(announced.bytes);
    if let Some(room) = room.filter(|room| bytes > *room) {
        return Err(TakeError::NoRoom { bytes, room });
    }
    let mut unpacked = Unpacked::begin(mirror, cache, interrupt)?;
    events.begin(Stage::TakingCache, Some(announced.bytes));
    while let Some((name, size)) = stream.next_file()? {
        interrupt.check().map_err(SyncError::from)?;
        unpacked.file(&name, size, &mut stream.contents())?;
        events.advance(size);
    }
    stream.finish(&seal)?;
    events.end();
    unpacked.check(mirror, context, cache, (events, interrupt))?;
    let files = unpacked.files;
    put_in_place(cache, &files)?;
    Ok(announced.bytes)
}

/// A cache beside the one that it is to be.
struct Unpacked<'m> {
    folder: PathBuf,
    limits: &'m Limits,
    interrupt: &'m Interrupt,
    wants_copy: bool,
    git: BareRepository,
    copy: Option<HandedCopy>,
    /// The files beside the copy and the repository.
    files: BTreeSet<&'static str>,
    /// The files of packs.
    packs: BTreeSet<String>,
    refs: Vec<RefEdit>,
}

impl<'m> Unpacked<'m> {
    fn begin(
        mirror: &'m Mirror,
        cache: &LockedCache,
        interrupt: &'m Interrupt,
    ) -> Result<Self, TakeError> {
        let folder = cache.arriving();
        durable::create_folders(&folder).map_err(failed(&folder))?;
        let git = BareRepository::open_or_create(
            &folder.join("git"),
            &mirror.options.naming.main_name(),
        )?;
        Ok(Self {
            folder,
            limits: &mirror.options.limits,
            interrupt,
            wants_copy: mirror.source.in_place().is_none(),
            git,
            copy: None,
            files: BTreeSet::new(),
            packs: BTreeSet::new(),
            refs: Vec::new(),
        })
    }

    /// Takes one file, if there is one that is called so.
    fn file(&mut self, name: &[u8], size: u64, contents: &mut dyn Read) -> Result<(), TakeError> {
        let unexpected = || TakeError::Unexpected { name: String::from_utf8_lossy(name).into() };
        if let Some(name) = name.strip_prefix(STORE.as_bytes()) {
            let copy = self.copy.as_mut().ok_or_else(unexpected)?;
            return Ok(copy.store_file(name, size, contents)?);
        }
        let name = std::str::from_utf8(name).map_err(|_| unexpected())?;
        if name == REQUIRES {
            if self.copy.is_some() || !self.wants_copy {
                return Err(unexpected());
            }
            let text = self.text(REQUIRES, size, contents)?;
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            let root = self.folder.join("hg");
            self.copy = Some(HandedCopy::begin(&root, &lines, self.limits, self.interrupt)?);
            return Ok(());
        }
        if let Some(name) = name.strip_prefix(COPY) {
            let contents = self.small(COPY, size, contents)?;
            let copy = self.copy.as_mut().ok_or_else(unexpected)?;
            return if copy.small_file(name, contents) { Ok(()) } else { Err(unexpected()) };
        }
        if let Some(file) = name.strip_prefix(PACKS) {
            let is_new = is_of_pack(file) && self.packs.insert(file.to_owned());
            let path = self.git.pack_folder().join(file);
            return if is_new { write(&path, size, contents) } else { Err(unexpected()) };
        }
        if name == REFS {
            self.refs = refs(&self.text(REFS, size, contents)?)?;
            return Ok(());
        }
        let known = SMALL.into_iter().chain([MAP]).find(|known| *known == name);
        let known = known.filter(|known| self.files.insert(known)).ok_or_else(unexpected)?;
        write(&self.folder.join(known), size, contents)
    }

    /// What is small enough for the memory.
    fn small(
        &self,
        name: &'static str,
        size: u64,
        contents: &mut dyn Read,
    ) -> Result<Vec<u8>, TakeError> {
        if size > self.limits.metadata_bytes {
            return Err(TakeError::Damaged { name });
        }
        let mut bytes = Vec::new();
        // The stream ends at its size, and is no longer than what has come.
        contents.read_to_end(&mut bytes).map_err(|source| StreamError::Read { source })?;
        Ok(bytes)
    }

    fn text(
        &self,
        name: &'static str,
        size: u64,
        contents: &mut dyn Read,
    ) -> Result<String, TakeError> {
        let bytes = self.small(name, size, contents)?;
        String::from_utf8(bytes).map_err(|_| TakeError::Damaged { name })
    }

    /// Checks that it is whole, and sound, and not older than what was published.
    fn check(
        &mut self,
        mirror: &Mirror,
        context: &SyncContext<'_>,
        cache: &LockedCache,
        (events, interrupt): (&Events<'_>, &Interrupt),
    ) -> Result<(), TakeError> {
        if let Some(copy) = self.copy.take() {
            copy.finish(events)?;
        }
        self.check_packs(events, interrupt)?;
        self.git.refresh()?;
        let known = self.git.known()?;
        let need = |id: ObjectId, by| match known.contains(id) {
            true => Ok(()),
            false => Err(TakeError::Lacks { id, by }),
        };
        check_map(&self.folder.join(MAP), &known)?;
        for id in self.refs.iter().filter_map(|edit| edit.new) {
            need(id, "a ref")?;
        }
        let (ledger, _) = cache.ledger(mirror.target.as_ref(), context.ledger.clone())?;
        for id in ledger.commits() {
            need(id, "the ledger of what was published")?;
        }
        self.git.update_refs(&self.refs, None)?;
        sync_folder(&self.git.pack_folder()).map_err(failed(&self.folder))?;
        sync_folder(&self.folder).map_err(failed(&self.folder))
    }

    /// All packs are there that the sender's cache was whole with, and each object in them is what its id says.
    fn check_packs(&self, events: &Events<'_>, interrupt: &Interrupt) -> Result<(), TakeError> {
        let listed = fs::read_to_string(self.folder.join("packs"));
        let listed = listed.map_err(|_| TakeError::Damaged { name: "packs" })?;
        let files =
            listed.lines().flat_map(|name| ["pack", "idx"].map(|end| format!("{name}.{end}")));
        if files.collect::<BTreeSet<_>>() != self.packs {
            return Err(TakeError::Damaged { name: "packs" });
        }
        if !self.git.damaged_packs()?.is_empty() {
            return Err(TakeError::Damaged { name: PACKS });
        }
        for pack in self.git.packs(self.limits)? {
            let pack = pack?;
            events.begin(Stage::VerifyingPack, Some(pack.len() as u64));
            let flaw = pack.check(events, interrupt).flaws.into_iter().next();
            interrupt.check().map_err(SyncError::from)?;
            events.end();
            flaw.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

/// Whether this is the name of a file of a pack, as we name them.
fn is_of_pack(file: &str) -> bool {
    let stem = file.strip_suffix(".pack").or_else(|| file.strip_suffix(".idx"));
    let digits = stem.and_then(|stem| stem.strip_prefix("pack-"));
    digits.is_some_and(|digits| hex::decode::<20>(digits.as_bytes()).is_some())
}

/// The refs in the text of lines with an id and a name.
fn refs(text: &str) -> Result<Vec<RefEdit>, TakeError> {
    let edit = |line: &str| {
        let (id, name) = line.split_once(' ')?;
        let is_name = name.starts_with("refs/") && is_valid_ref_name(name);
        let id = ObjectId::from_hex(id.as_bytes()).filter(|_| is_name)?;
        Some(RefEdit { name: name.to_owned(), new: Some(id) })
    };
    let edits: Option<Vec<_>> = text.lines().map(edit).collect();
    edits.ok_or(TakeError::Damaged { name: REFS })
}

/// Checks that there is a map, and that each commit in it is there.
fn check_map(path: &Path, known: &KnownObjects<'_>) -> Result<(), TakeError> {
    let mut file = File::open(path).map_err(|_| TakeError::Damaged { name: MAP })?;
    let mut block = vec![0; RECORD * 1024];
    let mut records = 0_usize;
    loop {
        let mut filled = 0;
        while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest).map_err(failed(path))? {
                0 => break,
                read => filled += read,
            }
        }
        let whole = block.get(..filled).unwrap_or_default();
        if whole.len() % RECORD != 0 {
            return Err(TakeError::Damaged { name: MAP });
        }
        for record in whole.chunks_exact(RECORD) {
            let id = record.get(20..).and_then(|id| <[u8; 20]>::try_from(id).ok());
            let id = ObjectId::from_bytes(id.unwrap_or_default());
            if !known.contains(id) {
                return Err(TakeError::Lacks { id, by: "its map" });
            }
            records += 1;
        }
        if whole.len() < block.len() {
            break;
        }
    }
    if records > 0 { Ok(()) } else { Err(TakeError::Damaged { name: MAP }) }
}

/// Writes a file that is not there yet, durably.
fn write(path: &Path, size: u64, contents: &mut dyn Read) -> Result<(), TakeError> {
    durable::step(Step::Write(path)).map_err(failed(path))?;
    let mut file = File::create_new(path).map_err(failed(path))?;
    let (mut block, mut left) = (vec![0; BLOCK], size);
    while left > 0 {
        let read = match contents.read(&mut block) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read,
        };
        let read = read.map_err(|source| StreamError::Read { source })?;
        let block = block.get(..read).unwrap_or_default();
        file.write_all(block).map_err(failed(path))?;
        left = left.saturating_sub(read as u64);
    }
    durable::flush(&file, path).map_err(failed(path))
}

/// Moves all of it to where it belongs, the map last: without that, nothing else counts.
fn put_in_place(cache: &LockedCache, files: &BTreeSet<&'static str>) -> Result<(), TakeError> {
    cache.discard(true)?;
    let (from, to) = (cache.arriving(), cache.folder().to_owned());
    let all = ["hg", "git"].into_iter().chain(files.iter().copied().filter(|name| *name != MAP));
    for name in all.chain([MAP]) {
        let (from, to) = (from.join(name), to.join(name));
        if name == MAP {
            sync_folder(cache.folder()).map_err(failed(cache.folder()))?;
        }
        if from.exists() {
            durable::rename(&from, &to).map_err(failed(&to))?;
        }
    }
    sync_folder(&to).map_err(failed(&to))?;
    durable::remove_all(&from).map_err(failed(&from))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TakeError + '_ {
    |source| TakeError::Write { path: path.to_owned(), source }
}
