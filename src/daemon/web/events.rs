//! What happens, as a stream that a browser or a program follows, and waiting for a run to end.
//!
//! The last events are kept in one buffer for all. Each reader has a place in it and no buffer of its own:
//! one that is too slow, or comes back too late, is told to look at everything anew (`resync`).

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;
use warp::Reply as _;
use warp::http::StatusCode;
use warp::http::header::{HeaderName, HeaderValue};
use warp::reply::Response;
use warp::sse::Event;

use super::problem::Problem;
use super::request::Request;
use super::{WebOptions, WebState};
use crate::base::time::Timestamp;
use crate::daemon::server::Long;
use crate::net::network::one_sender;
use crate::queue::model::RunId;
use crate::service::view::ServiceEvent;

/// How many events are kept for those who come back.
const KEPT: usize = 1024;
/// How many events are on their way to one reader.
const UNDER_WAY: usize = 16;
/// How often a stream without events says that it is alive.
const ALIVE: Duration = Duration::from_secs(15);
/// After what time a browser whose stream ended connects again.
const RETRY: Duration = Duration::from_secs(5);

/// The events, and who follows them.
pub(super) struct Events {
    kept: Mutex<Kept>,
    /// The number of the last event; closed when the service stops.
    last: Mutex<Option<watch::Sender<u64>>>,
    follow: watch::Receiver<u64>,
    /// Stands before each id, so that those of another process are known as such.
    process: String,
    streams: Mutex<Streams>,
    per_address: usize,
    in_all: usize,
    longest: Duration,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<Entry>>,
    /// The number of the last event; the first has 1.
    last: u64,
}

/// An event as it is sent.
struct Entry {
    number: u64,
    name: &'static str,
    mirror: Option<String>,
    run: Option<RunId>,
    json: String,
}

#[derive(Default)]
struct Streams {
    in_all: usize,
    /// Those of each address, the oldest first.
    of: HashMap<IpAddr, VecDeque<Arc<Notify>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Events {
    pub(super) fn new(now: Timestamp, options: &WebOptions) -> Self {
        let (last, follow) = watch::channel(0);
        Self {
            kept: Mutex::default(),
            last: Mutex::new(Some(last)),
            follow,
            process: format!("{:x}", now.millis()),
            streams: Mutex::default(),
            per_address: options.streams_per_address,
            in_all: options.streams,
            longest: options.longest_stream,
        }
    }

    pub(super) fn publish(&self, event: &ServiceEvent) {
        let (name, run) = (event.name(), event.run());
        let mirror = event.mirror().map(str::to_owned);
        // Our types have no maps with keys that are no text, which alone could fail.
        let json = serde_json::to_string(event).unwrap_or_default();
        let mut kept = lock(&self.kept);
        kept.last += 1;
        let number = kept.last;
        kept.events.push_back(Arc::new(Entry { number, name, mirror, run, json }));
        if kept.events.len() > KEPT {
            kept.events.pop_front();
        }
        drop(kept);
        if let Some(last) = &*lock(&self.last) {
            last.send_replace(number);
        }
    }

    pub(super) fn close(&self) {
        lock(&self.last).take();
    }

    /// The number of the last event.
    pub(super) fn last(&self) -> u64 {
        lock(&self.kept).last
    }

    /// The events after number `seen`; `None` if some of them are forgotten, or none is known to be seen.
    fn after(&self, seen: Option<u64>) -> Option<Vec<Arc<Entry>>> {
        let seen = seen?;
        let kept = lock(&self.kept);
        let first = kept.events.front().map_or(kept.last + 1, |event| event.number);
        let is_there = (first..=kept.last + 1).contains(&seen.saturating_add(1));
        is_there.then(|| kept.events.iter().filter(|it| it.number > seen).cloned().collect())
    }

    /// The number in an id of ours; `None` if it is not of this process.
    fn number(&self, id: &str) -> Option<u64> {
        let (process, number) = id.split_once('-')?;
        number.parse().ok().filter(|_| process == self.process)
    }
}

/// Counts a stream, until it is dropped.
struct Counted {
    state: Arc<WebState>,
    from: IpAddr,
    /// Told when it has to make room.
    end: Arc<Notify>,
}

impl Counted {
    fn new(state: &Arc<WebState>, from: IpAddr) -> Option<Self> {
        let (events, from) = (&state.events, one_sender(from));
        let mut streams = lock(&events.streams);
        let of_address = streams.of.get(&from).map_or(0, VecDeque::len);
        if streams.in_all >= events.in_all && of_address == 0 {
            return None;
        }
        streams.in_all += 1;
        let (end, of_address) = (Arc::new(Notify::new()), streams.of.entry(from).or_default());
        of_address.push_back(Arc::clone(&end));
        // Whoever goes from page to page leaves streams behind, and it takes half a minute until that shows. One
        // that is still followed is asked for again, and goes on where it was.
        if of_address.len() > events.per_address
            && let Some(oldest) = of_address.pop_front()
        {
            oldest.notify_one();
        }
        Some(Self { state: Arc::clone(state), from, end })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut streams = lock(&self.state.events.streams);
        streams.in_all -= 1;
        if let Some(of_address) = streams.of.get_mut(&self.from) {
            of_address.retain(|end| !Arc::ptr_eq(end, &self.end));
            if of_address.is_empty() {
                streams.of.remove(&self.from);
            }
        }
    }
}

/// A stream of events, as a body.
struct Body(mpsc::Receiver<Event>);

impl warp::Stream for Body {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// Answers with what happens from now on, or from after the event that the client has seen last.
pub(super) fn stream(state: &Arc<WebState>, request: &Request) -> Response {
    let Some(counted) = Counted::new(state, request.from) else {
        let detail =
            "There are too many streams of events. Ask for the pages themselves, or later.";
        return Problem::later(StatusCode::TOO_MANY_REQUESTS, detail, 30).answer(false).into();
    };
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    let id = request.header("last-event-id").map(str::to_owned);
    let id = id.or_else(|| request.parameter("after"));
    let seen = match &id {
        Some(id) => state.events.number(id),
        None => Some(state.events.last()),
    };
    let feed = Feed { counted, sender, mirror: request.parameter("mirror") };
    tokio::spawn(feed.run(seen));
    let mut response = warp::sse::reply(Body(receiver)).into_response();
    response.extensions_mut().insert(Long);
    // Some proxies keep what they are sent until there is more of it.
    response
        .headers_mut()
        .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// Sends events to one reader.
struct Feed {
    counted: Counted,
    sender: mpsc::Sender<Event>,
    /// The only mirror that is followed.
    mirror: Option<String>,
}

impl Feed {
    async fn run(self, mut seen: Option<u64>) {
        let events = &self.counted.state.events;
        let mut follow = events.follow.clone();
        let end = Instant::now() + events.longest;
        if self.send(Event::default().retry(RETRY).comment("events of synchroniser")).await.is_err()
        {
            return;
        }
        loop {
            follow.borrow_and_update();
            if self.send_after(&mut seen).await.is_err() {
                return;
            }
            let sent = tokio::select! {
                changed = follow.changed() => changed.map_err(drop),
                () = tokio::time::sleep(ALIVE) => self.send(Event::default().comment("")).await,
                () = tokio::time::sleep_until(end) => Err(()),
                () = self.sender.closed() => Err(()),
                () = self.counted.end.notified() => Err(()),
            };
            if sent.is_err() {
                return;
            }
        }
    }

    /// Sends what happened after `seen`.
    async fn send_after(&self, seen: &mut Option<u64>) -> Result<(), ()> {
        let events = &self.counted.state.events;
        let Some(new) = events.after(*seen) else {
            let last = events.last();
            *seen = Some(last);
            let id = format!("{}-{last}", events.process);
            return self.send(Event::default().event("resync").id(id).data("{}")).await;
        };
        for event in new {
            *seen = Some(event.number);
            if self.mirror.is_some() && self.mirror != event.mirror {
                continue;
            }
            let id = format!("{}-{}", events.process, event.number);
            self.send(Event::default().event(event.name).id(id).data(event.json.as_str())).await?;
        }
        Ok(())
    }

    async fn send(&self, event: Event) -> Result<(), ()> {
        self.sender.send(event).await.map_err(drop)
    }
}

/// Waits until the run `id` is over or unknown, but no longer than the request and our limit allow.
pub(super) async fn until_over(state: &Arc<WebState>, request: &Request, id: &str) {
    let wanted = request.parameter("wait").and_then(|seconds| seconds.parse::<u32>().ok());
    let time = Duration::from_secs(wanted.unwrap_or(0).into()).min(state.longest_wait);
    let (Ok(id), false) = (id.parse::<RunId>(), time.is_zero()) else { return };
    let waiting = async {
        let mut follow = state.events.follow.clone();
        loop {
            let seen = *follow.borrow_and_update();
            let service = Arc::clone(&state.service);
            let run = tokio::task::spawn_blocking(move || service.run(id)).await;
            let is_going = |run: &crate::service::view::RunDetail| !run.summary.state.is_over();
            if !matches!(run, Ok(Ok(Some(run))) if is_going(&run)) {
                return;
            }
            loop {
                let changed = match state.look_every {
                    None => follow.changed().await,
                    Some(time) => match tokio::time::timeout(time, follow.changed()).await {
                        Ok(changed) => changed,
                        // It may have ended elsewhere.
                        Err(_) => break,
                    },
                };
                if changed.is_err() {
                    return;
                }
                // Events that are forgotten may have been about this run.
                let new = state.events.after(Some(seen));
                if new.is_none_or(|new| new.iter().any(|event| event.run == Some(id))) {
                    break;
                }
            }
        }
    };
    // The answer says itself what has become of the run by then.
    let _ = tokio::time::timeout(time, waiting).await;
}
