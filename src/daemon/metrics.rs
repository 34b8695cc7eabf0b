//! What is counted and measured, for Prometheus: counters follow the events of the service, and what is true
//! now is asked for when somebody looks.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Side};
use crate::service::view::{
    Actions, MirrorFilter, MirrorSummary, NodeState, Overview, RunSummary, ServiceEvent,
};

/// How the text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// As `OpenMetrics` has it.
    Open,
    /// As Prometheus had it before, which all others read too.
    Plain,
}

impl Format {
    /// What whoever sends this header reads.
    pub(super) fn accepted(accept: Option<&str>) -> Self {
        match accept.is_some_and(|accept| accept.contains("application/openmetrics-text")) {
            true => Self::Open,
            false => Self::Plain,
        }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Open => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HookLabels {
    endpoint: String,
    verdict: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    mirror: String,
    state: &'static str,
    fault: &'static str,
    side: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StageLabels {
    stage: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ColdLabels {
    from: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Mutex<Registry>,
    hooks: Family<HookLabels, Counter>,
    runs: Family<RunLabels, Counter>,
    stages: Family<StageLabels, Histogram>,
    cold: Family<ColdLabels, Histogram>,
    converted: Counter,
}

impl Metrics {
    /// Counts from now on; what is true now is asked of `actions`.
    pub(super) fn of(actions: Arc<dyn Actions>) -> Self {
        let mut registry = Registry::with_prefix("synchroniser");
        let hooks = Family::default();
        let runs = Family::default();
        let buckets = || Histogram::new(exponential_buckets(0.01, 4.0, 10));
        let stages = Family::new_with_constructor(buckets as fn() -> Histogram);
        let cold = Family::new_with_constructor(buckets as fn() -> Histogram);
        let converted = Counter::default();
        registry.register("hooks", "Hooks by what became of them", hooks.clone());
        registry.register("runs", "Runs that ended, by how they ended", runs.clone());
        registry.register("stage_seconds", "How long the stages of runs took", stages.clone());
        let help = "How long runs took that began without a cache, by where it came from";
        registry.register("cold_start_seconds", help, cold.clone());
        registry.register("converted_changesets", "Changesets converted", converted.clone());
        registry.register_collector(Box::new(Now(actions)));
        Self { registry: Mutex::new(registry), hooks, runs, stages, cold, converted }
    }

    /// Counts what happened.
    pub(super) fn hear(&self, event: &ServiceEvent) {
        match event {
            ServiceEvent::Delivered { verdict, endpoint } => {
                let labels = HookLabels { endpoint: endpoint.clone(), verdict: verdict.name() };
                self.hooks.get_or_create(&labels).inc();
            }
            ServiceEvent::Ended { run } => self.count(run),
            ServiceEvent::Asked { .. }
            | ServiceEvent::Begun { .. }
            | ServiceEvent::Progress { .. }
            | ServiceEvent::Changed { .. } => {}
        }
    }

    fn count(&self, run: &RunSummary) {
        let failure = run.failure.as_ref();
        let labels = RunLabels {
            mirror: run.mirror.clone(),
            state: run.state.name(),
            fault: failure.map_or("", |failure| failure.fault.name()),
            side: failure.map_or("", |failure| failure.side.name()),
        };
        self.runs.get_or_create(&labels).inc();
        self.converted.inc_by(run.converted);
        if let (Some(cold), Some(started), Some(ended)) = (run.cold, run.started, run.ended) {
            let labels = ColdLabels { from: cold.name() };
            self.cold.get_or_create(&labels).observe(ended.since(started).as_secs_f64());
        }
        for phase in &run.phases {
            let labels = StageLabels { stage: phase.stage.clone() };
            let millis = u32::try_from(phase.millis).unwrap_or(u32::MAX);
            self.stages.get_or_create(&labels).observe(f64::from(millis) / 1000.0);
        }
    }

    /// Everything as text. It may block, for as long as the queue takes.
    pub(super) fn text(&self, format: Format) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(match format {
            Format::Open => text,
            Format::Plain => plain(&text),
        })
    }
}

/// `OpenMetrics` as the older format: there a counter is called as its values are, and nothing marks the end.
fn plain(open: &str) -> String {
    let counter = |line: &str| {
        line.strip_prefix("# TYPE ")
            .and_then(|rest| rest.strip_suffix(" counter"))
            .map(str::to_owned)
    };
    let counters: HashSet<String> = open.lines().filter_map(counter).collect();
    let mut plain = String::with_capacity(open.len());
    for line in open.lines().filter(|line| !line.starts_with("# EOF")) {
        let about = line.strip_prefix("# HELP ").map(|rest| ("# HELP ", rest));
        let about = about.or_else(|| line.strip_prefix("# TYPE ").map(|rest| ("# TYPE ", rest)));
        match about.and_then(|(kind, rest)| Some((kind, rest.split_once(' ')?))) {
            Some((kind, (name, rest))) if counters.contains(name) => {
                plain.push_str(&format!("{kind}{name}_total {rest}"));
            }
            _ => plain.push_str(line),
        }
        plain.push('\n');
    }
    plain
}

/// What is true at the moment of the look.
struct Now(Arc<dyn Actions>);

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Now")
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        // A queue that cannot be read is told by the absence of these, and in the log.
        let encoder = &mut encoder;
        let overview = match self.0.overview() {
            Ok(overview) => overview,
            Err(error) => return failing(encoder, Some((error.fault(), Side::Here))),
        };
        let trouble = overview.trouble.as_ref().map(|trouble| (trouble.fault, trouble.side));
        failing(encoder, trouble)?;
        let all = MirrorFilter { count: usize::MAX, ..MirrorFilter::default() };
        let Ok(list) = self.0.mirrors(&all) else { return Ok(()) };

        let mut mirrors = gauge(encoder, "mirrors", "Mirrors by their state")?;
        for count in &overview.states {
            set(&mut mirrors, ("state", count.state.name()), whole(count.mirrors))?;
        }
        let waiting = whole(overview.waiting);
        ConstGauge::new(waiting).encode(gauge(
            encoder,
            "queue_depth",
            "Mirrors that are due and wait",
        )?)?;
        let oldest = overview.oldest_due_millis.unwrap_or(0);
        let seconds = i64::try_from(oldest / 1000).unwrap_or(i64::MAX);
        let help = "How long the mirror has waited that has waited longest, in seconds";
        ConstGauge::new(seconds).encode(gauge(encoder, "queue_oldest_seconds", help)?)?;
        ConstGauge::new(whole(overview.running)).encode(gauge(
            encoder,
            "running",
            "Runs under way",
        )?)?;
        let beat = overview.beat.seconds();
        let help = "When the queue last moved, in seconds since 1970";
        ConstGauge::new(beat).encode(gauge(encoder, "beat_timestamp_seconds", help)?)?;

        let help = "When a run of the mirror last ended well, in seconds since 1970";
        times(gauge(encoder, "last_success_timestamp_seconds", help)?, &list.mirrors, |it| {
            it.last_good
        })?;
        let help = "When a run last found something new at the source, in seconds since 1970";
        times(gauge(encoder, "last_change_timestamp_seconds", help)?, &list.mirrors, |it| {
            it.last_change
        })?;
        let mut failing =
            gauge(encoder, "failing_runs", "Runs of the mirror that failed in a row")?;
        for mirror in &list.mirrors {
            set(&mut failing, ("mirror", &mirror.name), i64::from(mirror.failures))?;
        }
        of_nodes(encoder, &overview)?;
        self.of_caches(encoder)?;
        self.of_credentials(encoder)?;
        let mut build = gauge(encoder, "build_info", "The version of the program")?;
        set(&mut build, ("version", &overview.version), 1)
    }
}

/// Whether the queue can be used, and of what class what is wrong is.
fn failing(encoder: &mut DescriptorEncoder<'_>, trouble: Option<(Fault, Side)>) -> fmt::Result {
    let help = "1 while the queue cannot be used, so that hooks are refused and nothing begins";
    let mut failing = gauge(encoder, "queue_failing", help)?;
    let (fault, side) = trouble.map_or(("", ""), |(fault, side)| (fault.name(), side.name()));
    let labels = [("fault", fault), ("side", side)];
    ConstGauge::new(i64::from(trouble.is_some())).encode(failing.encode_family(&labels)?)
}

/// The processes that share the queue, and what kept them from publishing.
fn of_nodes(encoder: &mut DescriptorEncoder<'_>, overview: &Overview) -> fmt::Result {
    if !overview.nodes.is_empty() {
        let help = "Daemons that share the queue, by their state";
        let mut nodes = gauge(encoder, "nodes", help)?;
        for state in NodeState::ALL {
            let count = overview.nodes.iter().filter(|node| node.state == state).count();
            set(&mut nodes, ("state", state.name()), whole(count))?;
        }
    }
    let help = "1 while no daemon is there that syncs, so that what is due waits";
    let no_worker = gauge(encoder, "no_worker", help)?;
    ConstGauge::new(i64::from(overview.no_worker)).encode(no_worker)?;
    let help = "Mirrors that none of the daemons may sync that are there";
    let without = gauge(encoder, "mirrors_without_node", help)?;
    ConstGauge::new(whole(overview.without_node)).encode(without)?;
    let help = "Times that a run of this daemon was kept from publishing, since its claim may have been gone";
    let fenced = encoder.encode_descriptor("fenced", help, None, MetricType::Counter)?;
    ConstCounter::new(overview.fenced).encode(fenced)
}

impl Now {
    fn of_caches(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(caches) = self.0.caches() else { return Ok(()) };
        let help = "What the cache of the mirror takes, in bytes";
        let mut sizes = gauge(encoder, "cache_bytes", help)?;
        for cache in &caches.mirrors {
            set(&mut sizes, ("mirror", &cache.mirror), long(cache.bytes))?;
        }
        let of_all = [
            (
                "caches_unused_bytes",
                "What caches take whose mirrors are configured no more, in bytes",
                caches.measured.map(|_| caches.unused),
            ),
            ("caches_quota_bytes", "What all caches may take, in bytes", caches.quota),
            (
                "caches_disk_free_bytes",
                "What is free on the disk of the caches, in bytes",
                caches.free,
            ),
        ];
        for (name, help, value) in of_all {
            let of_name = gauge(encoder, name, help)?;
            if let Some(value) = value {
                ConstGauge::new(long(value)).encode(of_name)?;
            }
        }
        Ok(())
    }

    fn of_credentials(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let Ok(credentials) = self.0.credentials() else { return Ok(()) };
        let help = "When the credential or certificate ends, in seconds since 1970";
        let mut ends = gauge(encoder, "credential_expiry_timestamp_seconds", help)?;
        for credential in &credentials {
            set(&mut ends, ("name", &credential.name), credential.ends.seconds())?;
        }
        Ok(())
    }
}

/// What follows is one number, or one for each label.
fn gauge<'e>(
    encoder: &'e mut DescriptorEncoder<'_>,
    name: &'e str,
    help: &'e str,
) -> Result<MetricEncoder<'e>, fmt::Error> {
    encoder.encode_descriptor(name, help, None, MetricType::Gauge)
}

/// One value, with a label.
fn set(encoder: &mut MetricEncoder<'_>, label: (&str, &str), value: i64) -> fmt::Result {
    ConstGauge::new(value).encode(encoder.encode_family(&[label])?)
}

/// A time of each mirror that has one.
fn times(
    mut encoder: MetricEncoder<'_>,
    mirrors: &[MirrorSummary],
    time: impl Fn(&MirrorSummary) -> Option<Timestamp>,
) -> fmt::Result {
    for mirror in mirrors {
        if let Some(time) = time(mirror) {
            set(&mut encoder, ("mirror", &mirror.name), time.seconds())?;
        }
    }
    Ok(())
}

fn long(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_ask_for_openmetrics_gets_the_older_format() {
        let open = "# HELP a_runs Runs.\n# TYPE a_runs counter\na_runs_total{m=\"# TYPE a_runs counter\"} 1\n\
                    # HELP a_depth Depth.\n# TYPE a_depth gauge\na_depth 2\n# EOF\n";
        let old = "# HELP a_runs_total Runs.\n# TYPE a_runs_total counter\n\
                   a_runs_total{m=\"# TYPE a_runs counter\"} 1\n\
                   # HELP a_depth Depth.\n# TYPE a_depth gauge\na_depth 2\n";
        assert_eq!(plain(open), old);
        for (accept, format) in [
            (
                Some("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2"),
                Format::Open,
            ),
            (Some("text/plain"), Format::Plain),
            (Some("*/*"), Format::Plain),
            (None, Format::Plain),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
