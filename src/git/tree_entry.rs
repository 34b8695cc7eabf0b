//! The entries of a tree object, read one after the other.

use super::ObjectId;

/// One entry of a tree object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeEntry<'t> {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// The mode's octal digits.
    pub mode: &'t [u8],
    /// The name.
    pub name: &'t [u8],
    /// What it is.
    pub id: ObjectId,
    /// How many bytes the entry takes.
    length: usize,
}

impl TreeEntry<'_> {
    /// Whether it is a commit of another repository.
    pub fn is_gitlink(&self) -> bool {
        file_type(self.mode) == Some(0o16)
    }

    /// How many bytes the entry takes.
    #[expect(clippy::len_without_is_empty, reason = "no entry is empty")]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Which of two entries comes first in a tree.
    pub fn cmp_place(&self, other: &TreeEntry<'_>) -> std::cmp::Ordering {
        sort_key(self.name, self.is_directory).cmp(sort_key(other.name, other.is_directory))
    }
}

/// What the first bits of a mode say, whose digits may begin with zeros: some old tools wrote it so.
/// `None` if it is no number.
fn file_type(mode: &[u8]) -> Option<u32> {
    let mode = mode.iter().try_fold(0, |mode, digit| match digit {
        b'0'..=b'7' => Some(mode << 3 | u32::from(digit - b'0')),
        _ => None,
    });
    mode.map(|mode| mode >> 12)
}

/// Parses the entry that `bytes` begins with; `None` if there is none or it is malformed.
pub(super) fn first_entry(bytes: &[u8]) -> Option<TreeEntry<'_>> {
    let space = bytes.iter().take(8).position(|&byte| byte == b' ')?;
    let (mode, rest) = bytes.split_at_checked(space)?;
    let rest = rest.get(1..)?;
    let end = bstr::ByteSlice::find_byte(rest, 0)?;
    let (name, rest) = rest.split_at_checked(end)?;
    let id = ObjectId::from_bytes(*rest.get(1..)?.first_chunk()?);
    let length = space + 1 + end + 1 + 20;
    Some(TreeEntry { is_directory: file_type(mode)? == 0o4, mode, name, id, length })
}

/// The entries of a tree object, in order. Stops at the first malformed one with an error.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<TreeEntry<'_>, MalformedTree>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = first_entry(rest);
        rest = entry.and_then(|entry| rest.get(entry.length..)).unwrap_or_default();
        Some(entry.ok_or(MalformedTree))
    })
}

/// A tree object whose bytes are not entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree is malformed")]
pub struct MalformedTree;

/// Git's order of entries: by name, where a directory's name ends in a slash.
pub(super) fn sort_key(name: &[u8], is_directory: bool) -> impl Iterator<Item = u8> + '_ {
    name.iter().copied().chain(is_directory.then_some(b'/'))
}
