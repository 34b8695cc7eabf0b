//! What may happen to each reference of the target. Pure: no repository, no network.
//!
//! Only what this mirror has published is moved back, moved aside or removed, and only while the
//! target still has the value that we published last. Where somebody else has done something to it,
//! it stays: the conflict is told. Going forward takes nothing away from anybody, whoever made the
//! reference.

use std::collections::{HashMap, HashSet};

use super::RefusalKind;
use super::rules::{Divergence, Prune, PublishRules};
use crate::git::ObjectId;
use crate::git::reference::{BRANCHES, Reference, by_name};

/// What the mirror knows of a reference that it has published.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownRef {
    /// The value that we published last, and those that a push was to bring there of which we do not
    /// know whether they arrived.
    pub values: Vec<ObjectId>,
    /// Whether it is, or was, the main branch. That is never removed.
    pub is_main: bool,
}

/// What shall be at the target, and what may be done for it.
pub struct Orders<'o> {
    /// The references that it shall have, the main branch first.
    pub wanted: &'o [Reference],
    /// Those that this mirror has published, by name.
    pub known: &'o HashMap<String, KnownRef>,
    /// Whether a commit is one of this mirror. It is asked of references that it should have
    /// published and knows nothing of: its cache was made anew.
    pub is_ours: &'o dyn Fn(ObjectId) -> bool,
    /// What may be done.
    pub rules: &'o PublishRules,
    /// What the names of references begin with that keep the commits which others lose.
    pub backups: &'o str,
}

impl Orders<'_> {
    /// The name of the branch that keeps what the reference `name` had: `heads/master/0123456789ab`
    /// after the prefix of all of them.
    pub fn backup_of(&self, name: &str, old: ObjectId) -> String {
        let name = name.strip_prefix("refs/").unwrap_or(name);
        format!("{}{name}/{}", self.backups, old.short())
    }
}

/// What happens to one reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The target has it already; if it is a tag, perhaps an annotated one of the same commit.
    UpToDate,
    /// The target does not have a reference of that name.
    Create,
    /// The target has an ancestor of what it shall have.
    FastForward,
    /// It is moved, and what it had stays in reach of others of the mirror.
    Move,
    /// It is moved, and what it had is given up, or kept by a backup.
    Overwrite,
    /// It is removed: the source does not have the name any more.
    Remove,
    /// It stays where it is, as the rules want it.
    Stay(Stays),
    /// It stays where it is, against what the source says.
    Refuse(RefusalKind),
}

/// Why a reference stays where it is, without that being wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// The source has rewritten its history, and references are kept then.
    Rewritten,
    /// The source does not have the name any more, and nothing else reaches the commits.
    Unmerged,
    /// The source does not have the name any more, and nothing is removed.
    NotPruned,
    /// It was the main branch.
    WasMain,
}

/// One reference, and what happens to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// The full name.
    pub name: String,
    /// What the target has; `None` if it has no reference of that name.
    pub old: Option<ObjectId>,
    /// What it shall have; `None` if it shall not have it.
    pub new: Option<ObjectId>,
    /// What happens.
    pub decision: Decision,
    /// When that is pushed.
    pub turn: Turn,
}

/// In which order references are pushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// It is the main branch of a target without branches.
    Alone,
    /// It makes room for another name.
    First,
    /// Nothing is lost by it, whatever becomes of the others.
    Next,
    /// Once the others are there: something would be lost if they were refused. Removals come last
    /// in any case.
    Last,
}

impl Turn {
    /// All of them, in their order.
    pub(super) const ALL: [Self; 4] = [Self::Alone, Self::First, Self::Next, Self::Last];
}

/// How two commits are related, as far as we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// The first is an ancestor of the second.
    Ancestor,
    /// It is not.
    NotAncestor,
    /// We do not have the first.
    Unknown,
}

/// What is known of the history behind references.
pub trait History {
    /// Why it cannot be told.
    type Error;

    /// How `old` is related to `new`.
    fn ancestry(&self, old: ObjectId, new: ObjectId) -> Result<Ancestry, Self::Error>;

    /// Those of `commits` that are neither one of `tips` nor an ancestor of one.
    fn lost(
        &self,
        commits: &[ObjectId],
        tips: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, Self::Error>;
}

/// From how many removals on they must not be more than half of what we have published.
const MANY: usize = 10;

/// Decides for each of the wanted references, and for those that we published and that are not
/// wanted any more, given what the target has. The wanted ones come first, in their order; a backup
/// comes before what it is of.
pub fn plan<H: History>(
    orders: &Orders<'_>,
    target: &[Reference],
    history: &H,
) -> Result<Vec<Planned>, H::Error> {
    let has = by_name(target);
    let mut planned = Vec::with_capacity(orders.wanted.len());
    for wanted in orders.wanted {
        planned.push(first_look(orders, wanted, has.get(wanted.name.as_str()).copied(), history)?);
    }
    planned.extend(gone(orders, &has));
    settle(&mut planned, orders, history)?;
    refuse_many(&mut planned, orders, &has);
    set_turns(&mut planned, history)?;
    let given_up = given_up(&planned, history)?;
    Ok(with_backups(planned, &given_up, orders, &has))
}

/// What would happen to a wanted reference if nothing could be lost.
fn first_look<H: History>(
    orders: &Orders<'_>,
    wanted: &Reference,
    there: Option<&Reference>,
    history: &H,
) -> Result<Planned, H::Error> {
    let decision = match there {
        None => Decision::Create,
        Some(there) if there.stands_for(wanted.id) => Decision::UpToDate,
        // We publish no annotated tags: somebody else made it.
        Some(there) if there.is_tag() && there.peeled.is_some() => {
            Decision::Refuse(RefusalKind::TagDiffers)
        }
        Some(there) => {
            let is_ours = match orders.known.get(&wanted.name) {
                Some(known) if !known.values.is_empty() => known.values.contains(&there.id),
                _ => (orders.is_ours)(there.id),
            };
            match history.ancestry(there.id, wanted.id)? {
                Ancestry::Ancestor if !wanted.is_tag() => Decision::FastForward,
                _ if is_ours => Decision::Move,
                _ if wanted.is_tag() => Decision::Refuse(RefusalKind::TagDiffers),
                Ancestry::Unknown => Decision::Refuse(RefusalKind::Unknown),
                Ancestry::Ancestor | Ancestry::NotAncestor => {
                    Decision::Refuse(RefusalKind::MovedByOthers)
                }
            }
        }
    };
    Ok(Planned {
        name: wanted.name.clone(),
        old: there.map(|there| there.id),
        new: Some(wanted.id),
        decision,
        turn: Turn::Next,
    })
}

/// The references that we published, that are still as we did it, and that are not wanted any more.
fn gone(orders: &Orders<'_>, has: &HashMap<&str, &Reference>) -> Vec<Planned> {
    let wanted: HashSet<&str> = orders.wanted.iter().map(|r| r.name.as_str()).collect();
    let mut gone: Vec<_> = orders
        .known
        .iter()
        .filter(|(name, _)| !wanted.contains(name.as_str()))
        .filter_map(|(name, known)| {
            let there = has.get(name.as_str())?;
            let decision = match orders.rules.prune {
                _ if known.is_main => Decision::Stay(Stays::WasMain),
                Prune::Off => Decision::Stay(Stays::NotPruned),
                Prune::Merged | Prune::All => Decision::Remove,
            };
            known.values.contains(&there.id).then(|| Planned {
                name: name.clone(),
                old: Some(there.id),
                new: None,
                decision,
                turn: Turn::Last,
            })
        })
        .collect();
    gone.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    gone
}

/// What a reference of ours will be at the target, if what was decided is done; `None` if it is not
/// there, or if others decide what it is.
fn outcome(planned: &Planned) -> Option<ObjectId> {
    match planned.decision {
        Decision::Stay(_) => planned.old,
        // An annotated tag of the right commit has that commit, too.
        Decision::UpToDate
        | Decision::Create
        | Decision::FastForward
        | Decision::Move
        | Decision::Overwrite => planned.new,
        Decision::Remove | Decision::Refuse(_) => None,
    }
}

/// Applies the rules where commits would be lost. Each reference that then stays where it is no
/// longer keeps what it would have kept, so this goes on until no more change.
fn settle<H: History>(
    planned: &mut [Planned],
    orders: &Orders<'_>,
    history: &H,
) -> Result<(), H::Error> {
    let divergence = orders.rules.divergence_now();
    loop {
        let may_lose = |one: &Planned| match one.decision {
            Decision::Move => true,
            Decision::Remove => orders.rules.prune != Prune::All,
            _ => false,
        };
        let olds: Vec<_> =
            planned.iter().filter(|one| may_lose(one)).filter_map(|o| o.old).collect();
        if olds.is_empty() {
            return Ok(());
        }
        let tips: Vec<ObjectId> = planned.iter().filter_map(outcome).collect();
        let lost = history.lost(&olds, &tips)?;
        if lost.is_empty() {
            return Ok(());
        }
        let is_lost = |one: &Planned| may_lose(one) && one.old.is_some_and(|o| lost.contains(&o));
        // What stays because nothing else has its commits keeps them for others.
        let is_removed = |one: &Planned| one.decision == Decision::Remove;
        let stays = planned.iter().any(|one| is_lost(one) && is_removed(one));
        let losing = |one: &&mut Planned| is_lost(one) && is_removed(one) == stays;
        for one in planned.iter_mut().filter(losing) {
            one.decision = match (one.decision, divergence) {
                (Decision::Remove, _) => Decision::Stay(Stays::Unmerged),
                (_, Divergence::Reject) => Decision::Refuse(RefusalKind::Rewritten),
                (_, Divergence::Keep) => Decision::Stay(Stays::Rewritten),
                (_, Divergence::Overwrite) => Decision::Overwrite,
            };
        }
    }
}

/// Refuses to remove most of what we have published: a source that lost its names is likelier.
fn refuse_many(planned: &mut [Planned], orders: &Orders<'_>, has: &HashMap<&str, &Reference>) {
    let removed = planned.iter().filter(|one| one.decision == Decision::Remove).count();
    let ours = orders.known.keys().filter(|name| has.contains_key(name.as_str())).count();
    if removed <= MANY || removed * 2 <= ours || orders.rules.allow_prune {
        return;
    }
    for one in planned.iter_mut().filter(|one| one.decision == Decision::Remove) {
        one.decision = Decision::Refuse(RefusalKind::ManyRemovals);
    }
}

/// Says which must wait for others, and which make room for others.
fn set_turns<H: History>(planned: &mut [Planned], history: &H) -> Result<(), H::Error> {
    // What is there, and whose successors have it too.
    let surely: Vec<ObjectId> = planned
        .iter()
        .filter_map(|one| match one.decision {
            Decision::UpToDate => one.new,
            Decision::FastForward | Decision::Stay(_) => one.old,
            _ => None,
        })
        .collect();
    let is_moved = |one: &&Planned| matches!(one.decision, Decision::Move | Decision::Remove);
    let olds: Vec<_> = planned.iter().filter(is_moved).filter_map(|one| one.old).collect();
    let unsure = if olds.is_empty() { HashSet::new() } else { history.lost(&olds, &surely)? };
    let created = planned.iter().filter(|one| one.decision == Decision::Create);
    let created: HashSet<String> = created.map(|one| one.name.clone()).collect();
    let needed: HashSet<&str> = created.iter().flat_map(|name| folders_of(name)).collect();
    let makes_room = |name: &str| {
        needed.contains(name) || folders_of(name).any(|folder| created.contains(folder))
    };
    for one in planned.iter_mut() {
        let is_unsure = one.old.is_some_and(|old| unsure.contains(&old));
        one.turn = match one.decision {
            Decision::Move if !is_unsure => Turn::Next,
            Decision::Remove if !is_unsure && makes_room(&one.name) => Turn::First,
            Decision::Move | Decision::Overwrite | Decision::Remove => Turn::Last,
            _ => Turn::Next,
        };
    }
    Ok(())
}

/// The folders of `a/b/c`: `a` and `a/b`.
fn folders_of(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('/').filter_map(|(at, _)| name.get(..at))
}

/// What nothing reaches any more once all is done: the old commits of references that are moved away
/// from it, or removed.
fn given_up<H: History>(planned: &[Planned], history: &H) -> Result<HashSet<ObjectId>, H::Error> {
    let is_removed = |one: &&Planned| one.decision == Decision::Remove;
    let is_overwritten = |one: &&Planned| one.decision == Decision::Overwrite;
    let removed: Vec<_> = planned.iter().filter(is_removed).filter_map(|one| one.old).collect();
    let tips: Vec<ObjectId> = planned.iter().filter_map(outcome).collect();
    let mut lost =
        if removed.is_empty() { HashSet::new() } else { history.lost(&removed, &tips)? };
    lost.extend(planned.iter().filter(is_overwritten).filter_map(|one| one.old));
    Ok(lost)
}

/// Adds the references that keep what others lose, before these.
fn with_backups(
    planned: Vec<Planned>,
    given_up: &HashSet<ObjectId>,
    orders: &Orders<'_>,
    has: &HashMap<&str, &Reference>,
) -> Vec<Planned> {
    if !orders.rules.backup {
        return planned;
    }
    let mut all = Vec::with_capacity(planned.len());
    for one in planned {
        let is_lost = matches!(one.decision, Decision::Overwrite | Decision::Remove)
            && one.old.is_some_and(|old| given_up.contains(&old));
        if let (true, Some(old)) = (is_lost, one.old) {
            let name = orders.backup_of(&one.name, old);
            let there = has.get(name.as_str()).map(|there| there.id);
            let decision = match there {
                None => Decision::Create,
                Some(there) if there == old => Decision::UpToDate,
                Some(_) => Decision::Refuse(RefusalKind::Unknown),
            };
            let (new, turn) = (Some(old), Turn::Next);
            all.push(Planned { name, old: there, new, decision, turn });
        }
        all.push(one);
    }
    all
}

/// What the names of backups begin with, where those of all branches begin with `prefix`.
pub fn backup_prefix(prefix: &str) -> String {
    format!("{BRANCHES}{prefix}synchroniser-backup/")
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::super::Divergence;
    use super::*;

    fn id(number: u8) -> ObjectId {
        ObjectId::from_bytes([number; 20])
    }

    fn number(id: ObjectId) -> u8 {
        id.as_bytes()[0]
    }

    /// Commits by their numbers: the parent of each is the number without its last digit, so that 123
    /// comes after 12, which comes after 1. Those from 200 on are not here.
    struct Digits;

    impl Digits {
        fn reaches(old: u8, new: u8) -> bool {
            old == new || (new > 9 && Self::reaches(old, new / 10))
        }
    }

    impl History for Digits {
        type Error = Infallible;

        fn ancestry(&self, old: ObjectId, new: ObjectId) -> Result<Ancestry, Infallible> {
            Ok(match (number(old), number(new)) {
                (200.., _) => Ancestry::Unknown,
                (old, new) if Self::reaches(old, new) => Ancestry::Ancestor,
                _ => Ancestry::NotAncestor,
            })
        }

        fn lost(
            &self,
            commits: &[ObjectId],
            tips: &[ObjectId],
        ) -> Result<HashSet<ObjectId>, Infallible> {
            let is_reached = |commit: ObjectId| {
                tips.iter().any(|tip| Self::reaches(number(commit), number(*tip)))
            };
            Ok(commits.iter().copied().filter(|commit| !is_reached(*commit)).collect())
        }
    }

    fn references(all: &[(&str, u8)]) -> Vec<Reference> {
        all.iter().map(|(name, number)| Reference::new(*name, id(*number))).collect()
    }

    /// A plan, a line for each reference that is not as it should be.
    fn planned(
        wanted: &[(&str, u8)],
        known: &[(&str, u8)],
        target: &[(&str, u8)],
        rules: &PublishRules,
    ) -> String {
        let known = known.iter().map(|(name, value)| {
            let is_main = *name == "refs/heads/main";
            ((*name).to_owned(), KnownRef { values: vec![id(*value)], is_main })
        });
        let orders = Orders {
            wanted: &references(wanted),
            known: &known.collect(),
            is_ours: &|commit| number(commit) < 100,
            rules,
            backups: "refs/heads/backup/",
        };
        let Ok(planned) = plan(&orders, &references(target), &Digits);
        let lines = planned.iter().filter(|one| one.decision != Decision::UpToDate).map(|one| {
            let name = one.name.strip_prefix("refs/").unwrap();
            format!("{name} {:?} {:?}", one.decision, one.turn)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    const RULES: PublishRules = PublishRules {
        divergence: Divergence::Reject,
        backup: false,
        prune: Prune::Merged,
        allow_rewrite: false,
        allow_prune: false,
        retry: false,
    };

    #[test]
    fn what_adds_to_the_target_is_done_whoever_made_it() {
        let wanted = [("refs/heads/a", 12), ("refs/heads/b", 1), ("refs/tags/t", 1)];
        assert_eq!(
            planned(&wanted, &[], &[("refs/heads/a", 1)], &RULES),
            "heads/a FastForward Next\nheads/b Create Next\ntags/t Create Next"
        );
        assert_eq!(planned(&wanted, &[], &wanted, &RULES), "");
    }

    /// The main branch at the tip, which jumps from branch to branch.
    #[test]
    fn a_ref_moves_aside_where_nothing_is_lost() {
        let wanted = [("refs/heads/main", 13), ("refs/heads/a", 12), ("refs/heads/b", 13)];
        let before = [("refs/heads/main", 12), ("refs/heads/a", 12), ("refs/heads/b", 1)];
        assert_eq!(
            planned(&wanted, &before, &before, &RULES),
            "heads/main Move Next\nheads/b FastForward Next"
        );
        // What it had is on its way only: it waits until that has arrived.
        let before = [("refs/heads/main", 12), ("refs/heads/b", 1)];
        assert_eq!(
            planned(&wanted, &before, &before, &RULES),
            "heads/main Move Last\nheads/a Create Next\nheads/b FastForward Next"
        );
    }

    #[test]
    fn where_commits_would_be_lost_the_rule_decides() {
        let wanted = [("refs/heads/main", 13), ("refs/heads/a", 13), ("refs/tags/t", 13)];
        let before = [("refs/heads/main", 12), ("refs/heads/a", 12), ("refs/tags/t", 12)];
        let with = |divergence, backup, allow_rewrite| {
            let rules = PublishRules { divergence, backup, allow_rewrite, ..RULES };
            planned(&wanted, &before, &before, &rules)
        };
        // None of them counts on another one that would stay, too.
        assert_eq!(
            with(Divergence::Reject, false, false),
            "heads/main Refuse(Rewritten) Next\nheads/a Refuse(Rewritten) Next\ntags/t \
             Refuse(Rewritten) Next"
        );
        assert_eq!(
            with(Divergence::Keep, false, false),
            "heads/main Stay(Rewritten) Next\nheads/a Stay(Rewritten) Next\ntags/t Stay(Rewritten) Next"
        );
        let overwritten =
            "heads/main Overwrite Last\nheads/a Overwrite Last\ntags/t Overwrite Last";
        assert_eq!(with(Divergence::Overwrite, false, false), overwritten);
        assert_eq!(with(Divergence::Reject, false, true), overwritten);
        assert_eq!(
            with(Divergence::Overwrite, true, false).lines().next().unwrap(),
            "heads/backup/heads/main/0c0c0c0c0c0c Create Next"
        );
    }

    /// What nothing else has is kept by a backup before it is removed; what another ref has is not.
    #[test]
    fn what_is_removed_leaves_a_backup_if_it_would_be_lost() {
        let wanted = [("refs/heads/main", 12)];
        let before = [("refs/heads/main", 12), ("refs/heads/a", 13), ("refs/heads/b", 1)];
        let removed = |backup| {
            let rules = PublishRules { prune: Prune::All, backup, ..RULES };
            planned(&wanted, &before, &before, &rules)
        };
        assert_eq!(removed(false), "heads/a Remove Last\nheads/b Remove Last");
        assert_eq!(
            removed(true),
            "heads/backup/heads/a/0d0d0d0d0d0d Create Next\nheads/a Remove Last\nheads/b Remove Last"
        );
    }

    #[test]
    fn what_others_did_stays_whatever_the_rule() {
        let wanted =
            [("refs/heads/a", 13), ("refs/heads/b", 13), ("refs/tags/t", 1), ("refs/heads/c", 1)];
        let known =
            [("refs/heads/a", 1), ("refs/heads/b", 1), ("refs/tags/t", 13), ("refs/heads/x", 1)];
        let target = [
            ("refs/heads/a", 200),
            ("refs/heads/b", 12),
            ("refs/tags/t", 12),
            ("refs/heads/x", 12),
        ];
        for divergence in [Divergence::Reject, Divergence::Keep, Divergence::Overwrite] {
            let rules =
                PublishRules { divergence, prune: Prune::All, allow_rewrite: true, ..RULES };
            assert_eq!(
                planned(&wanted, &known, &target, &rules),
                "heads/a Refuse(Unknown) Next\nheads/b Refuse(MovedByOthers) Next\ntags/t \
                 Refuse(TagDiffers) Next\nheads/c Create Next"
            );
        }
        // An annotated tag is not of our making.
        let mut tag = Reference::new("refs/tags/t", id(77));
        tag.peeled = Some(id(12));
        let (wanted, known) = (references(&[("refs/tags/t", 13)]), HashMap::new());
        let orders = Orders {
            wanted: &wanted,
            known: &known,
            is_ours: &|_| true,
            rules: &RULES,
            backups: "refs/heads/backup/",
        };
        let Ok(planned) = plan(&orders, &[tag], &Digits);
        assert_eq!(planned[0].decision, Decision::Refuse(RefusalKind::TagDiffers));
    }

    #[test]
    fn what_is_gone_at_the_source_is_removed_by_rule() {
        let wanted = [("refs/heads/main", 12), ("refs/heads/old/x", 12)];
        let known = [("refs/heads/main", 12), ("refs/heads/old", 1), ("refs/heads/other", 13)];
        let target = [
            ("refs/heads/main", 12),
            ("refs/heads/old", 1),
            ("refs/heads/other", 13),
            ("refs/heads/foreign", 1),
        ];
        let with = |prune| planned(&wanted, &known, &target, &PublishRules { prune, ..RULES });
        // It makes room for the new one.
        assert_eq!(
            with(Prune::Merged),
            "heads/old/x Create Next\nheads/old Remove First\nheads/other Stay(Unmerged) Next"
        );
        assert_eq!(
            with(Prune::Off),
            "heads/old/x Create Next\nheads/old Stay(NotPruned) Next\nheads/other Stay(NotPruned) Next"
        );
        assert_eq!(
            with(Prune::All),
            "heads/old/x Create Next\nheads/old Remove First\nheads/other Remove Last"
        );
        // What stays keeps its commits for others.
        let before = [("refs/heads/main", 13), ("refs/heads/a", 12), ("refs/heads/other", 13)];
        assert_eq!(
            planned(&[("refs/heads/main", 12), ("refs/heads/a", 12)], &before, &before, &RULES),
            "heads/main Move Next\nheads/other Stay(Unmerged) Next"
        );
        // The main branch has another name now.
        assert_eq!(
            planned(&[("refs/heads/trunk", 12)], &known[..1], &target[..1], &RULES),
            "heads/trunk Create Next\nheads/main Stay(WasMain) Next"
        );
    }

    #[test]
    fn most_refs_are_not_removed_at_once() {
        let names: Vec<_> = (0..22).map(|n| format!("refs/tags/{n}")).collect();
        let all: Vec<_> = names.iter().map(|name| (name.as_str(), 1)).collect();
        let removed = |kept: usize, known: usize, allow_prune| {
            let wanted = &all[..kept];
            let mut wanted = wanted.to_vec();
            wanted.push(("refs/heads/a", 1));
            let mut known = all[..known].to_vec();
            known.push(("refs/heads/a", 1));
            let rules = PublishRules { allow_prune, ..RULES };
            let lines = planned(&wanted, &known, &known, &rules);
            lines.lines().filter(|line| line.contains("Remove ")).count()
        };
        assert_eq!(removed(0, 10, false), 10);
        assert_eq!(removed(0, 11, false), 0);
        assert_eq!(removed(0, 11, true), 11);
        assert_eq!(removed(11, 22, false), 11, "that is not more than half");
        assert_eq!(removed(10, 22, false), 0);
    }

    /// What refs can be, and rules.
    fn values() -> impl Strategy<Value = Vec<Option<u8>>> {
        let commit = prop_oneof![1_u8..4, 10_u8..24, 110_u8..114, Just(200_u8)];
        proptest::collection::vec(proptest::option::of(commit), 5)
    }

    const NAMES: [&str; 5] =
        ["refs/heads/main", "refs/heads/a", "refs/heads/b", "refs/tags/s", "refs/tags/t"];

    fn named(values: &[Option<u8>]) -> Vec<(&'static str, u8)> {
        NAMES.iter().zip(values).filter_map(|(name, value)| Some((*name, (*value)?))).collect()
    }

    proptest! {
        /// Whatever the source, the target and the ledger have: nothing of others is touched, nothing
        /// is lost unless that is asked for, and the plan for what it leads to does nothing more.
        #[test]
        fn nothing_is_lost(
            wants in values(),
            knows in values(),
            has in values(),
            divergence in 0_usize..3,
            prune in 0_usize..3,
            backup: bool,
        ) {
            // What is wanted is here.
            let wants: Vec<_> = wants.into_iter().map(|value| value.filter(|v| *v < 200)).collect();
            let rules = PublishRules {
                divergence: Divergence::ALL[divergence].1,
                prune: Prune::ALL[prune].1,
                backup,
                ..RULES
            };
            let known: HashMap<_, _> = named(&knows)
                .into_iter()
                .map(|(name, value)| {
                    let is_main = name == NAMES[0];
                    (name.to_owned(), KnownRef { values: vec![id(value)], is_main })
                })
                .collect();
            let (wanted, target) = (references(&named(&wants)), references(&named(&has)));
            let orders = Orders {
                wanted: &wanted,
                known: &known,
                is_ours: &|_| false,
                rules: &rules,
                backups: "refs/heads/backup/",
            };
            let Ok(planned) = plan(&orders, &target, &Digits);
            let mut after: std::collections::BTreeMap<String, ObjectId> =
                target.iter().map(|r| (r.name.clone(), r.id)).collect();
            for one in &planned {
                prop_assert_eq!(after.get(&one.name).copied(), one.old);
                let ours = known.get(&one.name).is_some_and(|k| Some(k.values[0]) == one.old);
                match one.decision {
                    Decision::Move | Decision::Overwrite | Decision::Remove => prop_assert!(ours),
                    Decision::FastForward => {
                        prop_assert!(Digits::reaches(number(one.old.unwrap()), number(one.new.unwrap())));
                    }
                    Decision::Create => prop_assert_eq!(one.old, None),
                    Decision::UpToDate | Decision::Stay(_) | Decision::Refuse(_) => continue,
                }
                match one.new {
                    Some(new) => drop(after.insert(one.name.clone(), new)),
                    None => drop(after.remove(&one.name)),
                }
            }
            let tips: Vec<_> = after.values().copied().collect();
            for one in &planned {
                let Some(old) = one.old else { continue };
                let may_be_lost = match one.decision {
                    Decision::Overwrite => !rules.backup,
                    Decision::Remove => rules.prune == Prune::All && !rules.backup,
                    _ => false,
                };
                let Ok(lost) = Digits.lost(&[old], &tips);
                prop_assert!(may_be_lost || lost.is_empty(), "{one:?} of {planned:?}");
            }
            // What we publish is what we know afterwards.
            let mut after_that = known.clone();
            for one in &planned {
                match (one.decision, one.new) {
                    (Decision::Refuse(_) | Decision::Stay(_), _) => {}
                    (_, Some(new)) => {
                        let is_main = one.name == NAMES[0];
                        after_that.insert(one.name.clone(), KnownRef { values: vec![new], is_main });
                    }
                    (_, None) => drop(after_that.remove(&one.name)),
                }
            }
            after_that.retain(|name, _| !name.contains("backup"));
            let target: Vec<_> =
                after.iter().map(|(name, id)| Reference::new(name.clone(), *id)).collect();
            let orders = Orders { known: &after_that, ..orders };
            let Ok(again) = plan(&orders, &target, &Digits);
            for one in &again {
                let is_done = matches!(
                    one.decision,
                    Decision::UpToDate | Decision::Stay(_) | Decision::Refuse(_)
                );
                prop_assert!(is_done, "{one:?} after {planned:?}");
            }
        }
    }
}
