//! Parts that several pages have.

use std::borrow::Cow;

use maud::{Markup, html};

use super::words::{count, duration, number, relative, run_state, side};
use crate::base::clean::visible;
use crate::base::time::Timestamp;
use crate::daemon::web::Visit;
use crate::daemon::web::icon::sign;
use crate::daemon::web::paging::{mirror_path, run_path};
use crate::queue::model::{RunId, RunState};
use crate::service::view::{FailureView, MirrorState, StageProgress};

/// A point in time: how long ago, and exactly for who points at it.
pub(super) fn time(now: Timestamp, then: Timestamp) -> Markup {
    html! { time datetime=(then.rfc3339()) title=(then) { (relative(now, then)) } }
}

/// A point in time, or a word for none.
pub(super) fn time_or(now: Timestamp, then: Option<Timestamp>, none: &str) -> Markup {
    then.map_or_else(|| html! { (none) }, |then| time(now, then))
}

/// A duration in milliseconds, on one line.
pub(super) fn took(millis: u64) -> Markup {
    html! { span class="one" { (duration(millis)) } }
}

/// A name or text from outside: what would steer the reading is made visible, and the direction of its
/// script does not reach what stands around it.
pub(super) fn text(text: &str) -> Markup {
    html! { bdi { (visible(text)) } }
}

/// The same for an attribute or a title.
pub(super) fn name(text: &str) -> Cow<'_, str> {
    visible(text)
}

/// A state by shape, word and colour.
pub(super) fn state(state: MirrorState) -> Markup {
    let sign = sign(state);
    html! {
        span class={ "state " (sign.tone.class()) } title=(sign.meaning) {
            (sign.icon()) " " (sign.word)
        }
    }
}

/// The sign that a run has.
pub(super) fn run_sign(state: RunState) -> MirrorState {
    match state {
        RunState::Queued => MirrorState::Queued,
        RunState::Running => MirrorState::Running,
        RunState::Done => MirrorState::Good,
        RunState::Partial => MirrorState::Partial,
        RunState::Failed => MirrorState::Failing,
        RunState::Interrupted => MirrorState::Paused,
    }
}

/// What has become of a run, by shape, word and colour.
pub(super) fn run(state: RunState) -> Markup {
    let sign = sign(run_sign(state));
    html! {
        span class={ "state " (sign.tone.class()) } { (sign.icon()) " " (run_state(state)) }
    }
}

pub(super) fn mirror_link(mirror: &str) -> Markup {
    html! { a href=(mirror_path(mirror)) { (text(mirror)) } }
}

pub(super) fn run_link(id: RunId) -> Markup {
    let id = id.to_string();
    html! { a class="one" href=(run_path(&id)) { "Run " (id.get(..8).unwrap_or(&id)) } }
}

/// Why something did not go well, and what to do.
pub(super) fn failure(failure: &FailureView) -> Markup {
    html! {
        div class="failure" {
            p {
                strong { "Failed " (side(failure.side)) ": " } (text(&failure.message))
                " " span class="quiet" { "(class: " (failure.fault.name()) ")" }
            }
            @if let Some(hint) = &failure.hint {
                p { strong { "What to do: " } (prose(hint)) }
            }
        }
    }
}

/// A text in which names are between backticks.
pub(super) fn prose(prose: &str) -> Markup {
    html! {
        @for (at, part) in prose.split('`').enumerate() {
            @match at % 2 {
                0 => (text(part)),
                _ => code { (text(part)) },
            }
        }
    }
}

/// How far a run is.
pub(super) fn progress(progress: &StageProgress) -> Markup {
    let StageProgress { stage, unit, done, total } = *progress;
    let label = stage.words();
    html! {
        span class="progress" {
            @match total {
                Some(total) if total > 0 => {
                    progress max=(total) value=(done.min(total)) aria-label=(label) {}
                    " " (label) ": " (number(done)) " of " (number(total)) " " (unit.words())
                }
                _ => {
                    progress aria-label=(label) {}
                    " " (label) @if done > 0 { ": " (number(done)) " " (unit.words()) }
                }
            }
        }
    }
}

/// How far the target is behind.
pub(super) fn lag(lag: Option<u64>) -> String {
    match lag {
        None => "not known".to_owned(),
        Some(0) => "nothing".to_owned(),
        Some(lag) => count(lag, "changeset", "changesets"),
    }
}

/// A table with its caption, in a region that can be scrolled by keyboard where it is too wide.
pub(super) fn table(id: &str, caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div class="wide" role="region" tabindex="0" aria-labelledby=(id) {
            table {
                caption id=(id) { (caption) }
                thead { tr { @for column in columns { th scope="col" { (column) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// The same, whose rows stand one below the other where there is no room beside one another. The roles say
/// what they are even then.
pub(super) fn list(id: &str, caption: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div class="wide list" role="region" tabindex="0" aria-labelledby=(id) {
            table role="table" {
                caption id=(id) { (caption) }
                thead role="rowgroup" {
                    tr role="row" {
                        @for column in columns { th scope="col" role="columnheader" { (column) } }
                    }
                }
                tbody role="rowgroup" { (rows) }
            }
        }
    }
}

/// What heads a row of such a list.
pub(super) fn head(content: &Markup) -> Markup {
    html! { th scope="row" role="rowheader" { (content) } }
}

/// A cell of such a list, with the name of its column for where that cannot be seen.
pub(super) fn cell(column: &str, content: &Markup) -> Markup {
    html! { td role="cell" data-column=(column) { (content) } }
}

/// A button that asks for something. Forms count only with the value of their session.
pub(super) fn form(visit: &Visit<'_>, action: &str, words: &str) -> Markup {
    html! {
        form method="post" action=(action) {
            @if let Some(value) = &visit.visitor.form { input type="hidden" name="form" value=(value); }
            button type="submit" { (words) }
        }
    }
}

/// The links to the page after this one and to the first.
pub(super) fn next_page(label: &str, path: Option<&str>, first: Option<&str>) -> Markup {
    html! {
        @if path.is_some() || first.is_some() {
            nav class="pages" aria-label=(label) {
                @if let Some(first) = first { a href=(first) { "First page" } " " }
                @if let Some(path) = path { a href=(path) rel="next" { "Next page" } }
            }
        }
    }
}
