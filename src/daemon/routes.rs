//! Which path is what.
//!
//! | path | methods | what |
//! | --- | --- | --- |
//! | `/synchronise/` and those of other formats | POST | a hook |
//! | `/synchronise/state/<job>` | GET | the state of a sync |
//! | `/healthz` | GET | whether we are there, and how busy |
//!
//! Methods are told apart by the handlers and not by warp's filters: those turn a wrong method into
//! a rejection, and rejections of several routes into one that is hard to foretell.

use std::convert::Infallible;
use std::sync::Arc;

use tracing::Instrument as _;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;
use warp::{Buf, Filter, Reply, Stream};

use super::answer::Answer;
use super::app::App;
use super::{body, intake, state};
use crate::hook::{Delivery, bitbucket_post};

/// Where Bitbucket's hook arrives.
const HOOK: &str = "synchronise";

/// Everything that is served.
pub(super) fn routes(
    app: Arc<App>,
) -> impl Filter<Extract = (impl Reply,), Error = Infallible> + Clone + Send + Sync + 'static {
    let health_app = Arc::clone(&app);
    let health =
        warp::path!("healthz").and(warp::method()).map(move |method| health(&health_app, &method));
    let state_app = Arc::clone(&app);
    let state = warp::path!("synchronise" / "state" / String)
        .and(warp::method())
        .map(move |id: String, method| state_of(&state_app, &id, &method));
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let hook = warp::path!(String)
        .and(warp::method())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::stream())
        .then(move |path: String, method, query, headers, body| {
            let app = Arc::clone(&app);
            let span = tracing::info_span!("request", %method, path);
            async move { hook(&app, &path, &method, query, headers, body).await }.instrument(span)
        });
    let nothing = warp::any().map(not_found);
    health.or(state).unify().or(hook).unify().or(nothing).unify()
}

fn health(app: &App, method: &Method) -> Response {
    match *method {
        Method::GET | Method::HEAD => Answer::alive(app.queue.load()).into_response(),
        _ => Answer::method_not_allowed("GET, HEAD", "Health is asked for by GET.").into_response(),
    }
}

fn state_of(app: &App, id: &str, method: &Method) -> Response {
    match *method {
        Method::GET | Method::HEAD => state::response(app, id),
        _ => {
            Answer::method_not_allowed("GET, HEAD", "A state is asked for by GET.").into_response()
        }
    }
}

fn not_found() -> Response {
    Answer::new(StatusCode::NOT_FOUND, "There is nothing here.").into_response()
}

/// A request to the path of hooks, if `path` is it.
async fn hook<B: Buf>(
    app: &App,
    path: &str,
    method: &Method,
    query: String,
    headers: HeaderMap,
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Response {
    if path != HOOK {
        return not_found();
    }
    let format = &bitbucket_post::FORMAT;
    if *method != Method::POST {
        return Answer::usage(path).into_response();
    }
    let answer = match body::read(body, app.max_body, app.body_timeout).await {
        Err(error) => {
            tracing::info!("a hook did not arrive: {error}");
            error.answer()
        }
        Ok(body) => {
            let headers: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let delivery = Delivery { headers: &headers, query: &query, body: &body };
            intake::hook(app, format, &delivery, path).await
        }
    };
    tracing::info!(status = answer.status.as_u16(), format = format.name, "answered a hook");
    answer.into_response()
}
