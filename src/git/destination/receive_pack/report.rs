//! What became of each ref, by the server's word: `report-status`, and `report-status-v2`, in which a
//! server may add what else it made of a ref.

use std::collections::HashMap;

use super::Broken;

/// What is kept of a reason, in bytes.
const LONGEST_REASON: usize = 4 << 10;

/// What a server says became of a ref.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::git) enum Status {
    /// It is as it was asked for.
    Done,
    /// It was taken, and made something else of: the words of the server about that.
    Changed(String),
    /// It was refused, and why.
    Refused(Vec<u8>),
}

/// The report of a push: read line by line.
#[derive(Debug, Default)]
pub(in crate::git) struct Report {
    /// Whether everything that was sent was understood, or what was wrong with it; `None` until the
    /// server has said so.
    pub(in crate::git) unpacked: Option<Result<(), Vec<u8>>>,
    /// The refs that were asked for, each with what was said of it last.
    refs: HashMap<Vec<u8>, Option<Status>>,
    /// The ref that was last spoken of, if it is one of ours, and was not refused.
    last: Option<Vec<u8>>,
}

impl Report {
    /// A report about these refs. What a server says about others is passed over.
    pub(in crate::git) fn about<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let refs = names.into_iter().map(|name| (name.as_bytes().to_vec(), None)).collect();
        Self { refs, ..Self::default() }
    }

    /// What is said of the ref `name`; `None` if nothing is.
    pub(in crate::git) fn status(&self, name: &str) -> Option<&Status> {
        self.refs.get(name.as_bytes())?.as_ref()
    }

    /// Reads a line of it.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<(), Broken> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (word, rest) = cut(line);
        match word {
            b"unpack" if self.unpacked.is_none() => {
                self.unpacked = Some(if rest == b"ok" { Ok(()) } else { Err(short(rest)) });
            }
            _ if self.unpacked.is_none() => {
                return Err(Broken("its report does not begin with whether it could unpack"));
            }
            b"ok" => {
                let is_ours = self.set(rest, Status::Done);
                self.last = is_ours.then(|| rest.to_vec());
            }
            b"ng" => {
                let (name, reason) = cut(rest);
                self.set(name, Status::Refused(short(reason)));
                self.last = None;
            }
            b"option" => self.option(rest),
            _ => return Err(Broken("its report has a line that is none of a report")),
        }
        Ok(())
    }

    /// Notes what is said of a ref, if it is one of ours.
    fn set(&mut self, name: &[u8], status: Status) -> bool {
        let Some(known) = self.refs.get_mut(name) else { return false };
        *known = Some(status);
        true
    }

    /// Reads what the server adds about the last ref.
    fn option(&mut self, option: &[u8]) {
        // What it had before, and whether that was lost, we know.
        let (key, value) = cut(option);
        let what = match key {
            b"refname" => "as",
            b"new-oid" => "at",
            _ => return,
        };
        let Some(status) = self.last.as_ref().and_then(|name| self.refs.get_mut(name)) else {
            return;
        };
        let said = format!("{what} {}", String::from_utf8_lossy(&short(value)));
        match status {
            Some(Status::Changed(text)) if text.len() < LONGEST_REASON => {
                text.push_str(", ");
                text.push_str(&said);
            }
            Some(Status::Changed(_)) => {}
            status => *status = Some(Status::Changed(said)),
        }
    }
}

/// The first word, and what follows the space behind it.
fn cut(line: &[u8]) -> (&[u8], &[u8]) {
    let at = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    (line.get(..at).unwrap_or(line), line.get(at + 1..).unwrap_or_default())
}

fn short(text: &[u8]) -> Vec<u8> {
    text.get(..LONGEST_REASON).unwrap_or(text).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Result<Report, Broken> {
        let mut report = Report::about(["refs/heads/a", "refs/heads/b"]);
        lines.iter().try_for_each(|line| report.line(line.as_bytes())).map(|()| report)
    }

    #[test]
    fn what_is_said_of_each_ref() {
        let report = read(&[
            "unpack ok\n",
            "ok refs/heads/a\n",
            "ng refs/heads/b hook declined\n",
            "ok refs/heads/other\n",
            "option refname refs/heads/x\n",
        ]);
        let report = report.unwrap();
        assert_eq!(report.unpacked, Some(Ok(())));
        assert_eq!(report.status("refs/heads/a"), Some(&Status::Done));
        let refused = Status::Refused(b"hook declined".to_vec());
        assert_eq!(report.status("refs/heads/b"), Some(&refused));
        assert_eq!(report.status("refs/heads/other"), None);
    }

    #[test]
    fn what_a_server_makes_of_a_ref() {
        let report = read(&[
            "unpack ok",
            "ok refs/heads/a",
            "option refname refs/changes/1",
            "option old-oid 00",
            "option new-oid 11",
            "option forced-update",
            "ok refs/heads/b",
            "option forced-update",
        ]);
        let report = report.unwrap();
        let changed = Status::Changed("as refs/changes/1, at 11".to_owned());
        assert_eq!(report.status("refs/heads/a"), Some(&changed));
        assert_eq!(report.status("refs/heads/b"), Some(&Status::Done));
    }

    #[test]
    fn a_pack_that_could_not_be_unpacked() {
        let report = read(&["unpack index-pack abnormal exit\n"]).unwrap();
        assert_eq!(report.unpacked, Some(Err(b"index-pack abnormal exit".to_vec())));
        assert_eq!(report.status("refs/heads/a"), None);
    }

    #[test]
    fn what_is_no_report() {
        for lines in [&["ok refs/heads/a"][..], &["unpack ok", "hm"], &["unpack ok", "unpack ok"]] {
            assert!(read(lines).is_err(), "{lines:?}");
        }
    }

    #[test]
    fn a_flood_is_cut() {
        let mut report = read(&["unpack ok", "ok refs/heads/a"]).unwrap();
        let option = format!("option refname {}", "x".repeat(9 << 10));
        for _ in 0..100 {
            report.line(option.as_bytes()).unwrap();
        }
        report.line(format!("ng refs/heads/b {option}").as_bytes()).unwrap();
        let Some(Status::Changed(text)) = report.status("refs/heads/a") else { panic!() };
        assert!(text.len() < 3 * LONGEST_REASON);
        let Some(Status::Refused(text)) = report.status("refs/heads/b") else { panic!() };
        assert_eq!(text.len(), LONGEST_REASON);
    }
}
