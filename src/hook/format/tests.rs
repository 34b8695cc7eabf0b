use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;
use crate::base::testing::every_cut_and_flip;

/// A delivery of `fixtures/hooks`.
struct Fixture {
    format: &'static Format,
    /// `FORMAT/NAME`
    name: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Fixture {
    fn read(path: &Path) -> Self {
        let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let headers = fs::read_to_string(path.with_extension("headers")).unwrap_or_default();
        let headers = headers.lines().map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.as_bytes().to_vec())
        });
        Self {
            format: Format::named(folder).unwrap(),
            name: format!("{folder}/{}", path.file_stem().unwrap().to_str().unwrap()),
            headers: headers.collect(),
            body: fs::read(path).unwrap(),
        }
    }

    fn with<T>(&self, body: &[u8], look: impl Fn(&Delivery<'_>) -> T) -> T {
        let headers: Vec<_> =
            self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        look(&Delivery { headers: &headers, query: "", body })
    }

    fn parse(&self, body: &[u8]) -> Result<Event, PayloadError> {
        self.with(body, |delivery| (self.format.parse)(delivery))
    }
}

fn fixtures() -> Vec<Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks");
    let below = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
    };
    let folders = below(&folder).into_iter().filter(|path| path.is_dir());
    let is_body = |path: &PathBuf| path.extension().is_some_and(|end| end != "headers");
    let mut files: Vec<_> = folders.flat_map(|folder| below(&folder)).filter(is_body).collect();
    files.sort();
    files.iter().map(|path| Fixture::read(path)).collect()
}

/// An event in one line: what kind, whose, where, and the heads.
fn shown(event: &Event) -> String {
    let push = match event {
        Event::Ping => return "ping".to_owned(),
        Event::Other(name) => return format!("other {name}"),
        Event::Push(push) => push,
    };
    let text = |text: &Option<String>| text.clone().unwrap_or("-".to_owned());
    assert!(
        push.path.is_none()
            || text(&push.path) == format!("{}/{}", text(&push.owner), text(&push.slug))
    );
    let heads: Vec<_> = push.heads_hinted.iter().map(|head| head[..6].to_owned()).collect();
    format!(
        "push {} {} {} [{}] [{}]",
        text(&push.mirror),
        text(&push.owner),
        text(&push.slug),
        push.addresses.join(" "),
        heads.join(" ")
    )
}

#[test]
fn formats_have_names_of_their_own() {
    for (place, format) in FORMATS.iter().enumerate() {
        assert_eq!(Format::named(format.name).map(|found| found.title), Some(format.title));
        assert!(FORMATS.iter().skip(place + 1).all(|other| other.name != format.name));
        let offers: Vec<_> = format.offers().collect();
        for (place, offer) in offers.iter().enumerate() {
            assert_eq!(offer.kind.has_header(), !offer.header.is_empty(), "{}", format.name);
            assert_eq!(offer.header, offer.header.to_ascii_lowercase());
            assert!(offers[place + 1..].iter().all(|other| other.kind != offer.kind));
        }
        assert!(offers.iter().any(|offer| offer.kind == SchemeKind::TokenInQuery));
    }
}

#[test]
fn every_format_has_fixtures() {
    let with: BTreeSet<_> = fixtures().iter().map(|fixture| fixture.format.name).collect();
    assert_eq!(with, FORMATS.iter().map(|format| format.name).collect());
}

#[test]
fn what_each_delivery_tells_of() {
    let forge = "push - acme rocket [https://git.example.org/acme/rocket.git \
                 git@git.example.org:acme/rocket.git https://git.example.org/acme/rocket] [3f9c1d]";
    let github = "push - acme rocket [https://github.com/acme/rocket.git \
                  git@github.com:acme/rocket.git https://github.com/acme/rocket] [3f9c1d]";
    let heptapod = |path: &str| {
        let (owner, slug) = path.rsplit_once('/').unwrap();
        format!(
            "push - {owner} {slug} [https://foss.heptapod.net/{path} \
             ssh://hg@foss.heptapod.net/{path}]"
        )
    };
    let expected = [
        ("allura/push", "push - p/rocket code [https://sourceforge.net/p/rocket/code/] [3f9c1d]"),
        (
            "bitbucket_cloud/push",
            "push - ada rocket-core [https://bitbucket.org/ada/rocket-core] [3f9c1d 9a8b7c]",
        ),
        ("bitbucket_dc/ping", "ping"),
        ("bitbucket_dc/push", "push - ACME rocket [] [222222]"),
        (
            "bitbucket_post/push",
            "push - ada rocket-core [https://bitbucket.org/ada/rocket-core] [3f9c1d]",
        ),
        ("bitbucket_post/test-button", "push - ada rocket-core [] []"),
        ("forgejo/push", forge),
        ("gitea/push", forge),
        ("gitea/repository", "other repository"),
        ("github/form", github),
        ("github/ping", "ping"),
        ("github/pull_request", "other pull_request"),
        ("github/push", github),
        ("gitlab/issue", "other issue"),
        ("gitlab/push", &format!("{} [3f9c1d]", heptapod("acme/space/rocket"))),
        ("gitlab/system", &format!("{} []", heptapod("acme/rocket"))),
        ("gitlab/tag", &format!("{} []", heptapod("acme/rocket"))),
        ("gogs/push", forge),
        ("phorge/commit", "push - - - [] []"),
        ("phorge/task", "other TASK"),
        ("phorge/test", "ping"),
        ("rhodecode/comment", "other repo-commit-comment"),
        ("rhodecode/push", "push - acme rocket [https://code.example.org/acme/rocket] [3f9c1d]"),
        ("scm_manager/nothing", "push - - - [] []"),
        ("scm_manager/push", "push - - - [] [3f9c1d]"),
        ("sourcehut/deleted", "other REPO_DELETED"),
        ("sourcehut/graphql", "push - ~ada rocket [] []"),
        ("sourcehut/legacy", "push - - - [] [3f9c1d]"),
        ("synchroniser/address", "push - - - [https://hg.example.org/acme/rocket] []"),
        ("synchroniser/bare", "push - - - [] []"),
        ("synchroniser/mirror", "push rocket - - [] [3f9c1d]"),
        ("synchroniser/path", "push - - - [/srv/hg/rocket] []"),
        ("synchroniser/ping", "ping"),
    ];
    let found: Vec<_> = fixtures()
        .iter()
        .map(|fixture| (fixture.name.clone(), shown(&fixture.parse(&fixture.body).unwrap())))
        .collect();
    let expected = expected.map(|(name, event)| (name.to_owned(), event.to_owned()));
    assert_eq!(found, expected);
}

/// Ids are there where the forge sends them, and none is that of another delivery.
#[test]
fn deliveries_are_told_apart() {
    let (mut ids, mut without) = (BTreeSet::new(), BTreeSet::new());
    for fixture in fixtures() {
        let name = fixture.format.name;
        match fixture.with(b"", |delivery| fixture.format.delivery_id(delivery).map(str::to_owned))
        {
            Some(id) => assert!(ids.insert((name, id)), "{}", fixture.name),
            None => drop(without.insert(fixture.name)),
        }
    }
    let without: Vec<_> = without.iter().map(|name| name.split('/').next().unwrap()).collect();
    let never = ["allura", "bitbucket_post", "phorge", "rhodecode", "scm_manager"];
    let sometimes = ["sourcehut", "synchroniser"];
    assert!(
        without.iter().all(|name| never.contains(name) || sometimes.contains(name)),
        "{without:?}"
    );
    assert!(never.iter().all(|name| without.contains(name)), "{without:?}");
    let strange = [("x-github-delivery", &b"a b"[..])];
    let delivery = Delivery { headers: &strange, query: "", body: b"" };
    assert_eq!(github::FORMAT.delivery_id(&delivery), None);
}

/// What is cut is an error and never half an event; what is flipped is whatever it is, and no panic.
#[test]
fn every_cut_and_flip_is_an_event_or_an_error() {
    for fixture in fixtures() {
        let whole = fixture.body.len();
        let Ok(full) = fixture.parse(&fixture.body) else { panic!("{}", fixture.name) };
        // Its header says all of what it is.
        let header_decides = matches!(full, Event::Ping | Event::Other(_))
            && matches!(fixture.format.name, "github" | "gitea" | "bitbucket_dc");
        every_cut_and_flip(fixture.body.clone(), |body| {
            let found = fixture.parse(body);
            let is_cut = body.len() < whole;
            let may_be_empty = fixture.format.name == "scm_manager" && body.is_empty();
            assert!(
                !is_cut || header_decides || may_be_empty || found.is_err(),
                "{}",
                fixture.name
            );
            if let Ok(Event::Push(push)) = found {
                assert!(!push.about().chars().any(char::is_control));
            }
        });
    }
}

/// Wrong shapes, depth without end, and what other formats send.
#[test]
fn what_is_of_another_shape_is_refused() {
    let deep = "[".repeat(100_000);
    let texts = ["", "[]", "7", "null", "\"x\"", "{}", "{\"repository\":{}}", "\u{0}", &deep];
    for fixture in fixtures() {
        let Ok(Event::Push(_)) = fixture.parse(&fixture.body) else { continue };
        for text in texts {
            let found = fixture.parse(text.as_bytes());
            let names = matches!(&found, Ok(Event::Push(push)) if push.names_a_repository());
            assert!(!names, "{}: {text:.20}: {found:?}", fixture.name);
            let is_loose = matches!(fixture.format.name, "scm_manager" | "sourcehut");
            assert!(found.is_err() || is_loose, "{}: {text:.20}: {found:?}", fixture.name);
        }
        for header in fixture.headers.iter().filter(|(name, _)| name.contains("event")) {
            let others = fixture.headers.iter().filter(|(name, _)| *name != header.0);
            let less = Fixture {
                headers: others.cloned().collect(),
                name: fixture.name.clone(),
                body: fixture.body.clone(),
                format: fixture.format,
            };
            if let Err(error) = less.parse(&less.body) {
                assert!(matches!(error, PayloadError::NoEvent { .. }), "{}", fixture.name);
            }
        }
    }
    let wide = format!(
        "{{\"ref\":1,\"after\":[{}1],\"repository\":{{\"full_name\":\"a/b\"}}}}",
        "1,".repeat(400_000)
    );
    let headers = [("x-github-event", &b"push"[..])];
    let delivery = Delivery { headers: &headers, query: "", body: wide.as_bytes() };
    let Ok(Event::Push(push)) = (github::FORMAT.parse)(&delivery) else { panic!() };
    assert_eq!(push.about(), "a/b");
}

#[test]
fn our_own_format_has_a_version() {
    for (json, expected) in [
        (
            r#"{"schema":"synchroniser/1","event":"push","mapping":" rocket "}"#,
            Ok("push rocket - - [] []"),
        ),
        (r#"{"schema":"synchroniser/1","event":"push","mapping":""}"#, Ok("push - - - [] []")),
        (r#"{"schema":"synchroniser/1","event":"gc"}"#, Ok("other gc")),
        (r#"{"schema":"synchroniser/2","event":"push"}"#, Err(PayloadError::NotProper)),
        (r#"{"event":"push","mapping":"rocket"}"#, Err(PayloadError::NotProper)),
        (r#"{"schema":"synchroniser/1"}"#, Err(PayloadError::NotProper)),
    ] {
        let delivery = Delivery { headers: &[], query: "", body: json.as_bytes() };
        let found = (synchroniser::FORMAT.parse)(&delivery).map(|event| shown(&event));
        assert_eq!(found.as_deref().map_err(|error| *error), expected, "{json}");
    }
}
