//! Browsers, and several daemons behind one proxy: who is logged in by one is so with all.

use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use sha2::{Digest as _, Sha256};
use synchroniser::base::hex;
use synchroniser::queue::{PostgresOptions, PostgresStore};

use super::killed::repositories;
use super::program::{LONG, Program, configure};
use super::rig::{Answer, send};
use crate::support::TestEnv;
use crate::support::generator::{Generated, Shape};
use crate::support::postgres::{Postgres, shared};

const SHAPE: Shape = Shape { seed: 31, changesets: 2, files: 1, heads: 1, ..Shape::PLAIN };
const TOKEN: &str = "a-token-of-this-test";

/// What a browser with this cookie asks for; a form with what is in it, if there is one.
fn browse(program: &Program, path: &str, cookie: &str, form: Option<&str>) -> Answer {
    let port = program.address.port();
    let method = if form.is_some() { "POST" } else { "GET" };
    let body = form.unwrap_or_default();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n\
         Sec-Fetch-Site: same-origin\r\nCookie: {cookie}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    send(program.address, request.as_bytes())
}

/// Logs in, and returns the cookie.
fn log_in(program: &Program) -> String {
    let answer = browse(program, "/login", "", Some(&format!("token={TOKEN}")));
    assert_eq!(answer.status, 303, "{}", answer.body);
    answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

/// What the form of a page of ours has, if this page is for who is logged in.
fn form(page: &Answer) -> Option<String> {
    let (_, after) = page.body.split_once("name=\"form\" value=\"")?;
    Some(format!("form={}", after.split('"').next()?))
}

/// A database that was away is left alone for a moment.
fn until_it_writes(program: &Program) {
    let begin = Instant::now();
    while program.try_hook("m0") != Some(202) {
        assert!(begin.elapsed() < LONG, "{}", program.log());
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn who_is_logged_in_by_one_daemon_is_so_with_all() {
    // Of its own: it is stopped.
    let Some(server) = Postgres::start() else { return };
    let address = server.schema();
    let place = TestEnv::new();
    let (_, mirrors) = repositories(&place, &Generated::new(SHAPE), 1);
    let with = |token: &str| {
        let sha256 = hex::encode(&Sha256::digest(token));
        format!(
            "queue.store = {address:?}\ntokens.one = {{ sha256 = {sha256:?}, scope = \"admin\" }}\n{mirrors}"
        )
    };
    let envs = [TestEnv::new(), TestEnv::new()];
    for env in &envs {
        configure(env, &with(TOKEN));
    }
    let one = Program::start(&envs[0]);
    let other = Program::start(&envs[1]);
    let cookie = log_in(&one);
    let page = browse(&other, "/mirrors/m0", &cookie, None);
    let value = form(&page).expect("a page with buttons");
    assert_eq!(form(&browse(&one, "/mirrors/m0", &cookie, None)), Some(value.clone()));
    // The page of one, the button at the other.
    for (program, path) in [(&one, "/mirrors/m0/pause"), (&other, "/mirrors/m0/resume")] {
        let answer = browse(program, path, &cookie, Some(&value));
        assert_eq!((answer.status, answer.header("location")), (303, Some("/mirrors/m0")));
    }
    let wrong = value.replace("form=", "form=0");
    assert_eq!(browse(&one, "/mirrors/m0/pause", &cookie, Some(&wrong)).status, 403);

    // The end at one is the end at all.
    let second = log_in(&other);
    assert_eq!(browse(&one, "/logout", &cookie, Some(&value)).status, 303);
    for program in [&one, &other] {
        assert!(form(&browse(program, "/mirrors/m0", &cookie, None)).is_none());
        assert!(form(&browse(program, "/mirrors/m0", &second, None)).is_some());
    }

    // Nobody is sent to log in because the database is away, and nobody was logged out by that.
    server.control(&["stop", "-m", "immediate"]);
    for path in ["/mirrors/m0", "/login"] {
        let answer = browse(&one, path, &second, None);
        assert_eq!(answer.status, 503, "{path}: {}", answer.body);
        assert!(answer.body.contains("The queue cannot be used at the moment"), "{}", answer.body);
        assert_eq!(answer.header("set-cookie"), None);
    }
    assert_eq!(browse(&one, "/login", "", Some(&format!("token={TOKEN}"))).status, 503);
    server.control(&["start"]);
    assert!(form(&browse(&other, "/mirrors/m0", &second, None)).is_some());

    // With its token, it ends where that is known.
    until_it_writes(&other);
    configure(&envs[1], &with("another"));
    other.signal(Signal::HUP);
    other.until_log_says("the configuration was read again");
    assert!(form(&browse(&other, "/mirrors/m0", &second, None)).is_none());
    assert!(form(&browse(&one, "/mirrors/m0", &second, None)).is_some());
    // A daemon that is new knows it too.
    one.kill();
    let one = Program::start(&envs[0]);
    assert!(form(&browse(&one, "/mirrors/m0", &second, None)).is_some());
}

/// Nobody asks for it any more, and it does not stay for ever.
#[test]
fn what_has_been_over_for_long_is_removed() {
    let Some(server) = shared() else { return };
    let address = server.schema();
    drop(PostgresStore::open(&PostgresOptions::at(&address)).unwrap());
    let mut client = postgres::Client::connect(&address, postgres::NoTls).unwrap();
    client.batch_execute("INSERT INTO session VALUES ('old', 'x', 'x', 0, 0)").unwrap();
    let env = TestEnv::new();
    configure(&env, &format!("queue.store = {address:?}\n"));
    let program = Program::start(&env);
    let begin = Instant::now();
    while client.query_opt("SELECT FROM session", &[]).unwrap().is_some() {
        assert!(begin.elapsed() < LONG, "{}", program.log());
        thread::sleep(Duration::from_millis(50));
    }
}
