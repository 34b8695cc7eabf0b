//! What libgit2's errors mean for a push over the network.
//!
//! libgit2 knows what happened but says it in few codes and some prose; each phrase that is looked
//! for here is provoked by a test against a real server in `tests/it/oracle_destination.rs`.

use git2::{ErrorClass, ErrorCode};

use super::credential::TOKEN_USER;
use super::remote_text::clean;
use super::session::{Failure, LoginProblem, Session, State};
use super::{PublishError, RefusalKind, Said, Target, refusal};
use crate::base::Interrupted;
use crate::base::text::printable;
use crate::git::pack::OutgoingError;
use crate::net::{NetError, SecretSource, TokenSource};

/// Turns the end of a session into the error that says what to do.
pub(super) fn explain(failure: Failure, target: &Target, session: &Session) -> PublishError {
    let address = target.url.to_string();
    let mut state = session.state();
    if let Some(known) = known_cause(&mut state, target) {
        return known;
    }
    let credential = &session.credential;
    let lines = state.text.lines(credential);
    let refused = |reason: String, otherwise: Option<RefusalKind>| {
        let kind = match refusal::classify("", &reason, &lines) {
            RefusalKind::Other | RefusalKind::ServerFailed => otherwise?,
            kind => kind,
        };
        Some(PublishError::PackRefused { target: target.url.to_string(), kind, reason })
    };
    let unintelligible = |problem: &str| PublishError::Unintelligible {
        target: target.url.to_string(),
        source: Said(problem.to_owned()),
    };
    let summary = state.text.summary(credential);
    match failure {
        Failure::Interrupted => PublishError::Interrupted(Interrupted),
        Failure::Pack(OutgoingError::Interrupted(error)) => PublishError::Interrupted(error),
        Failure::Pack(error) => PublishError::Outgoing(error),
        Failure::BrokenText => unintelligible("it sends text that is not UTF-8"),
        Failure::Unintelligible(problem) => unintelligible(problem),
        Failure::NotUnpacked(reason) => {
            let reason = clean(&reason, credential);
            let reason = if summary.is_empty() { reason } else { summary };
            let kind = RefusalKind::BadObjects;
            refused(reason.clone(), Some(kind)).unwrap_or(PublishError::PackRefused {
                target: address,
                kind,
                reason,
            })
        }
        Failure::Fatal(words) => {
            let words = clean(&String::from_utf8_lossy(&words), credential);
            let all =
                if summary.is_empty() { words.clone() } else { format!("{words}: {summary}") };
            refused(all, None).unwrap_or_else(|| by_words(address, Said(words)))
        }
        // What it said to people before it hung up may be the reason.
        failure => refused(summary, None).unwrap_or_else(|| match failure {
            Failure::Connection(error) => by_connection(error, address),
            Failure::Error(error) => {
                let words = clean(&session.line.refusal(), credential);
                let said =
                    if words.is_empty() { clean(error.message(), credential) } else { words };
                classify(&error, target, Said(said))
            }
            _ => PublishError::Unreachable {
                target: address,
                source: Said("the connection ends before the answer".to_owned()),
            },
        }),
    }
}

/// What it means that a connection could not be made, or broke.
fn by_connection(error: NetError, target: String) -> PublishError {
    match error {
        NetError::Untrusted { said, .. } => {
            PublishError::Certificate { target, source: Said(said.as_str().to_owned()) }
        }
        NetError::Unreachable { said, .. } | NetError::Cut { said, .. } => {
            PublishError::Unreachable { target, source: Said(said.as_str().to_owned()) }
        }
        NetError::Moved { target: elsewhere, .. } => {
            PublishError::Moved { target, source: Said(printable(elsewhere.as_bytes())) }
        }
        other => PublishError::Net(other),
    }
}

/// That a target does not accept what we showed it, and what to do: where the next one goes.
pub(super) fn rejected(target: &Target) -> PublishError {
    let token = target.access.token.as_ref();
    let place = match token.map(|token| &token.source) {
        Some(TokenSource::Variable(name)) => format!("the variable {name}"),
        Some(TokenSource::Stored(SecretSource::Credential { name, .. })) => {
            format!("the credential {name} of the unit")
        }
        Some(TokenSource::Stored(SecretSource::File(_))) => {
            "the file that `target.token_file` names".to_owned()
        }
        Some(TokenSource::Made(_)) => {
            let hint =
                "check that the app may write there: the next sync has a new token made".to_owned();
            return PublishError::Rejected { target: target.url.to_string(), hint };
        }
        None => "the file that `target.key_file` names".to_owned(),
    };
    let mut hint =
        format!("it may be wrong, expired or withdrawn: make a new one, and put it into {place}");
    let user = token.map(|token| token.user.as_deref().unwrap_or(TOKEN_USER));
    if user == Some(TOKEN_USER) {
        hint += &format!(
            ". We sent the user {TOKEN_USER} with it: if the server wants another, name it as `target.token_user`"
        );
    }
    PublishError::Rejected { target: target.url.to_string(), hint }
}

/// What our own callbacks found out is more exact than what libgit2 makes of it.
fn known_cause(state: &mut State, target: &Target) -> Option<PublishError> {
    let address = || target.url.to_string();
    if let Some(source) = state.host_key.take() {
        return Some(PublishError::HostKey { target: address(), source: Box::new(source) });
    }
    Some(match state.login? {
        LoginProblem::NothingConfigured => PublishError::NoCredential { target: address() },
        LoginProblem::Rejected => rejected(target),
        LoginProblem::WrongKind => {
            let expected = "another kind of credential";
            PublishError::WrongCredential { target: address(), expected }
        }
    })
}

/// What libgit2's error means.
fn classify(error: &git2::Error, to: &Target, source: Said) -> PublishError {
    let (text, target) = (error.message(), to.url.to_string());
    if let Some(status) = http_status(text) {
        return by_status(status, target, source);
    }
    if text.contains("redirect") {
        return PublishError::Moved { target, source };
    }
    if text.contains("failed to authenticate SSH session") {
        return PublishError::UnusableKey { target, source };
    }
    match (error.class(), error.code()) {
        (_, ErrorCode::Certificate) | (ErrorClass::Ssl, _) => {
            PublishError::Certificate { target, source }
        }
        (_, ErrorCode::Auth) => rejected(to),
        // Over SSH the server's own words come as the message of an early end.
        (ErrorClass::Ssh, ErrorCode::Eof) => by_words(target, source),
        (ErrorClass::Net, _) if text.starts_with("remote error") => by_words(target, source),
        (ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssh, _) => {
            PublishError::Unreachable { target, source }
        }
        _ => PublishError::Unintelligible { target, source },
    }
}

/// The status in `unexpected http status code: 404`.
fn http_status(text: &str) -> Option<u16> {
    text.rsplit_once("http status code: ")?.1.trim().parse().ok()
}

/// What a web server's status means. 404 is also what forges say to those who may not read.
fn by_status(status: u16, target: String, source: Said) -> PublishError {
    match status {
        404 | 410 => PublishError::Missing { target, source },
        401 | 403 | 451 => PublishError::Denied { target, source },
        413 => PublishError::PackRefused {
            target,
            kind: RefusalKind::TooLarge,
            reason: "it is larger than the server takes".to_owned(),
        },
        408 | 429 | 500.. => PublishError::Busy { target, source },
        _ => PublishError::Unintelligible { target, source },
    }
}

/// What an SSH server means by its words. There is no code for it, and every forge has its own.
fn by_words(target: String, source: Said) -> PublishError {
    const MISSING: [&str; 5] =
        ["not found", "not exist", "not appear to be", "could not be found", "no such"];
    const DENIED: [&str; 8] = [
        "denied",
        "read only",
        "read-only",
        "not allowed",
        "no longer allowed",
        "not authorized",
        "permission",
        "saml sso",
    ];
    let text = source.0.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&MISSING) {
        PublishError::Missing { target, source }
    } else if has(&DENIED) {
        PublishError::Denied { target, source }
    } else {
        PublishError::Busy { target, source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault as _};
    use crate::net::{Access, Token};

    /// The hint where what `source` has, with this user, is not accepted.
    fn hint(user: Option<&str>, source: TokenSource) -> String {
        let token = Some(Token { user: user.map(str::to_owned), source });
        let access = Access { token, ..Access::default() };
        rejected(&Target { access, ..Target::local("/x") }).hint().unwrap()
    }

    #[test]
    fn a_credential_that_is_not_accepted_is_named_by_its_place_and_its_user() {
        let variable = || TokenSource::Variable("MIRROR_TOKEN".to_owned());
        let usual = hint(None, variable());
        assert!(usual.contains("into the variable MIRROR_TOKEN. We sent the user x-access-token"));
        assert!(usual.contains("`target.token_user`"), "{usual}");
        assert!(!hint(Some("mirror-bot"), variable()).contains("token_user"));
        let file = hint(Some("mirror-bot"), SecretSource::File("/x".into()).into());
        assert!(file.ends_with("the file that `target.token_file` names"), "{file}");
    }

    fn words(text: &str) -> Fault {
        by_words(String::new(), Said(text.to_owned())).fault()
    }

    #[test]
    fn what_forges_say_over_ssh() {
        for text in [
            "ERROR: Repository not found.",
            "ERROR: Permission to o/r.git denied to somebody.",
            "ERROR: The key you are authenticating with has been marked as read only.",
            "fatal: '/x' does not appear to be a git repository",
            "remote error: FATAL: W any x y DENIED by fallthru",
            "GitLab: The project you were looking for could not be found.",
            "ERROR: This repository was archived so it is read-only.",
            "ERROR: You're using an RSA key with SHA-1, which is no longer allowed.",
            "ERROR: The 'acme' organization has enabled or enforced SAML SSO. To access this \
             repository, you must use an SSH key that has been authorized for this organization.",
        ] {
            assert_eq!(words(text), Fault::Auth, "{text}");
        }
        assert_eq!(words("We are down for maintenance."), Fault::Unavailable);
    }

    #[test]
    fn statuses() {
        let fault = |text: &str| {
            let error = git2::Error::new(ErrorCode::GenericError, ErrorClass::Http, text);
            classify(&error, &Target::local("/x"), Said(text.to_owned())).fault()
        };
        assert_eq!(fault("unexpected http status code: 404"), Fault::Auth);
        assert_eq!(fault("unexpected http status code: 403"), Fault::Auth);
        assert_eq!(fault("unexpected http status code: 503"), Fault::Unavailable);
        assert_eq!(fault("unexpected http status code: 429"), Fault::Unavailable);
        assert_eq!(fault("unexpected redirect"), Fault::Config);
    }
}
