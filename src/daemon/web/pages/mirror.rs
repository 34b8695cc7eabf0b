//! One mirror.

use maud::{Markup, html};

use super::chart::{self, Part};
use super::layout::{Page, page};
use super::parts::{
    failure, form, lag, name, progress, run as run_state, run_link, state, table, text, time,
    time_or, took,
};
use super::words::{capital, cause, count, number, ref_result, short};
use crate::base::text::megabytes;
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::feed::{feed_path, public_url};
use crate::daemon::web::icon::sign;
use crate::daemon::web::paging::{escape, mirror_path, with_query};
use crate::daemon::web::problem::Problem;
use crate::daemon::web::routes::Need;
use crate::service::view::{
    MirrorDetail, MirrorState, MirrorSummary, RefView, RunSummary, ServiceError, Setting,
};

/// A credential that ends within so many days is to be replaced.
const SOON: i64 = 14;
/// How many refs a page shows.
const REFS: usize = 200;

pub(in crate::daemon::web) fn mirror(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let Some(mirror) = visit.service().mirror(visit.name)? else {
        return Err(ServiceError::NoMirror { name: visit.name.to_owned() }.into());
    };
    let overview = visit.service().overview()?;
    let summary = &mirror.summary;
    let main = html! {
        h1 { (text(&summary.name)) }
        (how_it_is(visit, summary))
        (buttons(visit, summary))
        (facts(visit, &mirror))
        h2 { "Runs" }
        (chart::durations(&mirror.runs))
        (runs(visit, &mirror.runs))
        h2 { "Refs at the target" }
        (refs(&mirror.refs))
        h2 { "Configuration" }
        (configuration(&mirror.configuration))
        h2 { "Badge and feed" }
        (badge(visit, &mirror))
    };
    let word = sign(summary.state).word;
    let feed = feed_path(&summary.name);
    let page_of_mirror = Page {
        title: format!("{word}: {}", name(&summary.name)),
        state: summary.state,
        feed: &feed,
        events: Some(with_query("/api/v1/events", &[("mirror", Some(&summary.name))])),
        announce: format!("{}: {word}", name(&summary.name)),
        main,
        ..Page::default()
    };
    Ok(page(visit, &overview, &page_of_mirror))
}

fn how_it_is(visit: &Visit<'_>, mirror: &MirrorSummary) -> Markup {
    html! {
        p class="lead" {
            (state(mirror.state)) ". " (sign(mirror.state).meaning)
            @if let Some(since) = mirror.since { " This began " (time(visit.now, since)) "." }
            @if mirror.paused && mirror.state != MirrorState::Paused { " It is paused, too." }
        }
        @if let Some(why) = &mirror.failure { (failure(why)) }
        @if let Some(waits) = mirror.waits_for() { p { strong { (capital(&waits)) "." } } }
        @if mirror.failures > 1 {
            p { (count(mirror.failures.into(), "run", "runs")) " failed in a row." }
        }
        @if let Some(run) = mirror.running {
            p {
                @if let Some(shown) = &mirror.progress { (progress(shown)) " " }
                (run_link(run)) " is under way."
            }
        }
    }
}

fn buttons(visit: &Visit<'_>, mirror: &MirrorSummary) -> Markup {
    let path = mirror_path(&mirror.name);
    let (may_trigger, may_all) = (visit.visitor.may(Need::Trigger), visit.visitor.may(Need::Admin));
    if !visit.visitor.has_session() || !may_trigger {
        let login = with_query("/login", &[("next", Some(&path))]);
        return html! {
            p { a href=(login) { "Log in" } " with a token for it to sync, pause or try again." }
        };
    }
    html! {
        div class="buttons" {
            @if mirror.state == MirrorState::Parked {
                (form(visit, &format!("{path}/retry"), "Try again"))
            }
            (form(visit, &format!("{path}/sync"), "Sync now"))
            @if may_all {
                @if mirror.paused {
                    (form(visit, &format!("{path}/resume"), "Resume"))
                } @else {
                    (form(visit, &format!("{path}/pause"), "Pause"))
                }
            }
        }
    }
}

fn facts(visit: &Visit<'_>, detail: &MirrorDetail) -> Markup {
    let (now, mirror) = (visit.now, &detail.summary);
    html! {
        dl class="facts" {
            div class="whole" { dt { "Source" } dd { (text(&mirror.source)) } }
            div class="whole" {
                dt { "Target" }
                dd {
                    @match &mirror.target {
                        Some(target) => (text(target)),
                        None => "none: commits are kept here, and not published",
                    }
                }
            }
            @if !mirror.owner.is_empty() { div { dt { "Owner" } dd { (text(&mirror.owner)) } } }
            div { dt { "Last tried" } dd { (time_or(now, mirror.last_tried, "never")) } }
            div { dt { "Last good" } dd { (time_or(now, mirror.last_good, "never")) } }
            div {
                dt { "Last change at the source" }
                dd { (time_or(now, mirror.last_change, "not known")) }
            }
            div { dt { "The target is behind by" } dd { (lag(mirror.lag)) } }
            div { dt { "Due next" } dd { (time_or(now, mirror.due, "not planned")) } }
            @if let Some(bytes) = detail.cache_bytes {
                div { dt { "The cache takes" } dd { (megabytes(bytes)) } }
            }
            @for credential in &detail.credentials {
                div {
                    dt { "Credential" }
                    dd {
                        (text(&credential.name))
                        @if credential.ends <= now {
                            " ended " (time(now, credential.ends)) ". Replace it."
                        } @else {
                            " ends " (time(now, credential.ends))
                            @if credential.ends.days_from(now) < SOON { ". Replace it before." }
                        }
                    }
                }
            }
        }
    }
}

/// The refs of a target, or those that a run changed.
pub(super) fn refs(refs: &[RefView]) -> Markup {
    if refs.is_empty() {
        return html! { p { "None." } };
    }
    let caption = match refs.len() > REFS {
        true => format!("The first {REFS} of {}", count(refs.len() as u64, "ref", "refs")),
        false => count(refs.len() as u64, "ref", "refs"),
    };
    let commit = |id: Option<&String>| {
        let none = html! { "none" };
        id.map_or(none, |id| html! { code title=(id) { (short(id)) } })
    };
    let is_same = |entry: &RefView| entry.refused.is_none() && entry.old == entry.new;
    let rows = html! {
        @for entry in refs.iter().take(REFS) {
            tr {
                th scope="row" { code { (text(&entry.name)) } }
                td {
                    @match &entry.refused {
                        Some(reason) => {
                            span class="state bad" {
                                (sign(MirrorState::Failing).icon()) " " (ref_result(entry))
                            }
                            ": " (text(reason))
                        }
                        None if is_same(entry) => span class="quiet" { (ref_result(entry)) },
                        None => (ref_result(entry)),
                    }
                }
                td { @if !is_same(entry) { (commit(entry.old.as_ref())) } }
                td { (commit(entry.new.as_ref())) }
            }
        }
    };
    table("refs", &caption, &["Ref", "Result", "Before", "Now"], &rows)
}

fn runs(visit: &Visit<'_>, runs: &[RunSummary]) -> Markup {
    if runs.is_empty() {
        return html! { p { "It was never run." } };
    }
    let rows = html! {
        @for run in runs {
            tr {
                th scope="row" {
                    (run_link(run.id))
                    @if let Some(node) = &run.node { span class="detail" { "on " (text(node)) } }
                }
                td {
                    (run_state(run.state))
                    @if let Some(why) = &run.failure {
                        span class="detail short" { (text(&why.message)) }
                    }
                }
                td { (cause(run.cause)) }
                td { (time_or(visit.now, run.started, "not yet")) }
                td { @if let Some(millis) = chart::took(run) { (took(millis)) } }
                @for part in Part::ALL {
                    @let millis = chart::millis(&run.phases, part);
                    td { @if millis > 0 { (took(millis)) } }
                }
                td { (number(run.converted)) }
                td { (number(run.changed)) }
                td { (number(run.refused)) }
            }
        }
    };
    let [fetch, convert, verify, publish] = Part::ALL.map(Part::word);
    let columns = [
        "Run",
        "Result",
        "Asked for by",
        "Began",
        "Took",
        fetch,
        convert,
        verify,
        publish,
        "Changesets converted",
        "Refs changed",
        "Refs refused",
    ];
    let caption = match runs.len() {
        1 => "One run".to_owned(),
        many => format!("The last {many} runs"),
    };
    table("runs", &caption, &columns, &rows)
}

fn configuration(settings: &[Setting]) -> Markup {
    let rows = html! {
        @for setting in settings {
            tr {
                th scope="row" { code { (text(&setting.key)) } }
                td { code { (text(&setting.value)) } }
            }
        }
    };
    table("configuration", "What is configured, without secrets", &["Key", "Value"], &rows)
}

fn badge(visit: &Visit<'_>, mirror: &MirrorDetail) -> Markup {
    let url = public_url(visit);
    let escaped = escape(&mirror.summary.name);
    let path = format!("/badge/{escaped}.svg");
    let page = format!("{url}{}", mirror_path(&mirror.summary.name));
    html! {
        p { img src=(path) alt={ "mirror: " (sign(mirror.summary.state).word.to_lowercase()) } height="20"; }
        p { "For a README: " code { "[![mirror](" (url) (path) ")](" (page) ")" } }
        p {
            "Also as " a href={ "/badge/" (escaped) ".json" } { "JSON" } " and as "
            a href={ "/badge/" (escaped) ".txt" } { "text" } ". Failures and recoveries as an "
            a href=(feed_path(&mirror.summary.name)) { "Atom feed" } "."
        }
    }
}
