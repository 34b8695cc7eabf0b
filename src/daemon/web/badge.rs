//! Badges: the state of a mirror as a picture, as JSON for shields.io, and as a word.

use maud::html;
use serde_json::json;

use super::Visit;
use super::answer::Answer;
use super::icon::{Sign, sign};
use super::problem::Problem;
use crate::base::clean::clean_short;
use crate::service::view::{MirrorSummary, ServiceError};

type Answered = Result<Answer, Problem>;

/// The longest label, in characters.
const LABEL: usize = 60;
/// The width of a character at 11 pixels, in pixels: rather too wide than cut off.
const CHARACTER: usize = 7;

fn mirror(visit: &Visit<'_>) -> Result<MirrorSummary, Problem> {
    match visit.service().mirror(visit.name)? {
        Some(mirror) => Ok(mirror.summary),
        None => Err(ServiceError::NoMirror { name: visit.name.to_owned() }.into()),
    }
}

fn label(visit: &Visit<'_>) -> String {
    let label = visit.request.parameter("label").unwrap_or_else(|| "mirror".to_owned());
    clean_short(&label, LABEL)
}

/// The word on the right side, with how far behind the target is.
fn words(mirror: &MirrorSummary) -> String {
    let word = sign(mirror.state).word.to_lowercase();
    match mirror.lag {
        Some(lag) if lag > 0 => format!("{word}, {lag} behind"),
        _ => word,
    }
}

pub(super) fn svg(visit: &Visit<'_>) -> Answered {
    let mirror = mirror(visit)?;
    let picture = picture(&label(visit), &words(&mirror), sign(mirror.state));
    Ok(Answer::new("image/svg+xml", picture))
}

pub(super) fn json(visit: &Visit<'_>) -> Answered {
    let mirror = mirror(visit)?;
    let body = json!({
        "schemaVersion": 1,
        "label": label(visit),
        "message": words(&mirror),
        "color": sign(mirror.state).tone.colour(),
        "isError": matches!(sign(mirror.state).tone, super::icon::Tone::Bad),
    });
    Ok(Answer::new("application/json", body.to_string()))
}

pub(super) fn text(visit: &Visit<'_>) -> Answered {
    Ok(Answer::text(format!("{}\n", mirror(visit)?.state.name())))
}

fn picture(label: &str, words: &str, sign: &Sign) -> String {
    let width = |text: &str| text.chars().count() * CHARACTER + 12;
    let (left, right) = (width(label), width(words));
    let all = left + right;
    let picture = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(all) height="20" role="img"
            aria-label={ (label) ": " (words) } {
            title { (label) ": " (words) }
            rect width=(all) height="20" rx="3" fill="#3b4148" {}
            rect x=(left) width=(right) height="20" rx="3" fill=(sign.tone.colour()) {}
            rect x=(left) width="4" height="20" fill=(sign.tone.colour()) {}
            g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"
                text-anchor="middle" {
                text x=(left / 2) y="14" { (label) }
                text x=(left + right / 2) y="14" { (words) }
            }
        }
    };
    picture.into_string()
}
