//! The answer to the sender of a hook, and the one table from faults and sides to statuses.

use std::fmt::Write as _;

use warp::http::StatusCode;
use warp::http::header::{self, HeaderName, HeaderValue};
use warp::hyper::ext::ReasonPhrase;
use warp::reply::Response;

use super::app::{MirrorKey, SyncJob};
use super::state;
use crate::base::{Fault, Side};
use crate::hook::{PayloadError, bitbucket_post};
use crate::mirror::SyncReport;
use crate::queue::{Failure, JobState, Load};

/// An answer in plain text: what happened, on the first line; details; the status once more, since
/// many who read the body never see the status line.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headline: String,
    details: Vec<String>,
    /// Headers of this answer alone.
    headers: Vec<(HeaderName, String)>,
    /// The reason phrase, where the contract has one.
    phrase: Option<ReasonPhrase>,
}

impl Answer {
    /// `status` and one line that says why.
    pub(super) fn new(status: StatusCode, headline: impl Into<String>) -> Self {
        let headline = headline.into();
        Self { status, headline, details: Vec::new(), headers: Vec::new(), phrase: None }
    }

    fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// To a delivery that is not what its format demands. The reasons are a contract of old, which
    /// had them in the status line; they still are, beside the body.
    pub(super) fn bad_payload(error: PayloadError) -> Self {
        let reason = bitbucket_post::reason(error);
        let phrase = ReasonPhrase::try_from(reason.as_bytes()).ok();
        Self { phrase, ..Self::new(StatusCode::BAD_REQUEST, reason) }
    }

    /// To a hook that selects no mirror, with clean names. Says nothing of those that there are.
    pub(super) fn no_mirror(user: &str, project: &str) -> Self {
        let text = format!("No mirror is configured for user \"{user}\", project \"{project}\".");
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// To a hook that comes too late.
    pub(super) fn stopping() -> Self {
        let text = "The daemon is stopping and takes no more hooks.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text).header(header::RETRY_AFTER, "60")
    }

    /// To a hook whose job was forgotten before it could be looked at.
    pub(super) fn forgotten(mirror: &MirrorKey) -> Self {
        let text =
            format!("What became of the sync of {} is not known any more.", mirror.project());
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// To a method that a path does not have.
    pub(super) fn method_not_allowed(allowed: &str, headline: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, headline).header(header::ALLOW, allowed)
    }

    /// To those who ask whether we are there.
    pub(super) fn alive(load: Load) -> Self {
        Self::new(StatusCode::OK, "alive")
            .detail(format!("running: {}", load.running))
            .detail(format!("queued: {}", load.queued))
    }

    /// To anything but POST where hooks arrive.
    pub(super) fn usage(path: &str) -> Self {
        Self::method_not_allowed("POST", "This is where hooks arrive, by POST.")
            .detail(format!("usage: POST /{path}/[?user=USER&project=PROJECT]"))
            .detail(
                "       with the form field \"payload\", JSON as Bitbucket's POST hook sends it",
            )
    }

    /// To a hook, from the state of the sync that it asked for.
    pub(super) fn of_job(job: &SyncJob) -> Self {
        let answer = match &job.state {
            JobState::Done(report) => Self::converted(&job.key, report),
            JobState::Failed(failure) => Self::failed(&job.key, failure),
            JobState::Queued | JobState::Running => Self::accepted(job),
        };
        answer.detail(format!("state: {}", state::path_of(job.id)))
    }

    fn converted(mirror: &MirrorKey, report: &SyncReport) -> Self {
        let text = format!("Converted {} successfully", mirror.project());
        let changed = report.refs.iter().filter(|change| change.is_change());
        let seconds = report.elapsed.as_secs_f64();
        let answer = Self::new(StatusCode::OK, text)
            .detail(format!("changesets: {}, new: {}", report.changesets, report.converted))
            .detail(format!("refs: {}, changed: {}", report.refs.len(), changed.count()))
            .detail(format!("seconds: {seconds:.1}"));
        match report.notes.len() {
            0 => answer,
            // Notes name files and branches, and whoever can reach us may ask for a sync.
            notes => answer.detail(format!("notes: {notes}, see the log of the daemon")),
        }
    }

    fn failed(mirror: &MirrorKey, failure: &Failure) -> Self {
        let status = status_of(failure.fault, failure.side);
        let (user, project) = (mirror.user(), mirror.project());
        let answer = if status == StatusCode::BAD_REQUEST {
            let text =
                format!("Target project {user}/{project} does not exist or gives no access.");
            Self::new(status, text).detail(format!("reason: {}", failure.message))
        } else {
            let at = match failure.side {
                Side::Source => " at its source",
                Side::Target => " at its target",
                Side::Here => "",
            };
            Self::new(status, format!("Converting {project} failed{at}: {}", failure.message))
        };
        match &failure.hint {
            Some(hint) => answer.detail(format!("hint: {hint}")),
            None => answer,
        }
    }

    fn accepted(job: &SyncJob) -> Self {
        let state = match job.state {
            JobState::Running => "still running",
            _ => "waiting for its turn",
        };
        let text = format!("The sync of {} is {state} and goes on.", job.key.project());
        Self::new(StatusCode::ACCEPTED, text).header(header::LOCATION, state::path_of(job.id))
    }

    /// The body.
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.headline);
        for line in &self.details {
            let _ = writeln!(text, "{line}");
        }
        let _ = writeln!(text, "status: {}", self.status);
        text
    }
}

/// The status that tells of a sync that failed so: 400 where the target does not exist or does not
/// let us in, which is the sender's to mend, and 500 for everything else. A source that does not let
/// us in is no missing target.
fn status_of(fault: Fault, side: Side) -> StatusCode {
    match (fault, side) {
        (Fault::Auth, Side::Target) => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl warp::Reply for Answer {
    fn into_response(self) -> Response {
        let mut response = plain(self.status, "text/plain; charset=utf-8", self.text());
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        if let Some(phrase) = self.phrase {
            response.extensions_mut().insert(phrase);
        }
        response
    }
}

/// A response with `body`, which no browser will take for anything else than it is.
pub(super) fn plain(status: StatusCode, content_type: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
