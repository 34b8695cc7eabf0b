//! One hook: from the bytes of a request to the answer.
//!
//! Two kinds of endpoints answer in two manners. `/hook/PATH` answers at once, with the ids of the runs, as
//! the forges of today want it. `/synchronise/` is a contract of old: its senders wait for the sync, and
//! read a reason from the answer.

use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;
use warp::http::{HeaderMap, StatusCode};
use warp::reply::{Reply as _, Response};

use super::answer::{Answer, plain};
use super::app::App;
use super::state;
use crate::config::SYNCHRONISE;
use crate::hook::Delivery;
use crate::queue::model::RunId;
use crate::service::{AskedFor, Received};

/// A request as it came in, all of it.
pub(super) struct Request {
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) from: IpAddr,
}

/// Takes a hook for the endpoint at `path` of the service.
async fn receive(app: &Arc<App>, path: &str, request: Request) -> Received {
    let path = path.to_owned();
    let received = app.blocking(move |app| {
        let Request { query, headers, body, from } = &request;
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        Ok(app.service.receive(&path, &Delivery { headers: &headers, query, body }, *from))
    });
    received.await.unwrap_or_else(Received::Unavailable)
}

/// An answer that is the same at both kinds of endpoints.
fn nothing_here() -> Answer {
    Answer::new(StatusCode::NOT_FOUND, "There is nothing here.")
}

/// A hook to `/synchronise/`: it waits for its sync, as long as is configured.
pub(super) async fn synchronise(app: &Arc<App>, request: Request) -> Answer {
    let received = receive(app, SYNCHRONISE, request).await;
    match received {
        Received::NoEndpoint => nothing_here(),
        Received::Unproven => Answer::unproven(),
        Received::TooMany(wait) => Answer::too_many(wait),
        Received::Unavailable(error) => Answer::unavailable(&error),
        Received::Malformed(error) => Answer::bad_payload(error),
        Received::Unmatched { user, project, .. } => Answer::no_mirror(&user, &project),
        Received::Ignored(what) => Answer::new(StatusCode::OK, format!("Nothing to do: {what}")),
        Received::Accepted(asked) => match asked.first() {
            Some(asked) => outcome(app, asked).await,
            None => Answer::new(StatusCode::OK, "Nothing to do"),
        },
    }
}

async fn outcome(app: &Arc<App>, asked: &AskedFor) -> Answer {
    match app.outcome(asked.receipt.run, app.service.config().daemon.wait).await {
        Ok(Some(run)) => Answer::of_run(asked, &run, app.now()),
        Ok(None) => Answer::forgotten(asked),
        Err(error) => Answer::unavailable(&error),
    }
}

/// The answer of `/hook/`. Field names are an interface: they are added to, not changed.
#[derive(Serialize)]
struct Taken<'a> {
    /// `accepted` or `ignored`.
    result: &'a str,
    /// Why nothing is asked for, if nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The runs that answer, one for each mirror.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    runs: Vec<TakenRun<'a>>,
}

#[derive(Serialize)]
struct TakenRun<'a> {
    mirror: &'a str,
    run: RunId,
    /// Where its state is found.
    state: String,
}

/// A hook to `/hook/PATH`: it is answered as soon as what it asks for is durable.
pub(super) async fn hook(app: &Arc<App>, path: &str, request: Request) -> Response {
    let received = receive(app, path, request).await;
    let ignored = |reason| Taken { result: "ignored", reason: Some(reason), runs: Vec::new() };
    match &received {
        Received::NoEndpoint => nothing_here().into_response(),
        Received::Unproven => Answer::unproven().into_response(),
        Received::TooMany(wait) => Answer::too_many(*wait).into_response(),
        Received::Unavailable(error) => Answer::unavailable(error).into_response(),
        Received::Malformed(error) => {
            Answer::new(StatusCode::BAD_REQUEST, format!("Failed to {error}.")).into_response()
        }
        Received::Accepted(asked) => {
            let runs = asked.iter().map(|asked| TakenRun {
                mirror: &asked.receipt.key,
                run: asked.receipt.run,
                state: state::path_of(asked.receipt.run),
            });
            let taken = Taken { result: "accepted", reason: None, runs: runs.collect() };
            json(StatusCode::ACCEPTED, &taken)
        }
        Received::Ignored(what) => json(StatusCode::OK, &ignored(what.clone())),
        // Some forges switch a hook off that gets anything but a success.
        Received::Unmatched { about, .. } => {
            json(StatusCode::OK, &ignored(format!("no mirror is configured for {about}")))
        }
    }
}

fn json(status: StatusCode, taken: &Taken<'_>) -> Response {
    // It has no maps with keys that are no text, which alone could fail.
    let text = serde_json::to_string(taken).unwrap_or_default();
    plain(status, "application/json", text + "\n")
}
