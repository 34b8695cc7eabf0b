//! The stream of events, and waiting for a run to end.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use synchroniser::daemon::web::{Read, WebOptions, respond};
use synchroniser::queue::model::{RunId, RunState, Verdict};
use synchroniser::service::view::ServiceEvent;
use warp::hyper::body::Body as _;
use warp::reply::Response;

use super::client::{Web, options, request};
use crate::support::fake_service::{CONVERTING, run, world};

fn asked(mirror: &str) -> ServiceEvent {
    ServiceEvent::Asked { mirror: mirror.to_owned(), run: RunId(7) }
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

/// A stream that is read.
struct Stream(Response);

impl Web {
    fn follow(&self, address: &str, headers: &[(&str, &str)]) -> Stream {
        let response =
            self.runtime.block_on(respond(&self.state, request("GET", address, headers, "")));
        assert_eq!(response.status(), 200);
        Stream(response)
    }

    /// The next text of a stream; `None` if there is none for a moment, or it has ended.
    fn text(&self, stream: &mut Stream) -> Option<String> {
        self.runtime.block_on(async {
            let body = stream.0.body_mut();
            let frame = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let frame = tokio::time::timeout(Duration::from_millis(200), frame).await.ok()??;
            Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
        })
    }

    fn event(&self, stream: &mut Stream) -> Option<Event> {
        loop {
            let text = self.text(stream)?;
            let mut event = Event::default();
            for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
                match key {
                    "event" => value.clone_into(&mut event.name),
                    "id" => value.clone_into(&mut event.id),
                    "data" => value.clone_into(&mut event.data),
                    _ => {}
                }
            }
            if !event.name.is_empty() {
                return Some(event);
            }
        }
    }
}

#[test]
fn what_happens_is_told_to_who_follows() {
    let web = Web::open();
    let mut stream = web.follow("/api/v1/events", &[]);
    let headers = stream.0.headers();
    assert_eq!(headers["content-type"], "text/event-stream");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(web.text(&mut stream).unwrap().contains("retry:5000"));
    for event in [
        asked("a"),
        ServiceEvent::Begun { mirror: "a".to_owned(), run: RunId(7) },
        ServiceEvent::Progress { mirror: "a".to_owned(), run: RunId(7), progress: CONVERTING },
        ServiceEvent::Ended { run: run(7, "a", RunState::Done, 0).summary },
        ServiceEvent::Changed { mirror: "a".to_owned() },
        ServiceEvent::Delivered { verdict: Verdict::Accepted, endpoint: "forge".to_owned() },
    ] {
        web.state.publish(&event);
        let told = web.event(&mut stream).unwrap();
        assert_eq!(told.name, event.name());
        let data: serde_json::Value = serde_json::from_str(&told.data).unwrap();
        assert_eq!(data["event"], event.name());
    }
    assert_eq!(web.event(&mut stream), None);
}

#[test]
fn who_comes_back_goes_on_where_it_was() {
    let web = Web::open();
    let mut stream = web.follow("/api/v1/events", &[]);
    web.state.publish(&asked("a"));
    let first = web.event(&mut stream).unwrap();
    drop(stream);
    web.state.publish(&asked("b"));
    web.state.publish(&asked("c"));
    for stream in [
        web.follow("/api/v1/events", &[("last-event-id", &first.id)]),
        web.follow(&format!("/api/v1/events?after={}", first.id), &[]),
    ] {
        let mut stream = stream;
        let mirrors = ["b", "c"].map(|_| web.event(&mut stream).unwrap().data);
        assert!(mirrors[0].contains("\"b\"") && mirrors[1].contains("\"c\""), "{mirrors:?}");
        assert_eq!(web.event(&mut stream), None);
    }
}

#[test]
fn who_missed_something_is_told_to_look_anew() {
    let web = Web::open();
    let mut stream = web.follow("/api/v1/events", &[]);
    web.state.publish(&asked("a"));
    let first = web.event(&mut stream).unwrap();
    // Nobody reads, and more happens than is kept.
    for _ in 0..2000 {
        web.state.publish(&asked("b"));
    }
    for id in [first.id.as_str(), "other-1", "nonsense", ""] {
        let mut late = web.follow("/api/v1/events", &[("last-event-id", id)]);
        assert_eq!(web.event(&mut late).unwrap().name, "resync", "{id}");
        web.state.publish(&asked("c"));
        assert_eq!(web.event(&mut late).unwrap().name, "asked", "{id}");
    }
    let names: Vec<_> =
        std::iter::from_fn(|| web.event(&mut stream)).map(|event| event.name).collect();
    assert_eq!(names.iter().filter(|name| *name == "resync").count(), 1, "{}", names.len());
    assert!(names.len() < 1100, "{}", names.len());
}

#[test]
fn one_mirror_can_be_followed() {
    let web = Web::open();
    let mut stream = web.follow("/api/v1/events?mirror=b", &[]);
    for mirror in ["a", "b", "c", "b"] {
        web.state.publish(&asked(mirror));
    }
    web.state
        .publish(&ServiceEvent::Delivered { verdict: Verdict::Ignored, endpoint: String::new() });
    for _ in 0..2 {
        assert!(web.event(&mut stream).unwrap().data.contains("\"b\""));
    }
    assert_eq!(web.event(&mut stream), None);
}

#[test]
fn streams_are_few_and_end() {
    let web = Web::new(
        world(),
        WebOptions {
            streams_per_address: 2,
            streams: 3,
            longest_stream: Duration::from_millis(300),
            ..options(Read::Open)
        },
    );
    let from = |last: u8| {
        let mut request = request("GET", "/api/v1/events", &[], "");
        request.from = [192, 0, 2, last].into();
        web.runtime.block_on(respond(&web.state, request))
    };
    let streams = [from(1), from(1), from(2)];
    assert!(streams.iter().all(|it| it.status() == 200));
    let refused = from(3);
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "30");
    // One more of an address ends its oldest.
    let [oldest, one, _] = streams;
    let next = from(1);
    assert_eq!(next.status(), 200);
    let (mut oldest, began) = (Stream(oldest), Instant::now());
    while web.text(&mut oldest).is_some() {}
    assert!(began.elapsed() < Duration::from_millis(250), "it is the oldest that ends");
    let (mut one, began) = (Stream(one), Instant::now());
    while web.text(&mut one).is_some() {}
    assert!(began.elapsed() < Duration::from_secs(3));
    // Their time is over, so there is room again.
    web.runtime.block_on(async { tokio::time::sleep(Duration::from_millis(400)).await });
    assert_eq!(from(1).status(), 200);

    web.state.close();
    let mut closed = Stream(from(2));
    while web.text(&mut closed).is_some() {}
}

#[test]
fn who_waits_for_a_run_hears_of_its_end() {
    let web = Web::open();
    let wait = |id: u128, seconds: &str| format!("/api/v1/runs/{}?wait={seconds}", RunId(id));
    // What is over or unknown is answered at once, and what is not once the time is up.
    for (address, status) in [(wait(1, "60"), 200), (wait(0x99, "60"), 404)] {
        let began = Instant::now();
        assert_eq!(web.get(&address).status, status);
        assert!(began.elapsed() < Duration::from_secs(5), "{address}");
    }
    let began = Instant::now();
    assert_eq!(web.get(&wait(5, "1")).json()["state"], "running");
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(web.get(&wait(5, "x")).status, 400);

    let (state, service) = (Arc::clone(&web.state), Arc::clone(&web.service));
    let ending = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        state.publish(&asked("good"));
        let mut shown = service.shown();
        let run = shown.runs.iter_mut().find(|it| it.summary.id == RunId(5)).unwrap();
        run.summary.state = RunState::Done;
        let ended = ServiceEvent::Ended { run: run.summary.clone() };
        drop(shown);
        state.publish(&ended);
    });
    let began = Instant::now();
    assert_eq!(web.get(&wait(5, "60")).json()["state"], "done");
    assert!(began.elapsed() < Duration::from_secs(5));
    ending.join().unwrap();
}
