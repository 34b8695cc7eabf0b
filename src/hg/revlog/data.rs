//! The files of a revlog. Positioned reads: a live store may be cut short under a memory map.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::error::{IndexProblem, RevlogError};
use super::index::Index;
use crate::base::{Limits, ReadAt};

/// An index of so many bytes is read when it is opened, and of a larger one what is asked for.
const SMALL_INDEX: u64 = 256 << 10;

/// The index in a file, `None` if there is none.
pub(super) fn read_index(
    name: &str,
    path: &Path,
    limits: &Limits,
) -> Result<Option<Index>, RevlogError> {
    let io = |source| RevlogError::Io { path: path.to_owned(), source };
    let file = match open_file(path) {
        Ok(file) => file,
        Err(RevlogError::Io { source, .. }) if is_missing(&source) => return Ok(None),
        Err(error) => return Err(error),
    };
    let (size, limit) = (file.metadata().map_err(io)?.len(), limits.index_bytes);
    if size > limit {
        let problem = IndexProblem::TooLarge { what: "the size of the index", size, limit };
        return Err(RevlogError::Index { file: name.to_owned(), problem });
    }
    // The file may grow while we read; what was there when we looked is enough.
    let file = match usize::try_from(size) {
        Ok(bytes) if size > SMALL_INDEX => {
            let shared = file.try_clone().map_err(io)?;
            if let Some(index) = Index::in_file(ReadAt::File(shared), bytes) {
                return Ok(Some(index));
            }
            file
        }
        _ => file,
    };
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(size).read_to_end(&mut bytes).map_err(io)?;
    Index::parse(name, bytes).map(Some)
}

/// Opens a file for reading. A pipe or a device is an error and not waited for.
fn open_file(path: &Path) -> Result<File, RevlogError> {
    let io = |source| RevlogError::Io { path: path.to_owned(), source };
    match std::fs::metadata(path).map_err(io)?.is_file() {
        true => File::open(path).map_err(io),
        false => Err(RevlogError::NotAFile { path: path.to_owned() }),
    }
}

/// Whether nothing can be at a path: a name in a manifest may be one that no file has.
fn is_missing(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidFilename, NotADirectory, NotFound};
    matches!(error.kind(), NotFound | NotADirectory | InvalidFilename)
}

/// The data file of a revlog that is not inline.
#[derive(Debug)]
pub(super) struct DataFile {
    path: PathBuf,
    bytes: ReadAt,
    size: u64,
}

/// Reads go to the file in blocks of at least this size: chunks are small and neighbours.
const BLOCK: u64 = 128 << 10;

/// The part of a data file that was read last.
#[derive(Debug, Default)]
pub(super) struct Window {
    start: u64,
    bytes: Vec<u8>,
}

impl DataFile {
    pub(super) fn open(path: &Path) -> Result<Self, RevlogError> {
        let io = |source| RevlogError::Io { path: path.to_owned(), source };
        let bytes = ReadAt::File(open_file(path)?);
        let size = bytes.size().map_err(io)?;
        Ok(Self { path: path.to_owned(), bytes, size })
    }

    /// A data file that is in memory.
    pub(super) fn in_memory(bytes: Vec<u8>) -> Self {
        let size = bytes.len() as u64;
        Self { path: PathBuf::new(), bytes: ReadAt::Memory(bytes), size }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// `length` bytes at `offset`, one after the other; `None` if they are not all in the file.
    pub(super) fn stream(&self, offset: u64, length: u32) -> Option<impl Read + '_> {
        let end = offset.checked_add(u64::from(length)).filter(|end| *end <= self.size)?;
        Some(Range { bytes: &self.bytes, at: offset, end })
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `length` bytes at `offset`, by way of `window`; `None` if they are not all in the file, or not
    /// any more: whoever strips a repository cuts its files.
    pub(super) fn read<'w>(
        &self,
        window: &'w mut Window,
        offset: u64,
        length: u32,
    ) -> Result<Option<&'w [u8]>, RevlogError> {
        let Some(end) = offset.checked_add(u64::from(length)).filter(|end| *end <= self.size)
        else {
            return Ok(None);
        };
        let held = window.start..=window.start + window.bytes.len() as u64;
        if !held.contains(&offset) || !held.contains(&end) {
            let stop = end.max(offset.saturating_add(BLOCK)).min(self.size);
            match window.fill(&self.bytes, offset, stop) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(source) => return Err(RevlogError::Io { path: self.path.clone(), source }),
            }
        }
        let from = usize::try_from(offset - window.start).unwrap_or(usize::MAX);
        Ok(window.bytes.get(from..).and_then(|rest| rest.get(..length as usize)))
    }
}

/// Bytes of a file that are read one after the other.
struct Range<'d> {
    bytes: &'d ReadAt,
    at: u64,
    end: u64,
}

impl Read for Range<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.end - self.at).unwrap_or(usize::MAX);
        let length = room.len().min(left);
        let room = room.get_mut(..length).unwrap_or_default();
        self.bytes.read_exact_at(room, self.at)?;
        self.at += length as u64;
        Ok(length)
    }
}

impl Window {
    fn fill(&mut self, bytes: &ReadAt, start: u64, stop: u64) -> io::Result<()> {
        let size = usize::try_from(stop - start).map_err(|_| io::ErrorKind::OutOfMemory)?;
        self.bytes.clear();
        self.bytes.resize(size, 0);
        self.start = start;
        bytes.read_exact_at(&mut self.bytes, start).inspect_err(|_| self.bytes.clear())
    }
}
