//! pkt-lines: four hexadecimal digits with the length of all, then the rest (gitprotocol-common).

use super::Broken;

/// The longest packet, in bytes, its length included.
const LONGEST: usize = 65520;
/// How long the length is.
const HEAD: usize = 4;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet<'a> {
    /// `0000`: the end of a list.
    Flush,
    /// A line, with its line feed if it has one.
    Line(&'a [u8]),
}

/// Appends a packet with `payload`, which must fit into one.
pub(super) fn append(out: &mut Vec<u8>, payload: &[u8]) -> Result<(), Broken> {
    let length = payload.len() + HEAD;
    if length > LONGEST {
        return Err(Broken("a line is longer than the protocol allows"));
    }
    out.extend_from_slice(format!("{length:04x}").as_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Cuts a stream into packets. Holds no more than one of them.
#[derive(Debug, Default)]
pub(super) struct Packets {
    /// The beginning of a packet whose rest has not come yet.
    held: Vec<u8>,
}

impl Packets {
    /// Gives each packet that is whole now to `each`.
    pub(super) fn feed<E: From<Broken>>(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Packet<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while !bytes.is_empty() {
            if self.held.is_empty() {
                let Some((packet, rest)) = split(bytes)? else {
                    self.held.extend_from_slice(bytes);
                    return Ok(());
                };
                each(packet)?;
                bytes = rest;
                continue;
            }
            let missing = length(&self.held)?.saturating_sub(self.held.len());
            let (more, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
            self.held.extend_from_slice(more);
            bytes = rest;
            if let Some((packet, _)) = split(&self.held)? {
                each(packet)?;
                self.held.clear();
            }
        }
        Ok(())
    }

    /// Whether nothing of an unfinished packet has come.
    pub(super) fn is_between(&self) -> bool {
        self.held.is_empty()
    }
}

/// The first packet, if it is whole, and what follows it.
fn split(bytes: &[u8]) -> Result<Option<(Packet<'_>, &[u8])>, Broken> {
    let Some((packet, rest)) = bytes.split_at_checked(length(bytes)?) else { return Ok(None) };
    Ok(Some(match packet.get(HEAD..) {
        Some(b"") if packet == b"0000" => (Packet::Flush, rest),
        Some(line) => (Packet::Line(line), rest),
        None => return Ok(None),
    }))
}

/// How many bytes the packet has at whose beginning `bytes` are, as far as that is known.
fn length(bytes: &[u8]) -> Result<usize, Broken> {
    let Some(head) = bytes.get(..HEAD) else { return Ok(HEAD) };
    let digits = std::str::from_utf8(head).ok().filter(|digits| !digits.starts_with('+'));
    let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length {
        Some(0) => Ok(HEAD),
        Some(length @ HEAD..=LONGEST) => Ok(length),
        // 1 and 2 are of version 2 of the protocol, in which nobody pushes.
        _ => Err(Broken("a line does not begin with its length")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The packets, and whether nothing is left.
    type Found = (Vec<Option<Vec<u8>>>, bool);

    fn packets(pieces: &[&[u8]]) -> Result<Found, Broken> {
        let (mut found, mut packets) = (Vec::new(), Packets::default());
        for piece in pieces {
            packets.feed(piece, |packet| {
                found.push(match packet {
                    Packet::Flush => None,
                    Packet::Line(line) => Some(line.to_vec()),
                });
                Ok::<_, Broken>(())
            })?;
            assert!(packets.held.len() < LONGEST);
        }
        Ok((found, packets.is_between()))
    }

    #[test]
    fn any_cuts_give_the_same_packets() {
        let mut stream = Vec::new();
        append(&mut stream, b"one\n").unwrap();
        append(&mut stream, b"").unwrap();
        stream.extend_from_slice(b"0000");
        append(&mut stream, &vec![7; LONGEST - HEAD]).unwrap();
        let whole = packets(&[&stream]).unwrap();
        assert_eq!(whole.0.len(), 4);
        assert_eq!(whole.0[1..3], [Some(vec![]), None]);
        for at in (0..stream.len().min(40)).chain([stream.len() - 1]) {
            let (before, after) = stream.split_at(at);
            assert_eq!(packets(&[before, after]).unwrap(), whole, "{at}");
        }
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(packets(&bytes).unwrap(), whole);
        assert!(!packets(&[&stream[..stream.len() - 1]]).unwrap().1);
    }

    #[test]
    fn what_is_no_length() {
        for head in ["0001", "0003", "fff1", "ffff", "+00a", "-001", " 00a", "00ag", "HTTP"] {
            assert!(packets(&[head.as_bytes()]).is_err(), "{head}");
            assert!(packets(&[&head.as_bytes()[..1], &head.as_bytes()[1..]]).is_err(), "{head}");
        }
        assert!(append(&mut Vec::new(), &vec![0; LONGEST]).is_err());
    }
}
