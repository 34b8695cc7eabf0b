//! Every page: what it says, that it is sound, and that no name gets out of its place.

use std::fmt::Write as _;

use synchroniser::daemon::web::{Read, WebOptions, WebSettings, served};

use super::client::{Web, options, request};
use super::html::{elements, judge};
use crate::support::fake_service::{FakeService, HOSTILE, Shown, ago, good, world};

/// The hash of a file changes with it.
fn without_hashes(text: &str) -> String {
    let mut parts = text.split("/assets/");
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        let mut dots = part.splitn(3, '.');
        let (stem, rest) = (dots.next().unwrap(), dots.nth(1).unwrap());
        shown.push_str(&format!("/assets/{stem}.HASH.{rest}"));
    }
    shown
}

/// A page with a line for each element, so that differences can be read.
fn lines(page: &str) -> String {
    without_hashes(page).replace("><", ">\n<")
}

fn hostile_path(name: &str) -> String {
    let mut path = "/mirrors/".to_owned();
    for byte in name.bytes() {
        write!(path, "%{byte:02X}").unwrap();
    }
    path
}

/// Every page that there is, and the parts of the world that each shows.
fn all_pages() -> Vec<String> {
    let mut pages: Vec<_> = [
        "/",
        "/?state=failing",
        "/?q=nothing",
        "/?state=good&owner=alice&q=o",
        "/queue",
        "/deliveries",
        "/deliveries?before=3",
        "/api",
        "/about",
        "/login",
        "/login?next=/queue",
        "/runs/00000000000000000000000000000001",
        "/runs/00000000000000000000000000000005",
        "/runs/000000000000000000000000000000ff",
        "/runs/nothing",
        "/mirrors/nothing",
        "/nothing",
        "/?state=nothing",
    ]
    .map(str::to_owned)
    .to_vec();
    let states =
        ["parked", "failing", "partial", "stale", "paused", "running", "queued", "new", "good"];
    pages.extend(states.map(|state| format!("/mirrors/{state}")));
    pages.extend(HOSTILE.map(hostile_path));
    pages
}

#[test]
fn every_page_is_sound_and_usable() {
    let web = Web::open();
    let cookie = web.log_in("token-of-admin");
    for address in all_pages() {
        for headers in [vec![], vec![("cookie", cookie.as_str())]] {
            let answer = web.ask(request("GET", &address, &headers, ""));
            let is_there = !address.contains("nothing") || address.starts_with("/?q=");
            assert_eq!(answer.status == 200, is_there, "{address}: {}", answer.status);
            assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
            judge(&address, &answer.body);
        }
    }
}

#[test]
fn no_name_gets_out_of_its_place() {
    let web = Web::open();
    for address in all_pages() {
        let page = web.get(&address).body;
        assert!(!page.contains("<script>"), "{address}");
        let steers =
            |c: &char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c) || *c == '\u{200b}';
        assert_eq!(page.chars().find(steers), None, "{address}");
    }
    let page = web.get(&hostile_path(HOSTILE[1])).body;
    assert!(page.contains(r"user\u{202e}nimda\u{200b}"), "the name is not shown as it is");
}

#[test]
fn the_pages_as_they_are() {
    let web = Web::open();
    let cookie = web.log_in("token-of-admin");
    for (name, address) in [
        ("mirrors", "/"),
        ("parked", "/mirrors/parked"),
        ("good", "/mirrors/good"),
        ("run", "/runs/000000000000000000000000000000ff"),
        ("running", "/runs/00000000000000000000000000000005"),
        ("deliveries", "/deliveries"),
        ("queue", "/queue"),
        ("api", "/api"),
        ("about", "/about"),
        ("login", "/login"),
        ("not_found", "/nothing"),
    ] {
        let page = web.ask(request("GET", address, &[("cookie", &cookie)], "")).body;
        let form = elements(&page)
            .iter()
            .find(|it| it.get("name") == Some("form"))
            .and_then(|it| it.get("value").map(str::to_owned));
        let page = form.map_or(page.clone(), |value| page.replace(&value, "FORM"));
        insta::assert_snapshot!(name, lines(&page));
    }
}

#[test]
fn a_page_says_when_the_schedule_stands_still() {
    let web = Web::open();
    let banner = "Out of date.";
    assert!(!web.get("/").body.contains(banner));
    web.service.shown().beat = ago(59);
    assert!(!web.get("/").body.contains(banner));
    web.service.shown().beat = ago(300);
    for address in ["/", "/queue", "/mirrors/good"] {
        let page = web.get(address).body;
        assert!(page.contains(banner) && page.contains("last moved 5 minutes ago"), "{address}");
    }
    web.service.shown().stopping = true;
    assert!(web.get("/").body.contains("Stopping."));
}

#[test]
fn a_service_without_mirrors_says_how_to_begin() {
    let web = Web::new(FakeService::new(Shown::default()), options(Read::Open));
    let page = web.get("/").body;
    judge("/", &page);
    assert!(page.contains("No mirror is configured yet."), "{page}");
}

#[test]
fn a_queue_that_cannot_be_used_is_told() {
    let web = Web::open();
    web.service.shown().broken = true;
    for address in ["/", "/queue", "/mirrors/good", "/api/v1/mirrors", "/feed.atom"] {
        let answer = web.get(address);
        assert_eq!((answer.status, answer.header("retry-after")), (503, "60"), "{address}");
        assert!(answer.body.contains("The queue cannot be used at the moment"), "{address}");
    }
}

/// Follows the links from page to page.
#[test]
fn long_lists_are_shown_page_by_page() {
    let mirrors = (0..250).map(|number| good(&format!("mirror {number:03}"))).collect();
    let web =
        Web::new(FakeService::new(Shown { mirrors, ..Shown::default() }), options(Read::Open));
    let (mut address, mut names) = (Some("/?owner=alice".to_owned()), Vec::new());
    while let Some(this) = address {
        let page = web.get(&this).body;
        judge(&this, &page);
        let elements = elements(&page);
        let rows =
            elements.iter().filter(|it| it.name == "a" && it.around.iter().any(|it| it == "th"));
        let rows = rows.filter(|it| it.get("href").unwrap().starts_with("/mirrors/"));
        let before = names.len();
        names.extend(rows.map(|it| it.text.clone()));
        assert!(names.len() <= before + 100);
        let next = elements.iter().find(|it| it.get("rel") == Some("next"));
        address = next.map(|it| it.get("href").unwrap().to_owned());
        assert!(address.as_ref().is_none_or(|it| it.contains("owner=alice")), "{address:?}");
    }
    let expected: Vec<_> = (0..250).map(|number| format!("mirror {number:03}")).collect();
    assert_eq!(names, expected);
}

#[test]
fn every_answer_has_the_headers_that_protect_it() {
    let web = Web::open();
    let mut addresses = all_pages();
    addresses
        .extend(served().map(|it| it.path.replace("{name}", "good").replace("{id}", "nothing")));
    for address in addresses.iter().filter(|it| !it.ends_with("/events")) {
        for method in ["GET", "HEAD", "POST", "DELETE"] {
            let answer = web.ask(request(method, address, &[], ""));
            let what = format!("{method} {address}");
            let policy = answer.header("content-security-policy");
            assert!(
                policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self'"),
                "{what}"
            );
            assert!(policy.contains("frame-ancestors 'none'"), "{what}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
            assert_eq!(answer.header("referrer-policy"), "no-referrer", "{what}");
            let kept = answer.header("cache-control");
            assert!(kept == "no-store" || address.starts_with("/assets/"), "{what}: {kept}");
        }
    }
}

#[test]
fn files_keep_their_names_until_they_change() {
    let web = Web::open();
    let page = web.get("/").body;
    let elements = elements(&page);
    let files = elements.iter().filter_map(|it| it.get("href").or(it.get("src")));
    let files: Vec<_> = files.filter(|it| it.starts_with("/assets/")).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in files {
        let answer = web.get(file);
        assert_eq!(answer.status, 200, "{file}");
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
        assert!(!answer.body.is_empty());
        let other = file.replacen(|c: char| c.is_ascii_digit(), "x", 1);
        assert_eq!(web.get(&other).status, 404, "{other}");
    }
    assert!(page.contains("/assets/parked."), "the icon is not that of the worst state");
}

#[test]
fn badges_tell_the_state_and_how_far_behind() {
    let web = Web::open();
    let picture = web.get("/badge/parked.svg?label=%3Cb%3E%26");
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    let elements = elements(&picture.body);
    assert_eq!(elements[0].get("aria-label"), Some("<b>&: parked, 12 behind"));
    insta::assert_snapshot!("badge", picture.body);
    assert_eq!(web.get("/badge/parked.txt").body, "parked\n");
    let shield = web.get("/badge/good.json").json();
    assert_eq!(
        shield,
        serde_json::json!({
            "schemaVersion": 1, "label": "mirror", "message": "good", "color": "#1a7f37", "isError": false,
        })
    );
    assert_eq!(web.get("/badge/nothing.svg").status, 404);
}

#[test]
fn the_feed_has_failures_and_recoveries_once() {
    let web = Web::new(
        world(),
        WebOptions {
            settings: WebSettings {
                public_url: Some("https://mirrors.example.org/".to_owned()),
                ..WebSettings::default()
            },
            ..options(Read::Open)
        },
    );
    let answer = web.get("/feed.atom");
    assert_eq!(answer.header("content-type"), "application/atom+xml; charset=utf-8");
    let elements = elements(&answer.body);
    let titles = elements.iter().filter(|it| it.name == "title" && it.around.len() == 2);
    let titles: Vec<_> = titles.map(|it| it.text.as_str()).collect();
    // Of good: well, refused, failed, interrupted, under way, waiting. Only the first trouble is told.
    assert_eq!(
        titles,
        ["good: some refs were refused", "<script>alert(1)</script> failed on this machine"]
    );
    insta::assert_snapshot!("feed", lines(&answer.body));
    for address in ["/feed/good.atom", "/feed/new.atom"] {
        assert_eq!(web.get(address).status, 200);
    }
    assert_eq!(web.get("/feed/nothing.atom").status, 404);
}
