//! The end of a daemon: what is under way comes to a safe place, and others get what they are being given.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::app::App;
use super::routes;
use super::server::Serving;
use super::signals::Asked;
use crate::service::Service;

/// How often is looked whether another daemon has its cache, while nothing else keeps this one.
const GIVEN: Duration = Duration::from_millis(100);

/// How long answers may take to go out once there is nothing else to wait for.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// Waits for what is under way, and returns how many runs did not end in time.
pub(super) async fn end(
    app: &Arc<App>,
    connections: JoinHandle<()>,
    (network, draining): (Option<Arc<TcpListener>>, Serving),
    asked: &mut mpsc::Receiver<Asked>,
) -> usize {
    let service = &app.service;
    let longest = service.config().daemon.stop_timeout;
    let abandoned = tokio::select! {
        abandoned = idle(service, longest) => abandoned,
        () = stop_again(asked) => idle(service, Duration::ZERO).await,
        () = drain(network.as_ref(), app, &draining) => 0,
    };
    app.let_go();
    if abandoned == 0 {
        tokio::select! {
            () = given(service, longest) => {}
            () = stop_again(asked) => {}
            () = drain(network.as_ref(), app, &draining) => {}
        }
    }
    let answered = async { tokio::join!(connections, draining.shutdown()) };
    let _ = tokio::time::timeout(LAST_ANSWERS, answered).await;
    abandoned
}

/// Goes on serving those who may come to a daemon that ends; nobody, if there is no listener for them.
async fn drain(network: Option<&Arc<TcpListener>>, app: &Arc<App>, serving: &Serving) {
    match network {
        Some(network) => serving.serve(Arc::clone(network), routes::working(app)).await,
        None => std::future::pending().await,
    }
}

/// Waits for the wish to stop at once.
async fn stop_again(asked: &mut mpsc::Receiver<Asked>) {
    while let Some(Asked::Reload) = asked.recv().await {}
}

/// Waits until no run is under way, or for `timeout`, and returns how many still are.
async fn idle(service: &Service, timeout: Duration) -> usize {
    let service = service.clone();
    let waited = tokio::task::spawn_blocking(move || service.wait_idle(timeout)).await;
    waited.unwrap_or_default()
}

/// Waits until others have the caches that they are being given, or for `timeout`.
async fn given(service: &Service, timeout: Duration) {
    let all = async {
        while service.given() > 0 {
            tokio::time::sleep(GIVEN).await;
        }
    };
    let _ = tokio::time::timeout(timeout, all).await;
}
