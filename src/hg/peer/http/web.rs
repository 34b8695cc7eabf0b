//! Requests over HTTP: whom we trust, who we are, where we let ourselves be sent.

use std::cell::Cell;
use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector as _, NativeTlsConnector, TcpConnector,
};
use ureq::{Agent, Body, BodyReader, Proxy, RequestBuilder, Timeout};

use super::super::error::{PeerError, Said};
use super::super::patience::Patience;
use super::super::url::Scheme;
use super::super::{PeerOptions, SourceUrl};
use super::address::{PublicOnly, is_public};
use super::failure::Context;
use super::target::Target;
use super::watch::Watch;
use crate::base::{Interrupt, base64, secret};

/// A server may send us elsewhere so often.
const MOST_MOVES: usize = 3;
/// So much of what a server says beside an error is read, in bytes.
const LONGEST_WORDS: u64 = 4 << 10;
/// A file with certificates has no more, in bytes.
const LONGEST_CERTIFICATES: u64 = 4 << 20;
/// How we call ourselves. Some servers serve Mercurial's own clients only, which begin like this.
const USER_AGENT: &str =
    concat!("mercurial/proto-1.0 (synchroniser ", env!("CARGO_PKG_VERSION"), ")");

/// What requests are made with.
pub(in super::super) struct Web {
    /// For the server itself.
    agent: Agent,
    /// For where it sends us.
    elsewhere: Agent,
    /// The server that our credential is for.
    source: Option<SourceUrl>,
    credential: Option<(String, SecretString)>,
    options: PeerOptions,
    interrupt: Interrupt,
    /// Whether there may be a connection that was kept.
    was_asked: Cell<bool>,
}

/// What is asked for.
pub(super) struct Question<'q> {
    pub(super) target: Target,
    pub(super) command: &'q str,
    pub(super) headers: &'q [(String, String)],
    pub(super) body: Option<&'q str>,
}

/// An answer with status 200.
pub(super) struct Reply {
    /// Where it came from in the end.
    pub(super) target: Target,
    pub(super) content_type: String,
    pub(super) length: Option<u64>,
    pub(super) body: Patient,
    pub(super) context: Context,
}

impl Web {
    /// Reads the files that are needed. `source` is the server that our credential is for.
    pub(in super::super) fn new(
        source: Option<&SourceUrl>,
        options: &PeerOptions,
        interrupt: &Interrupt,
    ) -> Result<Self, PeerError> {
        let shown = source.map(ToString::to_string).unwrap_or_default();
        let setting = |problem: String, hint: &str| PeerError::Setting {
            url: shown.clone(),
            problem,
            hint: Some(hint.to_owned()),
        };
        let credential = match (&options.credential, source) {
            (Some(credential), Some(source)) => {
                let user = credential.user.as_ref().or(source.user.as_ref());
                let hint = "name the user beside the token file";
                let user =
                    user.ok_or_else(|| setting("no user goes with the token".to_owned(), hint))?;
                Some((user.clone(), secret::read_line(&credential.token_file)?))
            }
            _ => None,
        };
        let proxy = options.proxy.as_deref().map(Proxy::new).transpose();
        let hint = "a proxy is written as http://host:port";
        let proxy =
            proxy.map_err(|_| setting("the proxy has no sensible address".to_owned(), hint))?;
        let roots =
            options.ca_file.as_deref().map(|path| certificates(path, &shown)).transpose()?;
        let roots = roots.unwrap_or(RootCerts::PlatformVerifier);
        Ok(Self {
            agent: agent(options, interrupt, &roots, proxy.as_ref(), true),
            elsewhere: agent(options, interrupt, &roots, proxy.as_ref(), options.private_downloads),
            source: source.cloned(),
            credential,
            options: options.clone(),
            interrupt: interrupt.clone(),
            was_asked: Cell::new(false),
        })
    }

    /// Asks, and goes where the answer sends us as far as we let it.
    pub(super) fn ask(&self, question: Question<'_>) -> Result<Reply, PeerError> {
        let mut target = question.target;
        for moves in 0.. {
            self.interrupt.check()?;
            let context = self.context(&target, question.command);
            self.check_scheme(&target)?;
            self.check_address(&target, &context)?;
            let response = self.send(&target, question.headers, question.body, &context)?;
            match response.status().as_u16() {
                200 => return self.reply(target, response, context),
                301 | 302 | 303 | 307 | 308 => {
                    let is_plain = question.body.is_none() && moves < MOST_MOVES;
                    target = moved(&target, response.headers(), is_plain)?;
                }
                _ => return Err(self.refusal(response, &context)),
            }
        }
        Err(self.context(&target, question.command).unintelligible("it sends us in circles"))
    }

    /// What is at an absolute address.
    pub(in super::super) fn download(&self, url: &str) -> Result<Box<dyn Read>, PeerError> {
        let shown = Said::new(url.as_bytes()).as_str().to_owned();
        let target = Target::parse(url);
        let target = target.map_err(|error| PeerError::Unintelligible {
            url: shown,
            command: CLONEBUNDLES.to_owned(),
            problem: error.to_string(),
            said: Said::default(),
        })?;
        let question = Question { target, command: CLONEBUNDLES, headers: &[], body: None };
        Ok(Box::new(self.ask(question)?.body))
    }

    /// Nobody is asked in the open unless we are told to.
    pub(super) fn check_scheme(&self, target: &Target) -> Result<(), PeerError> {
        match target.place.scheme {
            Scheme::Https => Ok(()),
            Scheme::Http if self.options.plain_http => Ok(()),
            Scheme::Http => Err(PeerError::PlainHttp { url: target.place.to_string() }),
            Scheme::Ssh => Err(PeerError::Unsupported {
                url: target.place.to_string(),
                problem: "it is no web address".to_owned(),
            }),
        }
    }

    fn is_home(&self, target: &Target) -> bool {
        self.source.as_ref().is_some_and(|source| source.host == target.place.host)
    }

    /// Names are looked up later, or by a proxy; an address needs no looking up.
    fn check_address(&self, target: &Target, context: &Context) -> Result<(), PeerError> {
        let address = target.place.host.trim_matches(['[', ']']).parse::<IpAddr>();
        let is_refused = address.is_ok_and(|address| !is_public(address))
            && !self.options.private_downloads
            && !self.is_home(target);
        match is_refused {
            true => Err(context.refused(Said::new(b"its address is of a private network"))),
            false => Ok(()),
        }
    }

    fn send(
        &self,
        target: &Target,
        headers: &[(String, String)],
        body: Option<&str>,
        context: &Context,
    ) -> Result<Response<Body>, PeerError> {
        let agent = if self.is_home(target) { &self.agent } else { &self.elsewhere };
        let mut all: Vec<(&str, &str)> = Vec::new();
        all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let authorization = self.authorization(target);
        if let Some(authorization) = &authorization {
            all.push(("Authorization", authorization.expose_secret()));
        }
        let ask = || match body {
            None => {
                let request = agent.get(target.to_string());
                let add = |request: RequestBuilder<_>, (name, value)| request.header(name, value);
                all.iter().copied().fold(request, add).call()
            }
            Some(body) => {
                let request = agent.post(target.to_string());
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
    fn authorization(&self, target: &Target) -> Option<SecretString> {
        let (user, token) = self.credential.as_ref()?;
        self.source.as_ref().filter(|source| source.is_same_origin(&target.place))?;
        let pair = SecretString::from(format!("{user}:{}", token.expose_secret()));
        let encoded = base64::encode_padded(pair.expose_secret().as_bytes());
        Some(SecretString::from(format!("Basic {encoded}")))
    }

    fn reply(
        &self,
        target: Target,
        response: Response<Body>,
        context: Context,
    ) -> Result<Reply, PeerError> {
        let headers = response.headers();
        if let Some(encoding) = text(headers, "content-encoding").filter(|it| it != "identity") {
            let said = Said::new(encoding.as_bytes());
            return Err(context.unintelligible(format!("it is encoded as {said}, unasked")));
        }
        let content_type = text(headers, "content-type").unwrap_or_default();
        let length = text(headers, "content-length").and_then(|length| length.parse().ok());
        let reader = response.into_body().into_with_config().limit(u64::MAX).reader();
        let patience = Patience::new(self.options.timeouts.idle);
        let body = Patient { reader, patience, context: context.clone() };
        Ok(Reply { target, content_type, length, body, context })
    }

    /// What a server means that does not answer.
    fn refusal(&self, response: Response<Body>, context: &Context) -> PeerError {
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
    pub(super) fn said(&self, words: &[u8]) -> Said {
        let secret = self.credential.as_ref().map(|(_, token)| token.expose_secret());
        Said::new(words).without(secret)
    }

    fn context(&self, target: &Target, command: &str) -> Context {
        Context {
            url: target.place.to_string(),
            command: command.to_owned(),
            timeouts: self.options.timeouts,
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

/// What is being asked while bundles for first fetches are.
const CLONEBUNDLES: &str = "clonebundles";

/// Where an answer sends us: nowhere but to the same server, and never out of the encryption.
fn moved(from: &Target, headers: &HeaderMap, may_follow: bool) -> Result<Target, PeerError> {
    let location = text(headers, "location").unwrap_or_default();
    let refused = |problem| PeerError::Moved {
        url: from.place.to_string(),
        target: Said::new(location.as_bytes()).as_str().to_owned(),
        problem,
    };
    let to = from.join(&location).map_err(|_| refused("which is no address"))?;
    let (here, there) = (&from.place, &to.place);
    let is_upgrade = here.scheme == Scheme::Http && there.scheme == Scheme::Https;
    if there.host != here.host {
        return Err(refused("which is another server"));
    }
    if there.user.is_some() || !(is_upgrade || here.is_same_origin(there)) {
        return Err(refused("which is reached in another way"));
    }
    if !may_follow {
        return Err(refused("and that is no way to go on"));
    }
    Ok(to)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// The certificates in a file.
fn certificates(path: &Path, url: &str) -> Result<RootCerts, PeerError> {
    let failed = |source| PeerError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(LONGEST_CERTIFICATES).read_to_end(&mut bytes).map_err(failed)?;
    let found = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<Certificate<'static>> = found.collect();
    if found.is_empty() {
        return Err(PeerError::Setting {
            url: url.to_owned(),
            problem: format!("{} holds no certificate", path.display()),
            hint: Some("the file must hold certificates in PEM form".to_owned()),
        });
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}

fn agent(
    options: &PeerOptions,
    interrupt: &Interrupt,
    roots: &RootCerts,
    proxy: Option<&Proxy>,
    anywhere: bool,
) -> Agent {
    let timeouts = options.timeouts;
    let tls =
        TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots.clone()).build();
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(USER_AGENT)
        .accept("application/mercurial-0.1")
        .accept_encoding("")
        .tls_config(tls)
        .proxy(proxy.cloned())
        .timeout_resolve(Some(timeouts.connect))
        .timeout_connect(Some(timeouts.connect))
        .timeout_send_request(Some(timeouts.idle))
        .timeout_send_body(Some(timeouts.idle))
        .timeout_recv_response(Some(timeouts.first_byte))
        .build();
    let watch = Watch { interrupt: interrupt.clone(), idle: timeouts.idle };
    let connector =
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(watch)
            .chain(NativeTlsConnector::default());
    if anywhere {
        return Agent::with_parts(config, connector, DefaultResolver::default());
    }
    let proxy = proxy.map(|proxy| proxy.host().to_owned());
    let resolver = PublicOnly { proxy, inner: DefaultResolver::default() };
    Agent::with_parts(config, connector, resolver)
}

/// The body of an answer, read with patience.
pub(super) struct Patient {
    reader: BodyReader<'static>,
    patience: Patience,
    context: Context,
}

impl Read for Patient {
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
