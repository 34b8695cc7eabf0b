//! Two daemons and the database on hosts of their own, with a network between them that is lost and comes back.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::harsh::{Refs, alone, check_runs, is_busy, refs};
use super::killed::{Told, commits, repositories};
use super::program::{CONFIG, HEAD, LONG, Program, body};
use crate::support::generator::{Generated, Shape};
use crate::support::network::{End, Host, Network, in_a_network};
use crate::support::nginx::folder_with_certificate_for;
use crate::support::postgres::Postgres;
use crate::support::{TestEnv, env};

const MIRRORS: usize = 24;
/// How many syncs a daemon does at a time, as the configuration has it.
const WORKERS: usize = 4;
/// How long a claim holds, in seconds.
const LEASE: u64 = 5;
/// How long whoever sends a hook waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A daemon on a host of its own.
struct Node {
    // Ends before its host.
    program: Program,
    env: TestEnv,
    host: Host,
}

impl Node {
    fn start(host: Host, env: TestEnv) -> Self {
        let mut command = host.command(&env, env.synchroniser().get_program());
        command.args(["serve", "--config", CONFIG]);
        let program = Program::spawn(command);
        assert!(program.address.to_string().starts_with(&host.address), "{}", program.address);
        Self { program, env, host }
    }

    /// Whether a hook that is sent over the network is accepted.
    fn hook(&self, mirror: &str) -> bool {
        let answer = self.program.try_hook_within(mirror, PATIENCE);
        assert!(matches!(answer, Some(202 | 503) | None), "{answer:?}: {}", self.program.log());
        answer == Some(202)
    }

    /// Sends a hook from its own host, and prints the status of the answer.
    fn hook_from_within(&self, mirror: &str, curl: &Path) -> Child {
        let url = format!("http://{}/hook/hg", self.program.address);
        let mut command = self.host.command(&self.env, curl);
        command.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", &url]);
        command.args(["--header", "Content-Type: application/json", "--data", &body(mirror)]);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }

    /// How many changesets of a mirror it has converted.
    fn converted(&self, mirror: &str) -> usize {
        let map = self.env.path(format!("cache/{mirror}/map"));
        std::fs::metadata(map).map_or(0, |found| usize::try_from(found.len() / 40).unwrap())
    }

    /// Keeps it from publishing anything while these are held, as another mirror with the same target would.
    fn targets(&self) -> Vec<File> {
        let locks = std::fs::read_dir(self.env.path("cache/.targets")).unwrap();
        let lock = |path: PathBuf| {
            let file = File::open(path).unwrap();
            file.lock().unwrap();
            file
        };
        locks.map(|entry| lock(entry.unwrap().path())).collect()
    }

    /// How many of its syncs have stopped since their claims may have run out.
    fn stopped(&self) -> usize {
        self.program.log().matches("state=\"interrupted\"").count()
    }
}

/// The mirrors, the daemons and the database.
struct Story {
    place: TestEnv,
    history: Generated,
    all: Vec<Told>,
    nodes: [Node; 2],
    database: postgres::Client,
    /// How many hooks were answered 202.
    answered: usize,
    begin: Instant,
    // Ends last.
    _server: Postgres,
}

impl Story {
    /// All is there, and each mirror is synced once. `None` where something is missing, which was said.
    fn begin() -> Option<Self> {
        let begin = Instant::now();
        let server = Postgres::start()?;
        let mut network = Network::new();
        let certificate = folder_with_certificate_for(&format!("IP:{}", Network::ADDRESS))?;
        server.encrypt(certificate.path());
        server.listen(Network::ADDRESS);
        let by_loopback = server.schema();
        let schema = by_loopback.rsplit("%3D").next().unwrap();
        let address = Postgres::address(Network::ADDRESS, server.port, schema);

        let place = TestEnv::new();
        let shape = Shape { seed: 31, changesets: 20, files: 4, heads: 1, ..Shape::PLAIN };
        let history = Generated::new(shape);
        let (all, mirrors) = repositories(&place, &history, MIRRORS);
        // Whoever publishes too late is not kept from it by what is there.
        let mirrors = mirrors.replace(" }\n", ", divergence = \"overwrite\" }\n");
        let authority = place.path("authority.pem");
        std::fs::copy(certificate.path().join("cert.pem"), &authority).unwrap();
        let configure = |env: &TestEnv, host: &str, mirrors: &str| {
            let head = HEAD.replace("127.0.0.1:0", &format!("{host}:0"));
            let queue = format!("store = {address:?}, ca_file = {authority:?}, lease = {LEASE}");
            let text = format!("{head}queue = {{ {queue} }}\n{mirrors}");
            std::fs::write(env.path(CONFIG), text).unwrap();
        };
        let nodes = ["alpha", "beta"].map(|name| {
            let (host, env) = (network.host(name), TestEnv::new());
            configure(&env, &host.address, "");
            Node::start(host, env)
        });
        // Both are there before there is anything to do.
        for node in &nodes {
            configure(&node.env, &node.host.address, &mirrors);
            node.program.signal(Signal::HUP);
        }
        let database = postgres::Client::connect(&by_loopback, postgres::NoTls).unwrap();
        let story =
            Self { place, history, all, nodes, database, answered: 0, begin, _server: server };
        story.until_published("at first");
        Some(story)
    }

    fn log(&self) -> String {
        let [alpha, beta] = &self.nodes;
        format!("alpha:\n{}\nbeta:\n{}", alpha.program.log(), beta.program.log())
    }

    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let begin = Instant::now();
        while !is_so() {
            assert!(begin.elapsed() < LONG, "never: {what}\n{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
        eprintln!("{:6.1} s: {what}", self.begin.elapsed().as_secs_f64());
    }

    /// Waits until every target has what its source has.
    fn until_published(&self, when: &str) {
        let is_done = |told: &Told| commits(&told.target) == told.has;
        self.until(&format!("all is published {when}"), || self.all.iter().all(is_done));
    }

    /// Waits until a daemon says of both whether they are there.
    fn until_nodes(&self, asked: usize, states: [&str; 2]) {
        self.until(&format!("nodes are {states:?}"), || {
            let overview = self.nodes[asked].program.json("/api/v1/overview");
            let nodes = overview["nodes"].as_array().unwrap();
            let found = nodes.iter().map(|node| (&node["name"], &node["state"]));
            found.eq([(&"alpha".into(), &states[0].into()), (&"beta".into(), &states[1].into())])
        });
    }

    /// Waits until a daemon takes hooks again.
    fn until_takes_hooks(&mut self, node: usize) {
        let name = self.nodes[node].host.name;
        self.until(&format!("{name} takes hooks"), || self.nodes[node].hook("m0"));
        self.answered += 1;
    }

    /// One more changeset in every source.
    fn grow(&mut self) {
        for told in &mut self.all {
            self.history.add(&told.source, told.has..told.has + 1);
            told.has += 1;
        }
    }

    /// A hook for each mirror, to these daemons in turn; all are accepted.
    fn tell(&mut self, to: &[usize]) {
        for (told, node) in self.all.iter().zip(to.iter().cycle()) {
            assert!(self.nodes[*node].hook(&told.name()), "{}", self.log());
            self.answered += 1;
        }
    }

    fn push(&mut self, to: &[usize]) {
        self.grow();
        self.tell(to);
    }

    /// The mirrors that a host has synced last.
    fn at_home(&mut self, host: &str) -> Vec<String> {
        let select = "SELECT name FROM (SELECT DISTINCT ON (mirror.id) mirror.name, node.name AS host \
             FROM run JOIN mirror ON mirror.id = run.mirror JOIN node ON node.id = run.node \
             ORDER BY mirror.id, run.number DESC) AS last WHERE host = $1";
        let found = self.database.query(select, &[&host]).unwrap();
        found.iter().map(|row| row.get(0)).collect()
    }

    /// What all targets have.
    fn published(&self) -> Vec<Refs> {
        self.all.iter().map(|told| refs(&told.target)).collect()
    }

    /// The cable of alpha is pulled while it syncs: it publishes nothing that it has converted, and beta does it all.
    fn lose_alpha(&mut self, curl: &Path) {
        let home = self.at_home("alpha");
        let held = self.nodes[0].targets();
        self.push(&[0, 1]);
        let has = self.all[0].has;
        let alpha = &self.nodes[0];
        let is_converted = |name: &&String| alpha.converted(name) == has;
        let at_once = WORKERS.min(home.len());
        self.until("alpha has converted", || {
            at_once > 0 && home.iter().filter(is_converted).count() >= at_once
        });
        let converted: Vec<_> = home.iter().filter(is_converted).collect();
        // What it has converted is not the newest any more.
        self.grow();
        let alpha = &self.nodes[0];
        alpha.host.link(End::Switch, false);
        let cut = Instant::now();
        let alone = alpha.hook_from_within("m0", curl);
        assert!(!alpha.hook("m0"), "there is no network");
        self.tell(&[1]);

        // Its claims have run out, and nothing but that keeps it from publishing.
        thread::sleep(Duration::from_secs(LEASE + 1).saturating_sub(cut.elapsed()));
        drop(held);
        let alpha = &self.nodes[0];
        let is_late =
            |told: &Told| converted.contains(&&told.name()) && commits(&told.target) == has;
        self.until("alpha stops", || {
            assert!(!self.all.iter().any(is_late), "alpha has published: {}", self.log());
            alpha.stopped() >= at_once
        });
        let answer = alone.wait_with_output().unwrap().stdout;
        assert_eq!(String::from_utf8_lossy(&answer), "503", "{}", self.log());
        self.until_published("without alpha");
        self.until_nodes(1, ["lost", "working"]);
        let published = self.published();

        alpha.host.link(End::Switch, true);
        self.until_takes_hooks(0);
        self.until_nodes(1, ["working", "working"]);
        assert!(self.published() == published, "{}", self.log());
        self.push(&[0]);
        self.until_published("after hooks to alpha");
    }

    /// Beta loses its network in the midst of syncs: alpha, which is back, does all that beta did.
    fn lose_beta(&mut self) {
        self.push(&[0, 1]);
        self.nodes[1].host.link(End::Host, false);
        self.push(&[0]);
        self.until_published("without beta");
        self.nodes[1].host.link(End::Host, true);
        self.until_takes_hooks(1);
        self.push(&[1]);
        self.until_published("after hooks to beta");
        self.until_nodes(0, ["working", "working"]);
    }

    /// Every target has what a single daemon makes of its source, and the database says how that came about.
    fn end(mut self) {
        let begin = Instant::now();
        while is_busy(&mut self.database) {
            assert!(begin.elapsed() < LONG, "{}", self.log());
            thread::sleep(Duration::from_millis(50));
        }
        let mut truth = HashMap::new();
        for told in &self.all {
            let make = || alone(&self.place, &self.history, told.has);
            let expected = truth.entry(told.has).or_insert_with(make);
            assert_eq!(&refs(&told.target), expected, "{}", told.target.display());
        }
        let (runs, processes) = check_runs(&mut self.database, self.answered);
        assert_eq!(processes, 2);
        let time = self.begin.elapsed().as_secs();
        eprintln!("{} hooks answered, {runs} runs, all done after {time} s", self.answered);
    }
}

#[test]
fn daemons_on_hosts_of_their_own_outlive_the_network_between_them() {
    in_a_network("daemon::namespaces::on_hosts_of_their_own");
}

/// Not a test of its own: what the other one runs.
#[test]
#[ignore = "it makes interfaces in the network that it is in"]
fn on_hosts_of_their_own() {
    let Some(curl) = env::program("curl") else { return };
    let Some(mut story) = Story::begin() else { return };
    story.until_nodes(0, ["working", "working"]);
    story.push(&[0, 1]);
    story.until_published("by both");
    story.lose_alpha(&curl);
    story.lose_beta();
    story.end();
}
