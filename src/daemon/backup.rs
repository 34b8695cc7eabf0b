//! `POST /api/v1/backup`: a backup, for who uses the admin socket and for nobody else.
//!
//! The daemon writes nowhere but below its own folder, and whoever asks writes the file: so nobody can have
//! the daemon write where they may not, and nobody reads what the socket does not give them.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::json;
use tokio::sync::mpsc;
use warp::Reply as _;
use warp::filters::BoxedFilter;
use warp::http::header::{self, HeaderValue};
use warp::http::{Method, StatusCode};
use warp::reply::Response;
use warp::{Filter, hyper};

use super::answer::plain;
use super::app::App;
use super::server::Peer;
use crate::base::clean::with_causes;

/// So many bytes are sent at once.
const CHUNK: usize = 64 << 10;
/// So many chunks wait for a reader that is slow.
const CHUNKS: usize = 4;

/// The route.
pub(super) fn route(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let app = Arc::clone(app);
    let peer = warp::filters::ext::optional::<Peer>();
    let path = warp::path!("api" / "v1" / "backup").and(warp::method()).and(peer);
    path.then(move |method, peer| {
        let app = Arc::clone(&app);
        async move {
            match (method, peer) {
                (Method::POST, Some(Peer::Admin { uid })) => answer(app, uid).await,
                _ => problem(StatusCode::NOT_FOUND, "There is nothing at this address."),
            }
        }
    })
    .boxed()
}

/// An answer that says why there is none.
pub(super) fn problem(status: StatusCode, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail,
    });
    plain(status, "application/problem+json", body.to_string())
}

async fn answer(app: Arc<App>, uid: u32) -> Response {
    let made = tokio::task::spawn_blocking(move || {
        let file = app.service.backup().map_err(|error| with_causes(&error))?;
        let size = file.metadata().map_err(|error| error.to_string())?.len();
        Ok::<_, String>((file, size))
    });
    match made.await {
        Ok(Ok((file, size))) => {
            tracing::info!(uid, size, "a backup was made");
            sent(file, size)
        }
        Ok(Err(error)) => {
            tracing::error!(uid, "a backup could not be made: {error}");
            // Whoever may use the socket may read the log.
            let detail = format!("make the backup: {error}");
            problem(StatusCode::INTERNAL_SERVER_ERROR, &detail)
        }
        Err(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "make the backup"),
    }
}

fn sent(mut file: File, size: u64) -> Response {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut chunk = vec![0; CHUNK];
            let read = match file.read(&mut chunk) {
                Ok(0) => return,
                Ok(read) => {
                    chunk.truncate(read);
                    Ok(hyper::body::Bytes::from(chunk))
                }
                Err(error) => Err(error),
            };
            let failed = read.is_err();
            // Whoever wanted it may have gone.
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    let mut response = warp::reply::stream(Chunks(chunks)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The client counts, so that half of a backup is never taken for one.
    headers.insert(header::CONTENT_LENGTH, size.into());
    response
}

/// The chunks of a file, as a body.
struct Chunks(mpsc::Receiver<io::Result<hyper::body::Bytes>>);

impl warp::Stream for Chunks {
    type Item = io::Result<hyper::body::Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
