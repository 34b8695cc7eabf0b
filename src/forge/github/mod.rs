//! GitHub, and GitHub Enterprise, by their REST API
//! (<https://docs.github.com/en/rest>).

mod answers;
mod api;
mod app;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::{Described, Forge, ForgeError, Project, Repository, Visibility};
use crate::base::Interrupt;
use crate::base::time::Timestamp;
use crate::net::host::is_github;
use crate::net::http::ApiAnswer;
use crate::net::{Access, NetError, SourceUrl, TargetUrl, TokenSource};
use answers::{InvitationAnswer, RepositoryAnswer, UserAnswer};
use api::{Api, Question};

pub use app::{App, AppOptions};

/// Where the API of github.com is.
const API: &str = "https://api.github.com";
/// The scope of tokens that may change workflow files.
const WORKFLOW: &str = "workflow";
/// So many pages of invitations are looked through, of a hundred each.
const MOST_PAGES: u32 = 10;

/// Where the API for a target is, if its address tells it.
pub fn api_of(target: &TargetUrl) -> Option<SourceUrl> {
    target.host().filter(|host| is_github(host)).and_then(|_| SourceUrl::parse(API).ok())
}

/// One repository on GitHub, asked about with one credential.
pub struct GitHub {
    api: Api,
    project: Project,
    /// Whether an app asks, and not a person.
    is_app: bool,
}

impl GitHub {
    /// Asks with `token`, which is read now; anonymously without one.
    pub fn open(
        base: &SourceUrl,
        project: Project,
        access: &Access,
        token: Option<&TokenSource>,
        interrupt: &Interrupt,
    ) -> Result<Self, NetError> {
        let api = Api::open(base, access, token, interrupt)?;
        // Those of apps come in other ways too: a workflow of GitHub's has one in its environment.
        let is_app = matches!(token, Some(TokenSource::Made(_))) || api.is_of_app();
        Ok(Self { api, project, is_app })
    }

    /// The path of the repository.
    fn path(&self) -> String {
        let Project { owner, name } = &self.project;
        format!("/repos/{}/{}", api::escaped(owner), api::escaped(name))
    }

    fn read<T: DeserializeOwned>(&self, answer: &ApiAnswer) -> Result<T, ForgeError> {
        serde_json::from_str(&answer.body)
            .map_err(|error| self.api.unintelligible(&error.to_string()))
    }

    fn repository(&self, answer: &ApiAnswer) -> Result<Repository, ForgeError> {
        let read: RepositoryAnswer = self.read(answer)?;
        // GitHub tells an app nothing of what it may do with a repository but that it may see it.
        let may_push = read.may_push().filter(|_| !self.is_app);
        Ok(Repository { may_push, ..read.into() })
    }

    /// The number of the invitation to this repository.
    fn invitation(&self) -> Result<Option<u64>, ForgeError> {
        for page in 1..=MOST_PAGES {
            let path = format!("/user/repository_invitations?per_page=100&page={page}");
            let answer = self.api.ask(&Question::get(&path, "our invitations"))?;
            // Not every token may ask for them.
            if answer.status != 200 {
                return Ok(None);
            }
            let invitations: Vec<InvitationAnswer> = self.read(&answer)?;
            let wanted = self.project.to_string();
            let ours = invitations.iter().find(|one| one.is_to(&wanted)).map(|one| one.id);
            if ours.is_some() || invitations.len() < 100 {
                return Ok(ours);
            }
        }
        Ok(None)
    }
}

impl Forge for GitHub {
    fn describe(&self, tag: Option<&str>) -> Result<Described, ForgeError> {
        let path = self.path();
        let question = Question { tag, ..Question::get(&path, "the repository") };
        let answer = self.api.ask(&question)?;
        match answer.status {
            200 => {
                let tag = answer.header("etag").map(str::to_owned);
                Ok(Described::Found(self.repository(&answer)?, tag))
            }
            304 => Ok(Described::Unchanged),
            404 | 410 => Ok(Described::MissingOrNoAccess),
            _ => Err(self.api.refused(&answer, "the repository")),
        }
    }

    fn user(&self) -> Result<Option<String>, ForgeError> {
        if self.is_app || self.api.is_anonymous() {
            return Ok(None);
        }
        let answer = self.api.ask(&Question::get("/user", "who we are"))?;
        match answer.status {
            200 => Ok(Some(self.read::<UserAnswer>(&answer)?.login)),
            _ => Ok(None),
        }
    }

    fn has_owner(&self) -> Result<bool, ForgeError> {
        // Organisations are among the users.
        let path = format!("/users/{}", api::escaped(&self.project.owner));
        let answer = self.api.ask(&Question::get(&path, "the owner of the repository"))?;
        Ok(answer.status != 404)
    }

    fn accept_invitation(&self) -> Result<bool, ForgeError> {
        if self.is_app || self.api.is_anonymous() {
            return Ok(false);
        }
        let Some(number) = self.invitation()? else { return Ok(false) };
        let path = format!("/user/repository_invitations/{number}");
        let question = Question { method: "PATCH", ..Question::get(&path, "to accept it") };
        let answer = self.api.ask(&question)?;
        match answer.status {
            200..=299 => Ok(true),
            _ => Err(ForgeError::InvitationWaits {
                target: self.project.to_string(),
                said: self.api.said(&answer),
            }),
        }
    }

    fn create(&self, visibility: Visibility) -> Result<Repository, ForgeError> {
        let Project { owner, name } = &self.project;
        let is_own = self.user()?.is_some_and(|user| user.eq_ignore_ascii_case(owner));
        let path = match is_own {
            true => "/user/repos".to_owned(),
            false => format!("/orgs/{}/repos", api::escaped(owner)),
        };
        let body = json!({
            "name": name,
            "private": visibility != Visibility::Public,
            "has_issues": false,
            "auto_init": false,
        });
        let body = body.to_string();
        let question = Question::get(&path, "a new repository");
        let question = Question { method: "POST", body: Some(&body), ..question };
        let answer = self.api.ask(&question)?;
        match answer.status {
            201 => self.repository(&answer),
            _ => Err(ForgeError::NotCreated {
                target: self.project.to_string(),
                said: self.api.said(&answer),
            }),
        }
    }

    fn set_default_branch(&self, branch: &str) -> Result<(), ForgeError> {
        let body = json!({ "default_branch": branch }).to_string();
        let path = self.path();
        let question = Question::get(&path, "another default branch");
        let question = Question { method: "PATCH", body: Some(&body), ..question };
        let answer = self.api.ask(&question)?;
        match answer.status {
            200..=299 => Ok(()),
            _ => Err(self.api.refused(&answer, "another default branch")),
        }
    }

    fn credential_ends(&self) -> Option<Timestamp> {
        self.api.credential_ends()
    }

    fn may_change_workflows(&self) -> Option<bool> {
        self.api.has_scope(WORKFLOW)
    }
}
