//! The state of a job, as JSON.

use std::time::UNIX_EPOCH;

use serde::Serialize;
use warp::http::StatusCode;
use warp::reply::Response;

use super::answer::plain;
use super::app::{App, SyncJob};
use super::running::StageProgress;
use crate::mirror::SyncReport;
use crate::queue::{JobId, JobState};

/// Where the state of the job `id` is found.
pub(super) fn path_of(id: JobId) -> String {
    format!("/synchronise/state/{id}")
}

/// One job. Field names are an interface: they are added to, not changed.
#[derive(Serialize)]
struct Status<'a> {
    id: String,
    mirror: &'a str,
    /// `queued`, `running`, `done` or `failed`.
    state: &'static str,
    /// When it came into this state, in seconds since 1970.
    since: u64,
    /// Seconds that it has been waiting or running, or that the sync took.
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

/// What a sync that ended well did, in numbers: names would tell too much to too many.
#[derive(Serialize)]
struct Summary {
    changesets: u64,
    converted: u64,
    references: usize,
    changed: usize,
    notes: usize,
}

impl Summary {
    fn of(report: &SyncReport) -> Self {
        let changed = report.refs.iter().filter(|change| change.is_change());
        Self {
            changesets: report.changesets,
            converted: report.converted,
            references: report.refs.len(),
            changed: changed.count(),
            notes: report.notes.len(),
        }
    }
}

impl<'a> Status<'a> {
    fn of(job: &'a SyncJob, progress: Option<StageProgress>) -> Self {
        let (summary, failure) = match &job.state {
            JobState::Done(report) => (Some(Summary::of(report)), None),
            JobState::Failed(failure) => (None, Some(failure)),
            JobState::Queued | JobState::Running => (None, None),
        };
        Self {
            id: job.id.to_string(),
            mirror: job.key.name(),
            state: job.state.name(),
            since: job.since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            elapsed: (job.elapsed().as_secs_f64() * 1000.0).round() / 1000.0,
            progress,
            summary,
            error: failure.map(|failure| &*failure.message),
            fault: failure.map(|failure| failure.fault.name()),
            side: failure.map(|failure| failure.side.name()),
            hint: failure.and_then(|failure| failure.hint.as_deref()),
        }
    }
}

/// The answer to a request for the state of the job called `id`.
pub(super) fn response(app: &App, id: &str) -> Response {
    let job = id.parse().ok().and_then(|id| app.queue.job(id));
    let (status, json) = match &job {
        Some(job) => {
            (StatusCode::OK, serde_json::to_string(&Status::of(job, app.progress(job.id))))
        }
        None => (StatusCode::NOT_FOUND, Ok(r#"{"error":"no such job, or not any more"}"#.into())),
    };
    match json {
        Ok(json) => plain(status, "application/json", json + "\n"),
        Err(error) => {
            let text = format!("write the state: {error}\n");
            plain(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text)
        }
    }
}
