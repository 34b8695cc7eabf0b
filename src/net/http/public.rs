//! Which addresses a server may send us to: none of a private network, where its word would reach
//! what it cannot.

use std::net::IpAddr;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use crate::net::host::is_public;

/// A name stands for an address of a private network.
#[derive(Debug, thiserror::Error)]
#[error("{host} has the address {address}, which is of a private network")]
pub(super) struct PrivateAddress {
    host: String,
    address: IpAddr,
}

/// Looks names up, and refuses those with an address that is not public.
#[derive(Debug)]
pub(super) struct PublicOnly {
    /// The proxy may be anywhere. What it connects to it looks up itself.
    proxy: Option<String>,
    inner: DefaultResolver,
}

impl PublicOnly {
    /// Lets the host of the proxy be anywhere.
    pub(super) fn new(proxy: Option<String>) -> Self {
        Self { proxy, inner: DefaultResolver::default() }
    }
}

impl Resolver for PublicOnly {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let host = uri.host().unwrap_or_default();
        if self.proxy.as_deref() == Some(host) {
            return Ok(found);
        }
        match found.iter().find(|address| !is_public(address.ip())) {
            None => Ok(found),
            Some(address) => {
                let refused = PrivateAddress { host: host.to_owned(), address: address.ip() };
                Err(ureq::Error::Other(Box::new(refused)))
            }
        }
    }
}
