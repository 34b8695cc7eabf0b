//! The processes that share the queue, on the page of the queue.

use maud::{Markup, html};

use super::parts::{cell, head, list, mirror_link, run_link, text, time};
use super::words::{count, number};
use crate::base::text::megabytes;
use crate::daemon::web::Visit;
use crate::daemon::web::icon::sign;
use crate::service::view::{MirrorState, NodeState, NodeView, Overview};

const COLUMNS: [&str; 6] = ["Node", "State", "Last heard of", "Version", "Free for caches", "Runs"];
/// So many runs of each are shown.
const RUNS: usize = 10;

/// A list of them where there is more than one.
pub(super) fn nodes(visit: &Visit<'_>, overview: &Overview) -> Markup {
    let nodes = &overview.nodes;
    if nodes.len() < 2 && !overview.no_worker {
        return html! {};
    }
    let rows = html! { @for node in nodes { (row(visit, node)) } };
    html! {
        h2 { "Nodes" }
        p {
            "The daemons that share this queue, by their machines. What a lost one had begun is done again elsewhere \
             once its claims have run out."
        }
        (list("nodes", &count(nodes.len() as u64, "node", "nodes"), &COLUMNS, &rows))
    }
}

/// How a node is, by shape, word and colour.
fn state(state: NodeState) -> Markup {
    let (like, word) = match state {
        NodeState::Working => (MirrorState::Good, "Working"),
        NodeState::Draining => (MirrorState::Paused, "Draining"),
        NodeState::Lost => (MirrorState::Failing, "Lost"),
    };
    let sign = sign(like);
    html! { span class={ "state " (sign.tone.class()) } { (sign.icon()) " " (word) } }
}

fn row(visit: &Visit<'_>, node: &NodeView) -> Markup {
    let name = html! {
        (text(&node.name))
        span class="detail" {
            code { (node.id.get(..8).unwrap_or(&node.id)) }
            ", role " (text(&node.role))
            @if node.here { ", this one" }
        }
    };
    let more = node.runs.len().saturating_sub(RUNS);
    let runs = html! {
        @for run in node.runs.iter().take(RUNS) {
            span class="detail" { (mirror_link(&run.mirror)) ", " (run_link(run.run)) }
        }
        @if more > 0 { span class="detail" { (number(more as u64)) " more" } }
        @if node.runs.is_empty() { "none" }
    };
    let free = node.free.map_or_else(|| "not known".to_owned(), megabytes);
    let [_, _, heard, version, free_column, runs_column] = COLUMNS;
    html! {
        tr role="row" {
            (head(&name))
            (cell("", &state(node.state)))
            (cell(heard, &time(visit.now, node.beat)))
            (cell(version, &text(&node.version)))
            (cell(free_column, &html! { (free) }))
            (cell(runs_column, &runs))
        }
    }
}
