//! What a sync would do: everything is read, nothing is written.

use std::collections::{HashMap, HashSet};

use bstr::ByteSlice;
use serde::Serialize;

use super::adopt::adopt_into;
use super::cache::{CacheLocation, LockedCache, ReadCache};
use super::event::{Events, Observer};
use super::ledger::Ledger;
use super::report::Kept;
use super::source::{LocalSource, read_source};
use super::source_history::SourceHistory;
use super::update::refuse_another_source;
use super::{Mirror, Note, SyncError};
use crate::base::text::utf8_or_latin1;
use crate::base::{Cause, Interrupt};
use crate::convert::names::source_refs;
use crate::convert::refs::WantedRef;
use crate::git::destination::{self, Decision, Orders, PublishError, RefusalKind, backup_prefix};
use crate::git::reference::HG_NOTES;
use crate::git::{ObjectId, Reference};
use crate::hg::{Repository, Rev};

/// How many new changesets are listed one by one.
const FIRST: usize = 10;

/// What a sync of one mirror would change. This is the form of `plan --json`: fields are added, and
/// none is taken away or means something else later.
#[derive(Debug, Serialize)]
pub struct SyncPlan {
    /// The mirror.
    pub name: String,
    /// Its source.
    pub source: String,
    /// Its target.
    pub target: String,
    /// The identity: the one that is settled, or what is asked for.
    pub identity: &'static str,
    /// What would be converted.
    pub changesets: PlannedChangesets,
    /// What the sync would do to the refs of the target; `null` if it cannot be reached.
    pub references: Option<PlannedReferences>,
    /// The notes of the sync: refs that have other names than in the source, paths that are left out,
    /// and the like. Their texts are added where they are shown.
    #[serde(skip)]
    pub notes: Vec<Note>,
    /// Why the target cannot be reached; `null` if it can.
    pub target_error: Option<Cause>,
    /// The same as an error, for its hint.
    #[serde(skip)]
    pub unreachable: Option<PublishError>,
}

/// What would be converted.
#[derive(Debug, Serialize)]
pub struct PlannedChangesets {
    /// How many the source serves.
    pub served: usize,
    /// How many of them are not converted yet.
    pub new: usize,
    /// The first of the new ones, at most ten, in revision order.
    pub first: Vec<PlannedChangeset>,
}

/// A changeset that would be converted.
#[derive(Debug, Serialize)]
pub struct PlannedChangeset {
    /// Its node.
    pub node: String,
    /// Its named branch.
    pub branch: String,
    /// Its user, or what the author map has instead.
    pub author: String,
    /// The first line of its description.
    pub summary: String,
}

/// What would become of the references of the target.
#[derive(Debug, Default, Serialize)]
pub struct PlannedReferences {
    /// Those that the target does not have.
    pub create: Vec<PlannedReference>,
    /// Those that would move, without that a commit is lost.
    #[serde(rename = "move")]
    pub moves: Vec<PlannedReference>,
    /// Those that would move away from commits that the source no longer has.
    pub rewrite: Vec<PlannedReference>,
    /// Those that would be removed, since the source does not have the name any more.
    pub remove: Vec<PlannedReference>,
    /// Those that would be left where they are, against what the source says.
    pub refuse: Vec<PlannedReference>,
    /// How many are as they should be.
    pub unchanged: usize,
    /// Those that the target has and that stay: the source does not ask for them, or the rules want
    /// it.
    pub keep: Vec<KeptReference>,
}

/// A reference that the target is to have.
#[derive(Debug, Serialize)]
pub struct PlannedReference {
    /// The full name.
    pub name: String,
    /// The changeset whose commit it is to name; `null` for notes.
    pub node: Option<String>,
    /// That commit; `null` if the changeset is not converted yet, so that it has no id.
    pub commit: Option<String>,
    /// What the target has; `null` if it has no such reference.
    pub old: Option<String>,
    /// Why it would not move; `null` if it would.
    pub reason: Option<String>,
    /// The kind of refusal that this would be, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<RefusalKind>,
}

/// A reference that the target has.
#[derive(Debug, Serialize)]
pub struct KeptReference {
    /// The full name.
    pub name: String,
    /// What it names.
    pub commit: String,
    /// Why it stays, if this mirror has published it; `null` if not.
    pub why: Option<Kept>,
}

/// Plans a sync. Reads the source, what the cache has, and the references of the target; writes
/// nothing to any of them. A target that cannot be reached is part of the plan, not an error.
///
/// A target that has a history and was never synced is fetched into a temporary folder and compared
/// there, as a sync begins: only that tells what is to be converted and what would move. What a sync
/// refuses then is the error here, too.
pub fn plan(
    mirror: &Mirror,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<SyncPlan, SyncError> {
    let events = &Events::to(observer);
    let (source, fetched) = source(mirror, events, interrupt)?;
    let cache = ReadCache::read(&mirror.cache, &mirror.options)?;
    let listed = match &mirror.target {
        Some(target) => cache
            .git_dir()
            .and_then(|git| Ok(destination::open(target, &git)?.references(interrupt)?)),
        None => cache.refs(),
    };
    let (mut listed, unreachable) = match listed {
        Ok(listed) => (Some(listed), None),
        Err(SyncError::Publish(error)) => (None, Some(error)),
        Err(error) => return Err(error),
    };
    let has_history = listed.as_ref().is_some_and(|listed| !listed.is_empty());
    let begun = match has_history && cache.is_fresh() {
        true => Some(adopted(mirror, &source, &cache.scratch_cache(), (events, interrupt))?),
        false => None,
    };
    let (cache, adopted) = match &begun {
        Some((cache, notes)) => (cache, notes.as_slice()),
        None => (&cache, &[][..]),
    };
    cache.peel(listed.as_deref_mut().unwrap_or_default());
    let mut plan = read_source(&source, &mirror.options, interrupt, |source| {
        Planner { mirror, cache, source: source.repository }.plan(listed.as_deref())
    })?;
    plan.notes.splice(..0, fetched.into_iter().chain(adopted.iter().cloned()));
    plan.target_error = unreachable.as_ref().map(|error| Cause::of(error));
    plan.unreachable = unreachable;
    Ok(plan)
}

/// The source, which is fetched into the cache if it is not on this machine: what it has is seen
/// there, and what was fetched is not fetched again by the sync.
fn source(
    mirror: &Mirror,
    events: &Events<'_>,
    interrupt: &Interrupt,
) -> Result<(LocalSource, Vec<Note>), SyncError> {
    if let Some(path) = mirror.source.in_place() {
        return Ok((LocalSource::in_place(path), Vec::new()));
    }
    let (options, limits) = (&mirror.options, &mirror.options.limits);
    let cache = LockedCache::lock(&mirror.cache, &options.naming.main_name())?;
    LocalSource::fetched(&mirror.source, &cache.copy(), limits, events, interrupt)
}

/// Adopts the history of the target in a cache at `scratch`, a temporary folder. Returns
/// what was adopted, and the notes about it.
fn adopted(
    mirror: &Mirror,
    source: &LocalSource,
    scratch: &CacheLocation,
    (events, interrupt): (&Events<'_>, &Interrupt),
) -> Result<(ReadCache, Vec<Note>), SyncError> {
    let cache = LockedCache::lock(scratch, &mirror.options.naming.main_name())?;
    let adopted = adopt_into(&cache, mirror, source, &[], events, interrupt)?;
    Ok((ReadCache::read(scratch, &mirror.options)?, adopted.notes))
}

struct Planner<'p> {
    mirror: &'p Mirror,
    cache: &'p ReadCache,
    source: &'p Repository,
}

impl Planner<'_> {
    fn plan(&self, target: Option<&[Reference]>) -> Result<SyncPlan, SyncError> {
        let Mirror { name, source, target: to, cache, options, .. } = self.mirror;
        let ledger = self.cache.ledger(to.as_ref())?;
        let mut table = self.cache.branch_table(self.source.changelog());
        let skipping = (self.cache.placeholders(), options.skip_damaged);
        let known = ledger.names();
        let names = source_refs(self.source, &options.naming, skipping, &mut table, &known)?;
        let view_notes = self.source.view().notes().iter().cloned().map(Note::from);
        let renamed = names.wanted.renamed.iter().cloned().map(Note::from);
        let of_names = names.notes.into_iter().map(Note::from);
        Ok(SyncPlan {
            name: name.clone(),
            source: source.to_string(),
            target: to
                .as_ref()
                .map_or_else(|| cache.path().display().to_string(), |to| to.url.to_string()),
            identity: self.cache.identity(),
            changesets: self.changesets()?,
            references: target
                .map(|target| self.references(&names.wanted.refs, target, &ledger))
                .transpose()?,
            notes: view_notes.chain(renamed).chain(of_names).collect(),
            target_error: None,
            unreachable: None,
        })
    }

    fn changesets(&self) -> Result<PlannedChangesets, SyncError> {
        let changelog = self.source.changelog();
        let served = self.source.view().served();
        let new: Vec<Rev> =
            served.iter().filter(|rev| self.cache.commit(changelog.node(*rev)).is_none()).collect();
        if new.len() == served.count() {
            let cache = self.mirror.cache.path();
            refuse_another_source(cache, new.len(), self.cache.converted())?;
        }
        let rules = self.mirror.options.rules(self.mirror.options.identity.for_new_targets());
        let mut reader = changelog.reader();
        let mut first = Vec::new();
        for rev in new.iter().take(FIRST) {
            let changeset = reader.changeset(*rev)?;
            let summary = changeset.description.lines().next().unwrap_or_default();
            first.push(PlannedChangeset {
                node: changelog.node(*rev).to_string(),
                branch: utf8_or_latin1(changeset.branch()).into_owned(),
                author: utf8_or_latin1(&rules.user(&changeset.user)).into_owned(),
                summary: utf8_or_latin1(summary).into_owned(),
            });
        }
        Ok(PlannedChangesets { served: served.count(), new: new.len(), first })
    }

    /// What would become of each reference, by the shape of the source's history: what is not
    /// converted yet has no commit to ask.
    fn references(
        &self,
        wanted: &[WantedRef],
        target: &[Reference],
        ledger: &Ledger,
    ) -> Result<PlannedReferences, SyncError> {
        let changelog = self.source.changelog();
        // A changeset without a commit stands for itself: its node is no object's id.
        let stand_in = |wanted: &WantedRef| {
            let commit = self.cache.commit(wanted.node);
            commit.unwrap_or_else(|| ObjectId::from_bytes(*wanted.node.as_bytes()))
        };
        let references: Vec<_> =
            wanted.iter().map(|w| Reference::new(w.name.clone(), stand_in(w))).collect();
        let mut rev_of: HashMap<ObjectId, Rev> = self.cache.revs(changelog);
        let of_wanted = references.iter().zip(wanted);
        rev_of.extend(of_wanted.filter_map(|(r, w)| Some((r.id, changelog.rev(w.node)?))));
        let history = SourceHistory { dag: changelog.dag(), rev_of, cache: self.cache };
        let mut known = ledger.published();
        // The notes are planned apart.
        known.remove(HG_NOTES);
        let orders = Orders {
            wanted: &references,
            known: &known,
            is_ours: &|commit| self.cache.is_ours(commit),
            rules: &self.mirror.publish,
            backups: &backup_prefix(&self.mirror.options.naming.prefix),
        };
        let changeset_of: HashMap<&str, &WantedRef> =
            wanted.iter().map(|wanted| (wanted.name.as_str(), wanted)).collect();
        let mut planned = PlannedReferences::default();
        let mut ours = HashSet::new();
        for one in destination::plan(&orders, target, &history)? {
            let wanted = changeset_of.get(one.name.as_str());
            let commit = match wanted {
                Some(wanted) => self.cache.commit(wanted.node),
                None => one.new,
            };
            let refusal = match one.decision {
                Decision::Refuse(kind) => Some(kind),
                _ => None,
            };
            let entry = PlannedReference {
                name: one.name.clone(),
                node: wanted.map(|wanted| wanted.node.to_string()),
                commit: commit.map(|id| id.to_string()),
                old: one.old.map(|id| id.to_string()),
                reason: refusal.map(|kind| kind.reason(one.old)),
                refusal,
            };
            planned.add(one.decision, entry);
            ours.insert(one.name);
        }
        self.plan_notes(target, &mut planned);
        ours.extend(self.mirror.options.notes.then(|| HG_NOTES.to_owned()));
        let others = target.iter().filter(|reference| !ours.contains(&reference.name));
        planned.keep.extend(others.map(|r| KeptReference {
            name: r.name.clone(),
            commit: r.id.to_string(),
            why: None,
        }));
        Ok(planned)
    }

    /// The notes move whenever something is converted, and then their commit is not known yet.
    fn plan_notes(&self, target: &[Reference], planned: &mut PlannedReferences) {
        if !self.mirror.options.notes {
            return;
        }
        let changelog = self.source.changelog();
        let mut served = self.source.view().served().iter();
        let is_new = served.any(|rev| self.cache.commit(changelog.node(rev)).is_none());
        let ours = self.cache.notes();
        let old = target.iter().find(|reference| reference.name == HG_NOTES).map(|r| r.id);
        let commit = ours.filter(|_| !is_new);
        let decision = match old {
            None => Decision::Create,
            Some(old) if commit == Some(old) => Decision::UpToDate,
            Some(_) => Decision::FastForward,
        };
        let entry = PlannedReference {
            name: HG_NOTES.to_owned(),
            node: None,
            commit: commit.map(|id| id.to_string()),
            old: old.map(|id| id.to_string()),
            reason: None,
            refusal: None,
        };
        planned.add(decision, entry);
    }
}

impl PlannedReferences {
    fn add(&mut self, decision: Decision, entry: PlannedReference) {
        match decision {
            Decision::UpToDate => self.unchanged += 1,
            Decision::Create => self.create.push(entry),
            Decision::FastForward | Decision::Move => self.moves.push(entry),
            Decision::Overwrite => self.rewrite.push(entry),
            Decision::Remove => self.remove.push(entry),
            Decision::Stay(why) => self.keep.push(KeptReference {
                name: entry.name,
                commit: entry.old.unwrap_or_default(),
                why: Kept::of(why),
            }),
            Decision::Refuse(_) => self.refuse.push(entry),
        }
    }
}
