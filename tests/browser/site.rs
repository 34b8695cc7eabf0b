//! The pages on a port of this machine, over a service that shows what it is told to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use synchroniser::daemon::web::{
    Read, Scope, StoredToken, WebAccess, WebOptions, WebState, routes,
};

use crate::browser::Pages;
use crate::fake_service::{FakeService, Still, world};

/// The token that opens everything.
pub(crate) const TOKEN: &str = "token-of-admin";

pub(crate) struct Site {
    pub(crate) state: Arc<WebState>,
    pub(crate) service: Arc<FakeService>,
    address: SocketAddr,
}

impl Pages for Site {
    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Site {
    /// Starts it. It ends with the runtime of its test.
    pub(crate) fn start() -> Self {
        let token = StoredToken {
            name: "admin".to_owned(),
            sha256: Sha256::digest(TOKEN).into(),
            scope: Scope::Admin,
        };
        let access = WebAccess { read: Read::Open, tokens: vec![token] };
        let service = world();
        let clock = Still::new();
        let options = WebOptions { access, ..WebOptions::default() };
        let state = Arc::new(WebState::new(Arc::clone(&service) as Arc<_>, clock, options));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(warp::serve(routes(Arc::clone(&state))).incoming(listener).run());
        Self { state, service, address }
    }

    /// What was asked for so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.service.shown().asked.clone()
    }
}
