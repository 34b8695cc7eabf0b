//! Changegroups: revisions of the changelog, the manifests and the filelogs, each as a delta.

use super::error::{BundleError, Damage, Unsupported};
use super::payload::Payload;
use crate::base::{Limits, Reader, RepoPathBuf, ShortRead};
use crate::hg::Node;
use crate::hg::revlog::{Delta, Flags};

/// The versions of the format that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Deltas are those of the revision before.
    V1,
    /// A delta names its base.
    V2,
    /// Revisions have flags, and manifests may be trees.
    V3,
}

impl Version {
    pub(super) fn parse(text: &str) -> Result<Self, BundleError> {
        match text {
            "01" => Ok(Self::V1),
            "02" => Ok(Self::V2),
            "03" => Ok(Self::V3),
            other => Err(BundleError::Unsupported(Unsupported::Changegroup(other.to_owned()))),
        }
    }

    /// The bytes before each delta.
    fn header_length(self) -> usize {
        match self {
            Self::V1 => 80,
            Self::V2 => 100,
            Self::V3 => 102,
        }
    }
}

/// What the revisions of a group belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// The changelog.
    Changelog,
    /// The manifests; those of the topmost directory, if they are trees.
    Manifests,
    /// The manifests of a directory.
    Directory(RepoPathBuf),
    /// The filelog of a file.
    File(RepoPathBuf),
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaRevision {
    /// Its node.
    pub node: Node,
    /// Its parents, null where there is none.
    pub parents: [Node; 2],
    /// The changeset that introduced it.
    pub link: Node,
    /// What the delta is one of: a revision before it in the group, one that whoever gets the
    /// bundle has, or null for nothing.
    pub base: Node,
    /// How its text relates to the node.
    pub flags: Flags,
    /// What makes its text of the base's.
    pub delta: Delta,
}

/// What comes next in a changegroup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A group begins.
    Group(Group),
    /// A revision of the group that began last.
    Revision(DeltaRevision),
}

/// Where we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Changesets,
    Manifests,
    /// Before the name of a directory, or the end of them.
    Directories,
    Directory,
    /// Before the name of a file, or the end of them.
    Files,
    File,
    End,
}

/// A changegroup, read bit by bit.
pub struct Changegroup<'b, 'r> {
    payload: Payload<'b, 'r>,
    version: Version,
    longest: u64,
    state: State,
    /// The revision before, in the same group.
    previous: Option<Node>,
}

/// No path is longer, in bytes.
const LONGEST_PATH: u64 = 1 << 20;
/// What the header of a delta that holds a whole text adds to it.
const FRAGMENT: usize = 12;

impl<'b, 'r> Changegroup<'b, 'r> {
    pub(super) fn new(payload: Payload<'b, 'r>, version: Version, limits: &Limits) -> Self {
        let longest = limits.revision_bytes.saturating_add(FRAGMENT + version.header_length());
        Self { payload, version, longest: longest as u64, state: State::Start, previous: None }
    }

    /// The version of the format.
    pub fn version(&self) -> Version {
        self.version
    }

    /// What comes next; `None` at the end, behind which there is nothing.
    pub fn next_item(&mut self) -> Result<Option<Item>, BundleError> {
        loop {
            match self.state {
                State::Start => return Ok(Some(self.begin(State::Changesets, Group::Changelog))),
                State::Directories | State::Files => {
                    if let Some(group) = self.named_group()? {
                        return Ok(Some(group));
                    }
                }
                State::End => return Ok(None),
                State::Changesets | State::Manifests | State::Directory | State::File => {
                    if let Some(revision) = self.revision()? {
                        return Ok(Some(Item::Revision(revision)));
                    }
                    if self.state == State::Changesets {
                        return Ok(Some(self.begin(State::Manifests, Group::Manifests)));
                    }
                    self.state = match self.state {
                        // Even where no manifest is a tree, their end is there.
                        State::Manifests if self.version >= Version::V3 => State::Directories,
                        State::Directory => State::Directories,
                        _ => State::Files,
                    };
                }
            }
        }
    }

    fn begin(&mut self, state: State, group: Group) -> Item {
        self.state = state;
        self.previous = None;
        Item::Group(group)
    }

    /// The group of a directory or a file; `None` if there are no more of them here.
    fn named_group(&mut self) -> Result<Option<Item>, BundleError> {
        let are_files = self.state == State::Files;
        let Some(path) = self.chunk("path", LONGEST_PATH)? else {
            self.state = if are_files { State::End } else { State::Files };
            return Ok(None);
        };
        let group = match are_files {
            true => self.begin(State::File, Group::File(path.into())),
            false => self.begin(State::Directory, Group::Directory(path.into())),
        };
        Ok(Some(group))
    }

    /// The next revision of a group; `None` at its end.
    fn revision(&mut self) -> Result<Option<DeltaRevision>, BundleError> {
        let Some(bytes) = self.chunk("revision", self.longest)? else { return Ok(None) };
        let revision = self.parsed(&bytes).map_err(|damage| self.payload.damaged(damage))?;
        self.previous = Some(revision.node);
        Ok(Some(revision))
    }

    fn parsed(&self, bytes: &[u8]) -> Result<DeltaRevision, Damage> {
        let mut reader = Reader::new(bytes);
        let mut node = |field| Ok::<_, ShortRead>(Node::from_bytes(reader.array(field)?));
        let (id, parents) = (node("node")?, [node("first parent")?, node("second parent")?]);
        let base = match self.version {
            Version::V1 => self.previous.unwrap_or(parents[0]),
            _ => node("delta base")?,
        };
        let link = node("linked changeset")?;
        let flags = match self.version {
            Version::V3 => Flags(reader.u16("flags")?),
            _ => Flags::default(),
        };
        let delta = Delta::parse(reader.rest().to_vec())?;
        Ok(DeltaRevision { node: id, parents, link, base, flags, delta })
    }

    /// The next chunk; `None` if it is the empty one.
    fn chunk(&mut self, field: &'static str, limit: u64) -> Result<Option<Vec<u8>>, BundleError> {
        /// How many bytes the length itself has, which it counts.
        const OWN: i64 = 4;
        let length = i64::from(i32::from_be_bytes(self.payload.array("length of a chunk")?));
        if length == 0 {
            return Ok(None);
        }
        let data = u64::try_from(length - OWN).ok().filter(|data| *data > 0);
        let data = data.ok_or_else(|| self.payload.damaged(Damage::Length { field, length }))?;
        let fits = usize::try_from(data).ok().filter(|_| data <= limit);
        let too_large = || self.payload.damaged(Damage::TooLarge { field, length: data, limit });
        let data = fits.ok_or_else(too_large)?;
        self.payload.bytes(field, data).map(Some)
    }
}
