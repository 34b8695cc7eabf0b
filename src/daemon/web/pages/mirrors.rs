//! The list of all mirrors.

use maud::{Markup, html};

use super::layout::{Page, headline, page, worst};
use super::parts::{lag, mirror_link, next_page, progress, run_link, state, table, text, time_or};
use super::words::{amount, count, number, side};
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::api;
use crate::daemon::web::icon::sign;
use crate::daemon::web::paging::{PAGE, with_query};
use crate::daemon::web::problem::Problem;
use crate::service::view::{MirrorFilter, MirrorList, MirrorState, MirrorSummary, Overview};

const COLUMNS: [&str; 6] =
    ["Mirror", "State", "Last tried", "Last good", "Last change at the source", "Behind"];

pub(in crate::daemon::web) fn mirrors(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let filter = api::filter(visit, PAGE)?;
    let overview = visit.service().overview()?;
    let list = visit.service().mirrors(&filter)?;
    let main = html! {
        h1 { "Mirrors" }
        p { (headline(&overview)) ". " (now(&overview)) }
        (states(&overview, &filter))
        (search(&filter))
        (found(visit, &filter, &list))
    };
    let announce = headline(&overview);
    let page_of_list = Page {
        title: format!("{announce} · Mirrors"),
        state: worst(&overview),
        path: "/",
        events: Some("/api/v1/events".to_owned()),
        announce,
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_list))
}

/// What is going on.
fn now(overview: &Overview) -> String {
    let running = count(overview.running as u64, "run is", "runs are");
    let waiting = count(overview.waiting as u64, "mirror waits", "mirrors wait");
    let oldest = match overview.oldest_due_millis {
        Some(millis) if overview.waiting > 0 => {
            format!(", the longest for {}", amount(millis / 1000))
        }
        _ => String::new(),
    };
    format!("{running} under way; {waiting}{oldest}.")
}

/// The address of the list with a filter.
fn address(filter: &MirrorFilter, state: Option<MirrorState>, after: Option<&str>) -> String {
    let parameters = [
        ("state", state.map(MirrorState::name)),
        ("owner", filter.owner.as_deref()),
        ("q", filter.text.as_deref()),
        ("after", after),
    ];
    with_query("/", &parameters)
}

/// How many mirrors are in each state, each a filter.
fn states(overview: &Overview, filter: &MirrorFilter) -> Markup {
    let all: usize = overview.states.iter().map(|it| it.mirrors).sum();
    let current = |state| (filter.state == state).then_some("true");
    html! {
        nav class="states" aria-label="Mirrors by state" {
            ul {
                li {
                    a href=(address(filter, None, None)) aria-current=[current(None)] {
                        "All " span class="count" { (number(all as u64)) }
                    }
                }
                @for count in overview.states.iter().filter(|it| it.mirrors > 0) {
                    li {
                        a href=(address(filter, Some(count.state), None))
                            aria-current=[current(Some(count.state))] {
                            (sign(count.state).icon()) " " (sign(count.state).word) " "
                            span class="count" { (number(count.mirrors as u64)) }
                        }
                    }
                }
            }
        }
    }
}

fn search(filter: &MirrorFilter) -> Markup {
    html! {
        form role="search" action="/" method="get" class="search" {
            @if let Some(state) = filter.state {
                input type="hidden" name="state" value=(state.name());
            }
            p {
                label for="q" { "Name or address" }
                input type="search" id="q" name="q" value=[filter.text.as_ref()];
            }
            p {
                label for="owner" { "Owner" }
                input type="text" id="owner" name="owner" value=[filter.owner.as_ref()];
            }
            p { button type="submit" { "Search" } }
            @if filter.text.is_some() || filter.owner.is_some() || filter.state.is_some() {
                p { a href="/" { "Show all" } }
            }
        }
    }
}

fn found(visit: &Visit<'_>, filter: &MirrorFilter, list: &MirrorList) -> Markup {
    let is_filtered = filter.state.is_some() || filter.text.is_some() || filter.owner.is_some();
    let first = filter.after.is_some().then(|| address(filter, filter.state, None));
    let next = list.next.as_deref().map(|next| address(filter, filter.state, Some(next)));
    if list.mirrors.is_empty() {
        return html! {
            @if is_filtered || filter.after.is_some() {
                p { "No mirror fits. " a href="/" { "Show all mirrors" } }
            } @else {
                p {
                    "No mirror is configured yet. Add a section " code { "[mirrors.NAME]" }
                    " to the configuration, and let the service read it again."
                }
            }
        };
    }
    let caption = match list.found > list.mirrors.len() {
        true => format!(
            "{} of {}",
            number(list.mirrors.len() as u64),
            count(list.found as u64, "mirror", "mirrors")
        ),
        false => count(list.found as u64, "mirror", "mirrors"),
    };
    let rows = html! { @for mirror in &list.mirrors { (row(visit, mirror)) } };
    html! {
        (table("list", &caption, &COLUMNS, &rows))
        (next_page(next, first.as_deref()))
    }
}

fn row(visit: &Visit<'_>, mirror: &MirrorSummary) -> Markup {
    let now = visit.now;
    html! {
        tr id={ "mirror-" (crate::daemon::web::answer::short_hash(mirror.name.as_bytes())) } {
            th scope="row" {
                (mirror_link(&mirror.name))
                span class="detail" { (text(&mirror.source)) }
                span class="detail" {
                    @match &mirror.target {
                        Some(target) => { "to " (text(target)) }
                        None => "kept here, not published",
                    }
                }
                @if !mirror.owner.is_empty() {
                    span class="detail" {
                        "owner: "
                        a href=(with_query("/", &[("owner", Some(&mirror.owner))])) {
                            (text(&mirror.owner))
                        }
                    }
                }
            }
            td {
                (state(mirror.state))
                @if mirror.paused && mirror.state != MirrorState::Paused { " (paused)" }
                @if let Some(failure) = &mirror.failure {
                    span class="detail" { (side(failure.side)) ": " (text(&failure.message)) }
                }
                @if mirror.failures > 1 {
                    span class="detail" { (mirror.failures) " times in a row" }
                }
                @if let Some(shown) = &mirror.progress { (progress(shown)) }
                @if let Some(run) = mirror.running { " " (run_link(run)) }
            }
            td { (time_or(now, mirror.last_tried, "never")) }
            td { (time_or(now, mirror.last_good, "never")) }
            td { (time_or(now, mirror.last_change, "not known")) }
            td { (lag(mirror.lag)) }
        }
    }
}
