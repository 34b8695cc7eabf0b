//! Endpoints of every format over HTTP: what is proven is taken, and nothing else is.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use synchroniser::base::hex;
use synchroniser::config::Config;
use synchroniser::hook::FORMATS;

use super::rig::{Answer, End, Rig, report, rig_with, send};
use crate::support::{TestEnv, files_below};

const SECRET: &str = "geheim-1";
const NEXT: &str = "geheim-2";
const OTHER: &str = "geheim-3";

/// The pair with the seed of which the test of the scheme has the public half.
fn key() -> SigningKey {
    SigningKey::from_bytes(&std::array::from_fn(|place| u8::try_from(place).unwrap()))
}

fn sha256(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    hex::encode(&mac.finalize().into_bytes())
}

/// A request to an endpoint.
#[derive(Clone)]
struct Delivery {
    endpoint: String,
    query: String,
    headers: String,
    body: Vec<u8>,
}

impl Delivery {
    /// That of a fixture, not proven.
    fn read(path: &Path) -> Self {
        let endpoint = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        let headers = fs::read_to_string(path.with_extension("headers")).unwrap_or_default();
        let headers = headers.replace('\n', "\r\n");
        Self { endpoint, query: String::new(), headers, body: fs::read(path).unwrap() }
    }

    fn with(&self, header: &str) -> Self {
        Self { headers: format!("{}{header}\r\n", self.headers), ..self.clone() }
    }

    /// The same, proven with `secret` as the senders of `format` do.
    fn proven(&self, format: &str, secret: &str) -> Self {
        let body = &self.body;
        match format {
            "github" | "synchroniser" => {
                self.with(&format!("X-Hub-Signature-256: sha256={}", sha256(secret, body)))
            }
            "bitbucket_cloud" | "bitbucket_dc" => {
                self.with(&format!("X-Hub-Signature: sha256={}", sha256(secret, body)))
            }
            "gitea" | "forgejo" | "gogs" => {
                self.with(&format!("X-{format}-Signature: {}", sha256(secret, body)))
            }
            "phorge" => {
                self.with(&format!("X-Phabricator-Webhook-Signature: {}", sha256(secret, body)))
            }
            "gitlab" => self.with(&format!("X-Gitlab-Token: {secret}")),
            "allura" => {
                let mut mac = Hmac::<sha1::Sha1>::new_from_slice(secret.as_bytes()).unwrap();
                mac.update(body);
                self.with(&format!(
                    "X-Allura-Signature: sha1={}",
                    hex::encode(&mac.finalize().into_bytes())
                ))
            }
            "rhodecode" => {
                let text = String::from_utf8_lossy(body).replace("s3cr3t", secret);
                Self { body: text.into_bytes(), ..self.clone() }
            }
            "sourcehut" => {
                // Another key stands for another secret.
                let key = if secret == SECRET { key() } else { SigningKey::from_bytes(&[9; 32]) };
                // One for each body.
                let nonce = sha256("", body)[..16].to_owned();
                let signed = key.sign(&[body, nonce.as_bytes()].concat()).to_bytes();
                let signed = STANDARD.encode(signed);
                self.with(&format!("X-Payload-Nonce: {nonce}"))
                    .with(&format!("X-Payload-Signature: {signed}"))
            }
            _ => Self { query: format!("?token={secret}"), ..self.clone() },
        }
    }

    fn send(&self, rig: &Rig) -> Answer {
        let Self { endpoint, query, headers, body } = self;
        let head = format!(
            "POST /hook/{endpoint}{query} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        send(rig.address(), &[head.as_bytes(), body].concat())
    }
}

fn secret_file(env: &TestEnv, name: &str, secret: &str) {
    fs::write(env.path(name), secret).unwrap();
    fs::set_permissions(env.path(name), fs::Permissions::from_mode(0o600)).unwrap();
}

/// A daemon with an endpoint for each format, called like it, and with `more`.
fn rig(env: &TestEnv, more: &str) -> Rig {
    secret_file(env, "secret", SECRET);
    secret_file(env, "next", NEXT);
    let endpoints = FORMATS.iter().map(|format| {
        let proof = match format.name {
            "sourcehut" => "public_keys = [\"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"]",
            _ => "secret_file = \"secret\"\nnext_secret_file = \"next\"",
        };
        // These say nothing of the repository.
        let mirrors = match format.name {
            "scm_manager" | "phorge" | "sourcehut" => "mirrors = [\"rocket\", \"sr\"]",
            _ => "",
        };
        format!("[hooks.{0}]\nformat = \"{0}\"\n{proof}\n{mirrors}\n", format.name)
    });
    let text = endpoints.collect::<String>()
        + r#"
        [mirrors.rocket]
        source = "/srv/hg/rocket"
        target = "rocket.git"
        user = "acme"
        project = "rocket"
        [mirrors.core]
        source = "/srv/hg/core"
        target = "core.git"
        user = "ada"
        project = "rocket-core"
        [mirrors.code]
        source = "/srv/hg/code"
        target = "code.git"
        user = "p/rocket"
        project = "code"
        [mirrors.space]
        source = "/srv/hg/space"
        target = "space.git"
        user = "acme/space"
        project = "rocket"
        [mirrors.sr]
        source = "/srv/hg/sr"
        target = "sr.git"
        user = "~ada"
        project = "rocket"
        "#
        + more;
    let mut config = Config::parse(&text, &env.path("x.toml"), None).unwrap();
    rig_with(|default| {
        config.daemon = default.daemon.clone();
        config.schedule = default.schedule.clone();
        *default = config;
    })
}

fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks");
    let is_body =
        |path: &PathBuf| path.extension().is_some_and(|end| end == "json" || end == "form");
    files_below(&folder).into_iter().filter(is_body).collect()
}

/// The mirrors that an answer has runs of.
fn mirrors(answer: &Answer) -> Vec<String> {
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let runs = json["runs"].as_array().cloned().unwrap_or_default();
    runs.iter().map(|run| run["mirror"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_format_is_taken_if_it_is_proven() {
    let env = TestEnv::new();
    let rig = rig(&env, "");
    let mut found = String::new();
    for path in fixtures() {
        let delivery = Delivery::read(&path);
        let proven = delivery.proven(&delivery.endpoint, SECRET);
        let answer = proven.send(&rig);
        assert_eq!(answer.header("content-type"), Some("application/json"), "{answer:?}");
        let name = path.file_stem().unwrap().to_str().unwrap();
        let mirrors = mirrors(&answer).join(" ");
        found += format!("{} {}/{name} {mirrors}", answer.status, delivery.endpoint).trim_end();
        found += "\n";
    }
    insta::assert_snapshot!(found, @r"
    202 allura/push code
    202 bitbucket_cloud/push core
    200 bitbucket_dc/ping
    202 bitbucket_dc/push rocket
    202 bitbucket_post/push core
    202 bitbucket_post/test-button core
    202 forgejo/push rocket
    202 gitea/push rocket
    200 gitea/repository
    202 github/form rocket
    200 github/ping
    200 github/pull_request
    202 github/push rocket
    200 gitlab/issue
    202 gitlab/push space
    202 gitlab/system rocket
    202 gitlab/tag rocket
    202 gogs/push rocket
    202 phorge/commit rocket sr
    200 phorge/task
    200 phorge/test
    200 rhodecode/comment
    202 rhodecode/push rocket
    202 scm_manager/nothing rocket sr
    202 scm_manager/push rocket sr
    200 sourcehut/deleted
    202 sourcehut/graphql sr
    202 sourcehut/legacy rocket sr
    200 synchroniser/address
    200 synchroniser/bare
    202 synchroniser/mirror rocket
    202 synchroniser/path rocket
    200 synchroniser/ping
    ");
}

/// Without a proof, with that of another secret, of another body and of another scheme: all are answered
/// alike, and the answer says nothing of what there is.
#[test]
fn what_is_not_proven_is_refused() {
    let env = TestEnv::new();
    let rig = rig(&env, "");
    let mut answers = std::collections::BTreeSet::new();
    let mut refused = |delivery: &Delivery, how: &str| {
        let answer = delivery.send(&rig);
        assert_eq!(answer.status, 401, "{}: {how}: {answer:?}", delivery.endpoint);
        answers.insert(answer.body);
    };
    for path in fixtures() {
        let delivery = Delivery::read(&path);
        let format = delivery.endpoint.clone();
        refused(&delivery, "not proven");
        refused(&delivery.proven(&format, OTHER), "another secret");
        let proves_the_body =
            !["gitlab", "rhodecode", "scm_manager", "bitbucket_post"].contains(&&*format);
        if proves_the_body {
            let mut changed = delivery.proven(&format, SECRET);
            changed.body.push(b' ');
            refused(&changed, "another body");
        }
        for other in FORMATS.iter().map(|format| format.name) {
            let proven = delivery.proven(other, SECRET);
            let same = delivery.proven(&format, SECRET);
            let is_same = proven.headers.eq_ignore_ascii_case(&same.headers)
                && (&proven.query, &proven.body) == (&same.query, &same.body);
            if !is_same {
                refused(&proven, other);
            }
        }
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[test]
fn secrets_change_without_a_gap() {
    let env = TestEnv::new();
    let rig = rig(&env, "");
    let push = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks/github/push.json");
    let statuses = || {
        [SECRET, NEXT, OTHER].map(|secret| {
            let id = format!("X-GitHub-Delivery: {secret}");
            Delivery::read(&push).with(&id).proven("github", secret).send(&rig).status
        })
    };
    assert_eq!(statuses(), [202, 202, 401]);
    secret_file(&env, "secret", OTHER);
    assert_eq!(statuses(), [401, 202, 202]);
    fs::remove_file(env.path("next")).unwrap();
    assert_eq!(statuses(), [401, 401, 202], "the other one still holds");
    fs::remove_file(env.path("secret")).unwrap();
    assert_eq!(statuses(), [401, 401, 401]);
}

/// A delivery that comes twice is answered by the run that the first has asked for.
#[test]
fn what_is_sent_again_asks_for_nothing() {
    let env = TestEnv::new();
    let rig = rig(&env, "");
    for name in ["sourcehut/graphql.json", "github/push.json", "gitlab/tag.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks").join(name);
        let delivery = Delivery::read(&path);
        let proven = delivery.proven(&delivery.endpoint, SECRET);
        let first = proven.send(&rig);
        let [mirror] = &*mirrors(&first) else { panic!("{name}: {first:?}") };
        // The run is over before the delivery comes once more: another one would be another run.
        loop {
            let (begun, end) = rig.begun();
            end.send(End::Report(report())).unwrap();
            if begun == *mirror {
                break;
            }
        }
        rig.until_healthz_says("running: 0\nqueued: 0\n");
        let again = proven.send(&rig);
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{name}");
    }
}

#[test]
fn networks_and_paths() {
    let env = TestEnv::new();
    let more = r#"
        [hooks.elsewhere]
        format = "gitlab"
        path = "there"
        allow_unauthenticated = true
        networks = ["192.0.2.0/24", "2001:db8::/32"]
        [hooks.here]
        format = "gitlab"
        allow_unauthenticated = true
        networks = ["192.0.2.0/24", "127.0.0.0/8"]
    "#;
    let rig = rig(&env, more);
    let push = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hooks/gitlab/tag.json");
    for (endpoint, status) in
        [("there", 401), ("here", 202), ("elsewhere", 404), ("nothing", 404), ("", 404)]
    {
        let delivery = Delivery { endpoint: endpoint.to_owned(), ..Delivery::read(&push) };
        assert_eq!(delivery.send(&rig).status, status, "{endpoint}");
    }
}

/// Whoever knows the secret chooses a source that is allowed, and its target follows: no address and no
/// query makes it another.
#[test]
fn a_pattern_gives_the_target() {
    let env = TestEnv::new();
    let more = r#"
        [patterns.forge]
        source = "/srv/forge/{owner}/{slug}"
        target = "forge/{owner}/{slug}.git"
        allow = ["acme/*"]
    "#;
    let rig = rig(&env, more);
    let ask = |mapping: &str, query: &str| {
        let body = format!(r#"{{"schema":"synchroniser/1","event":"push","mapping":"{mapping}"}}"#);
        let delivery = Delivery {
            endpoint: "synchroniser".to_owned(),
            query: query.to_owned(),
            headers: String::new(),
            body: body.into_bytes(),
        };
        let answer = delivery.proven("synchroniser", SECRET).send(&rig);
        (answer.status, mirrors(&answer).join(" "))
    };
    let taken = (202, "forge/acme/engine".to_owned());
    assert_eq!(ask("/srv/forge/acme/engine", ""), taken);
    assert_eq!(ask("forge/acme/engine", ""), taken);
    assert_eq!(ask("/srv/forge/acme/engine", "?user=acme&project=engine"), taken);
    for (mapping, query) in [
        ("/srv/forge/eve/engine", ""),
        ("/srv/forge/acme/../eve/engine", ""),
        ("/srv/forge/acme/.hg", ""),
        ("forge/eve/engine", ""),
        ("forge/acme/..", ""),
        ("forge/acme/-x", ""),
        ("forge/acme/engine.git", ""),
        ("/srv/forge/acme/engine", "?user=eve&project=engine"),
        ("/srv/forge/acme/engine", "?project=victim"),
        ("rocket.git", ""),
    ] {
        assert_eq!(ask(mapping, query), (200, String::new()), "{mapping} {query}");
    }
}
