//! The daemon over real HTTP on loopback: the contract with senders of hooks, and long syncs.
//!
//! Its syncer is a substitute: each run tells the test that it has begun, and ends as the test says, so
//! that nothing here waits for a guess.

// For clippy: helpers outside of `#[test]` functions are tests too.
#![cfg(test)]

mod cold;
mod endpoints;
mod fenced;
mod harsh;
mod http;
mod killed;
mod load;
mod namespaces;
mod nodes;
mod notify;
mod older_state;
mod operate;
mod program;
mod rig;
mod roles;
mod sessions;
mod stop;
mod told;
mod trouble;
mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use synchroniser::base::{Fault, Interrupt, Side};
use synchroniser::config::Config;
use synchroniser::daemon::Daemon;
use synchroniser::mirror::{self, Mirror, Note, Observer, SyncContext, SyncReport};

use crate::support::github::FakeGitHub;
use crate::support::serve::Web;
use crate::support::{Fixture, TestEnv, secrets};
use rig::{End, LONG, get, payload, post, report, request, rig, rig_with, rocket, send, setup};

#[test]
fn a_converted_hook_is_answered_once_it_is_converted() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-rocket");
    assert!(!hook.is_finished(), "answered before the sync was over");
    end.send(End::Report(report())).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.header("connection"), Some("close"));
    insta::assert_snapshot!(answer.redacted(), @r"
    Converted Rocket successfully
    changesets: 345, new: 12
    refs: 0, changed: 0
    seconds: 0.N
    state: /synchronise/state/ID
    status: 200 OK
    ");
}

#[test]
fn what_was_left_out_is_said_and_not_named() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    let notes = vec![Note::RefRemoved { reference: "refs/heads/secret".to_owned() }];
    rig.begun().1.send(End::Report(SyncReport { notes, ..report() })).unwrap();
    let answer = hook.join().unwrap();
    assert!(answer.body.contains("\nnotes: 1, see the log of the daemon\n"), "{}", answer.body);
    assert!(!answer.body.contains("secret"), "{}", answer.body);
}

#[test]
fn bad_payloads_are_refused_with_the_reasons_of_old() {
    let rig = rig();
    let deep = format!("payload={}", "[".repeat(200_000));
    for (body, reason) in [
        ("", "No JSON payload."),
        ("nothing=here", "No JSON payload."),
        (r#"{"repository":{"owner":"acme","slug":"rocket"}}"#, "No JSON payload."),
        ("payload=", "Invalid JSON payload."),
        ("payload=%zz%", "Invalid JSON payload."),
        ("payload=%7B%22repository%22", "Invalid JSON payload."),
        ("payload=%ff%fe", "Invalid JSON payload."),
        (&deep, "Invalid JSON payload."),
        ("payload={}", "No proper JSON in payload."),
        ("payload=[]", "No proper JSON in payload."),
        (r#"payload={"repository":{"owner":"acme"}}"#, "No proper JSON in payload."),
    ] {
        let answer = send(rig.address(), &post("?user=acme&project=rocket", body.as_bytes()));
        assert_eq!(answer.status, 400);
        assert_eq!(answer.body, format!("{reason}\nstatus: 400 Bad Request\n"));
        let status_line = answer.head.lines().next().unwrap();
        assert_eq!(status_line, format!("HTTP/1.1 400 {reason}"), "as the old service had it");
    }
    assert!(rig.begun.try_recv().is_err(), "nothing was synced");
}

#[test]
fn hooks_select_among_mirrors_and_name_no_target() {
    let rig = rig();
    for (query, body, mirror) in [
        ("", payload("ACME", "rocket"), "m-rocket"),
        ("?user=ada&project=Rocket-Core", rocket(), "m-engine"),
        ("?project=rocket&user=acme", payload("somebody", "else"), "m-rocket"),
        ("?user=acme", payload("somebody", "rocket"), "m-rocket"),
    ] {
        let hook = rig.hook(query, &body);
        let (begun, end) = rig.begun();
        assert_eq!(begun, mirror, "{query}");
        end.send(End::Report(report())).unwrap();
        assert_eq!(hook.join().unwrap().status, 200);
    }
    for (query, body) in [
        ("?user=victim", rocket()),
        ("?user=acme&project=rocket-core", rocket()),
        ("", payload("acme", "m-rocket")),
        ("", payload("", "")),
    ] {
        assert_eq!(send(rig.address(), &post(query, &body)).status, 400, "{query}");
    }
    let query = "?user=victim%1b%5b31m&project=%e2%80%aex%0d%0aSet-Cookie:%20a";
    let answer = send(rig.address(), &post(query, &rocket()));
    insta::assert_snapshot!(answer.body, @r#"
    No mirror is configured for user "victim[31m", project "x  Set-Cookie: a".
    status: 400 Bad Request
    "#);
    assert!(rig.begun.try_recv().is_err(), "nothing was synced");
}

#[test]
fn a_target_that_does_not_let_us_in_is_the_senders_to_mend() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Fail(Fault::Auth, Side::Target, "push to https://x: 404")).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 400);
    insta::assert_snapshot!(answer.redacted(), @r"
    Target project Acme/Rocket does not exist or gives no access.
    reason: push to https://x: 404
    state: /synchronise/state/ID
    status: 400 Bad Request
    ");
}

#[test]
fn only_a_target_that_does_not_let_us_in_is_told_as_a_missing_target() {
    let rig = rig();
    for side in Side::ALL {
        let hook = rig.hook("", &rocket());
        rig.begun().1.send(End::Fail(Fault::Auth, side, "get access to https://x: 401")).unwrap();
        let answer = hook.join().unwrap();
        let told_as_target = answer.body.starts_with("Target project Acme/Rocket");
        assert_eq!(told_as_target, side == Side::Target, "{side:?}: {}", answer.body);
        assert_eq!(answer.status == 400, side == Side::Target, "{side:?}");
    }
}

/// With a source that asks for a token, through everything that a sync is.
#[test]
fn a_source_that_refuses_us_is_not_told_as_a_missing_target() {
    let folder = tempfile::tempdir().unwrap();
    let source = Web::saying("HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n");
    git2::Repository::init_bare(folder.path().join("rocket.git")).unwrap();
    let text = format!(
        "{DAEMON}cache = \"cache\"\n[mirrors.rocket]\nuser = \"acme\"\n\
         project = \"rocket\"\nsource.url = {:?}\nsource.plain_http = true\ntarget = \"rocket.git\"\n",
        source.url("/rocket")
    );
    let daemon = start_for_real(&text, folder.path());
    let answer = send(daemon.address(), &post("", &payload("acme", "rocket")));
    assert_eq!(answer.status, 500);
    let body = answer.redacted().replace(&source.port.to_string(), "PORT");
    insta::assert_snapshot!(body, @r"
    Converting rocket failed at its source: get access to http://127.0.0.1:PORT/rocket: HTTP 401 Unauthorized
    hint: check the address; a token that may read it is named by `source.token_file` in the configuration, or by --source-token-file; the user by `source.token_user`, or by --source-token-user
    state: /synchronise/state/ID
    status: 500 Internal Server Error
    ");
    assert!(!answer.body.contains("Target project"), "{}", answer.body);
}

/// The daemon's part of such a configuration.
const DAEMON: &str = "daemon = { listen = \"127.0.0.1:0\", socket = \"none\" }\n\
    hooks.synchronise = { format = \"bitbucket_post\", allow_unauthenticated = true }\n";

/// A daemon with the configuration `text`, as a file in `folder`, that syncs as the program does.
fn start_for_real(text: &str, folder: &Path) -> Daemon {
    let mut config = Config::parse(text, &folder.join("x.toml"), None).unwrap();
    config.daemon.wait = LONG;
    config.schedule.debounce = Duration::ZERO;
    config.schedule.per_target_minute = 100.try_into().unwrap();
    let syncer = |mirror: &Mirror,
                  context: &SyncContext<'_>,
                  observer: &dyn Observer,
                  interrupt: &Interrupt| {
        mirror::sync_in(mirror, context, observer, interrupt).map_err(|error| Box::new(error) as _)
    };
    Daemon::start(setup(config, Arc::new(syncer))).unwrap()
}

/// The contract of old: 400 where the project or its owner does not exist, or where we are no
/// collaborator; each with its reason. Through everything that a sync is.
#[test]
fn what_a_target_lacks_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let token = secrets::token("ghp_");
    let github = FakeGitHub::with_bot(&token);
    let env = TestEnv::new();
    let source = Fixture::demo().unpack(&env);
    let path = folder.path().join("token");
    std::fs::write(&path, &token).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let text = format!(
        "{DAEMON}cache = \"cache\"\n[mirrors.rocket]\nsource = {:?}\n\
         [mirrors.rocket.target]\nurl = {:?}\napi = {:?}\nplain_http = true\ntoken_file = \"token\"\n",
        source.display().to_string(),
        github.url("acme/rocket.git"),
        github.api()
    );
    let daemon = start_for_real(&text, folder.path());
    let hook = || send(daemon.address(), &post("", &payload("acme", "rocket")));
    let told = |reason: &str| {
        let answer = hook();
        assert_eq!(answer.status, 400, "{}", answer.body);
        let first = "Target project acme/rocket does not exist or gives no access.\nreason: ";
        assert!(answer.body.starts_with(first), "{}", answer.body);
        assert!(answer.body.contains(reason), "{reason}: {}", answer.body);
    };
    told("the project does not exist, or the user mirror-bot has no access to it");
    github.state().owners.remove("acme");
    told("there is no user or organisation acme");
    github.state().owners.insert("acme".to_owned());
    github.repo("acme/rocket", |repo| repo.private = false);
    told("the user mirror-bot is not a collaborator who may write");
    github.repo_of_bot("acme/rocket");
    github.repo("acme/rocket", |repo| repo.archived = true);
    told("it is archived, and so read-only");
    github.repo("acme/rocket", |repo| repo.archived = false);
    assert_eq!(hook().status, 200);
    github.state().repositories.clear();
    told("the project does not exist");
}

#[test]
fn every_other_failure_is_ours_and_never_a_success() {
    let rig = rig();
    for fault in
        Fault::ALL.into_iter().filter(|fault| !matches!(fault, Fault::Auth | Fault::Interrupted))
    {
        let hook = rig.hook("", &rocket());
        rig.begun().1.send(End::Fail(fault, Side::Here, "read a\u{1b}[2J b")).unwrap();
        let answer = hook.join().unwrap();
        assert_eq!(answer.status, 500, "{fault:?}");
        assert!(answer.body.starts_with("Converting Rocket failed: read a[2J b\n"), "{fault:?}");
        assert!(!answer.body.contains("successfully"));
        if fault == Fault::Refused {
            insta::assert_snapshot!(answer.redacted(), @r"
        Converting Rocket failed: read a[2J b
        hint: pull the strings
        state: /synchronise/state/ID
        status: 500 Internal Server Error
        ");
        }
    }
}

#[test]
fn a_panic_is_answered_and_survived() {
    let rig = rig();
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Panic).unwrap();
    let answer = hook.join().unwrap();
    assert_eq!(answer.status, 500);
    insta::assert_snapshot!(answer.redacted(), @r"
    Converting Rocket failed: panicked: the test told it to
    hint: this is a mistake in synchroniser; please report it
    state: /synchronise/state/ID
    status: 500 Internal Server Error
    ");
    let hook = rig.hook("", &rocket());
    rig.begun().1.send(End::Report(report())).unwrap();
    assert_eq!(hook.join().unwrap().status, 200);
}

#[test]
fn a_long_sync_goes_on_and_its_state_can_be_asked_for() {
    let rig = rig_with(|config| config.daemon.wait = Duration::ZERO);
    let answer = send(rig.address(), &post("", &rocket()));
    let (_, end) = rig.begun();
    assert_eq!(answer.status, 202);
    let path = answer.header("location").unwrap();
    assert!(answer.body.contains(path), "{}", answer.body);

    let state = |path: &str| -> serde_json::Value {
        let answer = get(rig.address(), path);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        serde_json::from_str(&answer.body).unwrap()
    };
    let running = state(path);
    assert_eq!(running["state"], "running");
    let progress = r#"{"done":4,"stage":"converting_files","total":9,"unit":"file_revisions"}"#;
    assert_eq!(running["progress"].to_string(), progress);
    assert_eq!(running["mirror"], "m-rocket");
    assert!(path.ends_with(running["id"].as_str().unwrap()));
    assert!(running["since"].as_u64().unwrap() > 1_700_000_000);
    assert!(running.get("summary").is_none() && running.get("error").is_none());

    let waiting = send(rig.address(), &post("", &rocket()));
    let waiting_path = waiting.header("location").unwrap();
    assert_ne!(waiting_path, path, "a further run");
    assert_eq!(state(waiting_path)["state"], "queued");
    insta::assert_snapshot!(waiting.redacted(), @r"
    The sync of Rocket is waiting for its turn and goes on.
    state: /synchronise/state/ID
    status: 202 Accepted
    ");

    end.send(End::Report(report())).unwrap();
    // The second run begins only once the first is over.
    let (_, end) = rig.begun();
    let done = state(path);
    assert_eq!(done["state"], "done");
    assert!(done["elapsed"].is_f64());
    insta::assert_snapshot!(done["summary"].to_string(), @r#"{"changed":0,"changesets":345,"converted":12,"notes":0,"references":0}"#);

    end.send(End::Fail(Fault::Refused, Side::Target, "push refs/heads/x: protected")).unwrap();
    let third = send(rig.address(), &post("", &rocket()));
    rig.begun();
    let failed = state(waiting_path);
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["fault"], "refused");
    assert_eq!(failed["side"], "target");
    assert_eq!(failed["error"], "push refs/heads/x: protected");
    assert_eq!(failed["hint"], "pull the strings");
    assert_eq!(third.status, 202);
}

#[test]
fn runs_that_nobody_knows_have_no_state() {
    let rig = rig();
    let unknown = format!("/synchronise/state/{}", "0".repeat(32));
    for path in
        [&*unknown, "/synchronise/state/x", "/synchronise/state/1", "/synchronise/state/%00"]
    {
        let answer = get(rig.address(), path);
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.body, "{\"error\":\"no such run, or not any more\"}\n");
    }
    assert_eq!(request(rig.address(), "POST", &unknown).status, 405);
}

#[test]
fn hooks_during_a_run_share_one_further_run() {
    let rig = rig_with(|config| {
        config.daemon.wait = Duration::ZERO;
        config.daemon.workers = 1.try_into().unwrap();
    });
    let location = |owner, slug| {
        let answer = send(rig.address(), &post("", &payload(owner, slug)));
        assert_eq!(answer.status, 202);
        answer.header("location").unwrap().to_owned()
    };
    let first = location("acme", "rocket");
    let (_, end) = rig.begun();
    let others = [0; 3].map(|_| location("acme", "rocket"));
    assert!(others.iter().all(|other| *other == others[0] && *other != first), "{others:?}");
    end.send(End::Report(report())).unwrap();
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-rocket");
    location("ada", "rocket-core");
    end.send(End::Report(report())).unwrap();
    // The only worker takes what is asked for in its order: a run too many would come before this.
    let (mirror, end) = rig.begun();
    assert_eq!(mirror, "m-engine");
    end.send(End::Report(report())).unwrap();
}

#[test]
fn a_hook_during_a_run_waits_for_the_run_after_it() {
    let rig = rig();
    let first = rig.hook("", &rocket());
    let (_, end_first) = rig.begun();
    let second = rig.hook("", &rocket());
    rig.until_healthz_says("running: 1\nqueued: 1\n");
    end_first.send(End::Report(report())).unwrap();
    assert_eq!(first.join().unwrap().status, 200);
    let (_, end_second) = rig.begun();
    assert!(!second.is_finished(), "answered by a run that began before the hook");
    end_second.send(End::Fail(Fault::Corrupt, Side::Source, "broken")).unwrap();
    assert_eq!(second.join().unwrap().status, 500);
}

#[test]
fn different_mirrors_are_synced_side_by_side() {
    let rig = rig();
    let hooks = [rig.hook("", &rocket()), rig.hook("", &payload("ada", "rocket-core"))];
    let begun = [rig.begun(), rig.begun()];
    let mut names = begun.each_ref().map(|(name, _)| &**name);
    names.sort_unstable();
    assert_eq!(names, ["m-engine", "m-rocket"]);
    for (_, end) in &begun {
        end.send(End::Report(report())).unwrap();
    }
    for hook in hooks {
        assert_eq!(hook.join().unwrap().status, 200);
    }
}
