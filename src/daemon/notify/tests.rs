//! Streaks, and how a message reads.

mod ways;

use super::message::Message;
use super::streaks::{Change, Streaks};
use crate::base::time::Timestamp;
use crate::base::{Fault, Side};
use crate::service::view::{CredentialView, FailureView, MirrorState, MirrorSummary};

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn mirror(state: MirrorState, failures: u32, last_good: i64) -> MirrorSummary {
    let failure = FailureView {
        fault: Fault::Auth,
        side: Side::Target,
        message: "push: the server\nrefuses the \u{1b}[31mtoken".to_owned(),
        hint: Some("give it another token".to_owned()),
    };
    let is_trouble = state < MirrorState::Stale;
    MirrorSummary {
        name: "forge/a b".to_owned(),
        owner: "acme".to_owned(),
        source: "https://hg.example.org/rocket".to_owned(),
        target: Some("https://github.com/acme/rocket.git".to_owned()),
        state,
        paused: false,
        failure: is_trouble.then_some(failure),
        failures,
        since: is_trouble.then(|| time(50)),
        last_tried: Some(time(60)),
        last_good: Some(time(last_good)),
        last_change: None,
        lag: None,
        running: None,
        progress: None,
        due: None,
        nodes: Vec::new(),
        no_node: false,
    }
}

fn parked() -> Message {
    let change = Change::Trouble { since: Some(time(50)) };
    let mirror = mirror(MirrorState::Parked, 3, 10);
    Message::of(&change, &mirror, Some("https://mirrors.example.org"), time(100))
}

/// How a mirror is, one look after the other, and what is told then.
type Steps<'a> = &'a [(MirrorState, u32, i64, Option<Change>)];

#[test]
fn a_streak_is_told_once_and_so_is_its_end() {
    use MirrorState::{Failing, Good, New, Parked, Partial, Paused, Queued, Running, Stale};
    let trouble = |since| Some(Change::Trouble { since: Some(time(since)) });
    let well = |since| Some(Change::Recovered { since: Some(time(since)) });
    let cases: &[(&str, Steps<'_>)] = &[
        ("nothing", &[(New, 0, 0, None), (Running, 0, 0, None), (Good, 0, 5, None)]),
        (
            "three failures",
            &[
                (Failing, 1, 10, None),
                (Failing, 2, 10, None),
                (Failing, 3, 10, trouble(50)),
                (Failing, 4, 10, None),
                (Parked, 5, 10, None),
                (Failing, 5, 10, None),
                (Good, 0, 70, well(50)),
                (Good, 0, 80, None),
            ],
        ),
        ("failures that pass", &[(Failing, 2, 10, None), (Good, 0, 70, None)]),
        (
            "parked, tried again by a person, and parked again",
            &[
                (Parked, 1, 10, trouble(50)),
                (Failing, 1, 10, None),
                (Running, 0, 10, None),
                (Queued, 0, 10, None),
                (Parked, 2, 10, None),
                (Good, 0, 70, well(50)),
                (Parked, 1, 70, trouble(50)),
            ],
        ),
        (
            "in part",
            &[(Partial, 0, 10, trouble(50)), (Partial, 0, 10, None), (Good, 0, 70, well(50))],
        ),
        (
            "stale, although nothing has failed",
            &[
                (Stale, 0, 10, trouble(10)),
                (Stale, 0, 10, None),
                (Paused, 0, 10, None),
                (Stale, 0, 10, None),
                (Running, 0, 70, well(10)),
            ],
        ),
    ];
    for (case, steps) in cases {
        let mut streaks = Streaks::default();
        for (number, (state, failures, last_good, expected)) in steps.iter().enumerate() {
            let found = streaks.look(&mirror(*state, *failures, *last_good), 3);
            assert_eq!(found, *expected, "{case}, step {number}");
        }
    }
}

#[test]
fn what_was_in_trouble_before_is_known() {
    let mut streaks = Streaks::known(&[mirror(MirrorState::Parked, 1, 10)], 3);
    assert!(streaks.has("forge/a b"));
    assert_eq!(streaks.look(&mirror(MirrorState::Parked, 2, 10), 3), None);
    let well = streaks.look(&mirror(MirrorState::Good, 0, 70), 3);
    assert_eq!(well, Some(Change::Recovered { since: Some(time(50)) }));
    let mut streaks = Streaks::known(&[mirror(MirrorState::Parked, 1, 10)], 3);
    streaks.forget("forge/a b");
    assert!(!streaks.has("forge/a b"));
}

#[test]
fn a_message_reads_well() {
    let message = parked();
    assert_eq!(message.subject(), "forge/a b is parked at its target");
    assert_eq!(
        message.text(),
        "The mirror forge/a b is parked at its target: trying again does not help, and somebody has to do \
         something.\n\n\
         Problem:   push: the server refuses the [31mtoken\n\
         To do:     give it another token\n\
         Since:     1970-01-01T00:00:50.000Z\n\
         Last good: 1970-01-01T00:00:10.000Z\n\
         Source:    https://hg.example.org/rocket\n\
         Target:    https://github.com/acme/rocket.git\n\
         Page:      https://mirrors.example.org/mirrors/forge%2Fa%20b\n"
    );
    let json: serde_json::Value = serde_json::from_str(&message.json()).unwrap();
    assert_eq!(json["event"], "trouble");
    assert_eq!(json["state"], "parked");
    assert_eq!(json["failure"]["fault"], "auth");
    assert_eq!(json["failure"]["side"], "target");
    assert_eq!(json["link"], "https://mirrors.example.org/mirrors/forge%2Fa%20b");
    let change = Change::Recovered { since: Some(time(50)) };
    let message = Message::of(&change, &mirror(MirrorState::Good, 0, 70), None, time(100));
    assert_eq!(message.subject(), "forge/a b is well again");
    assert!(message.text().contains("Was since: 1970-01-01T00:00:50.000Z\n"), "{}", message.text());
    assert!(!message.text().contains("Page:"));
}

/// What ended its process is parked, and tried again by itself.
#[test]
fn what_is_parked_and_tried_again_says_so() {
    let mirror = MirrorSummary { due: Some(time(300)), ..mirror(MirrorState::Parked, 3, 10) };
    let message = Message::of(&Change::Trouble { since: None }, &mirror, None, time(100));
    let text = message.text();
    assert!(text.starts_with(
        "The mirror forge/a b is parked at its target: it is tried again, but seldom"
    ));
    assert!(text.contains("\nNext try:  1970-01-01T00:05:00.000Z\n"), "{text}");
    let mirror = MirrorSummary { state: MirrorState::Failing, ..mirror };
    let failing = Message::of(&Change::Trouble { since: None }, &mirror, None, time(100));
    assert!(!failing.text().contains("Next try"), "it is tried all the time");
}

#[test]
fn a_credential_that_ends_reads_well() {
    let credential = |ends| CredentialView {
        name: "token in /etc/synchroniser/token".to_owned(),
        ends: time(ends),
        mirrors: vec!["a".to_owned(), "b".to_owned()],
    };
    let mirror = mirror(MirrorState::Parked, 3, 10);
    let message = |ends| Message::expires(&credential(ends), &mirror, None, time(100));
    assert_eq!(
        message(90_000).subject(),
        "the token in /etc/synchroniser/token ends at 1970-01-02T01:00:00.000Z"
    );
    assert_eq!(message(90).subject(), "the token in /etc/synchroniser/token has ended");
    insta::assert_snapshot!(message(90_000).text(), @r"
    The token in /etc/synchroniser/token ends soon: put another one in its place before.

    Ends:      1970-01-02T01:00:00.000Z
    Mirrors:   a, b
    ");
    let json: serde_json::Value = serde_json::from_str(&message(90).json()).unwrap();
    assert_eq!(json["event"], "expires");
    assert_eq!(json["credential"]["is_over"], true);
    assert!(json["failure"].is_null(), "that the mirror is in trouble is another message");
    let test = Message::test(None, time(100));
    assert_eq!(test.subject(), "a test of notifications");
    assert!(test.text().starts_with("This is a test"));
}
