//! `POST /api/v1/notify-test`: a message to receivers, so that a person sees whether it arrives; for who uses the
//! admin socket and for nobody else.

use std::sync::Arc;
use std::thread;

use percent_encoding::percent_decode_str;
use serde::Serialize;
use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use super::message::Message;
use super::receiver::attempt;
use crate::base::clean::with_causes;
use crate::base::{HasFault as _, Interrupt, Side};
use crate::config::NotifyConfig;
use crate::daemon::answer::plain;
use crate::daemon::app::App;
use crate::daemon::backup::problem;
use crate::daemon::server::Peer;
use crate::queue::model::RunId;
use crate::service::view::FailureView;

/// What became of all of them.
#[derive(Serialize)]
struct Trial {
    receivers: Vec<Told>,
}

/// What became of one.
#[derive(Serialize)]
struct Told {
    name: String,
    failure: Option<FailureView>,
}

/// The route.
pub(in crate::daemon) fn route(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let app = Arc::clone(app);
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let peer = warp::filters::ext::optional::<Peer>();
    let path = warp::path!("api" / "v1" / "notify-test").and(warp::method()).and(query).and(peer);
    path.then(move |method, query: String, peer| {
        let app = Arc::clone(&app);
        async move {
            match (method, peer) {
                (Method::POST, Some(Peer::Admin { .. })) => answer(app, query).await,
                _ => problem(StatusCode::NOT_FOUND, "There is nothing at this address."),
            }
        }
    })
    .boxed()
}

async fn answer(app: Arc<App>, query: String) -> Response {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let wanted = pairs.filter(|(key, _)| *key == "receiver");
    let wanted: Vec<_> =
        wanted.map(|(_, name)| percent_decode_str(name).decode_utf8_lossy().into_owned()).collect();
    let config = app.service.config();
    let unknown = wanted.iter().find(|name| !config.notify.iter().any(|it| it.name == **name));
    if let Some(name) = unknown {
        let detail = format!("No receiver is called {name:?}: [notify.{name}] is not configured.");
        return problem(StatusCode::NOT_FOUND, &detail);
    }
    if config.notify.is_empty() {
        let detail = "Nobody is told of anything: no [notify.NAME] is configured.";
        return problem(StatusCode::NOT_FOUND, detail);
    }
    let tried = tokio::task::spawn_blocking(move || {
        let is_wanted = |it: &&NotifyConfig| wanted.is_empty() || wanted.contains(&it.name);
        let receivers: Vec<_> = config.notify.iter().filter(is_wanted).collect();
        let message = Message::test(config.web.public_url.as_deref(), app.now());
        Trial { receivers: try_all(&receivers, &message) }
    });
    match tried.await.map(|trial| serde_json::to_string(&trial)) {
        Ok(Ok(json)) => plain(StatusCode::OK, "application/json", json),
        _ => problem(StatusCode::INTERNAL_SERVER_ERROR, "The receivers could not be tried."),
    }
}

/// Tells all of them at the same time, each once.
fn try_all(receivers: &[&NotifyConfig], message: &Message) -> Vec<Told> {
    let id = format!("msg_{}", RunId::random());
    let try_one = |config: &NotifyConfig| {
        let told = attempt(config, message, &id, &Interrupt::default());
        let failure = told.err().map(|error| FailureView {
            fault: error.fault(),
            side: Side::Here,
            message: with_causes(&error),
            hint: error.hint(),
        });
        match &failure {
            None => tracing::info!(receiver = config.name, "a test was sent"),
            Some(failure) => {
                tracing::warn!(receiver = config.name, "a test was not sent: {}", failure.message);
            }
        }
        Told { name: config.name.clone(), failure }
    };
    thread::scope(|scope| {
        let started: Vec<_> =
            receivers.iter().map(|config| scope.spawn(move || try_one(config))).collect();
        started.into_iter().filter_map(|thread| thread.join().ok()).collect()
    })
}
