//! Connections to web servers: how long they may take, whom we trust, through which proxy.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use ureq::config::Config;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::unversioned::resolver::Resolver;
use ureq::unversioned::transport::{
    ConnectProxyConnector, Connector, NativeTlsConnector, TcpConnector,
};
use ureq::{Agent, Proxy};

use super::client::Introduction;
use super::watch::Watch;
use crate::base::Interrupt;
use crate::net::access::{Access, Timeouts};
use crate::net::error::NetError;

/// A file with certificates has no more, in bytes.
const LONGEST_CERTIFICATES: u64 = 4 << 20;

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

    /// What makes a connection: through the proxy if there is one, watched, encrypted if need be.
    fn connector(&self) -> impl Connector {
        let watch = Watch { interrupt: self.interrupt.clone(), idle: self.timeouts.idle };
        ().chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(watch)
            .chain(NativeTlsConnector::default())
    }
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
