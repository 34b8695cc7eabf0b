//! Requests to an API: any method, any status, short answers as text.

use std::io::Read as _;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use ureq::Agent;
use ureq::http::{HeaderMap, Request};
use ureq::unversioned::resolver::DefaultResolver;

use super::address::WebAddress;
use super::client::Introduction;
use super::connection::Connections;
use super::failure::Context;
use crate::base::Interrupt;
use crate::net::access::{Access, Timeouts};
use crate::net::error::NetError;
use crate::net::url::{Scheme, SourceUrl};

/// No answer that is of use is longer, in bytes.
const LONGEST_ANSWER: u64 = 4 << 20;
/// An API has no reason to think for long.
const LONGEST_THOUGHT: Duration = Duration::from_secs(30);

/// What requests to the API of one server are made with. It follows no redirect, and asks once.
pub struct ApiClient {
    agent: Agent,
    base: SourceUrl,
    timeouts: Timeouts,
    interrupt: Interrupt,
}

/// What is asked for.
pub struct ApiRequest<'q> {
    /// `GET`, `POST`, `PATCH` and so on.
    pub method: &'static str,
    /// Behind the path of the base, from its first slash on, or a whole address of the same server.
    pub path: &'q str,
    /// What the request is for, as messages say it.
    pub command: &'q str,
    /// Headers beside those that are always sent.
    pub headers: &'q [(&'static str, &'q str)],
    /// The token of the header `Authorization`.
    pub bearer: Option<&'q SecretString>,
    /// The body, which is JSON.
    pub body: Option<&'q str>,
}

/// Whatever is answered.
#[derive(Debug)]
pub struct ApiAnswer {
    /// The status.
    pub status: u16,
    headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl ApiAnswer {
    /// The first header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl ApiClient {
    /// A client for the API whose paths begin at `base`. The token of `access` is not read.
    pub fn new(
        base: &SourceUrl,
        access: &Access,
        introduction: Introduction,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let url = base.to_string();
        match base.scheme {
            Scheme::Https => {}
            Scheme::Http if access.plain_http => {}
            Scheme::Http => return Err(NetError::PlainHttp { url }),
            Scheme::Ssh => {
                let problem = "it is no web address".to_owned();
                return Err(NetError::Unsupported { url, problem });
            }
        }
        let first_byte = access.timeouts.first_byte.min(LONGEST_THOUGHT);
        let timeouts = Timeouts { first_byte, ..access.timeouts };
        let access = Access { timeouts, ..access.clone() };
        let connections = Connections::new(&url, &access, Some(introduction), interrupt)?;
        let agent = connections.agent(DefaultResolver::default());
        Ok(Self { agent, base: base.clone(), timeouts, interrupt: interrupt.clone() })
    }

    /// Asks once.
    pub fn send(&self, request: &ApiRequest<'_>) -> Result<ApiAnswer, NetError> {
        self.interrupt.check()?;
        let context = Context {
            url: self.base.to_string(),
            command: request.command.to_owned(),
            timeouts: self.timeouts,
            interrupt: self.interrupt.clone(),
        };
        let mut builder =
            Request::builder().method(request.method).uri(self.address(request.path, &context)?);
        for (name, value) in request.headers {
            builder = builder.header(*name, *value);
        }
        if let Some(token) = request.bearer {
            // Marked as sensitive, so that nothing that logs headers shows it.
            let text = SecretString::from(format!("Bearer {}", token.expose_secret()));
            let mut value = ureq::http::HeaderValue::from_str(text.expose_secret())
                .map_err(|_| context.unintelligible("the token cannot be in a header"))?;
            value.set_sensitive(true);
            builder = builder.header("Authorization", value);
        }
        let wrong = |error: ureq::http::Error| context.unintelligible(error.to_string());
        let response = match request.body {
            None => self.agent.run(builder.body(()).map_err(wrong)?),
            Some(body) => {
                builder = builder.header("Content-Type", "application/json");
                self.agent.run(builder.body(body).map_err(wrong)?)
            }
        };
        let response = response.map_err(|error| context.failure(error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut bytes = Vec::new();
        let body = response.into_body().into_with_config().limit(LONGEST_ANSWER);
        let read = body.reader().read_to_end(&mut bytes);
        read.map_err(|error| context.read_failure(error))?;
        let body = String::from_utf8(bytes);
        let body = body.map_err(|_| context.unintelligible("it is not UTF-8"))?;
        Ok(ApiAnswer { status, headers, body })
    }

    /// The whole address. Only the server that the token is for is ever asked.
    fn address(&self, path: &str, context: &Context) -> Result<String, NetError> {
        if path.starts_with('/') {
            let base = format!("{}{}", self.base.origin(), self.base.path.trim_end_matches('/'));
            return Ok(format!("{base}{path}"));
        }
        let there = WebAddress::parse(path).ok();
        match there.filter(|there| self.base.is_same_origin(&there.server)) {
            Some(there) => Ok(there.to_string()),
            None => Err(context.unintelligible("it sends us to another server")),
        }
    }
}
