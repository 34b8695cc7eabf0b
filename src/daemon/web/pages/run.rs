//! One run.

use maud::{Markup, html};

use super::chart;
use super::layout::{Page, page};
use super::mirror::refs;
use super::parts::{
    failure, mirror_link, name, progress, run as run_state, run_sign, table, text, time, time_or,
    took,
};
use super::words::{self, cause, count, duration, number};
use crate::base::Severity;
use crate::base::time::Timestamp;
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::paging::with_query;
use crate::daemon::web::problem::Problem;
use crate::queue::model::RunState;
use crate::service::view::{ColdStart, LogLine, PhaseView, RunDetail, RunSummary};

pub(in crate::daemon::web) fn run(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let unknown = || Problem::not_found("No run has this id; old runs are forgotten.");
    let id = visit.name.parse().map_err(|_| unknown())?;
    let run = visit.service().run(id)?.ok_or_else(unknown)?;
    let overview = visit.service().overview()?;
    let summary = &run.summary;
    let word = words::run_state(summary.state);
    let mirror = name(&summary.mirror);
    let main = html! {
        h1 { "A run of " (text(&summary.mirror)) }
        p class="lead" { (run_state(summary.state)) ". " (words::run_meaning(summary.state)) }
        @if let Some(shown) = &run.progress { p { (progress(shown)) } }
        @if let Some(why) = &summary.failure { (failure(why)) }
        (facts(visit, summary))
        h2 { "Stages" }
        (stages(summary))
        h2 { "Refs" }
        (refs(&run.refs))
        @if run.more_refs > 0 { p { (count(run.more_refs, "ref is", "refs are")) " not shown." } }
        h2 { "Log" }
        (log(&run))
    };
    let is_over = summary.state.is_over();
    let events = || with_query("/api/v1/events", &[("mirror", Some(&summary.mirror))]);
    let page_of_run = Page {
        title: format!("{word}: a run of {mirror}"),
        state: run_sign(summary.state),
        events: (!is_over).then(events),
        announce: format!("Run of {mirror}: {word}"),
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_run))
}

fn facts(visit: &Visit<'_>, run: &RunSummary) -> Markup {
    let now = visit.now;
    html! {
        dl class="facts" {
            div { dt { "Mirror" } dd { (mirror_link(&run.mirror)) } }
            div {
                dt { "Asked for" }
                dd {
                    (time(now, run.asked)) ", by " (cause(run.cause))
                    @if run.requests > 1 { "; it answers " (number(run.requests)) " requests" }
                }
            }
            div {
                dt { "Began" }
                dd {
                    (time_or(now, run.started, "not yet"))
                    @if let Some(node) = &run.node { ", on " (text(node)) }
                }
            }
            div {
                dt { "Ended" }
                dd {
                    (time_or(now, run.ended, "not yet"))
                    @if let Some(took) = chart::took(run) { ", after " (duration(took)) }
                }
            }
            div {
                dt { "Changesets" }
                dd {
                    @if run.changesets > 0 || matches!(run.state, RunState::Done | RunState::Partial) {
                        (number(run.changesets)) " at the source, "
                    }
                    (number(run.converted)) " converted"
                }
            }
            div {
                dt { "Refs" }
                dd { (number(run.changed)) " changed, " (number(run.refused)) " refused" }
            }
            @if let Some(cold) = run.cold {
                div { dt { "Cache" } dd { (made_of(cold)) } }
            }
            div { dt { "Id" } dd { code { (run.id) } } }
        }
    }
}

/// Where a cache came from.
fn made_of(cold: ColdStart) -> &'static str {
    match cold {
        ColdStart::Source => "made from the source",
        ColdStart::Node => "taken from another daemon",
    }
}

fn stages(run: &RunSummary) -> Markup {
    if run.phases.is_empty() {
        return html! { p { "None yet." } };
    }
    let rows = html! {
        @for phase in &run.phases {
            tr {
                th scope="row" { (text(&phase.title)) }
                td { (done(phase)) }
                td { (took(phase.millis)) }
            }
        }
    };
    table("stages", "What it did, in this order", &["Stage", "Done", "Took"], &rows)
}

/// The time of day, to the second, UTC.
fn clock(at: Timestamp) -> String {
    let text = at.rfc3339();
    text.split('T').nth(1).and_then(|time| time.get(..8)).unwrap_or(&text).to_owned()
}

/// How much of what it did, as far as that is counted.
fn done(phase: &PhaseView) -> String {
    let unit = chart::stage(&phase.stage).map_or("", |stage| stage.unit().words());
    match phase.done {
        0 => String::new(),
        done => format!("{} {unit}", number(done)),
    }
}

fn log(run: &RunDetail) -> Markup {
    if run.log.is_empty() {
        return html! { p { "It had nothing to say." } };
    }
    let severity = |line: &LogLine| match line.severity {
        Severity::Note => ("calm", "note"),
        Severity::Warning => ("warn", "warning"),
        Severity::Error => ("bad", "error"),
    };
    html! {
        ol class="log" {
            @for line in &run.log {
                @let (tone, word) = severity(line);
                li {
                    time datetime=(line.at.rfc3339()) title=(line.at) { (clock(line.at)) } " "
                    span class={ "state " (tone) } { (word) } " " (text(&line.text))
                }
            }
        }
        @if run.more_lines > 0 {
            p { (count(run.more_lines, "more line was", "more lines were")) " not kept." }
        }
    }
}
