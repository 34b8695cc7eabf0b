//! Notifications, a backup over the admin socket, and what watches the metrics.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, Side};
use synchroniser::config::Config;
use synchroniser::queue::{JobStore as _, SqliteStore};

use super::rig::{End, LONG, SHORT, report, rig_of, rocket, setup, substitute};
use crate::support::TestEnv;
use crate::support::serve::Web;

#[test]
fn a_streak_is_told_once_and_its_end_once() {
    let env = TestEnv::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&told);
    let web = Web::start(move |stream, head| {
        let size = head
            .lines()
            .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; size.unwrap()];
        stream.read_exact(&mut body).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        heard.lock().unwrap().push(json);
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    let text = format!(
        "daemon = {{ listen = \"127.0.0.1:0\", socket = \"none\", wait = 0 }}\n\
         schedule.debounce = 0\n\
         hooks.synchronise = {{ format = \"bitbucket_post\", allow_unauthenticated = true }}\n\
         mirrors.m-rocket = {{ source = \"hg/rocket\", target = \"git/Acme/Rocket.git\" }}\n\
         [notify.x]\nkind = \"webhook\"\nurl = \"{}\"\nplain_http = true\n",
        web.url("/hook")
    );
    let config = Config::parse(&text, &env.path("x.toml"), None).unwrap();
    let (syncer, begun) = substitute();
    let rig = rig_of(setup(config, syncer), begun);
    let sync = |end| {
        assert_eq!(rig.hook("", &rocket()).join().unwrap().status, 202);
        rig.begun().1.send(end).unwrap();
        rig.until_healthz_says("running: 0\nqueued: 0\n");
    };
    let until = |count: usize| {
        let start = Instant::now();
        while told.lock().unwrap().len() < count {
            assert!(start.elapsed() < LONG, "{:?}", told.lock().unwrap());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    // Refused is parked at once.
    sync(End::Fail(Fault::Refused, Side::Target, "no"));
    until(1);
    sync(End::Fail(Fault::Refused, Side::Target, "no"));
    sync(End::Report(report()));
    until(2);
    sync(End::Report(report()));
    std::thread::sleep(SHORT);
    let told = told.lock().unwrap();
    let shown: Vec<_> = told
        .iter()
        .map(|it| (it["event"].as_str().unwrap(), it["mirror"].as_str().unwrap()))
        .collect();
    assert_eq!(shown, [("trouble", "m-rocket"), ("recovered", "m-rocket")]);
    assert_eq!(told[0]["state"], "parked");
    assert_eq!(told[0]["failure"]["hint"], "pull the strings");
}

#[test]
fn a_backup_is_put_back() {
    let env = TestEnv::new();
    let text = "daemon = { listen = \"127.0.0.1:0\", socket = \"admin.sock\", state = \"state\" }\n\
                cache = \"cache\"\n\
                mirrors.m-rocket = { source = \"hg/rocket\", target = \"git/Acme/Rocket.git\" }\n";
    let path = env.path("x.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::create_dir_all(env.path("state")).unwrap();
    std::fs::create_dir_all(env.path("cache/m-rocket")).unwrap();
    std::fs::write(env.path("cache/m-rocket/ledger"), "what was published\n").unwrap();
    std::fs::create_dir_all(env.path("cache/.targets")).unwrap();
    let config = Config::parse(text, &path, None).unwrap();
    let (syncer, begun) = substitute();
    let store = SqliteStore::open(&env.path("state/queue.sqlite")).unwrap();
    let all = synchroniser::daemon::Setup { store: Arc::new(store), ..setup(config, syncer) };
    let rig = rig_of(all, begun);
    let config = path.to_str().unwrap();
    let file = env.path("backup.tar");
    let backup = || env.synchronise(["backup", file.to_str().unwrap(), "--config", config]);
    backup().ok().unwrap();
    assert!(backup().ok().unwrap_err().contains("a file that is not there yet"));
    // Nobody gets it over the network.
    let refused = super::rig::request(rig.address(), "POST", "/api/v1/backup");
    assert_eq!(refused.status, 404, "{}", refused.body);
    let mut stream = UnixStream::connect(env.path("admin.sock")).unwrap();
    stream.write_all(b"GET /api/v1/backup HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    let left: Vec<_> = std::fs::read_dir(env.path("state")).unwrap().flatten().collect();
    assert!(
        left.iter().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')),
        "{left:?}"
    );
    rig.daemon.shut_down().unwrap();

    let mut tar = tar::Archive::new(std::fs::File::open(&file).unwrap());
    tar.unpack(env.path("back")).unwrap();
    let ledger = std::fs::read_to_string(env.path("back/cache/m-rocket/ledger")).unwrap();
    assert_eq!(ledger, "what was published\n");
    let store = SqliteStore::open(&env.path("back/state/queue.sqlite")).unwrap();
    assert_eq!(store.keys().unwrap(), ["m-rocket"]);
    assert_eq!(store.runs(Some("m-rocket"), None, 10).unwrap().len(), 1);
}

#[test]
fn caches_of_mirrors_that_are_gone_are_removed() {
    let env = TestEnv::new();
    let text = "cache = \"cache\"\nmirrors.here = { source = \"hg\", target = \"t.git\" }\n\
                mirrors.new = { source = \"hg2\", target = \"t2.git\", was = \"old\" }\n";
    std::fs::write(env.path("x.toml"), text).unwrap();
    for name in ["here", "gone", "busy", "old"] {
        std::fs::create_dir_all(env.path(format!("cache/{name}/git"))).unwrap();
        for part in ["lock", "map", "ledger"] {
            std::fs::write(env.path(format!("cache/{name}/{part}")), "").unwrap();
        }
    }
    std::fs::create_dir_all(env.path("cache/no-cache")).unwrap();
    let busy = std::fs::File::open(env.path("cache/busy/lock")).unwrap();
    busy.lock().unwrap();
    let config = env.path("x.toml");
    let caches = |flags: &[&str]| {
        let args = ["caches", "--config", config.to_str().unwrap()].into_iter();
        env.synchronise(args.chain(flags.iter().copied())).ok().unwrap()
    };
    let names = || {
        let entries = std::fs::read_dir(env.path("cache")).unwrap().flatten();
        let mut names: Vec<_> = entries.map(|it| it.file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let listed = caches(&["--remove-unused"]);
    assert!(listed.contains("gone") && !listed.contains("no-cache"), "{listed}");
    assert_eq!(names(), ["busy", "gone", "here", "no-cache", "old"]);
    caches(&["--remove-unused", "--yes"]);
    assert_eq!(names(), ["busy", "gone", "here", "no-cache", "old"]);
    assert!(!env.path("cache/gone/map").exists() && env.path("cache/gone/ledger").exists());
    assert!(env.path("cache/busy/map").exists() && env.path("cache/old/map").exists());
    assert!(caches(&[]).contains("emptied, what was published is known"));
    caches(&["--remove-unused", "--ledgers", "--yes"]);
    assert_eq!(names(), ["busy", "here", "no-cache", "old"]);
}

/// The metrics that a file of others names.
fn named(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("synchroniser_")).map(str::to_owned).collect()
}

#[test]
fn alerts_and_dashboard_name_metrics_that_there_are() {
    let env = TestEnv::new();
    let text = "daemon = { listen = \"127.0.0.1:0\", socket = \"none\" }\nweb.read = \"open\"\n\
                hooks.synchronise = { format = \"bitbucket_post\", allow_unauthenticated = true }\n\
                mirrors.m-rocket = { source = \"hg/rocket\", target = \"git/Acme/Rocket.git\" }\n";
    let config = Config::parse(text, &env.path("x.toml"), None).unwrap();
    let (syncer, begun) = substitute();
    let rig = rig_of(setup(config, syncer), begun);
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Report(report())).unwrap();
    hook.join().unwrap();
    let metrics = super::rig::get(rig.address(), "/metrics").body;
    for file in ["packaging/alerts.yml", "packaging/grafana.json"] {
        let text = std::fs::read_to_string(crate::layers::root().join(file)).unwrap();
        let names = named(&text);
        assert!(names.len() > 5, "{file}");
        for name in names {
            // Some have no value here, as the ends of credentials.
            let described = format!("# TYPE {name} gauge");
            let is_there = metrics.lines().any(|line| {
                line == described
                    || line.strip_prefix(&name).is_some_and(|rest| rest.starts_with(['{', ' ']))
            });
            assert!(is_there, "{file} names {name}, which is not in\n{metrics}");
        }
    }
}
