//! What is told: one message, as JSON for programs and as text for people.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use super::streaks::Change;
use crate::base::Side;
use crate::base::clean::{clean, clean_short};
use crate::base::time::Timestamp;
use crate::service::view::{CredentialView, FailureView, MirrorState, MirrorSummary};

/// What may stand in a segment of a path as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest text of a failure, in characters.
const LONGEST: usize = 2000;

/// What has happened to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// It is in trouble.
    Trouble,
    /// It is well again.
    Recovered,
    /// A credential or a certificate of it ends soon, or has ended.
    Expires,
    /// Nothing: a person wants to see whether the receiver is told.
    Test,
}

impl Event {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Recovered => "recovered",
            Self::Expires => "expires",
            Self::Test => "test",
        }
    }
}

/// A credential that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Credential {
    /// What it is, and where it is kept.
    name: String,
    /// When it ends.
    ends: String,
    /// Whether it has ended already.
    is_over: bool,
    /// The mirrors that use it.
    mirrors: Vec<String>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) event: Event,
    pub(super) mirror: String,
    /// How the mirror is.
    pub(super) state: MirrorState,
    /// When this was found.
    at: String,
    /// Since when it is, or was, in trouble.
    since: Option<String>,
    /// When a sync last went well.
    last_good: Option<String>,
    /// How many syncs have failed in a row.
    failures: u32,
    /// When it is tried next, if it is parked and is tried again all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Why; not there where nothing has failed.
    pub(super) failure: Option<FailureView>,
    /// What ends; not there where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<Credential>,
    source: String,
    target: Option<String>,
    /// The page of the mirror.
    pub(super) link: Option<String>,
}

impl Message {
    pub(super) fn of(
        change: &Change,
        mirror: &MirrorSummary,
        public_url: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let (event, since) = match change {
            Change::Trouble { since } => (Event::Trouble, *since),
            Change::Recovered { since } => (Event::Recovered, *since),
        };
        Self::about(event, since, mirror, public_url, now)
    }

    /// That a credential ends, for the mirrors that use it; `mirror` is the first of them.
    pub(super) fn expires(
        credential: &CredentialView,
        mirror: &MirrorSummary,
        public_url: Option<&str>,
        now: Timestamp,
    ) -> Self {
        let CredentialView { name, ends, mirrors } = credential;
        let credential = Some(Credential {
            name: clean(name),
            ends: ends.rfc3339(),
            is_over: *ends <= now,
            mirrors: mirrors.iter().map(|mirror| clean(mirror)).collect(),
        });
        Self { credential, ..Self::about(Event::Expires, None, mirror, public_url, now) }
    }

    /// A message that tells nothing.
    pub(super) fn test(public_url: Option<&str>, now: Timestamp) -> Self {
        Self {
            event: Event::Test,
            mirror: "example".to_owned(),
            state: MirrorState::Good,
            at: now.rfc3339(),
            since: None,
            last_good: Some(now.rfc3339()),
            failures: 0,
            next: None,
            failure: None,
            credential: None,
            source: "https://hg.example.org/example".to_owned(),
            target: None,
            link: public_url.map(str::to_owned),
        }
    }

    fn about(
        event: Event,
        since: Option<Timestamp>,
        mirror: &MirrorSummary,
        public_url: Option<&str>,
        now: Timestamp,
    ) -> Self {
        // Whatever servers say is made fit for wherever this is shown.
        let failure = mirror.failure.as_ref().filter(|_| event == Event::Trouble);
        let failure = failure.map(|failure| FailureView {
            message: clean_short(&failure.message, LONGEST),
            hint: failure.hint.as_ref().map(|hint| clean_short(hint, LONGEST)),
            ..failure.clone()
        });
        let next = mirror.due.filter(|_| mirror.state == MirrorState::Parked);
        let path = utf8_percent_encode(&mirror.name, &PLAIN);
        Self {
            event,
            mirror: clean(&mirror.name),
            state: mirror.state,
            at: now.rfc3339(),
            since: since.map(Timestamp::rfc3339),
            last_good: mirror.last_good.map(Timestamp::rfc3339),
            failures: mirror.failures,
            next: next.map(Timestamp::rfc3339),
            failure,
            credential: None,
            source: clean(&mirror.source),
            target: mirror.target.as_deref().map(clean),
            link: public_url.map(|url| format!("{url}/mirrors/{path}")),
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        // Texts and numbers alone: nothing of it can fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// In one line.
    pub(super) fn subject(&self) -> String {
        let mirror = &self.mirror;
        match (self.event, &self.failure) {
            (Event::Test, _) => "a test of notifications".to_owned(),
            (Event::Expires, _) => match &self.credential {
                Some(it) if it.is_over => format!("the {} has ended", it.name),
                Some(it) => format!("the {} ends at {}", it.name, it.ends),
                None => format!("a credential of {mirror} ends"),
            },
            (Event::Recovered, _) => format!("{mirror} is well again"),
            (Event::Trouble, Some(failure)) => {
                format!("{mirror} is {}{}", self.state.name(), at(failure.side))
            }
            (Event::Trouble, None) => format!("{mirror} is {}", self.state.name()),
        }
    }

    /// For people, as lines.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.sentence());
        if let Some(credential) = &self.credential {
            let _ = writeln!(text, "Ends:      {}", credential.ends);
            let _ = writeln!(text, "Mirrors:   {}", credential.mirrors.join(", "));
            return text;
        }
        if self.event == Event::Test {
            return text;
        }
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{:<11}{value}", format!("{name}:"));
            }
        };
        let failure = self.failure.as_ref();
        line("Problem", failure.map(|failure| failure.message.as_str()));
        line("To do", failure.and_then(|failure| failure.hint.as_deref()));
        let since = match self.event {
            Event::Recovered => "Was since",
            _ => "Since",
        };
        line(since, self.since.as_deref());
        line("Next try", self.next.as_deref());
        line("Last good", self.last_good.as_deref().or(Some("never")));
        line("Source", Some(&self.source));
        line("Target", self.target.as_deref());
        line("Page", self.link.as_deref());
        text
    }

    fn sentence(&self) -> String {
        let mirror = &self.mirror;
        match (self.event, &self.credential) {
            (Event::Recovered, _) => {
                return format!("The mirror {mirror} is well again: a sync has gone well.");
            }
            (Event::Test, _) => {
                return "This is a test: somebody wanted to see whether notifications arrive."
                    .to_owned();
            }
            (Event::Expires, Some(it)) if it.is_over => {
                return format!("The {} has ended: put another one in its place.", it.name);
            }
            (Event::Expires, Some(it)) => {
                return format!("The {} ends soon: put another one in its place before.", it.name);
            }
            _ => {}
        }
        let side = self.failure.as_ref().map_or("", |failure| at(failure.side));
        match self.state {
            MirrorState::Parked if self.next.is_some() => format!(
                "The mirror {mirror} is parked{side}: it is tried again, but seldom, and somebody has to do \
                 something."
            ),
            MirrorState::Parked => format!(
                "The mirror {mirror} is parked{side}: trying again does not help, and somebody has to do \
                 something."
            ),
            MirrorState::Partial => format!(
                "The mirror {mirror} was published in part{side}: some refs were refused, all others are \
                 up to date."
            ),
            MirrorState::Stale => format!(
                "The mirror {mirror} is stale: no sync has gone well for longer than its limit, although \
                 none has failed."
            ),
            _ => format!(
                "The last {} syncs of the mirror {mirror} have failed{side}. It is tried again.",
                self.failures
            ),
        }
    }
}

fn at(side: Side) -> &'static str {
    match side {
        Side::Source => " at its source",
        Side::Target => " at its target",
        Side::Here => "",
    }
}
