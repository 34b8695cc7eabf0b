//! The questions about one target, around a push.

use std::path::PathBuf;

use super::record::{Record, RecordFile};
use super::{
    Described, Finding, Forge, ForgeError, ForgeOptions, Project, Repository, Visibility, open,
};
use crate::base::time::Timestamp;
use crate::base::{Cause, Interrupt};
use crate::net::{Access, NetError, TargetUrl};

/// Within how many days of its end a token is told of: again each time that it is nearer.
const TOLD_WITHIN: [i64; 4] = [1, 3, 7, 14];

/// What a push is checked with.
pub struct TargetCheck<'a> {
    /// How the forge is used.
    pub options: &'a ForgeOptions,
    /// The target.
    pub target: &'a TargetUrl,
    /// How it is reached.
    pub access: &'a Access,
    /// The file that keeps the last answer.
    pub record: PathBuf,
    /// Whether the source is reached with a credential. All that tells a private source from a public
    /// one is that.
    pub is_source_private: bool,
    /// What ends the wait for an answer.
    pub interrupt: &'a Interrupt,
}

/// What is known of a target that may be pushed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// What a person should know.
    pub findings: Vec<Finding>,
    /// Whether the token may change workflow files; `None` if the forge does not tell.
    pub may_change_workflows: Option<bool>,
}

impl TargetCheck<'_> {
    /// Whether a push makes sense, before it: by the last answer if that is of today.
    ///
    /// A forge that cannot be asked keeps nothing from being published, but what everybody could see
    /// then and must not.
    pub fn before_push(&self) -> Result<Checked, ForgeError> {
        let is_anonymous = self.access.token.is_none();
        // Without a token there is little to know, and sixty questions an hour to ask.
        if is_anonymous && !self.must_be_private() {
            return Ok(Checked::default());
        }
        let (now, file) = (Timestamp::now(), self.file());
        let kept = file.read(&self.target.to_string());
        // Another token may do other things, and ends at another time.
        let same_token = kept.as_ref().filter(|record| record.stamp == self.stamp());
        if let Some(record) = same_token.filter(|record| record.is_fresh(now)) {
            self.check_visibility(&record.repository)?;
            return Ok(self.checked(record, now));
        }
        let (mut findings, mut checked) = (Vec::new(), Checked::default());
        match self.ask(same_token, is_anonymous, &mut findings) {
            Ok(Some(record)) => {
                file.write(&record);
                checked = self.checked(&record, now);
            }
            Ok(None) => {}
            Err(error) if error.is_no_answer() && self.may_go_on(kept.as_ref())? => {
                findings.push(Finding::TargetNotChecked { cause: Cause::of(&error) });
            }
            Err(error) => {
                file.forget();
                return Err(error);
            }
        }
        checked.findings.splice(..0, findings);
        Ok(checked)
    }

    /// What the forge said is asked for again by the next run: somebody may have changed it.
    pub fn forget(&self) {
        self.file().forget();
    }

    /// Why the target refused everything, as exactly as the forge tells; `None` if it tells nothing
    /// more. `moved` says that the target is at another address.
    pub fn after_refusal(&self, is_denied: bool, moved: bool) -> Option<ForgeError> {
        self.file().forget();
        let is_anonymous = self.access.token.is_none();
        let forge = self.open(is_anonymous).ok()??;
        let repository = match forge.describe(None) {
            Ok(Described::Found(repository, _)) => repository,
            Ok(Described::Unchanged) => return None,
            Ok(Described::MissingOrNoAccess) => {
                return self.missing(forge.as_ref(), is_anonymous).err();
            }
            Err(error) if error.is_no_answer() => return None,
            Err(error) => return Some(error),
        };
        let (target, user) = (self.target.to_string(), || forge.user().ok().flatten());
        match self.check_state(&repository) {
            Err(error) => Some(error),
            Ok(()) if moved => {
                self.renamed(&repository).map(|to| ForgeError::Renamed { target, to })
            }
            Ok(()) if repository.may_push == Some(false) => {
                Some(ForgeError::NotCollaborator { target, user: user() })
            }
            Ok(()) if is_denied && repository.may_push == Some(true) => {
                Some(ForgeError::CredentialMayNotWrite { target, user: user() })
            }
            Ok(()) => None,
        }
    }

    /// Makes `branch`, the short name of the main branch, the one that the forge shows, after the first
    /// push.
    pub fn after_first_push(&self, branch: &str) -> Option<Finding> {
        self.access.token.as_ref()?;
        let set = || -> Result<bool, ForgeError> {
            let Some(forge) = self.open(false)? else { return Ok(false) };
            match forge.describe(None)? {
                Described::Found(repository, _) if repository.default_branch != branch => {
                    forge.set_default_branch(branch)?;
                    Ok(true)
                }
                _ => Ok(false),
            }
        };
        let branch = branch.to_owned();
        match set() {
            Ok(true) => Some(Finding::DefaultBranchSet { branch }),
            Ok(false) => None,
            Err(error) => Some(Finding::DefaultBranchNotSet { branch, cause: Cause::of(&error) }),
        }
    }

    fn stamp(&self) -> Option<String> {
        self.access.token.as_ref()?.source.stamp()
    }

    fn file(&self) -> RecordFile {
        RecordFile(self.record.clone())
    }

    fn open(&self, is_anonymous: bool) -> Result<Option<Box<dyn Forge>>, ForgeError> {
        open(self.options, self.target, self.access, is_anonymous, self.interrupt).map_err(
            |error| match error {
                NetError::Secret(error) => ForgeError::Secret(error),
                source => ForgeError::Net { target: self.target.to_string(), source },
            },
        )
    }

    /// Asks; what can be mended is. `None` if there is nothing to know.
    fn ask(
        &self,
        kept: Option<&Record>,
        is_anonymous: bool,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Record>, ForgeError> {
        let Some(forge) = self.open(is_anonymous)? else { return Ok(None) };
        let kept = kept.filter(|record| record.tag.is_some());
        let described = forge.describe(kept.and_then(|record| record.tag.as_deref()))?;
        let ends_before = match &described {
            Described::Unchanged => kept.and_then(|record| record.credential_ends),
            _ => None,
        };
        let (mut repository, mut tag) = match (described, kept) {
            (Described::Found(repository, tag), _) => (repository, tag),
            (Described::Unchanged, Some(kept)) => (kept.repository.clone(), kept.tag.clone()),
            (Described::Unchanged, None) => return Ok(None),
            // To those who do not log in, what is private is not there: it is not public at least.
            (Described::MissingOrNoAccess, _) if is_anonymous => (self.hidden(), None),
            (Described::MissingOrNoAccess, _) => (self.mended(forge.as_ref(), findings)?, None),
        };
        self.check_state(&repository)?;
        if repository.may_push == Some(false) {
            (repository, tag) = (self.invited(forge.as_ref(), findings)?, None);
        }
        self.check_visibility(&repository)?;
        Ok(Some(Record {
            target: self.target.to_string(),
            asked: Timestamp::now(),
            tag,
            repository,
            credential_ends: forge.credential_ends().or(ends_before),
            // Answers that say no more than that nothing has changed tell it, too.
            may_change_workflows: forge.may_change_workflows(),
            stamp: self.stamp(),
        }))
    }

    /// What can be said of a repository that is not shown to everybody.
    fn hidden(&self) -> Repository {
        let project = Project::of(self.target).map(|project| project.to_string());
        Repository {
            full_name: project.unwrap_or_default(),
            visibility: Visibility::Private,
            archived: false,
            disabled: false,
            may_push: None,
            default_branch: String::new(),
        }
    }

    /// What a repository that we were not shown becomes: one that we are invited to, or a new one.
    fn mended(
        &self,
        forge: &dyn Forge,
        findings: &mut Vec<Finding>,
    ) -> Result<Repository, ForgeError> {
        let accepted = self.accept(forge, findings)?;
        if let (true, Described::Found(repository, _)) = (accepted, forge.describe(None)?) {
            return Ok(repository);
        }
        if !self.options.create {
            self.missing(forge, false)?;
        }
        if self.options.visibility == Visibility::Public && self.must_be_private() {
            return Err(ForgeError::PrivateToPublic { target: self.target.to_string() });
        }
        let repository = forge.create(self.options.visibility)?;
        findings.push(Finding::ProjectCreated {
            project: repository.full_name.clone(),
            public: repository.visibility == Visibility::Public,
        });
        Ok(repository)
    }

    /// The repository that we may see and not write to, once an invitation has changed that.
    fn invited(
        &self,
        forge: &dyn Forge,
        findings: &mut Vec<Finding>,
    ) -> Result<Repository, ForgeError> {
        if self.accept(forge, findings)?
            && let Described::Found(repository, _) = forge.describe(None)?
            && repository.may_push != Some(false)
        {
            return Ok(repository);
        }
        Err(ForgeError::NotCollaborator { target: self.target.to_string(), user: forge.user()? })
    }

    fn accept(&self, forge: &dyn Forge, findings: &mut Vec<Finding>) -> Result<bool, ForgeError> {
        let is_accepted = forge.accept_invitation()?;
        if let (true, Some(project)) = (is_accepted, Project::of(self.target)) {
            findings.push(Finding::InvitationAccepted { project: project.to_string() });
        }
        Ok(is_accepted)
    }

    /// Always an error: what is missing, as far as it can be told.
    fn missing(&self, forge: &dyn Forge, is_anonymous: bool) -> Result<(), ForgeError> {
        let target = self.target.to_string();
        if !forge.has_owner()? {
            let owner = self.target.owner().unwrap_or_default().to_owned();
            return Err(ForgeError::OwnerMissing { target, owner });
        }
        let may_create = !is_anonymous && !self.options.create;
        Err(ForgeError::ProjectMissing { target, user: forge.user()?, may_create })
    }

    fn check_state(&self, repository: &Repository) -> Result<(), ForgeError> {
        let target = self.target.to_string();
        match repository {
            Repository { archived: true, .. } => Err(ForgeError::Archived { target }),
            Repository { disabled: true, .. } => Err(ForgeError::Disabled { target }),
            _ => Ok(()),
        }
    }

    /// Whether nothing may be published where everybody sees it.
    fn must_be_private(&self) -> bool {
        self.is_source_private && !self.options.allow_public
    }

    fn check_visibility(&self, repository: &Repository) -> Result<(), ForgeError> {
        match repository.visibility {
            Visibility::Public if self.must_be_private() => {
                Err(ForgeError::PrivateToPublic { target: self.target.to_string() })
            }
            _ => Ok(()),
        }
    }

    /// Whether a push may be tried although the forge does not answer.
    fn may_go_on(&self, kept: Option<&Record>) -> Result<bool, ForgeError> {
        match kept {
            Some(record) => self.check_visibility(&record.repository).map(|()| true),
            None => Ok(!self.must_be_private()),
        }
    }

    /// The name that a repository has now, if it is another one.
    fn renamed(&self, repository: &Repository) -> Option<String> {
        let asked = Project::of(self.target)?.to_string();
        let is_same = repository.full_name.eq_ignore_ascii_case(&asked);
        (!is_same).then(|| repository.full_name.clone())
    }

    /// What holds until it is changed.
    fn checked(&self, record: &Record, now: Timestamp) -> Checked {
        let renamed = self.renamed(&record.repository).map(|to| Finding::TargetRenamed { to });
        let ends = record.credential_ends.and_then(|at| {
            let days = at.days_from(now);
            let within_days = TOLD_WITHIN.into_iter().find(|within| days < *within)?;
            Some(Finding::TokenExpires { at, within_days })
        });
        let findings = renamed.into_iter().chain(ends).collect();
        Checked { findings, may_change_workflows: record.may_change_workflows }
    }
}
