//! Who may look, and who may ask: tokens with scopes, sessions of browsers, forms from our own pages.
//!
//! Programs send a token with each request. A person gives one to `/login`, and the browser gets the id of
//! a session; sessions live in memory, and end with the process, with their token, or after half a day.
//! A form counts only if it comes from a page of ours: the browser says so, and the form has a value that
//! other pages cannot read.

use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
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
use crate::config::{Read, Scope, WebAccess};

/// How long a session lasts.
const SESSION: Duration = Duration::from_hours(12);
/// How many sessions there are at most; the oldest ends when there is one too many.
const SESSIONS: usize = 1000;
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

/// A browser that has logged in.
#[derive(Clone, Debug)]
struct Session {
    id: String,
    form: String,
    token: [u8; 32],
    until: Timestamp,
}

/// The rules in force, and the sessions.
pub(super) struct Access {
    rules: RwLock<WebAccess>,
    sessions: Mutex<Vec<Session>>,
    guesses: Guesses,
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
        Self { rules: RwLock::new(rules), sessions: Mutex::default(), guesses: Guesses::default() }
    }

    pub(super) fn set(&self, rules: WebAccess) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    fn sessions(&self) -> MutexGuard<'_, Vec<Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a token is for that `from` has given.
    fn tried(
        &self,
        token: &str,
        from: IpAddr,
        given: Given,
        now: Timestamp,
    ) -> Result<([u8; 32], Scope), Denied> {
        self.guesses.may_try(from, given, now).map_err(Denied::Later)?;
        let token = hash(token);
        let Some(scope) = self.scope(&token) else {
            self.guesses.failed(from, given, now);
            return Err(Denied::NoToken);
        };
        Ok((token, scope))
    }

    /// What the token with this hash is for.
    fn scope(&self, token: &[u8; 32]) -> Option<Scope> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for stored in &rules.tokens {
            if is_same(&stored.sha256, token) {
                found = Some(stored.scope);
            }
        }
        found
    }

    /// Lets a request pass, or says what it gets instead.
    pub(super) fn admit(
        &self,
        request: &Request,
        route: &Route,
        now: Timestamp,
    ) -> Result<Visitor, Answer> {
        let refuse = |problem: Problem| problem.answer(route.is_page());
        let visitor = self.visitor(request, route, now).map_err(refuse)?;
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
        match self.tried(token, from, Given::Header, now)? {
            (_, Scope::Read | Scope::Admin) => Ok(()),
            (_, Scope::Trigger) => Err(Denied::NoToken),
        }
    }

    /// Who sends this.
    fn visitor(
        &self,
        request: &Request,
        route: &Route,
        now: Timestamp,
    ) -> Result<Visitor, Problem> {
        if request.is_admin {
            return Ok(Visitor { scope: Some(Scope::Admin), form: None, open: true });
        }
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let open = rules.read == Read::Open;
        drop(rules);
        if let Some(sent) = request.headers.get(header::AUTHORIZATION) {
            let token = sent.to_str().ok().and_then(bearer).ok_or(Denied::NoToken);
            let tried = token.and_then(|it| self.tried(it, request.from, Given::Header, now));
            let (_, scope) = tried.map_err(|denied| match denied {
                Denied::NoToken => Problem::unauthorised("The token that was sent is not known."),
                Denied::Later(wait) => Problem::too_many_guesses(wait),
            })?;
            return Ok(Visitor { scope: Some(scope), form: None, open });
        }
        // A cookie is sent by the browser whoever made the request, so it changes nothing by itself.
        let session = match route.kind == Kind::Api && route.is_change() {
            true => None,
            false => self.session(request, now),
        };
        Ok(match session {
            Some((session, scope)) => {
                Visitor { scope: Some(scope), form: Some(session.form), open }
            }
            None => Visitor { scope: None, form: None, open },
        })
    }

    fn session(&self, request: &Request, now: Timestamp) -> Option<(Session, Scope)> {
        let plain = request.is_loopback().then(|| request.cookie(LOOPBACK_COOKIE)).flatten();
        let id = request.cookie(COOKIE).or(plain)?;
        let sessions = self.sessions();
        let session = sessions
            .iter()
            .find(|it| is_same(it.id.as_bytes(), id.as_bytes()) && it.until > now)?
            .clone();
        drop(sessions);
        let scope = self.scope(&session.token)?;
        Some((session, scope))
    }

    /// Opens a session for who knows `token`: the header that sets its cookie.
    pub(super) fn log_in(
        &self,
        request: &Request,
        token: &str,
        now: Timestamp,
    ) -> Result<String, Denied> {
        let (token, _) = self.tried(token, request.from, Given::Form, now)?;
        let session = Session { id: random(), form: random(), token, until: now.after(SESSION) };
        let cookie = cookie(request, &session.id, SESSION);
        let mut sessions = self.sessions();
        sessions.retain(|it| it.until > now);
        if sessions.len() >= SESSIONS {
            sessions.remove(0);
        }
        sessions.push(session);
        Ok(cookie)
    }

    /// Ends the session that a request belongs to: the header that removes its cookie.
    pub(super) fn log_out(&self, request: &Request, visitor: &Visitor) -> String {
        self.sessions().retain(|it| visitor.form.as_ref() != Some(&it.form));
        cookie(request, "", Duration::ZERO)
    }
}

/// The token in an `Authorization` header.
fn bearer(header: &str) -> Option<&str> {
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

/// 128 bits that cannot be guessed, as hex.
fn random() -> String {
    let mut bits = [0; 16];
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
            let visitor = Visitor { scope, form: None, open };
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
