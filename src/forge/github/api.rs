//! Questions to the API: what is always sent, and what the answers have in common.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};

use super::answers::ProblemAnswer;
use crate::base::time::Timestamp;
use crate::base::{Interrupt, sha1};
use crate::forge::ForgeError;
use crate::net::error::Said;
use crate::net::http::{ApiAnswer, ApiClient, ApiRequest, Introduction};
use crate::net::{Access, NetError, SecretError, SourceUrl, TokenSource};

/// The version of the API (<https://docs.github.com/en/rest/about-the-rest-api/api-versions>).
const VERSION: &str = "2022-11-28";
/// How we introduce ourselves: GitHub refuses those who do not.
const INTRODUCTION: Introduction = Introduction {
    user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")),
    accept: "application/vnd.github+json",
};
/// For how long nothing is asked after an answer that says that it was too much, and not for how long.
const PAUSE: Duration = Duration::from_mins(1);
/// What the tokens of an app's installation begin with.
const OF_APP: &str = "ghs_";
/// What may stand in a path as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Until when an API is not asked, for each API and credential.
static PAUSED: Mutex<BTreeMap<[u8; 20], Timestamp>> = Mutex::new(BTreeMap::new());

/// A part of a path.
pub(super) fn escaped(part: &str) -> String {
    utf8_percent_encode(part, PLAIN).to_string()
}

/// What is asked.
pub(super) struct Question<'q> {
    pub(super) method: &'static str,
    /// Below the address of the API.
    pub(super) path: &'q str,
    /// What it is, as messages say it.
    pub(super) what: &'static str,
    /// The tag of an answer that need not be sent again.
    pub(super) tag: Option<&'q str>,
    pub(super) body: Option<&'q str>,
}

impl<'q> Question<'q> {
    /// A question that changes nothing.
    pub(super) fn get(path: &'q str, what: &'static str) -> Self {
        Self { method: "GET", path, what, tag: None, body: None }
    }
}

/// The API, asked with one credential.
pub(super) struct Api {
    client: ApiClient,
    base: String,
    token: Option<SecretString>,
    source: Option<TokenSource>,
    ends: Cell<Option<Timestamp>>,
    /// What the token may do, as the last answer told it.
    scopes: RefCell<Option<String>>,
}

impl Api {
    /// Reads the token.
    pub(super) fn open(
        base: &SourceUrl,
        access: &Access,
        source: Option<&TokenSource>,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let token = source.map(|source| source.token(interrupt)).transpose()?;
        let api = Self::with(base, access, token, interrupt)?;
        Ok(Self { source: source.cloned(), ..api })
    }

    /// Asks with this token.
    pub(super) fn with(
        base: &SourceUrl,
        access: &Access,
        token: Option<SecretString>,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let client = ApiClient::new(base, access, INTRODUCTION, interrupt)?;
        let (ends, scopes) = (Cell::new(None), RefCell::default());
        Ok(Self { client, base: base.to_string(), token, source: None, ends, scopes })
    }

    pub(super) fn is_anonymous(&self) -> bool {
        self.token.is_none()
    }

    /// Whether the token is one of an app's installation.
    pub(super) fn is_of_app(&self) -> bool {
        self.token.as_ref().is_some_and(|token| token.expose_secret().starts_with(OF_APP))
    }

    /// When the token ends, if an answer has told.
    pub(super) fn credential_ends(&self) -> Option<Timestamp> {
        self.ends.get()
    }

    /// Whether the token has this scope; `None` if it is of a kind that has none, as fine-grained
    /// tokens and those of apps, or if no answer has told
    /// (<https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps>).
    pub(super) fn has_scope(&self, scope: &str) -> Option<bool> {
        let scopes = self.scopes.borrow();
        Some(scopes.as_ref()?.split(',').any(|one| one.trim() == scope))
    }

    /// Asks. A renamed repository is followed to where it is; whatever else is no answer to the
    /// question is an error.
    pub(super) fn ask(&self, question: &Question<'_>) -> Result<ApiAnswer, ForgeError> {
        let mut answer = self.send(question, question.path)?;
        if question.method == "GET" && matches!(answer.status, 301 | 302 | 307 | 308) {
            let place = answer.header("location").unwrap_or_default().to_owned();
            answer = self.send(question, &place)?;
        }
        if let Some(ends) = answer.header("github-authentication-token-expiration") {
            self.ends.set(Timestamp::parse(ends));
        }
        if let Some(scopes) = answer.header("x-oauth-scopes").filter(|text| !text.trim().is_empty())
        {
            self.scopes.replace(Some(scopes.to_owned()));
        }
        match self.failure(&answer, question.what) {
            Some(error) => Err(error),
            None => Ok(answer),
        }
    }

    fn send(&self, question: &Question<'_>, path: &str) -> Result<ApiAnswer, ForgeError> {
        if let Some(until) = self.paused() {
            return Err(ForgeError::Limited { target: self.base.clone(), until: Some(until) });
        }
        let mut headers = vec![("X-GitHub-Api-Version", VERSION)];
        headers.extend(question.tag.map(|tag| ("If-None-Match", tag)));
        let request = ApiRequest {
            method: question.method,
            path,
            command: question.what,
            headers: &headers,
            bearer: self.token.as_ref(),
            body: question.body,
        };
        self.client.send(&request).map_err(|source| self.net(source))
    }

    /// What keeps an answer from being one, whatever was asked.
    fn failure(&self, answer: &ApiAnswer, what: &'static str) -> Option<ForgeError> {
        let target = self.base.clone();
        match answer.status {
            401 => {
                if let Some(TokenSource::Made(maker)) = &self.source {
                    maker.forget();
                }
                Some(ForgeError::Rejected { target, said: self.said(answer) })
            }
            403 | 429 if self.is_limit(answer) => {
                let until = self.pause(answer);
                Some(ForgeError::Limited { target, until: Some(until) })
            }
            403 => {
                let sso = answer.header("x-github-sso")?.strip_prefix("required")?;
                let page = sso.split_once("url=").map(|(_, page)| page.trim());
                let page = page.map(|page| Said::new(page.as_bytes()).as_str().to_owned());
                Some(ForgeError::SingleSignOn { target, page })
            }
            500.. => Some(self.net(NetError::Busy {
                url: self.base.clone(),
                command: what.to_owned(),
                said: self.said(answer),
                retry_after: seconds(answer, "retry-after").map(Duration::from_secs),
            })),
            301..=303 | 305..=399 => Some(self.unintelligible("it sends us in circles")),
            _ => None,
        }
    }

    /// Whether too much was asked.
    fn is_limit(&self, answer: &ApiAnswer) -> bool {
        answer.status == 429
            || answer.header("retry-after").is_some()
            || answer.header("x-ratelimit-remaining") == Some("0")
            || self.said(answer).as_str().to_ascii_lowercase().contains("rate limit")
    }

    /// Asks nothing more with this credential until the API wants to be asked again.
    fn pause(&self, answer: &ApiAnswer) -> Timestamp {
        let now = Timestamp::now();
        let after = seconds(answer, "retry-after").map(|wait| now.after(Duration::from_secs(wait)));
        let is_empty = answer.header("x-ratelimit-remaining") == Some("0");
        let reset = seconds(answer, "x-ratelimit-reset").filter(|_| is_empty);
        let reset = reset.and_then(|at| i64::try_from(at).ok()).map(Timestamp::from_seconds);
        let until = after.or(reset).unwrap_or_else(|| now.after(PAUSE));
        let mut paused = PAUSED.lock().unwrap_or_else(PoisonError::into_inner);
        paused.retain(|_, until| *until > now);
        paused.insert(self.key(), until);
        until
    }

    fn paused(&self) -> Option<Timestamp> {
        let paused = PAUSED.lock().unwrap_or_else(PoisonError::into_inner);
        paused.get(&self.key()).copied().filter(|until| *until > Timestamp::now())
    }

    /// Limits are of an API and a credential.
    fn key(&self) -> [u8; 20] {
        let token = self.token.as_ref().map(SecretString::expose_secret).unwrap_or_default();
        sha1::digest(&[self.base.as_bytes(), b" ", token.as_bytes()])
    }

    /// What the API says about a status that is no success.
    pub(super) fn said(&self, answer: &ApiAnswer) -> Said {
        let problem: ProblemAnswer = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = format!("{} (HTTP {})", problem.text(), answer.status);
        let token = self.token.as_ref().map(SecretString::expose_secret);
        Said::new(text.trim().as_bytes()).without(token)
    }

    /// That it refuses to answer or to do something.
    pub(super) fn refused(&self, answer: &ApiAnswer, what: &'static str) -> ForgeError {
        ForgeError::Refused { what, said: self.said(answer) }
    }

    /// That its answer is not valid.
    pub(super) fn unintelligible(&self, problem: &str) -> ForgeError {
        self.net(NetError::Unintelligible {
            url: self.base.clone(),
            command: "the API".to_owned(),
            problem: problem.to_owned(),
            said: Said::default(),
        })
    }

    fn net(&self, source: NetError) -> ForgeError {
        match source {
            NetError::Secret(error @ SecretError::Made { .. }) => ForgeError::Secret(error),
            source => ForgeError::Net { target: self.base.clone(), source },
        }
    }
}

fn seconds(answer: &ApiAnswer, header: &str) -> Option<u64> {
    answer.header(header)?.trim().parse().ok()
}
