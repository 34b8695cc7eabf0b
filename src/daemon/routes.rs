//! Which path is what.
//!
//! | path | methods | what |
//! | --- | --- | --- |
//! | `/hook/<path>` | POST | a hook, answered at once |
//! | `/synchronise/` | POST | a hook of old, which waits for its sync |
//! | `/synchronise/state/<run>` | GET | the state of a run |
//! | `/healthz` | GET | whether we are there, and how busy |
//! | `/readyz` | GET | whether hooks are taken and synced |
//! | `/metrics` | GET | what is counted and measured |
//! | `/nodes/cache` | GET | a cache, for another daemon |
//! | `/api/v1/backup` | POST | a backup, over the admin socket alone |
//! | `/api/v1/notify-test` | POST | a test of receivers, over the admin socket alone |
//! | all others | | pages and API: `web` |
//!
//! A daemon that only syncs serves none of them to a network but the three that watch it, and caches.
//!
//! Methods are told apart by the handlers and not by warp's filters: those turn a wrong method into
//! a rejection, and rejections of several routes into one that is hard to foretell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tracing::Instrument as _;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method, StatusCode, header};
use warp::reply::Response;
use warp::{Buf, Filter, Reply, Stream};

use super::answer::{Answer, plain};
use super::app::App;
use super::intake::{self, Request};
use super::metrics::Format;
use super::sender::sender;
use super::server::Peer;
use super::web::Denied;
use super::{LONGEST_BEAT, backup, body, caches, notify, state, web};
use crate::config::SYNCHRONISE;
use crate::queue::model::RunId;

/// Everything that is served.
pub(super) fn routes(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let shared = Arc::clone(app);
    let state = warp::path!("synchronise" / "state" / String).and(warp::method()).then(
        move |id: String, method| {
            let app = Arc::clone(&shared);
            async move { get(&method, async { state_of(&app, &id).await }).await }
        },
    );
    let shown = state.boxed().or(hooks(app)).unify().or(backup::route(app)).unify().boxed();
    let shown = shown.or(notify::trial::route(app)).unify().boxed();
    let shown = shown.or(caches::route(app)).unify().boxed();
    let shown = shown.or(web::routes(Arc::clone(&app.web))).unify();
    watched(app, Need::ToRead).or(shown.boxed()).unify().boxed()
}

/// What a daemon serves that takes no hooks and shows no pages.
pub(super) fn working(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let elsewhere = warp::path::full()
        .map(|path: warp::path::FullPath| Answer::elsewhere(path.as_str()).into_response());
    let shown = caches::route(app).or(elsewhere.boxed()).unify();
    watched(app, Need::ToRead).or(shown.boxed()).unify().boxed()
}

/// What watches the daemon, for a listener that nobody else reaches.
pub(super) fn watching(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let nothing = warp::any()
        .map(|| Answer::new(StatusCode::NOT_FOUND, "There is nothing here.").into_response());
    watched(app, Need::Nothing).or(nothing.boxed()).unify().boxed()
}

/// What one needs to see the metrics, which name the mirrors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// To be let look at the pages.
    ToRead,
    /// To reach the listener.
    Nothing,
}

fn watched(app: &Arc<App>, need: Need) -> BoxedFilter<(Response,)> {
    let shared = Arc::clone(app);
    let health = warp::path!("healthz").and(warp::method()).then(move |method| {
        let app = Arc::clone(&shared);
        async move { get(&method, async { health(&app).await }).await }
    });
    let shared = Arc::clone(app);
    let ready = warp::path!("readyz").and(warp::method()).then(move |method| {
        let app = Arc::clone(&shared);
        async move { get(&method, async { ready(&app).await }).await }
    });
    let shared = Arc::clone(app);
    let request = warp::method()
        .and(warp::header::headers_cloned())
        .and(warp::filters::ext::optional::<Peer>());
    let metrics = warp::path!("metrics").and(request).then(
        move |method, headers: HeaderMap, peer: Option<Peer>| {
            let app = Arc::clone(&shared);
            let is_admin = matches!(peer, Some(Peer::Admin { .. }));
            let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
            let format = Format::accepted(accept);
            let may = match need == Need::Nothing || is_admin {
                true => Ok(()),
                false => app.web.may_read(&headers, peer),
            };
            async move {
                match may {
                    Ok(()) => get(&method, async { metrics_of(&app, format).await }).await,
                    Err(Denied::NoToken) => Answer::no_token().into_response(),
                    Err(Denied::Later(wait)) => Answer::too_many_guesses(wait).into_response(),
                }
            }
        },
    );
    health.boxed().or(ready.boxed()).unify().or(metrics.boxed()).unify().boxed()
}

/// The two kinds of endpoints.
fn hooks(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let request = || {
        let query = warp::query::raw().or(warp::any().map(String::new)).unify();
        warp::method()
            .and(query)
            .and(warp::header::headers_cloned())
            .and(warp::filters::ext::optional::<SocketAddr>())
            .and(warp::body::stream())
    };
    let shared = Arc::clone(app);
    let hook = warp::path!("hook" / String).and(request()).then(
        move |path: String, method: Method, query, headers, from, body| {
            let app = Arc::clone(&shared);
            let span = tracing::info_span!("hook", path);
            let answer = async move {
                if method != Method::POST {
                    return Answer::usage(&format!("hook/{path}")).into_response();
                }
                match arrive(&app, (query, headers, from), body).await {
                    Ok(request) => intake::hook(&app, &path, request).await,
                    Err(answer) => answer.into_response(),
                }
            };
            answer.instrument(span)
        },
    );
    let shared = Arc::clone(app);
    let synchronise = warp::path!("synchronise").and(request()).then(
        move |method, query, headers, from, body| {
            let app = Arc::clone(&shared);
            let span = tracing::info_span!("hook", path = SYNCHRONISE);
            let answer = async move {
                if method != Method::POST {
                    return Answer::usage_of_old().into_response();
                }
                match arrive(&app, (query, headers, from), body).await {
                    Ok(request) => intake::synchronise(&app, request).await.into_response(),
                    Err(answer) => answer.into_response(),
                }
            };
            answer.instrument(span)
        },
    );
    hook.boxed().or(synchronise.boxed()).unify().boxed()
}

/// All of a request, or the answer to one that does not arrive as it should.
async fn arrive<B: Buf>(
    app: &App,
    (query, headers, from): (String, HeaderMap, Option<SocketAddr>),
    body: impl Stream<Item = Result<B, warp::Error>>,
) -> Result<Request, Answer> {
    let config = app.service.config();
    let options = &config.daemon;
    let body = body::read(body, options.max_body, options.request_timeout).await;
    let body = body.map_err(|error| {
        tracing::info!("a hook did not arrive: {error}");
        error.answer()
    })?;
    // Only a socket that is no network's has no address.
    let from = from.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |from| from.ip());
    let from = sender(from, &headers, &config.web.trusted_proxies);
    Ok(Request { query, headers, body, from })
}

/// What `answer` says, if it was asked for as it should be.
async fn get(method: &Method, answer: impl Future<Output = Response>) -> Response {
    match *method {
        Method::GET | Method::HEAD => answer.await,
        _ => Answer::method_not_allowed("GET, HEAD", "This is asked for by GET.").into_response(),
    }
}

async fn health(app: &Arc<App>) -> Response {
    match app.blocking(|app| app.actions.overview()).await {
        Ok(overview) => Answer::alive(&overview).into_response(),
        Err(error) => Answer::unavailable(&error).into_response(),
    }
}

async fn ready(app: &Arc<App>) -> Response {
    let overview = match app.blocking(|app| app.actions.overview()).await {
        Ok(overview) => overview,
        Err(error) => return Answer::unavailable(&error).into_response(),
    };
    let reason = if !app.service.role().serves() {
        "It takes no hooks: its role is \"work\"."
    } else if overview.stopping {
        "The daemon is stopping."
    } else if overview.trouble.is_some() {
        "The queue cannot be used; the log says why."
    } else if overview.now.since(overview.beat) > LONGEST_BEAT {
        "The queue does not move."
    } else {
        return Answer::new(StatusCode::OK, "ready").into_response();
    };
    Answer::new(StatusCode::SERVICE_UNAVAILABLE, reason).into_response()
}

async fn metrics_of(app: &Arc<App>, format: Format) -> Response {
    let shared = Arc::clone(app);
    let text = tokio::task::spawn_blocking(move || shared.metrics.text(format)).await;
    match text {
        Ok(Ok(text)) => plain(StatusCode::OK, format.content_type(), text),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn state_of(app: &Arc<App>, id: &str) -> Response {
    let run = match id.parse::<RunId>() {
        Ok(id) => app.blocking(move |app| app.actions.run(id)).await,
        Err(_) => Ok(None),
    };
    match run {
        Ok(run) => state::response(run.as_ref(), app.now()),
        Err(error) => Answer::unavailable(&error).into_response(),
    }
}
