//! What is said if something cannot be shown or done: as JSON (RFC 9457) to programs, as a page to people.

use std::time::Duration;

use serde_json::json;
use warp::http::StatusCode;
use warp::http::header::{self, HeaderName};

use super::answer::Answer;
use super::pages;
use crate::base::clean::with_causes;
use crate::base::{Fault, HasFault as _};
use crate::service::view::ServiceError;

/// Why a request is not answered as it was meant.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// What is wrong, in whole sentences.
    pub(super) detail: String,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), headers: Vec::new() }
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, detail)
    }

    /// No token came with the request, or none that is known.
    pub(super) fn unauthorised(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, detail).header(header::WWW_AUTHENTICATE, "Bearer")
    }

    pub(super) fn method(allow: String) -> Self {
        let detail = format!("This address takes {allow} and no other method.");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, detail).header(header::ALLOW, allow)
    }

    /// The host that was asked is not ours.
    pub(super) fn misdirected() -> Self {
        let detail = "This service does not answer to the name in the address. The right one is \
                      \"public_url\" in its configuration.";
        Self::new(StatusCode::MISDIRECTED_REQUEST, detail)
    }

    /// Later, perhaps.
    pub(super) fn later(status: StatusCode, detail: impl Into<String>, seconds: u32) -> Self {
        Self::new(status, detail).header(header::RETRY_AFTER, seconds.to_string())
    }

    /// To who sends too many tokens that are not known.
    pub(super) fn too_many_guesses(wait: Duration) -> Self {
        let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
        let detail = format!(
            "Too many tokens that are not known came from this address. The next one is looked at in {seconds} s."
        );
        Self::later(StatusCode::TOO_MANY_REQUESTS, detail, seconds)
    }

    fn header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The title that a status has.
    pub(super) fn title(&self) -> &'static str {
        match self.status {
            StatusCode::BAD_REQUEST => "The request is not valid",
            StatusCode::UNAUTHORIZED => "A token is needed",
            StatusCode::FORBIDDEN => "This is not allowed",
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::REQUEST_TIMEOUT => "The request did not arrive in time",
            StatusCode::PAYLOAD_TOO_LARGE => "The request is too large",
            StatusCode::MISDIRECTED_REQUEST => "This is another host",
            StatusCode::METHOD_NOT_ALLOWED => "The method is not allowed",
            StatusCode::TOO_MANY_REQUESTS => "Too many requests",
            StatusCode::SERVICE_UNAVAILABLE => "Not now",
            _ => "Something went wrong",
        }
    }

    /// As it is sent.
    pub(super) fn answer(self, is_page: bool) -> Answer {
        let answer = if is_page {
            Answer::html(pages::problem(&self))
        } else {
            let (title, status) = (self.title(), self.status.as_u16());
            let body = json!({
                "type": "about:blank", "title": title, "status": status, "detail": self.detail,
            });
            Answer::new("application/problem+json", body.to_string())
        };
        let answer = answer.status(self.status);
        self.headers.into_iter().fold(answer, |answer, (name, value)| answer.header(name, value))
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        let because = with_causes(&error);
        match error {
            ServiceError::NoMirror { .. } => Self::not_found("No mirror has this name."),
            ServiceError::Stopping => {
                let detail = "The service is stopping. Try again in a minute.";
                Self::later(StatusCode::SERVICE_UNAVAILABLE, detail, 60)
            }
            ServiceError::Queue(error) => {
                tracing::error!("the queue could not be asked: {because}");
                match error.fault() {
                    Fault::Unavailable | Fault::Interrupted => {
                        let detail = "The queue cannot be used at the moment; the log says why.";
                        Self::later(StatusCode::SERVICE_UNAVAILABLE, detail, 60)
                    }
                    _ => Self::new(
                        StatusCode::INTERNAL_SERVER_ERROR,
                        "The queue could not be asked; the log says why.",
                    ),
                }
            }
        }
    }
}
