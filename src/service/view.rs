//! What is shown of mirrors, runs and deliveries: one set of types for pages, API, admin socket, badges,
//! feeds and notifications. Plain data, clean of secrets, not yet in words.

mod event;
mod kept;
mod node;
mod request_key;
mod run;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::base::{Fault, Side, Stage, Unit, faults};
use crate::queue::model::{Receipt, RunId, Verdict};
use crate::queue::{Sessions, StoreError};

pub use event::ServiceEvent;
pub use kept::{CacheView, CachesView, CredentialView};
pub use node::{NodeState, NodeView};
pub use request_key::RequestKey;
pub use run::{ColdStart, LogLine, PhaseView, RefView, RunDetail, RunSummary};

/// How a mirror is, in one word. In the order of how much a person should look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MirrorState {
    /// It has failed, and somebody has to do something: trying again at once does not help.
    Parked,
    /// The last run has failed, and it is tried again.
    Failing,
    /// The last run has published all but some refs, which were refused.
    Partial,
    /// It has had no success for longer than its limit.
    Stale,
    /// A person has paused it.
    Paused,
    /// A run is under way.
    Running,
    /// A run waits.
    Queued,
    /// It was never run.
    New,
    /// The target has what the source had when we last looked.
    Good,
}

impl MirrorState {
    /// Every state, for filters, tables and tests.
    pub const ALL: [Self; 9] = [
        Self::Parked,
        Self::Failing,
        Self::Partial,
        Self::Stale,
        Self::Paused,
        Self::Running,
        Self::Queued,
        Self::New,
        Self::Good,
    ];

    /// Whether somebody should look at it.
    pub fn is_trouble(self) -> bool {
        self <= Self::Stale
    }

    /// The lower-case name used in addresses, JSON and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parked => "parked",
            Self::Failing => "failing",
            Self::Partial => "partial",
            Self::Stale => "stale",
            Self::Paused => "paused",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::New => "new",
            Self::Good => "good",
        }
    }
}

/// Why something did not go well, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// Its class.
    pub fault: Fault,
    /// On which side.
    pub side: Side,
    /// What failed, and because of what.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
}

/// How far a run is in its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StageProgress {
    /// What is being done.
    pub stage: Stage,
    /// What is counted.
    pub unit: Unit,
    /// How many of them are done.
    pub done: u64,
    /// How many there are, if that is known.
    pub total: Option<u64>,
}

/// One mirror in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorSummary {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub owner: String,
    /// The address of the source, without secrets.
    pub source: String,
    /// The address of the target, without secrets; `None` if only the cache is kept.
    pub target: Option<String>,
    /// How it is.
    pub state: MirrorState,
    /// Whether a person has paused it, whatever else is to be said of its state.
    pub paused: bool,
    /// Why it is not good, if it is not.
    pub failure: Option<FailureView>,
    /// How many runs have failed in a row.
    pub failures: u32,
    /// Since when it is in trouble, parked or paused.
    pub since: Option<Timestamp>,
    /// When a run last ended, however.
    pub last_tried: Option<Timestamp>,
    /// When a run last ended well.
    pub last_good: Option<Timestamp>,
    /// When a run last found something new at the source.
    pub last_change: Option<Timestamp>,
    /// How many changesets the source has that the target lacks, as far as is known.
    pub lag: Option<u64>,
    /// The run that is under way.
    pub running: Option<RunId>,
    /// How far it is.
    pub progress: Option<StageProgress>,
    /// When it is due next.
    pub due: Option<Timestamp>,
    /// Patterns over the names of the machines that alone may sync it; any may if there are none.
    pub nodes: Vec<String>,
    /// Whether no process is there that may sync it, where several share the queue: it waits for one.
    pub no_node: bool,
}

impl MirrorSummary {
    /// That no process is there which may sync it, if none is.
    pub fn waits_for(&self) -> Option<String> {
        let which = match self.nodes.as_slice() {
            [] => "that syncs".to_owned(),
            nodes => format!("on {}", nodes.join(" or ")),
        };
        self.no_node.then(|| format!("waits for a daemon {which}: none is there"))
    }
}

/// How many mirrors are in each state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCount {
    /// The state.
    pub state: MirrorState,
    /// How many.
    pub mirrors: usize,
}

/// A list of mirrors, or of what was left of it by a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorList {
    /// Those of this page, in the order of their names.
    pub mirrors: Vec<MirrorSummary>,
    /// How many the filter leaves in all.
    pub found: usize,
    /// Where the next page begins: after this name. `None` if this is the last.
    pub next: Option<String>,
}

/// Which mirrors are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MirrorFilter {
    /// Only those in this state.
    pub state: Option<MirrorState>,
    /// Only those in trouble, the worst first, whatever `after` says.
    pub trouble: bool,
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those in whose name or addresses this text is, without regard to case.
    pub text: Option<String>,
    /// Only those that come after this name.
    pub after: Option<String>,
    /// How many at most.
    pub count: usize,
}

/// One mirror, with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorDetail {
    /// What the list has.
    #[serde(flatten)]
    pub summary: MirrorSummary,
    /// Its refs at the target, as the last run that came to its end saw them.
    pub refs: Vec<RefView>,
    /// Its last runs, the newest first.
    pub runs: Vec<RunSummary>,
    /// Its configuration, key by key, without secrets.
    pub configuration: Vec<Setting>,
    /// What its cache took when it was last looked at, in bytes.
    pub cache_bytes: Option<u64>,
    /// Those of its credentials and certificates whose end is known, the next to end first.
    pub credentials: Vec<CredentialView>,
}

/// One key of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setting {
    /// The key, with the table that it is in: `target.url`.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// One hook that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryView {
    /// Its number; later ones have larger numbers.
    pub number: i64,
    /// When it arrived.
    pub at: Timestamp,
    /// The endpoint.
    pub endpoint: String,
    /// The format of the endpoint; empty if the endpoint is configured no more.
    pub format: String,
    /// The address that it came from.
    pub from: String,
    /// What became of it.
    pub verdict: Verdict,
    /// What it was about, or what is wrong with it.
    pub about: String,
    /// The mirrors that it asked for, each with the run that answers it.
    pub asked: Vec<Asked>,
}

/// A mirror that a delivery asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The mirror.
    pub mirror: String,
    /// The run.
    pub run: RunId,
}

/// One line of the queue: a mirror that waits, or whose run is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntry {
    /// The mirror.
    pub mirror: String,
    /// The run, if its id was given to somebody.
    pub run: Option<RunId>,
    /// The node that it is under way at, where there may be several.
    pub node: Option<String>,
    /// Whether it is under way.
    pub running: bool,
    /// How many requests wait.
    pub requests: u64,
    /// When it may begin.
    pub due: Option<Timestamp>,
}

/// How the service is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overview {
    /// How many mirrors are in each state; states without mirrors are left out.
    pub states: Vec<StateCount>,
    /// How many runs are under way.
    pub running: usize,
    /// How many mirrors wait, and are due.
    pub waiting: usize,
    /// How long the one that is due longest has been so, in milliseconds.
    pub oldest_due_millis: Option<u64>,
    /// When the schedule last moved.
    pub beat: Timestamp,
    /// Now, by the clock of the service.
    pub now: Timestamp,
    /// Whether it is stopping.
    pub stopping: bool,
    /// Why the queue cannot be used, if it cannot: hooks are refused, and nothing begins.
    pub trouble: Option<FailureView>,
    /// The version of the program.
    pub version: String,
    /// The processes that share the queue, by name; none if there can be one alone.
    pub nodes: Vec<NodeView>,
    /// Whether none of them is there that syncs: nobody does what is due.
    pub no_worker: bool,
    /// How many mirrors none of them may sync that is there.
    pub without_node: usize,
    /// How many runs of this process were kept from publishing, since their claims may have been gone.
    pub fenced: u64,
}

/// Why something could not be shown or done.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// No mirror has this name.
    #[error("find the mirror {name:?}")]
    NoMirror {
        /// The name.
        name: String,
    },
    /// The queue cannot be used.
    #[error(transparent)]
    Queue(#[from] StoreError),
    /// The service is stopping.
    #[error("take a request: the service is stopping")]
    Stopping,
}

faults!(ServiceError {
    Self::NoMirror { .. } => Config,
    Self::Queue(error) => of(error),
    Self::Stopping => Interrupted,
});

/// What can be looked at. All methods may block for as long as a disk takes.
pub trait Views: Send + Sync {
    /// How the service is.
    fn overview(&self) -> Result<Overview, ServiceError>;

    /// The mirrors that a filter leaves.
    fn mirrors(&self, filter: &MirrorFilter) -> Result<MirrorList, ServiceError>;

    /// One mirror.
    fn mirror(&self, name: &str) -> Result<Option<MirrorDetail>, ServiceError>;

    /// One run.
    fn run(&self, id: RunId) -> Result<Option<RunDetail>, ServiceError>;

    /// The last runs of a mirror, or of all, the newest first: those asked for before `before`.
    fn runs(
        &self,
        mirror: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<RunSummary>, ServiceError>;

    /// The last deliveries, the newest first: those with a smaller number than `before`.
    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryView>, ServiceError>;

    /// What runs and what waits, in the order in which it is due.
    fn queue(&self) -> Result<Vec<QueueEntry>, ServiceError>;

    /// What the caches took when they were last looked at.
    fn caches(&self) -> Result<CachesView, ServiceError> {
        Ok(CachesView::default())
    }

    /// The credentials and certificates whose end is known, the next to end first.
    fn credentials(&self) -> Result<Vec<CredentialView>, ServiceError> {
        Ok(Vec::new())
    }
}

/// What can be asked for.
pub trait Actions: Views {
    /// Asks for a sync, now.
    fn sync(&self, mirror: &str) -> Result<Receipt, ServiceError>;

    /// The same for who says so again if in doubt: what was asked for with the same `request` before asks for
    /// nothing, and gets the run that it got then.
    fn sync_once(&self, mirror: &str, request: &RequestKey) -> Result<Receipt, ServiceError>;

    /// Pauses a mirror: requests are kept, and nothing runs.
    fn pause(&self, mirror: &str) -> Result<(), ServiceError>;

    /// Lets a paused mirror go on.
    fn resume(&self, mirror: &str) -> Result<(), ServiceError>;

    /// Tries a parked mirror again, now.
    fn retry(&self, mirror: &str) -> Result<Receipt, ServiceError>;

    /// The sessions of browsers: those of all processes that share the queue.
    fn sessions(&self) -> &dyn Sessions;
}
