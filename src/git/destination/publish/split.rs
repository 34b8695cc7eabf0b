//! Which refusals are of a whole push though only some of its refs may be meant, and how far to look
//! for these.
//!
//! `receive-pack` asks its `pre-receive` hook once for a push, and unpacks all of it or nothing: GitHub,
//! GitLab and others refuse so what they find in one branch, and every other one with it. Pushed in
//! halves, the others arrive. No push is ever asked for as an atomic one, for the same reason: one ref
//! that is refused would keep back all of them.

use super::super::refusal::is_of_whole_push;
use super::super::{PublishError, RefOutcome, RefResult, RefUpdate};
use super::{Journal, Run};

/// What came of one push.
pub(super) struct Pushed {
    pub(super) outcomes: Vec<RefOutcome>,
    /// The server has not unpacked what was sent.
    pub(super) is_pack_refused: bool,
}

impl Pushed {
    /// Whether the server has refused several refs for one reason, and taken none.
    fn is_refused_together(&self) -> bool {
        let is_meant = |outcome: &RefOutcome| match &outcome.result {
            RefResult::Refused { kind, reason } => {
                kind.may_be_of_one_ref() && (self.is_pack_refused || is_of_whole_push(reason))
            }
            _ => false,
        };
        self.outcomes.len() > 1 && self.outcomes.iter().all(is_meant)
    }
}

/// How many more pushes are worth it: enough to find one ref in a list, and again after each one that
/// something came of. A server that takes nothing at all is not asked hundreds of times.
struct Tries {
    left: u32,
    each: u32,
}

impl Tries {
    /// Those for a list of so many refs.
    fn of(refs: usize) -> Self {
        let each = 2 * refs.max(1).ilog2() + 2;
        Self { left: each, each }
    }

    /// Whether there is one more, which is begun.
    fn begin(&mut self) -> bool {
        let begins = self.left > 0;
        self.left = self.left.saturating_sub(1);
        begins
    }

    /// Notes what came of one.
    fn end(&mut self, outcomes: &[RefOutcome]) {
        if outcomes.iter().any(RefOutcome::is_there) {
            self.left = self.each;
        }
    }
}

impl Run<'_> {
    /// One push, and more where the server refused all of it for what only some of it may be.
    pub(super) fn push_part(
        &mut self,
        updates: &[RefUpdate],
        journal: &mut dyn Journal,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let pushed = self.push_once(updates, journal)?;
        if !pushed.is_refused_together() {
            return Ok(pushed.outcomes);
        }
        let mut tries = Tries::of(updates.len());
        self.push_halves(updates, pushed.outcomes, &mut tries, journal)
    }

    /// Pushes each half of what was `refused` together, and so on, as long as that seems to help.
    fn push_halves(
        &mut self,
        updates: &[RefUpdate],
        refused: Vec<RefOutcome>,
        tries: &mut Tries,
        journal: &mut dyn Journal,
    ) -> Result<Vec<RefOutcome>, PublishError> {
        let mut all = Vec::with_capacity(updates.len());
        let (first, second) = updates.split_at(updates.len() / 2);
        for half in [first, second] {
            if !tries.begin() {
                break;
            }
            let pushed = self.push_once(half, journal)?;
            if pushed.is_refused_together() {
                all.extend(self.push_halves(half, pushed.outcomes, tries, journal)?);
            } else {
                tries.end(&pushed.outcomes);
                all.extend(pushed.outcomes);
            }
        }
        // What was not tried any more stays refused.
        all.extend(refused.into_iter().skip(all.len()));
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::super::RefusalKind;
    use super::*;

    fn refused(kind: RefusalKind, reason: &str) -> RefOutcome {
        let update = RefUpdate { name: "refs/heads/a".to_owned(), old: None, new: None };
        RefOutcome::refused(&update, kind, reason)
    }

    #[test]
    fn what_is_refused_together() {
        let hook = || refused(RefusalKind::TooLarge, "pre-receive hook declined: error: GH001: x");
        let is_together = |outcomes: Vec<RefOutcome>, is_pack_refused| {
            Pushed { outcomes, is_pack_refused }.is_refused_together()
        };
        assert!(is_together(vec![hook(), hook()], false));
        // There is nothing to part.
        assert!(!is_together(vec![hook()], false));
        // It is said of one ref.
        let own = refused(RefusalKind::TooLarge, "the file x in the commit y has 200 MiB");
        assert!(!is_together(vec![own.clone(), own.clone()], false));
        assert!(!is_together(vec![hook(), own], false));
        // Others are no better.
        let busy = refused(RefusalKind::ServerFailed, "pre-receive hook declined: try later");
        assert!(!is_together(vec![busy.clone(), busy], false));
        let pack = || refused(RefusalKind::BadObjects, "fsck error in packed object");
        assert!(is_together(vec![pack(), pack()], true));
        assert!(!is_together(vec![pack(), pack()], false));
    }

    #[test]
    fn a_server_that_takes_nothing_is_soon_left_alone() {
        for refs in [2, 3, 100, 500] {
            let mut tries = Tries::of(refs);
            let asked =
                std::iter::repeat_with(|| tries.begin()).take_while(|begins| *begins).count();
            assert!((4..20).contains(&asked), "{refs}: {asked}");
        }
    }

    /// One bad ref in a list is found, wherever it is.
    #[test]
    fn there_are_enough_tries_to_find_one() {
        fn parts(refs: std::ops::Range<usize>, bad: usize, tries: &mut Tries) -> usize {
            let middle = refs.start + refs.len() / 2;
            let mut taken = 0;
            for half in [refs.start..middle, middle..refs.end] {
                assert!(tries.begin(), "{refs:?}");
                if !half.contains(&bad) {
                    taken += half.len();
                    tries.left = tries.each;
                } else if half.len() > 1 {
                    taken += parts(half, bad, tries);
                }
            }
            taken
        }
        for refs in 2..200 {
            for bad in 0..refs {
                assert_eq!(parts(0..refs, bad, &mut Tries::of(refs)), refs - 1);
            }
        }
    }
}
