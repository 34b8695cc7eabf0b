//! Tokens of a GitHub App for one repository. They end after an hour, so one is made when it is needed
//! (<https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app>).

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use secrecy::SecretString;
use secrecy::zeroize::Zeroize as _;
use serde_json::{Value, json};

use super::answers::{InstallationAnswer, TokenAnswer};
use super::api::{Api, Question, escaped};
use crate::base::Interrupt;
use crate::base::time::Timestamp;
use crate::forge::{ForgeError, Project};
use crate::net::http::ApiAnswer;
use crate::net::{Access, NetError, SecretError, SecretSource, SourceUrl, TokenMaker, jwt};

/// How far our clock may be ahead of GitHub's.
const SKEW: i64 = 60;
/// For how long a signature is valid, in seconds; ten minutes are the most that GitHub takes.
const SIGNED_FOR: i64 = 9 * 60;
/// For how long a token is used at most.
const USED_FOR: Duration = Duration::from_mins(50);
/// So long before its end it is not used any more, in seconds.
const RESERVE: i64 = 5 * 60;

/// What an app needs to act for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppOptions {
    /// The app's id, or its client id.
    pub id: String,
    /// Its private key.
    pub key: SecretSource,
    /// The number of its installation; looked up without one.
    pub installation: Option<u64>,
    /// Whether it may change workflow files.
    pub workflows: bool,
}

/// An app that acts for one repository.
pub struct App {
    api: SourceUrl,
    access: Access,
    project: Project,
    options: AppOptions,
    /// The token that is in use. One is made at a time.
    current: Mutex<Option<Made>>,
}

/// A token that was made.
struct Made {
    token: SecretString,
    since: Timestamp,
    ends: Timestamp,
}

impl Made {
    fn is_good(&self, now: Timestamp) -> bool {
        (self.since..self.since.after(USED_FOR)).contains(&now)
            && now.seconds() + RESERVE < self.ends.seconds()
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").field("id", &self.options.id).finish_non_exhaustive()
    }
}

impl App {
    /// The app for `project`, at the API that `access` reaches.
    pub fn new(api: SourceUrl, access: Access, project: Project, options: AppOptions) -> Self {
        Self { api, access, project, options, current: Mutex::default() }
    }

    fn current(&self) -> MutexGuard<'_, Option<Made>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn make(&self, now: Timestamp, interrupt: &Interrupt) -> Result<Made, SecretError> {
        let key = self.options.key.private_key()?;
        let claims = json!({
            "iat": now.seconds() - SKEW,
            "exp": now.seconds() + SIGNED_FOR,
            "iss": self.options.id,
        });
        let signed = jwt::sign(&claims, &key).map_err(|problem| SecretError::UnusableKey {
            path: self.options.key.path().unwrap_or_default(),
            problem,
        })?;
        let api = Api::with(&self.api, &self.access, Some(signed), interrupt);
        let api = api.map_err(|error| self.failed(None, error))?;
        let number = match self.options.installation {
            Some(number) => number,
            None => self.installation(&api)?,
        };
        self.access_token(&api, number, now)
    }

    /// The number of the installation that has the repository.
    fn installation(&self, api: &Api) -> Result<u64, SecretError> {
        let Project { owner, name } = &self.project;
        let path = format!("/repos/{}/{}/installation", escaped(owner), escaped(name));
        let answer = api.ask(&Question::get(&path, "the installation of the app"));
        let answer = answer.map_err(|error| self.of_forge(error))?;
        match answer.status {
            200 => self.read::<InstallationAnswer>(&answer).map(|found| found.id),
            404 => Err(self.denied(
                api,
                &answer,
                "the repository does not exist, or the app is not installed for it: check the address, \
                 and install the app there",
            )),
            _ => Err(self.denied(api, &answer, "look at the installations of the app")),
        }
    }

    /// A token for this repository and nothing else.
    fn access_token(&self, api: &Api, number: u64, now: Timestamp) -> Result<Made, SecretError> {
        let mut permissions = json!({ "contents": "write" });
        if let (true, Some(all)) = (self.options.workflows, permissions.as_object_mut()) {
            all.insert("workflows".to_owned(), Value::from("write"));
        }
        let body = json!({ "repositories": [self.project.name], "permissions": permissions });
        let (body, path) = (body.to_string(), format!("/app/installations/{number}/access_tokens"));
        let question = Question::get(&path, "a token of the app");
        let question = Question { method: "POST", body: Some(&body), ..question };
        let answer = api.ask(&question).map_err(|error| self.of_forge(error))?;
        match answer.status {
            201 => {
                let mut found: TokenAnswer = self.read(&answer)?;
                let token = SecretString::from(found.token.as_str());
                found.token.zeroize();
                let ends = Timestamp::parse(&found.expires_at).unwrap_or(now.after(USED_FOR));
                Ok(Made { token, since: now, ends })
            }
            422 => Err(self.denied(
                api,
                &answer,
                "give the app the permission to write contents (with `target.app_workflows`, also to write \
                 workflows), and its installation this repository",
            )),
            _ => Err(self.denied(
                api,
                &answer,
                "look at the installation of the app: it may be suspended, or another one",
            )),
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, answer: &ApiAnswer) -> Result<T, SecretError> {
        serde_json::from_str(&answer.body).map_err(|error| {
            let error = NetError::Unintelligible {
                url: self.api.to_string(),
                command: "a token of the app".to_owned(),
                // Where it is wrong, and nothing of what stands there.
                problem: format!("line {}, column {}", error.line(), error.column()),
                said: crate::net::Said::default(),
            };
            self.failed(None, error)
        })
    }

    /// That the API refuses, and what can be done about it.
    fn denied(&self, api: &Api, answer: &ApiAnswer, hint: &'static str) -> SecretError {
        let error = NetError::Denied { url: self.api.to_string(), said: api.said(answer) };
        self.failed(Some(hint), error)
    }

    /// What an error of the API means for the token.
    fn of_forge(&self, error: ForgeError) -> SecretError {
        let url = self.api.to_string();
        match error {
            ForgeError::Net { source, .. } => self.failed(None, source),
            ForgeError::Secret(error) => error,
            ForgeError::Rejected { said, .. } => self.failed(
                Some(
                    "check that `target.app_id` and its key belong together, and that the clock of this \
                     machine is right",
                ),
                NetError::Denied { url, said },
            ),
            ForgeError::Limited { until, .. } => {
                let error = NetError::Busy {
                    url,
                    command: "a token of the app".to_owned(),
                    said: crate::net::Said::new(b"it answers no more questions for now"),
                    retry_after: until.map(|until| until.since(Timestamp::now())),
                };
                self.failed(None, error)
            }
            other => {
                let said = crate::net::Said::new(other.to_string().as_bytes());
                self.failed(None, NetError::Denied { url, said })
            }
        }
    }

    fn failed(&self, hint: Option<&'static str>, source: NetError) -> SecretError {
        let account = format!("the app {} at {}", self.options.id, self.project);
        SecretError::Made { account, hint, source: Box::new(source) }
    }
}

impl TokenMaker for App {
    fn token(&self, interrupt: &Interrupt) -> Result<SecretString, SecretError> {
        let mut current = self.current();
        let now = Timestamp::now();
        if let Some(made) = current.as_ref().filter(|made| made.is_good(now)) {
            return Ok(made.token.clone());
        }
        let made = self.make(now, interrupt)?;
        let token = made.token.clone();
        *current = Some(made);
        Ok(token)
    }

    fn forget(&self) {
        *self.current() = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_before_it_ends() {
        let (token, since) = (SecretString::from("geheim"), Timestamp::from_seconds(10_000));
        let hour =
            Made { token: token.clone(), since, ends: Timestamp::from_seconds(10_000 + 3600) };
        assert!(hour.is_good(since) && hour.is_good(Timestamp::from_seconds(10_000 + 49 * 60)));
        assert!(!hour.is_good(Timestamp::from_seconds(10_000 + 50 * 60)));
        // A clock that was set back.
        assert!(!hour.is_good(Timestamp::from_seconds(9_000)));
        let short = Made { token, since, ends: Timestamp::from_seconds(10_000 + 600) };
        assert!(
            short.is_good(Timestamp::from_seconds(10_000 + 299))
                && !short.is_good(Timestamp::from_seconds(10_000 + 300))
        );
    }
}
