//! Sends a cache. It is locked meanwhile, so that all of it is of one moment.

use std::fs::{File, Metadata};
use std::io::{self, Cursor, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::format::{Announced, Encoder, Seal};
use super::{COPY, MAP, PACKS, REFS, REQUIRES, SMALL, STORE};
use crate::base::faults;
use crate::git::BareRepository;
use crate::git::repository::RepositoryError;
use crate::hg::pull::{Copy, PullError};
use crate::mirror::cache::LockedCache;
use crate::mirror::{Mirror, SyncError};

/// Why a cache is not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is none, or half of one.
    #[error("send the cache {}: it is not whole", path.display())]
    NotWhole {
        /// The cache.
        path: PathBuf,
    },
    /// It cannot be locked.
    #[error(transparent)]
    Cache(#[from] SyncError),
    /// The copy of the source cannot be read.
    #[error(transparent)]
    Copy(#[from] PullError),
    /// The repository cannot be read.
    #[error(transparent)]
    Git(#[from] RepositoryError),
    /// A file cannot be read, or whoever takes it is gone.
    #[error("send {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

faults!(SendError {
    Self::NotWhole { .. } => Unavailable.at(Here),
    Self::Cache(error) => of(error),
    Self::Copy(error) => of(error).at(Here),
    Self::Git(error) => of(error).at(Here),
    Self::Io { source, .. } => io(source).at(Here),
});

/// What a part consists of.
enum Contents {
    File(PathBuf),
    Bytes(Vec<u8>),
}

/// One file of the stream.
struct Part {
    name: Vec<u8>,
    contents: Contents,
    size: u64,
}

/// A cache that is about to be sent. Until it is dropped, nobody else works in it.
pub struct Outgoing {
    folder: PathBuf,
    parts: Vec<Part>,
    cache: LockedCache,
}

impl Outgoing {
    /// Locks the cache of `mirror`, and looks at what is in it.
    pub fn open(mirror: &Mirror) -> Result<Self, SendError> {
        let folder = mirror.cache.layout().folder().to_owned();
        let not_whole = || SendError::NotWhole { path: folder.clone() };
        // To lock it would make its folder.
        if !mirror.cache.layout().map().is_file() {
            return Err(not_whole());
        }
        let cache = LockedCache::lock(&mirror.cache, &mirror.options.naming.main_name())?;
        if cache.is_cold() || cache.rebuilding()?.is_some() {
            return Err(not_whole());
        }
        let mut outgoing = Self { folder: folder.clone(), parts: Vec::new(), cache };
        outgoing.add_copy(mirror)?;
        outgoing.add_git().and_then(|whole| if whole { Ok(()) } else { Err(not_whole()) })?;
        for name in SMALL.into_iter().chain([MAP]) {
            let path = folder.join(name);
            if path.is_file() {
                outgoing.add_file(name.as_bytes().to_vec(), path)?;
            }
        }
        Ok(outgoing)
    }

    fn add_copy(&mut self, mirror: &Mirror) -> Result<(), SendError> {
        let copy = Copy::at(&mirror.cache.layout().copy(), &mirror.options.limits);
        if mirror.source.in_place().is_some() || !copy.exists() {
            return Ok(());
        }
        let requirements = copy.requirements()?.join("\n");
        self.add_bytes(REQUIRES, requirements.into_bytes());
        for file in copy.store_files()? {
            self.add_file([STORE.as_bytes(), &file.name].concat(), file.path)?;
        }
        for (name, contents) in copy.small_files()? {
            self.add_bytes(&format!("{COPY}{name}"), contents);
        }
        Ok(())
    }

    /// Says whether all packs are there that the last run left.
    fn add_git(&mut self) -> Result<bool, SendError> {
        let git = BareRepository::open(self.cache.git())?;
        let names = git.pack_names()?;
        let mut recorded = self.cache.recorded_packs().unwrap_or_default();
        recorded.sort_unstable();
        if recorded != names {
            return Ok(false);
        }
        let folder = git.pack_folder();
        for file in names.iter().flat_map(|name| [format!("{name}.pack"), format!("{name}.idx")]) {
            self.add_file(format!("{PACKS}{file}").into_bytes(), folder.join(file))?;
        }
        let refs = git.references_below(&["refs/"])?;
        let lines = refs.iter().map(|reference| format!("{} {}\n", reference.id, reference.name));
        self.add_bytes(REFS, lines.collect::<String>().into_bytes());
        Ok(true)
    }

    fn add_bytes(&mut self, name: &str, contents: Vec<u8>) {
        let size = contents.len() as u64;
        let (name, contents) = (name.as_bytes().to_vec(), Contents::Bytes(contents));
        self.parts.push(Part { name, contents, size });
    }

    fn add_file(&mut self, name: Vec<u8>, path: PathBuf) -> Result<(), SendError> {
        let (_, metadata) = open(&path)?;
        self.parts.push(Part { name, size: metadata.len(), contents: Contents::File(path) });
        Ok(())
    }

    /// What it is called on the disk.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is sent.
    pub fn announced(&self) -> Announced {
        let bytes = self.parts.iter().map(|part| part.size).sum();
        Announced { files: self.parts.len() as u64, bytes }
    }

    /// Sends it, until `out` says that it is enough.
    pub fn send(self, out: &mut dyn Write, seal: &Seal) -> Result<(), SendError> {
        let failed = |path: &Path, source| SendError::Io { path: path.to_owned(), source };
        let announced = self.announced();
        let of_folder = |source| failed(&self.folder, source);
        let mut encoder = Encoder::begin(out, announced).map_err(of_folder)?;
        for Part { name, contents, size } in &self.parts {
            let (path, mut contents): (&Path, Box<dyn Read>) = match contents {
                Contents::File(path) => (path, Box::new(open(path)?.0)),
                Contents::Bytes(bytes) => (&self.folder, Box::new(Cursor::new(bytes))),
            };
            encoder.file(name, *size, &mut *contents).map_err(|source| failed(path, source))?;
        }
        encoder.finish(seal).map_err(of_folder)
    }
}

/// Opens a file of the cache, which is no link to somewhere else.
fn open(path: &Path) -> Result<(File, Metadata), SendError> {
    let failed = |source| SendError::Io { path: path.to_owned(), source };
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| failed(error.into()))?);
    let metadata = file.metadata().map_err(failed)?;
    match metadata.is_file() {
        true => Ok((file, metadata)),
        false => Err(failed(io::ErrorKind::InvalidInput.into())),
    }
}
