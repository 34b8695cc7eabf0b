//! The rules of the queue, without threads and without waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::job::{Failure, Job, JobId, JobIds, JobState};
use crate::base::{Fault, HasFault};

/// What a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The job that does what was asked for.
    pub id: JobId,
    /// Whether an earlier request had asked for the same job.
    pub folded: bool,
}

/// How much there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Runs under way.
    pub running: usize,
    /// Jobs that wait.
    pub queued: usize,
}

/// Nothing can be asked for any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("take another job: the queue is closed")]
pub struct Closed;

impl HasFault for Closed {
    fn fault(&self) -> Fault {
        Fault::Interrupted
    }
}

/// Every job that is known.
pub(super) struct Ledger<K, T> {
    jobs: HashMap<JobId, Job<K, T>>,
    slots: HashMap<K, Slot>,
    /// The jobs that wait, in the order in which they were asked for; at most one for each key.
    queue: VecDeque<JobId>,
    /// How many jobs that are over are kept for each key.
    history: usize,
    ids: JobIds,
    closed: bool,
}

/// The jobs of one key.
#[derive(Default)]
struct Slot {
    pending: Option<JobId>,
    running: bool,
    /// Those that are over, the oldest first.
    over: VecDeque<JobId>,
}

impl<K: Clone + Eq + Hash, T: Clone> Ledger<K, T> {
    pub(super) fn new(history: usize) -> Self {
        Self {
            jobs: HashMap::new(),
            slots: HashMap::new(),
            queue: VecDeque::new(),
            history,
            ids: JobIds::default(),
            closed: false,
        }
    }

    /// Asks for a run of `key` that begins after this moment.
    pub(super) fn request(&mut self, key: K) -> Result<Ticket, Closed> {
        if self.closed {
            return Err(Closed);
        }
        let slot = self.slots.entry(key.clone()).or_default();
        if let Some(id) = slot.pending {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.requests = job.requests.saturating_add(1);
            }
            return Ok(Ticket { id, folded: true });
        }
        let id = self.ids.next();
        slot.pending = Some(id);
        self.jobs.insert(id, Job::queued(id, key));
        self.queue.push_back(id);
        Ok(Ticket { id, folded: false })
    }

    /// Takes the oldest job whose key has no run under way, as running.
    pub(super) fn take(&mut self) -> Option<Job<K, T>> {
        let (position, id) = self.queue.iter().copied().enumerate().find(|(_, id)| {
            let slot = self.jobs.get(id).and_then(|job| self.slots.get(&job.key));
            slot.is_some_and(|slot| !slot.running)
        })?;
        self.queue.remove(position);
        let job = self.jobs.get_mut(&id)?;
        let slot = self.slots.entry(job.key.clone()).or_default();
        slot.pending = None;
        slot.running = true;
        job.enter(JobState::Running);
        Some(job.clone())
    }

    /// Notes how a run ended.
    pub(super) fn finish(&mut self, id: JobId, result: Result<T, Failure>) -> Option<Job<K, T>> {
        let job = self.over(id, result)?;
        if let Some(slot) = self.slots.get_mut(&job.key) {
            slot.running = false;
        }
        Some(job)
    }

    /// Takes no more requests, and drops the jobs that wait: what they were to do is done by the
    /// next request for their key, in whatever process. Returns them as they are now.
    pub(super) fn close(&mut self) -> Vec<Job<K, T>> {
        self.closed = true;
        let dropped = std::mem::take(&mut self.queue);
        let failure = Failure {
            fault: Fault::Interrupted,
            message: "dropped before it began: the daemon is stopping".to_owned(),
            hint: Some("ask again once the daemon is back".to_owned()),
        };
        dropped.into_iter().filter_map(|id| self.over(id, Err(failure.clone()))).collect()
    }

    /// Notes that nothing will become of `id` any more, and forgets the oldest one of its key if
    /// there are more than enough.
    fn over(&mut self, id: JobId, result: Result<T, Failure>) -> Option<Job<K, T>> {
        let job = self.jobs.get_mut(&id)?;
        job.enter(result.map_or_else(JobState::Failed, JobState::Done));
        let job = job.clone();
        let slot = self.slots.entry(job.key.clone()).or_default();
        slot.pending = slot.pending.filter(|pending| *pending != id);
        slot.over.push_back(id);
        if slot.over.len() > self.history {
            slot.over.pop_front().and_then(|oldest| self.jobs.remove(&oldest));
        }
        Some(job)
    }

    /// The job called `id`, unless it is unknown or was forgotten.
    pub(super) fn job(&self, id: JobId) -> Option<Job<K, T>> {
        self.jobs.get(&id).cloned()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn load(&self) -> Load {
        let running = self.slots.values().filter(|slot| slot.running).count();
        Load { running, queued: self.queue.len() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failure(message: &str) -> Failure {
        Failure { fault: Fault::Internal, message: message.to_owned(), hint: None }
    }

    #[test]
    fn requests_during_a_run_share_one_further_run() {
        let mut ledger = Ledger::<_, u32>::new(9);
        let first = ledger.request("a").unwrap();
        assert_eq!(ledger.request("a"), Ok(Ticket { id: first.id, folded: true }), "not begun yet");
        assert_eq!(ledger.take().unwrap().requests, 2);
        let second = ledger.request("a").unwrap();
        assert_ne!(second.id, first.id, "the run may have read the source already");
        for _ in 0..3 {
            assert_eq!(ledger.request("a"), Ok(Ticket { id: second.id, folded: true }));
        }
        assert!(ledger.take().is_none(), "one run at a time");
        assert_eq!(ledger.finish(first.id, Ok(1)).unwrap().state, JobState::Done(1));
        assert_eq!(ledger.take().unwrap().id, second.id);
        assert!(ledger.take().is_none());
        ledger.finish(second.id, Err(failure("x"))).unwrap();
        assert_eq!(ledger.job(second.id).unwrap().state, JobState::Failed(failure("x")));
        assert!(ledger.take().is_none());
        assert_eq!(ledger.load(), Load { running: 0, queued: 0 });
    }

    #[test]
    fn a_busy_key_lets_others_pass() {
        let mut ledger = Ledger::<_, u32>::new(9);
        let busy = ledger.request("a").unwrap().id;
        assert_eq!(ledger.take().unwrap().id, busy);
        ledger.request("a").unwrap();
        let b = ledger.request("b").unwrap().id;
        let c = ledger.request("c").unwrap().id;
        assert_eq!(ledger.take().unwrap().id, b);
        assert_eq!(ledger.take().unwrap().id, c);
        assert_eq!(ledger.load(), Load { running: 3, queued: 1 });
    }

    #[test]
    fn history_is_bounded_for_each_key() {
        let mut ledger = Ledger::new(2);
        let run = |ledger: &mut Ledger<_, _>, key| {
            let id = ledger.request(key).unwrap().id;
            ledger.take().unwrap();
            ledger.finish(id, Ok(())).unwrap();
            id
        };
        let quiet = run(&mut ledger, "quiet");
        let ids: Vec<_> = (0..5).map(|_| run(&mut ledger, "busy")).collect();
        let known: Vec<_> = ids.iter().map(|&id| ledger.job(id).is_some()).collect();
        assert_eq!(known, [false, false, false, true, true]);
        assert!(ledger.job(quiet).is_some());
        assert_eq!(ledger.jobs.len(), 3);
    }

    #[test]
    fn closing_drops_what_waits_and_lets_runs_end() {
        let mut ledger = Ledger::new(9);
        let running = ledger.request("a").unwrap().id;
        ledger.take().unwrap();
        let pending = ledger.request("a").unwrap().id;
        let dropped = ledger.close();
        assert_eq!(dropped.iter().map(|job| job.id).collect::<Vec<_>>(), [pending]);
        let JobState::Failed(failure) = ledger.job(pending).unwrap().state else { panic!() };
        assert_eq!(failure.fault, Fault::Interrupted);
        assert_eq!(ledger.request("b"), Err(Closed));
        assert!(ledger.take().is_none());
        assert_eq!(ledger.job(running).unwrap().state, JobState::Running);
        ledger.finish(running, Ok(())).unwrap();
        assert!(ledger.close().is_empty());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Request(u8),
        Take,
        Finish(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8).prop_map(Step::Request),
            Just(Step::Take),
            (0..4_usize).prop_map(Step::Finish),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: one run at a time for each key, and each request is
        /// answered by a run that began after it.
        #[test]
        fn every_request_is_answered_by_a_later_run(steps in prop::collection::vec(step(), 0..60)) {
            let mut ledger = Ledger::new(1000);
            let mut running: Vec<Job<u8, ()>> = Vec::new();
            let mut unanswered: Vec<JobId> = Vec::new();
            for step in steps {
                match step {
                    Step::Request(key) => {
                        let ticket = ledger.request(key).unwrap();
                        let job = ledger.job(ticket.id).unwrap();
                        prop_assert_eq!((job.key, job.state), (key, JobState::Queued));
                        unanswered.push(ticket.id);
                    }
                    Step::Take => if let Some(job) = ledger.take() {
                        prop_assert!(running.iter().all(|other| other.key != job.key));
                        unanswered.retain(|id| *id != job.id);
                        running.push(job);
                    },
                    Step::Finish(n) if n < running.len() => {
                        let id = running.remove(n).id;
                        prop_assert!(ledger.finish(id, Ok(())).is_some());
                    }
                    Step::Finish(_) => {}
                }
                prop_assert!(ledger.queue.len() <= 3);
                prop_assert_eq!(ledger.load().running, running.len());
            }
            while let Some(job) = ledger.take().or_else(|| running.pop()) {
                unanswered.retain(|id| *id != job.id);
                ledger.finish(job.id, Ok(()));
            }
            prop_assert!(unanswered.is_empty());
        }
    }
}
