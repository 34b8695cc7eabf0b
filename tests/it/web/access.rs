//! Who may look and who may ask.

use sha2::{Digest as _, Sha256};
use synchroniser::base::hex;
use synchroniser::daemon::web::{Read, WebAccess, WebOptions, WebSettings, served};
use synchroniser::queue::Session;
use synchroniser::service::view::Actions as _;

use super::client::{TOKENS, Web, access, options, request};
use super::html::elements;
use crate::support::fake_service::world;

/// What is answered to everybody: it says nothing of mirrors.
const FOR_ALL: [&str; 5] = ["/api", "/login", "/logout", "/assets/{name}", "/api/v1/openapi.json"];
/// What whoever has a token sees.
const FOR_TOKENS: [&str; 2] = ["/runs/{id}", "/api/v1/runs/{id}"];

fn example(path: &str) -> String {
    let path = path.replace("{name}", "good").replace("{id}", "00000000000000000000000000000001");
    if path == "/assets/good" { "/assets/none".to_owned() } else { path }
}

/// Whether who has `token` may do it, as the documents say.
fn may(method: &str, path: &str, token: Option<&str>, read: Read) -> bool {
    let is_admin = token == Some("token-of-admin");
    if FOR_ALL.contains(&path) || is_admin {
        return true;
    }
    let may_trigger = token == Some("token-to-trigger");
    if method == "POST" {
        return may_trigger && (path.ends_with("/sync") || path.ends_with("/retry"));
    }
    let may_read = read == Read::Open || token == Some("token-to-read");
    may_read || (token.is_some() && FOR_TOKENS.contains(&path))
}

#[test]
fn each_token_opens_what_it_is_for() {
    for read in [Read::Open, Read::Token] {
        let web = Web::new(world(), options(read));
        let tokens = TOKENS.iter().map(|(token, _)| Some(*token)).chain([None]);
        for (token, route) in tokens.flat_map(|token| served().map(move |route| (token, route))) {
            // Pages are used with a session, see below, and streams have no end.
            let is_api = route.path.starts_with("/api/");
            if route.path.ends_with("/events") || (route.method == "POST" && !is_api) {
                continue;
            }
            let header = token.map(|token| format!("Bearer {token}"));
            let headers: Vec<_> =
                header.iter().map(|value| ("authorization", value.as_str())).collect();
            let answer = web.ask(request(route.method, &example(route.path), &headers, ""));
            let what =
                format!("{read:?} {token:?} {} {}: {}", route.method, route.path, answer.status);
            let is_page = !is_api && !route.path.contains('.') && route.path != "/assets/{name}";
            match (may(route.method, route.path, token, read), token, is_page) {
                (true, ..) => assert!(![401, 403, 303, 405].contains(&answer.status), "{what}"),
                (false, Some(_), _) => assert_eq!(answer.status, 403, "{what}"),
                (false, None, true) => {
                    assert_eq!(answer.status, 303, "{what}");
                    assert!(answer.header("location").starts_with("/login"), "{what}");
                }
                (false, None, false) => {
                    assert_eq!(answer.status, 401, "{what}");
                    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
                }
            }
        }
    }
}

/// Who has no token gets the same answers whatever mirrors there are.
#[test]
fn nobody_learns_which_mirrors_there_are() {
    let web = Web::new(world(), options(Read::Token));
    for path in ["/mirrors/NAME", "/badge/NAME.svg", "/feed/NAME.atom", "/api/v1/mirrors/NAME"] {
        let [one, other] = ["good", "absent"].map(|name| {
            let answer = web.get(&path.replace("NAME", name));
            let location = answer.header("location").replace(name, "NAME");
            (answer.status, location, answer.body.replace(name, "NAME"))
        });
        assert_eq!(one, other, "{path}");
    }
    for path in ["/api/v1/mirrors/NAME/sync", "/api/v1/mirrors/NAME/pause", "/mirrors/NAME/sync"] {
        let [one, other] = ["good", "absent"].map(|name| {
            let answer = web.ask(request("POST", &path.replace("NAME", name), &[], ""));
            (answer.status, answer.body)
        });
        assert_eq!(one, other, "{path}");
    }
    assert!(web.service.shown().asked.is_empty());
}

#[test]
fn tokens_that_are_not_known_open_nothing() {
    let web = Web::open();
    for header in ["Bearer wrong", "Bearer ", "Basic dG9rZW46eA==", "token-of-admin"] {
        for address in ["/", "/api/v1/mirrors"] {
            let answer = web.ask(request("GET", address, &[("authorization", header)], ""));
            assert_eq!(answer.status, 401, "{header} {address}");
        }
    }
    let nobody =
        Web::new(world(), WebOptions { access: WebAccess::default(), ..options(Read::Token) });
    assert_eq!(nobody.with("token-of-admin", "GET", "/api/v1/mirrors").status, 401);
}

const SAME_ORIGIN: (&str, &str) = ("sec-fetch-site", "same-origin");

/// The value that forms of this session have.
fn form_of(web: &Web, cookie: &str) -> String {
    let page = web.ask(request("GET", "/mirrors/good", &[("cookie", cookie)], "")).body;
    let elements = elements(&page);
    let field = elements.iter().find(|it| it.get("name") == Some("form")).unwrap();
    format!("form={}", field.get("value").unwrap())
}

#[test]
fn buttons_ask_for_what_they_say() {
    let web = Web::open();
    let cookie = web.log_in("token-of-admin");
    let form = form_of(&web, &cookie);
    for (path, location, asked) in [
        ("/mirrors/good/sync", "/runs/00000000000000000000000000000051", "sync good"),
        ("/mirrors/parked/retry", "/runs/00000000000000000000000000000052", "retry parked"),
        ("/mirrors/good/pause", "/mirrors/good", "pause good"),
        ("/mirrors/paused/resume", "/mirrors/paused", "resume paused"),
    ] {
        let answer = web.ask(request("POST", path, &[("cookie", &cookie), SAME_ORIGIN], &form));
        assert_eq!((answer.status, answer.header("location")), (303, location), "{path}");
        assert_eq!(web.service.shown().asked.pop().as_deref(), Some(asked));
        assert_eq!(web.ask(request("GET", path, &[("cookie", &cookie)], "")).status, 405, "{path}");
    }
    let unknown =
        web.ask(request("POST", "/mirrors/none/sync", &[("cookie", &cookie), SAME_ORIGIN], &form));
    assert_eq!(unknown.status, 404);
}

#[test]
fn forms_of_others_change_nothing() {
    let web = Web::open();
    let cookie = web.log_in("token-of-admin");
    let cookie = ("cookie", cookie.as_str());
    let form = form_of(&web, cookie.1);
    let own = ("origin", "http://localhost:8377");
    let foreign = ("origin", "https://example.org");
    for (headers, body, status) in [
        (vec![cookie, SAME_ORIGIN], form.as_str(), 303),
        (vec![cookie, own], form.as_str(), 303),
        (vec![cookie, ("sec-fetch-site", "cross-site"), own], form.as_str(), 403),
        (vec![cookie, ("sec-fetch-site", "same-site")], form.as_str(), 403),
        (vec![cookie, ("sec-fetch-site", "none")], form.as_str(), 403),
        (vec![cookie, foreign], form.as_str(), 403),
        (vec![cookie, ("origin", "null")], form.as_str(), 403),
        (vec![cookie], form.as_str(), 403),
        (vec![cookie, SAME_ORIGIN], "form=00", 403),
        (vec![cookie, SAME_ORIGIN], "", 403),
        (vec![SAME_ORIGIN], form.as_str(), 303),
    ] {
        web.service.shown().asked.clear();
        let answer = web.ask(request("POST", "/mirrors/good/sync", &headers, body));
        assert_eq!(answer.status, status, "{headers:?} {body}");
        let is_login = answer.header("location") == "/login";
        let is_asked = status == 303 && !is_login;
        assert_eq!(web.service.shown().asked.is_empty(), !is_asked, "{headers:?} {body}");
    }
    // The API takes no cookies for what changes something.
    let answer =
        web.ask(request("POST", "/api/v1/mirrors/good/sync", &[cookie, SAME_ORIGIN], &form));
    assert_eq!(answer.status, 401);
    let answer = web.ask(request("GET", "/api/v1/mirrors/good", &[cookie], ""));
    assert_eq!(answer.status, 200);
}

#[test]
fn sessions_end() {
    let web = Web::new(world(), options(Read::Token));
    let sees = |cookie: &str| web.ask(request("GET", "/", &[("cookie", cookie)], "")).status == 200;
    let cookie = web.log_in("token-to-read");
    assert!(sees(&cookie) && !sees("synchroniser=00") && !sees("synchroniser="));

    let form = format!("token=&{}", form_of(&web, &cookie));
    let headers = [("cookie", cookie.as_str()), SAME_ORIGIN];
    let answer = web.ask(request("POST", "/logout", &headers, &form));
    assert!(answer.header("set-cookie").contains("Max-Age=0"));
    assert!(!sees(&cookie), "logged out");

    let cookie = web.log_in("token-to-read");
    web.clock.pass(12 * 3600 - 1);
    assert!(sees(&cookie));
    web.clock.pass(1);
    assert!(!sees(&cookie), "half a day is over");

    let cookie = web.log_in("token-to-read");
    let mut rules = access(Read::Token);
    rules.tokens.retain(|token| token.name != "token-to-read");
    web.state.set_access(rules);
    assert!(!sees(&cookie), "the token is gone");
    web.state.set_access(access(Read::Token));
    assert!(sees(&cookie), "and is there again");
    let mut rules = access(Read::Token);
    for token in rules.tokens.iter_mut().filter(|token| token.name == "token-to-read") {
        token.sha256 = [7; 32];
    }
    web.state.set_access(rules);
    assert!(!sees(&cookie), "the token is another one, by the same name");
}

/// What is kept of a session makes none, and who logs in again and again gets no more than others have.
#[test]
fn a_session_is_kept_as_hashes_and_a_token_has_so_many() {
    let web = Web::new(world(), options(Read::Token));
    let sees = |cookie: &str| web.ask(request("GET", "/", &[("cookie", cookie)], "")).status == 200;
    let first = web.log_in("token-to-read");
    let id = first.split_once('=').unwrap().1;
    let kept = web.service.sessions().find(&Sha256::digest(id).into()).unwrap().unwrap();
    let token: [u8; 32] = Sha256::digest("token-to-read").into();
    for hash in [kept.id, kept.holder, kept.proof] {
        assert_ne!(hash, token);
        let digits = hex::encode(&hash);
        assert!(!sees(&format!("synchroniser={digits}")));
        assert!(!sees(&format!("synchroniser={}", &digits[..32])));
    }
    let form = form_of(&web, &first);
    assert!(!form.contains(id), "the form of a page does not tell the id");
    let other = web.log_in("token-of-admin");
    // Somebody who can write where sessions are kept does not get one of another token by that.
    let forged = Session { proof: kept.proof, ..kept.clone() };
    let stolen = other.split_once('=').unwrap().1;
    web.service.sessions().close(&Sha256::digest(stolen).into()).unwrap();
    let forged = Session { id: Sha256::digest(stolen).into(), ..forged };
    web.service.sessions().open(&forged, 1000).unwrap();
    assert!(!sees(&other), "a proof is of one id");
    for _ in 0..100 {
        web.clock.pass(1);
        web.log_in("token-to-read");
    }
    assert!(!sees(&first), "the one that was used longest ago");
}

/// That sessions cannot be asked for says nothing of who is logged in.
#[test]
fn while_the_queue_is_away_nobody_is_sent_to_log_in() {
    let web = Web::new(world(), options(Read::Token));
    let cookie = web.log_in("token-of-admin");
    let form = form_of(&web, &cookie);
    web.service.shown().broken = true;
    let headers = [("cookie", cookie.as_str()), SAME_ORIGIN];
    for (method, path, body) in [
        ("GET", "/", ""),
        ("GET", "/login", ""),
        ("GET", "/feed.atom", ""),
        ("GET", "/api/v1/mirrors", ""),
        ("POST", "/login", "token=token-to-read"),
        ("POST", "/logout", &form),
        ("POST", "/mirrors/good/sync", &form),
    ] {
        let answer = web.ask(request(method, path, &headers, body));
        assert_eq!(answer.status, 503, "{method} {path}");
        assert!(answer.body.contains("The queue cannot be used"), "{path}: {}", answer.body);
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
    // What is everybody's needs no session.
    let style = web.get("/login").body;
    let style = style.split('"').find(|part| part.starts_with("/assets/")).unwrap().to_owned();
    assert_eq!(web.ask(request("GET", &style, &headers, "")).status, 200);
    web.service.shown().broken = false;
    assert_eq!(web.ask(request("GET", "/", &headers, "")).status, 200);
    assert_eq!(web.ask(request("POST", "/mirrors/good/sync", &headers, &form)).status, 303);
}

#[test]
fn cookies_are_for_browsers_alone_and_encrypted_away_from_here() {
    let web = Web::open();
    let log_in = |host: &str, origin: &str, body: &str| {
        let headers = [("host", host), ("origin", origin)];
        let mut request = request("POST", "/login", &headers, body);
        request.headers.remove("host");
        request.headers.insert("host", host.parse().unwrap());
        web.ask(request)
    };
    let body = "token=token-to-read&next=/queue";
    let here = log_in("127.0.0.1:8377", "http://127.0.0.1:8377", body);
    assert_eq!((here.status, here.header("location")), (303, "/queue"));
    let cookie = here.header("set-cookie");
    assert!(cookie.starts_with("synchroniser=") && !cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");

    let away = log_in("mirrors.example.org", "https://mirrors.example.org", body);
    let cookie = away.header("set-cookie");
    assert!(cookie.starts_with("__Host-synchroniser=") && cookie.ends_with("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/; ") && !cookie.contains("Domain"), "{cookie}");

    let plain = log_in("mirrors.example.org", "http://mirrors.example.org", body);
    assert_eq!((plain.status, plain.header("set-cookie")), (422, ""));
    assert!(plain.body.contains("The connection is not encrypted"));
    let wrong = log_in("localhost", "http://localhost", "token=wrong");
    assert_eq!((wrong.status, wrong.header("set-cookie")), (422, ""));
    assert!(
        wrong.body.contains("This token is not known.") && !wrong.body.contains("wrong\" value")
    );
    let elsewhere =
        log_in("localhost", "http://localhost", "token=token-to-read&next=//example.org");
    assert_eq!(elsewhere.header("location"), "/");
}

/// Whoever has a name of his own lead to our address reads nothing.
#[test]
fn pages_answer_to_their_own_name() {
    let settings = WebSettings {
        public_url: Some("https://mirrors.example.org/".to_owned()),
        ..WebSettings::default()
    };
    let named = Web::new(world(), WebOptions { settings, ..options(Read::Open) });
    let nameless = Web::open();
    let ask = |web: &Web, host: &str, path: &str| {
        let mut request = request("GET", path, &[], "");
        request.headers.insert("host", host.parse().unwrap());
        web.ask(request).status
    };
    for (host, status) in [
        ("mirrors.example.org", 200),
        ("Mirrors.Example.org.:8443", 200),
        ("localhost:8377", 200),
        ("127.0.0.1:8377", 200),
        ("[2001:db8::1]:8377", 200),
        ("192.0.2.1", 200),
        ("evil.example", 421),
        ("mirrors.example.org.evil.example:8377", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example", 421),
        ("", 421),
    ] {
        for path in ["/", "/api/v1/mirrors", "/badge/good.svg"] {
            assert_eq!(ask(&named, host, path), status, "{host} {path}");
            assert_eq!(ask(&nameless, host, path), 200, "{host} {path}");
        }
    }
}

/// The form and the header are guessed at their own rates, by each sender for itself.
#[test]
fn guessing_tokens_takes_its_time() {
    let web = Web::new(world(), options(Read::Token));
    let from = |address: &str, mut request: synchroniser::daemon::web::Request| {
        request.from = address.parse().unwrap();
        web.ask(request)
    };
    let form = |address: &str, token: &str| {
        from(address, request("POST", "/login", &[SAME_ORIGIN], &format!("token={token}")))
    };
    let header = |address: &str, token: &str| {
        let sent = [("authorization", format!("Bearer {token}"))];
        let sent = sent.each_ref().map(|(name, value)| (*name, value.as_str()));
        from(address, request("GET", "/api/v1/mirrors", &sent, ""))
    };
    let eve = "192.0.2.66";
    let session = web.log_in("token-to-read");
    for number in 0..10 {
        assert_eq!(form(eve, &format!("guess-{number}")).status, 422);
    }
    for token in ["guess-10", "token-of-admin"] {
        let answer = form(eve, token);
        assert_eq!((answer.status, answer.header("retry-after")), (429, "7"), "{token}");
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.body.contains("Too many tokens"), "{}", answer.body);
    }
    assert_eq!(header(eve, "token-to-read").status, 200, "a program at the same address");
    assert_eq!(form("192.0.2.67", "token-to-read").status, 303, "somebody else");
    for number in 0..60 {
        assert_eq!(header(eve, &format!("guess-{number}")).status, 401);
    }
    let answer = header(eve, "token-of-admin");
    assert_eq!((answer.status, answer.header("retry-after")), (429, "2"));
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(header("192.0.2.67", "token-to-read").status, 200);
    // Who is in stays in, wherever he is.
    let kept = from(eve, request("GET", "/", &[("cookie", &session)], ""));
    assert_eq!(kept.status, 200);
    web.clock.pass(7);
    assert_eq!(form(eve, "token-to-read").status, 303);
    assert_eq!(header(eve, "token-to-read").status, 200);
}

#[test]
fn many_who_guess_together_are_slow_too() {
    let web = Web::new(world(), options(Read::Token));
    let form = |number: u32, token: &str| {
        let mut request = request("POST", "/login", &[SAME_ORIGIN], &format!("token={token}"));
        request.from = std::net::Ipv4Addr::from(0xc000_0200 + number).into();
        web.ask(request).status
    };
    let refused = (0..400).filter(|number| form(*number, "guess") == 429).count();
    assert_eq!(refused, 100);
    assert_eq!(form(1000, "token-to-read"), 429);
    web.clock.pass(1);
    assert_eq!(form(1000, "token-to-read"), 303);
}
