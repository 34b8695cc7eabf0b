//! The state of a run, as JSON, for whoever was given its id.

use serde::Serialize;
use warp::http::StatusCode;
use warp::reply::Response;

use super::answer::plain;
use crate::base::time::Timestamp;
use crate::queue::model::{RunId, RunState};
use crate::service::view::{FailureView, RunDetail, RunSummary, StageProgress};

/// Where the state of the run `id` is found.
pub(super) fn path_of(id: RunId) -> String {
    format!("/synchronise/state/{id}")
}

/// One run. Field names are an interface: they are added to, not changed.
#[derive(Serialize)]
struct Status<'a> {
    id: RunId,
    mirror: &'a str,
    state: RunState,
    /// When it came into this state, in seconds since 1970.
    since: i64,
    /// Seconds that it has been waiting or running, or that it took.
    elapsed: f64,
    /// How far it is, while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    progress: Option<StageProgress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    /// The name of a [`crate::base::Fault`].
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<&'static str>,
    /// The name of a [`crate::base::Side`].
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// What a run that ended well did, in numbers: names would tell too much to too many.
#[derive(Serialize)]
struct Summary {
    changesets: u64,
    converted: u64,
    references: u64,
    changed: u64,
    notes: u64,
}

impl Summary {
    fn of(run: &RunDetail) -> Self {
        Self {
            changesets: run.summary.changesets,
            converted: run.summary.converted,
            references: references(run),
            changed: run.summary.changed,
            notes: notes(run),
        }
    }
}

/// How many refs the target has as the source wants them.
pub(super) fn references(run: &RunDetail) -> u64 {
    let refs = run.refs.iter().filter(|entry| entry.refused.is_none()).count();
    run.more_refs.saturating_add(refs as u64)
}

/// How much it had to say.
pub(super) fn notes(run: &RunDetail) -> u64 {
    run.more_lines.saturating_add(run.log.len() as u64)
}

/// How long a run has been waiting or running, or took, in milliseconds.
pub(super) fn millis(run: &RunSummary, now: Timestamp) -> u64 {
    let since = run.started.unwrap_or(run.asked);
    let until = run.ended.unwrap_or(now);
    u64::try_from(until.since(since).as_millis()).unwrap_or(u64::MAX)
}

impl<'a> Status<'a> {
    fn of(run: &'a RunDetail, now: Timestamp) -> Self {
        let summary = &run.summary;
        let since = summary.ended.or(summary.started).unwrap_or(summary.asked);
        let failure: Option<&FailureView> = summary.failure.as_ref();
        let millis = u32::try_from(millis(summary, now)).unwrap_or(u32::MAX);
        Self {
            id: summary.id,
            mirror: &summary.mirror,
            state: summary.state,
            since: since.seconds(),
            elapsed: f64::from(millis) / 1000.0,
            progress: run.progress,
            summary: (summary.state == RunState::Done).then(|| Summary::of(run)),
            error: failure.map(|failure| &*failure.message),
            fault: failure.map(|failure| failure.fault.name()),
            side: failure.map(|failure| failure.side.name()),
            hint: failure.and_then(|failure| failure.hint.as_deref()),
        }
    }
}

/// The answer to whoever asks for the state of `run`.
pub(super) fn response(run: Option<&RunDetail>, now: Timestamp) -> Response {
    let (status, json) = match run {
        Some(run) => (StatusCode::OK, serde_json::to_string(&Status::of(run, now))),
        None => (StatusCode::NOT_FOUND, Ok(r#"{"error":"no such run, or not any more"}"#.into())),
    };
    match json {
        Ok(json) => plain(status, "application/json", json + "\n"),
        Err(error) => {
            let text = format!("write the state: {error}\n");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text)
        }
    }
}
