//! What the forge of a target is asked around a publication: before it, whether it makes sense; after a
//! refusal, why; after the first one, to show the main branch.

use super::cache::LockedCache;
use super::{Mirror, Note, RefChange, SyncError};
use crate::base::Interrupt;
use crate::forge::{Checked, ForgeError, TargetCheck};
use crate::git::destination::{PublishError, Refusal, RefusalKind, Target};
use crate::hg::pull::Source;
use crate::net::url::{Location, Scheme};

/// A target that may be published to, as far as its forge tells.
pub(super) struct CheckedTarget<'m> {
    mirror: &'m Mirror,
    /// `None` where the target has no forge that is known.
    check: Option<TargetCheck<'m>>,
    checked: Checked,
}

impl<'m> CheckedTarget<'m> {
    /// Checks the target of a mirror, before the first connection to it.
    pub(super) fn check(
        mirror: &'m Mirror,
        cache: &LockedCache,
        interrupt: &'m Interrupt,
    ) -> Result<Self, SyncError> {
        let (Some(options), Some(target)) = (&mirror.forge, &mirror.target) else {
            return Ok(Self { mirror, check: None, checked: Checked::default() });
        };
        let check = TargetCheck {
            options,
            target: &target.url,
            access: &target.access,
            record: cache.forge(),
            is_source_private: is_private(&mirror.source),
            interrupt,
        };
        let checked = check.before_push()?;
        Ok(Self { mirror, check: Some(check), checked })
    }

    /// The target, with what its forge told of it.
    pub(super) fn target(&self) -> Option<Target> {
        let mut target = self.mirror.target.clone()?;
        // Over SSH another credential pushes than the one that asks.
        if matches!(target.url.location(), Location::Http { .. }) {
            target.limits.workflows &= self.checked.may_change_workflows.unwrap_or(true);
        }
        Some(target)
    }

    /// The same error, with the reason that the forge tells if the target has refused everything.
    pub(super) fn explained(&self, error: SyncError) -> SyncError {
        let Some(check) = &self.check else { return error };
        let (is_denied, has_moved) = match &error {
            SyncError::Publish(PublishError::Denied { .. }) => (true, false),
            SyncError::Publish(PublishError::Moved { .. }) => (false, true),
            SyncError::Publish(PublishError::Missing { .. }) => (false, false),
            _ => return error,
        };
        match check.after_refusal(is_denied, has_moved) {
            // That it cannot be asked is no reason of the target's.
            Some(ForgeError::Net { .. } | ForgeError::Limited { .. }) | None => error,
            Some(exact) => exact.into(),
        }
    }

    /// What a person should know of the target, once `changes` are published and the rest was
    /// `refused`; what would be the same in every sync is among it. After the first push the forge
    /// shows the main branch.
    pub(super) fn notes(self, changes: &[RefChange], refused: &[Refusal]) -> Vec<Note> {
        // The scopes of a token can be changed, and it stays the same.
        if let Some(check) = &self.check
            && refused.iter().any(|refusal| refusal.kind == RefusalKind::Workflow)
        {
            check.forget();
        }
        let mut findings = self.checked.findings;
        let main = self.mirror.options.naming.main_name();
        let is_new = |change: &RefChange| {
            let is_main = change.name.strip_prefix("refs/heads/") == Some(main.as_str());
            is_main && change.old.is_none() && change.new.is_some()
        };
        if changes.iter().any(is_new)
            && let Some(check) = self.check
        {
            findings.extend(check.after_first_push(&main));
        }
        findings.into_iter().map(Note::Target).collect()
    }
}

/// Whether a source is reached with a credential, and so may be private: nothing else tells that.
fn is_private(source: &Source) -> bool {
    match source {
        Source::Path(_) => false,
        Source::Server { url, access } => access.token.is_some() || url.scheme == Scheme::Ssh,
    }
}
