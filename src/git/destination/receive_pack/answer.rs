//! The answer to a push: with `side-band-64k` three streams in one, of which the first is the report,
//! the second is for people, and the third is the last word of a server that gives up.

use super::pkt_line::{Packet, Packets};
use super::{Broken, Report};

/// What is kept of the last word of a server, in bytes.
const LONGEST_WORD: usize = 4 << 10;

/// The answer to a push, read as it comes.
#[derive(Debug)]
pub(in crate::git) struct Answer {
    has_bands: bool,
    outer: Packets,
    /// The stream of the report, where it is one in three.
    inner: Packets,
    report: Report,
    /// The report is complete.
    is_reported: bool,
    /// The answer is.
    is_complete: bool,
}

/// What a piece of an answer has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::git) enum Heard {
    /// No more than that the server is still there.
    Nothing,
    /// Something.
    Something,
}

/// Why an answer cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) enum Unreadable {
    /// It is no answer.
    Broken(Broken),
    /// The server gives up, with these words.
    Fatal(Vec<u8>),
}

impl From<Broken> for Unreadable {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

impl Answer {
    /// The answer about these refs; with `side-band-64k` if `has_bands`.
    pub(in crate::git) fn about<'a>(
        names: impl IntoIterator<Item = &'a str>,
        has_bands: bool,
    ) -> Self {
        Self {
            has_bands,
            outer: Packets::default(),
            inner: Packets::default(),
            report: Report::about(names),
            is_reported: false,
            is_complete: false,
        }
    }

    /// Whether all of it has come.
    pub(in crate::git) fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The report, once it is complete.
    pub(in crate::git) fn report(&self) -> Option<&Report> {
        self.is_reported.then_some(&self.report)
    }

    /// Reads on. What is meant for people goes to `say`.
    pub(in crate::git) fn feed(
        &mut self,
        bytes: &[u8],
        mut say: impl FnMut(&[u8]),
    ) -> Result<Heard, Unreadable> {
        let mut heard = Heard::Nothing;
        let mut outer = std::mem::take(&mut self.outer);
        let result = outer.feed(bytes, |packet| self.take(packet, &mut heard, &mut say));
        self.outer = outer;
        result.map(|()| heard)
    }

    fn take(
        &mut self,
        packet: Packet<'_>,
        heard: &mut Heard,
        say: &mut impl FnMut(&[u8]),
    ) -> Result<(), Unreadable> {
        // What comes behind the end is not for us.
        if self.is_complete {
            return Ok(());
        }
        let line = match packet {
            Packet::Line(line) => line,
            Packet::Flush => {
                *heard = Heard::Something;
                self.is_complete = true;
                self.is_reported |= !self.has_bands;
                return Ok(());
            }
        };
        if !self.has_bands {
            *heard = Heard::Something;
            return Ok(self.report.line(line)?);
        }
        match line.split_first() {
            // This says only that the server is still at work.
            Some((1 | 2, [])) => {}
            Some((1, bytes)) => {
                *heard = Heard::Something;
                self.read_report(bytes)?;
            }
            Some((2, text)) => {
                *heard = Heard::Something;
                say(text);
            }
            Some((3, word)) => {
                return Err(Unreadable::Fatal(word.get(..LONGEST_WORD).unwrap_or(word).to_vec()));
            }
            _ => return Err(Broken("its answer has a band that is none").into()),
        }
        Ok(())
    }

    /// Reads on in the report.
    fn read_report(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let Self { inner, report, is_reported, .. } = self;
        inner.feed(bytes, |packet| match packet {
            Packet::Line(_) if *is_reported => Err(Broken("its report goes on after its end")),
            Packet::Line(line) => report.line(line),
            Packet::Flush => {
                *is_reported = true;
                Ok(())
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::pkt_line::append;
    use super::*;

    const NAMES: [&str; 2] = ["refs/heads/a", "refs/heads/b"];

    fn report() -> Vec<u8> {
        let mut stream = Vec::new();
        for line in ["unpack ok\n", "ok refs/heads/a\n", "ng refs/heads/b no\n"] {
            append(&mut stream, line.as_bytes()).unwrap();
        }
        stream.extend_from_slice(b"0000");
        stream
    }

    fn band(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut stream = Vec::new();
        append(&mut stream, &[&[number], bytes].concat()).unwrap();
        stream
    }

    /// The text, and whether everything was said.
    fn read(has_bands: bool, pieces: &[&[u8]]) -> Result<(String, bool), Unreadable> {
        let mut answer = Answer::about(NAMES, has_bands);
        let mut text = Vec::new();
        for piece in pieces {
            answer.feed(piece, |said| text.extend_from_slice(said))?;
        }
        if answer.is_complete() && answer.report().is_some() {
            let report = answer.report().unwrap();
            assert_eq!(report.status(NAMES[0]), Some(&Status::Done));
            assert_eq!(report.status(NAMES[1]), Some(&Status::Refused(b"no".to_vec())));
        }
        Ok((String::from_utf8(text).unwrap(), answer.is_complete() && answer.report().is_some()))
    }

    fn banded() -> Vec<u8> {
        let report = report();
        let (half, rest) = report.split_at(report.len() / 2);
        let parts = [
            band(1, b""),
            band(2, b"hel"),
            band(1, half),
            band(2, b"lo\n"),
            band(1, rest),
            band(2, b"done\n"),
            b"0000".to_vec(),
        ];
        parts.concat()
    }

    #[test]
    fn a_report_comes_alone_or_among_words() {
        let report = report();
        assert_eq!(read(false, &[&report]), Ok((String::new(), true)));
        let banded = banded();
        for at in 0..banded.len() {
            let (before, after) = banded.split_at(at);
            assert_eq!(
                read(true, &[before, after]),
                Ok(("hello\ndone\n".to_owned(), true)),
                "{at}"
            );
            assert!(!read(true, &[before]).unwrap().1, "{at}");
        }
    }

    #[test]
    fn a_server_that_only_lives_says_nothing() {
        let mut answer = Answer::about(NAMES, true);
        assert_eq!(answer.feed(&band(1, b""), |_| {}), Ok(Heard::Nothing));
        assert_eq!(answer.feed(b"0009", |_| {}), Ok(Heard::Nothing));
        assert_eq!(answer.feed(b"\x02text", |_| {}), Ok(Heard::Something));
    }

    #[test]
    fn a_last_word_ends_it() {
        let fatal = band(3, b"disk full\n");
        assert_eq!(read(true, &[&fatal]), Err(Unreadable::Fatal(b"disk full\n".to_vec())));
    }

    #[test]
    fn what_is_no_answer() {
        for bytes in [band(4, b"x"), b"0004".to_vec(), b"HTTP".to_vec(), report()] {
            assert!(matches!(read(true, &[&bytes]), Err(Unreadable::Broken(_))), "{bytes:?}");
        }
        let twice = [band(1, &report()), band(1, &report())].concat();
        assert!(read(true, &[&twice]).is_err());
    }

    #[test]
    fn flipped_answers_are_errors_or_answers() {
        for (has_bands, sound) in [(true, banded()), (false, report())] {
            for at in 0..sound.len() {
                for bit in 0..8 {
                    let mut bytes = sound.clone();
                    bytes[at] ^= 1 << bit;
                    let mut answer = Answer::about(NAMES, has_bands);
                    let _ = answer.feed(&bytes, |_| {});
                    let _ = answer.report();
                }
            }
        }
    }
}
