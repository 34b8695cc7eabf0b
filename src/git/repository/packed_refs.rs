//! The file `packed-refs`: its text, and replacing it under its lock.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bstr::{BStr, BString, ByteSlice as _};
use git2::{ObjectType, Oid};

use super::lock::Lock;
use super::refs::UpdateRefsError;
use crate::base::durable::{self, Step, sync_folder};
use crate::git::ObjectId;
use crate::git::reference::is_valid_ref_name;

/// A reference as `packed-refs` holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    id: ObjectId,
    /// What an annotated tag finally names.
    peeled: Option<ObjectId>,
}

/// All packed references, in the order that the file has.
type Entries = BTreeMap<BString, Packed>;

/// The first line of the file: the order holds, and every annotated tag has its target with it.
const HEADER: &str = "# pack-refs with: peeled fully-peeled sorted \n";

/// The packed references of a repository, locked against every other Git program until they are
/// replaced or this is dropped.
pub(in crate::git) struct PackedRefs<'a> {
    repository: &'a git2::Repository,
    folder: &'a Path,
    _lock: Lock,
    before: Entries,
    after: Entries,
}

impl<'a> PackedRefs<'a> {
    /// Locks and reads the packed references of `repository`.
    pub(in crate::git) fn lock(repository: &'a git2::Repository) -> Result<Self, UpdateRefsError> {
        let folder = repository.commondir();
        let lock = Lock::take(folder, "packed-refs")?;
        let (before, after) = (Entries::new(), Entries::new());
        let mut packed = Self { repository, folder, _lock: lock, before, after };
        packed.before = packed.read()?;
        packed.after = packed.before.clone();
        Ok(packed)
    }

    /// Reads the file; nothing if it does not exist.
    fn read(&self) -> Result<Entries, UpdateRefsError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(|source| io_error(&path, source))?,
        };
        let (mut entries, fully_peeled) =
            parse(&text).map_err(|line| UpdateRefsError::Damaged { path, line })?;
        if !fully_peeled {
            for entry in entries.values_mut().filter(|entry| entry.peeled.is_none()) {
                entry.peeled = self.peel(entry.id.into()).ok();
            }
        }
        Ok(entries)
    }

    /// Whether a reference of that name is packed.
    pub(in crate::git) fn has(&self, name: &str) -> bool {
        self.after.contains_key(BStr::new(name))
    }

    /// The names of all packed references, after the changes that were made so far.
    pub(super) fn names(&self) -> impl Iterator<Item = &BString> {
        self.after.keys()
    }

    /// Points `name` at `id`, which must be there.
    pub(in crate::git) fn set(&mut self, name: &str, id: ObjectId) -> Result<(), UpdateRefsError> {
        let missing = || UpdateRefsError::NoTarget { name: name.to_owned(), id };
        let odb = self.repository.odb().map_err(|_| missing())?;
        let (_, kind) = odb.read_header(id.into()).map_err(|_| missing())?;
        let peeled = match kind {
            ObjectType::Tag => Some(self.peel(id.into()).map_err(|_| missing())?),
            _ => None,
        };
        self.after.insert(name.into(), Packed { id, peeled });
        Ok(())
    }

    /// Forgets `name`.
    pub(super) fn remove(&mut self, name: &str) {
        self.after.remove(BStr::new(name));
    }

    /// Whether anything has changed since the file was read.
    pub(super) fn has_changed(&self) -> bool {
        self.after != self.before
    }

    /// Replaces the file, durably, and gives the lock back.
    pub(in crate::git) fn commit(self) -> Result<(), UpdateRefsError> {
        if !self.has_changed() {
            return Ok(());
        }
        self.replace().map_err(|source| io_error(&self.path(), source))
    }

    fn replace(&self) -> io::Result<()> {
        // Only who holds the lock writes here, so what a killed run left may be overwritten.
        let new = self.folder.join("packed-refs.synchroniser");
        durable::step(Step::Write(&new))?;
        let mut file = File::create(&new)?;
        file.write_all(&format(&self.after))?;
        durable::flush(&file, &new)?;
        durable::rename(&new, &self.path())?;
        sync_folder(self.folder)
    }

    /// What the annotated tag `id` finally names.
    fn peel(&self, id: Oid) -> Result<ObjectId, git2::Error> {
        let object = self.repository.find_object(id, Some(ObjectType::Tag))?;
        Ok(object.peel(ObjectType::Any)?.id().into())
    }

    fn path(&self) -> PathBuf {
        self.folder.join("packed-refs")
    }
}

/// An error of a file that has to do with references.
pub(super) fn io_error(path: &Path, source: io::Error) -> UpdateRefsError {
    UpdateRefsError::Io { path: path.to_owned(), source }
}

/// Reads the text of `packed-refs`, and whether it has the target of every annotated tag. The
/// error is the number of the line that is wrong.
fn parse(text: &[u8]) -> Result<(Entries, bool), usize> {
    let mut packed = Entries::new();
    let mut last: Option<BString> = None;
    let mut fully_peeled = false;
    for (number, line) in (1_usize..).zip(text.split_inclusive(|&byte| byte == b'\n')) {
        let line = line.strip_suffix(b"\n").ok_or(number)?;
        match line.split_first() {
            Some((b'#', traits)) => fully_peeled |= traits.contains_str(" fully-peeled "),
            Some((b'^', hex)) => {
                let entry = last.as_ref().and_then(|name| packed.get_mut(name)).ok_or(number)?;
                entry.peeled = Some(ObjectId::from_hex(hex).ok_or(number)?);
            }
            _ => {
                let (name, id) = parse_line(line).ok_or(number)?;
                packed.insert(name.clone(), Packed { id, peeled: None });
                last = Some(name);
            }
        }
    }
    Ok((packed, fully_peeled))
}

/// A text read and written again; `None` if it is not one of `packed-refs`.
#[cfg(fuzzing)]
pub(in crate::git) fn reformatted(text: &[u8]) -> Option<Vec<u8>> {
    parse(text).ok().map(|(packed, _)| format(&packed))
}

/// Reads a line `<40 hex> <name>`. The name may be in any encoding.
fn parse_line(line: &[u8]) -> Option<(BString, ObjectId)> {
    let (hex, rest) = line.split_at_checked(40)?;
    let name = rest.strip_prefix(b" ")?;
    let entry = (name.into(), ObjectId::from_hex(hex)?);
    is_valid_ref_name(&name.to_str_lossy()).then_some(entry)
}

/// The text of `packed-refs`.
fn format(packed: &Entries) -> Vec<u8> {
    let mut text = Vec::with_capacity(HEADER.len() + packed.len() * 72);
    text.extend_from_slice(HEADER.as_bytes());
    for (name, Packed { id, peeled }) in packed {
        text.extend_from_slice(id.to_string().as_bytes());
        text.push(b' ');
        text.extend_from_slice(name);
        text.push(b'\n');
        if let Some(peeled) = peeled {
            text.extend_from_slice(format!("^{peeled}\n").as_bytes());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::every_flip;

    const A: &str = "1111111111111111111111111111111111111111";
    const B: &str = "2222222222222222222222222222222222222222";

    #[test]
    fn what_git_writes_comes_back() {
        let text = format!("{HEADER}{A} refs/heads/a\n{B} refs/tags/v1\n^{A}\n");
        let (packed, fully_peeled) = parse(text.as_bytes()).unwrap();
        assert!(fully_peeled);
        assert_eq!(packed.len(), 2);
        assert_eq!(packed[b"refs/tags/v1".as_bstr()].peeled, ObjectId::from_hex(A.as_bytes()));
        assert_eq!(format(&packed), text.as_bytes());
    }

    #[test]
    fn damage_is_found_and_placed() {
        for (text, line) in [
            (format!("{A} refs/heads/a"), 1),
            (format!("{A} refs/heads/a\n^{A}\n^xyz\n"), 3),
            (format!("^{A}\n"), 1),
            (format!("{A} refs/heads/a\n{A}  refs/heads/b\n"), 2),
            (format!("{A} refs/heads/a\n\n"), 2),
            (format!("{A} refs/heads/../x\n"), 1),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|_| ()), Err(line), "{text:?}");
        }
    }

    /// What is read after a flip is written as it was read.
    #[test]
    fn every_flip_reads_or_fails() {
        let text = format!("{HEADER}{A} refs/heads/a\n{B} refs/tags/v1\n^{A}\n");
        let mut read = 0;
        every_flip(text.into_bytes(), |bytes| {
            if let Ok((packed, _)) = parse(bytes) {
                let again = format(&packed);
                assert_eq!(parse(&again).map(|(packed, _)| format(&packed)), Ok(again));
                read += 1;
            }
        });
        assert!(read > 50, "{read}");
    }

    #[test]
    fn every_prefix_reads_or_fails() {
        let text = format!("{HEADER}{A} refs/heads/a\n{B} refs/tags/v1\n^{A}\n");
        for end in 0..text.len() {
            if let Ok((packed, _)) = parse(&text.as_bytes()[..end]) {
                assert!(
                    text.as_bytes().starts_with(&format(&packed)) || packed.is_empty(),
                    "cut at {end}"
                );
            }
        }
    }
}
