//! Objects that have a file each: `gitformat-loose(5)` in newer releases of Git, before that only its
//! source says how they are.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::base::decompress::{Format, decompressed};
use crate::base::hex;
use crate::git::{ObjectId, ObjectKind};

/// What is wrong with the file of an object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LooseFlaw {
    /// It does not begin with a kind and a length.
    #[error("it does not begin with a kind and a length")]
    Header,
    /// It is larger than the limit.
    #[error("it has {size} bytes, {limit} are allowed")]
    TooLarge {
        /// How many bytes it says it has.
        size: u64,
        /// `Limits::revision_bytes`.
        limit: usize,
    },
    /// It has another length than it says.
    #[error("it has {found} bytes or more, and says {declared}")]
    Size {
        /// What it says.
        declared: usize,
        /// What comes out.
        found: usize,
    },
}

/// Where the object would be in the folder `objects`.
pub(in crate::git::pack) fn path(objects: &Path, id: &ObjectId) -> PathBuf {
    let text = hex::encode(id.as_bytes());
    let (folder, file) = text.split_at_checked(2).unwrap_or_default();
    objects.join(folder).join(file)
}

/// The longest header: a kind, a space, twenty digits and a NUL.
const MAX_HEADER: usize = 32;

/// The kind of an object (`None` is an annotated tag) and how many bytes it has, at the start of what
/// comes out of its file; also how long that start is.
fn header(bytes: &[u8]) -> Option<(Option<ObjectKind>, u64, usize)> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let text = std::str::from_utf8(bytes.get(..end)?).ok()?;
    let (kind, size) = text.split_once(' ')?;
    let kinds = [ObjectKind::Commit, ObjectKind::Tree, ObjectKind::Blob];
    let kind = match kind {
        "tag" => None,
        kind => Some(kinds.into_iter().find(|known| known.name() == kind)?),
    };
    Some((kind, size.parse().ok()?, end + 1))
}

/// The first bytes that come out of a file.
fn start(stream: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(MAX_HEADER);
    stream.take(MAX_HEADER as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// How many bytes the object in a file has.
pub(in crate::git::pack) fn size(file: File) -> io::Result<Result<u64, LooseFlaw>> {
    let start = start(&mut decompressed(Format::Zlib, file)?)?;
    Ok(header(&start).map(|(_, size, _)| size).ok_or(LooseFlaw::Header))
}

/// The kind of an object, `None` for an annotated tag, and its contents.
type Contents = (Option<ObjectKind>, Vec<u8>);

/// The kind and contents of the object in a file.
pub(in crate::git::pack) fn read(
    file: File,
    limit: usize,
) -> io::Result<Result<Contents, LooseFlaw>> {
    let mut stream = decompressed(Format::Zlib, file)?;
    let start = start(&mut stream)?;
    let Some((kind, size, end)) = header(&start) else { return Ok(Err(LooseFlaw::Header)) };
    let Some(declared) = usize::try_from(size).ok().filter(|size| *size <= limit) else {
        return Ok(Err(LooseFlaw::TooLarge { size, limit }));
    };
    let mut contents = start.get(end..).unwrap_or_default().to_vec();
    stream
        .take((declared as u64 + 1).saturating_sub(contents.len() as u64))
        .read_to_end(&mut contents)?;
    match contents.len() == declared {
        true => Ok(Ok((kind, contents))),
        false => Ok(Err(LooseFlaw::Size { declared, found: contents.len() })),
    }
}
