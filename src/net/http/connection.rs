//! Connections to web servers: how long they may take, whom we trust, through which proxy.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NativeTlsConnector, NextTimeout,
    ShutdownHandle, Transport, TransportAdapter, time,
};
use ureq::{Agent, Error, Proxy, Timeout};

use super::client::Introduction;
use super::failure::Context;
use super::socket::Sockets;
use super::watch::Watch;
use crate::base::Interrupt;
use crate::net::access::{Access, Timeouts};
use crate::net::error::NetError;
use crate::net::patience::Patience;
use crate::net::wait::{GLANCE, in_background};

/// What makes a connection, such as one to a proxy.
type RunConnector =
    dyn Fn(&ConnectionDetails<'_>) -> Result<Box<dyn Transport>, Error> + Send + Sync;

/// By which a connection can be ended, once it is made.
type Handle = Arc<Mutex<Option<Weak<dyn ShutdownHandle>>>>;

/// A file with certificates has no more, in bytes.
const LONGEST_CERTIFICATES: u64 = 4 << 20;

/// How long to wait for what a server must have said already.
const LAST_WORD: Duration = Duration::from_secs(2);

/// What connections to a server are made with.
pub(super) struct Connections {
    config: Config,
    proxy: Option<Proxy>,
    timeouts: Timeouts,
    interrupt: Interrupt,
}

impl Connections {
    /// Reads the files that are needed. `url` is what messages show.
    pub(super) fn new(
        url: &str,
        access: &Access,
        introduction: Option<Introduction>,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let proxy = access.proxy.as_deref().map(Proxy::new).transpose();
        let proxy = proxy.map_err(|_| NetError::Setting {
            url: url.to_owned(),
            problem: "the proxy has no sensible address".to_owned(),
            hint: Some("a proxy is written as http://host:port".to_owned()),
        })?;
        let roots = match &access.ca_file {
            Some(path) => certificates(path, url)?,
            None => RootCerts::PlatformVerifier,
        };
        let tls = TlsConfig::builder().provider(TlsProvider::NativeTls).root_certs(roots).build();
        let timeouts = access.timeouts;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept_encoding("")
            .tls_config(tls)
            .proxy(proxy.clone())
            .timeout_resolve(Some(timeouts.connect))
            .timeout_connect(Some(timeouts.connect))
            .timeout_send_request(Some(timeouts.idle))
            .timeout_send_body(Some(timeouts.idle))
            .timeout_recv_response(Some(timeouts.first_byte));
        let config = match introduction {
            Some(Introduction { user_agent, accept }) => {
                config.user_agent(user_agent).accept(accept)
            }
            None => config,
        };
        Ok(Self { config: config.build(), proxy, timeouts, interrupt: interrupt.clone() })
    }

    /// The host of the proxy.
    pub(super) fn proxy(&self) -> Option<String> {
        self.proxy.as_ref().map(|proxy| proxy.host().to_owned())
    }

    /// A client that looks names up with `resolver`.
    pub(super) fn agent(&self, resolver: impl Resolver) -> Agent {
        Agent::with_parts(self.config.clone(), self.connector(), resolver)
    }

    /// A connection for one scheme, host and port, and the handle by which it can be ended.
    fn dial(self, uri: &Uri, handle: &Handle) -> Result<Box<dyn Transport>, Error> {
        let timeout = |reason| NextTimeout {
            after: time::Duration::from(self.timeouts.connect),
            reason,
            ..NextTimeout::default()
        };
        let resolver = DefaultResolver::default();
        // A proxy looks names up itself.
        let addrs = match &self.proxy {
            Some(proxy) if !proxy.is_no_proxy(uri) && !proxy.resolve_target() => resolver.empty(),
            _ => resolver.resolve(uri, &self.config, timeout(Timeout::Resolve))?,
        };
        let connector = self.connector();
        let run = move |details: &ConnectionDetails<'_>| {
            let made: Option<_> = connector.connect(details, None)?;
            Ok(made.ok_or(Error::ConnectionFailed)?.boxed())
        };
        let run: Arc<RunConnector> = Arc::new(run);
        let handle = Arc::clone(handle);
        run(&ConnectionDetails {
            uri,
            addrs,
            config: &self.config,
            request_level: false,
            resolver: &resolver,
            now: time::Instant::now(),
            timeout: timeout(Timeout::Connect),
            current_time: Arc::new(time::Instant::now),
            run_connector: Arc::clone(&run),
            register_shutdown: Arc::new(move |made| {
                *handle.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
                Ok(())
            }),
        })
    }

    /// What makes a connection: through the proxy if there is one, watched, encrypted if need be.
    fn connector(&self) -> impl Connector<(), Out = impl Transport> {
        let watch = Watch { interrupt: self.interrupt.clone(), idle: self.timeouts.idle };
        ().chain(ConnectProxyConnector::default())
            .chain(Sockets)
            .chain(watch)
            .chain(NativeTlsConnector::default())
    }
}

/// A connection to a web server, for a library that speaks HTTP itself: encrypted where the address
/// says so, through the proxy if there is one. Times are those of [`Access::timeouts`]: once something was
/// written the server may think before it answers, then it must go on.
pub struct Connection {
    stream: TransportAdapter,
    /// `None` from what was written last until the first byte of an answer.
    patience: Option<Patience>,
    context: Context,
}

impl Connection {
    /// Connects to `origin`, which is `https://host[:port]`, or the same with `http`. `url` is what
    /// messages show. An interrupt ends the wait for the connection at once.
    pub fn open(
        url: &str,
        origin: &str,
        access: &Access,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let connections = Connections::new(url, access, None, interrupt)?;
        let context = Context {
            url: url.to_owned(),
            command: "a connection".to_owned(),
            timeouts: access.timeouts,
            interrupt: interrupt.clone(),
        };
        let uri: Uri = origin.parse().map_err(|_| NetError::Setting {
            url: url.to_owned(),
            problem: "its host cannot be one".to_owned(),
            hint: None,
        })?;
        let made = in_background(interrupt, move || {
            let handle = Arc::new(Mutex::default());
            connections.dial(&uri, &handle).map(|made| (made, handle))
        })?;
        let (transport, handle) = made.map_err(|error| context.failure(error))?;
        end_with(interrupt, &handle);
        let stream = TransportAdapter::new(transport, Arc::new(time::Instant::now));
        Ok(Self { stream, patience: None, context })
    }

    fn set_timeout(&mut self, after: Duration, reason: Timeout) {
        let after = time::Duration::from(after);
        self.stream.set_timeout(NextTimeout { after, reason, ..NextTimeout::default() });
    }

    /// Notes that the server may think before it goes on, as before the first byte of an answer.
    pub fn expect_thought(&mut self) {
        self.patience = None;
    }

    /// Notes that the server has no reason to take any time: what it has to say it has said.
    pub fn expect_nothing(&mut self) {
        self.patience = Some(Patience::new(LAST_WORD));
    }

    /// Reads some of what the server says; nothing at its end.
    pub fn receive(&mut self, bytes: &mut [u8]) -> Result<usize, NetError> {
        let Timeouts { first_byte, idle, .. } = self.context.timeouts;
        match &self.patience {
            None => self.set_timeout(first_byte, Timeout::RecvResponse),
            Some(patience) => {
                let left = patience.left();
                self.set_timeout(left, Timeout::RecvBody);
            }
        }
        let start = Instant::now();
        let read = self.stream.read(bytes).map_err(|error| self.failure(error))?;
        if read == 0 {
            // It may be us who ended it.
            self.context.interrupt.check()?;
        }
        let patience = self.patience.get_or_insert_with(|| Patience::new(idle));
        patience.note(start.elapsed(), read);
        Ok(read)
    }

    /// Writes some of `bytes`; how many.
    pub fn send(&mut self, bytes: &[u8]) -> Result<usize, NetError> {
        self.patience = None;
        self.set_timeout(self.context.timeouts.idle, Timeout::SendBody);
        self.stream.write(bytes).map_err(|error| self.failure(error))
    }

    fn failure(&self, error: io::Error) -> NetError {
        self.context.read_failure(error)
    }
}

/// Has a thread end a connection once a stop is requested: a server that takes nothing more holds up
/// whoever writes to it. The thread ends with the connection.
fn end_with(interrupt: &Interrupt, handle: &Handle) {
    let made = handle.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(made), interrupt) = (made, interrupt.clone()) else { return };
    thread::spawn(move || {
        while let Some(connection) = made.upgrade() {
            if interrupt.is_raised() {
                return connection.shutdown();
            }
            drop(connection);
            thread::sleep(GLANCE);
        }
    });
}

/// The certificates in a file.
fn certificates(path: &Path, url: &str) -> Result<RootCerts, NetError> {
    let failed = |source| NetError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    file.take(LONGEST_CERTIFICATES).read_to_end(&mut bytes).map_err(failed)?;
    let found = parse_pem(&bytes).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<Certificate<'static>> = found.collect();
    if found.is_empty() {
        return Err(NetError::Setting {
            url: url.to_owned(),
            problem: format!("{} holds no certificate", path.display()),
            hint: Some("the file must hold certificates in PEM form".to_owned()),
        });
    }
    Ok(RootCerts::Specific(Arc::new(found)))
}
