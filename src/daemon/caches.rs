//! `GET /nodes/cache`: a cache, for another daemon that shares the queue and for nobody else.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use warp::Reply as _;
use warp::filters::BoxedFilter;
use warp::http::header::{self, HeaderValue};
use warp::http::{HeaderMap, Method, StatusCode};
use warp::reply::Response;
use warp::{Filter, hyper};

use super::answer::Answer;
use super::app::App;
use super::server::{Long, Peer};
use super::web::Denied;
use crate::base::clean::with_causes;
use crate::base::{Carried, Interrupt, Interrupted};
use crate::net::percent;
use crate::service::{Giving, NotGiven};

/// So many bytes are sent at once.
const CHUNK: usize = 64 << 10;
/// So many chunks wait for a reader that is slow.
const CHUNKS: usize = 4;
/// Whoever takes no chunk for so long gets no more: nobody works in the cache meanwhile.
const LONGEST_CHUNK: Duration = Duration::from_secs(30);

/// The route.
pub(super) fn route(app: &Arc<App>) -> BoxedFilter<(Response,)> {
    let app = Arc::clone(app);
    let request = warp::query::raw()
        .or(warp::any().map(String::new))
        .unify()
        .and(warp::header::headers_cloned())
        .and(warp::filters::ext::optional::<Peer>());
    warp::path!("nodes" / "cache")
        .and(warp::method())
        .and(request)
        .then(move |method, query: String, headers, peer| {
            let app = Arc::clone(&app);
            async move {
                if method != Method::GET {
                    let text = "This is asked for by GET.";
                    return Answer::method_not_allowed("GET", text).into_response();
                }
                let mirror = query.strip_prefix("mirror=").and_then(percent::decode_text);
                match mirror {
                    Some(mirror) => answer(app, mirror, headers, peer).await,
                    None => nothing(),
                }
            }
        })
        .boxed()
}

fn nothing() -> Response {
    Answer::new(StatusCode::NOT_FOUND, "There is no such cache here.").into_response()
}

async fn answer(app: Arc<App>, mirror: String, headers: HeaderMap, peer: Option<Peer>) -> Response {
    let from = match peer {
        Some(Peer::Network(address)) => Some(address),
        _ => None,
    };
    let looked = tokio::task::spawn_blocking(move || {
        app.web.proved(&headers, peer, |bearer| match app.service.give_cache(&mirror, bearer) {
            Err(NotGiven::Unproven) => None,
            given => Some(given),
        })
    });
    match looked.await {
        Ok(Ok(Ok(giving))) => given(giving, from),
        Ok(Ok(Err(NotGiven::Busy))) => {
            let text = "Other caches are sent, or somebody works with this one.";
            Answer::busy(text, Duration::from_secs(2)).into_response()
        }
        Ok(Ok(Err(NotGiven::Failed(error)))) => {
            tracing::warn!("a cache is not given: failed to {}", with_causes(&error));
            let text = "The cache cannot be read; the log here says why.";
            Answer::new(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
        Ok(Ok(Err(NotGiven::Never | NotGiven::Nothing | NotGiven::Unproven))) => nothing(),
        Ok(Err(Denied::NoToken)) => {
            let text = "Caches are for daemons that know the secret of this one.";
            Answer::new(StatusCode::UNAUTHORIZED, text).into_response()
        }
        Ok(Err(Denied::Later(wait))) => Answer::too_many_guesses(wait).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn given(giving: Giving, to: Option<SocketAddr>) -> Response {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    let (handle, span) = (Handle::current(), tracing::Span::current());
    tokio::task::spawn_blocking(move || {
        let _entered = span.entered();
        let (mirror, announced) = (giving.mirror().to_owned(), giving.announced());
        tracing::info!(
            mirror,
            ?to,
            files = announced.files,
            bytes = announced.bytes,
            "a cache is given"
        );
        let interrupt = giving.interrupt();
        let mut out = Out { handle, sender, interrupt, chunk: Vec::with_capacity(CHUNK) };
        match giving.send(&mut out) {
            Ok(()) => tracing::info!(mirror, ?to, "a cache was given"),
            Err(error) => {
                tracing::warn!(
                    mirror,
                    ?to,
                    "a cache was not given: failed to {}",
                    with_causes(&error)
                );
                // So that what was sent is not taken for all of it, before its end is missed.
                let _ = out.give(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
    });
    let mut response = warp::reply::stream(Chunks(chunks)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The answer ends when all is sent.
    response.extensions_mut().insert(Long);
    response
}

type Chunk = io::Result<hyper::body::Bytes>;

/// Where a cache is written to.
struct Out {
    handle: Handle,
    sender: mpsc::Sender<Chunk>,
    interrupt: Interrupt,
    chunk: Vec<u8>,
}

impl Out {
    fn give(&mut self, chunk: Chunk) -> io::Result<()> {
        let sent = tokio::time::timeout(LONGEST_CHUNK, self.sender.send(chunk));
        match self.handle.block_on(sent) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn give_chunk(&mut self) -> io::Result<()> {
        if self.interrupt.is_raised() {
            return Err(Carried::wrap(Interrupted));
        }
        let chunk = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK));
        self.give(Ok(chunk.into()))
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK.saturating_sub(self.chunk.len()).min(bytes.len());
        self.chunk.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.chunk.len() >= CHUNK {
            self.give_chunk()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() { Ok(()) } else { self.give_chunk() }
    }
}

/// The chunks of a cache, as a body.
struct Chunks(mpsc::Receiver<Chunk>);

impl warp::Stream for Chunks {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}
