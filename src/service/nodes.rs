//! The processes that share the queue: this one tells the others of itself, and all of them are shown.

use std::sync::atomic::Ordering;
use std::time::Duration;

use wildmatch::WildMatch;

use super::view::{Asked, NodeState, NodeView};
use super::{Service, Shared};
use crate::base::sizes::bytes_free;
use crate::config::{Config, Role};
use crate::queue::{Fleet, Node, NodeReport, StoreError};

/// Nobody is lost that was heard of since: some times as long as one says nothing while it is well.
pub(super) const LOST: Duration = Duration::from_secs(15);
/// Who is lost is shown for so long.
const SHOWN: Duration = Duration::from_hours(24);

/// The names of the processes that are there and begin runs; `None` if there can be one alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Workers(Option<Vec<String>>);

impl Workers {
    /// Those of all processes.
    pub(super) fn of(nodes: &[NodeView]) -> Self {
        let works = |node: &&NodeView| {
            node.state == NodeState::Working && Role::named(&node.role).is_none_or(Role::syncs)
        };
        let names = nodes.iter().filter(works).map(|node| node.name.clone());
        Self((!nodes.is_empty()).then(|| names.collect()))
    }

    /// Whether none of them may sync a mirror with this pin.
    pub(super) fn have_none_for(&self, pin: &str) -> bool {
        let may = |name: &String| pin.is_empty() || admits(pin, name);
        self.0.as_ref().is_some_and(|names| !names.iter().any(may))
    }

    /// Whether nobody syncs anything.
    pub(super) fn are_none(&self) -> bool {
        self.0.as_ref().is_some_and(Vec::is_empty)
    }
}

impl Service {
    /// Tells the others of this process.
    pub(super) fn tell_fleet(&self) {
        if let Err(error) = self.0.report_to_fleet() {
            tracing::debug!("the other processes do not hear of this one: {error}");
        }
    }

    /// Tells the others that this process ends, if it does and `left`, the number of runs that are under way, is 0.
    /// Returns `left`.
    pub(super) fn left(&self, left: usize) -> usize {
        let fleet = self.0.store.fleet().filter(|_| left == 0 && self.0.is_stopping());
        if let Some(Err(error)) = fleet.map(Fleet::leave) {
            tracing::debug!("the other processes were not told of the end: {error}");
        }
        left
    }
}

impl Shared {
    /// Tells the others of this process.
    pub(super) fn report_to_fleet(&self) -> Result<(), StoreError> {
        let Some(fleet) = self.store.fleet() else { return Ok(()) };
        fleet.beat(&NodeReport {
            name: machine(),
            role: self.role.name().to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            draining: self.is_stopping(),
            free: bytes_free(&self.directory().config().cache).filter(|_| self.role.syncs()),
            url: own_url(self.directory().config()).unwrap_or_default(),
        })
    }

    /// Says in the log when nobody syncs any more, and when somebody does again.
    pub(super) fn look_for_workers(&self) {
        if self.role.syncs() || self.is_stopping() {
            return;
        }
        let Ok(nodes) = self.nodes() else { return };
        let are_none = Workers::of(&nodes).are_none();
        if are_none == self.told_no_worker.swap(are_none, Ordering::Relaxed) {
            return;
        }
        if are_none {
            tracing::error!(
                "nothing is synced: no daemon is there whose role is \"work\" or \"all\""
            );
        } else {
            tracing::info!("a daemon that syncs is there again");
        }
    }

    /// All of them, by name; none if there can be one alone.
    pub(super) fn nodes(&self) -> Result<Vec<NodeView>, StoreError> {
        let Some(fleet) = self.store.fleet() else { return Ok(Vec::new()) };
        // When its claims have run out, too.
        let lost = self.directory().config().queue.lease.max(LOST);
        let now = self.clock.now();
        let nodes = fleet.nodes(now.before(SHOWN))?;
        let shown = |Node { id, report, started, beat, runs }: Node| NodeView {
            state: match (now.since(beat) > lost, report.draining) {
                (true, _) => NodeState::Lost,
                (false, true) => NodeState::Draining,
                (false, false) => NodeState::Working,
            },
            here: id == fleet.id(),
            id,
            name: report.name,
            role: report.role,
            version: report.version,
            started,
            beat,
            free: report.free,
            gives_caches: !report.url.is_empty(),
            runs: runs.into_iter().map(|(mirror, run)| Asked { mirror, run }).collect(),
        };
        Ok(nodes.into_iter().map(shown).collect())
    }
}

/// What stands in the queue for the machines that alone may sync a mirror.
pub(super) fn pin(nodes: &[String]) -> String {
    nodes.join(",")
}

/// Whether the machine called `name` is one of those.
pub(super) fn admits(pin: &str, name: &str) -> bool {
    pin.split(',').any(|pattern| WildMatch::new(pattern).matches(name))
}

/// Where others ask the daemon of this machine for its caches; `None` if it gives none.
pub fn own_url(config: &Config) -> Option<String> {
    config.nodes.url_of(&machine())
}

/// The name of this machine.
pub(super) fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "unknown".to_owned(),
        name => name.to_owned(),
    }
}
