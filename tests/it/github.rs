//! What is asked of GitHub's API around a push, and what becomes of its answers: against one on
//! loopback, over HTTP, with a state of its own.

mod app;
mod refusals;
mod syncs;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use synchroniser::base::{Fault, HasFault as _, Interrupt, Side};
use synchroniser::forge::{Finding, ForgeError, ForgeOptions, TargetCheck, Visibility};
use synchroniser::net::url::PlainHttp;
use synchroniser::net::{Access, SourceUrl, TargetUrl, Token};

use super::support::github::{FakeGitHub, Fixed, Who};
use super::support::secrets;

/// One target there.
struct Place {
    github: FakeGitHub,
    folder: tempfile::TempDir,
    options: ForgeOptions,
    access: Access,
    target: TargetUrl,
    is_source_private: bool,
}

/// A file with a token.
fn token_file(folder: &Path, token: &str) -> PathBuf {
    let path = folder.join("token");
    fs::write(&path, token).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

impl Place {
    /// `acme/rocket` with the token of `mirror-bot`.
    fn new() -> Self {
        let (folder, token) = (tempfile::tempdir().unwrap(), secrets::token("ghp_"));
        let github = FakeGitHub::with_bot(&token);
        let token = Token::at(token_file(folder.path(), &token));
        let target = TargetUrl::parse(&github.url("acme/rocket.git"), PlainHttp::Allow).unwrap();
        let options = ForgeOptions {
            api: SourceUrl::parse(&github.api()).unwrap(),
            create: false,
            visibility: Visibility::Private,
            allow_public: false,
        };
        let access = Access { token: Some(token), plain_http: true, ..Access::default() };
        Self { github, folder, options, access, target, is_source_private: false }
    }

    /// The same without a token.
    fn anonymous() -> Self {
        let mut this = Self::new();
        this.access.token = None;
        this
    }

    fn target_check<'a>(&'a self, interrupt: &'a Interrupt) -> TargetCheck<'a> {
        TargetCheck {
            options: &self.options,
            target: &self.target,
            access: &self.access,
            record: self.folder.path().join("forge"),
            is_source_private: self.is_source_private,
            interrupt,
        }
    }

    fn check(&self) -> Result<Vec<Finding>, ForgeError> {
        let result = self.target_check(&Interrupt::default()).before_push();
        let result = result.map(|checked| checked.findings);
        secrets::assert_none("a result", &format!("{result:?}"));
        result
    }

    /// Why a push is not tried: the class, and all that a person reads.
    fn refusal(&self) -> (Fault, String) {
        told(&self.check().unwrap_err())
    }

    fn after_refusal(&self, is_denied: bool, moved: bool) -> Option<(Fault, String)> {
        let interrupt = Interrupt::default();
        let error = self.target_check(&interrupt).after_refusal(is_denied, moved);
        error.map(|error| told(&error))
    }
}

/// All that a person reads of an error, which is always the target's.
fn told(error: &ForgeError) -> (Fault, String) {
    assert_eq!(error.side(), Side::Target);
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    let text = format!("{text} [{}]", error.hint().unwrap_or_default());
    secrets::assert_none("an error", &text);
    (error.fault(), text)
}

#[test]
fn a_target_that_is_good_is_asked_about_once_a_day() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    assert_eq!(place.check().unwrap(), []);
    assert_eq!(place.github.requests(), ["GET /repos/acme/rocket"]);
    assert_eq!(place.check().unwrap(), []);
    assert_eq!(place.github.requests(), Vec::<String>::new());
    // A day later the tag asks whether anything has changed.
    let file = place.folder.path().join("forge");
    let record = fs::read_to_string(&file).unwrap();
    secrets::assert_none("the file", &record);
    let old: serde_json::Value = serde_json::from_str(&record).unwrap();
    let mut older = old.clone();
    older["asked"] = (old["asked"].as_i64().unwrap() - 86_400_000).into();
    fs::write(&file, older.to_string()).unwrap();
    assert_eq!(place.check().unwrap(), []);
    assert_eq!(place.github.requests().len(), 1);
    let new: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert!(new["asked"].as_i64() >= old["asked"].as_i64());
    assert_eq!(new["tag"], old["tag"]);
}

#[test]
fn what_keeps_a_push_from_being_tried() {
    let missing = Place::new();
    let (fault, text) = missing.refusal();
    assert_eq!(fault, Fault::Auth);
    let address = missing.target.to_string();
    insta::assert_snapshot!(text.replace(&address, "ADDRESS"), @"find ADDRESS: the project does not exist, or the user mirror-bot has no access to it [check the address; make the project, or set `target.create = true`; and give the credential's owner write access]");
    // It is asked again at once the next time.
    missing.github.repo_of_bot("acme/rocket");
    assert_eq!(missing.check().unwrap(), []);

    let place = Place::new();
    place.github.state().owners.clear();
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("there is no user or organisation acme"), "{text}");

    let place = Place::new();
    place.github.repo("acme/rocket", |repo| repo.private = false);
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("the user mirror-bot is not a collaborator who may write"), "{text}");
    assert!(text.contains("add mirror-bot as a collaborator"), "{text}");

    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.github.repo("acme/rocket", |repo| repo.archived = true);
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("it is archived, and so read-only [take the repository out"), "{text}");

    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.github.repo("acme/rocket", |repo| repo.disabled = true);
    assert!(place.refusal().1.contains("the forge has disabled it"));
    // None of these was tried with Git, and none is kept as an answer.
    assert!(!place.folder.path().join("forge").exists());
}

#[test]
fn the_invitation_to_the_target_is_accepted_and_no_other() {
    let place = Place::new();
    for name in ["acme/rocket", "evil/rocket", "acme/rocket-2"] {
        place.github.repo(name, |_| {});
    }
    let invite = |id, name: &str, whom: &str| (id, name.to_owned(), whom.to_owned());
    place.github.state().invitations = vec![
        invite(1, "evil/rocket", "mirror-bot"),
        invite(2, "acme/rocket-2", "mirror-bot"),
        invite(3, "Acme/Rocket", "mirror-bot"),
        invite(4, "acme/rocket", "somebody"),
    ];
    let accepted = Finding::InvitationAccepted { project: "acme/rocket".to_owned() };
    assert_eq!(place.check().unwrap(), std::slice::from_ref(&accepted));
    let left: Vec<_> = place.github.state().invitations.iter().map(|(id, ..)| *id).collect();
    assert_eq!(left, [1, 2, 4]);
    assert_eq!(place.check().unwrap(), []);

    // The same for a repository that everybody can read.
    let place = Place::new();
    place.github.repo("acme/rocket", |repo| repo.private = false);
    place.github.state().invitations = vec![invite(7, "acme/rocket", "mirror-bot")];
    assert_eq!(place.check().unwrap(), [accepted]);

    // A token that may not accept it.
    let place = Place::new();
    place.github.repo("acme/rocket", |_| {});
    place.github.state().invitations = vec![invite(7, "acme/rocket", "mirror-bot")];
    place.github.state().fixed = vec![Fixed {
        of: "PATCH /user/repository_invitations",
        status: 403,
        headers: Vec::new(),
        body: r#"{"message":"Resource not accessible by personal access token"}"#.to_owned(),
    }];
    let (_, text) = place.refusal();
    assert!(text.contains("an invitation waits for us that the token may not accept"), "{text}");
    assert!(text.contains("not accessible by personal access token (HTTP 403)"), "{text}");
}

#[test]
fn what_is_private_is_not_published_where_everybody_sees_it() {
    let mut place = Place { is_source_private: true, ..Place::new() };
    place.github.repo_of_bot("acme/rocket");
    assert_eq!(place.check().unwrap(), []);
    // One that becomes public is found the next day; here the answer of today is forgotten.
    fs::remove_file(place.folder.path().join("forge")).unwrap();
    place.github.repo("acme/rocket", |repo| repo.private = false);
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Refused);
    assert!(text.contains("everybody can see it"), "{text}");
    assert!(text.contains("`target.allow_public = true`"), "{text}");
    place.options.allow_public = true;
    assert_eq!(place.check().unwrap(), []);
    // And taken back: the answer of today is enough to refuse.
    place.github.requests();
    place.options.allow_public = false;
    assert_eq!(place.refusal().0, Fault::Refused);
    assert_eq!(place.github.requests(), Vec::<String>::new());

    // Without a token that much can still be known.
    let place = Place { is_source_private: true, ..Place::anonymous() };
    place.github.repo("acme/rocket", |repo| repo.private = false);
    assert_eq!(place.refusal().0, Fault::Refused);
    place.github.repo("acme/rocket", |repo| repo.private = true);
    place.github.requests();
    for requests in [1, 0] {
        assert_eq!(place.check().unwrap(), []);
        assert_eq!(place.github.requests().len(), requests);
    }

    // Nothing is made public either, and nothing is published while it cannot be asked.
    let mut place = Place { is_source_private: true, ..Place::new() };
    place.options.create = true;
    place.options.visibility = Visibility::Public;
    assert_eq!(place.refusal().0, Fault::Refused);
    assert!(place.github.state().repositories.is_empty());
    place.github.repo_of_bot("acme/rocket");
    place.github.state().fixed = vec![down()];
    assert_eq!(place.refusal().0, Fault::Unavailable);
}

/// The API does not work.
fn down() -> Fixed {
    Fixed { of: "/repos/", status: 503, headers: Vec::new(), body: "<html>".to_owned() }
}

#[test]
fn a_target_is_made_where_that_is_configured() {
    let mut place = Place::new();
    place.options.create = true;
    let made = Finding::ProjectCreated { project: "acme/rocket".to_owned(), public: false };
    assert_eq!(place.check().unwrap(), [made]);
    assert!(place.github.state().repositories["acme/rocket"].private);
    let requests = place.github.requests();
    assert!(requests.contains(&"POST /orgs/acme/repos".to_owned()), "{requests:?}");
    assert_eq!(place.check().unwrap(), []);

    // One's own, for everybody.
    let mut place = Place::new();
    place.options = ForgeOptions { create: true, visibility: Visibility::Public, ..place.options };
    let url = place.github.url("mirror-bot/rocket");
    place.target = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
    let made = Finding::ProjectCreated { project: "mirror-bot/rocket".to_owned(), public: true };
    assert_eq!(place.check().unwrap(), [made]);
    assert!(place.github.requests().contains(&"POST /user/repos".to_owned()));

    // There is one that we may not see.
    let mut place = Place::new();
    place.options.create = true;
    place.github.repo("acme/rocket", |_| {});
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("name already exists on this account"), "{text}");
}

#[test]
fn a_forge_that_cannot_be_asked_stops_no_push() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.github.state().fixed = vec![down()];
    let findings = place.check().unwrap();
    assert!(matches!(&findings[..], [Finding::TargetNotChecked { .. }]), "{findings:?}");
    place.github.state().fixed.clear();
    assert_eq!(place.check().unwrap(), []);
}

/// What answers in place of an API gets neither a push into trouble nor our token elsewhere.
#[test]
fn answers_that_are_none() {
    let elsewhere = FakeGitHub::start();
    let location = |place: String| vec![("Location", place)];
    let far = elsewhere.url("api/v3/repos/acme/rocket");
    for (status, headers, body) in [
        (200, Vec::new(), "<html>".to_owned()),
        (200, Vec::new(), "{}".to_owned()),
        (200, Vec::new(), "[".repeat(100_000)),
        (200, Vec::new(), r#"{"full_name": 7, "private": "yes"}"#.to_owned()),
        (200, Vec::new(), " ".repeat(5 << 20)),
        (204, Vec::new(), String::new()),
        (304, Vec::new(), String::new()),
        (301, Vec::new(), String::new()),
        (301, location(far), String::new()),
        (301, location("/api/v3/repos/acme/rocket".to_owned()), String::new()),
        (418, Vec::new(), "ghp_0123456789abcdefghij".to_owned()),
    ] {
        let place = Place::new();
        place.github.repo_of_bot("acme/rocket");
        place.github.state().fixed = vec![Fixed { of: "/repos/", status, headers, body }];
        let findings = place.check().unwrap();
        let is_quiet = findings.is_empty() && status == 304;
        let is_told = matches!(&findings[..], [Finding::TargetNotChecked { .. }]);
        assert!(is_quiet || is_told, "{status}: {findings:?}");
        assert!(!format!("{findings:?}").contains("0123456789"), "{findings:?}");
    }
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn limits_are_kept_to() {
    for headers in [
        vec![("Retry-After", "60".to_owned())],
        vec![
            ("x-ratelimit-reset", "4102444800".to_owned()),
            ("x-ratelimit-remaining", "0".to_owned()),
        ],
        Vec::new(),
    ] {
        let place = Place::new();
        place.github.repo_of_bot("acme/rocket");
        place.github.state().fixed = vec![Fixed {
            of: "/repos/",
            status: 403,
            headers,
            body: r#"{"message":"You have exceeded a secondary rate limit."}"#.to_owned(),
        }];
        for requests in [1, 0, 0] {
            let findings = place.check().unwrap();
            assert!(matches!(&findings[..], [Finding::TargetNotChecked { .. }]), "{findings:?}");
            assert_eq!(place.github.requests().len(), requests);
        }
    }
}

#[test]
fn the_end_of_a_token_is_told_before_it_comes() {
    for (expires, within) in [
        ("2999-12-31 23:59:59 UTC".to_owned(), None),
        (in_days(20), None),
        (in_days(12), Some(14)),
        (in_days(2), Some(3)),
        (in_days(0), Some(1)),
    ] {
        let place = Place::new();
        place.github.repo_of_bot("acme/rocket");
        place.github.state().expires = Some(expires.clone());
        for _ in 0..2 {
            let within_days =
                place.check().unwrap().into_iter().find_map(|finding| match finding {
                    Finding::TokenExpires { within_days, .. } => Some(within_days),
                    _ => None,
                });
            assert_eq!(within_days, within, "{expires}");
        }
    }
}

/// A point in time as GitHub's header has it.
fn in_days(days: i64) -> String {
    let now = synchroniser::base::time::Timestamp::now();
    let at =
        synchroniser::base::time::Timestamp::from_seconds(now.seconds() + days * 86_400 + 3600)
            .to_string();
    at.replace(" UTC", ":00 +0000")
}

#[test]
fn tokens_that_are_not_accepted() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.github.state().tokens.clear();
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("the token was rejected: Bad credentials (HTTP 401)"), "{text}");

    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    let page = "https://github.com/orgs/acme/sso?authorization_request=A1";
    place.github.state().fixed = vec![Fixed {
        of: "/repos/",
        status: 403,
        headers: vec![("X-GitHub-SSO", format!("required; url={page}"))],
        body: r#"{"message":"Resource protected by organization SAML enforcement."}"#.to_owned(),
    }];
    let (fault, text) = place.refusal();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains(&format!("authorise it at {page}")), "{text}");
}

#[test]
fn why_a_push_was_refused_is_asked() {
    // What the push is told is the same in all of these: not found, or denied.
    let place = Place::anonymous();
    place.github.state().owners.clear();
    let (fault, text) = place.after_refusal(false, false).unwrap();
    assert_eq!(fault, Fault::Auth);
    assert!(text.contains("there is no user or organisation acme"), "{text}");
    let place = Place::anonymous();
    let (_, text) = place.after_refusal(false, false).unwrap();
    assert!(text.contains("the project does not exist, or whoever the credential is of"), "{text}");

    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    let (_, text) = place.after_refusal(true, false).unwrap();
    assert!(text.contains("mirror-bot may write there, but not with this credential"), "{text}");
    place.github.repo("acme/rocket", |repo| repo.archived = true);
    assert!(place.after_refusal(true, false).unwrap().1.contains("archived"));
    place.github.repo("acme/rocket", |repo| {
        repo.archived = false;
        repo.writers.clear();
        repo.readers.insert("mirror-bot".to_owned());
    });
    let (_, text) = place.after_refusal(true, false).unwrap();
    assert!(text.contains("mirror-bot is not a collaborator"), "{text}");

    let place = Place::new();
    place.github.repo_of_bot("acme/missile");
    place.github.state().renamed.insert("acme/rocket".to_owned(), "acme/missile".to_owned());
    let (fault, text) = place.after_refusal(false, true).unwrap();
    assert_eq!(fault, Fault::Config);
    assert!(text.contains("it is called acme/missile now"), "{text}");
    let renamed = Finding::TargetRenamed { to: "acme/missile".to_owned() };
    assert_eq!(place.check().unwrap(), [renamed]);
    // An API that says nothing more leaves it at what the push was told.
    place.github.state().fixed = vec![down()];
    assert_eq!(place.after_refusal(true, false), None);
}

#[test]
fn the_main_branch_becomes_the_default_one() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    let interrupt = Interrupt::default();
    let after = |branch: &str| place.target_check(&interrupt).after_first_push(branch);
    assert_eq!(after("main"), None);
    let set = Finding::DefaultBranchSet { branch: "master".to_owned() };
    assert_eq!(after("master"), Some(set));
    assert_eq!(place.github.state().repositories["acme/rocket"].default_branch, "master");
    place.github.repo("acme/rocket", |repo| {
        repo.private = false;
        repo.writers.clear();
    });
    let not_set = after("main").unwrap();
    assert!(matches!(not_set, Finding::DefaultBranchNotSet { .. }), "{not_set:?}");
}
