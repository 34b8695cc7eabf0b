//! The commands that ask the daemon which runs on this machine: `status`, `queue`, `runs`, `deliveries`, `pause`,
//! `resume`, `retry`, and `sync --daemon`.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::{Outcome, config};
use crate::base::clean::clean;
use crate::base::faults;
use crate::base::time::Timestamp;
use crate::cli::args::{DaemonArgs, ListArgs, NamedArgs, RetryArgs, RunsArgs, StatusArgs};
use crate::cli::client::{Client, ClientError};
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::queue::model::{Receipt, RunId, RunState};
use crate::service::view::{
    DeliveryView, FailureView, MirrorDetail, MirrorList, MirrorState, MirrorSummary, Overview,
    QueueEntry, RunDetail, RunSummary,
};

/// What may stand in a segment of a path as it is.
const PLAIN: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// How long the daemon waits for a run before it is asked once more.
const WAIT: Duration = Duration::from_secs(20);

/// A sync that was followed and did not end well.
#[derive(Debug, thiserror::Error)]
#[error("sync the mirror {mirror}: {}", failure.message)]
struct FollowedError {
    mirror: String,
    failure: FailureView,
}

faults!(FollowedError {
    Self { failure, .. } => {
        Diagnosis { hint: failure.hint.clone(), ..failure.fault.at(failure.side) }
    },
});

pub(super) fn client(args: &DaemonArgs) -> Result<Client, Failure> {
    if let Some(socket) = &args.socket {
        return Ok(Client::at(socket));
    }
    let options = config::load(&args.config.config)?.daemon;
    options.socket.as_deref().map(Client::at).ok_or_else(|| NoSocket.into())
}

/// The daemon has no admin socket.
#[derive(Debug, thiserror::Error)]
#[error("reach the daemon: the configuration gives it no socket")]
struct NoSocket;

faults!(NoSocket => Config.hint("set `socket` in [daemon]"));

pub(super) fn path_of(mirror: &str) -> String {
    format!("/api/v1/mirrors/{}", utf8_percent_encode(mirror, &PLAIN))
}

pub(super) fn status(args: &StatusArgs, ui: &Ui) -> Outcome {
    let client = client(&args.daemon)?;
    if let Some(name) = &args.mirror {
        if args.json {
            ui.result(client.text(&path_of(name))?.trim_end());
        } else {
            show(&client.get(&path_of(name))?, &client.get("/api/v1/overview")?, ui);
        }
        return Ok(exit::OK);
    }
    let all = "/api/v1/mirrors?count=1000";
    if args.json {
        ui.result(client.text(all)?.trim_end());
        return Ok(exit::OK);
    }
    let overview: Overview = client.get("/api/v1/overview")?;
    let mut table = Table::new(["MIRROR", "STATE", "LAST GOOD", "NEXT", ""]);
    let mut page: MirrorList = client.get(all)?;
    loop {
        for mirror in &page.mirrors {
            if !args.trouble || is_trouble(mirror.state) {
                table.row(row(mirror, overview.now));
            }
        }
        let Some(next) = page.next else { break };
        let after = utf8_percent_encode(&next, &PLAIN);
        page = client.get(&format!("{all}&after={after}"))?;
    }
    for line in table.lines() {
        ui.result(&line);
    }
    if overview.nodes.len() > 1 || overview.no_worker {
        ui.result("");
        super::nodes::list(&overview, ui);
    }
    if overview.no_worker {
        ui.result("nothing is synced: no daemon is there whose role is \"work\" or \"all\"");
    }
    if let Some(trouble) = &overview.trouble {
        let message = clean(&trouble.message);
        ui.result(&format!("hooks are refused, and nothing begins: failed to {message}"));
    }
    ui.say(&format!("{} running, {} waiting", overview.running, overview.waiting));
    Ok(exit::OK)
}

fn is_trouble(state: MirrorState) -> bool {
    matches!(
        state,
        MirrorState::Parked | MirrorState::Failing | MirrorState::Partial | MirrorState::Stale
    )
}

fn row(mirror: &MirrorSummary, now: Timestamp) -> [String; 5] {
    let failure = mirror.failure.as_ref();
    let problem = failure.map(|it| format!("{}: {}", it.side.name(), clean(&it.message)));
    [
        clean(&mirror.name),
        state_of(mirror),
        mirror.last_good.map_or_else(|| "never".to_owned(), |at| ago(at, now)),
        mirror.due.map_or_else(|| "-".to_owned(), |at| until(at, now)),
        problem.or_else(|| mirror.waits_for()).unwrap_or_default(),
    ]
}

fn state_of(mirror: &MirrorSummary) -> String {
    match mirror.paused && mirror.state != MirrorState::Paused {
        true => format!("{}, paused", mirror.state.name()),
        false => mirror.state.name().to_owned(),
    }
}

/// How long ago something was.
pub(super) fn ago(at: Timestamp, now: Timestamp) -> String {
    format!("{} ago", length(now.since(at)))
}

/// How soon something is.
fn until(at: Timestamp, now: Timestamp) -> String {
    if at <= now { "now".to_owned() } else { format!("in {}", length(at.since(now))) }
}

fn length(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn show(mirror: &MirrorDetail, overview: &Overview, ui: &Ui) {
    let now = overview.now;
    let MirrorDetail { summary, refs, runs, .. } = mirror;
    let line = |name: &str, value: &str| ui.result(&format!("{name:<12} {}", clean(value)));
    line("mirror", &summary.name);
    line("state", &state_of(summary));
    if let Some(failure) = &summary.failure {
        line("problem", &format!("{}: {}", failure.side.name(), failure.message));
        if let Some(hint) = &failure.hint {
            line("hint", hint);
        }
    }
    if !summary.nodes.is_empty() {
        line("nodes", &summary.nodes.join(", "));
    }
    if let Some(waits) = summary.waits_for() {
        line("waits", &waits);
    }
    line("source", &summary.source);
    if let Some(target) = &summary.target {
        line("target", target);
    }
    let time = |at: Option<Timestamp>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{at} ({})", ago(at, now)))
    };
    line("last tried", &time(summary.last_tried));
    line("last good", &time(summary.last_good));
    line("last change", &time(summary.last_change));
    line("next", &summary.due.map_or_else(|| "-".to_owned(), |at| until(at, now)));
    let refused: Vec<_> = refs.iter().filter(|entry| entry.refused.is_some()).collect();
    line("refs", &format!("{}, {} of them refused", refs.len(), refused.len()));
    for entry in refused {
        let reason = entry.refused.as_deref().unwrap_or_default();
        line("  refused", &format!("{}: {reason}", entry.name));
    }
    for run in runs.iter().take(5) {
        line("run", &sentence(run, now));
    }
}

/// What a run was, on one line.
fn sentence(run: &RunSummary, now: Timestamp) -> String {
    let when = ago(run.ended.or(run.started).unwrap_or(run.asked), now);
    let mut text = format!("{} {}, {when}", run.id, run.state.name());
    if let Some(node) = &run.node {
        text += &format!(", on {node}");
    }
    if run.state == RunState::Done || run.state == RunState::Partial {
        text += &format!(", {} converted, {} refs changed", run.converted, run.changed);
    }
    if let Some(failure) = &run.failure {
        text += &format!(": {}", failure.message);
    }
    text
}

pub(super) fn queue(args: &ListArgs, ui: &Ui) -> Outcome {
    #[derive(Deserialize)]
    struct Queue {
        queue: Vec<QueueEntry>,
    }
    let client = client(&args.daemon)?;
    let path = "/api/v1/queue";
    if args.json {
        ui.result(client.text(path)?.trim_end());
        return Ok(exit::OK);
    }
    let overview: Overview = client.get("/api/v1/overview")?;
    let Queue { queue } = client.get(path)?;
    let mut table = Table::new(["MIRROR", "STATE", "REQUESTS", "DUE", "RUN", ""]);
    for entry in queue {
        table.row([
            clean(&entry.mirror),
            if entry.running { "running" } else { "waiting" }.to_owned(),
            entry.requests.to_string(),
            entry.due.map_or_else(|| "-".to_owned(), |due| until(due, overview.now)),
            entry.run.map(|run| run.to_string()).unwrap_or_default(),
            entry.node.map(|node| format!("on {}", clean(&node))).unwrap_or_default(),
        ]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
    Ok(exit::OK)
}

pub(super) fn runs(args: &RunsArgs, ui: &Ui) -> Outcome {
    #[derive(Deserialize)]
    struct Runs {
        runs: Vec<RunSummary>,
    }
    let client = client(&args.list.daemon)?;
    let mirror = args.mirror.as_deref();
    let mirror = mirror.map(|name| format!("&mirror={}", utf8_percent_encode(name, &PLAIN)));
    let path = format!("/api/v1/runs?count={}{}", args.count, mirror.unwrap_or_default());
    if args.list.json {
        ui.result(client.text(&path)?.trim_end());
        return Ok(exit::OK);
    }
    let overview: Overview = client.get("/api/v1/overview")?;
    let Runs { runs } = client.get(&path)?;
    let mut table = Table::new(["RUN", "MIRROR", "STATE", "WHEN", "CONVERTED", "REFS", ""]);
    for run in runs {
        let when = run.ended.or(run.started).unwrap_or(run.asked);
        let failure = run.failure.as_ref();
        table.row([
            run.id.to_string(),
            clean(&run.mirror),
            run.state.name().to_owned(),
            ago(when, overview.now),
            run.converted.to_string(),
            run.changed.to_string(),
            failure.map(|it| clean(&it.message)).unwrap_or_default(),
        ]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
    Ok(exit::OK)
}

pub(super) fn deliveries(args: &ListArgs, ui: &Ui) -> Outcome {
    let client = client(&args.daemon)?;
    if args.json {
        ui.result(client.text(&path_of_deliveries(50))?.trim_end());
        return Ok(exit::OK);
    }
    let deliveries = last_deliveries(&client, 50)?;
    let mut table = Table::new(["WHEN", "ENDPOINT", "FROM", "VERDICT", "ABOUT", "MIRRORS"]);
    for delivery in deliveries {
        let mirrors: Vec<_> = delivery.asked.iter().map(|it| clean(&it.mirror)).collect();
        table.row([
            delivery.at.to_string(),
            clean(&delivery.endpoint),
            clean(&delivery.from),
            delivery.verdict.name().to_owned(),
            clean(&delivery.about),
            mirrors.join(", "),
        ]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
    Ok(exit::OK)
}

/// The last hooks that came to the daemon, the newest first.
pub(super) fn last_deliveries(
    client: &Client,
    count: usize,
) -> Result<Vec<DeliveryView>, ClientError> {
    #[derive(Deserialize)]
    struct Deliveries {
        deliveries: Vec<DeliveryView>,
    }
    let found: Deliveries = client.get(&path_of_deliveries(count))?;
    Ok(found.deliveries)
}

fn path_of_deliveries(count: usize) -> String {
    format!("/api/v1/deliveries?count={count}")
}

pub(super) fn pause(args: &NamedArgs, ui: &Ui) -> Outcome {
    for_each(args, "pause", "paused", ui)
}

pub(super) fn resume(args: &NamedArgs, ui: &Ui) -> Outcome {
    for_each(args, "resume", "goes on", ui)
}

fn for_each(args: &NamedArgs, action: &str, done: &str, ui: &Ui) -> Outcome {
    let client = client(&args.daemon)?;
    for mirror in &args.mirrors {
        client.post(&format!("{}/{action}", path_of(mirror)))?;
        ui.say(&format!("{}: {done}", clean(mirror)));
    }
    Ok(exit::OK)
}

pub(super) fn retry(args: &RetryArgs, ui: &Ui) -> Outcome {
    ask(&args.daemon, &args.mirrors, "retry", args.follow, ui)
}

/// Asks the daemon for a sync of each mirror; with `follow` waits for them.
pub(super) fn sync(daemon: &DaemonArgs, mirrors: &[String], follow: bool, ui: &Ui) -> Outcome {
    ask(daemon, mirrors, "sync", follow, ui)
}

fn ask(daemon: &DaemonArgs, mirrors: &[String], action: &str, follow: bool, ui: &Ui) -> Outcome {
    let client = client(daemon)?;
    let mut asked = Vec::new();
    for mirror in mirrors {
        let answer = client.post(&format!("{}/{action}", path_of(mirror)))?;
        let receipt: Receipt = serde_json::from_str(&answer)
            .map_err(|error| ClientError::Answer { problem: error.to_string() })?;
        if follow {
            asked.push(receipt);
        } else {
            ui.say(&format!("{}: asked for, run {}", clean(mirror), receipt.run));
        }
    }
    let mut outcome = exit::OK;
    for receipt in asked {
        let code = follow_run(&client, receipt.run, ui)?;
        if outcome == exit::OK {
            outcome = code;
        }
    }
    Ok(outcome)
}

/// Waits until a run is over, and says what came of it.
pub(super) fn follow_run(client: &Client, id: RunId, ui: &Ui) -> Result<u8, Failure> {
    let run = over(client, id)?;
    let RunDetail { summary, log, .. } = &run;
    for line in log {
        ui.say(&format!("{}: {}", line.severity.name(), clean(&line.text)));
    }
    let Some(failure) = &summary.failure else {
        ui.say(&format!(
            "{}: {}, {} of {} changesets converted, {} refs changed",
            clean(&summary.mirror),
            summary.state.name(),
            summary.converted,
            summary.changesets,
            summary.changed
        ));
        return Ok(exit::OK);
    };
    let mirror = clean(&summary.mirror);
    let failed = Failure::from(FollowedError { mirror, failure: failure.clone() });
    ui.error(&failed.text());
    Ok(exit::code(failed.fault()))
}

/// The run that answers, once it is over.
fn over(client: &Client, id: RunId) -> Result<RunDetail, ClientError> {
    let path = format!("/api/v1/runs/{id}?wait={}", WAIT.as_secs());
    loop {
        let run: RunDetail = client.wait(&path, WAIT)?;
        if run.summary.state.is_over() {
            return Ok(run);
        }
    }
}
