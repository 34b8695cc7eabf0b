//! A source that is gone for a day.

use std::time::Duration;

use synchroniser::base::{Fault, Side};
use synchroniser::queue::model::Cause;
use synchroniser::service::view::{MirrorState, ServiceEvent};

use super::rig::Rig;
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};

const DAY: Duration = Duration::from_hours(24);
const STEP: Duration = Duration::from_mins(1);

/// Two mirrors, whose sources can be looked at.
fn rig() -> Rig {
    let env = TestEnv::new();
    for name in ["away", "here"] {
        Generated::new(Shape { seed: 1, changesets: 2, files: 2, heads: 1, ..Shape::PLAIN })
            .write(&env.path(name));
    }
    let rig = Rig::in_env(
        env,
        "mirrors.away = { source = \"away\", target = \"away.git\" }\n\
         mirrors.here = { source = \"here\", target = \"here.git\" }\n",
    );
    rig.synced();
    rig
}

/// How runs of `away` failed, in the words of log and metrics.
fn told(rig: &Rig) -> Vec<(Fault, Side)> {
    let events = rig.events.lock().unwrap();
    let failures = events.iter().filter_map(|(_, event)| match event {
        ServiceEvent::Ended { run } if run.mirror == "away" => run.failure.as_ref(),
        _ => None,
    });
    failures.map(|failure| (failure.fault, failure.side)).collect()
}

/// A day passes, in which the other mirror has news every hour, and has them at its target within a minute.
fn a_day_passes(rig: &Rig) {
    let minutes = DAY.as_secs() / STEP.as_secs();
    for minute in 0..minutes {
        if minute % 60 == 30 {
            let before = rig.now();
            rig.substitute.has_news("here");
            rig.hook("here");
            rig.pass(STEP);
            assert!(rig.synced_so_far_has("here"));
            assert!(rig.mirror("here").summary.last_change >= Some(before));
            rig.synced();
        } else {
            rig.pass(STEP);
        }
        assert_eq!(rig.state("here"), MirrorState::Good);
    }
}

#[test]
fn a_host_that_is_gone_for_a_day_is_told_and_comes_back_by_itself() {
    let rig = rig();
    rig.substitute.fails("away", Some((Fault::Unavailable, Side::Source)));
    rig.hook("away");
    rig.settle();
    a_day_passes(&rig);
    let away = rig.mirror("away").summary;
    assert_eq!(away.state, MirrorState::Failing, "{away:?}");
    let failure = away.failure.unwrap();
    assert_eq!((failure.fault, failure.side), (Fault::Unavailable, Side::Source));
    let told = told(&rig);
    assert!(told.iter().all(|told| *told == (Fault::Unavailable, Side::Source)), "{told:?}");
    assert!((8..30).contains(&told.len()), "tried {} times", told.len());
    rig.substitute.fails("away", None);
    for _ in 0..=4 * 60 {
        rig.pass(STEP);
    }
    assert_eq!(rig.state("away"), MirrorState::Good);
}

/// A server that says that there is nothing: nobody asks it for ever, and a hook says that it is back.
#[test]
fn a_repository_that_is_gone_for_a_day_is_parked_until_somebody_knows_better() {
    let rig = rig();
    rig.substitute.fails("away", Some((Fault::Config, Side::Source)));
    rig.hook("away");
    rig.settle();
    a_day_passes(&rig);
    let away = rig.mirror("away").summary;
    assert_eq!(away.state, MirrorState::Parked, "{away:?}");
    assert_eq!(away.failure.unwrap().side, Side::Source);
    assert_eq!(told(&rig).len(), 3);
    rig.substitute.fails("away", None);
    rig.hook("away");
    rig.settle();
    assert_eq!(rig.state("away"), MirrorState::Good);
    let runs = rig.actions().runs(Some("away"), None, 1).unwrap();
    assert_eq!(runs[0].cause, Cause::Hook);
}
