//! What the forge that has a target knows of it, and can do there, before and after a push.
//!
//! [`Forge`] is what a forge must answer; [`TargetCheck`] asks it, so seldom that no sync costs a
//! request: once a day, and after a refusal. GitHub is the one implementation.

mod check;
mod error;
mod finding;
pub mod github;
mod record;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::Interrupt;
use crate::base::text::named;
use crate::base::time::Timestamp;
use crate::net::{Access, NetError, SourceUrl, TargetUrl, TokenSource};
use record::RecordFile;

pub use check::{Checked, TargetCheck};
pub use error::ForgeError;
pub use finding::Finding;

/// How the forge of a target is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgeOptions {
    /// Where its API is.
    pub api: SourceUrl,
    /// Whether a repository that does not exist is made.
    pub create: bool,
    /// Who may see one that is made.
    pub visibility: Visibility,
    /// Whether a private source may be published where everybody sees it.
    pub allow_public: bool,
}

/// Who may see a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The members of an enterprise.
    Internal,
    /// Those who were invited.
    #[default]
    Private,
}

impl Visibility {
    /// Those that a repository can be made with, by the names in a configuration.
    pub const ALL: [(&'static str, Self); 2] =
        [("private", Self::Private), ("public", Self::Public)];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }
}

/// A repository, as its forge describes it to us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// `owner/name`, as it is called now.
    pub full_name: String,
    /// Who may see it.
    pub visibility: Visibility,
    /// Whether nobody may write to it any more.
    pub archived: bool,
    /// Whether the forge has closed it.
    pub disabled: bool,
    /// Whether we may push; `None` where the forge does not tell us.
    pub may_push: Option<bool>,
    /// The branch that it shows.
    pub default_branch: String,
}

/// What a forge says of a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Described {
    /// It is this one. The tag asks for it again at no cost, if the forge gives one.
    Found(Repository, Option<String>),
    /// It is as it was when the tag was given.
    Unchanged,
    /// There is none, or we may not know of it: forges answer both alike, on purpose.
    MissingOrNoAccess,
}

/// A forge, asked about one repository with one credential.
pub trait Forge {
    /// What it says of the repository; `tag` is that of an earlier answer.
    fn describe(&self, tag: Option<&str>) -> Result<Described, ForgeError>;

    /// Who we are to it; `None` if it is nobody, or no person.
    fn user(&self) -> Result<Option<String>, ForgeError>;

    /// Whether it knows the owner of the repository.
    fn has_owner(&self) -> Result<bool, ForgeError>;

    /// Accepts the invitation to this repository, and no other, if one waits for us.
    fn accept_invitation(&self) -> Result<bool, ForgeError>;

    /// Makes the repository, empty.
    fn create(&self, visibility: Visibility) -> Result<Repository, ForgeError>;

    /// Sets the branch that it shows.
    fn set_default_branch(&self, branch: &str) -> Result<(), ForgeError>;

    /// When our credential ends, if an answer has told.
    fn credential_ends(&self) -> Option<Timestamp>;

    /// Whether our credential may change workflow files, if an answer has told.
    fn may_change_workflows(&self) -> Option<bool>;
}

/// The name of a repository on a forge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Whose it is.
    pub owner: String,
    /// What it is called.
    pub name: String,
}

impl Project {
    /// The one that an address means; `None` if it has no owner and name.
    pub fn of(url: &TargetUrl) -> Option<Self> {
        Some(Self { owner: url.owner()?.to_owned(), name: url.project()?.to_owned() })
    }
}

impl std::fmt::Display for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// When it was last asked about `target`, and when it said then that `token` ends, by the answer that is kept in the
/// file at `record`; `None` if it did not say, or if another token has taken its place since.
pub fn token_ends(
    record: &Path,
    target: &TargetUrl,
    token: &TokenSource,
) -> Option<(Timestamp, Timestamp)> {
    let record = RecordFile(record.to_owned()).read(&target.to_string())?;
    let ends = record.credential_ends.filter(|_| record.stamp == token.stamp())?;
    Some((record.asked, ends))
}

/// The forge of the repository at `url`, reached as `access` says, without a credential if
/// `is_anonymous`; `None` if the address names no repository of a forge.
///
/// The one place that knows which implementation there is.
pub fn open(
    options: &ForgeOptions,
    url: &TargetUrl,
    access: &Access,
    is_anonymous: bool,
    interrupt: &Interrupt,
) -> Result<Option<Box<dyn Forge>>, NetError> {
    let Some(project) = Project::of(url) else { return Ok(None) };
    let token = match (&access.token, is_anonymous) {
        (Some(token), false) => Some(&token.source),
        _ => None,
    };
    let github = github::GitHub::open(&options.api, project, access, token, interrupt)?;
    Ok(Some(Box::new(github)))
}
