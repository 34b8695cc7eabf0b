//! What is told: one message, as JSON for programs and as text for people.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::streaks::Change;
use crate::base::Side;
use crate::base::clean::{clean, clean_short};
use crate::base::time::Timestamp;
use crate::service::view::{FailureView, MirrorState, MirrorSummary};

/// What may stand in a segment of a path as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The longest text of a failure, in characters.
const LONGEST: usize = 2000;

/// What has happened to a mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// It is in trouble.
    Trouble,
    /// It is well again.
    Recovered,
}

impl Event {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Recovered => "recovered",
        }
    }
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
    /// Why; not there where nothing has failed.
    pub(super) failure: Option<FailureView>,
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
            Change::Trouble { since } => (Event::Trouble, since),
            Change::Recovered { since } => (Event::Recovered, since),
        };
        // Whatever servers say is made fit for wherever this is shown.
        let failure = mirror.failure.as_ref().filter(|_| event == Event::Trouble);
        let failure = failure.map(|failure| FailureView {
            message: clean_short(&failure.message, LONGEST),
            hint: failure.hint.as_ref().map(|hint| clean_short(hint, LONGEST)),
            ..failure.clone()
        });
        let path = utf8_percent_encode(&mirror.name, &PLAIN);
        Self {
            event,
            mirror: clean(&mirror.name),
            state: mirror.state,
            at: now.rfc3339(),
            since: since.map(Timestamp::rfc3339),
            last_good: mirror.last_good.map(Timestamp::rfc3339),
            failures: mirror.failures,
            failure,
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
        let mut line = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{:<11}{value}", format!("{name}:"));
            }
        };
        let failure = self.failure.as_ref();
        line("Problem", failure.map(|failure| failure.message.as_str()));
        line("To do", failure.and_then(|failure| failure.hint.as_deref()));
        let since = match self.event {
            Event::Trouble => "Since",
            Event::Recovered => "Was since",
        };
        line(since, self.since.as_deref());
        line("Last good", self.last_good.as_deref().or(Some("never")));
        line("Source", Some(&self.source));
        line("Target", self.target.as_deref());
        line("Page", self.link.as_deref());
        text
    }

    fn sentence(&self) -> String {
        let mirror = &self.mirror;
        if self.event == Event::Recovered {
            return format!("The mirror {mirror} is well again: a sync has gone well.");
        }
        let side = self.failure.as_ref().map_or("", |failure| at(failure.side));
        match self.state {
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
