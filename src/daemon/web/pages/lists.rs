//! The hooks that arrived, and what runs and waits.

use maud::{Markup, html};

use super::layout::{Page, page};
use super::nodes::nodes;
use super::parts::{
    cell, head, list, mirror_link, next_page, run_link, state, text, time, time_or,
};
use super::words::{count, number, verdict};
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::icon::sign;
use crate::daemon::web::paging::{self, PAGE, with_query};
use crate::daemon::web::problem::Problem;
use crate::queue::model::Verdict;
use crate::service::view::{DeliveryView, MirrorState, QueueEntry};

const DELIVERY: [&str; 6] =
    ["Arrived", "Endpoint", "From", "What became of it", "About", "Asked for"];
const QUEUE: [&str; 5] = ["Mirror", "State", "Requests", "May begin", "Run"];

pub(in crate::daemon::web) fn deliveries(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let before: Option<i64> = paging::number(visit.request, "before")?;
    let mut deliveries = visit.service().deliveries(before, PAGE + 1)?;
    let has_more = deliveries.len() > PAGE;
    deliveries.truncate(PAGE);
    let overview = visit.service().overview()?;
    let next = deliveries
        .last()
        .filter(|_| has_more)
        .map(|last| with_query("/deliveries", &[("before", Some(&last.number.to_string()))]));
    let rows = html! { @for delivery in &deliveries { (delivery_row(visit, delivery)) } };
    let main = html! {
        h1 { "Deliveries" }
        p { "The hooks that arrived, the newest first. Each is only a hint to look at a source." }
        @if deliveries.is_empty() {
            p { "None." }
        } @else {
            (list("deliveries", &count(deliveries.len() as u64, "delivery", "deliveries"), &DELIVERY, &rows))
        }
        (next_page("Pages of this list", next.as_deref(), before.map(|_| "/deliveries")))
    };
    let page_of_deliveries = Page {
        title: "Deliveries".to_owned(),
        state: super::layout::worst(&overview),
        path: "/deliveries",
        // Of an older page nothing changes.
        events: before.is_none().then(|| "/api/v1/events".to_owned()),
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_deliveries))
}

fn delivery_row(visit: &Visit<'_>, delivery: &DeliveryView) -> Markup {
    let shown = match delivery.verdict {
        Verdict::Accepted => MirrorState::Good,
        Verdict::Repeated | Verdict::Ignored => MirrorState::Paused,
        Verdict::Unverified | Verdict::Malformed => MirrorState::Parked,
        Verdict::Unmatched => MirrorState::Partial,
    };
    let shown = sign(shown);
    let endpoint = html! {
        (text(&delivery.endpoint))
        @if !delivery.format.is_empty() { span class="detail" { (text(&delivery.format)) } }
    };
    let became = html! {
        span class={ "state " (shown.tone.class()) } { (shown.icon()) " " (verdict(delivery.verdict)) }
    };
    let asked = html! {
        @for asked in &delivery.asked {
            span class="detail" { (mirror_link(&asked.mirror)) ", " (run_link(asked.run)) }
        }
    };
    let [_, endpoint_column, from, _, about, asked_for] = DELIVERY;
    html! {
        tr role="row" id={ "delivery-" (delivery.number) } {
            (head(&time(visit.now, delivery.at)))
            (cell(endpoint_column, &endpoint))
            (cell(from, &text(&delivery.from)))
            (cell("", &became))
            (cell(about, &text(&delivery.about)))
            (cell(asked_for, &asked))
        }
    }
}

pub(in crate::daemon::web) fn queue(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let queue = visit.service().queue()?;
    let overview = visit.service().overview()?;
    let (running, waiting): (Vec<_>, Vec<_>) = queue.iter().partition(|entry| entry.running);
    let headline = format!("{} running, {} waiting", running.len(), waiting.len());
    let lines: Vec<_> = running.into_iter().chain(waiting).collect();
    let rows = html! { @for entry in lines.iter().take(PAGE) { (queue_row(visit, entry)) } };
    let main = html! {
        h1 { "Queue" }
        p {
            "What runs, and what waits in the order in which it is due. However often a mirror is "
            "asked for, at most one run of it waits."
        }
        @if lines.is_empty() {
            p { "Nothing runs, and nothing waits." }
        } @else {
            (list("queue", &headline, &QUEUE, &rows))
            @if lines.len() > PAGE {
                p { (number((lines.len() - PAGE) as u64)) " more are not shown." }
            }
        }
        (nodes(visit, &overview))
    };
    let page_of_queue = Page {
        title: format!("{headline} · Queue"),
        state: super::layout::worst(&overview),
        path: "/queue",
        events: Some("/api/v1/events".to_owned()),
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_queue))
}

fn queue_row(visit: &Visit<'_>, entry: &QueueEntry) -> Markup {
    let shown = if entry.running { MirrorState::Running } else { MirrorState::Queued };
    let due = html! {
        @if !entry.running { (time_or(visit.now, entry.due, "when it is asked for")) }
    };
    let run = html! {
        @if let Some(run) = entry.run { (run_link(run)) }
        @if let Some(node) = &entry.node { span class="detail" { "on " (text(node)) } }
    };
    let [_, _, requests, begin, run_column] = QUEUE;
    html! {
        tr role="row" {
            (head(&mirror_link(&entry.mirror)))
            (cell("", &state(shown)))
            (cell(requests, &html! { (number(entry.requests)) }))
            (cell(begin, &due))
            (cell(run_column, &run))
        }
    }
}
