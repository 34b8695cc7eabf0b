//! How a cache goes from one machine to another: the files that it consists of, one after the other, as one stream.
//!
//! ```text
//! "synchroniser cache 1\n"
//! how many files there are, and how many bytes they have together: 64 bits each, big-endian
//! for each file: the length of its name (16 bits, not 0), the name, its size (64 bits), its contents
//! 0 (16 bits), and 32 bytes that whoever has the secret makes of the SHA-256 of all that came before
//! ```

use std::io::{self, Read, Write};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::base::faults;

/// What a stream begins with.
const MAGIC: &[u8; 21] = b"synchroniser cache 1\n";
/// The longest name of a file. Names in stores of Mercurial have a little more than the paths of files.
const LONGEST_NAME: usize = 8 << 10;
/// What is moved at a time.
const BLOCK: usize = 128 << 10;

/// What proves that whoever has made a stream knows a secret: made of the hash of all that is in it.
pub type Seal = Box<dyn Fn(&[u8; 32]) -> [u8; 32] + Send + Sync>;

/// What a stream brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Announced {
    /// How many files.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// Why a stream cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It broke off, or nothing came for too long.
    #[error("read the cache that another daemon sends")]
    Read {
        /// What happened.
        #[source]
        source: io::Error,
    },
    /// It is something else, or of a later version.
    #[error("read the cache that another daemon sends: it is none that this version knows")]
    Unknown,
    /// A name has no bytes, or too many.
    #[error("read the cache that another daemon sends: the name of a file has {length} bytes")]
    Name {
        /// How many it has.
        length: usize,
    },
    /// There is more or less in it than it said at first.
    #[error("read the cache that another daemon sends: it is not as large as it says")]
    Size,
    /// It was made by somebody who does not know the secret, or was changed on its way.
    #[error(
        "read the cache that another daemon sends: it was not made with our secret, or has changed on its way"
    )]
    Seal,
}

faults!(StreamError {
    Self::Read { source } if source.kind() == io::ErrorKind::UnexpectedEof => Unavailable.at(Here),
    Self::Read { source } => io(source).at(Here),
    Self::Unknown => Unsupported.at(Here),
    Self::Name { .. } | Self::Size => Corrupt.at(Here),
    Self::Seal => Auth.at(Here).hint("all daemons of one queue need the same secret in `[nodes]`"),
});

/// Writes a stream.
pub(super) struct Encoder<'o> {
    out: &'o mut dyn Write,
    hash: Sha256,
    block: Vec<u8>,
}

impl<'o> Encoder<'o> {
    /// Begins one that brings what is `announced`.
    pub(super) fn begin(out: &'o mut dyn Write, announced: Announced) -> io::Result<Self> {
        let mut encoder = Self { out, hash: Sha256::new(), block: vec![0; BLOCK] };
        encoder.write(MAGIC)?;
        encoder.write(&announced.files.to_be_bytes())?;
        encoder.write(&announced.bytes.to_be_bytes())?;
        Ok(encoder)
    }

    /// Writes a file; an error if `contents` has less than `size` bytes.
    pub(super) fn file(
        &mut self,
        name: &[u8],
        size: u64,
        contents: &mut dyn Read,
    ) -> io::Result<()> {
        let length = u16::try_from(name.len()).ok().filter(|length| *length > 0);
        let length = length.ok_or(io::ErrorKind::InvalidInput)?;
        self.write(&length.to_be_bytes())?;
        self.write(name)?;
        self.write(&size.to_be_bytes())?;
        let mut left = size;
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(BLOCK).min(BLOCK);
            let mut block = std::mem::take(&mut self.block);
            let read = block.get_mut(..most).map_or(Ok(0), |block| contents.read(block));
            let written = match read {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => self.write(block.get(..read).unwrap_or_default()).map(|()| read),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
                Err(error) => Err(error),
            };
            self.block = block;
            left = left.saturating_sub(written? as u64);
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn finish(mut self, seal: &Seal) -> io::Result<()> {
        self.write(&[0; 2])?;
        let hash: [u8; 32] = self.hash.finalize().into();
        self.out.write_all(&seal(&hash))?;
        self.out.flush()
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.out.write_all(bytes)
    }
}

/// Reads a stream: each file is to be read before the next one. It holds no more of it than a name.
pub struct Decoder<R> {
    input: R,
    hash: Sha256,
    announced: Announced,
    /// What has not been named yet.
    left: Announced,
    /// What is left of the file that was named last.
    contents: u64,
}

impl<R: Read> Decoder<R> {
    /// Reads what is announced.
    pub fn begin(input: R) -> Result<Self, StreamError> {
        let nothing = Announced::default();
        let (hash, announced, left, contents) = (Sha256::new(), nothing, nothing, 0);
        let mut decoder = Self { input, hash, announced, left, contents };
        if decoder.bytes::<21>()? != *MAGIC {
            return Err(StreamError::Unknown);
        }
        let files = u64::from_be_bytes(decoder.bytes()?);
        let bytes = u64::from_be_bytes(decoder.bytes()?);
        decoder.announced = Announced { files, bytes };
        decoder.left = decoder.announced;
        Ok(decoder)
    }

    /// What it said that it brings. There will not be more.
    pub fn announced(&self) -> Announced {
        self.announced
    }

    /// The name and the size of the next file; `None` at the end.
    pub fn next_file(&mut self) -> Result<Option<(Vec<u8>, u64)>, StreamError> {
        if self.contents > 0 {
            return Err(StreamError::Size);
        }
        let length = usize::from(u16::from_be_bytes(self.bytes()?));
        if length == 0 {
            return Ok(None);
        }
        if length > LONGEST_NAME {
            return Err(StreamError::Name { length });
        }
        let mut name = vec![0; length];
        self.input.read_exact(&mut name).map_err(|source| StreamError::Read { source })?;
        self.hash.update(&name);
        let size = u64::from_be_bytes(self.bytes()?);
        let files = self.left.files.checked_sub(1).ok_or(StreamError::Size)?;
        let bytes = self.left.bytes.checked_sub(size).ok_or(StreamError::Size)?;
        self.left = Announced { files, bytes };
        self.contents = size;
        Ok(Some((name, size)))
    }

    /// The contents of the file that was named last.
    pub fn contents(&mut self) -> Contents<'_, R> {
        Contents(self)
    }

    /// After the last file: an error unless all of it was made by somebody who makes the same `seal`.
    pub fn finish(mut self, seal: &Seal) -> Result<(), StreamError> {
        if self.contents > 0 || self.left != Announced::default() {
            return Err(StreamError::Size);
        }
        let hash: [u8; 32] = self.hash.finalize_reset().into();
        let is_same: bool = self.bytes::<32>()?.ct_eq(&seal(&hash)).into();
        if is_same { Ok(()) } else { Err(StreamError::Seal) }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StreamError> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes).map_err(|source| StreamError::Read { source })?;
        self.hash.update(bytes);
        Ok(bytes)
    }
}

/// The contents of one file.
pub struct Contents<'d, R>(&'d mut Decoder<R>);

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Self(Decoder { input, hash, contents, .. }) = self;
        let most = usize::try_from(*contents).unwrap_or(usize::MAX).min(bytes.len());
        let Some(bytes) = bytes.get_mut(..most).filter(|bytes| !bytes.is_empty()) else {
            return Ok(0);
        };
        let read = input.read(bytes)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(bytes.get(..read).unwrap_or_default());
        *contents = contents.saturating_sub(read as u64);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault as _};

    fn seal(key: u8) -> Seal {
        Box::new(move |hash| hash.map(|byte| byte ^ key))
    }

    fn stream() -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out, Announced { files: 3, bytes: 11 }).unwrap();
        for (name, contents) in [("map", "ten bytes."), ("empty", ""), ("hg/store/data/A.i", "x")] {
            let size = contents.len() as u64;
            encoder.file(name.as_bytes(), size, &mut contents.as_bytes()).unwrap();
        }
        encoder.finish(&seal(7)).unwrap();
        out
    }

    /// Names of files, and what is in them.
    type Files = Vec<(Vec<u8>, Vec<u8>)>;

    /// What is in a stream, if all of it is sound.
    fn read(stream: &[u8]) -> Result<Files, StreamError> {
        let mut decoder = Decoder::begin(stream)?;
        let mut all = Vec::new();
        while let Some((name, _)) = decoder.next_file()? {
            let mut contents = Vec::new();
            let read = decoder.contents().read_to_end(&mut contents);
            read.map_err(|source| StreamError::Read { source })?;
            all.push((name, contents));
        }
        decoder.finish(&seal(7)).map(|()| all)
    }

    #[test]
    fn what_was_written_is_read() {
        let all = read(&stream()).unwrap();
        let names: Vec<_> = all.iter().map(|(name, contents)| (&**name, &**contents)).collect();
        let expected: [(&[u8], &[u8]); 3] =
            [(b"map", b"ten bytes."), (b"empty", b""), (b"hg/store/data/A.i", b"x")];
        assert_eq!(names, expected);
    }

    #[test]
    fn no_part_of_a_stream_and_none_that_was_changed_counts() {
        let whole = stream();
        for end in 0..whole.len() {
            let error = read(&whole[..end]).unwrap_err();
            assert_eq!(error.fault(), Fault::Unavailable, "{end}: {error}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(read(&changed).is_err(), "{at}");
        }
    }

    #[test]
    fn more_or_less_than_was_announced_is_refused() {
        let whole = stream();
        for (at, value) in [(28, 2), (28, 4), (36, 10), (36, 12)] {
            let mut changed = whole.clone();
            assert_eq!(changed[at], if at == 28 { 3 } else { 11 });
            changed[at] = value;
            assert!(matches!(read(&changed), Err(StreamError::Size)), "{at} {value}");
        }
        let mut endless = whole[..37].to_vec();
        endless.extend([0xff, 0xff]);
        assert!(matches!(read(&endless), Err(StreamError::Name { length: 0xffff })));
        // A file that was not read is not passed over.
        let mut decoder = Decoder::begin(&*whole).unwrap();
        decoder.next_file().unwrap();
        assert!(matches!(decoder.next_file(), Err(StreamError::Size)));
    }

    #[test]
    fn a_file_that_has_become_shorter_ends_the_stream() {
        let mut out = Vec::new();
        let mut encoder = Encoder::begin(&mut out, Announced { files: 1, bytes: 9 }).unwrap();
        let error = encoder.file(b"map", 9, &mut &b"eight..."[..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
