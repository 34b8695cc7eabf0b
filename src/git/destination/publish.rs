//! Bringing a target to what it shall have, and making sure that it is there.

mod split;

use std::collections::HashMap;
use std::path::Path;

use super::pace::Pace;
use super::plan::{Decision, History, Orders, Planned, Stays, Turn, plan};
use super::{
    Destination, Prune, PublishError, RefOutcome, RefResult, RefUpdate, Refusal, RefusalKind,
};
use crate::base::{Interrupt, Progress, Stage};
use crate::git::ObjectId;
use crate::git::pack::LargeFile;
use crate::git::reference::{BRANCHES, Reference, by_name};
use crate::git::repository::BareRepository;
use split::Pushed;

/// How many references one push moves at most. Servers run a hook for each of them before they
/// answer, and GitHub gives its hooks little time.
const REFS_IN_A_PUSH: usize = 500;

/// How often a target that somebody else moves meanwhile is looked at again.
const TRIES: usize = 3;

/// Is told what is about to be done to a target and what it has, so that a run that is killed in the
/// middle knows what is its own.
pub trait Journal {
    /// Right before each push, and before anything else that the target would show: whether that may be done.
    fn may_push(&self) -> Result<(), PublishError> {
        Ok(())
    }

    /// Before anything is pushed: these may arrive from now on.
    fn publishing(&mut self, updates: &[RefUpdate]) -> Result<(), PublishError>;

    /// What the target has. `is_certain` says whether that is all that will come of what was ever
    /// pushed: where a connection broke, something may still arrive.
    fn listed(&mut self, target: &[Reference], is_certain: bool) -> Result<(), PublishError>;

    /// Why the target refused this before, if nothing has changed since, so that it is not asked
    /// again.
    fn refused_before(&self, update: &RefUpdate) -> Option<Refusal>;
}

/// Keeps nothing, and knows of nothing that was refused.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoJournal;

impl Journal for NoJournal {
    fn publishing(&mut self, _updates: &[RefUpdate]) -> Result<(), PublishError> {
        Ok(())
    }

    fn listed(&mut self, _target: &[Reference], _is_certain: bool) -> Result<(), PublishError> {
        Ok(())
    }

    fn refused_before(&self, _update: &RefUpdate) -> Option<Refusal> {
        None
    }
}

/// What was published.
#[derive(Clone, Debug, Default)]
pub struct Published {
    /// One outcome for each wanted reference, in the same order; then those of backups, and of
    /// references that went or should have gone.
    pub outcomes: Vec<RefOutcome>,
    /// The references that stay where they are by the rules, and why.
    pub stay: Vec<(String, Stays)>,
    /// The names of those outcomes by which commits were given up.
    pub rewritten: Vec<String>,
    /// Files near the size that the target takes, or beyond it.
    pub large: Vec<LargeFile>,
}

/// Makes `destination` have the wanted references, as far as the rules let it and as it takes away
/// nothing from others.
///
/// The main branch comes first: to a target without any branch it is pushed alone, because forges
/// make the branch that comes first the default one. `git_dir` is the bare repository that has what
/// the references point at. Where nothing differs, nothing is pushed. What the target reports is not
/// taken on trust: what it has is listed again and compared, after a broken connection too. What
/// somebody else moves meanwhile is planned again.
pub fn publish(
    destination: &mut dyn Destination,
    orders: &Orders<'_>,
    git_dir: &Path,
    journal: &mut dyn Journal,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<Published, PublishError> {
    interrupt.check()?;
    let source = BareRepository::open(git_dir)?;
    let pace = Pace::of(destination.pushes_a_minute());
    let mut run = Run { destination, source, pace, done: HashMap::new(), progress, interrupt };
    for tries in 1.. {
        let planned = run.plan(orders, journal)?;
        let is_last = tries == TRIES;
        match run.push_all(&planned, orders, journal) {
            Err(error) => return Err(error),
            Ok(outcomes) if outcomes.values().any(is_raced) && !is_last => {}
            Ok(outcomes) => return Ok(run.published(&planned, outcomes)),
        }
    }
    Ok(Published::default())
}

fn is_raced(outcome: &RefOutcome) -> bool {
    matches!(outcome.result, RefResult::Refused { kind: RefusalKind::Raced, .. })
}

/// One publishing to one target.
struct Run<'r> {
    destination: &'r mut dyn Destination,
    source: BareRepository,
    pace: Pace,
    /// What has arrived, by name: also what an earlier plan has brought there.
    done: HashMap<String, RefOutcome>,
    progress: &'r dyn Progress,
    interrupt: &'r Interrupt,
}

impl Run<'_> {
    /// Lists the target, and plans.
    fn plan(
        &mut self,
        orders: &Orders<'_>,
        journal: &mut dyn Journal,
    ) -> Result<Vec<Planned>, PublishError> {
        self.progress.begin(Stage::ListingRefs, None);
        let mut target = self.destination.references(self.interrupt)?;
        self.progress.end();
        self.source.peel(&mut target);
        let mut planned = plan(orders, &target, &self.source)?;
        journal.listed(&target, false)?;
        // The main branch of a target without any branch.
        if !target.iter().any(Reference::is_branch)
            && let Some(main) = planned.first_mut().filter(|main| main.name.starts_with(BRANCHES))
            && main.decision == Decision::Create
        {
            main.turn = Turn::Alone;
        }
        Ok(planned)
    }

    /// Pushes what is planned, in turns. The result has one outcome for each reference that was
    /// pushed, or would have been had it not been refused before.
    fn push_all(
        &mut self,
        planned: &[Planned],
        orders: &Orders<'_>,
        journal: &mut dyn Journal,
    ) -> Result<HashMap<String, RefOutcome>, PublishError> {
        let mut outcomes = HashMap::new();
        let mut pushed = Vec::new();
        for one in planned.iter().filter(|one| one.is_pushed()) {
            match journal.refused_before(&one.update()) {
                Some(Refusal { kind, reason, .. }) => {
                    let refused = RefOutcome::refused(&one.update(), kind, reason);
                    outcomes.insert(one.name.clone(), refused);
                }
                None => pushed.push(one),
            }
        }
        if pushed.is_empty() {
            return Ok(outcomes);
        }
        let updates: Vec<_> = pushed.iter().map(|one| one.update()).collect();
        journal.publishing(&updates)?;
        for turn in Turn::ALL {
            let mut now: Vec<&Planned> =
                pushed.iter().copied().filter(|one| one.turn == turn).collect();
            if turn == Turn::Last {
                self.hold_back(&mut now, planned, orders, &mut outcomes)?;
            }
            if let (Turn::Alone, [main]) = (turn, now.as_slice()) {
                journal.may_push()?;
                self.destination.make_default(&main.name)?;
            }
            // What goes goes last.
            now.sort_by_key(|one| one.new.is_none());
            for list in now.chunks(REFS_IN_A_PUSH) {
                let updates: Vec<_> = list.iter().map(|one| one.update()).collect();
                for outcome in self.push(&updates, journal)? {
                    if outcome.is_there() {
                        self.done.insert(outcome.name.clone(), outcome.clone());
                    }
                    outcomes.insert(outcome.name.clone(), outcome);
                }
            }
        }
        self.read_back(&mut outcomes, journal)?;
        Ok(outcomes)
    }

    /// Pushes `updates`, in parts if the target does not take them at once.
    fn push(
        &mut self,
        updates: &[RefUpdate],
        journal: &mut dyn Journal,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let parts = self.destination.parts(updates, self.progress, self.interrupt)?;
        if parts.len() <= 1 {
            return self.push_part(updates, journal);
        }
        let mut last: HashMap<String, RefOutcome> = HashMap::new();
        for part in parts {
            // What is refused once does not go on.
            let goes_on =
                |update: &&RefUpdate| last.get(&update.name).is_none_or(RefOutcome::is_there);
            let part: Vec<_> = part.iter().filter(goes_on).cloned().collect();
            if part.is_empty() {
                continue;
            }
            journal.publishing(&part)?;
            for outcome in self.push_part(&part, journal)? {
                last.insert(outcome.name.clone(), outcome);
            }
        }
        let outcome = |update: &RefUpdate| match last.remove(&update.name).map(|last| last.result) {
            Some(RefResult::Refused { kind, reason }) => RefOutcome::refused(update, kind, reason),
            _ => RefOutcome::accepted(update),
        };
        Ok(updates.iter().map(outcome).collect())
    }

    /// One push. After a broken connection, what has arrived counts.
    fn push_once(
        &mut self,
        updates: &[RefUpdate],
        journal: &mut dyn Journal,
    ) -> Result<Pushed, PublishError> {
        self.pace.wait(self.progress, self.interrupt)?;
        journal.may_push()?;
        let arrived = |outcomes| Pushed { outcomes, is_pack_refused: false };
        match self.destination.push(updates, self.progress, self.interrupt) {
            Err(PublishError::PackRefused { kind, reason, .. }) => {
                let refused = |update| RefOutcome::refused(update, kind, reason.clone());
                let outcomes = updates.iter().map(refused).collect();
                Ok(Pushed { outcomes, is_pack_refused: true })
            }
            Err(error @ PublishError::Interrupted(_)) => Err(error),
            Err(error) => {
                // If it does not answer now either, the first error says why.
                let Ok(target) = self.destination.references(self.interrupt) else {
                    return Err(error);
                };
                journal.listed(&target, false)?;
                let has = by_name(&target);
                let there = |name: &str| has.get(name).map(|there| there.id);
                match updates.iter().all(|update| there(&update.name) == update.new) {
                    true => Ok(arrived(updates.iter().map(RefOutcome::accepted).collect())),
                    false => Err(error),
                }
            }
            Ok(outcomes) => Ok(arrived(outcomes)),
        }
    }

    /// Takes out of `last` what would lose something after what became of the others, and gives it
    /// an outcome.
    fn hold_back(
        &self,
        waiting: &mut Vec<&Planned>,
        planned: &[Planned],
        orders: &Orders<'_>,
        outcomes: &mut HashMap<String, RefOutcome>,
    ) -> Result<(), PublishError> {
        if waiting.is_empty() {
            return Ok(());
        }
        let is_last = |one: &Planned| waiting.iter().any(|other| other.name == one.name);
        let has = |one: &Planned| match (one.decision, outcomes.get(&one.name)) {
            (Decision::UpToDate, _) => one.new,
            (Decision::Stay(_), _) => one.old,
            (_, Some(outcome)) if outcome.is_there() => one.new,
            (_, None) if is_last(one) => one.new,
            _ => None,
        };
        let tips: Vec<ObjectId> = planned.iter().filter_map(has).collect();
        let olds: Vec<ObjectId> = waiting.iter().filter_map(|one| one.old).collect();
        let lost = self.source.lost(&olds, &tips)?;
        waiting.retain(|one| {
            let is_backup =
                |other: &&Planned| other.new == one.old && other.name.starts_with(orders.backups);
            let is_there =
                |backup: &Planned| outcomes.get(&backup.name).is_none_or(RefOutcome::is_there);
            let is_kept = || planned.iter().filter(is_backup).all(is_there);
            let may_lose = match one.decision {
                Decision::Overwrite => is_kept(),
                Decision::Remove => orders.rules.prune == Prune::All && is_kept(),
                _ => false,
            };
            let goes = may_lose || one.old.is_none_or(|old| !lost.contains(&old));
            if !goes {
                let reason = "what should keep its commits was refused".to_owned();
                let refused = RefOutcome::refused(&one.update(), RefusalKind::Rewritten, reason);
                outcomes.insert(one.name.clone(), refused);
            }
            goes
        });
        Ok(())
    }

    /// Lists the target again. Turns an outcome into a refusal where the target does not have what it
    /// said it took.
    fn read_back(
        &mut self,
        outcomes: &mut HashMap<String, RefOutcome>,
        journal: &mut dyn Journal,
    ) -> Result<(), PublishError> {
        if outcomes.values().any(RefOutcome::is_there) {
            let target = self.destination.references(self.interrupt)?;
            journal.listed(&target, true)?;
            verify(outcomes.values_mut(), &target);
        }
        Ok(())
    }

    /// One outcome for each reference of the last plan, and for what an earlier one removed.
    fn published(
        mut self,
        planned: &[Planned],
        mut outcomes: HashMap<String, RefOutcome>,
    ) -> Published {
        let large = self.destination.large_files();
        let mut published = Published { large, ..Published::default() };
        for one in planned {
            let Planned { name, old, new, .. } = one.clone();
            let result = match one.decision {
                Decision::Stay(why) => {
                    published.stay.push((name, why));
                    continue;
                }
                Decision::Refuse(kind) => RefResult::Refused { kind, reason: kind.reason(old) },
                Decision::Overwrite => {
                    published.rewritten.push(name.clone());
                    RefResult::UpToDate
                }
                _ => RefResult::UpToDate,
            };
            let as_planned = RefOutcome { name, old, new, result };
            let pushed = outcomes.remove(&one.name);
            let done = self.done.remove(&one.name).filter(|_| one.decision == Decision::UpToDate);
            published.outcomes.push(pushed.or(done).unwrap_or(as_planned));
        }
        let removed = self.done.into_values().filter(|outcome| outcome.new.is_none());
        published.outcomes.extend(removed);
        published
    }
}

impl Planned {
    /// Whether the target is asked for it.
    fn is_pushed(&self) -> bool {
        match self.decision {
            Decision::Create
            | Decision::FastForward
            | Decision::Move
            | Decision::Overwrite
            | Decision::Remove => true,
            Decision::UpToDate | Decision::Stay(_) | Decision::Refuse(_) => false,
        }
    }

    fn update(&self) -> RefUpdate {
        RefUpdate { name: self.name.clone(), old: self.old, new: self.new }
    }
}

/// Turns an outcome into a refusal where the target does not have what it said it took.
fn verify<'o>(pushed: impl Iterator<Item = &'o mut RefOutcome>, target: &[Reference]) {
    let has = by_name(target);
    for outcome in pushed.filter(|outcome| outcome.is_there()) {
        let there = has.get(outcome.name.as_str()).map(|there| there.id);
        let reason = match there {
            there if there == outcome.new => continue,
            Some(there) => format!("the target took the push, but is at {there}"),
            None => "the target took the push, but does not have the ref".to_owned(),
        };
        outcome.result = RefResult::Refused { kind: RefusalKind::NotKept, reason };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_says_yes_and_does_no_is_found_out() {
        let id = |number| ObjectId::from_bytes([number; 20]);
        let accepted = |name: &str, new| {
            RefOutcome::accepted(&RefUpdate {
                name: name.to_owned(),
                old: None,
                new: Some(id(new)),
            })
        };
        let mut pushed = [accepted("refs/heads/a", 1), accepted("refs/heads/b", 1)];
        pushed[1].name = "refs/heads/b".to_owned();
        verify(pushed.iter_mut(), &[Reference::new("refs/heads/a", id(1))]);
        assert!(pushed[0].is_there());
        assert!(!pushed[1].is_there());
        let mut pushed = [accepted("refs/heads/a", 1)];
        verify(pushed.iter_mut(), &[Reference::new("refs/heads/a", id(2))]);
        assert!(!pushed[0].is_there());
    }
}
