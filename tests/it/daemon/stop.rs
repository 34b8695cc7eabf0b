//! Starting and stopping.

use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, HasFault};
use synchroniser::daemon::{Daemon, DaemonError, Setup};

use super::rig::{
    End, LONG, SHORT, config, connect, get, payload, post, report, rig, rig_of, rig_with, rocket,
    send, setup, substitute,
};

#[test]
fn stopping_interrupts_what_runs_and_keeps_what_was_asked_for() {
    let config = config();
    let (syncer, begun) = substitute();
    let again = setup(config, syncer);
    let store = Arc::clone(&again.store);
    let rig = rig_of(again, begun);
    let running = rig.hook("", &rocket());
    let (_, end) = rig.begun();
    let pending = rig.hook("", &rocket());
    let other = rig.hook("", &payload("ada", "rocket-core"));
    let (_, end_other) = rig.begun();
    rig.until_healthz_says("running: 2\nqueued: 1\n");
    end.send(End::Interrupted).unwrap();
    end_other.send(End::Interrupted).unwrap();
    let address = rig.address();
    let shutdown = rig.daemon.shut_down().unwrap();
    assert_eq!(shutdown.abandoned, 0);
    for hook in [running, pending, other] {
        let answer = hook.join().unwrap();
        assert_eq!(answer.status, 202);
        let text = "is waiting for its turn and goes on.\nstate: /synchronise/state/ID\n";
        assert!(answer.redacted().contains(text), "{}", answer.body);
    }
    assert!(TcpStream::connect(address).is_err(), "it still listens");

    // The next daemon does what was asked for, without being asked again.
    let (syncer, begun) = substitute();
    let daemon = Daemon::start(Setup { store, ..setup(super::rig::config(), syncer) }).unwrap();
    let next = || begun.recv_timeout(LONG).unwrap();
    let (first, second) = (next(), next());
    let mut names = [&*first.0, &*second.0];
    names.sort_unstable();
    assert_eq!(names, ["m-engine", "m-rocket"]);
    for (_, end) in [first, second] {
        end.send(End::Report(report())).unwrap();
    }
    assert!(begun.recv_timeout(SHORT).is_err(), "once is enough");
    daemon.shut_down().unwrap();
}

#[test]
fn stopping_does_not_wait_for_connections_without_a_request() {
    let rig = rig();
    let _idle = connect(rig.address());
    assert_eq!(get(rig.address(), "/healthz").status, 200);
    let begin = Instant::now();
    assert_eq!(rig.daemon.shut_down().unwrap().abandoned, 0);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[test]
fn stopping_does_not_wait_without_end() {
    let rig = rig_with(|config| {
        config.daemon.stop_timeout = SHORT;
        config.daemon.wait = Duration::ZERO;
    });
    assert_eq!(send(rig.address(), &post("", &rocket())).status, 202);
    let (_, end) = rig.begun();
    assert_eq!(rig.daemon.shut_down().unwrap().abandoned, 1);
    end.send(End::Report(report())).unwrap();
}

#[test]
fn an_address_that_is_taken_is_an_error_that_names_it() {
    let rig = rig();
    let mut config = config();
    config.daemon.listen = rig.address();
    let error = Daemon::start(setup(config, substitute().0)).unwrap_err();
    assert!(matches!(error, DaemonError::Listen { .. }));
    assert_eq!(error.fault(), Fault::Unavailable);
    assert_eq!(error.to_string(), format!("listen on {}", rig.address()));
    insta::assert_snapshot!(error.hint().unwrap(), @"another program listens there, perhaps another daemon: stop it, or set `listen` in [daemon] to another address");
}
