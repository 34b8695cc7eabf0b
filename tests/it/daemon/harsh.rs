//! Three daemons on one database, and everything that goes wrong in a machine room, one after the other and at once:
//! daemons are killed, stopped for longer than their claims hold and started again; the database is stopped as by a
//! power cut, its connections are ended, and the network to it swallows all that is sent. What comes out is what one
//! daemon would have made of it.
//!
//! `SYNCHRONISER_HARSH` says how many mirrors there are; it goes on for as long as that takes.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use synchroniser::base::Interrupt;
use synchroniser::convert::ConvertOptions;
use synchroniser::git::destination::Target;
use synchroniser::hg::pull::Source;
use synchroniser::mirror::{self, CacheLocation, Mirror, NoObserver, PublishRules};

use super::killed::{CHANGESETS, LONGEST, Told, commits, push, repositories};
use super::program::{Program, configure};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::Postgres;
use crate::support::relay::Relay;

const NODES: usize = 3;
const FEW: usize = 18;
const SENDERS: usize = 3;
/// How long a claim holds, in seconds.
const LEASE: u64 = 5;

pub(super) type Refs = BTreeMap<String, git2::Oid>;

pub(super) fn refs(repository: &Path) -> Refs {
    let repository = git2::Repository::open_bare(repository).unwrap();
    let found = repository.references().unwrap().flatten();
    found.filter_map(|found| Some((found.name().ok()?.to_owned(), found.target()?))).collect()
}

/// Gives a target a branch and a tag that no source knows, and says what they are.
fn add_foreign(target: &Path, number: usize) -> [(String, git2::Oid); 2] {
    let repository = git2::Repository::open_bare(target).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let tree = repository.find_tree(tree).unwrap();
    let who = git2::Signature::new("Somebody", "x@example.org", &git2::Time::new(7, 0)).unwrap();
    let text = format!("theirs {number}");
    let id = repository.commit(None, &who, &who, &text, &tree, &[]).unwrap();
    ["refs/heads/theirs", "refs/tags/theirs"].map(|name| {
        repository.reference(name, id, false, "").unwrap();
        (name.to_owned(), id)
    })
}

/// The database, the daemons, and what is between them.
struct Fleet {
    server: Postgres,
    /// The address of its schema, without a relay.
    address: String,
    relays: Vec<Relay>,
    envs: Vec<TestEnv>,
    programs: Vec<RwLock<Option<Program>>>,
    kills: AtomicUsize,
}

impl Fleet {
    /// Daemons with these mirrors, each with a connection of its own to the database.
    fn start(server: Postgres, mirrors: &str) -> Self {
        let address = server.schema();
        let schema = address.rsplit("%3D").next().unwrap();
        let relays: Vec<_> = (0..NODES).map(|_| Relay::to(server.port)).collect();
        let env = |relay: &Relay| {
            let env = TestEnv::new();
            let address = Postgres::address("127.0.0.1", relay.port, schema);
            let queue = format!("queue = {{ store = {address:?}, lease = {LEASE} }}\n{mirrors}");
            configure(&env, &queue);
            env
        };
        let envs: Vec<_> = relays.iter().map(env).collect();
        let programs = envs.iter().map(|env| RwLock::new(Some(Program::start(env)))).collect();
        Self { server, address, relays, envs, programs, kills: AtomicUsize::new(0) }
    }

    fn log(&self) -> String {
        let log = |program: &RwLock<Option<Program>>| {
            program.read().unwrap().as_ref().map(Program::log).unwrap_or_default()
        };
        self.programs.iter().map(log).collect::<Vec<_>>().join("\n\n")
    }

    /// A connection that sees the tables.
    fn client(&self) -> postgres::Client {
        postgres::Client::connect(&self.address, postgres::NoTls).unwrap()
    }

    fn signal(&self, node: usize, signal: Signal) {
        self.programs[node].read().unwrap().as_ref().unwrap().signal(signal);
    }

    /// Ends a daemon as a power cut would, and starts it again.
    fn kill(&self, node: usize) {
        self.signal(node, Signal::KILL);
        self.programs[node].write().unwrap().take().unwrap().kill();
        self.kills.fetch_add(1, Ordering::Relaxed);
        *self.programs[node].write().unwrap() = Some(Program::start(&self.envs[node]));
    }

    /// A hook for one of the daemons. Whether it was accepted.
    fn hook(&self, turn: usize, name: &str) -> bool {
        let program = self.programs[turn % NODES].read().unwrap();
        let answer = program.as_ref().and_then(|program| program.try_hook(name));
        // While the database is away it is refused.
        assert!(matches!(answer, Some(202 | 503) | None), "{answer:?}: {}", self.log());
        answer == Some(202)
    }

    /// All that goes wrong, with `pause` in between; a network is lost for `hole`.
    fn haunt(&self, pause: Duration, hole: Duration) {
        let rest = || thread::sleep(pause);
        rest();
        self.kill(0);
        rest();
        // Longer than its claims hold.
        self.signal(1, Signal::STOP);
        rest();
        self.kill(2);
        thread::sleep(Duration::from_secs(LEASE + 2).saturating_sub(pause));
        self.signal(1, Signal::CONT);
        rest();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE application_name = 'synchroniser'";
        self.server.client().execute(end, &[]).unwrap();
        self.kill(1);
        rest();
        self.relays[0].swallow(true);
        thread::sleep(hole / 2);
        self.kill(2);
        thread::sleep(hole / 2);
        self.relays[0].swallow(false);
        rest();
        self.server.control(&["stop", "-m", "immediate"]);
        thread::sleep(Duration::from_secs(2));
        self.server.control(&["start"]);
        rest();
        self.kill(0);
    }
}

/// What a single daemon makes of the first changesets of the history: the refs of an empty target.
pub(super) fn alone(place: &TestEnv, history: &Generated, changesets: usize) -> Refs {
    let path = |name: &str| place.path(format!("alone-{changesets}-{name}"));
    let (source, target) = (path("source"), path("target"));
    Generated::create(&source);
    history.add(&source, 0..changesets);
    git2::Repository::init_bare(&target).unwrap();
    let mirror = Mirror {
        name: "alone".to_owned(),
        source: Source::Path(source),
        cache: CacheLocation::Folder(path("cache")),
        target: Some(Target::local(&target)),
        forge: None,
        options: ConvertOptions::default(),
        publish: PublishRules::default(),
    };
    mirror::sync(&mirror, &NoObserver, &Interrupt::default()).unwrap();
    refs(&target)
}

#[test]
fn whatever_goes_wrong_three_daemons_make_what_one_would_have_made() {
    let mirrors = std::env::var("SYNCHRONISER_HARSH").ok();
    let mirrors: usize = mirrors.map_or(FEW, |mirrors| mirrors.parse().unwrap());
    let Some(server) = Postgres::start() else { return };
    let begin = Instant::now();
    let place = TestEnv::new();
    let shape = Shape { seed: 8, changesets: CHANGESETS, files: 4, heads: 1, ..Shape::PLAIN };
    let history = Generated::new(shape);
    let (mut all, text) = repositories(&place, &history, mirrors);
    let fleet = Fleet::start(server, &text);
    let longest = LONGEST + Duration::from_millis(500) * u32::try_from(mirrors).unwrap();
    for told in &all {
        while commits(&told.target) == 0 {
            assert!(begin.elapsed() < longest, "{}: {}", told.source.display(), fleet.log());
            thread::sleep(Duration::from_millis(20));
        }
    }
    let published = begin.elapsed().as_secs();
    // A target that is not empty at first is nobody's.
    let foreign: Vec<_> =
        all.iter().enumerate().map(|(number, told)| add_foreign(&told.target, number)).collect();
    let answered = push_to_all(&fleet, &history, &mut all);
    let haunted = begin.elapsed().as_secs();
    settle(&fleet, &all, longest);
    let mut truth = HashMap::new();
    for (told, foreign) in all.iter().zip(foreign) {
        let mut expected =
            truth.entry(told.has).or_insert_with(|| alone(&place, &history, told.has)).clone();
        expected.extend(foreign);
        assert_eq!(refs(&told.target), expected, "{}", told.target.display());
    }
    let (runs, processes) = check_runs(&mut fleet.client(), answered);
    let (kills, all) = (fleet.kills.into_inner(), begin.elapsed().as_secs());
    eprintln!(
        "{mirrors} mirrors, published first after {published} s; {kills} kills until {haunted} s, {answered} hooks \
         answered, {runs} runs by {processes} processes, all done after {all} s"
    );
}

/// Adds changesets to all sources and tells of them while everything goes wrong; how many hooks were accepted.
fn push_to_all(fleet: &Fleet, history: &Generated, all: &mut [Told]) -> usize {
    let mirrors = all.len();
    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        for told in all.chunks_mut(mirrors.div_ceil(SENDERS)) {
            let (stop, answered) = (&stop, &answered);
            let hook = move |turn, name: &str| {
                let is_accepted = fleet.hook(turn, name);
                thread::sleep(Duration::from_millis(20));
                ControlFlow::Continue(is_accepted)
            };
            scope.spawn(move || push(history, told, stop, answered, hook));
        }
        if mirrors == FEW {
            fleet.haunt(Duration::from_secs(2), Duration::from_secs(8));
        } else {
            // Until each has been asked for, and once at least.
            fleet.haunt(Duration::from_secs(5), Duration::from_secs(20));
            while answered.load(Ordering::Relaxed) < mirrors {
                fleet.haunt(Duration::from_secs(5), Duration::from_secs(20));
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    answered.into_inner()
}

/// Each mirror is asked for once more, and done.
fn settle(fleet: &Fleet, all: &[Told], longest: Duration) {
    for (turn, told) in all.iter().enumerate() {
        let begin = Instant::now();
        while !fleet.hook(turn, &told.name()) {
            assert!(begin.elapsed() < LONGEST, "{}", fleet.log());
            thread::sleep(Duration::from_millis(50));
        }
    }
    let begin = Instant::now();
    for told in all {
        while commits(&told.target) != told.has {
            assert!(begin.elapsed() < longest, "{}: {}", told.source.display(), fleet.log());
            thread::sleep(Duration::from_millis(100));
        }
    }
    let mut client = fleet.client();
    while is_busy(&mut client) {
        assert!(begin.elapsed() < longest, "{}", fleet.log());
        thread::sleep(Duration::from_millis(100));
    }
    // All of them are there, and know each other.
    for program in &fleet.programs {
        let program = program.read().unwrap();
        let overview = program.as_ref().unwrap().json("/api/v1/overview");
        let nodes = overview["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), NODES, "{overview:#}");
    }
}

/// Whether anything is run or waits for that.
pub(super) fn is_busy(client: &mut postgres::Client) -> bool {
    let left =
        "SELECT count(*) FROM mirror WHERE running_run IS NOT NULL OR waiting_run IS NOT NULL";
    client.query_one(left, &[]).unwrap().get::<_, i64>(0) > 0
}

/// What the database says of the runs: how many there were, and by how many processes.
pub(super) fn check_runs(client: &mut postgres::Client, answered: usize) -> (i64, i64) {
    let mut count = |select: &str| client.query_one(select, &[]).unwrap().get::<_, i64>(0);
    // Times are taken a little before what they are the times of.
    let overlaps = count(
        "SELECT count(*) FROM (SELECT started, lag(ended) OVER (PARTITION BY mirror ORDER BY number) \
         AS before, lag(token) OVER (PARTITION BY mirror ORDER BY number) AS lower, token FROM run) \
         AS runs WHERE started < before - 1000 OR token <= lower",
    );
    assert_eq!(overlaps, 0);
    let accepted = count("SELECT count(*) FROM delivery WHERE verdict = 'accepted'");
    assert!(accepted >= i64::try_from(answered).unwrap(), "{accepted} of {answered}");
    let forgotten = count(
        "SELECT count(*) FROM delivery_asked JOIN delivery ON number = delivery \
         WHERE verdict = 'accepted' AND NOT EXISTS (SELECT FROM run \
         WHERE run.mirror = delivery_asked.mirror AND state = 'done' AND started > at - 1000)",
    );
    assert_eq!(forgotten, 0);
    (count("SELECT count(*) FROM run"), count("SELECT count(DISTINCT node) FROM run"))
}
