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
    configure(&env, "");
    let serve = ["serve", "--config", "synchroniser.toml", "--role", "front"];
    let said = format!("{:?}", env.synchronise(serve));
    assert!(said.contains("the queue is a file") && said.contains("queue.store"), "{said}");
}
