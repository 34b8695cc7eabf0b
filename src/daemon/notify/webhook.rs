//! A POST of JSON, signed as Standard Webhooks has it
//! (<https://github.com/standard-webhooks/standard-webhooks>).

use std::path::PathBuf;
use std::time::Duration;

use super::error::NotifyError;
use crate::base::Interrupt;
use crate::hook::sign_standard_webhook;
use crate::net::http::{ApiClient, ApiRequest, Introduction, WebAddress};
use crate::net::{Access, SecretSource, SourceUrl, Timeouts};

/// The longest that there may be no connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Who we are.
const INTRODUCTION: Introduction =
    Introduction { user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")), accept: "*/*" };

/// Where to, and how.
pub(super) struct Way<'a> {
    pub(super) address: &'a WebAddress,
    pub(super) plain_http: bool,
    pub(super) secret: Option<&'a SecretSource>,
    pub(super) ca_file: Option<&'a PathBuf>,
}

/// What is sent.
pub(super) struct Letter<'a> {
    pub(super) id: &'a str,
    pub(super) body: &'a str,
    /// When, in seconds since 1970.
    pub(super) seconds: i64,
}

/// Posts it once. No redirect is followed: only the operator says where messages go.
pub(super) fn post(
    way: &Way<'_>,
    letter: &Letter<'_>,
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<(), NotifyError> {
    let timeouts = Timeouts { connect: limit.min(CONNECT), first_byte: limit, idle: limit };
    let access = Access {
        ca_file: way.ca_file.cloned(),
        plain_http: way.plain_http,
        timeouts,
        ..Access::default()
    };
    // What messages show is the server alone: the path may be as good as a secret.
    let server = SourceUrl { path: String::new(), ..way.address.server.clone() };
    let client = ApiClient::new(&server, &access, INTRODUCTION, interrupt)?;
    let seconds = letter.seconds.to_string();
    let signature = match way.secret {
        None => None,
        Some(secret) => {
            let secret = secret.line()?;
            let body = letter.body.as_bytes();
            let signed = sign_standard_webhook(&secret, letter.id, letter.seconds, body);
            Some(signed.ok_or(NotifyError::Key)?)
        }
    };
    let mut headers = vec![("webhook-id", letter.id), ("webhook-timestamp", seconds.as_str())];
    headers.extend(signature.as_deref().map(|signature| ("webhook-signature", signature)));
    let answer = client.send(&ApiRequest {
        method: "POST",
        path: &way.address.to_string(),
        command: "a notification",
        headers: &headers,
        bearer: None,
        body: Some(letter.body),
    })?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let wait = answer.header("retry-after").and_then(|text| text.trim().parse().ok());
    Err(NotifyError::Status { status: answer.status, wait: wait.map(Duration::from_secs) })
}
