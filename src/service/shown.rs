//! The queue's rows, runs and deliveries as they are shown.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::Shared;
use super::directory::Directory;
use super::nodes::Workers;
use super::recorder::RunRecord;
use super::view::{
    Asked, CachesView, CredentialView, DeliveryView, FailureView, MirrorDetail, MirrorFilter,
    MirrorList, MirrorState, MirrorSummary, Overview, QueueEntry, RunDetail, RunSummary,
    ServiceError, StateCount, Views,
};
use crate::base::time::Timestamp;
use crate::config::{Config, MirrorConfig};
use crate::queue::Failure;
use crate::queue::model::{DeliveryEntry, Row, Run, RunId, RunState};

/// So many runs are shown with a mirror.
const RUNS: usize = 50;

impl From<&Failure> for FailureView {
    fn from(failure: &Failure) -> Self {
        let Failure { fault, side, message, hint } = failure.clone();
        Self { fault, side, message, hint }
    }
}

/// How a mirror is. `stale` is how long it may have no success.
fn state(row: &Row, now: Timestamp, stale: std::time::Duration) -> MirrorState {
    let last = row.last_run.as_ref().map(|(_, state, _)| *state);
    let is_stale = row.last_good.is_some_and(|good| now.since(good) > stale);
    if row.parked.is_some() {
        MirrorState::Parked
    } else if row.failing.is_some() {
        MirrorState::Failing
    } else if last == Some(RunState::Partial) {
        MirrorState::Partial
    } else if row.paused.is_some() {
        MirrorState::Paused
    } else if is_stale {
        MirrorState::Stale
    } else if row.running.is_some() {
        MirrorState::Running
    } else if row.waiting.is_some() && last.is_some() {
        MirrorState::Queued
    } else if last.is_none() {
        MirrorState::New
    } else {
        MirrorState::Good
    }
}

fn run_summary(run: &Run, node: Option<String>, record: &RunRecord) -> RunSummary {
    RunSummary {
        id: run.id,
        mirror: run.key.clone(),
        state: run.state,
        node,
        cause: run.cause,
        requests: run.requests,
        asked: run.asked,
        started: run.started,
        ended: run.ended,
        changesets: record.changesets,
        converted: record.converted,
        changed: record.changed,
        refused: record.refused,
        cold: record.cold,
        phases: record.phases.clone(),
        failure: run.failure.as_ref().map(FailureView::from),
    }
}

impl Shared {
    fn summary(
        &self,
        row: &Row,
        configured: &MirrorConfig,
        workers: &Workers,
        now: Timestamp,
    ) -> MirrorSummary {
        let mirror = &configured.mirror;
        let state = state(row, now, self.directory().config().schedule.stale);
        let last = row.last_run.as_ref();
        let failure = match (&row.parked, &row.failing) {
            (Some((failure, _)), _) => Some(failure),
            (None, Some(failing)) => Some(&failing.failure),
            (None, None) => last.and_then(|(_, _, failure)| failure.as_ref()),
        };
        let since = match (&row.failing, &row.parked, row.paused) {
            (Some(failing), ..) => Some(failing.since),
            (None, Some((_, since)), _) => Some(*since),
            (None, None, paused) => paused,
        };
        let running = row.running.map(|running| running.run);
        let progress = running.and_then(|run| self.live.run(run)?.progress());
        MirrorSummary {
            name: mirror.name.clone(),
            owner: configured.owner().to_owned(),
            source: mirror.source.to_string(),
            target: mirror.target.as_ref().map(|target| target.url.to_string()),
            state,
            paused: row.paused.is_some(),
            failure: failure.map(FailureView::from),
            failures: row.failing.as_ref().map_or(0, |failing| failing.runs),
            since,
            last_tried: row.last_tried,
            last_good: row.last_good,
            last_change: row.last_change,
            lag: if state == MirrorState::Good { Some(0) } else { self.lag(row) },
            running,
            progress,
            due: row.next_run(),
            nodes: configured.nodes.clone(),
            no_node: workers.have_none_for(&row.member.pin),
        }
    }

    /// What is known of a run: of one that is under way, what it has said so far.
    fn record(&self, run: &Run) -> RunRecord {
        match self.live.run(run.id) {
            Some(recorder) => recorder.record(),
            None => RunRecord::from_json(&run.details),
        }
    }

    fn summaries(&self, runs: &[Run]) -> Vec<RunSummary> {
        let mut nodes = self.nodes_of(runs.iter().map(|run| run.id));
        runs.iter().map(|run| run_summary(run, nodes.remove(&run.id), &self.record(run))).collect()
    }

    /// The names of the nodes at which runs were begun, where there may be several.
    fn nodes_of(&self, runs: impl Iterator<Item = RunId>) -> HashMap<RunId, String> {
        let Some(fleet) = self.store.fleet() else { return HashMap::new() };
        let runs: Vec<_> = runs.collect();
        // Nothing else depends on it.
        fleet.nodes_of(&runs).unwrap_or_default()
    }

    /// What was found of the run `id`, for those who follow.
    pub(super) fn ended_run(&self, id: RunId) -> Result<Option<RunSummary>, ServiceError> {
        let run = self.store.run(id)?;
        let summary = |run: Run| {
            let node = self.nodes_of([run.id].into_iter()).remove(&run.id);
            run_summary(&run, node, &RunRecord::from_json(&run.details))
        };
        Ok(run.map(summary))
    }

    /// The rows of the mirrors that are configured, with their configuration.
    fn configured<'d>(
        &self,
        directory: &'d Directory,
    ) -> Result<Vec<(Row, &'d MirrorConfig)>, ServiceError> {
        let with_configuration = |row: Row| {
            let mirror = directory.mirror(&row.member.key)?;
            Some((row, mirror))
        };
        Ok(self.store.rows()?.into_iter().filter_map(with_configuration).collect())
    }
}

/// Whether a filter leaves a mirror, but for its state.
fn is_left(filter: &MirrorFilter, configured: &MirrorConfig) -> bool {
    let mirror = &configured.mirror;
    let is_of = filter.owner.as_deref().is_none_or(|owner| configured.owner() == owner);
    is_of
        && filter.text.as_deref().is_none_or(|text| {
            let text = text.to_lowercase();
            let has = |shown: &str| shown.to_lowercase().contains(&text);
            has(&mirror.name)
                || has(&mirror.source.to_string())
                || mirror.target.as_ref().is_some_and(|target| has(&target.url.to_string()))
        })
}

impl Views for Shared {
    fn overview(&self) -> Result<Overview, ServiceError> {
        let (directory, now) = (self.directory(), self.clock.now());
        let rows = self.configured(&directory)?;
        let stale = directory.config().schedule.stale;
        let states: Vec<_> = rows.iter().map(|(row, _)| state(row, now, stale)).collect();
        let count = |state| states.iter().filter(|other| **other == state).count();
        let counts = MirrorState::ALL.iter().map(|state| (*state, count(*state)));
        let waits = |row: &&Row| row.next_run().is_some_and(|due| due <= now);
        let due = rows.iter().map(|(row, _)| row).filter(waits);
        let held_up = due.clone().filter(|row| row.running.is_none());
        let oldest = held_up.filter_map(Row::next_run).min();
        let millis = |time: Timestamp| u64::try_from(now.since(time).as_millis()).unwrap_or(0);
        let nodes = self.nodes()?;
        let workers = Workers::of(&nodes);
        Ok(Overview {
            states: counts
                .filter(|(_, mirrors)| *mirrors > 0)
                .map(|(state, mirrors)| StateCount { state, mirrors })
                .collect(),
            running: rows.iter().filter(|(row, _)| row.running.is_some()).count(),
            waiting: due.count(),
            oldest_due_millis: oldest.map(millis),
            beat: self.beat(),
            now,
            stopping: self.is_stopping(),
            trouble: self.trouble().as_ref().map(FailureView::from),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            no_worker: workers.are_none(),
            without_node: rows
                .iter()
                .filter(|(row, _)| workers.have_none_for(&row.member.pin))
                .count(),
            nodes,
            fenced: self.fenced.load(Ordering::Relaxed),
        })
    }

    fn mirrors(&self, filter: &MirrorFilter) -> Result<MirrorList, ServiceError> {
        let (directory, now) = (self.directory(), self.clock.now());
        let stale = directory.config().schedule.stale;
        let mut rows = self.configured(&directory)?;
        rows.retain(|(row, configured)| {
            is_left(filter, configured)
                && filter.state.is_none_or(|wanted| state(row, now, stale) == wanted)
        });
        if filter.trouble {
            rows.retain(|(row, _)| state(row, now, stale).is_trouble());
            rows.sort_by_key(|(row, _)| state(row, now, stale));
        }
        let found = rows.len();
        let from = filter.after.as_deref().filter(|_| !filter.trouble);
        let after = |name: &str| from.is_none_or(|after| name > after);
        let mut rest = rows.iter().filter(|(row, _)| after(&row.member.key));
        let page: Vec<_> = rest.by_ref().take(filter.count).collect();
        let next = rest.next().and(page.last()).map(|(row, _)| row.member.key.clone());
        let workers = Workers::of(&self.nodes()?);
        let mirrors =
            page.iter().map(|(row, configured)| self.summary(row, configured, &workers, now));
        Ok(MirrorList { mirrors: mirrors.collect(), found, next })
    }

    fn mirror(&self, name: &str) -> Result<Option<MirrorDetail>, ServiceError> {
        let directory = self.directory();
        let (Some(configured), Some(row)) = (directory.mirror(name), self.store.row(name)?) else {
            return Ok(None);
        };
        let runs = self.store.runs(Some(name), None, RUNS)?;
        let came_to_its_end = |run: &&Run| matches!(run.state, RunState::Done | RunState::Partial);
        let records = runs.iter().filter(came_to_its_end).map(|run| self.record(run));
        // A run that only looked has seen no refs.
        let refs = records.map(|record| record.refs).find(|refs| !refs.is_empty());
        Ok(Some(MirrorDetail {
            summary: self.summary(&row, configured, &Workers::of(&self.nodes()?), self.clock.now()),
            refs: refs.unwrap_or_default(),
            runs: self.summaries(&runs),
            configuration: super::settings::settings(configured),
            cache_bytes: self.caches.of_mirror(name),
            credentials: self.credentials.of_mirror(name),
        }))
    }

    fn run(&self, id: RunId) -> Result<Option<RunDetail>, ServiceError> {
        let Some(run) = self.store.run(id)? else { return Ok(None) };
        let record = self.record(&run);
        let progress = self.live.run(id).and_then(|recorder| recorder.progress());
        let node = self.nodes_of([id].into_iter()).remove(&id);
        let summary = run_summary(&run, node, &record);
        let RunRecord { refs, more_refs, log, more_lines, .. } = record;
        Ok(Some(RunDetail { summary, refs, more_refs, log, more_lines, progress }))
    }

    fn runs(
        &self,
        mirror: Option<&str>,
        before: Option<RunId>,
        count: usize,
    ) -> Result<Vec<RunSummary>, ServiceError> {
        Ok(self.summaries(&self.store.runs(mirror, before, count)?))
    }

    fn deliveries(
        &self,
        before: Option<i64>,
        count: usize,
    ) -> Result<Vec<DeliveryView>, ServiceError> {
        let directory = self.directory();
        let entries = self.store.deliveries(before, count)?;
        Ok(entries.into_iter().map(|entry| delivery(directory.config(), entry)).collect())
    }

    fn caches(&self) -> Result<CachesView, ServiceError> {
        Ok(self.caches.view(self.directory().config()))
    }

    fn credentials(&self) -> Result<Vec<CredentialView>, ServiceError> {
        Ok(self.credentials.all())
    }

    fn queue(&self) -> Result<Vec<QueueEntry>, ServiceError> {
        let mut rows = self.store.rows()?;
        rows.retain(|row| row.running.is_some() || row.waiting.is_some());
        rows.sort_by_key(|row| (row.running.is_none(), row.next_run().is_none(), row.next_run()));
        let running = rows.iter().filter_map(|row| Some(row.running?.run));
        let mut nodes = self.nodes_of(running);
        let entry = |row: Row| QueueEntry {
            node: row.running.and_then(|running| nodes.remove(&running.run)),
            run: row.running.map(|it| it.run).or(row.waiting.map(|it| it.run)),
            running: row.running.is_some(),
            requests: row.requests(),
            due: row.next_run(),
            mirror: row.member.key,
        };
        Ok(rows.into_iter().map(entry).collect())
    }
}

fn delivery(config: &Config, entry: DeliveryEntry) -> DeliveryView {
    let DeliveryEntry { number, record, asked } = entry;
    let endpoint = config.hooks.iter().find(|endpoint| endpoint.name == record.endpoint);
    DeliveryView {
        number,
        at: record.at,
        format: endpoint.map(|endpoint| endpoint.format.name.to_owned()).unwrap_or_default(),
        endpoint: record.endpoint,
        from: record.from,
        verdict: record.verdict,
        about: record.about,
        asked: asked.into_iter().map(|(mirror, run)| Asked { mirror, run }).collect(),
    }
}
