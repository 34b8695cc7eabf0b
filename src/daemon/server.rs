//! Connections: how many, and for how long.
//!
//! `warp::serve` gives hyper no timer, so that a client may take any time to send its head. We accept
//! ourselves, and serve warp's filters as a service. One connection carries one request: hooks come
//! alone, and so every connection has an end that can be told in advance.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tracing::Instrument as _;
use warp::{Filter, Reply};

use crate::config::DaemonOptions;

/// How long an answer may take to be sent, beside the times that are configured.
const SENDING: Duration = Duration::from_secs(10);
/// How long we do not accept after accepting has failed, as it does when file handles run out.
const AFTER_FAILURE: Duration = Duration::from_millis(100);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 << 10;

/// Serves `routes` on `listener` until `stop` is ready, then closes the listener. What is returned
/// closes the connections that are left.
pub(super) async fn serve<R: Reply>(
    listener: TcpListener,
    routes: impl Filter<Extract = (R,), Error = Infallible> + Clone + Send + Sync + 'static,
    options: &DaemonOptions,
    stop: impl Future,
) -> GracefulShutdown {
    let connections = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(options.connections.get()));
    let builder = builder(options);
    let lifetime = options.request_timeout * 2 + options.wait + SENDING;
    let accepting = async {
        // The semaphore is never closed, so this goes on until it is dropped.
        while let Ok(permit) = Arc::clone(&permits).acquire_owned().await {
            let (stream, peer) = accept(&listener).await;
            let service = TowerToHyperService::new(warp::service(routes.clone()));
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            let connection = tokio::time::timeout(lifetime, connections.watch(connection));
            let serving = async move {
                match connection.await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::debug!("a connection broke: {error}"),
                    Err(_) => tracing::debug!("a connection took too long"),
                }
                drop(permit);
            };
            tokio::spawn(serving.instrument(tracing::info_span!("connection", %peer)));
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = stop => {}
    }
    connections
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
async fn accept(listener: &TcpListener) -> (TcpStream, std::net::SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!("accept a connection: {error}");
                tokio::time::sleep(AFTER_FAILURE).await;
            }
        }
    }
}
