//! Who may look, and who may ask: tokens with scopes, sessions of browsers, forms from our own pages.
//!
//! Programs send a token with each request. A person gives one to `/login`, and the browser gets the id of
//! a session, which ends with its token, or after half a day. Sessions are kept where all daemons find them
//! that share a queue, and else in memory; what is kept of one is hashes, of which no session can be made.
//! A form counts only if it comes from a page of ours: the browser says so, and the form has a value that
//! other pages cannot read. It follows from the id of the session, so that any daemon can check it.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use warp::http::{HeaderMap, header};

use super::answer::Answer;
use super::guesses::{Given, Guesses};
use super::problem::Problem;
use super::request::Request;
use super::routes::{Kind, Need, Route};
use crate::base::hex;
use crate::base::time::Timestamp;
use crate::config::{Read, Scope, StoredToken, WebAccess};
use crate::hook::hmac_sha256;
use crate::queue::{Session, Sessions, StoreError};
use crate::service::view::ServiceError;

/// How long a session lasts.
const SESSION: Duration = Duration::from_hours(12);
/// How many sessions one token has at most; the one that was used longest ago ends when there is one too many.
const SESSIONS: usize = 100;
/// How many bytes the id of a session has.
const ID: usize = 16;
/// How often it is noted that a session is used.
const NOTED: Duration = Duration::from_mins(5);
/// The cookie of a session, which browsers send over encrypted connections alone.
const COOKIE: &str = "__Host-synchroniser";
/// The same on this very machine, where there is no encryption.
const LOOPBACK_COOKIE: &str = "synchroniser";

/// Who sent a request.
#[derive(Clone, Debug, Default)]
pub(super) struct Visitor {
    /// What the token is for that the request or its session has.
    scope: Option<Scope>,
    /// The value that forms need, if this is a session.
    pub(super) form: Option<String>,
    /// By what the session is known, if this is one.
    session: Option<[u8; 32]>,
    /// Whether whoever reaches us may look.
    open: bool,
}

impl Visitor {
    /// Whether this is enough for what `need` says.
    pub(super) fn may(&self, need: Need) -> bool {
        match need {
            Need::Nothing => true,
            Need::AnyToken => self.open || self.scope.is_some(),
            Need::Read => self.open || matches!(self.scope, Some(Scope::Read | Scope::Admin)),
            Need::Trigger => matches!(self.scope, Some(Scope::Trigger | Scope::Admin)),
            Need::Admin => self.scope == Some(Scope::Admin),
        }
    }

    /// Whether a session is open.
    pub(super) fn has_session(&self) -> bool {
        self.form.is_some()
    }
}

/// A session whose token is known.
struct Open {
    known_by: [u8; 32],
    form: String,
    scope: Scope,
}

/// The rules in force.
pub(super) struct Access {
    rules: RwLock<WebAccess>,
    pub(super) guesses: Guesses,
}

/// Why nobody was logged in.
pub(super) enum NotLoggedIn {
    /// The token opens nothing.
    Denied(Denied),
    /// Nothing can be kept of a session now.
    Store(StoreError),
}

/// Why a token opens nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// There is none, or none that is known, or it is for something else.
    NoToken,
    /// It was not looked at: too many that are not known came from there. After this time one is.
    Later(Duration),
}

impl Access {
    pub(super) fn new(rules: WebAccess) -> Self {
        Self { rules: RwLock::new(rules), guesses: Guesses::default() }
    }

    pub(super) fn set(&self, rules: WebAccess) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// What a token is for that `from` has given.
    fn tried(
        &self,
        token: &str,
        from: IpAddr,
        given: Given,
        now: Timestamp,
    ) -> Result<StoredToken, Denied> {
        self.guesses.may_try(from, given, now).map_err(Denied::Later)?;
        let sent = hash(token);
        let Some(token) = self.token(|known| is_same(known, &sent)) else {
            self.guesses.failed(from, given, now);
            return Err(Denied::NoToken);
        };
        Ok(token)
    }

    /// The token whose hash is the one.
    fn token(&self, is_it: impl Fn(&[u8; 32]) -> bool) -> Option<StoredToken> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for stored in &rules.tokens {
            if is_it(&stored.sha256) {
                found = Some(stored.clone());
            }
        }
        found
    }

    /// Lets a request pass, or says what it gets instead. May block for as long as a look at `sessions` takes.
    pub(super) fn admit(
        &self,
        request: &Request,
        route: &Route,
        sessions: &dyn Sessions,
        now: Timestamp,
    ) -> Result<Visitor, Answer> {
        let refuse = |problem: Problem| problem.answer(route.is_page());
        let visitor = self.visitor(request, route, sessions, now).map_err(refuse)?;
        if !visitor.may(route.need) {
            let knows_nobody = visitor.scope.is_none();
            return Err(match (knows_nobody, route.kind) {
                (true, Kind::Page) => Answer::see_other(login_path(request)),
                (true, _) => refuse(Problem::unauthorised(
                    "Send a token in the header: Authorization: Bearer TOKEN.",
                )),
                (false, _) => refuse(Problem::forbidden(
                    "The token that was given is for something else. A token with the scope \
                     \"admin\" may do everything.",
                )),
            });
        }
        if route.kind == Kind::Page && route.is_change() {
            check_form(request, &visitor, route.need).map_err(refuse)?;
        }
        Ok(visitor)
    }

    /// Whether whoever sends these headers from there may look.
    pub(super) fn may_read(
        &self,
        headers: &HeaderMap,
        from: IpAddr,
        now: Timestamp,
    ) -> Result<(), Denied> {
        if self.rules.read().unwrap_or_else(PoisonError::into_inner).read == Read::Open {
            return Ok(());
        }
        let sent = headers.get(header::AUTHORIZATION).and_then(|sent| sent.to_str().ok());
        let token = sent.and_then(bearer).ok_or(Denied::NoToken)?;
        match self.tried(token, from, Given::Header, now)?.scope {
            Scope::Read | Scope::Admin => Ok(()),
            Scope::Trigger => Err(Denied::NoToken),
        }
    }

    /// Who sends this.
    fn visitor(
        &self,
        request: &Request,
        route: &Route,
        sessions: &dyn Sessions,
        now: Timestamp,
    ) -> Result<Visitor, Problem> {
        if request.is_admin {
            return Ok(Visitor { scope: Some(Scope::Admin), open: true, ..Visitor::default() });
        }
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let open = rules.read == Read::Open;
        drop(rules);
        if let Some(sent) = request.headers.get(header::AUTHORIZATION) {
            let token = sent.to_str().ok().and_then(bearer).ok_or(Denied::NoToken);
            let tried = token.and_then(|it| self.tried(it, request.from, Given::Header, now));
            let token = tried.map_err(|denied| match denied {
                Denied::NoToken => Problem::unauthorised("The token that was sent is not known."),
                Denied::Later(wait) => Problem::too_many_guesses(wait),
            })?;
            return Ok(Visitor { scope: Some(token.scope), open, ..Visitor::default() });
        }
        // A cookie is sent by the browser whoever made the request, so it changes nothing by itself. And what
        // everybody gets alike is nobody's session's concern.
        let is_for_nobody = match route.kind {
            Kind::Api => route.is_change(),
            Kind::File => route.need == Need::Nothing,
            Kind::Page => false,
        };
        let session = match is_for_nobody {
            true => None,
            false => self.session(request, sessions, now).map_err(ServiceError::Queue)?,
        };
        Ok(match session {
            Some(Open { known_by, form, scope }) => {
                Visitor { scope: Some(scope), form: Some(form), session: Some(known_by), open }
            }
            None => Visitor { open, ..Visitor::default() },
        })
    }

    /// The session that a request belongs to. With its token, it ends.
    fn session(
        &self,
        request: &Request,
        sessions: &dyn Sessions,
        now: Timestamp,
    ) -> Result<Option<Open>, StoreError> {
        let plain = request.is_loopback().then(|| request.cookie(LOOPBACK_COOKIE)).flatten();
        // Whatever else is sent is not worth a question.
        let id = request
            .cookie(COOKIE)
            .or(plain)
            .filter(|id| hex::decode::<ID>(id.as_bytes()).is_some());
        let Some(id) = id else { return Ok(None) };
        let known_by = hash(id);
        let Some(session) = sessions.find(&known_by)? else { return Ok(None) };
        if session.made.after(SESSION) <= now {
            return Ok(None);
        }
        let is_it = |token: &[u8; 32]| is_same(&proof(token, id), &session.proof);
        let Some(StoredToken { sha256: token, scope, .. }) = self.token(is_it) else {
            return Ok(None);
        };
        if now.since(session.used) >= NOTED
            && let Err(error) = sessions.note_use(&known_by, now)
        {
            tracing::debug!("that a session is used was not noted: {error}");
        }
        Ok(Some(Open { known_by, form: form(&token, id), scope }))
    }

    /// Opens a session for who knows `token`: the header that sets its cookie.
    pub(super) fn log_in(
        &self,
        request: &Request,
        token: &str,
        sessions: &dyn Sessions,
        now: Timestamp,
    ) -> Result<String, NotLoggedIn> {
        let tried = self.tried(token, request.from, Given::Form, now);
        let token = tried.map_err(NotLoggedIn::Denied)?.sha256;
        let id = random();
        let session = Session {
            id: hash(&id),
            holder: holder(&token),
            proof: proof(&token, &id),
            made: now,
            used: now,
        };
        sessions.open(&session, SESSIONS).map_err(NotLoggedIn::Store)?;
        Ok(cookie(request, &id, SESSION))
    }

    /// Ends the session that a request belongs to: the header that removes its cookie.
    pub(super) fn log_out(
        request: &Request,
        visitor: &Visitor,
        sessions: &dyn Sessions,
    ) -> Result<String, StoreError> {
        if let Some(session) = &visitor.session {
            sessions.close(session)?;
        }
        Ok(cookie(request, "", Duration::ZERO))
    }

    /// Forgets the sessions that are over.
    pub(super) fn expire(sessions: &dyn Sessions, now: Timestamp) -> Result<(), StoreError> {
        sessions.expire(now.before(SESSION))
    }
}

/// The token in an `Authorization` header.
pub(super) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Compares without telling by the time that it takes where the difference is.
fn is_same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// What all sessions have in common of the token with this hash: nothing by which it could be found.
fn holder(token: &[u8; 32]) -> [u8; 32] {
    hmac_sha256(token, &[b"holder of sessions"])
}

/// What shows that a session was opened with the token that has this hash. Who knows the id alone cannot make it, nor
/// who knows the token alone.
fn proof(token: &[u8; 32], id: &str) -> [u8; 32] {
    hmac_sha256(token, &[b"session ", id.as_bytes()])
}

/// The value that forms of a session have, by which its id cannot be found.
fn form(token: &[u8; 32], id: &str) -> String {
    hex::encode(&hmac_sha256(token, &[b"form ", id.as_bytes()]))
}

/// An id that cannot be guessed, as hex.
fn random() -> String {
    let mut bits = [0; ID];
    getrandom::fill(&mut bits).expect("a system that can encrypt has random bits");
    hex::encode(&bits)
}

/// Where to log in, and to come back from there.
fn login_path(request: &Request) -> String {
    if request.method != warp::http::Method::GET {
        return "/login".to_owned();
    }
    let next = match request.query.as_str() {
        "" => request.path.clone(),
        query => format!("{}?{query}", request.path),
    };
    format!("/login?next={}", super::paging::escape(&next))
}

/// Whether a form was sent by a page of ours: browsers say which site a request comes from, and older ones
/// at least from which origin.
fn check_form(request: &Request, visitor: &Visitor, need: Need) -> Result<(), Problem> {
    let is_ours = match request.header("sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => request
            .header("origin")
            .and_then(|it| it.split_once("://"))
            .is_some_and(|(_, authority)| authority == request.host()),
    };
    if !is_ours {
        return Err(Problem::forbidden(
            "This form was not sent by a page of this service, or the browser does not say so.",
        ));
    }
    let sent = request.field("form").unwrap_or_default();
    let is_known = visitor.form.as_ref().is_some_and(|it| is_same(it.as_bytes(), sent.as_bytes()));
    // Who logs in has no session yet, and so no value that the form could have.
    match is_known || need == Need::Nothing {
        true => Ok(()),
        false => Err(Problem::forbidden(
            "This form is out of date. Go back, load the page again, and send it once more.",
        )),
    }
}

/// Whether the browser talks to us, or to a proxy before us, without encryption, as its form says.
pub(super) fn is_unencrypted(request: &Request) -> bool {
    let origin = request.header("origin").unwrap_or("https://");
    !origin.starts_with("https://") && !request.is_loopback()
}

fn cookie(request: &Request, value: &str, age: Duration) -> String {
    let is_plain = request.is_loopback()
        && !request.header("origin").unwrap_or_default().starts_with("https://");
    let (name, secure) = match is_plain {
        true => (LOOPBACK_COOKIE, ""),
        false => (COOKIE, "; Secure"),
    };
    let age = age.as_secs();
    format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scope_is_for_what_it_says() {
        use Need::{Admin, AnyToken, Nothing, Read, Trigger};
        let needs = [Nothing, AnyToken, Read, Trigger, Admin];
        for (open, scope, expected) in [
            (false, None, [true, false, false, false, false]),
            (true, None, [true, true, true, false, false]),
            (false, Some(Scope::Read), [true, true, true, false, false]),
            (false, Some(Scope::Trigger), [true, true, false, true, false]),
            (true, Some(Scope::Trigger), [true, true, true, true, false]),
            (false, Some(Scope::Admin), [true, true, true, true, true]),
        ] {
            let visitor = Visitor { scope, open, ..Visitor::default() };
            assert_eq!(needs.map(|need| visitor.may(need)), expected, "{open} {scope:?}");
        }
    }

    #[test]
    fn tokens_are_read_from_their_header() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc "), Some("abc"));
        assert_eq!(bearer("Basic abc"), None);
        assert_eq!(bearer("Bearer"), None);
        assert!(is_same(b"ab", b"ab") && !is_same(b"ab", b"ac") && !is_same(b"ab", b"abc"));
        assert_ne!(random(), random());
    }
}
