//! The list of all mirrors.

use maud::{Markup, html};

use super::layout::{Page, headline, page, worst};
use super::parts::{
    cell, head, lag, list, mirror_link, next_page, progress, prose, run_link, state, text, time_or,
};
use super::words::{amount, capital, count, number, side};
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::api;
use crate::daemon::web::icon::sign;
use crate::daemon::web::paging::{PAGE, with_query};
use crate::daemon::web::problem::Problem;
use crate::service::view::{MirrorFilter, MirrorList, MirrorState, MirrorSummary, Overview};

const COLUMNS: [&str; 6] =
    ["Mirror", "State", "Last tried", "Last good", "Last change at the source", "Behind"];
/// So many mirrors in trouble are shown above all others.
const TROUBLES: usize = 5;

pub(in crate::daemon::web) fn mirrors(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let filter = api::filter(visit, PAGE)?;
    let overview = visit.service().overview()?;
    let list = visit.service().mirrors(&filter)?;
    let worst = worst(&overview);
    let is_all = filter == MirrorFilter { count: filter.count, ..MirrorFilter::default() };
    let troubles = if is_all && worst.is_trouble() {
        troubles(visit)?
    } else {
        html! {}
    };
    let main = html! {
        h1 { "Mirrors" }
        p class="lead" {
            strong class={ "state " (sign(worst).tone.class()) } {
                (sign(worst).icon()) " " (headline(&overview))
            }
            ". " (now(&overview))
        }
        (troubles)
        (states(&overview, &filter))
        (search(&filter))
        (found(visit, &filter, &list))
    };
    let announce = headline(&overview);
    let page_of_list = Page {
        title: format!("{announce} · Mirrors"),
        state: worst,
        path: "/",
        events: Some("/api/v1/events".to_owned()),
        announce,
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_list))
}

/// The mirrors that most need a look, with what to do about each.
fn troubles(visit: &Visit<'_>) -> Result<Markup, Problem> {
    let filter = MirrorFilter { trouble: true, count: TROUBLES, ..MirrorFilter::default() };
    let list = visit.service().mirrors(&filter)?;
    let more = list.found.saturating_sub(list.mirrors.len());
    Ok(html! {
        section class="troubles" aria-labelledby="troubles" {
            h2 id="troubles" { "Needs a look" }
            ul {
                @for mirror in &list.mirrors {
                    li class=(sign(mirror.state).tone.class()) { (trouble(visit, mirror)) }
                }
            }
            @if more > 0 { p { (count(more as u64, "more is", "more are")) " in the list below." } }
        }
    })
}

fn trouble(visit: &Visit<'_>, mirror: &MirrorSummary) -> Markup {
    html! {
        p {
            (state(mirror.state)) " " (mirror_link(&mirror.name))
            @if let Some(since) = mirror.since {
                span class="quiet" {
                    " for "
                    time datetime=(since.rfc3339()) title=(since) { (amount(visit.now.since(since).as_secs())) }
                }
            }
        }
        @match &mirror.failure {
            Some(failure) => {
                p { "Failed " (side(failure.side)) ": " (text(&failure.message)) }
                @if let Some(hint) = &failure.hint { p { strong { "What to do: " } (prose(hint)) } }
            }
            None => p { (sign(mirror.state).meaning) },
        }
    }
}

/// What is going on.
fn now(overview: &Overview) -> String {
    if overview.running == 0 && overview.waiting == 0 {
        return "Nothing runs, and nothing waits.".to_owned();
    }
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
        (next_page("Pages of this list", next.as_deref(), first.as_deref()))
        (self::list("list", &caption, &COLUMNS, &rows))
        (next_page("Pages of this list, again", next.as_deref(), first.as_deref()))
    }
}

fn row(visit: &Visit<'_>, mirror: &MirrorSummary) -> Markup {
    let now = visit.now;
    let [_, _, tried, good, change, behind] = COLUMNS;
    html! {
        tr role="row" id={ "mirror-" (crate::daemon::web::answer::short_hash(mirror.name.as_bytes())) } {
            (head(&what(mirror)))
            (cell("", &how(mirror)))
            (cell(tried, &time_or(now, mirror.last_tried, "never")))
            (cell(good, &time_or(now, mirror.last_good, "never")))
            (cell(change, &time_or(now, mirror.last_change, "not known")))
            (cell(behind, &html! { (lag(mirror.lag)) }))
        }
    }
}

/// What a mirror joins, and whose it is.
fn what(mirror: &MirrorSummary) -> Markup {
    html! {
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
                a href=(with_query("/", &[("owner", Some(&mirror.owner))])) { (text(&mirror.owner)) }
            }
        }
    }
}

/// How a mirror is, and what runs.
fn how(mirror: &MirrorSummary) -> Markup {
    html! {
        (state(mirror.state))
        @if mirror.paused && mirror.state != MirrorState::Paused { " (paused)" }
        @if let Some(failure) = &mirror.failure {
            span class="detail short" { (side(failure.side)) ": " (text(&failure.message)) }
        }
        @if let Some(waits) = mirror.waits_for() { span class="detail" { (capital(&waits)) } }
        @if mirror.failures > 1 {
            span class="detail" { (mirror.failures) " times in a row" }
        }
        @if let Some(shown) = &mirror.progress { (progress(shown)) }
        @if let Some(run) = mirror.running { " " (run_link(run)) }
    }
}
