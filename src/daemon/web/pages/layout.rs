//! What all pages share: head, navigation, the banner of a service that has stopped moving, foot.

use std::time::Duration;

use maud::{DOCTYPE, Markup, html};

use super::parts::{form, time};
use super::words::{number, relative};
use crate::daemon::web::Visit;
use crate::daemon::web::answer::Answer;
use crate::daemon::web::assets;
use crate::daemon::web::problem::Problem;
use crate::service::view::{MirrorState, Overview};

/// A schedule that has not moved for so long is told.
const STILL: Duration = Duration::from_mins(1);

/// The pages that all others name.
const NAVIGATION: [(&str, &str); 5] = [
    ("/", "Mirrors"),
    ("/queue", "Queue"),
    ("/deliveries", "Deliveries"),
    ("/api", "API"),
    ("/about", "About"),
];

/// One page.
pub(super) struct Page<'a> {
    /// What the title of the window says, the state first.
    pub(super) title: String,
    /// The state that the icon of the window shows.
    pub(super) state: MirrorState,
    /// The page of the navigation that it is.
    pub(super) path: &'static str,
    /// The address of its feed.
    pub(super) feed: &'a str,
    /// What the script follows; without it the page stays as it is.
    pub(super) events: Option<String>,
    /// What is read aloud when it changes.
    pub(super) announce: String,
    pub(super) main: Markup,
}

impl Default for Page<'_> {
    fn default() -> Self {
        Self {
            title: String::new(),
            state: MirrorState::Good,
            path: "",
            feed: "/feed.atom",
            events: None,
            announce: String::new(),
            main: html! {},
        }
    }
}

/// A page that shows how the service is, too.
pub(super) fn page(visit: &Visit<'_>, overview: &Overview, page: &Page<'_>) -> Answer {
    let header = html! {
        @if visit.visitor.has_session() {
            (form(visit, "/logout", "Log out"))
        } @else {
            a href="/login" { "Log in" }
        }
    };
    let still = visit.now.since(overview.beat);
    let banner = html! {
        @if still > STILL {
            p class="banner bad" {
                strong { "Out of date. " }
                "The schedule last moved " (relative(visit.now, overview.beat))
                ". New syncs may not start, and what is shown here may not be true any more. \
                 The log of the service says more."
            }
        }
        @if let Some(trouble) = &overview.trouble {
            p class="banner bad" {
                strong { "Hooks are refused, and nothing begins. " }
                "Failed to " (trouble.message) "."
                @if let Some(hint) = &trouble.hint { " What to do: " (hint) "." }
            }
        }
        @if overview.no_worker {
            p class="banner bad" {
                strong { "Nothing is synced. " }
                "No daemon is there that syncs: hooks are taken, and what is due waits. "
                "Start one with the role “work” or “all”."
            }
        }
        @if overview.stopping {
            p class="banner warn" {
                strong { "Stopping. " }
                "The service finishes what runs, and takes nothing new."
            }
        }
    };
    let foot = html! {
        p {
            "As of " time datetime=(visit.now.rfc3339()) { (visit.now) } ". The schedule last moved "
            (time(visit.now, overview.beat)) ". synchroniser " (overview.version)
        }
        @if page.events.is_some() {
            p { button type="button" id="pause" hidden { "Pause updates" } }
        }
    };
    let revision = visit.state.events.last();
    Answer::html(document(page, revision, &header, &banner, &foot))
}

/// A page that says nothing of mirrors.
pub(super) fn plain(page: &Page<'_>) -> Markup {
    document(page, 0, &html! {}, &html! {}, &html! {})
}

/// What went wrong, as a page.
pub(in crate::daemon::web) fn problem(problem: &Problem) -> Markup {
    let main = html! {
        h1 { (problem.title()) }
        p { (problem.detail) }
        p { a href="/" { "All mirrors" } }
    };
    let title = problem.title().to_owned();
    plain(&Page { title, state: MirrorState::Failing, main, ..Page::default() })
}

fn document(
    page: &Page<'_>,
    revision: u64,
    header: &Markup,
    banner: &Markup,
    foot: &Markup,
) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-revision=(revision) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · synchroniser" }
                link rel="icon" type="image/svg+xml" href=(assets::icon_path(page.state));
                link rel="stylesheet" href=(assets::path("style.css"));
                link rel="alternate" type="application/atom+xml" title="Failures and recoveries"
                    href=(page.feed);
                @if page.events.is_some() {
                    script src=(assets::path("live.js")) defer {}
                }
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header {
                    p class="brand" { (mark()) " synchroniser" }
                    nav aria-label="Pages" {
                        ul {
                            @for (path, name) in NAVIGATION {
                                li {
                                    a href=(path) aria-current=[(path == page.path).then_some("page")] {
                                        (name)
                                    }
                                }
                            }
                        }
                    }
                    (header)
                }
                main id="main" tabindex="-1" data-events=[page.events.as_ref()]
                    data-announce=(page.announce) {
                    (banner)
                    (page.main)
                }
                footer { (foot) }
                p id="said" role="status" {}
            }
        }
    }
}

/// The sign of the program: one thing follows another.
fn mark() -> Markup {
    html! {
        svg class="mark" width="20" height="20" viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            path fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"
                stroke-linejoin="round" d="M2 6a6 6 0 0 1 11-2M13 1v3h-3M14 10a6 6 0 0 1-11 2M3 15v-3h3" {}
        }
    }
}

/// How the service is, in a few words: what is in trouble, and what runs.
pub(super) fn headline(overview: &Overview) -> String {
    let troubles = [
        (MirrorState::Parked, "parked"),
        (MirrorState::Failing, "failing"),
        (MirrorState::Partial, "partial"),
        (MirrorState::Stale, "stale"),
    ];
    let counted = troubles.iter().filter_map(|(state, word)| {
        let count = overview.states.iter().find(|it| it.state == *state)?.mirrors as u64;
        (count > 0).then(|| format!("{} {word}", number(count)))
    });
    let counted: Vec<_> = counted.collect();
    match counted.is_empty() {
        true => "No mirror in trouble".to_owned(),
        false => counted.join(", "),
    }
}

/// The state that most needs a look.
pub(super) fn worst(overview: &Overview) -> MirrorState {
    let states = overview.states.iter().filter(|it| it.mirrors > 0).map(|it| it.state);
    states.filter(|state| state.is_trouble()).min().unwrap_or(MirrorState::Good)
}
