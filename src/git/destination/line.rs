//! How the connections to one target are made by [`crate::net`], and what became of them.

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Target;
use super::response::Response;
use crate::base::Interrupt;
use crate::net::http::Connection;
use crate::net::ssh::Tunnel;
use crate::net::url::{Location, Remote};
use crate::net::{Access, NetError, Said};

/// The port that an SSH address leaves out.
const SSH_PORT: u16 = 22;
/// The port that a `git://` address leaves out.
const GIT_PORT: u16 = 9418;

/// What a connection goes over.
pub(super) enum Link {
    Web(Box<Connection>),
    /// The socket is libssh2's to talk to; it is closed with this.
    Ssh(UnixStream),
}

/// The connections to one target.
pub(super) struct Line {
    url: String,
    location: Location,
    access: Access,
    interrupt: Interrupt,
    /// The connection over SSH.
    tunnel: Mutex<Option<Tunnel>>,
    failure: Mutex<Option<NetError>>,
    /// What a web server says to the last request, while it refuses it.
    refusal: Mutex<Response>,
    /// The server has got everything, and works.
    is_waiting: AtomicBool,
    /// Nothing more is asked.
    is_ending: AtomicBool,
}

thread_local! {
    /// What this thread's connections are made with.
    static CURRENT: RefCell<Option<Arc<Line>>> = const { RefCell::new(None) };
}

/// Puts back what a thread's connections were made with.
struct Restore(Option<Arc<Line>>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

impl Line {
    /// The connections to `target`.
    pub(super) fn new(target: &Target, interrupt: &Interrupt) -> Arc<Self> {
        Arc::new(Self {
            url: target.url.to_string(),
            location: target.url.location().clone(),
            access: target.access.clone(),
            interrupt: interrupt.clone(),
            tunnel: Mutex::default(),
            failure: Mutex::default(),
            refusal: Mutex::default(),
            is_waiting: AtomicBool::new(false),
            is_ending: AtomicBool::new(false),
        })
    }

    /// Does `work`, in which libgit2's connections are those of this line.
    pub(super) fn during<T>(self: &Arc<Self>, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(CURRENT.replace(Some(Arc::clone(self))));
        work()
    }

    /// Why a connection failed, if one did.
    pub(super) fn take_failure(&self) -> Option<NetError> {
        let of_tunnel = self.tunnel().as_ref().and_then(Tunnel::take_failure);
        let own = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        of_tunnel.or(own)
    }

    /// Notes that the server has got our credential.
    pub(super) fn logged_in(&self) {
        if let Some(tunnel) = self.tunnel() {
            tunnel.logged_in();
        }
    }

    /// Notes that we are at work, and the server waits for us.
    pub(super) fn working(&self) {
        if let Some(tunnel) = self.tunnel() {
            tunnel.working();
        }
    }

    /// Notes that the server has got everything, and may think about it: from now on a web server may take
    /// for each piece of its answer what it may take for the first.
    pub(super) fn waiting(&self) {
        self.is_waiting.store(true, Ordering::Relaxed);
    }

    /// Notes that nothing more is to be asked: what the server still says it has said already.
    pub(super) fn ending(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// How long there may be no progress.
    pub(super) fn idle(&self) -> Duration {
        self.access.timeouts.idle
    }

    /// How long a server may be silent once it has got everything.
    pub(super) fn patience(&self) -> Duration {
        self.access.timeouts.first_byte.max(self.access.timeouts.idle)
    }

    /// That it was silent for longer.
    pub(super) fn timed_out(&self) -> NetError {
        let (url, after) = (self.url.clone(), self.patience());
        NetError::TimedOut { url, what: "the answer", after, said: Said::default() }
    }

    /// Ends the connection, if it is one that would wait for the server to agree.
    pub(super) fn abandon(&self) {
        if let Some(tunnel) = self.tunnel() {
            tunnel.end();
        }
    }

    /// What a web server says to people that refuses the last request; empty if it says nothing.
    pub(super) fn refusal(&self) -> String {
        self.response().text()
    }

    /// What this thread's connections are made with.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.with_borrow(Clone::clone)
    }

    fn response(&self) -> MutexGuard<'_, Response> {
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tunnel(&self) -> Option<Tunnel> {
        self.tunnel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects.
    pub(super) fn open(&self, is_encrypted: bool) -> Result<Link, NetError> {
        match &self.location {
            Location::Ssh { remote: Remote { host, port, .. }, .. } => {
                let place = (host.as_str(), port.unwrap_or(SSH_PORT));
                let timeouts = self.access.timeouts;
                let (tunnel, socket) = Tunnel::open(&self.url, place, timeouts, &self.interrupt)?;
                *self.tunnel.lock().unwrap_or_else(PoisonError::into_inner) = Some(tunnel);
                Ok(Link::Ssh(socket))
            }
            Location::Http { remote: Remote { host, port, .. }, .. } => {
                let scheme = if is_encrypted { "https" } else { "http" };
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                let origin = format!("{scheme}://{host}{port}");
                let made = Connection::open(&self.url, &origin, &self.access, &self.interrupt)?;
                Ok(Link::Web(Box::new(made)))
            }
            // A proxy for the web is none for this.
            Location::Git { remote: Remote { host, port, .. } } => {
                let origin = format!("http://{host}:{}", port.unwrap_or(GIT_PORT));
                let access = Access { proxy: None, ..self.access.clone() };
                let made = Connection::open(&self.url, &origin, &access, &self.interrupt)?;
                Ok(Link::Web(Box::new(made)))
            }
            Location::Path(_) => Err(NetError::Unsupported {
                url: self.url.clone(),
                problem: "it is on this machine".to_owned(),
            }),
        }
    }

    /// Reads some of what the server says; nothing at its end.
    pub(super) fn receive(
        &self,
        connection: &mut Connection,
        piece: &mut [u8],
    ) -> Result<usize, NetError> {
        if self.is_waiting.load(Ordering::Relaxed) {
            connection.expect_thought();
        }
        if self.is_ending.load(Ordering::Relaxed) {
            connection.expect_nothing();
        }
        let count = connection.receive(piece)?;
        if matches!(self.location, Location::Http { .. }) {
            self.heard(piece.get(..count).unwrap_or_default())?;
        }
        Ok(count)
    }

    /// Writes some of `bytes`; how many. At the end nothing is written any more: who did not take what came
    /// before does not take this.
    pub(super) fn send(
        &self,
        connection: &mut Connection,
        bytes: &[u8],
    ) -> Result<usize, NetError> {
        self.response().asked();
        if self.is_ending.load(Ordering::Relaxed) {
            let (url, said) = (self.url.clone(), Said::default());
            return Err(NetError::Unreachable { url, said });
        }
        connection.send(bytes)
    }

    /// Notes what a web server says. We go nowhere else with our credential: that it sends us there is
    /// an error.
    fn heard(&self, bytes: &[u8]) -> Result<(), NetError> {
        let mut response = self.response();
        response.heard(bytes);
        match response.location() {
            Some(target) => Err(NetError::Moved {
                url: self.url.clone(),
                target,
                problem: "and is not followed",
            }),
            None => Ok(()),
        }
    }

    /// Notes why a connection failed. The first reason counts.
    pub(super) fn failed(&self, error: NetError) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}
