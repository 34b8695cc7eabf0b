//! Connections: how many, and for how long.
//!
//! `warp::serve` gives hyper no timer, so that a client may take any time to send its head. We accept
//! ourselves, and serve warp's filters as a service. One connection carries one request: hooks come
//! alone, and so every connection has an end that can be told in advance.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use warp::filters::BoxedFilter;
use warp::http::Uri;
use warp::hyper::service::Service;
use warp::hyper::{Request, Response as HttpResponse};
use warp::reply::Response;

use super::crowd::Crowd;
use crate::config::DaemonOptions;
use crate::service;

/// How long an answer may take to be sent, beside the times that are configured.
const SENDING: Duration = Duration::from_secs(10);
/// The longest that an answer waits for a run, whatever is configured for hooks: requests of the API.
const WAITING: Duration = Duration::from_mins(1);
/// How long a stream of events may last.
const STREAM: Duration = Duration::from_hours(2);
/// How long we do not accept after accepting has failed, as it does when file handles run out.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Who is at the other end of a connection. Requests carry it as an extension, and of a network the address
/// beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody on a network.
    Network(SocketAddr),
    /// A user of this machine whom the file system lets use the admin socket.
    Admin {
        /// The user's number.
        uid: u32,
    },
}

/// Where connections come from.
pub(super) trait Accept {
    /// One of them.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next one.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer)>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Peer)> {
        let (stream, address) = self.accept().await?;
        Ok((stream, Peer::Network(address)))
    }
}

impl Accept for Arc<TcpListener> {
    type Stream = TcpStream;

    fn next(&self) -> impl Future<Output = io::Result<(TcpStream, Peer)>> + Send {
        (**self).next()
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Peer)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, Peer::Admin { uid }))
    }
}

/// What all listeners have in common.
pub(super) struct Serving {
    service: service::Service,
    /// How many connections each listener serves at the same time.
    most: NonZeroUsize,
    connections: GracefulShutdown,
}

impl Serving {
    pub(super) fn of(service: &service::Service, most: NonZeroUsize) -> Self {
        Self { service: service.clone(), most, connections: GracefulShutdown::new() }
    }

    /// Closes the connections that are left, once their answers are sent.
    pub(super) async fn shutdown(self) {
        self.connections.shutdown().await;
    }

    /// Serves `routes` on `listener` until it is dropped.
    pub(super) async fn serve(&self, listener: impl Accept, routes: BoxedFilter<(Response,)>) {
        let permits = Arc::new(Semaphore::new(self.most.get()));
        let crowd = Arc::new(Crowd::new(self.most.get()));
        // The semaphore is never closed, so this goes on until it is dropped.
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            // As is configured now: each connection carries one request.
            let config = self.service.config();
            let options = &config.daemon;
            let Some(place) = crowd.enter(peer, &config.web.trusted_proxies) else {
                tracing::debug!(?peer, "a connection too many of one sender was closed");
                continue;
            };
            let lifetime = options.request_timeout * 2 + options.wait.max(WAITING) + SENDING;
            let is_long = Arc::new(AtomicBool::new(false));
            let service = Addressed {
                service: TowerToHyperService::new(warp::service(routes.clone())),
                peer,
                is_long: Arc::clone(&is_long),
            };
            let connection =
                builder(options).serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = self.connections.watch(connection);
            let serving = async move {
                let mut connection = pin!(connection);
                let ended = match tokio::time::timeout(lifetime, &mut connection).await {
                    Err(_) if is_long.load(Ordering::Relaxed) => {
                        tokio::time::timeout(STREAM, connection).await
                    }
                    ended => ended,
                };
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("a connection broke: {error}"),
                    Err(_) => tracing::debug!("a connection took too long"),
                }
                drop((place, permit));
            };
            tokio::spawn(serving.instrument(tracing::info_span!("connection", ?peer)));
        }
    }
}

/// An extension of answers whose end cannot be told in advance, such as streams of events.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long;

/// Tells the routes where a request comes from.
struct Addressed<S> {
    service: S,
    peer: Peer,
    /// Set once an answer is [`Long`], or will be.
    is_long: Arc<AtomicBool>,
}

impl<B, C, S> Service<Request<B>> for Addressed<S>
where
    S: Service<Request<B>, Response = HttpResponse<C>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        // CONNECT names no path, and what reads one would panic.
        if request.uri().path_and_query().is_none() {
            *request.uri_mut() = Uri::from_static("/");
        }
        request.extensions_mut().insert(self.peer);
        if let Peer::Network(address) = self.peer {
            request.extensions_mut().insert(address);
        }
        // To make a backup takes its time, too, and so does a receiver.
        let takes_long = matches!(request.uri().path(), "/api/v1/backup" | "/api/v1/notify-test");
        if takes_long && matches!(self.peer, Peer::Admin { .. }) {
            self.is_long.store(true, Ordering::Relaxed);
        }
        let (answering, is_long) = (self.service.call(request), Arc::clone(&self.is_long));
        Box::pin(async move {
            let answer = answering.await?;
            if answer.extensions().get::<Long>().is_some() {
                is_long.store(true, Ordering::Relaxed);
            }
            Ok(answer)
        })
    }
}

/// How each connection is served.
fn builder(options: &DaemonOptions) -> Builder<TokioExecutor> {
    // HTTP/1 alone: a proxy in front of us speaks it, and HTTP/2 would only bring its own floods.
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.request_timeout)
        .max_buf_size(MAX_HEAD)
        // Scripts close their half of the connection once they have sent, and wait for the answer.
        .half_close(true)
        .keep_alive(false);
    builder
}

/// The next connection.
async fn accept<L: Accept>(listener: &L) -> (L::Stream, Peer) {
    loop {
        match listener.next().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("accept a connection: {error}");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}
