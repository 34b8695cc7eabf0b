//! Daemons that do a part of the work: some take hooks and show pages, others sync.

use std::thread;
use std::time::{Duration, Instant};

use super::killed::{commits, repositories};
use super::program::{LONG, Program, ask, configure};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::shared;

const SHAPE: Shape = Shape { seed: 21, changesets: 3, files: 2, heads: 1, ..Shape::PLAIN };

#[test]
fn a_front_takes_hooks_and_a_worker_does_what_they_ask_for() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let (all, mirrors) = repositories(&place, &Generated::new(SHAPE), 2);
    let [front_env, worker_env] = [TestEnv::new(), TestEnv::new()];
    // The lease decides when who is gone is missed.
    let text = format!("queue = {{ store = {address:?}, lease = 5 }}\n{mirrors}");
    configure(&front_env, &text);
    configure(&worker_env, &text);

    let front = Program::start_as(&front_env, "front");
    front.hook("m0");
    front.until_log_says("nothing is synced: no daemon is there");
    let overview = front.json("/api/v1/overview");
    assert_eq!((&overview["no_worker"], &overview["running"]), (&true.into(), &0.into()));
    assert_eq!(overview["nodes"][0]["role"], "front");
    assert_eq!(front.get("/readyz").status, 200);
    assert!(front.get("/").body.contains("Nothing is synced."));
    assert!(front.get("/queue").body.contains(", role "));
    assert!(front.get("/metrics").body.contains("synchroniser_no_worker 1\n"));
    let said = format!("{:?}", ask(&front_env, &["status"]));
    assert!(said.contains("nothing is synced: no daemon is there"), "{said}");
    let said = format!("{:?}", ask(&front_env, &["doctor", "--offline"]));
    assert!(said.contains("none that is there syncs"), "{said}");
    assert_eq!(commits(&all[0].target) + commits(&all[1].target), 0);
    assert!(!front_env.path("cache").exists(), "a front makes no caches");

    let waiting = front.json("/api/v1/queue")["queue"][0]["run"].as_str().unwrap().to_owned();
    let worker = Program::start_as(&worker_env, "work");
    let begin = Instant::now();
    let run = front.json(&format!("/api/v1/runs/{waiting}?wait=60"));
    assert_eq!(run["state"], "done", "{}", worker.log());
    assert!(begin.elapsed() < Duration::from_secs(30), "it waited although the run was over");
    front.until_state("m0", "good");
    front.until_state("m1", "good");
    let overview = front.json("/api/v1/overview");
    assert_eq!(overview["no_worker"], false, "{overview:#}");
    let mut roles: Vec<_> =
        overview["nodes"].as_array().unwrap().iter().map(|node| node["role"].clone()).collect();
    roles.sort_by_key(ToString::to_string);
    assert_eq!(roles, ["front", "work"]);
    assert!(commits(&all[0].target) > 0 && !front_env.path("cache").exists());
    let said = format!("{:?}", ask(&front_env, &["doctor", "--offline"]));
    assert!(said.contains("nodes: 2 of 2 are there"), "{said}");

    // What only syncs takes no hooks, shows no pages, and says so; who administers it is answered.
    assert_eq!(worker.try_hook("m0"), Some(503));
    for path in ["/", "/queue", "/login", "/api/v1/overview", "/synchronise/state/1"] {
        let answer = worker.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("This daemon only syncs"), "{}", answer.body);
    }
    assert_eq!(worker.get("/healthz").status, 200);
    assert_eq!(worker.get("/metrics").status, 200);
    let ready = worker.get("/readyz");
    assert!(ready.status == 503 && ready.body.contains("takes no hooks"), "{}", ready.body);
    let said = format!("{:?}", ask(&worker_env, &["status"]));
    assert!(said.contains("ROLE") && said.contains("work"), "{said}");

    // Nobody is left who syncs.
    worker.kill();
    let begin = Instant::now();
    while front.json("/api/v1/overview")["no_worker"] == false {
        assert!(begin.elapsed() < LONG, "{}", front.log());
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn what_a_worker_finds_out_of_its_secrets_a_front_does_not_change() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let (_, mirrors) = repositories(&place, &Generated::new(SHAPE), 1);
    let [front_env, worker_env] = [TestEnv::new(), TestEnv::new()];
    // The file is on one of the machines alone, so that what is known of it differs.
    let mirrors = mirrors.replace("= {", "= { author_map = \"authors\",");
    let text = format!("queue.store = {address:?}\n{mirrors}");
    configure(&front_env, &text);
    configure(&worker_env, &text);
    std::fs::write(worker_env.path("authors"), "a = b <b@example.org>\n").unwrap();
    let worker = Program::start_as(&worker_env, "work");
    // Answered once the queue knows the mirror.
    assert_eq!(worker.get("/healthz").status, 200);
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    let mut fingerprint = || {
        let select = "SELECT fingerprint, wanted FROM mirror";
        let found = client.query_one(select, &[]).unwrap();
        (found.get::<_, String>(0), found.get::<_, i64>(1))
    };
    let before = fingerprint();
    let front = Program::start_as(&front_env, "front");
    assert_eq!(front.get("/healthz").status, 200);
    assert_eq!(fingerprint(), before, "a front would have had it synced again");
}

/// A mirror for machines with another name waits, and says for which; one for this machine is synced.
#[test]
fn a_pinned_mirror_waits_for_its_machine() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let (all, mirrors) = repositories(&place, &Generated::new(SHAPE), 3);
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let pinned = |nodes: &str| {
        let mirrors = mirrors.replacen("= {", &format!("= {{ nodes = [{nodes:?}],"), 1);
        let part = format!("= {{ nodes = [\"not-there\", {:?}],", here.trim());
        let at = mirrors.find("mirrors.m1").unwrap();
        let (first, rest) = mirrors.split_at(at);
        format!("queue.store = {address:?}\n{first}{}", rest.replacen("= {", &part, 1))
    };
    let env = TestEnv::new();
    configure(&env, &pinned("inside-*"));
    let program = Program::start(&env);
    program.until_state("m1", "good");
    program.until_state("m2", "good");
    // Asked for by a hook, and overdue: it is not forgotten, and nobody takes it.
    program.hook("m0");
    thread::sleep(Duration::from_secs(3));
    assert_eq!(commits(&all[0].target), 0);
    let found = program.json("/api/v1/mirrors/m0");
    assert_eq!((&found["no_node"], &found["nodes"][0]), (&true.into(), &"inside-*".into()));
    assert_eq!(program.json("/api/v1/mirrors/m1")["no_node"], false);
    assert_eq!(program.json("/api/v1/overview")["without_node"], 1);
    for path in ["/", "/mirrors/m0"] {
        let page = program.get(path).body;
        assert!(page.contains("Waits for a daemon on inside-*: none is there"), "{page}");
    }
    for words in [&["status"][..], &["status", "m0"]] {
        let said = format!("{:?}", ask(&env, words));
        assert!(said.contains("waits for a daemon on inside-*: none is there"), "{said}");
    }
    assert!(program.get("/metrics").body.contains("synchroniser_mirrors_without_node 1\n"));
    // Another daemon of the same machine does not take it either; with its name in the pattern, one does.
    configure(&env, &pinned(&format!("{}*", &here.trim()[..1])));
    program.signal(rustix::process::Signal::HUP);
    program.until_state("m0", "good");
    assert_eq!(program.json("/api/v1/overview")["without_node"], 0);
}

#[test]
fn a_role_needs_a_queue_that_others_share() {
    let env = TestEnv::new();
    configure(&env, "daemon.role = \"front\"\n");
    let text = std::fs::read_to_string(env.path("synchroniser.toml")).unwrap();
    let text = text.replace("daemon = {", "daemon = { role = \"work\", ");
    std::fs::write(env.path("synchroniser.toml"), text.replace("daemon.role = \"front\"\n", ""))
        .unwrap();
    let said =
        format!("{:?}", env.synchronise(["config", "check", "--config", "synchroniser.toml"]));
    assert!(said.contains("daemon.role: needs a PostgreSQL database"), "{said}");
    configure(
        &env,
        "mirrors.a = { source = \"a\", target = \"b.git\", nodes = [\"x\", \"a b\"] }\n",
    );
    let said =
        format!("{:?}", env.synchronise(["config", "check", "--config", "synchroniser.toml"]));
    assert!(said.contains("mirrors.a.nodes: needs a PostgreSQL database"), "{said}");
    assert!(said.contains("mirrors.a.nodes: not names of machines"), "{said}");
    configure(&env, "");
    let serve = ["serve", "--config", "synchroniser.toml", "--role", "front"];
    let said = format!("{:?}", env.synchronise(serve));
    assert!(said.contains("the queue is a file") && said.contains("queue.store"), "{said}");
}
