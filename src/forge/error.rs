//! Why a forge lets nothing be published, as exactly as it can be told.

use crate::base::faults;
use crate::net::error::Said;
use crate::net::{NetError, SecretError};

use crate::base::time::Timestamp;

/// Why a forge lets nothing be published at a target.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The API cannot be asked.
    #[error("ask the API of the forge about {target}")]
    Net {
        /// The address of the target.
        target: String,
        /// Why.
        #[source]
        source: NetError,
    },
    /// The credential cannot be read or made.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The forge does not accept the token.
    #[error("log in to {target}: the token was rejected: {said}")]
    Rejected {
        /// The address of the target.
        target: String,
        /// What the forge says.
        said: Said,
    },
    /// The organisation that owns the target wants a token that it has authorised (SAML single sign-on).
    #[error("get access to {target}: its organisation has not authorised the token")]
    SingleSignOn {
        /// The address of the target.
        target: String,
        /// Where a person can authorise it, if the forge says.
        page: Option<String>,
    },
    /// The forge knows no such owner.
    #[error("find {target}: there is no user or organisation {owner}")]
    OwnerMissing {
        /// The address of the target.
        target: String,
        /// Whose the target should be.
        owner: String,
    },
    /// The forge shows us no such project. To those without access it says the same as if there were
    /// none.
    #[error("find {target}: the project does not exist, or {} has no access to it", who(user.as_deref()))]
    ProjectMissing {
        /// The address of the target.
        target: String,
        /// Who we are.
        user: Option<String>,
        /// The project is there for whoever makes it: what to set.
        may_create: bool,
    },
    /// The project is there, and we may not write.
    #[error("push to {target}: {} is not a collaborator who may write", who(user.as_deref()))]
    NotCollaborator {
        /// The address of the target.
        target: String,
        /// Who we are.
        user: Option<String>,
    },
    /// We are invited, and may not accept that ourselves.
    #[error("push to {target}: an invitation waits for us that the token may not accept: {said}")]
    InvitationWaits {
        /// The address of the target.
        target: String,
        /// What the forge says.
        said: Said,
    },
    /// Its owner may write, and what we log in with may not.
    #[error("push to {target}: {} may write there, but not with this credential", who(user.as_deref()))]
    CredentialMayNotWrite {
        /// The address of the target.
        target: String,
        /// Who we are.
        user: Option<String>,
    },
    /// The project is archived.
    #[error("push to {target}: it is archived, and so read-only")]
    Archived {
        /// The address of the target.
        target: String,
    },
    /// The forge has closed the project.
    #[error("push to {target}: the forge has disabled it")]
    Disabled {
        /// The address of the target.
        target: String,
    },
    /// The project has another name now.
    #[error("push to {target}: it is called {to} now")]
    Renamed {
        /// The address of the target.
        target: String,
        /// The owner and the name.
        to: String,
    },
    /// Everybody would see what only some may.
    #[error(
        "publish at {target}: everybody can see it, and the source is reached with a credential"
    )]
    PrivateToPublic {
        /// The address of the target.
        target: String,
    },
    /// The project cannot be made.
    #[error("make the project {target}: {said}")]
    NotCreated {
        /// The address of the target.
        target: String,
        /// What the forge says.
        said: Said,
    },
    /// Too much was asked.
    #[error("ask the API of the forge about {target}: it answers no more questions for now")]
    Limited {
        /// The address of the target.
        target: String,
        /// When it does again, if it says so.
        until: Option<Timestamp>,
    },
    /// The forge refuses, for a reason of its own.
    #[error("ask the API of the forge for {what}: {said}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What the forge says.
        said: Said,
    },
}

/// Who we are, in a sentence.
fn who(user: Option<&str>) -> String {
    user.map_or_else(
        || "whoever the credential is of".to_owned(),
        |user| format!("the user {user}"),
    )
}

impl ForgeError {
    /// Whether it says nothing of the target, so that a push may be tried all the same.
    pub(super) fn is_no_answer(&self) -> bool {
        matches!(self, Self::Net { .. } | Self::Limited { .. } | Self::Refused { .. })
            && !matches!(self, Self::Net { source: NetError::Interrupted(_), .. })
    }
}

faults!(ForgeError {
    // Hints of connections are about sources.
    Self::Net { source: error @ NetError::Untrusted { .. }, .. } => of(error).at(Target).hint(
        "if the server has a certificate authority of its own, add its certificate to those that this machine trusts \
         (`update-ca-certificates`, or `update-ca-trust`), or name it as `target.ca_file`"
    ),
    Self::Net { source: error @ NetError::PlainHttp { .. }, .. } => {
        of(error).at(Target).hint("use https://, or allow it with `target.plain_http = true`")
    },
    Self::Net { source, .. } => Diagnosis { hint: None, ..of(source) }.at(Target),
    Self::Secret(error) => of(error).at(Here),
    Self::Rejected { .. } => Auth.at(Target).hint(
        "it may be wrong, expired or withdrawn: make a new one, and put it where `target` says that the \
         token is"
    ),
    Self::SingleSignOn { page: Some(page), .. } => {
        Auth.at(Target).hint(format!("its owner can authorise it at {page}"))
    },
    Self::SingleSignOn { page: None, .. } => {
        Auth.at(Target).hint("its owner can authorise it in the settings of the token")
    },
    Self::OwnerMissing { .. } => Auth.at(Target).hint("check the address of the target"),
    Self::ProjectMissing { may_create: true, .. } => Auth.at(Target).hint(
        "check the address; make the project, or set `target.create = true`; and give the credential's owner \
         write access"
    ),
    Self::ProjectMissing { may_create: false, .. } => {
        Auth.at(Target).hint("check the address, and give the credential's owner write access")
    },
    Self::NotCollaborator { user: Some(user), .. } => Auth.at(Target).hint(format!(
        "add {user} as a collaborator who may write; the next sync accepts the invitation"
    )),
    Self::NotCollaborator { user: None, .. } => {
        Auth.at(Target).hint("give the credential's owner write access, or use another credential")
    },
    Self::InvitationWaits { .. } => Auth.at(Target).hint(
        "accept it as that user on the pages of the forge, or give the token the permission to accept \
         invitations"
    ),
    Self::CredentialMayNotWrite { .. } => Auth.at(Target).hint(
        "give the token the permission to write contents of this repository (fine-grained), or the \
         scope `repo` (classic); a deploy key needs \"Allow write access\""
    ),
    Self::Archived { .. } => Auth.at(Target).hint(
        "take the repository out of the archive, or end this mirror"
    ),
    Self::Disabled { .. } => Auth.at(Target).hint("ask those who run the forge"),
    Self::Renamed { .. } => MOVED.at(Target).hint("use the new name in the address, if you trust it"),
    Self::PrivateToPublic { .. } => Refused.at(Target).hint(
        "make the target private, or set `target.allow_public = true` if what the source has may be seen by \
         everybody"
    ),
    Self::NotCreated { .. } => Auth.at(Target).hint(
        "make the project by hand, or give the credential the permission to create projects"
    ),
    Self::Limited { until: Some(until), .. } => {
        Unavailable.at(Target).hint(format!(
            "it answers again after {until}; with a token (`target.token_file`) it answers more"
        ))
        .after(until.since(Timestamp::now()))
    },
    Self::Limited { until: None, .. } => Unavailable.at(Target),
    Self::Refused { .. } => Refused.at(Target),
});
