//! Hosts that are dead.

use std::sync::mpsc::channel;
use std::time::Duration;

use synchroniser::base::{Fault, Side};
use synchroniser::queue::JobStore as _;
use synchroniser::queue::model::Row;
use synchroniser::service::view::MirrorState;

use super::rig::Rig;

/// So many mirrors have their source at the host that dies.
const DEAD: usize = 8;

fn text() -> String {
    let dead = (0..DEAD).map(|number| {
        format!(
            "mirrors.d{number} = {{ source = \"https://dead.example/{number}\", target = \"d{number}\" }}\n"
        )
    });
    dead.collect::<String>()
        + "mirrors.good = { source = \"https://good.example/x\", target = \"good\" }\n"
}

fn is_dead(row: &Row) -> bool {
    row.member.source_host == "dead.example"
}

#[test]
fn a_dead_host_is_left_alone_and_the_others_go_on() {
    let rig = Rig::new(&text());
    assert_eq!(rig.synced().len(), DEAD + 1);
    let gone = Some((Fault::Unavailable, Side::Source));
    for number in 0..DEAD {
        rig.substitute.fails(&format!("d{number}"), gone);
        rig.hook(&format!("d{number}"));
    }
    let pass = |time| {
        rig.at(rig.now().after(time));
        rig.settle_but(is_dead);
        // What is held up may need a moment to be begun after all.
        std::thread::sleep(Duration::from_millis(2));
    };
    pass(Duration::ZERO);
    rig.until("five failures", |rig| {
        let rows = rig.store.rows().unwrap();
        rows.iter().filter(|row| row.failing.is_some()).count() >= 5
    });
    rig.settle_but(is_dead);
    let first = rig.synced();
    assert!(first.len() <= DEAD, "{first:?}");

    // Half a minute: nobody asks it, whoever is due there; but a person may.
    for _ in 0..3 {
        pass(Duration::from_secs(10));
        assert_eq!(rig.synced(), [""; 0]);
    }
    rig.hook("good");
    pass(Duration::ZERO);
    assert_eq!(rig.synced(), ["good"], "the other host goes on");
    rig.actions().sync("d3").unwrap();
    rig.until("a person's sync", |rig| rig.synced() == ["d3"]);
    assert_eq!(rig.state("d3"), MirrorState::Failing);
    rig.settle_but(is_dead);

    // A day: it is looked at again and again, but by few.
    let mut asked = 0;
    for _ in 0..24 * 60 {
        pass(Duration::from_mins(1));
        asked += rig.synced().iter().filter(|name| name.starts_with('d')).count();
    }
    assert!(asked >= 24, "it is looked at again: {asked}");
    assert!(asked <= 24 * 2 * 5, "it costs little: {asked}");
    assert!(rig.state("d0") == MirrorState::Failing, "what is unavailable is never parked");

    // It is back.
    for number in 0..DEAD {
        rig.substitute.fails(&format!("d{number}"), None);
    }
    for _ in 0..5 * 60 {
        pass(Duration::from_mins(1));
    }
    rig.settle();
    for number in 0..DEAD {
        assert_eq!(rig.state(&format!("d{number}")), MirrorState::Good);
    }
}

/// What cannot be read on this machine says nothing of what else is there.
#[test]
fn sources_on_this_machine_have_no_host() {
    let text =
        |name: &str| format!("mirrors.{name} = {{ source = \"{name}\", target = \"t-{name}\" }}\n");
    let names: Vec<_> = (0..DEAD).map(|number| format!("d{number}")).collect();
    let rig = Rig::new(&names.iter().map(|name| text(name)).collect::<String>());
    rig.synced();
    for name in &names {
        rig.substitute.fails(name, Some((Fault::Unavailable, Side::Source)));
        rig.hook(name);
    }
    rig.at(rig.now());
    rig.until("all have failed", |rig| {
        rig.store.rows().unwrap().iter().all(|row| row.failing.is_some())
    });
    assert!(rig.store.closed(rig.now()).unwrap().hosts.is_empty());
}

/// Servers that take connections and say nothing do not hold up those that do.
#[test]
fn runs_that_wait_for_a_server_hold_up_nobody() {
    let mut text = String::from("daemon = { workers = 2, long_workers = 1 }\n");
    for number in 0..6 {
        text += &format!(
            "mirrors.h{number} = {{ source = \"https://h{number}.example/x\", target = \"h{number}\" }}\n"
        );
    }
    text += "mirrors.good = { source = \"https://good.example/x\", target = \"good\" }\n";
    let rig = Rig::new(&text);
    rig.synced();
    let mut ends = Vec::new();
    for number in 0..6 {
        let (end, ended) = channel();
        rig.substitute.hold(&format!("h{number}"), ended);
        ends.push(end);
        rig.hook(&format!("h{number}"));
    }
    rig.until("two runs", |rig| rig.synced_so_far() == 2);
    // It comes to its end beside them, and leaves its place to one that does not.
    rig.hook("good");
    for runs in [5, 7] {
        assert!(rig.synced_so_far() < runs);
        rig.at(rig.now().after(Duration::from_secs(20)));
        rig.service.tick();
        rig.until("more runs", |rig| rig.synced_so_far() == runs);
    }
    assert!(rig.synced().contains(&"good".to_owned()));
    drop(ends);
    rig.settle();
}
