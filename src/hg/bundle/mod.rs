//! Bundles: files, and answers of servers, that hold a part of a history.
//!
//! Pure decoding of a stream, in memory that does not grow with it. Two containers are known:
//! `HG10` is one changegroup, `HG20` is a list of parts of any kind, and each may be compressed as a
//! whole. Source: `hg help internals.bundles`, `internals.bundle2` and `internals.changegroups`;
//! where these say less than is written, what `hg bundle` writes.

mod changegroup;
mod error;
mod part;
mod payload;
mod records;
mod source;
mod stream;

use std::io::{Cursor, Read};

use bstr::BString;

use super::Node;
use super::pushkey::parse_keys;
use super::store::obsolete::{Marker, parse_markers};
use crate::base::Limits;
use crate::base::decompress::{self, Format};
use crate::net::percent;
use payload::{Framing, Payload};
use source::Source;

pub use changegroup::{Changegroup, DeltaRevision, Group, Item, Version};
pub use error::{BundleError, Damage, Unsupported};
pub use part::{PartHeader, PartParam};
pub use records::BookmarkList;
pub use stream::{Area, Stream, StreamedFile};

/// What a bundle begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The container.
    pub container: Container,
    /// How all that follows is compressed; `None` if it is not.
    pub compression: Option<Format>,
    /// Parameters of the whole, which only `HG20` has.
    pub params: Vec<(String, Option<String>)>,
}

/// The containers that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `HG10`: a changegroup.
    Hg10,
    /// `HG20`: parts.
    Hg20,
}

/// A bundle that is being read.
pub struct Bundle<'r> {
    header: Header,
    source: Source<'r>,
    limits: Limits,
    state: State,
}

/// Where we are between parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first part.
    Start,
    /// Within a part, or at its end.
    Part(Framing),
    /// Behind the last.
    End,
}

/// A part that is being read.
pub struct Part<'b, 'r> {
    header: PartHeader,
    payload: Payload<'b, 'r>,
    limits: &'b Limits,
}

/// What is in a part.
pub enum Content<'b, 'r> {
    /// A piece of history.
    Changegroup(Changegroup<'b, 'r>),
    /// Phases (as [`super::store::Phase::from_number`] knows them) and their heads.
    PhaseHeads(Vec<(u32, Node)>),
    /// Bookmarks.
    Bookmarks(BookmarkList),
    /// The keys of a namespace.
    ListKeys(Vec<(BString, BString)>),
    /// Obsolescence markers.
    ObsMarkers {
        /// What they say.
        markers: Vec<Marker>,
        /// The same in the form of an obsstore.
        bytes: Vec<u8>,
    },
    /// Changesets and the revision of `.hgtags` that each has.
    TagsFileNodes(Vec<(Node, Node)>),
    /// The files of a store. What is told is not exact.
    Stream {
        /// What must be understood to use them.
        requirements: Vec<String>,
        /// How many there are.
        files: Option<u64>,
        /// How many bytes they have together.
        bytes: Option<u64>,
        /// They themselves.
        stream: Stream<'b, 'r>,
    },
    /// Something that may be passed over.
    Opaque,
}

/// The longest parameters of a whole bundle, in bytes.
const LONGEST_PARAMS: i32 = 1 << 20;

impl<'r> Bundle<'r> {
    /// Begins to read a bundle.
    pub fn open(mut reader: impl Read + 'r, limits: &Limits) -> Result<Self, BundleError> {
        let mut plain = Source::new(Box::new(&mut reader), 0);
        let magic: [u8; 4] = plain.array("magic bytes")?;
        let (header, read, seed) = match &magic {
            b"HG10" => (hg10(&mut plain)?, 6, true),
            b"HG20" => (hg20(&mut plain)?, plain.offset(), false),
            [b'H', b'G', _, _] => {
                let format = magic.escape_ascii().to_string();
                return Err(BundleError::Unsupported(Unsupported::Format(format)));
            }
            _ => return Err(BundleError::Damaged { offset: 0, damage: Damage::NoBundle }),
        };
        drop(plain);
        let reader: Box<dyn Read + 'r> = match header.compression {
            None => Box::new(reader),
            // The two letters that name bzip2 are those that a stream of it begins with.
            Some(Format::Bzip2) if seed => {
                decompress::decompressed(Format::Bzip2, Cursor::new(b"BZ").chain(reader))?
            }
            Some(format) => decompress::decompressed(format, reader)?,
        };
        let source = Source::new(reader, read);
        Ok(Self { header, source, limits: limits.clone(), state: State::Start })
    }

    /// What the bundle begins with.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The next part; what was not read of the one before is passed over. A mandatory part that is
    /// not known, or an error that the other side sends, is an error.
    pub fn next_part(&mut self) -> Result<Option<Part<'_, 'r>>, BundleError> {
        if let State::Part(mut framing) = self.state {
            Payload::new(&mut self.source, &mut framing).skip()?;
        }
        let whole = self.header.container == Container::Hg10;
        let header = match self.state {
            State::End => None,
            State::Part(_) if whole => None,
            State::Start if whole => Some(only_part()),
            State::Start | State::Part(_) => part::read_header(&mut self.source)?,
        };
        let Some(header) = header else {
            self.state = State::End;
            return Ok(None);
        };
        part::check_abort(&header)?;
        part::check_known(&header)?;
        let framing = if whole { Framing::Whole } else { Framing::Chunks { left: 0 } };
        self.state = State::Part(framing);
        let State::Part(framing) = &mut self.state else { return Ok(None) };
        let payload = Payload::new(&mut self.source, framing);
        Ok(Some(Part { header, payload, limits: &self.limits }))
    }

    /// Checks that nothing follows the last part, and with it whatever the compression checks.
    pub fn finish(mut self) -> Result<(), BundleError> {
        while self.next_part()?.is_some() {}
        match self.source.some(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.source.damaged(Damage::Trailing)),
        }
    }
}

impl<'r> Part<'_, 'r> {
    /// What it is.
    pub fn header(&self) -> &PartHeader {
        &self.header
    }

    /// What is in it. A changegroup is read bit by bit, lists are read whole
    /// (`Limits::metadata_bytes`), and what is opaque is not read.
    pub fn content(&mut self) -> Result<Content<'_, 'r>, BundleError> {
        let wrong = |damage| BundleError::Part { part: self.header.kind.clone(), damage };
        let limit = self.limits.metadata_bytes;
        let mut all = || self.payload.all("part", limit);
        Ok(match self.header.kind.as_str() {
            "changegroup" => {
                let version = self.header.param("version").unwrap_or("01");
                let version = Version::parse(version)?;
                let payload = self.payload.reborrow();
                Content::Changegroup(Changegroup::new(payload, version, self.limits))
            }
            "phase-heads" => Content::PhaseHeads(records::phase_heads(&all()?).map_err(wrong)?),
            "bookmarks" => Content::Bookmarks(records::bookmarks(&all()?).map_err(wrong)?),
            "listkeys" => {
                let keys = parse_keys(&all()?);
                let malformed = || wrong(Damage::Malformed { field: "line" });
                Content::ListKeys(keys.ok_or_else(malformed)?)
            }
            "obsmarkers" => {
                let bytes = all()?;
                let markers = parse_markers(&bytes);
                let markers = markers.map_err(|source| wrong(Damage::Markers(source)))?;
                Content::ObsMarkers { markers, bytes }
            }
            "hgtagsfnodes" => {
                Content::TagsFileNodes(records::tags_file_nodes(&all()?).map_err(wrong)?)
            }
            "stream2" => self.stream(stream::Layout::V2)?,
            "stream3-exp" => self.stream(stream::Layout::V3)?,
            _ => Content::Opaque,
        })
    }

    fn stream(&mut self, layout: stream::Layout) -> Result<Content<'_, 'r>, BundleError> {
        let requirements = self.header.param("requirements").and_then(percent::decode_text);
        let requirements = requirements.ok_or_else(|| BundleError::Part {
            part: self.header.kind.clone(),
            damage: Damage::Parameter { key: "requirements" },
        })?;
        let names = requirements.split(',').filter(|name| !name.is_empty());
        Ok(Content::Stream {
            requirements: names.map(str::to_owned).collect(),
            files: self.header.number("filecount"),
            bytes: self.header.number("bytecount"),
            stream: Stream::new(self.payload.reborrow(), layout),
        })
    }

    /// Passes over what was not read; says how many bytes that was.
    pub fn skip(&mut self) -> Result<u64, BundleError> {
        self.payload.skip()
    }
}

/// The compression that two letters name.
fn format(letters: &[u8]) -> Result<Option<Format>, BundleError> {
    match letters {
        b"UN" => Ok(None),
        b"GZ" => Ok(Some(Format::Zlib)),
        b"BZ" => Ok(Some(Format::Bzip2)),
        b"ZS" => Ok(Some(Format::Zstd)),
        other => {
            let other = other.escape_ascii().to_string();
            Err(BundleError::Unsupported(Unsupported::Compression(other)))
        }
    }
}

/// What follows `HG10`.
fn hg10(source: &mut Source<'_>) -> Result<Header, BundleError> {
    let letters: [u8; 2] = source.array("compression")?;
    let compression = format(&letters)?;
    Ok(Header { container: Container::Hg10, compression, params: Vec::new() })
}

/// The part that a bundle of the first kind is.
fn only_part() -> PartHeader {
    let version = PartParam { key: "version".to_owned(), value: "01".into(), is_mandatory: true };
    PartHeader { id: 0, kind: "changegroup".to_owned(), is_mandatory: true, params: vec![version] }
}

/// What follows `HG20`: parameters, with blanks between them.
fn hg20(source: &mut Source<'_>) -> Result<Header, BundleError> {
    let field = "parameters";
    let length = source.number("length of the parameters")?;
    let fits = usize::try_from(length).ok().filter(|_| length <= LONGEST_PARAMS);
    let wrong = || source.damaged(Damage::Length { field, length: length.into() });
    let length = fits.ok_or_else(wrong)?;
    let bytes = source.bytes(field, length)?;
    let malformed = || source.damaged(Damage::Malformed { field });
    let text = std::str::from_utf8(&bytes).map_err(|_| malformed())?;
    let mut header = Header { container: Container::Hg20, compression: None, params: Vec::new() };
    for param in text.split(' ').filter(|param| !param.is_empty()) {
        let (name, value) = match param.split_once('=') {
            Some((name, value)) => (name, Some(percent::decode_text(value).ok_or_else(malformed)?)),
            None => (param, None),
        };
        let name = percent::decode_text(name).ok_or_else(malformed)?;
        match (name.as_str(), name.bytes().next()) {
            ("Compression", _) => {
                header.compression = format(value.as_deref().unwrap_or_default().as_bytes())?;
            }
            (_, Some(first)) if first.is_ascii_lowercase() => {}
            (_, Some(first)) if first.is_ascii_uppercase() => {
                return Err(BundleError::Unsupported(Unsupported::Parameter(name)));
            }
            _ => return Err(malformed()),
        }
        header.params.push((name, value));
    }
    Ok(header)
}
