//! Requests over HTTP: whom we trust, who we are, where we let ourselves be sent.

use std::cell::Cell;
use std::io::{self, Read};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use ureq::http::{HeaderMap, Response};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::{Agent, BodyReader, RequestBuilder, Timeout};

use super::address::WebAddress;
use super::connection::Connections;
use super::failure::Context;
use super::public::PublicOnly;
use crate::base::Interrupt;
use crate::net::access::Access;
use crate::net::error::{NetError, Said};
use crate::net::host::is_public;
use crate::net::patience::Patience;
use crate::net::url::{Scheme, SourceUrl};

/// A server may send us elsewhere so often.
const MOST_MOVES: usize = 3;
/// So much of what a server says beside an error is read, in bytes.
const LONGEST_WORDS: u64 = 4 << 10;

/// How a client calls itself, and what it understands.
#[derive(Clone, Copy, Debug)]
pub struct Introduction {
    /// The header `User-Agent`.
    pub user_agent: &'static str,
    /// The header `Accept`.
    pub accept: &'static str,
}

/// What requests are made with.
pub struct HttpClient {
    /// For the server itself.
    agent: Agent,
    /// For where it sends us.
    elsewhere: Agent,
    /// The server that our token is for.
    server: Option<SourceUrl>,
    /// The user and the token.
    credential: Option<(String, SecretString)>,
    access: Access,
    interrupt: Interrupt,
    /// Whether there may be a connection that was kept.
    was_asked: Cell<bool>,
}

/// What is asked for.
pub struct HttpRequest<'q> {
    /// Where.
    pub address: WebAddress,
    /// What the request is for, as messages say it.
    pub command: &'q str,
    /// Headers beside those that are always sent.
    pub headers: &'q [(String, String)],
    /// With a body it is a `POST`.
    pub body: Option<&'q str>,
}

/// An answer with status 200.
pub struct HttpAnswer {
    /// Where it came from in the end.
    pub address: WebAddress,
    /// The header `Content-Type`; empty if there is none.
    pub content_type: String,
    /// The header `Content-Length`.
    pub length: Option<u64>,
    /// What it says.
    pub body: Body,
    /// What errors that occur while it is read say of the request.
    pub context: Context,
}

impl HttpClient {
    /// Reads the files that are needed. `server` is the one that our token is for.
    pub fn new(
        server: Option<&SourceUrl>,
        access: &Access,
        introduction: Introduction,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let shown = server.map(ToString::to_string).unwrap_or_default();
        let credential = match (&access.token, server) {
            (Some(token), Some(server)) => {
                let user = token.user.as_ref().or(server.user.as_ref());
                let user = user.ok_or_else(|| NetError::Setting {
                    url: shown.clone(),
                    problem: "no user goes with the token".to_owned(),
                    hint: Some(
                        "name the user with `source.token_user`, or --source-token-user".to_owned(),
                    ),
                })?;
                Some((user.clone(), token.source.token(interrupt)?))
            }
            _ => None,
        };
        let connections = Connections::new(&shown, access, Some(introduction), interrupt)?;
        let agent = connections.agent(DefaultResolver::default());
        let elsewhere = match access.private_downloads {
            true => connections.agent(DefaultResolver::default()),
            false => connections.agent(PublicOnly::new(connections.proxy())),
        };
        Ok(Self {
            agent,
            elsewhere,
            server: server.cloned(),
            credential,
            access: access.clone(),
            interrupt: interrupt.clone(),
            was_asked: Cell::new(false),
        })
    }

    /// Asks, and goes where the answer sends us as far as we let it.
    pub fn ask(&self, request: HttpRequest<'_>) -> Result<HttpAnswer, NetError> {
        let mut address = request.address;
        for moves in 0.. {
            self.interrupt.check()?;
            let context = self.context(&address, request.command);
            self.check_scheme(&address)?;
            self.check_address(&address, &context)?;
            let response = self.send(&address, request.headers, request.body, &context)?;
            match response.status().as_u16() {
                200 => return self.reply(address, response, context),
                301 | 302 | 303 | 307 | 308 => {
                    let is_plain = request.body.is_none() && moves < MOST_MOVES;
                    address = moved(&address, response.headers(), is_plain)?;
                }
                _ => return Err(self.refusal(response, &context)),
            }
        }
        Err(self.context(&address, request.command).unintelligible("it sends us in circles"))
    }

    /// What is at an absolute address; `command` is what it is wanted for.
    pub fn download(&self, url: &str, command: &str) -> Result<Box<dyn Read>, NetError> {
        let shown = Said::new(url.as_bytes()).as_str().to_owned();
        let address = WebAddress::parse(url);
        let address = address.map_err(|error| NetError::Unintelligible {
            url: shown,
            command: command.to_owned(),
            problem: error.to_string(),
            said: Said::default(),
        })?;
        let request = HttpRequest { address, command, headers: &[], body: None };
        Ok(Box::new(self.ask(request)?.body))
    }

    /// Refuses addresses without encryption, unless the configuration allows them.
    pub fn check_scheme(&self, address: &WebAddress) -> Result<(), NetError> {
        match address.server.scheme {
            Scheme::Https => Ok(()),
            Scheme::Http if self.access.plain_http => Ok(()),
            Scheme::Http => Err(NetError::PlainHttp { url: address.server.to_string() }),
            Scheme::Ssh => Err(NetError::Unsupported {
                url: address.server.to_string(),
                problem: "it is no web address".to_owned(),
            }),
        }
    }

    fn is_home(&self, address: &WebAddress) -> bool {
        self.server.as_ref().is_some_and(|source| source.host == address.server.host)
    }

    /// Names are looked up later, or by a proxy; an address needs no looking up.
    fn check_address(&self, address: &WebAddress, context: &Context) -> Result<(), NetError> {
        let host = address.server.host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_refused = host.is_ok_and(|host| !is_public(host))
            && !self.access.private_downloads
            && !self.is_home(address);
        match is_refused {
            true => Err(context.refused(Said::new(b"its address is of a private network"))),
            false => Ok(()),
        }
    }

    fn send(
        &self,
        address: &WebAddress,
        headers: &[(String, String)],
        body: Option<&str>,
        context: &Context,
    ) -> Result<Response<ureq::Body>, NetError> {
        let agent = if self.is_home(address) { &self.agent } else { &self.elsewhere };
        let mut all: Vec<(&str, &str)> = Vec::new();
        all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let authorization = self.authorization(address);
        if let Some(authorization) = &authorization {
            all.push(("Authorization", authorization.expose_secret()));
        }
        let ask = || match body {
            None => {
                let request = agent.get(address.to_string());
                let add = |request: RequestBuilder<_>, (name, value)| request.header(name, value);
                all.iter().copied().fold(request, add).call()
            }
            Some(body) => {
                let request = agent.post(address.to_string());
                let add = |request: RequestBuilder<_>, (name, value)| request.header(name, value);
                all.iter().copied().fold(request, add).send(body)
            }
        };
        let is_first = !self.was_asked.replace(true);
        let response = match ask() {
            // A connection that was kept may be closed at the very moment when it is used again.
            // Nothing that we ask changes anything, so it can be asked twice.
            Err(error) if !is_first && is_closed(&error) => ask(),
            response => response,
        };
        response.map_err(|error| context.failure(error))
    }

    /// Our credential, for the server that it is for and no other.
    fn authorization(&self, address: &WebAddress) -> Option<SecretString> {
        let (user, token) = self.credential.as_ref()?;
        self.server.as_ref().filter(|source| source.is_same_origin(&address.server))?;
        let pair = SecretString::from(format!("{user}:{}", token.expose_secret()));
        let encoded = STANDARD.encode(pair.expose_secret());
        Some(SecretString::from(format!("Basic {encoded}")))
    }

    fn reply(
        &self,
        address: WebAddress,
        response: Response<ureq::Body>,
        context: Context,
    ) -> Result<HttpAnswer, NetError> {
        let headers = response.headers();
        if let Some(encoding) = text(headers, "content-encoding").filter(|it| it != "identity") {
            let said = Said::new(encoding.as_bytes());
            return Err(context.unintelligible(format!("it is encoded as {said}, unasked")));
        }
        let content_type = text(headers, "content-type").unwrap_or_default();
        let length = text(headers, "content-length").and_then(|length| length.parse().ok());
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let patience = Patience::new(self.access.timeouts.idle);
        let body = Body { reader, patience, context: context.clone() };
        Ok(HttpAnswer { address, content_type, length, body, context })
    }

    /// What a server means that does not answer.
    fn refusal(&self, response: Response<ureq::Body>, context: &Context) -> NetError {
        let (status, headers) = (response.status(), response.headers());
        let seconds = text(headers, "retry-after").and_then(|text| text.trim().parse().ok());
        let content_type = text(headers, "content-type").unwrap_or_default();
        let reason =
            format!("HTTP {} {}", status.as_u16(), status.canonical_reason().unwrap_or_default());
        let mut words = reason.trim().as_bytes().to_vec();
        // Pages for browsers are not worth showing.
        if !content_type.contains("html") {
            words.push(b'\n');
            let limited = response.into_body().into_with_config().limit(LONGEST_WORDS);
            // What cannot be read is not shown either.
            let _ = limited.reader().read_to_end(&mut words);
        }
        let said = self.said(&words);
        context.refusal(status.as_u16(), said, seconds.map(Duration::from_secs))
    }

    /// What a server said, without our secret.
    pub fn said(&self, words: &[u8]) -> Said {
        let secret = self.credential.as_ref().map(|(_, token)| token.expose_secret());
        Said::new(words).without(secret)
    }

    fn context(&self, address: &WebAddress, command: &str) -> Context {
        Context {
            url: address.server.to_string(),
            command: command.to_owned(),
            timeouts: self.access.timeouts,
            interrupt: self.interrupt.clone(),
        }
    }
}

/// Whether the other side has closed a connection.
fn is_closed(error: &ureq::Error) -> bool {
    use io::ErrorKind as Kind;
    let kinds =
        [Kind::UnexpectedEof, Kind::ConnectionReset, Kind::ConnectionAborted, Kind::BrokenPipe];
    matches!(error, ureq::Error::Io(error) if kinds.contains(&error.kind()))
}

/// Where an answer sends us: nowhere but to the same server, and never out of the encryption.
fn moved(from: &WebAddress, headers: &HeaderMap, may_follow: bool) -> Result<WebAddress, NetError> {
    let location = text(headers, "location").unwrap_or_default();
    let refused = |problem| NetError::Moved {
        url: from.server.to_string(),
        target: Said::new(location.as_bytes()).as_str().to_owned(),
        problem,
    };
    let to = from.join(&location).map_err(|_| refused("which is no address"))?;
    let (here, there) = (&from.server, &to.server);
    let is_upgrade = here.scheme == Scheme::Http && there.scheme == Scheme::Https;
    if there.host != here.host {
        return Err(refused("which is another server"));
    }
    if there.user.is_some() || !(is_upgrade || here.is_same_origin(there)) {
        return Err(refused("which is reached in another way"));
    }
    if !may_follow {
        return Err(refused("which is one redirect too many, or that of a request with a body"));
    }
    Ok(to)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The body of an answer, read with patience.
pub struct Body {
    reader: BodyReader<'static>,
    patience: Patience,
    context: Context,
}

impl Read for Body {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let start = Instant::now();
        let read = self.reader.read(bytes);
        let read = read.map_err(|error| self.context.read_failure(error).into_io())?;
        self.patience.note(start.elapsed(), read);
        if self.patience.left().is_zero() && read > 0 {
            return Err(self.context.timed_out(Timeout::RecvBody).into_io());
        }
        Ok(read)
    }
}
