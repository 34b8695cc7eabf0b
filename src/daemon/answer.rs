//! The answer to the sender of a hook, and the one table from faults and sides to statuses.

use std::fmt::Write as _;
use std::time::Duration;

use warp::http::StatusCode;
use warp::http::header::{self, HeaderName, HeaderValue};
use warp::hyper::ext::ReasonPhrase;
use warp::reply::Response;

use super::state;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Side};
use crate::hook::{PayloadError, bitbucket_post};
use crate::queue::model::RunState;
use crate::service::view::{FailureView, Overview, RunDetail};
use crate::service::{AskedFor, ServiceError};

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

    /// To a delivery of Bitbucket's POST hook that is not what it should be. The reasons are a contract of
    /// old, which had them in the status line; they still are, beside the body.
    pub(super) fn bad_payload(error: PayloadError) -> Self {
        let reason = bitbucket_post::reason(error);
        let phrase = ReasonPhrase::try_from(reason.to_owned()).ok();
        Self { phrase, ..Self::new(StatusCode::BAD_REQUEST, reason) }
    }

    /// To a hook that selects no mirror, in clean words. Says nothing of those that there are.
    pub(super) fn no_mirror(user: &str, project: &str) -> Self {
        let text = format!("No mirror is configured for user \"{user}\", project \"{project}\".");
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// To a hook that does not prove where it comes from.
    pub(super) fn unproven() -> Self {
        let text = "The delivery does not prove that its sender knows the secret of this endpoint.";
        Self::new(StatusCode::UNAUTHORIZED, text)
    }

    /// To whoever asks for what only those with a token see.
    pub(super) fn no_token() -> Self {
        let text =
            "Send a token with the scope \"read\" in the header: Authorization: Bearer TOKEN.";
        Self::new(StatusCode::UNAUTHORIZED, text).header(header::WWW_AUTHENTICATE, "Bearer")
    }

    /// To a sender that sends too much.
    pub(super) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let text =
            format!("Too many hooks come from this address; the next is taken in {seconds} s.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, text)
            .header(header::RETRY_AFTER, seconds.to_string())
    }

    /// To whoever sends too many tokens that are not known.
    pub(super) fn too_many_guesses(wait: Duration) -> Self {
        let seconds = wait.as_secs() + 1;
        let text = format!(
            "Too many tokens that are not known came from this address; the next one is looked at in {seconds} s."
        );
        Self::new(StatusCode::TOO_MANY_REQUESTS, text)
            .header(header::RETRY_AFTER, seconds.to_string())
    }

    /// To whoever comes while the queue cannot be used, or the daemon is stopping.
    pub(super) fn unavailable(error: &ServiceError) -> Self {
        let (text, wait) = match error.fault() {
            Fault::Interrupted => ("The daemon is stopping and takes no more requests.", "60"),
            _ => ("The queue of the daemon cannot be used now; its log says why.", "30"),
        };
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text).header(header::RETRY_AFTER, wait)
    }

    /// To whoever comes when others are at it.
    pub(super) fn busy(text: &str, wait: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
            .header(header::RETRY_AFTER, wait.as_secs().to_string())
    }

    /// To whoever asks a daemon that only syncs. A hook is sent again, perhaps to another one.
    pub(super) fn elsewhere(path: &str) -> Self {
        let is_hook = path.starts_with("/hook/") || path.trim_end_matches('/') == "/synchronise";
        let text = |what: &str| {
            format!(
                "This daemon only syncs: {what} by those whose role is \"front\" or \"all\". The proxy in front \
                 of them should send nothing here."
            )
        };
        match is_hook {
            true => Self::new(StatusCode::SERVICE_UNAVAILABLE, text("hooks are taken"))
                .header(header::RETRY_AFTER, "60"),
            false => Self::new(StatusCode::NOT_FOUND, text("pages are shown")),
        }
    }

    /// To a hook whose run was forgotten before it could be looked at.
    pub(super) fn forgotten(asked: &AskedFor) -> Self {
        let text = format!("What became of the sync of {} is not known any more.", asked.project);
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// To a method that a path does not have.
    pub(super) fn method_not_allowed(allowed: &str, headline: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, headline).header(header::ALLOW, allowed)
    }

    /// To those who ask whether we are there.
    pub(super) fn alive(overview: &Overview) -> Self {
        Self::new(StatusCode::OK, "alive")
            .detail(format!("running: {}", overview.running))
            .detail(format!("queued: {}", overview.waiting))
    }

    /// To anything but POST where hooks arrive.
    pub(super) fn usage(path: &str) -> Self {
        Self::method_not_allowed("POST", "This is where hooks arrive, by POST.")
            .detail(format!("usage: POST /{path}"))
    }

    /// The same where those of old arrive.
    pub(super) fn usage_of_old() -> Self {
        Self::usage("synchronise/[?user=USER&project=PROJECT]").detail(
            "       with the form field \"payload\", JSON as Bitbucket's POST hook sends it",
        )
    }

    /// To a hook, from the state of the run that it asked for.
    pub(super) fn of_run(asked: &AskedFor, run: &RunDetail, now: Timestamp) -> Self {
        let answer = match (run.summary.state, &run.summary.failure) {
            (RunState::Done, _) => Self::converted(asked, run, now),
            (RunState::Failed | RunState::Partial, Some(failure)) => Self::failed(asked, failure),
            (state, _) => Self::accepted(asked, state),
        };
        answer.detail(format!("state: {}", state::path_of(asked.receipt.run)))
    }

    fn converted(asked: &AskedFor, run: &RunDetail, now: Timestamp) -> Self {
        let text = format!("Converted {} successfully", asked.project);
        let summary = &run.summary;
        let tenths = (state::millis(summary, now) + 50) / 100;
        let answer = Self::new(StatusCode::OK, text)
            .detail(format!("changesets: {}, new: {}", summary.changesets, summary.converted))
            .detail(format!("refs: {}, changed: {}", state::references(run), summary.changed))
            .detail(format!("seconds: {}.{}", tenths / 10, tenths % 10));
        match state::notes(run) {
            0 => answer,
            // Notes name files and branches, and whoever can reach us may ask for a sync.
            notes => answer.detail(format!("notes: {notes}, see the log of the daemon")),
        }
    }

    fn failed(asked: &AskedFor, failure: &FailureView) -> Self {
        let status = status_of(failure.fault, failure.side);
        let AskedFor { user, project, .. } = asked;
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

    /// A run that is not over, or that another one takes the place of.
    fn accepted(asked: &AskedFor, state: RunState) -> Self {
        let is = match state {
            RunState::Running => "still running",
            _ => "waiting for its turn",
        };
        let text = format!("The sync of {} is {is} and goes on.", asked.project);
        let location = state::path_of(asked.receipt.run);
        Self::new(StatusCode::ACCEPTED, text).header(header::LOCATION, location)
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
