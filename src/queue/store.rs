//! The jobs in memory and the rules of the queue, without threads and without waiting.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::failure::Failure;
use super::job::{Job, JobId, JobState};
use crate::base::{Fault, Side, faults};

/// What a request got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
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

faults!(Closed => Interrupted);

/// Every job that is known, in memory.
pub(super) struct MemoryStore<K, T> {
    jobs: HashMap<JobId, Job<K, T>>,
    keys: HashMap<K, KeyJobs>,
    /// The jobs that wait, in the order in which they were asked for; at most one for each key.
    waiting: VecDeque<JobId>,
    /// How many jobs that are over are kept for each key.
    history: usize,
    closed: bool,
}

/// The jobs of one key.
#[derive(Default)]
struct KeyJobs {
    pending: Option<JobId>,
    running: bool,
    /// Those that are over, the oldest first.
    over: VecDeque<JobId>,
}

impl<K: Clone + Eq + Hash, T: Clone> MemoryStore<K, T> {
    pub(super) fn new(history: usize) -> Self {
        Self {
            jobs: HashMap::new(),
            keys: HashMap::new(),
            waiting: VecDeque::new(),
            history,
            closed: false,
        }
    }

    /// Asks for a run of `key` that begins after this moment.
    pub(super) fn request(&mut self, key: K) -> Result<Receipt, Closed> {
        if self.closed {
            return Err(Closed);
        }
        let of_key = self.keys.entry(key.clone()).or_default();
        if let Some(id) = of_key.pending {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.requests = job.requests.saturating_add(1);
            }
            return Ok(Receipt { id, folded: true });
        }
        let id = JobId::random();
        of_key.pending = Some(id);
        self.jobs.insert(id, Job::queued(id, key));
        self.waiting.push_back(id);
        Ok(Receipt { id, folded: false })
    }

    /// Claims the oldest job whose key has no run under way; it is running then.
    pub(super) fn claim(&mut self) -> Option<Job<K, T>> {
        let (position, id) = self.waiting.iter().copied().enumerate().find(|(_, id)| {
            let of_key = self.jobs.get(id).and_then(|job| self.keys.get(&job.key));
            of_key.is_some_and(|of_key| !of_key.running)
        })?;
        self.waiting.remove(position);
        let job = self.jobs.get_mut(&id)?;
        let of_key = self.keys.entry(job.key.clone()).or_default();
        of_key.pending = None;
        of_key.running = true;
        job.enter(JobState::Running);
        Some(job.clone())
    }

    /// Notes how a run ended.
    pub(super) fn finish(&mut self, id: JobId, result: Result<T, Failure>) -> Option<Job<K, T>> {
        let job = self.over(id, result)?;
        if let Some(of_key) = self.keys.get_mut(&job.key) {
            of_key.running = false;
        }
        Some(job)
    }

    /// Takes no more requests, and drops the jobs that wait: what they were to do is done by the
    /// next request for their key, in whatever process. Returns them as they are now.
    pub(super) fn close(&mut self) -> Vec<Job<K, T>> {
        self.closed = true;
        let dropped = std::mem::take(&mut self.waiting);
        let failure = Failure {
            fault: Fault::Interrupted,
            side: Side::Here,
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
        let of_key = self.keys.entry(job.key.clone()).or_default();
        of_key.pending = of_key.pending.filter(|pending| *pending != id);
        of_key.over.push_back(id);
        if of_key.over.len() > self.history {
            of_key.over.pop_front().and_then(|oldest| self.jobs.remove(&oldest));
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
        let running = self.keys.values().filter(|of_key| of_key.running).count();
        Load { running, queued: self.waiting.len() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn failure(message: &str) -> Failure {
        Failure {
            fault: Fault::Internal,
            side: Side::Here,
            message: message.to_owned(),
            hint: None,
        }
    }

    #[test]
    fn requests_during_a_run_share_one_further_run() {
        let mut store = MemoryStore::<_, u32>::new(9);
        let first = store.request("a").unwrap();
        assert_eq!(store.request("a"), Ok(Receipt { id: first.id, folded: true }), "not begun yet");
        assert_eq!(store.claim().unwrap().requests, 2);
        let second = store.request("a").unwrap();
        assert_ne!(second.id, first.id, "the run may have read the source already");
        for _ in 0..3 {
            assert_eq!(store.request("a"), Ok(Receipt { id: second.id, folded: true }));
        }
        assert!(store.claim().is_none(), "one run at a time");
        assert_eq!(store.finish(first.id, Ok(1)).unwrap().state, JobState::Done(1));
        assert_eq!(store.claim().unwrap().id, second.id);
        assert!(store.claim().is_none());
        store.finish(second.id, Err(failure("x"))).unwrap();
        assert_eq!(store.job(second.id).unwrap().state, JobState::Failed(failure("x")));
        assert!(store.claim().is_none());
        assert_eq!(store.load(), Load { running: 0, queued: 0 });
    }

    #[test]
    fn a_busy_key_lets_others_pass() {
        let mut store = MemoryStore::<_, u32>::new(9);
        let busy = store.request("a").unwrap().id;
        assert_eq!(store.claim().unwrap().id, busy);
        store.request("a").unwrap();
        let b = store.request("b").unwrap().id;
        let c = store.request("c").unwrap().id;
        assert_eq!(store.claim().unwrap().id, b);
        assert_eq!(store.claim().unwrap().id, c);
        assert_eq!(store.load(), Load { running: 3, queued: 1 });
    }

    #[test]
    fn history_is_bounded_for_each_key() {
        let mut store = MemoryStore::new(2);
        let run = |store: &mut MemoryStore<_, _>, key| {
            let id = store.request(key).unwrap().id;
            store.claim().unwrap();
            store.finish(id, Ok(())).unwrap();
            id
        };
        let quiet = run(&mut store, "quiet");
        let ids: Vec<_> = (0..5).map(|_| run(&mut store, "busy")).collect();
        let known: Vec<_> = ids.iter().map(|&id| store.job(id).is_some()).collect();
        assert_eq!(known, [false, false, false, true, true]);
        assert!(store.job(quiet).is_some());
        assert_eq!(store.jobs.len(), 3);
    }

    #[test]
    fn closing_drops_what_waits_and_lets_runs_end() {
        let mut store = MemoryStore::new(9);
        let running = store.request("a").unwrap().id;
        store.claim().unwrap();
        let pending = store.request("a").unwrap().id;
        let dropped = store.close();
        assert_eq!(dropped.iter().map(|job| job.id).collect::<Vec<_>>(), [pending]);
        let JobState::Failed(failure) = store.job(pending).unwrap().state else { panic!() };
        assert_eq!(failure.fault, Fault::Interrupted);
        assert_eq!(store.request("b"), Err(Closed));
        assert!(store.claim().is_none());
        assert_eq!(store.job(running).unwrap().state, JobState::Running);
        store.finish(running, Ok(())).unwrap();
        assert!(store.close().is_empty());
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Request(u8),
        Claim,
        Finish(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0..3_u8).prop_map(Step::Request),
            Just(Step::Claim),
            (0..4_usize).prop_map(Step::Finish),
        ]
    }

    proptest! {
        /// Whatever happens in whatever order: one run at a time for each key, and each request is
        /// answered by a run that began after it.
        #[test]
        fn every_request_is_answered_by_a_later_run(steps in prop::collection::vec(step(), 0..60)) {
            let mut store = MemoryStore::new(1000);
            let mut running: Vec<Job<u8, ()>> = Vec::new();
            let mut unanswered: Vec<JobId> = Vec::new();
            for step in steps {
                match step {
                    Step::Request(key) => {
                        let receipt = store.request(key).unwrap();
                        let job = store.job(receipt.id).unwrap();
                        prop_assert_eq!((job.key, job.state), (key, JobState::Queued));
                        unanswered.push(receipt.id);
                    }
                    Step::Claim => if let Some(job) = store.claim() {
                        prop_assert!(running.iter().all(|other| other.key != job.key));
                        unanswered.retain(|id| *id != job.id);
                        running.push(job);
                    },
                    Step::Finish(n) if n < running.len() => {
                        let id = running.remove(n).id;
                        prop_assert!(store.finish(id, Ok(())).is_some());
                    }
                    Step::Finish(_) => {}
                }
                prop_assert!(store.waiting.len() <= 3);
                prop_assert_eq!(store.load().running, running.len());
            }
            while let Some(job) = store.claim().or_else(|| running.pop()) {
                unanswered.retain(|id| *id != job.id);
                store.finish(job.id, Ok(()));
            }
            prop_assert!(unanswered.is_empty());
        }
    }
}
