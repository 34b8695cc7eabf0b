//! Every refusal of a push that GitHub words, and what becomes of it: the kind, the remedy, the exit
//! code, and whether another sync may help.

use synchroniser::base::NoProgress;
use synchroniser::git::destination::{self, RefResult, RefUpdate, RefusalKind, Target};

use super::*;
use crate::destination::History;
use crate::support::github::Refusal;

const MASTER: &str = "refs/heads/master";

/// A row: what is said to people, the reason for the ref, and what it is.
struct Row {
    lines: &'static [&'static str],
    reason: &'static str,
    kind: RefusalKind,
    fault: Fault,
    /// In the hint.
    remedy: &'static str,
}

const fn row(
    lines: &'static [&'static str],
    reason: &'static str,
    kind: RefusalKind,
    fault: Fault,
    remedy: &'static str,
) -> Row {
    Row { lines, reason, kind, fault, remedy }
}

const HOOK: &str = "pre-receive hook declined";
const PROTECTED: &str = "protected branch hook declined";
const RULES: &str = "push declined due to repository rule violations";

/// In the order of GitHub's codes, then those without one.
const ROWS: [Row; 30] = [
    row(
        &[
            "error: GH001: Large files detected. You may want to try Git Large File Storage - https://git-lfs.github.com.",
            "error: Trace: 0123456789abcdef",
            "error: See https://gh.io/lfs for more information.",
            "error: File big.bin is 120.50 MB; this exceeds GitHub's file size limit of 100.00 MB",
        ],
        HOOK,
        RefusalKind::TooLarge,
        Fault::Refused,
        "the server takes no file of that size",
    ),
    row(
        &[
            "error: GH002: Sorry, branch or tag names consisting of 40 hex characters are not allowed.",
            "error: Invalid branch or tag name \"0123456789012345678901234567890123456789\"",
        ],
        HOOK,
        RefusalKind::BadName,
        Fault::Refused,
        "rename",
    ),
    row(
        &["error: GH003: Sorry, force-pushing to master is not allowed."],
        HOOK,
        RefusalKind::ForcePush,
        Fault::Refused,
        "force",
    ),
    row(
        &["error: GH005: Sorry, refs longer than 255 bytes are not allowed"],
        HOOK,
        RefusalKind::BadName,
        Fault::Refused,
        "rename",
    ),
    row(
        &[
            "error: GH006: Protected branch update failed for refs/heads/master.",
            "error: At least one approved review is required by reviewers with write access.",
        ],
        PROTECTED,
        RefusalKind::Protected,
        Fault::Refused,
        "push past the rule",
    ),
    row(
        &[
            "error: GH006: Protected branch update failed for refs/heads/master.",
            "error: Cannot force-push to a protected branch",
        ],
        PROTECTED,
        RefusalKind::ForcePush,
        Fault::Refused,
        "force",
    ),
    row(
        &[
            "error: GH006: Protected branch update failed for refs/heads/master.",
            "error: Cannot delete a protected branch",
        ],
        PROTECTED,
        RefusalKind::Protected,
        Fault::Refused,
        "push past the rule",
    ),
    row(
        &[
            "error: GH006: Protected branch update failed for refs/heads/master.",
            "error: Required status check \"ci\" is expected.",
        ],
        PROTECTED,
        RefusalKind::Protected,
        Fault::Refused,
        "push past the rule",
    ),
    row(
        &[
            "error: GH007: Your push would publish a private email address.",
            "You can make your email public or disable this protection by visiting:",
            "http://github.com/settings/emails",
        ],
        "push declined due to email privacy restrictions",
        RefusalKind::PrivateEmail,
        Fault::Refused,
        "map it to another one",
    ),
    row(
        &["error: GH008: Your push referenced at least 2 unknown Git LFS objects:"],
        HOOK,
        RefusalKind::LfsMissing,
        Fault::Refused,
        "Git LFS",
    ),
    row(
        &["error: GH009: Secrets detected! This push failed."],
        RULES,
        RefusalKind::Secret,
        Fault::Refused,
        "found a secret",
    ),
    row(
        &[
            "error: GH013: Repository rule violations found for refs/heads/master.",
            "- GITHUB PUSH PROTECTION",
            "  - Push cannot contain secrets",
            "    https://github.com/acme/rocket/security/secret-scanning/unblock-secret/2abc",
        ],
        RULES,
        RefusalKind::Secret,
        Fault::Refused,
        "found a secret",
    ),
    row(
        &[
            "error: GH013: Repository rule violations found for refs/heads/master.",
            "- Changes must be made through a pull request.",
        ],
        RULES,
        RefusalKind::Protected,
        Fault::Refused,
        "push past the rule",
    ),
    row(&[], RULES, RefusalKind::Protected, Fault::Refused, "push past the rule"),
    row(&[], "deny updating a hidden ref", RefusalKind::BadName, Fault::Refused, "name"),
    row(
        &[],
        "refusing to allow a Personal Access Token to create or update workflow `.github/workflows/x.yml` without `workflow` scope",
        RefusalKind::Workflow,
        Fault::Auth,
        "`workflow` scope",
    ),
    row(
        &[],
        "refusing to allow an OAuth App to create or update workflow `.github/workflows/x.yml` without `workflow` scope",
        RefusalKind::Workflow,
        Fault::Auth,
        "`workflow` scope",
    ),
    row(
        &[],
        "refusing to allow a GitHub App to create or update workflow `.github/workflows/x.yml` without `workflows` permission",
        RefusalKind::Workflow,
        Fault::Auth,
        "workflows",
    ),
    row(
        &["fatal error in commit_refs"],
        "failure",
        RefusalKind::ServerFailed,
        Fault::Unavailable,
        "later",
    ),
    row(&[], "non-fast-forward", RefusalKind::ForcePush, Fault::Refused, "force-push"),
    row(&[], "fetch first", RefusalKind::Raced, Fault::Unavailable, "sync again"),
    row(&[], "stale info", RefusalKind::Raced, Fault::Unavailable, "sync again"),
    row(
        &[],
        "cannot lock ref 'refs/heads/master': is at 1 but expected 2",
        RefusalKind::Raced,
        Fault::Unavailable,
        "sync again",
    ),
    row(
        &[
            "error: cannot lock ref 'refs/heads/master': Unable to create '/data/master.lock': File exists.",
        ],
        "failed to update ref",
        RefusalKind::Locked,
        Fault::Unavailable,
        "wait",
    ),
    row(
        &["GitLab: You are not allowed to push code to protected branches on this project."],
        HOOK,
        RefusalKind::Protected,
        Fault::Refused,
        "push past the rule",
    ),
    row(
        &["GitLab: You are not allowed to force push code to a protected branch on this project."],
        HOOK,
        RefusalKind::ForcePush,
        Fault::Refused,
        "force",
    ),
    row(
        &["remote: error: hook timed out"],
        "pre-receive hook execution timed out",
        RefusalKind::ServerFailed,
        Fault::Unavailable,
        "later",
    ),
    row(&["Internal Server Error"], HOOK, RefusalKind::ServerFailed, Fault::Unavailable, "later"),
    row(
        &["fatal: pack exceeds maximum allowed size"],
        "unpacker error",
        RefusalKind::TooLarge,
        Fault::Refused,
        "size",
    ),
    row(&["no thanks"], HOOK, RefusalKind::HookDeclined, Fault::Refused, "a hook at the target"),
];

/// Faults in objects that GitHub's `index-pack` refuses, and what it says.
const UNPACK: [&str; 5] = [
    "error: object 8aa2b75f5a4d1ae5a4ddd1bb81bd0f4a3c9e62d4: badTimezone: invalid author/committer line - bad time zone",
    "error: object 8aa2b75f5a4d1ae5a4ddd1bb81bd0f4a3c9e62d4: zeroPaddedFilemode: contains zero-padded file modes",
    "error: object 8aa2b75f5a4d1ae5a4ddd1bb81bd0f4a3c9e62d4: hasDotgit: contains '.git'",
    "error: object 8aa2b75f5a4d1ae5a4ddd1bb81bd0f4a3c9e62d4: missingEmail: invalid author/committer line - missing email",
    "error: object 8aa2b75f5a4d1ae5a4ddd1bb81bd0f4a3c9e62d4: badDate: invalid author/committer line - bad date",
];

impl Place {
    /// Pushes a new branch.
    fn push(&self) -> Result<RefResult, destination::PublishError> {
        let history = History::new();
        let update =
            RefUpdate { name: MASTER.to_owned(), old: None, new: Some(history.commit("a", &[])) };
        let target = Target::new(self.target.clone(), self.access.clone());
        let mut destination = destination::open(&target, &history.path())?;
        let outcomes = destination.push(&[update], &NoProgress, &Interrupt::default());
        Ok(outcomes?.remove(0).result)
    }

    fn refuse(&self, lines: &[&str], reason: &str) {
        self.github.state().refusal = Some(Refusal {
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            refs: vec![(MASTER.to_owned(), reason.to_owned())],
            unpack: None,
        });
    }
}

#[test]
fn every_refusal_has_its_kind_its_class_and_its_remedy() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    for Row { lines, reason, kind, fault, remedy } in &ROWS {
        place.refuse(lines, reason);
        let RefResult::Refused { kind: found, reason: said } = place.push().unwrap() else {
            panic!("{reason}: not refused");
        };
        assert_eq!(found, *kind, "{reason}: {lines:?}");
        assert_eq!(found.fault(), *fault, "{reason}: {lines:?}");
        assert!(found.hint().contains(remedy), "{reason}: {lines:?}: {}", found.hint());
        // What the server says is shown, and so is the address at which a person can allow it.
        assert!(said.starts_with(reason), "{said}");
        for line in *lines {
            assert!(said.contains(line.trim()), "{said}");
        }
    }
    place.github.state().refusal = None;
    assert_eq!(place.push().unwrap(), RefResult::Created);
}

#[test]
fn faults_in_objects_are_ours() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    for line in UNPACK {
        place.github.state().refusal = Some(Refusal {
            lines: vec![line.to_owned(), "fatal: fsck error in packed object".to_owned()],
            refs: Vec::new(),
            unpack: Some("index-pack abnormal exit".to_owned()),
        });
        let error = place.push().unwrap_err();
        assert_eq!(error.fault(), Fault::Refused, "{line}");
        assert!(error.to_string().contains(line), "{error}");
        assert!(error.hint().unwrap().contains("broken or incomplete"), "{:?}", error.hint());
    }
}

/// Secrets are quoted by GitHub in no message, and tokens by nobody here.
#[test]
fn what_looks_like_a_token_in_a_refusal_is_not_shown() {
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.refuse(&["error: found ghp_0123456789abcdefghij01234567890abcde in a.txt:1"], HOOK);
    let RefResult::Refused { reason, .. } = place.push().unwrap() else { panic!("not refused") };
    assert_eq!(reason, format!("{HOOK}: error: found [secret] in a.txt:1"));
}

/// What the server says before Git begins.
#[test]
fn every_answer_of_the_server_has_its_class() {
    let fixed = |status, body: &str| Fixed {
        of: "git GET",
        status,
        headers: vec![("Content-Type", "text/plain".to_owned())],
        body: body.to_owned(),
    };
    for (answer, fault, said) in [
        (fixed(404, "Repository not found.\n"), Fault::Auth, "find http://"),
        (
            fixed(403, "Permission to acme/rocket.git denied to mirror-bot.\n"),
            Fault::Auth,
            "get permission to push",
        ),
        (
            fixed(403, "This repository was archived so it is read-only.\n"),
            Fault::Auth,
            "get permission to push",
        ),
        (fixed(451, ""), Fault::Auth, "get permission to push"),
        (fixed(429, ""), Fault::Unavailable, "the server cannot do it now"),
        (fixed(500, ""), Fault::Unavailable, "the server cannot do it now"),
        (fixed(502, ""), Fault::Unavailable, "the server cannot do it now"),
        (fixed(503, ""), Fault::Unavailable, "the server cannot do it now"),
    ] {
        let place = Place::new();
        place.github.repo_of_bot("acme/rocket");
        let shown = format!("{} {}", answer.status, answer.body);
        place.github.state().fixed = vec![answer];
        let error = place.push().unwrap_err();
        assert_eq!(error.fault(), fault, "{shown}: {error}");
        assert!(error.to_string().contains(said), "{shown}: {error}");
        assert_eq!(error.side(), Side::Target);
    }
    let place = Place::new();
    place.github.repo_of_bot("acme/rocket");
    place.github.state().tokens.clear();
    let error = place.push().unwrap_err();
    assert_eq!(error.fault(), Fault::Auth);
    assert!(error.to_string().contains("the credential was rejected"), "{error}");
}
