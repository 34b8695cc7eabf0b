//! Answers, and the headers that all of them have.

use maud::Markup;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use warp::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use warp::http::{Method, StatusCode};
use warp::reply::Response;

use super::request::Request;
use crate::base::hex;

/// What a browser may do with our answers: show them, with our styles and our script, and send forms back.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// An answer whose body is known.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    headers: Vec<(HeaderName, String)>,
    body: Vec<u8>,
}

impl Answer {
    pub(super) fn new(content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![(header::CONTENT_TYPE, content_type.to_owned())];
        Self { status: StatusCode::OK, headers, body: body.into() }
    }

    pub(super) fn html(markup: Markup) -> Self {
        Self::new("text/html; charset=utf-8", markup.into_string())
    }

    pub(super) fn json(value: &impl Serialize) -> Self {
        // Our types have no maps with keys that are no text, which alone could fail.
        Self::new("application/json", serde_json::to_vec(value).unwrap_or_default())
    }

    pub(super) fn text(text: String) -> Self {
        Self::new("text/plain; charset=utf-8", text)
    }

    /// Sends the browser to another page of ours, which it gets by GET.
    pub(super) fn see_other(path: impl Into<String>) -> Self {
        let headers = vec![(header::LOCATION, path.into())];
        Self { status: StatusCode::SEE_OTHER, headers, body: Vec::new() }
    }

    #[must_use]
    pub(super) fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    #[must_use]
    pub(super) fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Names the version of this answer; if the client has it already, the body is left out.
    pub(super) fn unless_known(mut self, request: &Request) -> Self {
        let has_version = self.headers.iter().any(|(name, _)| name == header::ETAG);
        if request.method != Method::GET || self.status != StatusCode::OK || has_version {
            return self;
        }
        let version = version(&self.body);
        let known = request.header("if-none-match").unwrap_or_default();
        let mut known = known.split(',').map(|it| it.trim().trim_start_matches("W/"));
        if known.any(|known| known == version || known == "*") {
            self.status = StatusCode::NOT_MODIFIED;
            self.body.clear();
        }
        self.header(header::ETAG, version)
    }
}

/// The name of what these bytes are, in the form of an `ETag`.
fn version(body: &[u8]) -> String {
    format!("\"{}\"", short_hash(body))
}

/// What differs if the bytes do: 16 hex digits.
pub(super) fn short_hash(bytes: &[u8]) -> String {
    long_hash(bytes).chars().take(16).collect()
}

/// What nobody can find other bytes for: 64 hex digits.
pub(super) fn long_hash(bytes: &[u8]) -> String {
    hex::encode(&Sha256::digest(bytes))
}

impl From<Answer> for Response {
    fn from(answer: Answer) -> Self {
        let mut response = Response::new(answer.body.into());
        *response.status_mut() = answer.status;
        for (name, value) in answer.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().append(name, value);
            } else {
                tracing::error!(%name, "a header could not be made");
            }
        }
        response
    }
}

/// Adds the headers that every answer has.
pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    // What has names in it is kept by nobody; files that never change say so themselves.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}
