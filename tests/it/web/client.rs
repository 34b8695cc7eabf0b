//! Asks the web side as a browser or a program does, without a connection.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use synchroniser::daemon::web::{
    Read, Request, Scope, StoredToken, WebAccess, WebOptions, WebState, respond,
};
use tokio::runtime::Runtime;
use warp::http::{HeaderMap, HeaderName, Method};
use warp::hyper::body::Body as _;

use crate::support::fake_service::{FakeService, Still, world};

/// The tokens that there are, each for the scope of its name.
pub(super) const TOKENS: [(&str, Scope); 3] = [
    ("token-to-read", Scope::Read),
    ("token-to-trigger", Scope::Trigger),
    ("token-of-admin", Scope::Admin),
];

pub(super) fn access(read: Read) -> WebAccess {
    let token = |(text, scope): (&str, Scope)| StoredToken {
        name: text.to_owned(),
        sha256: Sha256::digest(text).into(),
        scope,
    };
    WebAccess { read, tokens: TOKENS.map(token).to_vec() }
}

pub(super) fn options(read: Read) -> WebOptions {
    WebOptions { access: access(read), ..WebOptions::default() }
}

/// A web side, and the runtime that it runs in.
pub(super) struct Web {
    pub(super) runtime: Runtime,
    pub(super) state: Arc<WebState>,
    pub(super) service: Arc<FakeService>,
    pub(super) clock: Arc<Still>,
}

/// An answer with its body.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }
}

/// A request of a browser or program on this machine.
pub(super) fn request(
    method: &str,
    address: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Request {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let headers = [("host", "localhost:8377")].iter().chain(headers);
    let headers =
        headers.map(|(name, value)| (HeaderName::try_from(*name).unwrap(), value.parse().unwrap()));
    Request {
        method: Method::try_from(method).unwrap(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
        from: IpAddr::from([127, 0, 0, 1]),
        is_admin: false,
    }
}

impl Web {
    pub(super) fn new(service: Arc<FakeService>, options: WebOptions) -> Self {
        let clock = Still::new();
        let state = Arc::new(WebState::new(
            Arc::clone(&service) as Arc<_>,
            Arc::clone(&clock) as Arc<_>,
            options,
        ));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, state, service, clock }
    }

    /// One that everybody may look at.
    pub(super) fn open() -> Self {
        Self::new(world(), options(Read::Open))
    }

    pub(super) fn ask(&self, request: Request) -> Answer {
        self.runtime.block_on(async {
            let response = respond(&self.state, request).await;
            let (parts, mut body) = response.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) =
                std::future::poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
            {
                bytes.extend(frame.unwrap().into_data().unwrap());
            }
            let body = String::from_utf8(bytes).unwrap();
            Answer { status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }

    pub(super) fn get(&self, address: &str) -> Answer {
        self.ask(request("GET", address, &[], ""))
    }

    /// A request with a token.
    pub(super) fn with(&self, token: &str, method: &str, address: &str) -> Answer {
        let token = format!("Bearer {token}");
        self.ask(request(method, address, &[("authorization", &token)], ""))
    }

    /// Logs in, and returns the cookie.
    pub(super) fn log_in(&self, token: &str) -> String {
        let headers = [("sec-fetch-site", "same-origin"), ("origin", "http://localhost:8377")];
        let answer = self.ask(request("POST", "/login", &headers, &format!("token={token}")));
        assert_eq!(answer.status, 303, "{}", answer.body);
        let cookie = answer.header("set-cookie");
        cookie.split_once(';').unwrap().0.to_owned()
    }
}
