//! The answers of the API, as far as we look at them.

use serde::Deserialize;

use crate::forge::{Repository, Visibility};

/// `GET /repos/{owner}/{repo}`
#[derive(Debug, Deserialize)]
pub(super) struct RepositoryAnswer {
    full_name: String,
    private: bool,
    /// Not there on old servers.
    visibility: Option<Visibility>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    disabled: bool,
    permissions: Option<Permissions>,
    #[serde(default)]
    default_branch: String,
}

/// What we may do with a repository; only there for those who are logged in.
#[derive(Debug, Deserialize)]
struct Permissions {
    push: bool,
}

impl RepositoryAnswer {
    /// Whether we may push, if it says.
    pub(super) fn may_push(&self) -> Option<bool> {
        self.permissions.as_ref().map(|permissions| permissions.push)
    }
}

impl From<RepositoryAnswer> for Repository {
    fn from(answer: RepositoryAnswer) -> Self {
        let may_push = answer.may_push();
        let seen = if answer.private { Visibility::Private } else { Visibility::Public };
        Self {
            full_name: answer.full_name,
            visibility: answer.visibility.unwrap_or(seen),
            archived: answer.archived,
            disabled: answer.disabled,
            may_push,
            default_branch: answer.default_branch,
        }
    }
}

/// `GET /user`
#[derive(Debug, Deserialize)]
pub(super) struct UserAnswer {
    pub(super) login: String,
}

/// One of `GET /user/repository_invitations`
#[derive(Debug, Deserialize)]
pub(super) struct InvitationAnswer {
    pub(super) id: u64,
    repository: NamedRepository,
    #[serde(default)]
    expired: bool,
}

#[derive(Debug, Deserialize)]
struct NamedRepository {
    full_name: String,
}

impl InvitationAnswer {
    /// Whether it is one to the repository of this name.
    pub(super) fn is_to(&self, full_name: &str) -> bool {
        !self.expired && self.repository.full_name.eq_ignore_ascii_case(full_name)
    }
}

/// `GET /repos/{owner}/{repo}/installation`
#[derive(Debug, Deserialize)]
pub(super) struct InstallationAnswer {
    pub(super) id: u64,
}

/// `POST /app/installations/{id}/access_tokens`
#[derive(Deserialize)]
pub(super) struct TokenAnswer {
    pub(super) token: String,
    pub(super) expires_at: String,
}

/// What comes with every status that is no success.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ProblemAnswer {
    #[serde(default)]
    message: String,
    #[serde(default)]
    errors: Vec<serde_json::Value>,
}

impl ProblemAnswer {
    /// All that it says, in one.
    pub(super) fn text(&self) -> String {
        let errors = self.errors.iter().filter_map(|error| error["message"].as_str());
        let parts: Vec<&str> = std::iter::once(self.message.as_str()).chain(errors).collect();
        parts.join("; ")
    }
}
