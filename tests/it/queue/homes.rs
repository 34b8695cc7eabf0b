//! Mirrors stay where their caches are: what becomes of them when a node comes, goes, or is slow.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use synchroniser::base::time::Timestamp;
use synchroniser::queue::model::{Claim, Finish};
use synchroniser::queue::{
    ClaimLimits, Fleet as _, JobStore, NodeReport, PostgresOptions, PostgresStore,
};
use tempfile::TempDir;

use super::support::*;
use crate::support::postgres::shared;

const MIRRORS: usize = 120;

struct Node {
    name: String,
    store: PostgresStore,
    /// The mirrors that it has a cache of.
    warm: BTreeSet<String>,
    claims: Vec<Claim>,
    _folder: TempDir,
}

impl Node {
    fn start(address: &str, name: &str, free: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = PostgresOptions {
            folder: Some(folder.path().to_owned()),
            has_caches: true,
            ..PostgresOptions::at(address)
        };
        let store = PostgresStore::open(&options).unwrap();
        let node = Self {
            name: name.to_owned(),
            store,
            warm: BTreeSet::new(),
            claims: Vec::new(),
            _folder: folder,
        };
        node.report(free, false);
        node
    }

    fn report(&self, free: u64, draining: bool) {
        let report = NodeReport {
            name: self.name.clone(),
            role: "all".to_owned(),
            version: "1".to_owned(),
            draining,
            free: Some(free << 30),
            url: String::new(),
        };
        self.store.beat(&report).unwrap();
    }
}

/// Has all nodes run what is due, a second for each run, four at a time each, until nothing is left; and returns how
/// many runs began without a cache.
fn work(nodes: &mut [Node], now: &mut i64) -> usize {
    let limits = ClaimLimits { short: 4, long: 4, per_target_minute: 1000, ..no_limits() };
    let mut cold = 0;
    // What is left to others for a while is found by a last look.
    let mut is_last = false;
    loop {
        *now += if is_last { 61 } else { 1 };
        let mut is_idle = true;
        for node in &mut *nodes {
            for claim in node.claims.drain(..) {
                let finish = Finish { weight: claim.weight, ..done() };
                assert!(node.store.finish(&claim, &finish, at(*now)).unwrap());
            }
            node.claims = node.store.claim(&limits, at(*now)).unwrap().claims;
            is_idle &= node.claims.is_empty();
            for claim in &node.claims {
                cold += usize::from(node.warm.insert(claim.key.clone()));
            }
        }
        if is_idle && is_last {
            return cold;
        }
        is_last = is_idle;
    }
}

fn no_limits() -> ClaimLimits {
    ClaimLimits {
        per_source_host: usize::MAX,
        per_target_host: usize::MAX,
        per_target_owner: usize::MAX,
        ..limits()
    }
}

fn schedule_all(node: &Node, now: i64) {
    let due = Timestamp::from_millis(at(now).millis());
    let rows = node.store.rows().unwrap();
    thread::scope(|scope| {
        for part in rows.chunks(30) {
            scope.spawn(move || {
                for row in part {
                    node.store.schedule(&row.member.key, due).unwrap();
                }
            });
        }
    });
}

#[test]
fn a_node_that_comes_or_goes_makes_few_caches_cold() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let mut nodes: Vec<_> =
        ["a", "b", "c"].into_iter().map(|name| Node::start(&address, name, 100)).collect();
    let all: Vec<_> = (0..MIRRORS).map(|number| member(&format!("m{number:03}"))).collect();
    nodes[0].store.configure(&all, at(0)).unwrap();
    let mut now = 0;
    assert_eq!(work(&mut nodes, &mut now), MIRRORS, "each has one first run");
    let shares: BTreeMap<_, _> =
        nodes.iter().map(|node| (node.name.clone(), node.warm.len())).collect();
    eprintln!("first caches: {shares:?}");
    assert!(shares.values().all(|share| (MIRRORS / 6..MIRRORS / 2).contains(share)), "{shares:?}");
    // Nobody comes or goes: no cache is made.
    for _ in 0..2 {
        schedule_all(&nodes[0], now);
        assert_eq!(work(&mut nodes, &mut now), 0);
    }
    nodes.push(Node::start(&address, "d", 100));
    schedule_all(&nodes[0], now);
    let cold = work(&mut nodes, &mut now);
    eprintln!("a fourth node: {cold} cold starts of {MIRRORS}");
    assert!(cold <= MIRRORS / 3, "{cold}");
    let gone = nodes.remove(0);
    gone.store.leave().unwrap();
    let homeless = gone.warm.len();
    drop(gone);
    // What is known of the others is good for a second.
    now += 2;
    schedule_all(&nodes[0], now);
    let cold = work(&mut nodes, &mut now);
    eprintln!("without the first: {cold} cold starts, it had {homeless}");
    assert!(cold > 0 && cold <= homeless, "{cold} of {homeless}");
    schedule_all(&nodes[0], now);
    assert_eq!(work(&mut nodes, &mut now), 0, "they have a new home");
}

#[test]
fn others_wait_for_a_home_but_not_for_ever() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let (home, other) = (Node::start(&address, "a", 100), Node::start(&address, "b", 100));
    home.store.configure(&members(&["x"]), at(-1000)).unwrap();
    let first = claim(&home.store, -900);
    assert!(home.store.finish(&first, &done(), at(-900)).unwrap());
    // It is given back as it was begun: due at once, and at home where it was.
    ask(&home.store, hook("x"), 0);
    assert_eq!(idle(&other.store, 5), Some(10));
    let begun = claim(&home.store, 5);
    home.store.release(&begun, at(6)).unwrap();
    assert_eq!(idle(&other.store, 15), Some(16));
    let stolen = claim(&other.store, 16);
    assert_eq!(stolen.run, begun.run);
    other.store.release(&stolen, at(17)).unwrap();
    // A home that ends keeps nobody waiting.
    home.report(100, true);
    assert_eq!(claim(&other.store, 20).run, begun.run);
}

#[test]
fn who_has_more_room_makes_more_first_caches() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let mut nodes = [Node::start(&address, "large", 900), Node::start(&address, "small", 100)];
    let all: Vec<_> = (0..MIRRORS).map(|number| member(&format!("m{number:03}"))).collect();
    nodes[0].store.configure(&all, at(0)).unwrap();
    // As many workers as are needed before the other one has waited for long enough.
    let limits = ClaimLimits { long: MIRRORS, ..no_limits() };
    for node in &mut nodes {
        node.claims = node.store.claim(&limits, at(1)).unwrap().claims;
    }
    let [large, small] = nodes.each_ref().map(|node| node.claims.len());
    eprintln!("{large} where nine tenths of the room are, {small} elsewhere");
    assert_eq!(large + small, MIRRORS);
    assert!((MIRRORS / 25..MIRRORS / 5).contains(&small), "{small}");
}

#[test]
fn what_one_leaves_alone_all_do() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let (one, other) = (open_postgres(&address), open_postgres(&address));
    // Of whomever they are, they are counted together.
    for store in [&one, &other, &one, &other, &one] {
        store.note_host("hg.example", false, at(0)).unwrap();
    }
    one.pause_target("git.example", "somebody", at(100)).unwrap();
    for store in [&one, &other] {
        let closed = store.closed(at(10)).unwrap();
        assert_eq!(closed.hosts, ["hg.example"]);
        assert_eq!(closed.targets, [("git.example".to_owned(), "somebody".to_owned())]);
    }
    other.note_host("hg.example", true, at(20)).unwrap();
    assert!(one.closed(at(20)).unwrap().hosts.is_empty());
}

/// However many claim at the same moment, one of them tries the host.
#[test]
fn one_process_of_all_tries_a_host_that_was_closed() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let stores: Vec<_> = (0..4).map(|_| open_postgres(&address)).collect();
    let keys: Vec<_> = (0..40).map(|number| format!("m{number}")).collect();
    let all: Vec<_> = keys.iter().map(|key| member(key)).collect();
    settle(&stores[0], &all);
    for key in &keys {
        ask(&stores[0], hook(key), 0);
    }
    for _ in 0..5 {
        stores[0].note_host("hg.example", false, at(0)).unwrap();
    }
    let mut now = 0;
    for round in 0..10 {
        // As long as it is ever closed.
        now += 1800;
        let claimed: Vec<_> = thread::scope(|scope| {
            let claim = |store: &PostgresStore| {
                let closed = store.closed(at(now)).unwrap();
                let limits = ClaimLimits { closed, ..no_limits() };
                store.claim(&limits, at(now)).unwrap().claims
            };
            let stores = stores.iter();
            let threads: Vec<_> = stores.map(|store| scope.spawn(move || claim(store))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(claimed.len(), 1, "round {round}");
        stores[round % 4].note_host("hg.example", false, at(now)).unwrap();
        let due = Some(at(now));
        assert!(stores[0].finish(&claimed[0], &Finish { due, ..done() }, at(now)).unwrap());
    }
}

/// Wherever they run, runs count against the limits of hosts.
#[test]
fn limits_of_hosts_hold_for_all_nodes_together() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let (one, other) = (open_postgres(&address), open_postgres(&address));
    settle(&one, &members(&["a", "b", "c"]));
    for key in ["a", "b", "c"] {
        ask(&one, hook(key), 0);
    }
    let limits = ClaimLimits { per_source_host: 2, short: 1, ..limits() };
    assert_eq!(claim_with(&one, &limits, 1).len(), 1);
    assert_eq!(claim_with(&other, &limits, 1).len(), 1);
    assert_eq!(claim_with(&open_postgres(&address), &limits, 1), [""; 0], "two run elsewhere");
}
