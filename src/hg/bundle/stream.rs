//! The files of a store, one after the other, as a stream clone gets them.
//!
//! Source: `hg help internals.bundle2` for the parts; what is in them is not written down there and
//! was read off what `hg bundle --type 'none-v2;stream=v2'` and `stream=v3-exp` write.

use std::io::{self, Read};

use bstr::BString;

use super::error::{BundleError, Damage};
use super::payload::Payload;
use crate::base::Carried;

/// Which of the two layouts the files have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One file after the other.
    V2,
    /// The number of groups, then each with the number of its files before them.
    V3,
}

/// The folder of a repository that a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// `.hg/store`.
    Store,
    /// `.hg/cache`.
    Cache,
}

/// A file whose contents come next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamedFile {
    /// The folder.
    pub area: Area,
    /// Its name in the folder, before it is encoded.
    pub name: BString,
    /// Its size in bytes.
    pub size: u64,
}

/// The files of a store. [`Read`] gives the contents of the one that came last.
pub struct Stream<'b, 'r> {
    payload: Payload<'b, 'r>,
    layout: Layout,
    /// Groups that have not begun; only where the layout has them and once it was read.
    groups: Option<u64>,
    /// Files of the group that have not begun.
    files: u64,
    /// What was not read of the file that came last.
    left: u64,
}

/// No name is longer, in bytes.
const LONGEST_NAME: u64 = 1 << 20;
/// What is passed over at a time, in bytes.
const BLOCK: usize = 16 << 10;

impl<'b, 'r> Stream<'b, 'r> {
    pub(super) fn new(payload: Payload<'b, 'r>, layout: Layout) -> Self {
        Self { payload, layout, groups: None, files: 0, left: 0 }
    }

    /// The next file; `None` at the end. What was not read of the one before is passed over.
    pub fn next_file(&mut self) -> Result<Option<StreamedFile>, BundleError> {
        self.pass_over()?;
        let first = match self.layout {
            Layout::V2 => self.payload.byte()?,
            Layout::V3 => match self.is_within_group()? {
                true => Some(self.byte("area of a file")?),
                false => None,
            },
        };
        let Some(area) = first else { return Ok(None) };
        let area = match area {
            b's' => Area::Store,
            b'c' => Area::Cache,
            _ => return Err(self.payload.damaged(Damage::Malformed { field: "area of a file" })),
        };
        let length = self.number("length of a file's name")?;
        let size = self.number("size of a file")?;
        let field = "name of a file";
        let fits = usize::try_from(length).ok().filter(|_| length <= LONGEST_NAME);
        let too_large =
            || self.payload.damaged(Damage::TooLarge { field, length, limit: LONGEST_NAME });
        let length = fits.ok_or_else(too_large)?;
        let name = self.payload.bytes(field, length)?.into();
        self.left = size;
        Ok(Some(StreamedFile { area, name, size }))
    }

    /// Whether a further file begins here, where files are in groups.
    fn is_within_group(&mut self) -> Result<bool, BundleError> {
        let mut groups = match self.groups {
            Some(groups) => groups,
            None => self.number("number of groups of files")?,
        };
        while self.files == 0 && groups > 0 {
            groups -= 1;
            self.files = self.number("number of files")?;
        }
        self.groups = Some(groups);
        let is_within = self.files > 0;
        self.files = self.files.saturating_sub(1);
        Ok(is_within)
    }

    fn pass_over(&mut self) -> Result<(), BundleError> {
        let mut block = vec![0; BLOCK];
        while self.left > 0 {
            self.some(&mut block)?;
        }
        Ok(())
    }

    /// Fills a part of `bytes` with what comes next of the file; nothing at its end.
    fn some(&mut self, bytes: &mut [u8]) -> Result<usize, BundleError> {
        let room = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
        let read = self.payload.some(bytes.get_mut(..room).unwrap_or_default())?;
        if read == 0 && room > 0 {
            return Err(self.payload.damaged(Damage::Truncated { field: "file of the store" }));
        }
        self.left = self.left.saturating_sub(read as u64);
        Ok(read)
    }

    fn byte(&mut self, field: &'static str) -> Result<u8, BundleError> {
        let byte = self.payload.byte()?;
        byte.ok_or_else(|| self.payload.damaged(Damage::Truncated { field }))
    }

    /// A number in groups of seven bits, the lowest first; the highest bit of a byte says that more
    /// follow.
    fn number(&mut self, field: &'static str) -> Result<u64, BundleError> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte(field)?;
            let bits = u64::from(byte & 0x7f);
            number |= bits << shift;
            if bits << shift >> shift != bits {
                break;
            }
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(self.payload.damaged(Damage::Malformed { field }))
    }
}

impl Read for Stream<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.some(bytes).map_err(Carried::wrap)
    }
}
