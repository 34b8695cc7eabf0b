//! Publishing the references of the cache at the target, by the rules and with the ledger.

use std::collections::{HashMap, HashSet};

use super::cache::LockedCache;
use super::event::{Events, SyncEvent};
use super::ledger::Ledger;
use super::report::Kept;
use super::update::UpdatedCache;
use super::{Mirror, Note, RefChange, SyncContext, SyncError};
use crate::base::{Fault, Fence, Interrupt};
use crate::convert::IdMap;
use crate::git::destination::{
    self, Destination, Journal, Orders, PublishError, PublishRules, RefOutcome, RefUpdate, Refusal,
    RefusalKind, Target, backup_prefix,
};
use crate::git::pack::LargeFile;
use crate::git::{ObjectId, Reference};

/// What became of the references of the target.
#[derive(Debug, Default)]
pub(super) struct PublishedRefs {
    /// Those that are as the source wants them, and those that were removed.
    pub changes: Vec<RefChange>,
    /// Those that are not.
    pub refused: Vec<Refusal>,
    /// What a person should know of others.
    pub notes: Vec<Note>,
}

/// Publishes what `updated` has at `target`, by what leads to it, if it was asked already.
pub(super) fn publish(
    (mirror, context): (&Mirror, &SyncContext<'_>),
    (target, listed): (&Target, Option<Box<dyn Destination>>),
    updated: &UpdatedCache,
    (cache, ledger): (&LockedCache, &mut Ledger),
    (events, interrupt): (&Events<'_>, &Interrupt),
) -> Result<PublishedRefs, SyncError> {
    let _lock = cache.lock_target(&target.url.to_string(), interrupt)?;
    // What is there now may be of somebody who has taken over.
    context.fence.check()?;
    let rules = &mirror.publish;
    let known = ledger.published();
    let ours = Ours::of(&updated.map);
    let orders = Orders {
        wanted: &updated.wanted,
        known: &known,
        is_ours: &|commit| ours.has(commit),
        rules,
        backups: &backup_prefix(&mirror.options.naming.prefix),
    };
    let access = target.way();
    let fence = context.fence;
    let mut record = Record { ledger, wanted: &updated.wanted, access: &access, rules, fence };
    let mut destination = match listed {
        Some(listed) => listed,
        None => destination::open(target, cache.git())?,
    };
    let published = destination::publish(
        destination.as_mut(),
        &orders,
        cache.git(),
        &mut record,
        events,
        interrupt,
    )?;
    let mut refs = PublishedRefs::default();
    for outcome in published.outcomes {
        record.ends(&outcome);
        let change = RefChange { name: outcome.name.clone(), old: outcome.old, new: outcome.new };
        match outcome.refusal() {
            None => {
                if let Some(old) = change.old.filter(|_| published.rewritten.contains(&change.name))
                {
                    let backup = rules.backup.then(|| orders.backup_of(&change.name, old));
                    let reference = change.name.clone();
                    refs.notes.push(Note::RefRewritten { reference, old, backup });
                }
                events.tell(&SyncEvent::RefPublished { change: change.clone() });
                refs.changes.push(change);
            }
            Some(refusal) => {
                events.tell(&SyncEvent::RefRefused { refusal: refusal.clone() });
                refs.refused.push(refusal);
            }
        }
    }
    refs.notes.extend(large_files(published.large, target, &updated.map));
    refs.notes.extend(
        published
            .stay
            .into_iter()
            .filter_map(|(reference, why)| Some(Note::RefKept { reference, why: Kept::of(why)? })),
    );
    ledger.save().map_err(|source| SyncError::Folder { path: ledger.file(), source })?;
    Ok(refs)
}

/// Notes about files that are near the limit of `target` or beyond it.
fn large_files(large: Vec<LargeFile>, target: &Target, map: &IdMap) -> impl Iterator<Item = Note> {
    let commits: HashSet<ObjectId> = large.iter().map(|file| file.commit).collect();
    // The map is looked through once, and for nothing if nothing is large.
    let records = map.records().filter(|(_, commit)| commits.contains(commit));
    let records = if commits.is_empty() { None } else { Some(records) };
    let changesets: HashMap<_, _> =
        records.into_iter().flatten().map(|(node, commit)| (commit, node)).collect();
    let limit = target.limits.file.unwrap_or_default();
    large.into_iter().map(move |file| Note::LargeFile {
        path: file.path.to_string(),
        bytes: file.size,
        commit: file.commit,
        changeset: changesets.get(&file.commit).copied(),
        limit,
    })
}

/// The commits of a mirror, which are looked for only if a reference is in doubt.
struct Ours<'m> {
    map: &'m IdMap,
    commits: std::cell::OnceCell<HashSet<ObjectId>>,
}

impl<'m> Ours<'m> {
    fn of(map: &'m IdMap) -> Self {
        Self { map, commits: std::cell::OnceCell::new() }
    }

    fn has(&self, commit: ObjectId) -> bool {
        let commits = || self.map.records().map(|(_, commit)| commit).collect();
        self.commits.get_or_init(commits).contains(&commit)
    }
}

/// Keeps the ledger true while a target is published to.
struct Record<'r> {
    ledger: &'r mut Ledger,
    wanted: &'r [Reference],
    /// Stands for how the target is reached.
    access: &'r str,
    rules: &'r PublishRules,
    fence: &'r dyn Fence,
}

impl Record<'_> {
    fn save(&mut self) -> Result<(), PublishError> {
        let path = self.ledger.file();
        self.ledger.save().map_err(|source| PublishError::Keep { path, source })
    }

    /// Enters what became of a reference.
    fn ends(&mut self, outcome: &RefOutcome) {
        let RefOutcome { name, old, new, .. } = outcome.clone();
        let update = RefUpdate { name, old, new };
        match outcome.clone().refusal() {
            None => self.ledger.accept(&update.name),
            // This one has its time already.
            Some(_) if self.refused_before(&update).is_some() => {}
            Some(refusal) if is_lasting(refusal.kind) => {
                self.ledger.refuse(&update, &refusal, self.access);
            }
            Some(_) => {}
        }
    }
}

impl Journal for Record<'_> {
    fn may_push(&self) -> Result<(), PublishError> {
        Ok(self.fence.check()?)
    }

    fn publishing(&mut self, updates: &[RefUpdate]) -> Result<(), PublishError> {
        self.ledger.publishing(updates);
        self.save()
    }

    fn listed(&mut self, target: &[Reference], is_certain: bool) -> Result<(), PublishError> {
        self.ledger.listed(self.wanted, target, is_certain);
        self.save()
    }

    fn refused_before(&self, update: &RefUpdate) -> Option<Refusal> {
        let mut refusal = self.ledger.refused(update, self.access).filter(|_| !self.rules.retry)?;
        refusal.reason.push_str("; nothing has changed since, so it was not tried again");
        Some(refusal)
    }
}

/// Whether the target would refuse the same again: not what another program did at that moment, or
/// what is told without asking the target.
fn is_lasting(kind: RefusalKind) -> bool {
    let is_planned = matches!(
        kind,
        RefusalKind::Rewritten
            | RefusalKind::Unknown
            | RefusalKind::MovedByOthers
            | RefusalKind::TagDiffers
            | RefusalKind::ManyRemovals
    );
    // What is in the way may go without a word to us.
    !is_planned && kind != RefusalKind::FolderConflict && kind.fault() != Fault::Unavailable
}
