//! The API: answers as the `OpenAPI` document describes them, pages of lists, versions, problems.

use serde_json::Value;
use synchroniser::daemon::web::{Read, openapi, served};
use synchroniser::queue::model::{RunId, RunState};

use super::client::{Answer, Web, options, request};
use super::schema::problems;
use crate::support::fake_service::{FakeService, Shown, good, run};

fn document() -> Value {
    serde_json::from_str(&openapi()).unwrap()
}

/// Panics unless the document describes `answer`.
fn described(document: &Value, method: &str, path: &str, answer: &Answer) {
    let operation = &document["paths"][path][method.to_lowercase()];
    let answers = operation["responses"].as_object().unwrap_or_else(|| panic!("{method} {path}"));
    let described = answers.get(&answer.status.to_string());
    let described = described.unwrap_or_else(|| panic!("{method} {path}: {}", answer.status));
    let named = described["$ref"].as_str().map(|name| name.strip_prefix('#').unwrap());
    let described = named.map_or(described, |name| document.pointer(name).unwrap());
    for (name, _) in described["headers"].as_object().into_iter().flatten() {
        assert_ne!(answer.header(name), "", "{method} {path}: {} without {name}", answer.status);
    }
    let Some(contents) = described["content"].as_object() else {
        assert_eq!(answer.body, "", "{method} {path}");
        return;
    };
    let sent = answer.header("content-type").split(';').next().unwrap();
    let content = contents.get(sent).unwrap_or_else(|| panic!("{method} {path}: {sent}"));
    if sent.ends_with("json") {
        let wrong = problems(document, &content["schema"], &answer.json());
        assert!(wrong.is_empty(), "{method} {path}: {wrong:#?}");
    }
}

#[test]
fn every_answer_is_described() {
    let (web, document) = (Web::open(), document());
    for route in served().filter(|it| !document["paths"][it.path].is_null()) {
        if route.path.ends_with("/events") {
            continue;
        }
        for (name, id) in [
            ("good", "00000000000000000000000000000001"),
            ("running", "00000000000000000000000000000005"),
            ("parked", "000000000000000000000000000000ff"),
            ("new", "00000000000000000000000000000006"),
            ("none", "none"),
        ] {
            let address = route.path.replace("{name}", name).replace("{id}", id);
            for query in ["", "?count=2", "?count=0", "?state=x", "?before=x", "?wait=x"] {
                let answer = web.with("token-of-admin", route.method, &format!("{address}{query}"));
                described(&document, route.method, route.path, &answer);
                assert!(answer.status < 500);
            }
            // From elsewhere, since nobody may guess often.
            let mut unknown = request(route.method, &address, &[("authorization", "Bearer x")], "");
            unknown.from = [192, 0, 2, 1].into();
            let answer = web.ask(unknown);
            assert!([401, 429].contains(&answer.status));
            described(&document, route.method, route.path, &answer);
        }
    }
    web.service.shown().broken = true;
    for path in ["/api/v1/mirrors", "/api/v1/queue", "/api/v1/overview"] {
        described(&document, "GET", path, &web.get(path));
    }
}

#[test]
fn every_line_of_the_table_answers_and_takes_no_other_method() {
    let web = Web::open();
    let cookie = web.log_in("token-of-admin");
    for route in served().filter(|it| !it.path.ends_with("/events")) {
        let run = "00000000000000000000000000000001";
        let asset = web
            .get("/")
            .body
            .split("/assets/")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap()
            .to_owned();
        let address =
            route.path.replace("{id}", run).replace("/assets/{name}", &format!("/assets/{asset}"));
        let address = address.replace("{name}", "good");
        let token = ("authorization", "Bearer token-of-admin");
        let (header, body) = match route.path.starts_with("/api/") || route.method == "GET" {
            true => (token, String::new()),
            false => (("cookie", cookie.as_str()), "form=0".to_owned()),
        };
        let answer = web.ask(request(route.method, &address, &[header], &body));
        assert!(
            ![404, 405].contains(&answer.status),
            "{} {address}: {}",
            route.method,
            answer.status
        );
        let answer = web.ask(request("PATCH", &address, &[header], ""));
        assert_eq!(answer.status, 405, "{address}");
        let allow = if route.method == "GET" { "GET, HEAD" } else { route.method };
        assert!(answer.header("allow").contains(allow), "{address}: {}", answer.header("allow"));
    }
    assert_eq!(web.get("/api/v1/none").header("content-type"), "application/problem+json");
}

#[test]
fn what_is_asked_for_is_done() {
    let web = Web::open();
    let answer = web.with("token-to-trigger", "POST", "/api/v1/mirrors/good/sync");
    assert_eq!(answer.status, 202);
    let id = RunId(0x51);
    assert_eq!(answer.json(), serde_json::json!({ "mirror": "good", "run": id, "folded": false }));
    assert_eq!(answer.header("location"), format!("/api/v1/runs/{id}"));
    for (what, status) in [("retry", 202), ("pause", 204), ("resume", 204)] {
        let answer = web.with("token-of-admin", "POST", &format!("/api/v1/mirrors/good/{what}"));
        assert_eq!(answer.status, status, "{what}");
    }
    assert_eq!(web.service.shown().asked, ["sync good", "retry good", "pause good", "resume good"]);
    let answer = web.with("token-of-admin", "POST", "/api/v1/mirrors/none/sync");
    assert_eq!(answer.status, 404);
    insta::assert_snapshot!(answer.body, @r#"{"detail":"No mirror has this name.","status":404,"title":"Not found","type":"about:blank"}"#);
    web.service.shown().stopping = true;
    let answer = web.with("token-of-admin", "POST", "/api/v1/mirrors/good/sync");
    assert_eq!((answer.status, answer.header("retry-after")), (503, "60"));
}

#[test]
fn names_with_slashes_are_one_part_of_a_path() {
    let mirrors = vec![good("bitbucket.org/ö/a b")];
    let web =
        Web::new(FakeService::new(Shown { mirrors, ..Shown::default() }), options(Read::Open));
    let path = "/mirrors/bitbucket.org%2F%C3%B6%2Fa%20b";
    assert!(web.get("/").body.contains(path));
    assert_eq!(web.get(path).status, 200);
    let answer = web.get(&format!("/api/v1{path}"));
    assert_eq!(answer.json()["name"], "bitbucket.org/ö/a b");
    assert_eq!(web.with("token-of-admin", "POST", &format!("/api/v1{path}/sync")).status, 202);
}

/// The items of all pages, and how many there were on each.
fn follow(web: &Web, first: &str, list: &str, name: &str) -> (Vec<String>, Vec<usize>) {
    let (mut address, mut items, mut sizes) = (Some(first.to_owned()), Vec::new(), Vec::new());
    while let Some(this) = address {
        let answer = web.get(&this);
        let body = answer.json();
        let these = body[list].as_array().unwrap();
        sizes.push(these.len());
        items.extend(these.iter().map(|item| item[name].to_string()));
        let link = answer.header("link");
        assert_eq!(link.is_empty(), body["next"].is_null(), "{this}");
        let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        address = next.map(str::to_owned);
    }
    (items, sizes)
}

#[test]
fn lists_come_page_by_page() {
    let mirrors = (0..25).map(|number| good(&format!("m&{number:02}"))).collect();
    let runs = (0..25).rev().map(|id| run(id, "m&00", RunState::Done, 0)).collect();
    let web = Web::new(
        FakeService::new(Shown { mirrors, runs, ..Shown::default() }),
        options(Read::Open),
    );
    let (names, sizes) =
        follow(&web, "/api/v1/mirrors?count=10&owner=alice&q=m%26", "mirrors", "name");
    assert_eq!(names, (0..25).map(|number| format!("\"m&{number:02}\"")).collect::<Vec<_>>());
    assert_eq!(sizes, [10, 10, 5]);
    let (ids, sizes) = follow(&web, "/api/v1/runs?mirror=m%2600&count=5", "runs", "id");
    assert_eq!(ids, (0..25).rev().map(|id| format!("\"{id:032x}\"")).collect::<Vec<_>>());
    assert_eq!(sizes, [5; 5]);
    let web = Web::open();
    let (numbers, sizes) = follow(&web, "/api/v1/deliveries?count=4", "deliveries", "number");
    assert_eq!((numbers.join(" ").as_str(), sizes.as_slice()), ("6 5 4 3 2 1", [4, 2].as_slice()));
}

#[test]
fn what_the_client_has_is_not_sent_again() {
    let web = Web::open();
    for address in ["/api/v1/mirrors", "/api/v1/mirrors/good", "/badge/good.svg", "/feed.atom"] {
        let answer = web.get(address);
        let version = answer.header("etag").to_owned();
        assert!(version.starts_with('"') && version.len() > 10, "{address}: {version}");
        for known in [version.clone(), format!("\"other\", W/{version}"), "*".to_owned()] {
            let again = web.ask(request("GET", address, &[("if-none-match", &known)], ""));
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{address} {known}");
            assert_eq!(again.header("etag"), version);
        }
        let other = web.ask(request("GET", address, &[("if-none-match", "\"other\"")], ""));
        assert_eq!(other.status, 200);
    }
    let before = web.get("/api/v1/mirrors/good").header("etag").to_owned();
    web.service.shown().mirrors[0].summary.lag = Some(99);
    assert_eq!(web.get("/api/v1/mirrors/good").header("etag"), before);
    assert_ne!(web.get("/api/v1/mirrors").header("etag"), "");
}

/// With ten thousand mirrors, which are searched, counted and shown.
#[test]
#[ignore = "measures"]
fn ten_thousand_mirrors_are_shown_at_once() {
    let mirrors = (0..10_000).map(|number| good(&format!("mirror-{number:05}"))).collect();
    let web =
        Web::new(FakeService::new(Shown { mirrors, ..Shown::default() }), options(Read::Open));
    for address in
        ["/", "/?q=mirror-09&owner=alice", "/?after=mirror-09800", "/api/v1/mirrors?count=1000"]
    {
        let mut slowest = std::time::Duration::ZERO;
        for _ in 0..20 {
            let began = std::time::Instant::now();
            let answer = web.get(address);
            slowest = slowest.max(began.elapsed());
            assert_eq!(answer.status, 200);
        }
        eprintln!("{address}: {slowest:?}, {} bytes", web.get(address).body.len());
        assert!(slowest < std::time::Duration::from_millis(200), "{address}: {slowest:?}");
    }
}
