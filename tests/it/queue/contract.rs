//! The rules that every store follows. Each test runs over all of them.

use std::collections::BTreeMap;

use synchroniser::base::Fault;
use synchroniser::queue::model::{
    Cause, Claim, Class, DeliveryRecord, End, EndState, Finish, Member, RunId, RunState, Verdict,
    Weight,
};
use synchroniser::queue::{ClaimLimits, Closed, JobStore, MemoryStore, SqliteStore, StoreError};

use super::support::*;

fn a_new_mirror_is_due_and_its_first_run_is_long(store: &dyn JobStore) {
    store.configure(&members(&["a"]), at(0)).unwrap();
    let before = row(store, "a");
    assert_eq!((before.token, before.due(), before.weight), (0, Some(at(0)), Weight::Long));
    let claim = claim(store, 1);
    assert_eq!((claim.key.as_str(), claim.attempt, claim.weight), ("a", 1, Weight::Long));
    assert_eq!((claim.cause, claim.requests), (Cause::Configuration, 1));
    assert_eq!(claim.until, at(61));
    let run = store.run(claim.run).unwrap().unwrap();
    assert_eq!((run.state, run.asked, run.started), (RunState::Running, at(0), Some(at(1))));
    assert!(store.finish(&claim, &done(), at(5)).unwrap());
    let after = row(store, "a");
    assert_eq!((after.wanted, after.taken, after.due(), after.attempts), (1, 1, None, 0));
    assert_eq!((after.last_tried, after.last_good), (Some(at(5)), Some(at(5))));
    assert_eq!((after.last_change, after.weight), (Some(at(5)), Weight::Short));
    assert_eq!(after.last_run, Some((claim.run, RunState::Done, None)));
    let run = store.run(claim.run).unwrap().unwrap();
    assert_eq!((run.state, run.ended, &*run.details), (RunState::Done, Some(at(5)), "{}"));
    assert_eq!((run.token, run.key.as_str()), (claim.token, "a"));
    assert_eq!(idle(store, 10), None);
}

fn requests_fold_into_one_run(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let first = ask(store, hook("a"), 0);
    assert!(!first.folded);
    for second in 1..10 {
        let folded = ask(store, hook("a"), second);
        assert_eq!((folded.run, folded.folded), (first.run, true));
    }
    let waiting = store.run(first.run).unwrap().unwrap();
    assert_eq!((waiting.state, waiting.requests), (RunState::Queued, 10));
    assert_eq!((waiting.asked, waiting.started), (at(0), None));
    let claim = claim(store, 10);
    assert_eq!((claim.run, claim.requests, claim.cause), (first.run, 10, Cause::Hook));
    // What is asked for from now on, the run may not see.
    let second = ask(store, hook("a"), 11);
    assert!(!second.folded && second.run != first.run);
    assert!(ask(store, hook("a"), 12).folded);
    assert_eq!(idle(store, 13), Some(70), "no two runs of one mirror; its claim runs out then");
    assert!(store.finish(&claim, &done(), at(14)).unwrap());
    let later = super::support::claim(store, 15);
    assert_eq!((later.run, later.requests), (second.run, 2));
    assert!(later.token > claim.token);
}

fn a_burst_is_waited_for_but_not_for_ever(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    ask(store, debounced("a", 10, 25), 0);
    assert_eq!(idle(store, 9), Some(10));
    ask(store, debounced("a", 10, 25), 9);
    assert_eq!(idle(store, 18), Some(19), "put off by the second");
    ask(store, debounced("a", 10, 25), 18);
    assert_eq!(idle(store, 24), Some(25), "not longer than the first may be put off");
    ask(store, debounced("a", 10, 25), 24);
    assert_eq!(claim(store, 25).requests, 4);
}

fn what_is_due_already_is_not_put_off(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c"]));
    ask(store, hook("a"), 0);
    ask(store, debounced("a", 10, 25), 1);
    assert_eq!(claim(store, 1).key, "a");
    // Nor is what the schedule wants, or what is more urgent.
    store.schedule("b", at(5)).unwrap();
    ask(store, debounced("b", 10, 25), 1);
    assert_eq!(row(store, "b").due(), Some(at(5)));
    ask(store, debounced("c", 3, 30), 1);
    let mut later = debounced("c", 20, 30);
    later.class = Class::Schedule;
    ask(store, later, 2);
    assert_eq!(row(store, "c").due(), Some(at(4)));
    // A person does not wait for hooks.
    ask(store, debounced("c", 20, 30), 3);
    ask(store, request("c", Cause::Person), 3);
    assert_eq!(claim(store, 3).key, "c");
}

fn the_schedule_makes_due_at_the_latest(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    store.schedule("a", at(100)).unwrap();
    store.schedule("a", at(50)).unwrap();
    store.schedule("a", at(200)).unwrap();
    assert_eq!(idle(store, 49), Some(50));
    let claim = claim(store, 50);
    assert_eq!((claim.cause, claim.requests), (Cause::Schedule, 0));
    // Something new was seen at the source during the run.
    store.schedule("a", at(55)).unwrap();
    let finish = Finish { due: Some(at(1000)), ..done() };
    assert!(store.finish(&claim, &finish, at(60)).unwrap());
    assert_eq!(row(store, "a").due(), Some(at(55)));
}

fn a_run_that_only_looked_has_no_place_in_the_history(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let before = row(store, "a").last_run;
    store.schedule("a", at(50)).unwrap();
    let claim = claim(store, 50);
    let finish = Finish { unremarkable: true, changed: false, due: Some(at(90)), ..done() };
    assert!(store.finish(&claim, &finish, at(51)).unwrap());
    let after = row(store, "a");
    assert_eq!(after.due(), Some(at(90)));
    assert_eq!(after.last_run, before);
    assert_eq!((after.last_tried, after.last_good), (Some(at(51)), Some(at(51))));
    assert_eq!(store.run(claim.run).unwrap(), None);
}

fn a_failed_run_is_tried_again_when_it_says(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    ask(store, hook("a"), 0);
    let first = claim(store, 0);
    assert_eq!((first.failing.clone(), first.failures(Fault::Unavailable)), (None, 1));
    let finish = failed(Fault::Unavailable, Some(at(30)));
    assert!(store.finish(&first, &finish, at(1)).unwrap());
    assert_eq!(idle(store, 29), Some(30));
    let second = claim(store, 30);
    assert_eq!((second.cause, second.failures(Fault::Unavailable)), (Cause::Retry, 2));
    assert!(store.finish(&second, &failed(Fault::Auth, Some(at(60))), at(31)).unwrap());
    let failing = row(store, "a").failing.unwrap();
    assert_eq!((failing.runs, failing.alike, failing.since), (2, 1, at(1)));
    assert_eq!(failing.failure, failure(Fault::Auth));
    let run = store.run(second.run).unwrap().unwrap();
    assert_eq!((run.state, run.failure), (RunState::Failed, Some(failure(Fault::Auth))));
    // A hook does not wait for the retry.
    ask(store, hook("a"), 40);
    let third = claim(store, 40);
    assert_eq!((third.failures(Fault::Auth), third.failures(Fault::Unavailable)), (2, 1));
    assert!(store.finish(&third, &done(), at(41)).unwrap());
    assert_eq!(row(store, "a").failing, None);
    assert_eq!(row(store, "a").last_good, Some(at(41)));
}

fn nobody_but_a_person_comes_before_the_server_wants(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    ask(store, hook("a"), 0);
    let wait = Finish { not_before: Some(at(600)), ..failed(Fault::Unavailable, Some(at(600))) };
    assert!(store.finish(&claim(store, 0), &wait, at(1)).unwrap());
    ask(store, hook("a"), 2);
    assert_eq!(idle(store, 3), Some(600));
    ask(store, request("a", Cause::Person), 4);
    assert!(store.finish(&claim(store, 4), &wait, at(5)).unwrap());
    ask(store, hook("a"), 6);
    assert_eq!(claim(store, 600).cause, Cause::Hook);
}

fn what_is_parked_waits_for_a_reason(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let park = |seconds| {
        ask(store, request("a", Cause::Person), seconds);
        let claim = claim(store, seconds);
        assert!(store.finish(&claim, &failed(Fault::Refused, None), at(seconds)).unwrap());
        assert_eq!(row(store, "a").parked, Some((failure(Fault::Refused), at(seconds))));
        store.schedule("a", at(seconds)).unwrap();
        ask(store, request("a", Cause::Schedule), seconds);
        assert_eq!(idle(store, seconds + 10), None);
    };
    for (seconds, cause) in [(0, Cause::Hook), (100, Cause::Person)] {
        park(seconds);
        ask(store, request("a", cause), seconds + 20);
        assert_eq!(row(store, "a").parked, None);
        let claim = claim(store, seconds + 20);
        assert_eq!(claim.requests, 2, "what was asked for while it was parked is done too");
        assert!(store.finish(&claim, &done(), at(seconds + 20)).unwrap());
    }
    park(200);
    let changed = Member { fingerprint: "2".to_owned(), ..member("a") };
    store.configure(std::slice::from_ref(&changed), at(220)).unwrap();
    assert_eq!(row(store, "a").member, changed);
    let claim_of_change = claim(store, 220);
    assert!(store.finish(&claim_of_change, &done(), at(220)).unwrap());
    store.configure(&[changed], at(230)).unwrap();
    assert_eq!(idle(store, 230), None, "the configuration is the same");
    park(300);
    store.park("a", None, at(320)).unwrap();
    assert_eq!(claim(store, 320).key, "a");
    // By hand, and only once.
    store.park("a", Some(&failure(Fault::Config)), at(330)).unwrap();
    assert_eq!(row(store, "a").parked, Some((failure(Fault::Config), at(330))));
}

fn a_reason_that_came_during_the_run_keeps_from_parking(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    for key in ["a", "b"] {
        ask(store, hook(key), 0);
    }
    let claims = claims(store, 0);
    ask(store, hook("a"), 1);
    ask(store, request("b", Cause::Schedule), 1);
    for claim in claims {
        assert!(store.finish(&claim, &failed(Fault::Refused, None), at(2)).unwrap());
    }
    assert_eq!((row(store, "a").parked, row(store, "b").parked.is_some()), (None, true));
    assert_eq!(claim(store, 3).key, "a");
}

fn what_is_paused_keeps_its_requests(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    store.pause("a", true, at(0)).unwrap();
    store.pause("a", true, at(5)).unwrap();
    assert_eq!(row(store, "a").paused, Some(at(0)));
    let receipt = ask(store, hook("a"), 10);
    assert!(ask(store, request("a", Cause::Person), 11).folded);
    assert_eq!(idle(store, 20), None);
    store.pause("a", false, at(30)).unwrap();
    let claim = claim(store, 30);
    assert_eq!((claim.run, claim.requests), (receipt.run, 2));
    assert_eq!(claim.cause, Cause::Person, "it is known by what asks most urgently");
    // A run that is under way goes on.
    store.pause("a", true, at(31)).unwrap();
    assert!(store.renew(&claim, at(100)).unwrap());
    assert!(store.finish(&claim, &done(), at(90)).unwrap());
}

fn a_claim_holds_as_long_as_it_is_renewed(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let asked = ask(store, hook("a"), 0);
    let first = claim(store, 0);
    assert!(store.renew(&first, at(100)).unwrap());
    assert_eq!(idle(store, 99), Some(100));
    let second = claim(store, 100);
    assert!(second.token > first.token);
    assert_eq!((second.attempt, second.requests, second.cause), (2, 1, Cause::Hook));
    let lost = store.run(asked.run).unwrap().unwrap();
    assert_eq!((lost.state, lost.ended), (RunState::Interrupted, Some(at(100))));
    assert_eq!(lost.failure.unwrap().fault, Fault::Interrupted);
    assert_ne!(second.run, asked.run, "each run begins once");
    // Whoever had it can do no harm.
    let before = row(store, "a");
    assert!(!store.renew(&first, at(1000)).unwrap());
    assert!(!store.finish(&first, &done(), at(101)).unwrap());
    store.release(&first, at(101)).unwrap();
    assert_eq!(row(store, "a"), before);
    assert!(store.finish(&second, &done(), at(102)).unwrap());
    assert!(!store.finish(&second, &done(), at(103)).unwrap(), "it is over");
    assert_eq!(row(store, "a").attempts, 0);
}

fn what_ends_its_process_is_parked(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let asked = ask(store, hook("a"), 0);
    for attempt in 0..3 {
        let seconds = i64::from(attempt) * 100;
        assert_eq!(claim(store, seconds).attempt, attempt + 1);
    }
    assert_eq!(idle(store, 300), Some(360));
    let parked = row(store, "a").parked.unwrap().0;
    assert_eq!(parked.fault, Fault::Internal);
    assert_eq!(parked.message, "none of the last 3 runs came to an end");
    assert_eq!(store.runs(Some("a"), None, 9).unwrap().len(), 4);
    // A hook would end the process again: what it asks for waits until it is tried again anyway.
    let hooked = ask(store, hook("a"), 310);
    assert!(hooked.folded && hooked.run != asked.run);
    assert_eq!(idle(store, 320), Some(360));
    let fourth = claim(store, 360);
    assert_eq!((fourth.attempt, fourth.requests), (4, 2));
    assert_eq!(row(store, "a").parked, None);
    assert_eq!(idle(store, 460), Some(460 + 4 * 60), "less and less often");
    assert_eq!(row(store, "a").parked.unwrap().0.message, "none of the last 4 runs came to an end");
    ask(store, request("a", Cause::Person), 470);
    let fifth = claim(store, 470);
    assert_eq!((fifth.attempt, fifth.requests), (1, 3));
    // One that ends is as good as any other.
    assert!(store.finish(&fifth, &done(), at(480)).unwrap());
    ask(store, hook("a"), 490);
    assert_eq!(claim(store, 490).attempt, 1);
}

fn what_may_end_the_process_runs_one_at_a_time(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c"]));
    for key in ["a", "b"] {
        ask(store, hook(key), 0);
    }
    assert_eq!(claims(store, 0).len(), 2);
    assert_eq!(claims(store, 100).len(), 2, "once is no reason");
    ask(store, hook("c"), 150);
    let third = claims(store, 200);
    let suspects: Vec<_> = third.iter().filter(|claim| claim.attempt == 3).collect();
    assert_eq!((third.len(), suspects.len()), (2, 1), "one of two, and who is no suspect");
    // It ends, so it was not that one.
    assert!(store.finish(suspects[0], &done(), at(210)).unwrap());
    let other = claim(store, 210);
    assert_eq!(other.attempt, 3);
    assert!(!third.iter().any(|claim| claim.key == other.key));
}

fn an_interrupted_run_keeps_its_requests(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    let asked = ask(store, hook("a"), 0);
    let claim_a = claim(store, 0);
    let interrupted = Finish { state: RunState::Interrupted, ..done() };
    assert!(store.finish(&claim_a, &interrupted, at(5)).unwrap());
    let again = claim(store, 5);
    assert_eq!((again.requests, again.cause, again.attempt), (1, Cause::Hook, 1));
    assert_ne!(again.run, asked.run);
    assert_eq!(store.run(asked.run).unwrap().unwrap().state, RunState::Interrupted);
    // What nobody asked for is due again too.
    store.schedule("b", at(6)).unwrap();
    let claim_b = claim(store, 6);
    assert!(store.finish(&claim_b, &interrupted, at(7)).unwrap());
    assert_eq!((claim(store, 7).key.as_str(), row(store, "b").last_good), ("b", Some(at(-1000))));
}

fn a_claim_that_is_given_back_was_not_made(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    let asked = ask(store, debounced("a", 5, 5), 0);
    let claim_a = claim(store, 5);
    store.release(&claim_a, at(6)).unwrap();
    let waiting = store.run(asked.run).unwrap().unwrap();
    assert_eq!((waiting.state, waiting.requests, waiting.asked), (RunState::Queued, 1, at(0)));
    let again = claim(store, 6);
    assert_eq!((again.run, again.attempt, again.requests), (asked.run, 1, 1));
    assert!(again.token > claim_a.token, "a token is given out once");
    // Two ids were given out, and one run answers both.
    let later = ask(store, hook("a"), 7);
    store.release(&again, at(8)).unwrap();
    assert_eq!(store.run(asked.run).unwrap().unwrap().state, RunState::Interrupted);
    let both = claim(store, 8);
    assert_eq!((both.run, both.requests), (later.run, 2));
    // A run that nobody asked for.
    assert!(store.finish(&both, &done(), at(9)).unwrap());
    store.schedule("a", at(10)).unwrap();
    let scheduled = claim(store, 10);
    store.release(&scheduled, at(11)).unwrap();
    assert_eq!(claim(store, 11).attempt, 1);
}

fn tokens_only_grow(store: &dyn JobStore) {
    let mut last: u64 = 0;
    for round in 0..5 {
        store.configure(&members(&["a", "b"]), at(round)).unwrap();
        for claim in claims(store, round) {
            assert!(claim.token > last);
            last = claim.token;
            assert_eq!(row(store, &claim.key).token, claim.token);
            assert!(store.finish(&claim, &done(), at(round)).unwrap());
        }
        store.configure(&members(&["b"]), at(round)).unwrap();
        assert_eq!(store.row("a").unwrap(), None);
        assert_eq!(store.keys().unwrap(), ["a", "b"]);
    }
    // As large as the time, so that a queue that is begun anew goes on from there.
    assert!(last >= u64::try_from(at(0).millis()).unwrap());
}

fn what_is_removed_is_not_run_and_comes_back(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    let asked = ask(store, hook("a"), 0);
    store.configure(&members(&["b"]), at(1)).unwrap();
    assert_eq!(idle(store, 2), None);
    let unknown = |result: Result<(), StoreError>| {
        assert!(matches!(result, Err(StoreError::Unknown { key }) if key == "a"));
    };
    unknown(store.enqueue(&[hook("b"), hook("a")], None, at(2)).map(drop));
    assert_eq!(row(store, "b").requests(), 0, "all or none");
    unknown(store.schedule("a", at(2)));
    unknown(store.pause("a", true, at(2)));
    unknown(store.park("a", None, at(2)));
    let rows: Vec<_> = store.rows().unwrap().into_iter().map(|row| row.member.key).collect();
    assert_eq!(rows, ["b"]);
    assert_eq!(store.runs(Some("a"), None, 9).unwrap().len(), 1, "its history stays");
    store.configure(&members(&["a", "b"]), at(3)).unwrap();
    let claim_a = claim(store, 3);
    assert_eq!((claim_a.run, claim_a.requests), (asked.run, 2));
    // Removed during its run, which ends as usual.
    store.configure(&members(&["b"]), at(4)).unwrap();
    assert!(store.renew(&claim_a, at(100)).unwrap());
    assert!(store.finish(&claim_a, &Finish { due: Some(at(6)), ..done() }, at(5)).unwrap());
    assert_eq!(idle(store, 7), None);
}

fn a_mirror_that_is_renamed_keeps_what_it_has(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    let noted = delivery("e", Some("1"));
    let asked = store.enqueue(&[hook("a")], Some(&noted), at(0)).unwrap()[0].clone();
    let claim_a = claim(store, 0);
    let renamed = Member { was: Some("a".to_owned()), ..member("c") };
    store.configure(&[renamed.clone(), member("b")], at(1)).unwrap();
    assert_eq!(store.keys().unwrap(), ["b", "c"]);
    assert_eq!(row(store, "c").token, claim_a.token);
    assert_eq!(row(store, "c").member, Member { was: None, ..renamed.clone() });
    assert_eq!(store.run(asked.run).unwrap().unwrap().key, "c");
    assert_eq!(store.deliveries(None, 1).unwrap()[0].asked, [("c".to_owned(), asked.run)]);
    assert!(store.finish(&claim_a, &done(), at(2)).unwrap(), "the run goes on under its new name");
    assert_eq!(store.runs(Some("c"), None, 9).unwrap().len(), 2);
    // The same file is read again; and a mirror that is still there is not taken away.
    store.configure(&[renamed, member("b")], at(3)).unwrap();
    let taken = Member { was: Some("b".to_owned()), ..member("d") };
    store.configure(&[member("b"), member("c"), taken], at(4)).unwrap();
    assert_eq!(store.keys().unwrap(), ["b", "c", "d"]);
    assert_eq!((row(store, "d").token, row(store, "b").token > 0), (0, true));
}

fn deliveries_are_noted_and_repeated_ones_ask_for_nothing(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    let first = delivery("e", Some("1"));
    let receipts = store.enqueue(&[hook("a"), hook("b")], Some(&first), at(0)).unwrap();
    assert_eq!(claims(store, 1).len(), 2);
    let again = store.enqueue(&[hook("a")], Some(&first), at(2)).unwrap();
    assert_eq!(again.len(), 2);
    for (again, first) in again.iter().zip(&receipts) {
        assert_eq!((again.run, again.folded), (first.run, true));
    }
    assert_eq!(row(store, "a").requests(), 0);
    // The same id at another endpoint, or none, is another delivery.
    for other in [delivery("f", Some("1")), delivery("e", None), delivery("e", None)] {
        store.enqueue(&[hook("a")], Some(&other), at(3)).unwrap();
    }
    assert_eq!(row(store, "a").requests(), 3);
    let unverified = |about: &str| DeliveryRecord {
        verdict: Verdict::Unverified,
        about: about.to_owned(),
        ..delivery("e", Some("2"))
    };
    store.record(&unverified("wrong secret")).unwrap();
    store.record(&unverified("again")).unwrap();
    // What was refused with an id does not keep the true one out.
    store.enqueue(&[hook("a")], Some(&delivery("e", Some("2"))), at(4)).unwrap();
    assert_eq!(row(store, "a").requests(), 4);
    let all = store.deliveries(None, 100).unwrap();
    let verdicts: Vec<_> = all.iter().rev().map(|entry| entry.record.verdict.name()).collect();
    let accepted = "accepted";
    assert_eq!(
        verdicts,
        [accepted, "repeated", accepted, accepted, accepted, "unverified", "unverified", accepted]
    );
    assert_eq!(all.last().unwrap().record, first);
    let asked: Vec<_> = all.last().unwrap().asked.iter().map(|(key, run)| (&**key, *run)).collect();
    assert_eq!(asked, [("a", receipts[0].run), ("b", receipts[1].run)]);
    assert_eq!(all[1].record, unverified("again"));
    let page = store.deliveries(Some(all[2].number), 2).unwrap();
    assert_eq!(page, all[3..5]);
    // One that asks for an unknown mirror is not noted.
    store.enqueue(&[hook("x")], Some(&delivery("e", Some("3"))), at(5)).unwrap_err();
    assert_eq!(store.deliveries(None, 100).unwrap().len(), all.len());
}

fn runs_are_listed_by_page(store: &dyn JobStore) {
    settle(store, &members(&["a", "b"]));
    let mut ids = Vec::new();
    for second in 0..5 {
        let key = if second % 2 == 0 { "a" } else { "b" };
        ids.push(ask(store, hook(key), second).run);
        assert!(store.finish(&claim(store, second), &done(), at(second)).unwrap());
    }
    let list = |key, before, count| {
        let runs = store.runs(key, before, count).unwrap();
        runs.into_iter().map(|run| run.id).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 2), [ids[4], ids[3]]);
    assert_eq!(list(None, Some(ids[3]), 2), [ids[2], ids[1]]);
    assert_eq!(list(Some("a"), None, 2), [ids[4], ids[2]]);
    assert_eq!(list(Some("a"), Some(ids[3]), 2), [ids[2], ids[0]]);
    assert_eq!(list(None, None, 100).len(), 7);
    assert_eq!(list(Some("x"), None, 9), []);
    let waiting = ask(store, hook("a"), 9).run;
    assert_eq!(list(None, Some(waiting), 1), [ids[4]]);
    assert_eq!(list(None, Some(RunId(7)), 9), []);
    assert_eq!(store.run(RunId(7)).unwrap(), None);
}

fn old_runs_and_deliveries_are_forgotten(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c"]));
    for second in 0..6 {
        let mut noted = delivery("e", Some(&second.to_string()));
        noted.at = at(second);
        store.enqueue(&[hook("a")], Some(&noted), at(second)).unwrap();
        assert!(store.finish(&claim(store, second), &done(), at(second)).unwrap());
    }
    ask(store, hook("b"), 6);
    let running = claim(store, 6);
    let ends = |key| {
        let runs = store.runs(Some(key), None, 100).unwrap();
        runs.iter().map(|run| run.ended.map(|end| end.seconds() - at(0).seconds())).collect()
    };
    store.trim(at(4), 2).unwrap();
    let (a, b): (Vec<_>, Vec<_>) = (ends("a"), ends("b"));
    assert_eq!(a, [Some(5), Some(4)]);
    assert_eq!(b, [None, Some(-1000)], "the last ones of each mirror stay");
    let numbers: Vec<_> = store.deliveries(None, 9).unwrap();
    assert_eq!(numbers.iter().map(|entry| entry.record.at).collect::<Vec<_>>(), [at(5), at(4)]);
    store.trim(at(100), 0).unwrap();
    let (a, b): (Vec<_>, Vec<_>) = (ends("a"), ends("b"));
    assert_eq!((a.len(), b), (0, vec![None]), "what runs is never forgotten");
    assert!(store.finish(&running, &done(), at(101)).unwrap());
    // A number is given out once.
    store.record(&delivery("e", None)).unwrap();
    assert!(store.deliveries(None, 1).unwrap()[0].number > numbers[0].number);
}

fn the_more_urgent_goes_first_and_the_rest_moves_too(store: &dyn JobStore) {
    let keys: Vec<String> = (0..30).map(|number| format!("m{number:02}")).collect();
    let all: Vec<_> = keys.iter().map(|key| member(key)).collect();
    settle(store, &all);
    for (number, key) in keys.iter().enumerate() {
        let causes = [Cause::Schedule, Cause::Hook, Cause::Person];
        ask(store, request(key, causes[number / 10]), 0);
    }
    let limits = ClaimLimits { short: 10, ..limits() };
    let claimed = store.claim(&limits, at(1)).unwrap().claims;
    let kinds = |claims: &[Claim]| {
        let mut counts = BTreeMap::new();
        for claim in claims {
            *counts.entry(format!("{:?}", claim.cause)).or_insert(0) += 1;
        }
        counts
    };
    assert!(claimed[..8].iter().all(|claim| claim.cause == Cause::Person));
    assert_eq!(kinds(&claimed), [("Person".into(), 8), ("Schedule".into(), 2)].into());
    // A worker that comes free goes to the same kind again.
    for number in [0, 9] {
        assert!(store.finish(&claimed[number], &done(), at(2)).unwrap());
        let next = store.claim(&limits, at(2)).unwrap().claims;
        assert_eq!((next.len(), next[0].cause), (1, claimed[number].cause));
    }
    // With no others about, all workers are for what there is.
    for row in store.rows().unwrap().iter().filter(|row| row.class() != Class::Hook) {
        store.pause(&row.member.key, true, at(3)).unwrap();
    }
    for claim in claimed.iter().skip(1).take(8) {
        assert!(store.finish(claim, &done(), at(3)).unwrap());
    }
    assert_eq!(kinds(&store.claim(&limits, at(3)).unwrap().claims)["Hook"], 8);
}

fn what_waits_for_long_becomes_more_urgent(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c", "d", "e"]));
    for key in ["a", "e"] {
        ask(store, request(key, Cause::Schedule), 0);
    }
    let one = ClaimLimits { short: 1, ..limits() };
    let next = |seconds| {
        let claim = store.claim(&one, at(seconds)).unwrap().claims.remove(0);
        assert!(store.finish(&claim, &done(), at(seconds)).unwrap());
        claim.key
    };
    ask(store, hook("b"), 590);
    assert_eq!(next(590), "b");
    for key in ["b", "c", "d"] {
        ask(store, hook(key), 601);
    }
    // One worker: what is really urgent and what has waited for long take turns.
    let order: Vec<_> = (0..5).map(|_| next(601)).collect();
    assert_eq!(order, ["a", "b", "e", "c", "d"]);
}

fn owners_and_hosts_take_turns(store: &dyn JobStore) {
    let of = |key: &str, owner: &str, host: &str| Member {
        owner: owner.to_owned(),
        source_host: host.to_owned(),
        ..member(key)
    };
    let mut all: Vec<_> = (0..6).map(|number| of(&format!("a{number}"), "a", "one")).collect();
    all.extend([of("a6", "a", "two"), of("a7", "a", "two")]);
    all.extend([of("b0", "b", "one"), of("b1", "b", "one")]);
    settle(store, &all);
    for (second, member) in (0..).zip(&all) {
        ask(store, hook(&member.key), second);
    }
    let one = ClaimLimits { short: 1, ..limits() };
    let mut order = Vec::new();
    for _ in &all {
        let claim = store.claim(&one, at(20)).unwrap().claims.remove(0);
        assert!(store.finish(&claim, &done(), at(20)).unwrap());
        order.push(claim.key);
    }
    let of_b: Vec<_> = order.iter().take(4).filter(|key| key.starts_with('b')).collect();
    assert_eq!(of_b, ["b0", "b1"], "every second turn is theirs: {order:?}");
    let of_two = order.iter().position(|key| key == "a7").unwrap();
    assert!(of_two < 8, "the other host has its turns: {order:?}");
    // The same when many are claimed at once.
    for (second, member) in (0..).zip(&all) {
        ask(store, hook(&member.key), 30 + second);
    }
    let four = claim_with(store, &ClaimLimits { short: 4, ..limits() }, 50);
    assert_eq!(four.iter().filter(|key| key.starts_with('b')).count(), 2, "{four:?}");
}

fn what_is_pinned_waits_for_who_may_run_it(store: &dyn JobStore) {
    let pinned = |key: &str, pin: &str| Member { pin: pin.to_owned(), ..member(key) };
    let all = [pinned("a", "one"), pinned("b", "two"), member("c")];
    store.configure(&all, at(0)).unwrap();
    assert_eq!(row(store, "a").member.pin, "one");
    let of = |pins: &[&str]| ClaimLimits {
        pins: pins.iter().map(|&pin| pin.to_owned()).collect(),
        ..limits()
    };
    let keys = |limits: &ClaimLimits, time| {
        let mut keys = claim_with(store, limits, time);
        keys.sort();
        keys
    };
    assert_eq!(keys(&of(&[]), 1), ["c"], "nobody else's");
    assert_eq!(keys(&of(&["three"]), 1), [""; 0]);
    assert_eq!(keys(&of(&["two", "three"]), 1), ["b"]);
    // Somebody asks for it, and it waits all the same.
    ask(store, request("a", Cause::Person), 2);
    assert_eq!(keys(&of(&["two"]), 3), [""; 0]);
    // It is pinned elsewhere, or nowhere.
    store.configure(&[pinned("a", "two"), all[1].clone(), all[2].clone()], at(4)).unwrap();
    assert_eq!(keys(&of(&["one"]), 5), [""; 0]);
    assert_eq!(keys(&of(&["two"]), 5), ["a"]);
}

fn hosts_have_limits_that_hold_up_nobody_else(store: &dyn JobStore) {
    let mut all = members(&["a1", "a2", "a3", "b1", "c1", "c2", "d1", "d2"]);
    for member in &mut all {
        let (source, target) = match &member.key[..1] {
            "a" => ("slow", "git.example"),
            "b" => ("other", "git.example"),
            "c" => ("other", "busy"),
            _ => ("", ""),
        };
        source.clone_into(&mut member.source_host);
        target.clone_into(&mut member.target_host);
    }
    settle(store, &all);
    for member in &all {
        ask(store, hook(&member.key), 0);
    }
    let limits = ClaimLimits { per_source_host: 2, per_target_host: 3, ..limits() };
    let mut claimed = claim_with(store, &limits, 1);
    claimed.sort();
    assert_eq!(claimed, ["a1", "a2", "b1", "c1", "d1", "d2"], "on this machine there is no limit");
    assert_eq!(claim_with(store, &limits, 2), [""; 0]);
    let more = ClaimLimits { per_source_host: 3, ..limits };
    assert_eq!(claim_with(store, &more, 3), ["c2"], "three publish to the target of the third");
}

/// A look that found nothing.
fn found_nothing(due: i64) -> Finish {
    Finish { changed: false, unremarkable: true, due: Some(at(due)), ..done() }
}

fn ends_are_noted_together_and_each_by_itself(store: &dyn JobStore) {
    let keys = ["changed", "empty", "hooked", "lost", "parked", "paused", "removed"];
    settle(store, &members(&keys));
    for key in keys {
        store.schedule(key, at(0)).unwrap();
    }
    let begun = claims(store, 1);
    assert_eq!(begun.len(), keys.len());
    for claim in begun.iter().filter(|claim| claim.key != "lost") {
        assert!(store.renew(claim, at(200)).unwrap());
    }
    let later = claim(store, 70);
    assert_eq!(later.key, "lost");
    ask(store, hook("hooked"), 71);
    store.pause("paused", true, at(71)).unwrap();
    store.park("parked", Some(&failure(Fault::Config)), at(71)).unwrap();
    store.configure(&members(&keys[..6]), at(71)).unwrap();
    let of = |claim: &Claim| match &*claim.key {
        "changed" => done(),
        _ => found_nothing(500),
    };
    let ends: Vec<_> =
        begun.iter().map(|claim| End { claim: claim.clone(), finish: of(claim) }).collect();
    let (states, claimed) = store.turn(&ends, Some(&limits()), at(80)).unwrap();
    for (claim, state) in begun.iter().zip(&states) {
        let expected = if claim.key == "lost" { EndState::Lost } else { EndState::Noted };
        assert_eq!(*state, expected, "{}", claim.key);
        let run = store.run(claim.run).unwrap().map(|run| run.state);
        let expected = match &*claim.key {
            "changed" => Some(RunState::Done),
            "lost" => Some(RunState::Interrupted),
            _ => None,
        };
        assert_eq!(run, expected, "{}", claim.key);
    }
    // What was asked for meanwhile is begun with it; nothing else is due.
    let [next] = &*claimed.claims else { panic!("{:?}", claimed.claims) };
    assert_eq!(next.key, "hooked");
    assert!(store.holds(&later, at(81)).unwrap(), "the later claim is untouched");
    for key in ["empty", "parked", "paused"] {
        let row = row(store, key);
        assert_eq!((row.running, row.attempts, row.last_good), (None, 0, Some(at(80))), "{key}");
        assert_eq!((row.scheduled, row.last_tried), (Some(at(500)), Some(at(80))), "{key}");
        let settled = row.last_run.map(|(run, state, _)| (run, state));
        assert!(settled.is_some_and(|(run, _)| begun.iter().all(|claim| claim.run != run)));
    }
    assert_eq!(row(store, "changed").last_change, Some(at(80)));
    // Again: whoever did not hear the answer does no harm.
    let (states, _) = store.turn(&ends, None, at(81)).unwrap();
    assert!(states.iter().all(|state| *state == EndState::Lost), "{states:?}");
    assert!(store.finish(next, &done(), at(82)).unwrap());
    assert!(store.finish(&later, &done(), at(82)).unwrap());
    assert_eq!(idle(store, 83), Some(500));
    assert_eq!(claim(store, 500).key, "empty");
}

/// A run that was given back is begun again, under its old id: the claim before says nothing of it.
fn an_end_is_that_of_its_claim(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    ask(store, hook("a"), 0);
    let first = claim(store, 1);
    store.release(&first, at(2)).unwrap();
    let second = claim(store, 3);
    assert_eq!(first.run, second.run);
    let end = |claim: &Claim| End { claim: claim.clone(), finish: found_nothing(500) };
    let (states, _) = store.turn(&[end(&first), end(&second)], None, at(4)).unwrap();
    assert_eq!(states, [EndState::Lost, EndState::Noted]);
}

fn a_claim_says_what_was_before(store: &dyn JobStore) {
    settle(store, &members(&["a"]));
    ask(store, hook("a"), 0);
    let first = claim(store, 1);
    assert_eq!((first.last_state, first.last_change), (Some(RunState::Done), Some(at(-1000))));
    let failed = failed(Fault::Unavailable, Some(at(2)));
    assert!(store.finish(&first, &failed, at(2)).unwrap());
    let second = claim(store, 3);
    assert_eq!((second.last_state, second.last_change), (Some(RunState::Failed), Some(at(-1000))));
}

fn hosts_that_are_closed_are_for_persons_alone(store: &dyn JobStore) {
    let on = |key: &str, host: &str| Member { source_host: host.to_owned(), ..member(key) };
    settle(store, &[on("a", "dead"), on("b", "dead"), on("c", "alive")]);
    for key in ["a", "c"] {
        ask(store, hook(key), 0);
    }
    ask(store, request("b", Cause::Person), 0);
    for _ in 0..5 {
        assert_eq!(store.closed(at(990)).unwrap(), Closed::default());
        store.note_host("dead", false, at(990)).unwrap();
    }
    let closed = store.closed(at(1000)).unwrap();
    assert_eq!(closed.hosts, ["dead"]);
    let limits = ClaimLimits { closed, ..limits() };
    let mut claimed = claim_with(store, &limits, 1000);
    claimed.sort();
    assert_eq!(claimed, ["b", "c"]);
    let half_open = Closed { half_open: vec!["dead".to_owned()], ..Closed::default() };
    assert_eq!(store.closed(at(1050)).unwrap(), half_open, "time for a look");
    assert!(store.note_host("dead", false, at(1060)).unwrap());
    assert_eq!(store.closed(at(1179)).unwrap().hosts, ["dead"], "for twice as long");
    assert!(store.note_host("dead", true, at(1179)).unwrap());
    assert_eq!(store.closed(at(1179)).unwrap(), Closed::default());
    assert!(!store.note_host("dead", false, at(1180)).unwrap());
    assert_eq!(store.closed(at(1180)).unwrap(), Closed::default(), "it is counted anew");
}

fn a_host_that_was_closed_is_tried_by_one_run(store: &dyn JobStore) {
    let on = |key: &str, host: &str| Member { source_host: host.to_owned(), ..member(key) };
    let mut all: Vec<_> = ["a", "b", "c", "d", "p"].iter().map(|key| on(key, "dead")).collect();
    all.push(on("x", "alive"));
    settle(store, &all);
    for key in ["a", "b", "c", "d"] {
        ask(store, hook(key), 0);
    }
    for _ in 0..5 {
        store.note_host("dead", false, at(0)).unwrap();
    }
    let with = |seconds| ClaimLimits { closed: store.closed(at(seconds)).unwrap(), ..limits() };
    assert_eq!(claim_with(store, &with(59), 59), [""; 0]);
    // One of the four, however often somebody asks, and however many begin at once.
    let probe = store.claim(&with(60), at(60)).unwrap().claims;
    assert_eq!(probe.len(), 1, "{probe:?}");
    assert_eq!(claim_with(store, &with(61), 61), [""; 0]);
    ask(store, hook("x"), 62);
    ask(store, request("p", Cause::Person), 62);
    let others = store.claim(&with(62), at(62)).unwrap().claims;
    assert_eq!(others.len(), 2, "persons and other hosts do not wait for it");
    for claim in &others {
        assert!(["p", "x"].contains(&&*claim.key));
        assert!(store.finish(claim, &done(), at(62)).unwrap());
    }
    // It does not answer.
    assert!(store.note_host("dead", false, at(63)).unwrap());
    assert!(store.finish(&probe[0], &failed(Fault::Unavailable, Some(at(64))), at(63)).unwrap());
    assert_eq!(claim_with(store, &with(63 + 119), 63 + 119), [""; 0], "for twice as long");
    let probe = store.claim(&with(63 + 120), at(63 + 120)).unwrap().claims;
    assert_eq!(probe.len(), 1);
    // What it would have said is never heard: the process is gone.
    let later = 63 + 120 + 90;
    assert!(store.renew(&probe[0], at(later)).unwrap());
    assert_eq!(claim_with(store, &with(later - 1), later - 1), [""; 0]);
    let next = store.claim(&with(later), at(later)).unwrap().claims;
    assert_eq!(next.len(), 1);
    // Given back, it has said nothing either.
    store.release(&next[0], at(later)).unwrap();
    let claimed = store.claim(&with(later), at(later)).unwrap().claims;
    assert_eq!(claimed.len(), 1);
    assert!(store.note_host("dead", true, at(later + 1)).unwrap());
    assert_eq!(claim_with(store, &with(later + 1), later + 1).len(), 3, "it answers: all the rest");
}

/// What was read before a host was closed anew or answered counts no more.
fn a_claim_looks_at_half_open_hosts_itself(store: &dyn JobStore) {
    settle(store, &members(&["a", "b", "c"]));
    for key in ["a", "b", "c"] {
        ask(store, hook(key), 0);
    }
    for _ in 0..5 {
        store.note_host("hg.example", false, at(0)).unwrap();
    }
    let closed = store.closed(at(60)).unwrap();
    assert_eq!(closed.half_open, ["hg.example"]);
    let half_open = ClaimLimits { closed, ..limits() };
    store.note_host("hg.example", false, at(61)).unwrap();
    assert_eq!(claim_with(store, &half_open, 62), [""; 0], "closed anew");
    assert_eq!(claim_with(store, &half_open, 300).len(), 1);
    store.note_host("hg.example", true, at(301)).unwrap();
    assert_eq!(claim_with(store, &half_open, 301).len(), 2, "open");
}

fn owners_have_limits_at_each_target_host(store: &dyn JobStore) {
    let mut all = members(&["a1", "a2", "a3", "a4", "b1", "c1", "c2", "c3", "d1", "d2", "d3"]);
    for member in &mut all {
        let (host, owner) = match &member.key[..1] {
            "a" => ("git.example", "one"),
            "b" => ("git.example", "other"),
            "c" => ("other.example", "one"),
            _ => ("", "one"),
        };
        (member.target_host, member.owner) = (host.to_owned(), owner.to_owned());
    }
    settle(store, &all);
    for member in &all {
        ask(store, hook(&member.key), 0);
    }
    let limits = ClaimLimits { per_target_owner: 2, ..limits() };
    let claimed = store.claim(&limits, at(1)).unwrap().claims;
    let mut keys: Vec<_> = claimed.iter().map(|claim| &*claim.key).collect();
    keys.sort_unstable();
    let expected = ["a1", "a2", "b1", "c1", "c2", "d1", "d2", "d3"];
    assert_eq!(keys, expected, "at each host two, and on this machine as many as there are");
    assert_eq!(claim_with(store, &limits, 2), [""; 0]);
    let first = claimed.iter().find(|claim| claim.key == "a1").unwrap();
    assert!(store.finish(first, &done(), at(3)).unwrap());
    assert_eq!(claim_with(store, &limits, 3), ["a3"]);
}

fn mirrors_without_an_owner_have_no_limit_by_owner(store: &dyn JobStore) {
    let none = |key: &str| Member { owner: String::new(), ..member(key) };
    settle(store, &[none("a"), none("b"), none("c")]);
    for key in ["a", "b", "c"] {
        ask(store, hook(key), 0);
    }
    let limits = ClaimLimits { per_target_owner: 1, ..limits() };
    assert_eq!(claim_with(store, &limits, 1).len(), 3);
}

fn a_target_that_wants_to_be_left_alone_is_for_one_owner(store: &dyn JobStore) {
    let of = |key: &str, owner: &str| Member { owner: owner.to_owned(), ..member(key) };
    settle(store, &[of("a", "one"), of("b", "one"), of("c", "other")]);
    for key in ["a", "c"] {
        ask(store, hook(key), 0);
    }
    ask(store, request("b", Cause::Person), 0);
    store.pause_target("git.example", "one", at(60)).unwrap();
    store.pause_target("git.example", "one", at(30)).unwrap();
    let with = |seconds| ClaimLimits { closed: store.closed(at(seconds)).unwrap(), ..limits() };
    let mut claimed = claim_with(store, &with(59), 59);
    claimed.sort();
    assert_eq!(claimed, ["b", "c"]);
    assert_eq!(claim_with(store, &with(60), 60), ["a"]);
}

fn a_target_is_pushed_to_a_few_times_a_minute(store: &dyn JobStore) {
    let to_one = |key: &str| Member { target: "git.example/one".to_owned(), ..member(key) };
    settle(store, &[to_one("a"), to_one("b"), member("c")]);
    let limits = ClaimLimits { per_target_minute: 3, ..limits() };
    for second in [0, 10, 20] {
        ask(store, hook(if second == 10 { "b" } else { "a" }), second);
        let claim = store.claim(&limits, at(second)).unwrap().claims.remove(0);
        assert!(store.finish(&claim, &done(), at(second)).unwrap());
    }
    for key in ["a", "b", "c"] {
        ask(store, hook(key), 30);
    }
    let claimed = store.claim(&limits, at(30)).unwrap();
    assert_eq!((claimed.claims.len(), claimed.claims[0].key.as_str()), (1, "c"));
    assert_eq!(claimed.again, Some(at(60)), "then the first of the three is a minute ago");
    assert_eq!(claim_with(store, &limits, 59), [""; 0]);
    ask(store, request("b", Cause::Person), 59);
    assert_eq!(claim_with(store, &limits, 59), ["b"], "a person does not wait");
    assert_eq!(claim_with(store, &limits, 60), [""; 0], "and counts for the others");
    assert_eq!(claim_with(store, &limits, 70).len(), 1);
}

fn long_runs_have_workers_of_their_own(store: &dyn JobStore) {
    store.configure(&members(&["a", "b", "c"]), at(0)).unwrap();
    let limits = ClaimLimits { short: 2, long: 1, ..limits() };
    let claim_a = store.claim(&limits, at(1)).unwrap().claims.remove(0);
    assert_eq!((claim_a.key.as_str(), claim_a.weight), ("a", Weight::Long));
    assert_eq!(claim_with(store, &limits, 2), [""; 0], "the other first runs wait for it");
    assert!(store.finish(&claim_a, &done(), at(3)).unwrap());
    ask(store, hook("a"), 4);
    assert_eq!(claim_with(store, &limits, 4), ["a", "b"], "the short one does not");
}

/// Tests of every store.
fn mirrors_that_are_gone_are_known_with_their_time(store: &dyn JobStore) {
    store.configure(&members(&["a", "b"]), at(1)).unwrap();
    assert_eq!(store.removed().unwrap(), []);
    store.configure(&members(&["b"]), at(5)).unwrap();
    store.configure(&members(&["b"]), at(9)).unwrap();
    assert_eq!(store.removed().unwrap(), [("a".to_owned(), at(5))]);
    store.configure(&members(&["a", "b"]), at(12)).unwrap();
    assert_eq!(store.removed().unwrap(), []);
}

macro_rules! contract {
    ($($rule:ident),+ $(,)?) => {
        mod memory {
            use super::*;
            $(#[test] fn $rule() { super::$rule(&MemoryStore::default()); })+
        }
        mod sqlite {
            use super::*;
            $(#[test] fn $rule() {
                let folder = tempfile::tempdir().unwrap();
                super::$rule(&SqliteStore::open(&folder.path().join("queue")).unwrap());
            })+
        }
        mod postgres {
            use super::*;
            $(#[test] fn $rule() {
                let Some(server) = crate::support::postgres::shared() else { return };
                super::$rule(&open_postgres(&server.schema()));
            })+
        }
    };
}

contract!(
    a_new_mirror_is_due_and_its_first_run_is_long,
    requests_fold_into_one_run,
    mirrors_that_are_gone_are_known_with_their_time,
    a_burst_is_waited_for_but_not_for_ever,
    what_is_due_already_is_not_put_off,
    the_schedule_makes_due_at_the_latest,
    a_run_that_only_looked_has_no_place_in_the_history,
    a_failed_run_is_tried_again_when_it_says,
    nobody_but_a_person_comes_before_the_server_wants,
    what_is_parked_waits_for_a_reason,
    a_reason_that_came_during_the_run_keeps_from_parking,
    what_is_paused_keeps_its_requests,
    a_claim_holds_as_long_as_it_is_renewed,
    what_ends_its_process_is_parked,
    what_may_end_the_process_runs_one_at_a_time,
    an_interrupted_run_keeps_its_requests,
    a_claim_that_is_given_back_was_not_made,
    tokens_only_grow,
    what_is_removed_is_not_run_and_comes_back,
    a_mirror_that_is_renamed_keeps_what_it_has,
    deliveries_are_noted_and_repeated_ones_ask_for_nothing,
    runs_are_listed_by_page,
    old_runs_and_deliveries_are_forgotten,
    the_more_urgent_goes_first_and_the_rest_moves_too,
    what_waits_for_long_becomes_more_urgent,
    owners_and_hosts_take_turns,
    what_is_pinned_waits_for_who_may_run_it,
    hosts_have_limits_that_hold_up_nobody_else,
    ends_are_noted_together_and_each_by_itself,
    an_end_is_that_of_its_claim,
    a_claim_says_what_was_before,
    hosts_that_are_closed_are_for_persons_alone,
    a_host_that_was_closed_is_tried_by_one_run,
    a_claim_looks_at_half_open_hosts_itself,
    owners_have_limits_at_each_target_host,
    mirrors_without_an_owner_have_no_limit_by_owner,
    a_target_that_wants_to_be_left_alone_is_for_one_owner,
    a_target_is_pushed_to_a_few_times_a_minute,
    long_runs_have_workers_of_their_own,
);
