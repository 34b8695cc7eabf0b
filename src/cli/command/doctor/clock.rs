//! The clock of this machine against that of a web server that a mirror has anyway.

use std::time::Duration;

use super::Check;
use crate::base::Interrupt;
use crate::base::time::Timestamp;
use crate::config::MirrorConfig;
use crate::hg::pull::Source;
use crate::net::http::{ApiClient, ApiRequest, Introduction};
use crate::net::url::{Location, Scheme, SourceUrl};
use crate::net::{Access, Timeouts};

/// Apps of GitHub and signed times fail beyond a minute; half of it is worth a word.
const LITTLE: u64 = 30;
/// Beyond this, hooks with a signed time are refused.
const MUCH: u64 = 120;
/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(10);
const INTRODUCTION: Introduction =
    Introduction { user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")), accept: "*/*" };
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) fn check(mirrors: &[&MirrorConfig], interrupt: &Interrupt) -> Check {
    let mut servers: Vec<(SourceUrl, Access)> = Vec::new();
    for (url, access) in mirrors.iter().flat_map(|mirror| ends(mirror)) {
        if !servers.iter().any(|(known, _)| known.is_same_origin(&url)) {
            servers.push((url, access));
        }
    }
    for (url, access) in servers.iter().take(3) {
        if let Some(theirs) = time_of(url, access, interrupt) {
            return compared(Timestamp::now(), theirs, &url.host);
        }
    }
    match servers.is_empty() {
        true => {
            Check::skipped("clock", "no source and no target is a web server that tells the time")
        }
        false => Check::skipped("clock", "no web server of a mirror tells the time"),
    }
}

/// The web servers of a mirror.
fn ends(mirror: &MirrorConfig) -> Vec<(SourceUrl, Access)> {
    let mut found = Vec::new();
    if let Source::Server { url, access } = &mirror.mirror.source
        && url.scheme != Scheme::Ssh
    {
        found.push((url.clone(), (**access).clone()));
    }
    if let Some(target) = &mirror.mirror.target
        && let Location::Http { .. } = target.url.location()
        && let Ok(url) = SourceUrl::parse(&target.url.to_string())
    {
        found.push((url, target.access.clone()));
    }
    found
}

fn time_of(url: &SourceUrl, access: &Access, interrupt: &Interrupt) -> Option<Timestamp> {
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE };
    let access = Access { timeouts, token: None, ..access.clone() };
    let base = SourceUrl { path: String::new(), user: None, ..url.clone() };
    let client = ApiClient::new(&base, &access, INTRODUCTION, interrupt).ok()?;
    let answer = client.send(&ApiRequest {
        method: "HEAD",
        path: "/",
        command: "the time",
        headers: &[],
        bearer: None,
        body: None,
    });
    date(answer.ok()?.header("date")?)
}

/// Reads `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn date(text: &str) -> Option<Timestamp> {
    let mut words = text.split_once(", ")?.1.split(' ');
    let (day, month, year, time) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let month = 1 + MONTHS.iter().position(|name| *name == month)?;
    Timestamp::parse(&format!("{year}-{month:02}-{day}T{time}Z"))
}

fn compared(ours: Timestamp, theirs: Timestamp, host: &str) -> Check {
    let seconds = ours.seconds().saturating_sub(theirs.seconds());
    let far = seconds.unsigned_abs();
    let way = if seconds < 0 { "behind" } else { "ahead of" };
    let text = format!("{far} s {way} that of {host}");
    let hint = "set it by NTP: `timedatectl set-ntp true`";
    match far {
        0..=LITTLE => Check::ok("clock", format!("within {LITTLE} s of that of {host}")),
        far if far <= MUCH => Check::warning("clock", text, hint),
        _ => Check::wrong(
            "clock",
            format!("{text}: hooks that sign a time, and GitHub Apps, are refused"),
            hint,
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn dates_of_servers() {
        let read = |text| date(text).map(|at| at.to_string());
        let expected = Timestamp::parse("1994-11-06T08:49:37Z").unwrap();
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(expected));
        for wrong in ["", "Sun, 06 Nov 1994", "Sun, 06 Nvo 1994 08:49:37 GMT", "x, y z a b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn how_far_is_too_far() {
        let at = Timestamp::from_seconds;
        for (ours, state) in [
            (1000, State::Ok),
            (1020, State::Ok),
            (1060, State::Warning),
            (940, State::Warning),
            (1500, State::Wrong),
            (500, State::Wrong),
        ] {
            assert_eq!(compared(at(ours), at(1000), "x").state, state, "{ours}");
        }
        assert!(compared(at(500), at(1000), "x").message.starts_with("500 s behind that of x"));
    }
}
