//! What all requests share: the mirrors and the queue that syncs them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::running::{Running, StageProgress, Watch};
use crate::base::clean::{clean, with_causes};
use crate::base::{HasFault, Interrupt, Severity};
use crate::config::{Config, MirrorConfig};
use crate::mirror::{HeardNotes, Mirror, Note, Observer, SyncReport};
use crate::queue::{Failure, Job, JobId, JobState, Queue, StartError, Worker};

/// How many syncs that are over can be asked about, for each mirror.
const HISTORY: usize = 20;

/// An error of a sync, whatever type it is of.
pub type SyncFailure = Box<dyn HasFault + Send + Sync>;

/// Syncs one mirror, on a thread that may block, and stops at a safe place once the interrupt is
/// raised. It is never called twice at once for the same mirror.
pub type Syncer = Arc<
    dyn Fn(&Mirror, &dyn Observer, &Interrupt) -> Result<SyncReport, SyncFailure> + Send + Sync,
>;

/// A job of the daemon's queue.
pub(super) type SyncJob = Job<MirrorKey, Arc<SyncReport>>;

/// A mirror, as the key of the queue: two are the same if their names are.
#[derive(Clone)]
pub(super) struct MirrorKey(Arc<MirrorConfig>);

impl MirrorKey {
    /// What the mirror is called.
    pub(super) fn name(&self) -> &str {
        &self.0.mirror.name
    }

    /// The user of its selector; empty if no hook selects it.
    pub(super) fn user(&self) -> &str {
        self.0.selector.as_ref().map_or("", |selector| &selector.user)
    }

    /// The project of its selector; its own name if no hook selects it.
    pub(super) fn project(&self) -> &str {
        self.0.selector.as_ref().map_or_else(|| self.name(), |selector| &selector.project)
    }

    /// Whether a hook that names `user` and `project` asks for it.
    fn is_selected_by(&self, user: &str, project: &str) -> bool {
        self.0.selector.as_ref().is_some_and(|selector| selector.matches(user, project))
    }
}

impl PartialEq for MirrorKey {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for MirrorKey {}

impl Hash for MirrorKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// What all requests share.
pub(super) struct App {
    pub(super) mirrors: Vec<MirrorKey>,
    pub(super) queue: Queue<MirrorKey, Arc<SyncReport>>,
    /// How long a hook waits for its sync.
    pub(super) wait: Duration,
    /// The largest body, in bytes.
    pub(super) max_body: usize,
    /// How long a body may take.
    pub(super) body_timeout: Duration,
    /// How far the syncs are that run.
    running: Arc<Running>,
    /// Changes whenever a job is over.
    over: watch::Receiver<()>,
}

impl App {
    /// Starts the workers.
    pub(super) fn start(config: Config, syncer: Syncer) -> Result<Self, StartError> {
        let (tell_over, over) = watch::channel(());
        let running = Arc::<Running>::default();
        let worker = SyncWorker { syncer, running: running.clone(), over: tell_over };
        Ok(Self {
            queue: Queue::start(config.daemon.workers, HISTORY, worker)?,
            mirrors: config.mirrors.into_iter().map(|it| MirrorKey(Arc::new(it))).collect(),
            wait: config.daemon.wait,
            max_body: config.daemon.max_body,
            body_timeout: config.daemon.request_timeout,
            running,
            over,
        })
    }

    /// The mirror that `user` and `project` select.
    pub(super) fn select(&self, user: &str, project: &str) -> Option<&MirrorKey> {
        self.mirrors.iter().find(|mirror| mirror.is_selected_by(user, project))
    }

    /// The job called `id` once it is over, or as it is when the wait has passed; `None` if it is
    /// not known any more.
    pub(super) async fn outcome(&self, id: JobId) -> Option<SyncJob> {
        // Subscribed before the first look: what happens between two looks wakes us.
        let mut over = self.over.clone();
        over.mark_unchanged();
        let is_over = async {
            while self.queue.job(id).is_some_and(|job| !job.state.is_over()) {
                if over.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(self.wait, is_over).await;
        self.queue.job(id)
    }

    /// How far the sync of the job `id` is, if it runs and has said so.
    pub(super) fn progress(&self, id: JobId) -> Option<StageProgress> {
        self.running.of(id)
    }

    /// Takes no more jobs, and asks the running ones to stop.
    pub(super) fn close(&self) {
        self.queue.close();
    }

    /// Waits until no sync runs, or for `timeout`, and returns how many still do.
    pub(super) async fn idle(&self, timeout: Duration) -> usize {
        let queue = self.queue.clone();
        let waited = tokio::task::spawn_blocking(move || queue.wait_idle(timeout));
        waited.await.unwrap_or_default()
    }
}

/// Joins the queue to what syncs.
struct SyncWorker {
    syncer: Syncer,
    running: Arc<Running>,
    over: watch::Sender<()>,
}

impl Worker<MirrorKey, Arc<SyncReport>> for SyncWorker {
    fn run(&self, job: &SyncJob, interrupt: &Interrupt) -> Result<Arc<SyncReport>, Failure> {
        let span = tracing::info_span!("sync", mirror = job.key.name(), job = %job.id);
        let _entered = span.enter();
        tracing::info!(requests = job.requests, "a sync begins");
        let watch = Watch { running: &self.running, id: job.id, notes: HeardNotes::default() };
        // What it names is read now: what is missing is the fault of this mirror alone.
        let ready = job.key.0.ready().map_err(|error| -> SyncFailure { Box::new(error) });
        let report = ready.and_then(|mirror| (self.syncer)(&mirror, &watch, interrupt));
        // Whoever asked for all of it has not got it, if some refs were refused.
        let report = report.and_then(|report| match report.failure() {
            None => Ok(report),
            Some(refused) => Err(Box::new(refused)),
        });
        report.map(Arc::new).map_err(|error| {
            log_notes(job, &watch.notes.take());
            Failure {
                fault: error.fault(),
                side: error.side(),
                message: with_causes(&*error),
                hint: error
                    .hint()
                    .map(|hint| hint.lines().map(clean).collect::<Vec<_>>().join("; ")),
            }
        })
    }

    fn over(&self, job: &SyncJob) {
        self.running.forget(job.id);
        log(job);
        self.over.send_replace(());
    }
}

/// Logs what a person should know of a sync, whether it went well or not.
fn log_notes(job: &SyncJob, notes: &[Note]) {
    let (mirror, id) = (job.key.name(), job.id);
    for note in notes {
        let text = clean(&note.to_string());
        if note.severity() == Severity::Note {
            tracing::info!(mirror, job = %id, "{text}");
        } else {
            tracing::warn!(mirror, job = %id, "{text}");
        }
    }
}

/// The one place that logs how a sync ended.
fn log(job: &SyncJob) {
    let (mirror, id, seconds) = (job.key.name(), job.id, job.elapsed().as_secs_f64());
    match &job.state {
        JobState::Done(report) => {
            log_notes(job, &report.notes);
            tracing::info!(
                mirror,
                job = %id,
                seconds,
                changesets = report.changesets,
                converted = report.converted,
                refs = report.refs.len(),
                "a sync ended"
            );
        }
        JobState::Failed(failure) => {
            let (fault, side) = (failure.fault.name(), failure.side.name());
            let reason = clean(&failure.message);
            tracing::error!(mirror, job = %id, seconds, fault, side, "a sync failed: {reason}");
        }
        JobState::Queued | JobState::Running => {}
    }
}
