//! Brings a bare repository up to date with a source: convert what is new, then move references.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::adopt::StartingPoint;
use super::cache::LockedCache;
use super::check::Checks;
use super::event::Events;
use super::ledger::Ledger;
use super::rebuild::Beginning;
use super::slices::keep;
use super::source::OpenSource;
use super::{ConvertOptions, Mirror, Note, RefChange, SyncError};
use crate::base::Interrupt;
use crate::convert::idmap::Record;
use crate::convert::names::source_refs;
use crate::convert::notes::{Previous, write_notes};
use crate::convert::placeholder::Placeholders;
use crate::convert::refs::{KnownName, WantedRefs};
use crate::convert::{self, IdMap, Rules};
use crate::git::reference::{BRANCHES, HG_NOTES, by_name};
use crate::git::repository::RefEdit;
use crate::git::{BareRepository, ObjectId, Reference};
use crate::hg::repository::TAGS;
use crate::hg::revlog::RevlogError;
use crate::hg::{Repository, Rev, RevSet};

/// A bare repository that is up to date with its source.
pub(super) struct UpdatedCache {
    pub changesets: usize,
    pub converted: usize,
    /// The references that the source asks for, the main branch first.
    pub wanted: Vec<Reference>,
    /// The commit of each changeset.
    pub map: IdMap,
    /// What these references were before.
    before: HashMap<String, ObjectId>,
    pub notes: Vec<Note>,
}

impl UpdatedCache {
    /// The references of the bare repository, and what they were before.
    pub(super) fn moved(&self) -> Vec<RefChange> {
        let change = |r: &Reference| RefChange {
            name: r.name.clone(),
            old: self.before.get(&r.name).copied(),
            new: Some(r.id),
        };
        self.wanted.iter().map(change).collect()
    }
}

/// What the source serves, converted.
pub(super) struct ConvertedHistory {
    /// How it was converted.
    pub rules: Rules,
    /// Every served changeset has a commit in it.
    pub map: IdMap,
    /// The changesets that have one, served or not.
    pub mapped: RevSet,
    pub placeholders: Placeholders,
    /// How many are served.
    served: usize,
    /// Those that this run has converted.
    new: Vec<Rev>,
    notes: Vec<Note>,
}

/// One run of a mirror's sync, on a source that is open.
pub(super) struct Sync<'s> {
    pub mirror: &'s Mirror,
    pub cache: &'s LockedCache,
    pub source: &'s OpenSource<'s>,
    /// Receives its events.
    pub events: &'s Events<'s>,
    pub interrupt: &'s Interrupt,
}

impl<'s> Sync<'s> {
    /// The Mercurial repository.
    pub(super) fn repository(&self) -> &'s Repository {
        self.source.repository
    }

    /// How it is converted.
    pub(super) fn options(&self) -> &'s ConvertOptions {
        &self.mirror.options
    }

    /// The revisions of the source that have a commit in `map`.
    pub(super) fn mapped(&self, map: &IdMap) -> RevSet {
        map.mapped(self.repository().changelog())
    }

    /// Converts what is new and moves the references of the cache: pack, then map, then references,
    /// each durable before the next begins. What these are called is entered in the `ledger` before.
    pub(super) fn update_cache(&self, ledger: &mut Ledger) -> Result<UpdatedCache, SyncError> {
        let git = self.cache.open_git(&self.options().naming.main_name())?;
        match self.beginning(&git)? {
            Beginning::Certain(start) => {
                let history = self.converted(&git, start, self.checks())?;
                return self.update_refs(&git, history, ledger);
            }
            Beginning::Trial(start, trial) => {
                let mut history = self.converted(&git, start, Checks::Later)?;
                if let Some(note) = self.end_trial(&git, &trial, &history)? {
                    history.notes.push(note);
                    return self.update_refs(&git, history, ledger);
                }
            }
            Beginning::Failed => {}
        }
        let (git, start) = self.give_up(git)?;
        let history = self.converted(&git, start, self.checks())?;
        self.update_refs(&git, history, ledger)
    }

    /// Converts what `start` does not have.
    fn converted(
        &self,
        git: &BareRepository,
        start: StartingPoint,
        checks: Checks,
    ) -> Result<ConvertedHistory, SyncError> {
        let cache = self.cache;
        let StartingPoint { identity, mut map, mut mapped, mut notes } = start;
        let rules = self.options().rules(identity);
        cache.settle_authors(&rules, self.repository(), &map)?;
        let all = self.repository().view().served();
        let (served, new) = (all.count(), all.without(&mapped));
        if new.len() == served && !self.options().allow_empty {
            refuse_another_source(cache.git(), served, map.len())?;
        }
        notes.extend(self.repository().view().notes().iter().cloned().map(Note::from));
        let mut placeholders = cache.placeholders()?;
        if !new.is_empty() {
            let growing = (&mut map, &mut mapped, &mut placeholders);
            let told = self.convert_new(git, (&rules, checks), growing, &new)?;
            notes.extend(told.left_out.into_iter().map(Note::from));
            notes.extend(told.broken.notes().map(Note::from));
        }
        Ok(ConvertedHistory { rules, map, mapped, placeholders, served, new, notes })
    }

    /// Moves the references of the cache to what was converted.
    fn update_refs(
        &self,
        git: &BareRepository,
        history: ConvertedHistory,
        ledger: &mut Ledger,
    ) -> Result<UpdatedCache, SyncError> {
        let ConvertedHistory { rules, map, mapped, placeholders, served, new, mut notes } = history;
        let changelog = self.repository().changelog();
        let (named, more) = self.wanted_refs(&placeholders, &ledger.names())?;
        ledger.enter(&named.refs, self.options().notes);
        ledger.save().map_err(|source| SyncError::Folder { path: ledger.file(), source })?;
        let tips: Vec<Rev> = named.refs.iter().filter_map(|r| changelog.rev(r.node)).collect();
        notes.extend(named.renamed.into_iter().map(Note::from));
        notes.extend(more.into_iter().map(Note::from));
        // Every served changeset has a commit now.
        let mut wanted: Vec<_> = named
            .refs
            .into_iter()
            .filter_map(|r| Some(Reference::new(r.name, map.commit(r.node)?)))
            .collect();
        let commit_of =
            |rev: &Rev| map.commit(changelog.node(*rev)).map(|id| (changelog.node(*rev), id));
        self.interrupt.check()?;
        let mut before = git.refs()?;
        if self.options().notes {
            let served: Vec<Rev> = self.repository().view().served().iter().collect();
            let commits: Vec<Record> = served.iter().filter_map(commit_of).collect();
            let new: Vec<Record> = new.iter().filter_map(commit_of).collect();
            let old = git.reference(HG_NOTES)?.map(|id| Reference::new(HG_NOTES, id));
            wanted.extend(self.notes(git, old.as_ref(), &commits, &new)?);
            before.extend(old);
        }
        let keeping = (&map, &mapped, rules.identity);
        let keep = self.edits_to_keep(git, keeping, tips.into_iter(), &before, &new)?;
        // What could not be read would be missing among these.
        map.check()?;
        changelog.check_unchanged()?;
        let dropped = self.move_refs(git, &map, &wanted, &before, keep)?;
        self.record_packs(git)?;
        map.remember(changelog, &mapped)?;
        self.cache.save_history(changelog)?;
        // At a target this is for the rules to decide.
        if self.mirror.target.is_none() {
            notes.extend(dropped.into_iter().map(|reference| Note::RefRemoved { reference }));
        }
        Ok(UpdatedCache {
            changesets: served,
            converted: new.len(),
            wanted,
            map,
            before: before.iter().map(|r| (r.name.clone(), r.finally())).collect(),
            notes,
        })
    }

    /// Adds the notes that are missing to those that are there; `new` are those of
    /// `commits` that were converted by this run.
    fn notes(
        &self,
        git: &BareRepository,
        old: Option<&Reference>,
        commits: &[Record],
        new: &[Record],
    ) -> Result<Option<Reference>, SyncError> {
        let contents = match old {
            Some(old) => git.read(old.id)?.map(|(_, contents)| contents).unwrap_or_default(),
            None => Vec::new(),
        };
        let previous = old.map(|old| Previous { commit: old.id, contents: &contents });
        let tip = self.repository().view().tip();
        let newest =
            tip.map(|tip| self.repository().changelog().reader().changeset(tip)).transpose()?;
        let seconds = newest.map_or(0, |changeset| changeset.date.seconds);
        let missing = if old.is_some() { new.len() } else { commits.len() };
        let tip =
            keep(git, missing, |sink| write_notes(previous, commits, new, seconds, git, sink))?;
        git.refresh()?;
        Ok(tip.map(|tip| Reference::new(HG_NOTES, tip)))
    }

    /// The references that the source asks for, and what a person should know about its names.
    fn wanted_refs(
        &self,
        placeholders: &Placeholders,
        known: &[KnownName],
    ) -> Result<(WantedRefs, Vec<convert::report::Note>), SyncError> {
        let changelog = self.repository().changelog();
        let mut table = self.cache.branch_table(changelog);
        let skipping = (placeholders, self.options().skip_damaged);
        let naming = &self.options().naming;
        let refs = source_refs(self.repository(), naming, skipping, &mut table, known)?;
        // What only looks damaged, because another program writes to the source, is not skipped.
        if let Some(&node) = refs.skipped.first().filter(|_| !self.source.is_calm()) {
            return Err(RevlogError::Missing { file: TAGS.to_owned(), node }.into());
        }
        if refs.table_grew {
            self.cache.save_branch_table(&table, changelog)?;
        }
        Ok((refs.wanted, refs.notes))
    }

    /// Moves all references at once, and does the `keep` edits with them. A reference that the source no
    /// longer asks for goes, if what it names is a commit that we made; all others stay.
    fn move_refs(
        &self,
        git: &BareRepository,
        map: &IdMap,
        wanted: &[Reference],
        existing: &[Reference],
        keep: Vec<RefEdit>,
    ) -> Result<Vec<String>, SyncError> {
        let names: HashSet<&str> = wanted.iter().map(|r| r.name.as_str()).collect();
        let gone: Vec<_> = existing.iter().filter(|r| !names.contains(r.name.as_str())).collect();
        let ours: HashSet<_> = if gone.is_empty() {
            HashSet::new()
        } else {
            map.records().filter(|(node, _)| !map.is_adopted(*node)).map(|(_, id)| id).collect()
        };
        let dropped: Vec<_> =
            gone.iter().filter(|r| ours.contains(&r.id)).map(|r| r.name.clone()).collect();
        let removals = dropped.iter().map(|name| RefEdit { name: name.clone(), new: None });
        // An annotated tag of the right commit is as good as ours, and says more.
        let has = by_name(existing);
        let is_there =
            |r: &&Reference| has.get(r.name.as_str()).is_some_and(|h| h.stands_for(r.id));
        let updates = wanted.iter().filter(|r| !is_there(r));
        let updates = updates.map(|r| RefEdit { name: r.name.clone(), new: Some(r.id) });
        let edits: Vec<_> = removals.chain(updates).chain(keep).collect();
        let head = format!("{BRANCHES}{}", self.options().naming.main_name());
        git.update_refs(&edits, names.contains(head.as_str()).then_some(&head))?;
        Ok(dropped)
    }
}

/// Refuses a source that serves nothing of what was converted from it before: its disk was lost, or it
/// is another repository. All refs would be removed.
pub(super) fn refuse_another_source(
    cache: &Path,
    served: usize,
    converted: usize,
) -> Result<(), SyncError> {
    match converted {
        0 => Ok(()),
        _ => Err(SyncError::NothingInCommon { cache: cache.to_owned(), served, converted }),
    }
}
