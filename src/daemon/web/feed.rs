//! An Atom feed (RFC 4287) of failures and recoveries: the first run of a streak that failed, and the run
//! that ended the streak. What lies between is not told: nobody wants forty thousand of them.

use std::collections::HashMap;

use maud::{Markup, PreEscaped, html};

use super::Visit;
use super::answer::Answer;
use super::paging::{escape, mirror_path, run_path};
use super::problem::Problem;
use crate::base::Side;
use crate::base::clean::clean;
use crate::base::time::Timestamp;
use crate::queue::model::RunState;
use crate::service::view::{RunSummary, ServiceError};

/// How many runs are looked at.
const RUNS: usize = 1000;
/// How many entries there are at most.
const ENTRIES: usize = 100;

pub(super) fn all(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let runs = visit.service().runs(None, None, RUNS)?;
    Ok(feed(visit, &runs, "synchroniser: failures and recoveries", "/feed.atom", "/"))
}

pub(super) fn of_mirror(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let name = visit.name;
    if visit.service().mirror(name)?.is_none() {
        return Err(ServiceError::NoMirror { name: name.to_owned() }.into());
    }
    let runs = visit.service().runs(Some(name), None, RUNS)?;
    let title = format!("{}: failures and recoveries", clean(name));
    Ok(feed(visit, &runs, &title, &feed_path(name), &mirror_path(name)))
}

/// The path of the feed of a mirror.
pub(super) fn feed_path(mirror: &str) -> String {
    format!("/feed/{}.atom", escape(mirror))
}

/// The address under which a browser reaches us.
pub(super) fn public_url(visit: &Visit<'_>) -> String {
    if let Some(url) = visit.state.settings().public_url {
        return url.trim_end_matches('/').to_owned();
    }
    let scheme = if visit.request.is_loopback() { "http" } else { "https" };
    format!("{scheme}://{}", clean(visit.request.host()))
}

/// Those of `runs`, the newest first, that begin or end a streak of failures. Whether the oldest known
/// run of a mirror does is known only if there are no older ones.
fn turns(runs: &[RunSummary]) -> Vec<&RunSummary> {
    let is_all = runs.len() < RUNS;
    let mut well: HashMap<&str, bool> = HashMap::new();
    let mut turns = Vec::new();
    for run in runs.iter().rev() {
        let is_well = match run.state {
            RunState::Done => true,
            RunState::Partial | RunState::Failed => false,
            RunState::Queued | RunState::Running | RunState::Interrupted => continue,
        };
        let was_well = well.insert(&run.mirror, is_well);
        if was_well.map_or(is_all && !is_well, |was_well| was_well != is_well) {
            turns.push(run);
        }
    }
    turns.reverse();
    turns.truncate(ENTRIES);
    turns
}

fn feed(visit: &Visit<'_>, runs: &[RunSummary], title: &str, itself: &str, page: &str) -> Answer {
    let url = public_url(visit);
    let turns = turns(runs);
    let updated = turns.first().map_or(Timestamp::from_millis(0), |run| when(run));
    let markup = html! {
        (PreEscaped("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"))
        feed xmlns="http://www.w3.org/2005/Atom" {
            title { (title) }
            id { (url) (itself) }
            (link("self", &format!("{url}{itself}")))
            (link("alternate", &format!("{url}{page}")))
            updated { (updated.rfc3339()) }
            author { name { "synchroniser" } }
            @for run in turns { (entry(&url, run)) }
        }
    };
    Answer::new("application/atom+xml; charset=utf-8", markup.into_string())
}

/// A link, which maud would not close: to HTML it is an element without an end.
fn link(rel: &str, address: &str) -> Markup {
    let address = html! { (address) }.into_string();
    PreEscaped(format!("<link rel=\"{rel}\" href=\"{address}\"/>"))
}

fn when(run: &RunSummary) -> Timestamp {
    run.ended.unwrap_or(run.asked)
}

fn entry(url: &str, run: &RunSummary) -> Markup {
    let mirror = clean(&run.mirror);
    let title = match (run.state, &run.failure) {
        (RunState::Done, _) => format!("{mirror} has recovered"),
        (RunState::Partial, _) => format!("{mirror}: some refs were refused"),
        (_, Some(failure)) => match failure.side {
            Side::Source => format!("{mirror} failed at its source"),
            Side::Target => format!("{mirror} failed at its target"),
            Side::Here => format!("{mirror} failed on this machine"),
        },
        (_, None) => format!("{mirror} failed"),
    };
    html! {
        entry {
            title { (title) }
            id { "urn:synchroniser:run:" (run.id) }
            (link("alternate", &format!("{url}{}", run_path(run.id))))
            updated { (when(run).rfc3339()) }
            content type="text" {
                @match &run.failure {
                    Some(failure) => {
                        (clean(&failure.message))
                        @if let Some(hint) = &failure.hint { ". What to do: " (clean(hint)) }
                    }
                    None => {
                        (run.converted) " changesets converted, " (run.changed) " refs changed, "
                        (run.refused) " refused"
                    }
                }
            }
        }
    }
}
