//! What lets a mirror go on that is parked or paused.

use std::time::Duration;

use synchroniser::base::{Fault, Side};
use synchroniser::queue::model::RunState;
use synchroniser::service::Received;
use synchroniser::service::view::MirrorState;

use super::rig::Rig;

const A: &str = "mirrors.a = { source = \"hg/a\", target = \"git/a\" }\n";

/// A service whose mirror is parked since its target has refused it.
fn parked() -> Rig {
    let rig = Rig::new(A);
    rig.substitute.fails("a", Some((Fault::Refused, Side::Target)));
    rig.hook("a");
    rig.settle();
    assert_eq!(rig.state("a"), MirrorState::Parked);
    let failure = rig.mirror("a").summary.failure.unwrap();
    assert_eq!((failure.fault, failure.side), (Fault::Refused, Side::Target));
    rig.synced();
    rig.pass(Duration::from_hours(100));
    assert_eq!(rig.synced(), [""; 0], "nobody tries");
    rig.substitute.fails("a", None);
    rig
}

fn is_good_again(rig: &Rig) {
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    assert_eq!(rig.state("a"), MirrorState::Good);
    assert_eq!(rig.mirror("a").summary.failure, None);
}

#[test]
fn a_hook_lets_it_go_on() {
    let rig = parked();
    assert!(matches!(rig.hook("a"), Received::Accepted(_)));
    is_good_again(&rig);
}

#[test]
fn a_person_lets_it_go_on() {
    let rig = parked();
    rig.actions().retry("a").unwrap();
    is_good_again(&rig);
    let rig = parked();
    rig.actions().sync("a").unwrap();
    is_good_again(&rig);
}

#[test]
fn a_person_has_refused_refs_pushed_again() {
    let rig = Rig::new(A);
    rig.hook("a");
    rig.settle();
    rig.actions().retry("a").unwrap();
    rig.settle();
    rig.hook("a");
    rig.settle();
    assert_eq!(
        rig.substitute.retried(),
        [false, false, true, false],
        "the first is for the configuration"
    );
}

#[test]
fn another_configuration_lets_it_go_on() {
    let rig = parked();
    rig.reload(A);
    assert_eq!(rig.state("a"), MirrorState::Parked, "it is the same");
    rig.reload(&A.replace("git/a", "git/b"));
    is_good_again(&rig);
}

#[test]
fn it_stays_parked_over_a_restart() {
    let mut rig = parked();
    rig.restart(A);
    assert_eq!(rig.synced(), [""; 0]);
    assert_eq!(rig.state("a"), MirrorState::Parked);
    rig.hook("a");
    is_good_again(&rig);
}

#[test]
fn a_paused_mirror_keeps_what_is_asked_for() {
    let mut rig = Rig::new(A);
    rig.synced();
    rig.actions().pause("a").unwrap();
    let Received::Accepted(asked) = rig.hook("a") else { panic!("not accepted") };
    rig.settle();
    rig.pass(Duration::from_hours(30));
    rig.restart(A);
    assert_eq!(rig.synced(), [""; 0]);
    assert_eq!(rig.state("a"), MirrorState::Paused);
    let run = rig.actions().run(asked[0].receipt.run).unwrap().unwrap();
    assert_eq!(run.summary.state, RunState::Queued);
    rig.actions().resume("a").unwrap();
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    let run = rig.actions().run(asked[0].receipt.run).unwrap().unwrap();
    assert_eq!(run.summary.state, RunState::Done);
    assert!(rig.actions().pause("nobody").is_err());
}

#[test]
fn a_server_that_says_when_to_come_back_is_left_alone_until_then() {
    let rig = Rig::new(A);
    rig.synced();
    let limited = Fault::Unavailable.at(Side::Target).after(Duration::from_hours(1));
    rig.substitute.fails_with("a", limited);
    rig.hook("a");
    rig.settle();
    assert_eq!(rig.synced(), ["a"]);
    rig.substitute.fails("a", None);
    rig.pass(Duration::from_mins(59));
    rig.hook("a");
    rig.settle();
    assert_eq!(rig.synced(), [""; 0], "not for a hook either");
    rig.pass(Duration::from_mins(3));
    is_good_again(&rig);
}
