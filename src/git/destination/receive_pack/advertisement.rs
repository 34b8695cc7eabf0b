//! What a server has and can, which it says before anything is asked.

use super::Broken;
use super::pkt_line::{Packet, Packets};
use crate::git::reference::is_valid_ref_name;
use crate::git::{ObjectId, Reference};

/// The longest list that is read, in bytes: two million refs.
const LONGEST: u64 = 256 << 20;

/// What a server says about each ref.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::git) enum Reporting {
    /// Nothing.
    #[default]
    Never,
    /// `report-status`: whether it moved.
    Status,
    /// `report-status-v2`: also what else the server made of it.
    Detailed,
}

/// Whether a server's ids are the ones that we know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::git) enum ObjectFormat {
    /// It does not say, so they are SHA-1.
    #[default]
    Unsaid,
    /// SHA-1.
    Sha1,
    /// Others.
    Other,
}

/// What a server can, as far as that matters to us.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "that is what capabilities are")]
pub(in crate::git) struct Capabilities {
    pub(in crate::git) reporting: Reporting,
    /// `side-band-64k`: it speaks to people while it works.
    pub(in crate::git) side_band: bool,
    /// All refs of a push move, or none.
    pub(in crate::git) atomic: bool,
    /// Deltas may name their bases by where they are.
    pub(in crate::git) ofs_delta: bool,
    /// It does not say how far it is if it is asked not to.
    pub(in crate::git) quiet: bool,
    /// Refs may be removed.
    pub(in crate::git) delete_refs: bool,
    /// Deltas against objects that are not sent are not understood.
    pub(in crate::git) no_thin: bool,
    /// It wants to know who we are.
    pub(in crate::git) agent: bool,
    pub(in crate::git) object_format: ObjectFormat,
}

impl Capabilities {
    fn parse(text: &[u8]) -> Self {
        let mut found = Self::default();
        for word in text.split(u8::is_ascii_whitespace) {
            match word {
                b"report-status-v2" => found.reporting = Reporting::Detailed,
                b"report-status" if found.reporting == Reporting::Never => {
                    found.reporting = Reporting::Status;
                }
                b"side-band-64k" => found.side_band = true,
                b"atomic" => found.atomic = true,
                b"ofs-delta" => found.ofs_delta = true,
                b"quiet" => found.quiet = true,
                b"delete-refs" => found.delete_refs = true,
                b"no-thin" => found.no_thin = true,
                // A server may name several formats, the one that it prefers first.
                b"object-format=sha1" => found.object_format = ObjectFormat::Sha1,
                word if word.starts_with(b"object-format=") => {
                    if found.object_format == ObjectFormat::Unsaid {
                        found.object_format = ObjectFormat::Other;
                    }
                }
                word => found.agent |= word.starts_with(b"agent="),
            }
        }
        found
    }
}

/// What a server says before anything is asked: read as it comes.
#[derive(Debug, Default)]
pub(in crate::git) struct Advertisement {
    packets: Packets,
    bytes: u64,
    state: State,
    /// The refs whose names are ones for Git, in the server's order.
    pub(in crate::git) refs: Vec<Reference>,
    /// Every object that the server says it has, whatever it is called there; with those of
    /// repositories that it borrows from (`.have`).
    pub(in crate::git) has: Vec<ObjectId>,
    pub(in crate::git) capabilities: Capabilities,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing has come.
    #[default]
    Start,
    /// The line by which web servers begin has come, but not the end of its list.
    Service,
    /// The first ref, behind which the capabilities are, has not come.
    First,
    /// The list has begun.
    List,
    /// The list is complete.
    End,
}

impl Advertisement {
    /// Reads on.
    pub(in crate::git) fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        if self.bytes > LONGEST {
            return Err(Broken("its list of refs has no end"));
        }
        let mut packets = std::mem::take(&mut self.packets);
        let result = packets.feed(bytes, |packet| self.take(packet));
        self.packets = packets;
        result
    }

    /// Whether all of it has come.
    pub(in crate::git) fn is_complete(&self) -> bool {
        self.state == State::End && self.packets.is_between()
    }

    fn take(&mut self, packet: Packet<'_>) -> Result<(), Broken> {
        self.state = match (self.state, packet) {
            (State::Start, Packet::Line(line)) if line.starts_with(b"# service=") => State::Service,
            (State::Service, Packet::Flush) => State::First,
            (State::Service, Packet::Line(_)) => {
                return Err(Broken("there is a line where its list of refs should begin"));
            }
            (State::Start | State::First, Packet::Line(b"version 1" | b"version 1\n")) => {
                State::First
            }
            (_, Packet::Line(line)) if line.starts_with(b"ERR ") => self.state,
            (State::Start | State::First, Packet::Line(line)) => {
                let mut parts = line.splitn(2, |&byte| byte == 0);
                let line = parts.next().unwrap_or_default();
                self.capabilities = Capabilities::parse(parts.next().unwrap_or_default());
                self.line(line)?;
                State::List
            }
            (State::List, Packet::Line(line)) => {
                self.line(line)?;
                State::List
            }
            (State::Start | State::First | State::List, Packet::Flush) => State::End,
            (State::End, _) => return Err(Broken("it goes on after the end of its list of refs")),
        };
        Ok(())
    }

    /// Reads `ID NAME`.
    fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        if self.capabilities.object_format == ObjectFormat::Other || line.starts_with(b"shallow ") {
            return Ok(());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (id, name) =
            line.split_at_checked(40).ok_or(Broken("its list has a line too short"))?;
        let id = ObjectId::from_hex(id).ok_or(Broken("its list has a line without an id"))?;
        let name = name.strip_prefix(b" ").ok_or(Broken("its list has a line without a name"))?;
        if name == b"capabilities^{}" {
            return Ok(());
        }
        self.has.push(id);
        let Ok(name) = std::str::from_utf8(name) else { return Ok(()) };
        match name.strip_suffix("^{}") {
            // What the tag before this is a tag of.
            Some(name) => {
                if let Some(last) = self.refs.last_mut().filter(|last| last.name == name) {
                    last.peeled = Some(id);
                }
            }
            // `.have` is none.
            None if is_valid_ref_name(name) => self.refs.push(Reference::new(name, id)),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::pkt_line::append;
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn stream(lines: &[&str]) -> Vec<u8> {
        let mut stream = Vec::new();
        for line in lines {
            match *line {
                "" => stream.extend_from_slice(b"0000"),
                line => append(&mut stream, line.as_bytes()).unwrap(),
            }
        }
        stream
    }

    fn read(lines: &[&str]) -> Result<Advertisement, Broken> {
        let mut read = Advertisement::default();
        read.feed(&stream(lines)).map(|()| read)
    }

    fn id(text: &str) -> ObjectId {
        ObjectId::from_hex(text.as_bytes()).unwrap()
    }

    /// As Git 2.47 lists them, over HTTP and otherwise.
    #[test]
    fn lists_that_servers_give() {
        let first = format!(
            "{A} refs/heads/main\0report-status report-status-v2 delete-refs side-band-64k quiet \
             atomic ofs-delta object-format=sha1 agent=git/2.47.3\n"
        );
        let (have, tag) = (format!("{B} .have\n"), format!("{B} refs/tags/v1\n"));
        let peeled = format!("{A} refs/tags/v1^{{}}\n");
        let rest = [&first, &tag, &peeled, &have, ""];
        let plain = read(&rest).unwrap();
        let web = ["# service=git-receive-pack\n", "", &first, &tag, &peeled, &have, ""];
        for found in [plain, read(&web).unwrap()] {
            assert!(found.is_complete());
            let tag = Reference { peeled: Some(id(A)), ..Reference::new("refs/tags/v1", id(B)) };
            assert_eq!(found.refs, [Reference::new("refs/heads/main", id(A)), tag]);
            assert_eq!(found.has, [A, B, A, B].map(id));
            let expected = Capabilities {
                reporting: Reporting::Detailed,
                side_band: true,
                atomic: true,
                ofs_delta: true,
                quiet: true,
                delete_refs: true,
                no_thin: false,
                agent: true,
                object_format: ObjectFormat::Sha1,
            };
            assert_eq!(found.capabilities, expected);
        }
    }

    #[test]
    fn lists_of_nothing() {
        let none = "0".repeat(40);
        let empty =
            format!("{none} capabilities^{{}}\0report-status object-format=sha256 no-thin\n");
        let found = read(&[&empty, ""]).unwrap();
        assert!(found.is_complete() && found.refs.is_empty() && found.has.is_empty());
        assert_eq!(found.capabilities.reporting, Reporting::Status);
        assert_eq!(found.capabilities.object_format, ObjectFormat::Other);
        assert!(found.capabilities.no_thin);
        let none = read(&[""]).unwrap();
        assert!(none.is_complete() && none.capabilities == Capabilities::default());
    }

    #[test]
    fn what_is_no_list() {
        let line = format!("{A} refs/heads/x\n");
        for lines in [
            vec!["hello"],
            vec![&line[1..]],
            vec![&line, "", &line],
            vec!["# service=git-receive-pack\n", &line],
            vec![&line[..40], ""],
        ] {
            assert!(read(&lines).is_err(), "{lines:?}");
        }
        assert!(!read(&[&line]).unwrap().is_complete());
    }

    #[test]
    fn a_list_without_end_is_cut() {
        let mut read = Advertisement::default();
        let piece = stream(&[&format!("{A} refs/heads/x\n")]).repeat(1 << 12);
        let rounds = LONGEST / u64::try_from(piece.len()).unwrap() + 1;
        let mut result = Ok(());
        for _ in 0..rounds {
            read.refs.clear();
            read.has.clear();
            result = read.feed(&piece);
        }
        assert!(result.is_err());
    }

    #[test]
    fn cut_and_flipped_lists_are_errors_or_lists() {
        let first = format!("{A} refs/heads/main\0report-status side-band-64k\n");
        let sound =
            stream(&["# service=git-receive-pack\n", "", &first, &format!("{B} .have"), ""]);
        for at in 0..sound.len() {
            let mut cut = Advertisement::default();
            assert_eq!(cut.feed(&sound[..at]), Ok(()), "{at}");
            assert!(!cut.is_complete(), "{at}");
            assert_eq!(cut.feed(&sound[at..]), Ok(()), "{at}");
            assert!(cut.is_complete(), "{at}");
            for bit in 0..8 {
                let mut bytes = sound.clone();
                bytes[at] ^= 1 << bit;
                let _ = Advertisement::default().feed(&bytes);
            }
        }
    }
}
