//! The web side: pages for people, an API for programs, badges, a feed and a stream of events.
//!
//! Everything that is served is in one table, `routes`, which also makes the `OpenAPI` document and the page
//! that shows it. A request goes one way: `routes` finds who answers, `access` whether that may be, a
//! handler makes an `Answer` or a `Problem`, and every answer gets the
//! same headers. Handlers are plain functions that may block; only what waits is asynchronous (`events`).
//! All that is shown comes from [`Actions`].

mod access;
mod answer;
mod api;
mod assets;
mod badge;
mod events;
mod feed;
mod guesses;
mod icon;
mod openapi;
mod pages;
mod paging;
mod problem;
mod request;
mod routes;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use warp::Filter;
use warp::filters::BoxedFilter;
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;

pub use openapi::document as openapi;
pub use request::Request;

pub use crate::config::{Read, Scope, StoredToken, WebAccess};

use super::body::{self, BodyError};
use super::sender::sender;
use super::server::Peer;
use crate::base::time::{Clock, Timestamp};
use crate::net::Network;
use crate::service::view::{Actions, ServiceError, ServiceEvent};
pub use access::Denied;
use access::{Access, Visitor};
use events::Events;
use guesses::Given;
use problem::Problem;
use routes::{Find, Handler, Route};

/// The largest body of a request, in bytes: forms have two short fields.
const MAX_BODY: usize = 16 << 10;

/// What can be another one from one request to the next.
#[derive(Clone, Debug)]
pub struct WebSettings {
    /// The address under which others reach the pages, such as `https://mirrors.example.org`. Without one,
    /// feeds and badges use what the browser has asked for.
    pub public_url: Option<String>,
    /// How long a request may take to send its body.
    pub body_timeout: Duration,
    /// The proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
}

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct WebOptions {
    /// Who may look and ask.
    pub access: WebAccess,
    /// What can be another one later.
    pub settings: WebSettings,
    /// How many streams of events one address may have at the same time.
    pub streams_per_address: usize,
    /// How many streams of events there may be at the same time.
    pub streams: usize,
    /// How long a stream of events lasts; a browser then connects again and goes on where it was.
    pub longest_stream: Duration,
    /// How long a request may wait for a run to end.
    pub longest_wait: Duration,
    /// How often a run is looked at that is waited for, where it may be under way elsewhere.
    pub look_every: Option<Duration>,
}

impl Default for WebSettings {
    fn default() -> Self {
        Self {
            public_url: None,
            body_timeout: Duration::from_secs(10),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Default for WebOptions {
    fn default() -> Self {
        Self {
            access: WebAccess::default(),
            settings: WebSettings::default(),
            streams_per_address: 6,
            streams: 200,
            longest_stream: Duration::from_hours(1),
            longest_wait: Duration::from_mins(1),
            look_every: None,
        }
    }
}

/// What all requests share.
pub struct WebState {
    service: Arc<dyn Actions>,
    clock: Arc<dyn Clock>,
    access: Access,
    events: Events,
    settings: RwLock<WebSettings>,
    longest_wait: Duration,
    look_every: Option<Duration>,
}

impl std::fmt::Debug for WebState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebState").finish_non_exhaustive()
    }
}

impl WebState {
    /// Shows and asks `service`.
    pub fn new(service: Arc<dyn Actions>, clock: Arc<dyn Clock>, options: WebOptions) -> Self {
        let events = Events::new(clock.now(), &options);
        let WebOptions { access, settings, longest_wait, look_every, .. } = options;
        let (access, settings) = (Access::new(access), RwLock::new(settings));
        Self { service, clock, access, events, settings, longest_wait, look_every }
    }

    /// Tells those who follow. To be called with each event of the service, from any thread; it does not
    /// block.
    pub fn publish(&self, event: &ServiceEvent) {
        self.events.publish(event);
    }

    /// From now on, these may look and ask. Sessions whose token is gone end.
    pub fn set_access(&self, access: WebAccess) {
        self.access.set(access);
    }

    /// From now on, this holds.
    pub fn configure(&self, settings: WebSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn settings(&self) -> WebSettings {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether whoever sends these headers may look.
    pub(super) fn may_read(&self, headers: &HeaderMap, peer: Option<Peer>) -> Result<(), Denied> {
        self.access.may_read(headers, self.sender(headers, peer), self.clock.now())
    }

    /// What whoever sends these headers proves with what stands in place of a token there. Guesses are slowed down as
    /// those of tokens are.
    pub(super) fn proved<T>(
        &self,
        headers: &HeaderMap,
        peer: Option<Peer>,
        proves: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Denied> {
        let (from, now) = (self.sender(headers, peer), self.clock.now());
        let sent = headers.get("authorization").and_then(|sent| sent.to_str().ok());
        let token = sent.and_then(access::bearer).ok_or(Denied::NoToken)?;
        let guesses = &self.access.guesses;
        guesses.may_try(from, Given::Header, now).map_err(Denied::Later)?;
        proves(token).ok_or_else(|| {
            guesses.failed(from, Given::Header, now);
            Denied::NoToken
        })
    }

    /// Where a request with these headers comes from.
    fn sender(&self, headers: &HeaderMap, peer: Option<Peer>) -> IpAddr {
        let peer = match peer {
            Some(Peer::Network(address)) => address.ip(),
            Some(Peer::Admin { .. }) | None => Ipv4Addr::LOCALHOST.into(),
        };
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        sender(peer, headers, &settings.trusted_proxies)
    }

    /// Forgets the sessions of browsers that are over. May block for as long as a disk takes.
    pub(super) fn expire_sessions(&self) -> Result<(), ServiceError> {
        Ok(Access::expire(self.service.sessions(), self.clock.now())?)
    }

    /// Ends all streams, and all waiting for runs.
    pub fn close(&self) {
        self.events.close();
    }
}

/// Something that is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path; `{name}` or `{id}` stands for one part of it.
    pub path: &'static str,
}

/// All that is served.
pub fn served() -> impl Iterator<Item = Served> {
    routes::ROUTES.iter().map(|route| Served { method: route.method, path: route.path })
}

/// A request on its way to the function that answers it.
struct Visit<'a> {
    state: &'a WebState,
    request: &'a Request,
    visitor: &'a Visitor,
    /// What stands for `{name}` or `{id}` in the path, decoded; empty where the path has neither.
    name: &'a str,
    now: Timestamp,
}

impl Visit<'_> {
    fn service(&self) -> &dyn Actions {
        &*self.state.service
    }
}

/// Answers all requests that reach it, unknown paths too.
pub fn routes(state: Arc<WebState>) -> BoxedFilter<(Response,)> {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let peer = warp::filters::ext::optional::<Peer>();
    warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(peer)
        .and(warp::body::stream())
        .then(
            move |method: Method,
                  path: warp::path::FullPath,
                  query,
                  headers: HeaderMap,
                  peer: Option<Peer>,
                  body| {
                let state = Arc::clone(&state);
                let from = state.sender(&headers, peer);
                let is_admin = matches!(peer, Some(Peer::Admin { .. }));
                let path = path.as_str().to_owned();
                async move {
                    let timeout = state.settings().body_timeout;
                    match body::read(body, MAX_BODY, timeout).await {
                        Ok(body) => {
                            let request =
                                Request { method, path, query, headers, body, from, is_admin };
                            respond(&state, request).await
                        }
                        Err(error) => not_arrived(&error, &path),
                    }
                }
            },
        )
        .boxed()
}

/// The answer to a request whose body was not read.
fn not_arrived(error: &BodyError, path: &str) -> Response {
    let problem = Problem::new(error.status(), error.to_string());
    let mut response = problem.answer(!path.starts_with("/api/")).into();
    answer::secure(Response::headers_mut(&mut response));
    response
}

/// Answers one request. HEAD is answered as GET; the connection leaves the body out.
pub async fn respond(state: &Arc<WebState>, mut request: Request) -> Response {
    if request.method == Method::HEAD {
        request.method = Method::GET;
    }
    let is_page = !request.path.starts_with("/api/");
    let is_for_us = request.is_for_us(state.settings().public_url.as_deref());
    let mut response = match routes::find(&request) {
        _ if !is_for_us => Problem::misdirected().answer(is_page).into(),
        Find::Route { route, name } => visit(state, request, route, name).await,
        Find::Method { allow } => Problem::method(allow).answer(is_page).into(),
        Find::Nothing => {
            Problem::not_found("There is nothing at this address.").answer(is_page).into()
        }
    };
    answer::secure(response.headers_mut());
    response
}

/// Answers a request that the table has a line for.
async fn visit(
    state: &Arc<WebState>,
    request: Request,
    route: &'static Route,
    name: String,
) -> Response {
    let admitting = Arc::clone(state);
    // Whose session it is, a database may know.
    let admitted = tokio::task::spawn_blocking(move || {
        let WebState { access, service, clock, .. } = &*admitting;
        let visitor = access.admit(&request, route, service.sessions(), clock.now());
        visitor.map(|visitor| (visitor, request))
    });
    let (visitor, request) = match admitted.await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(refusal)) => return refusal.into(),
        Err(error) => return not_shown(route, &error),
    };
    let function = match route.handler {
        Handler::Now(function) => function,
        Handler::OnceOver(function) => {
            events::until_over(state, &request, &name).await;
            function
        }
        Handler::Stream => return events::stream(state, &request),
    };
    let state = Arc::clone(state);
    let answer = move || {
        let now = state.clock.now();
        let (request, visitor, name) = (&request, &visitor, name.as_str());
        let visit = Visit { state: &state, request, visitor, name, now };
        match function(&visit) {
            Ok(answer) => answer.unless_known(request),
            Err(problem) => problem.answer(route.is_page()),
        }
    };
    match tokio::task::spawn_blocking(answer).await {
        Ok(answer) => answer.into(),
        Err(error) => not_shown(route, &error),
    }
}

/// The answer where something went wrong that cannot.
fn not_shown(route: &Route, error: &tokio::task::JoinError) -> Response {
    tracing::error!(path = route.path, "a page could not be made: {error}");
    let problem = Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "This could not be shown.");
    problem.answer(route.is_page()).into()
}
