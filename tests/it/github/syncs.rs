//! Whole syncs by the program.

use super::*;
use crate::support::github::Refusal;
use crate::support::{Fixture, Ran, TestEnv};

/// A source and a mirror of it at `acme/rocket`.
struct Scene {
    env: TestEnv,
    github: FakeGitHub,
}

impl Scene {
    /// With `mirror-bot`, and with these keys of the target beside its address.
    fn new(keys: &str) -> Self {
        Self::of(&Fixture::demo(), keys)
    }

    /// The same for another source.
    fn of(fixture: &Fixture, keys: &str) -> Self {
        let env = TestEnv::new();
        let source = fixture.unpack(&env);
        let token = secrets::token("github_pat_");
        let github = FakeGitHub::with_bot(&token);
        token_file(&env.path(""), &token);
        let text = format!(
            "cache = \"cache\"\n[mirrors.rocket]\nsource = {:?}\n[mirrors.rocket.target]\n\
             url = {:?}\napi = {:?}\nplain_http = true\n{keys}\n",
            source.display().to_string(),
            github.url("acme/rocket.git"),
            github.api()
        );
        fs::write(env.path("x.toml"), text).unwrap();
        Self { env, github }
    }

    fn with_token() -> Self {
        Self::new("token_file = \"token\"")
    }

    fn sync(&self) -> Ran {
        self.env.synchronise(["sync", "--config", "x.toml"])
    }

    fn refs(&self) -> usize {
        self.github.state().repositories["acme/rocket"].refs.len()
    }
}

#[test]
fn a_sync_asks_the_api_once_a_day_and_says_so_in_its_cache() {
    let scene = Scene::with_token();
    scene.github.repo_of_bot("acme/rocket");
    scene.sync().ok().unwrap();
    assert!(scene.refs() > 1);
    // Before the first push, and after it for the default branch, which GitHub has set itself.
    let first = scene.github.api_requests();
    assert_eq!(first, ["GET /repos/acme/rocket", "GET /repos/acme/rocket"]);
    assert_eq!(scene.github.state().repositories["acme/rocket"].default_branch, "master");
    for _ in 0..2 {
        scene.sync().ok().unwrap();
        assert_eq!(scene.github.api_requests(), Vec::<String>::new());
    }
    // Nothing in the cache is a secret.
    for file in crate::support::files_below(&scene.env.path("cache/rocket")) {
        let bytes = fs::read(&file).unwrap();
        secrets::assert_none(&file.display().to_string(), &String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn logs_have_no_secrets() {
    let scene = Scene::with_token();
    scene.github.repo_of_bot("acme/rocket");
    let ran = scene.env.synchronise(["-vv", "sync", "--config", "x.toml"]);
    assert!(ran.stderr.contains("DEBUG"), "{}", ran.stderr);
    ran.ok().unwrap();
}

#[test]
fn a_token_from_the_environment() {
    let scene = Scene::new("token_env = \"MIRROR_TOKEN\"");
    scene.github.repo_of_bot("acme/rocket");
    let ran = scene.sync().with_code(10).unwrap();
    assert!(ran.stderr.contains("the environment variable MIRROR_TOKEN: it is not set"), "{ran:?}");
    let token = fs::read_to_string(scene.env.path("token")).unwrap();
    let mut command = scene.env.synchroniser();
    command.args(["sync", "--config", "x.toml"]).env("MIRROR_TOKEN", token);
    Ran::from(&command.output().unwrap()).ok().unwrap();
    assert!(scene.refs() > 1);
}

/// One token is made for all connections of a sync, and for the API.
#[test]
fn an_app_publishes() {
    let scene = Scene::new("app_id = \"12\"\napp_key_file = \"app.pem\"");
    scene.github.repo("acme/rocket", |_| {});
    app::install(&scene.github, &scene.env.path(""), 3600);
    scene.sync().ok().unwrap();
    assert!(scene.refs() > 1);
    assert_eq!(scene.github.state().asked_tokens.len(), 1);
    let ran = scene.env.synchronise(["config", "check", "--config", "x.toml"]);
    ran.ok().unwrap();
}

/// As on a machine of CI, which has no configuration, and the token in its environment.
#[test]
fn without_a_configuration() {
    let scene = Scene::new("");
    let token = fs::read_to_string(scene.env.path("token")).unwrap();
    let url = scene.github.url("acme/rocket.git");
    let mirror = |more: &[&str]| {
        let words = ["mirror", "source/repository", &url, "--cache", "c", "--target-plain-http"];
        let mut command = scene.env.synchroniser();
        let api = scene.github.api();
        command.args(words).args(["--target-token-env", "T", "--target-api", &api]).args(more);
        Ran::from(&command.env("T", &token).output().unwrap())
    };
    let ran = mirror(&[]).with_code(11).unwrap();
    assert!(ran.stderr.contains("the project does not exist, or the user mirror-bot"), "{ran:?}");
    assert!(ran.stderr.contains("or set `--target-create`"), "{}", ran.stderr);
    mirror(&["--target-create"]).ok().unwrap();
    assert!(scene.refs() > 1);
}

#[test]
fn an_app_that_is_not_installed() {
    let scene = Scene::new("app_id = \"12\"\napp_key_file = \"app.pem\"");
    scene.github.repo("acme/rocket", |_| {});
    app::install(&scene.github, &scene.env.path(""), 3600);
    scene.github.state().app.as_mut().unwrap().repositories.clear();
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("error at the target"), "{}", ran.stderr);
    assert!(ran.stderr.contains("install the app there"), "{}", ran.stderr);
}

/// The credential is shown to the API, and to Git not any more.
#[test]
fn a_token_that_was_refused_is_not_tried_again() {
    let scene = Scene::with_token();
    scene.github.repo_of_bot("acme/rocket");
    scene.github.state().tokens.clear();
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("the token was rejected"), "{}", ran.stderr);
    assert_eq!(scene.github.requests(), ["GET /repos/acme/rocket"]);
}

/// Git says the same of a repository that is not there, and of one that may not be seen: the API is
/// asked which. Here the answer of the day was good, and access was taken away after it.
#[test]
fn the_reason_of_a_refusal_is_told() {
    let scene = Scene::with_token();
    scene.github.repo_of_bot("acme/rocket");
    scene.sync().ok().unwrap();
    scene.github.repo("acme/rocket", |repo| repo.archived = true);
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("it is archived, and so read-only"), "{}", ran.stderr);
    scene.github.repo("acme/rocket", |repo| {
        repo.archived = false;
        repo.private = false;
        repo.writers.clear();
    });
    let ran = scene.sync().with_code(11).unwrap();
    assert!(
        ran.stderr.contains("mirror-bot is not a collaborator who may write"),
        "{}",
        ran.stderr
    );
    scene.github.repo_of_bot("acme/rocket");
    scene.sync().ok().unwrap();
    scene.github.state().repositories.clear();
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("the project does not exist, or the user mirror-bot"), "{ran:?}");
    // A token whose owner may write, but which may not itself.
    scene.github.repo_of_bot("acme/rocket");
    for who in scene.github.state().tokens.values_mut() {
        *who = Who::User { login: "mirror-bot".to_owned(), may_write: false };
    }
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("may write there, but not with this credential"), "{ran:?}");
    // A new name: the push is not sent where it was not configured to go.
    for who in scene.github.state().tokens.values_mut() {
        *who = Who::User { login: "mirror-bot".to_owned(), may_write: true };
    }
    scene.github.repo_of_bot("acme/missile");
    let renamed = ("acme/rocket".to_owned(), "acme/missile".to_owned());
    scene.github.state().renamed.extend([renamed]);
    let ran = scene.sync().with_code(10).unwrap();
    assert!(ran.stderr.contains("it is called acme/missile now"), "{}", ran.stderr);
    assert_eq!(scene.github.state().repositories["acme/missile"].refs.len(), 0);
}

/// A ref that is refused fails the sync with the code of its class; the others are published.
#[test]
fn a_refused_ref_decides_the_exit_code() {
    let unblock = "https://github.com/acme/rocket/security/secret-scanning/unblock-secret/2abc";
    for (lines, reason, code, said) in [
        (
            vec!["error: GH001: Large files detected.".to_owned()],
            "pre-receive hook declined",
            13,
            "the server takes no file of that size",
        ),
        (
            vec![
                "error: GH013: Repository rule violations found for refs/heads/stable.".to_owned(),
                "- Push cannot contain secrets".to_owned(),
                format!("  {unblock}"),
            ],
            "push declined due to repository rule violations",
            13,
            unblock,
        ),
        (
            Vec::new(),
            "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` without `workflow` scope",
            11,
            "`workflow` scope",
        ),
        (vec!["fatal error in commit_refs".to_owned()], "failure", 12, "sync again later"),
    ] {
        let scene = Scene::with_token();
        scene.github.repo_of_bot("acme/rocket");
        let refs = vec![("refs/heads/stable".to_owned(), reason.to_owned())];
        scene.github.state().refusal = Some(Refusal { lines, refs, unpack: None });
        let ran = scene.sync().with_code(code).unwrap();
        assert!(ran.stderr.contains(said), "{reason}: {}", ran.stderr);
        let state = scene.github.state();
        let there = &state.repositories["acme/rocket"].refs;
        assert!(there.contains_key("refs/heads/master"), "{reason}");
        assert!(!there.contains_key("refs/heads/stable"), "{reason}");
    }
}

/// Which branches the mirror of the fixture with workflow files has.
fn branches(scene: &Scene) -> Vec<String> {
    let state = scene.github.state();
    let names = state.repositories["acme/rocket"].refs.keys();
    names.filter_map(|name| Some(name.strip_prefix("refs/heads/")?.to_owned())).collect()
}

/// A credential that may not write workflow files, as far as that is known, is asked to write none: the
/// branches that have some are told, with what to do, and the others are published.
#[test]
fn workflow_files_wait_for_a_credential_that_may_write_them() {
    const WITHOUT: [&str; 3] = ["default", "master", "while"];
    const ALL: [&str; 5] = ["ci", "default", "master", "same", "while"];
    let classic = "token_file = \"token\"";
    let app = "app_id = \"12\"\napp_key_file = \"app.pem\"";
    let allowed = format!("{app}\napp_workflows = true");
    for (keys, scopes, expected, hint) in [
        (classic, Some("repo, read:org"), &WITHOUT[..], "`workflow` scope"),
        (classic, Some("repo, workflow"), &ALL[..], ""),
        // Of a fine-grained one nothing is known.
        (classic, None, &ALL[..], ""),
        (app, None, &WITHOUT[..], "`target.app_workflows = true`"),
        (&allowed, None, &ALL[..], ""),
    ] {
        let scene = Scene::of(&Fixture::named("workflows"), keys);
        scene.github.repo_of_bot("acme/rocket");
        scene.github.state().scopes = scopes.map(str::to_owned);
        app::install(&scene.github, &scene.env.path(""), 3600);
        let ran = scene.sync();
        assert_eq!(branches(&scene), expected, "{keys} {scopes:?}: {}", ran.stderr);
        if expected.len() == ALL.len() {
            ran.ok().unwrap();
            continue;
        }
        let ran = ran.with_code(11).unwrap();
        assert!(
            ran.stderr.contains("brings the workflow file .github/workflows/ci.yml"),
            "{ran:?}"
        );
        assert!(ran.stderr.contains(hint), "{}", ran.stderr);
    }
}

/// Nobody has to make a new token: the scopes of the one that is there can be changed.
#[test]
fn a_token_that_gets_the_scope_is_seen() {
    let scene = Scene::of(&Fixture::named("workflows"), "token_file = \"token\"");
    scene.github.repo_of_bot("acme/rocket");
    scene.github.state().scopes = Some("repo".to_owned());
    scene.sync().with_code(11).unwrap();
    scene.github.requests();
    // What is refused is not sent again, and GitHub is asked whether it may be now.
    let ran = scene.sync().with_code(11).unwrap();
    assert!(ran.stderr.contains("was not tried again"), "{}", ran.stderr);
    let asked = scene.github.requests();
    assert!(asked.contains(&"GET /repos/acme/rocket".to_owned()), "{asked:?}");
    assert!(!asked.iter().any(|line| line.starts_with("git POST")), "{asked:?}");
    scene.github.state().scopes = Some("repo, workflow".to_owned());
    scene.sync().ok().unwrap();
    assert_eq!(branches(&scene).len(), 5);
    scene.github.requests();
    scene.sync().ok().unwrap();
    assert_eq!(scene.github.api_requests(), Vec::<String>::new());
}

/// A file that a branch of the target has already is not brought by another branch.
#[test]
fn a_workflow_file_that_is_there_needs_no_permission() {
    let scene = Scene::of(&Fixture::named("workflows"), "token_file = \"token\"");
    scene.github.repo_of_bot("acme/rocket");
    scene.github.state().scopes = Some("repo, workflow".to_owned());
    scene.sync().ok().unwrap();
    // Somebody has removed it, and the token may do less since.
    scene.github.repo("acme/rocket", |repo| drop(repo.refs.remove("refs/heads/same")));
    scene.github.state().scopes = Some("repo".to_owned());
    fs::remove_file(scene.env.path("cache/rocket/forge")).unwrap();
    scene.sync().ok().unwrap();
    assert_eq!(branches(&scene).len(), 5);
}

#[test]
fn a_project_is_made_and_published_to() {
    let scene = Scene::new("token_file = \"token\"\ncreate = true");
    let printed = scene.sync().ok().unwrap();
    assert!(printed.contains("note: made the private project acme/rocket"), "{printed}");
    assert!(scene.refs() > 1);
}

#[test]
fn a_token_that_ends_soon_is_told_once() {
    let scene = Scene::with_token();
    scene.github.repo_of_bot("acme/rocket");
    scene.github.state().expires = Some(in_days(2));
    let printed = scene.sync().ok().unwrap();
    assert!(printed.contains("in less than 3 days"), "{printed}");
    let printed = scene.sync().ok().unwrap();
    assert!(!printed.contains("in less than"), "{printed}");
}

#[test]
fn keys_that_do_nothing_are_refused() {
    for (keys, said) in [
        ("app_id = \"12\"", "an app needs its private key"),
        ("app_key_file = \"app.pem\"", "of no use without `app_id`"),
        (
            "token_file = \"token\"\napp_id = \"1\"\napp_key_file = \"a\"",
            "set already by `token_file`",
        ),
        ("token_file = \"token\"\ntoken_env = \"X\"", "set already by `token_file`"),
        ("token_env = \"ghp_0123456789abcdefghij\"", "not the name of an environment variable"),
        ("visibility = \"internal\"", "is not one of"),
        ("ssh_agent = true", "of no use for a web server"),
    ] {
        let scene = Scene::new(keys);
        let ran = scene.env.synchronise(["config", "check", "--config", "x.toml"]);
        let ran = ran.with_code(10).unwrap();
        assert!(ran.stderr.contains(said), "{keys}: {}", ran.stderr);
        assert!(!ran.stderr.contains("0123456789abcdefghij"));
    }
    let scene = Scene::new("");
    let text = "[mirrors.x]\nsource = { url = \"https://h/x\", create = true, app_id = \"1\" }\n\
                [mirrors.x.target]\nurl = \"https://git.example.org/a/b\"\ncreate = true\n";
    fs::write(scene.env.path("x.toml"), text).unwrap();
    let ran = scene.env.synchronise(["config", "check", "--config", "x.toml"]);
    let ran = ran.with_code(10).unwrap();
    assert!(ran.stderr.contains("source.create: of no use for a source"), "{}", ran.stderr);
    assert!(ran.stderr.contains("target.create: of no use without `api`"), "{}", ran.stderr);
    // A token beside a key is for the API, if there is one.
    for (host, said) in
        [("git.example.org", Some("token_file: of no use without `api`")), ("github.com", None)]
    {
        let text = format!(
            "[mirrors.x]\nsource = \"x\"\n[mirrors.x.target]\nurl = \"git@{host}:a/b\"\n\
             ssh_agent = true\ntoken_file = \"token\"\n"
        );
        fs::write(scene.env.path("x.toml"), text).unwrap();
        let ran = scene.env.synchronise(["config", "check", "--config", "x.toml"]);
        match said {
            Some(said) => assert!(ran.with_code(10).unwrap().stderr.contains(said)),
            None => drop(ran.ok().unwrap()),
        }
    }
}
