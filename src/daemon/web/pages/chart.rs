//! How long the last runs took, and what they did in that time, as bars. The table beside it has the same
//! numbers.

use maud::{Markup, html};
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use super::words::duration;
use crate::base::Stage;
use crate::service::view::{PhaseView, RunSummary};

/// The height of the longest bar, and how far bars are apart, in pixels.
const HEIGHT: u64 = 100;
const STEP: usize = 14;
/// How wide the chart is at least, in bars.
const BARS: usize = 50;

/// The parts of a run that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Fetch,
    Convert,
    Verify,
    Publish,
}

impl Part {
    pub(super) const ALL: [Self; 4] = [Self::Fetch, Self::Convert, Self::Verify, Self::Publish];

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fetch => "Fetch",
            Self::Convert => "Convert",
            Self::Verify => "Verify",
            Self::Publish => "Publish",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Fetch => "fetch",
            Self::Convert => "convert",
            Self::Verify => "verify",
            Self::Publish => "publish",
        }
    }

    fn of(stage: Stage) -> Self {
        match stage {
            Stage::CollectingRevisions
            | Stage::TakingCache
            | Stage::CopyingFiles
            | Stage::CheckingFiles
            | Stage::AddingChangesets
            | Stage::AddingManifests
            | Stage::AddingFiles
            | Stage::ReadingFiles => Self::Fetch,
            Stage::CheckingCache
            | Stage::MatchingCommits
            | Stage::ReadingManifests
            | Stage::ConvertingFiles
            | Stage::WritingCommits => Self::Convert,
            Stage::VerifyingPack
            | Stage::VerifyingManifests
            | Stage::VerifyingFiles
            | Stage::VerifyingCommits
            | Stage::ReadingPacks
            | Stage::ReadingObjects
            | Stage::ComparingCommits => Self::Verify,
            Stage::ListingRefs
            | Stage::CopyingPacks
            | Stage::PackingObjects
            | Stage::CountingObjects
            | Stage::CompressingObjects
            | Stage::SendingObjects
            | Stage::FetchingObjects
            | Stage::WaitingToPush => Self::Publish,
        }
    }
}

/// The stage with this name; `None` for one of another version.
pub(super) fn stage(name: &str) -> Option<Stage> {
    let name: StrDeserializer<'_, Error> = name.into_deserializer();
    serde::Deserialize::deserialize(name).ok()
}

/// How long a run was at a part, in milliseconds.
pub(super) fn millis(phases: &[PhaseView], part: Part) -> u64 {
    let of_part =
        phases.iter().filter(|it| stage(&it.stage).is_some_and(|it| Part::of(it) == part));
    of_part.map(|it| it.millis).sum()
}

/// How long a run took, in milliseconds.
pub(super) fn took(run: &RunSummary) -> Option<u64> {
    let took = run.ended?.since(run.started?);
    u64::try_from(took.as_millis()).ok()
}

/// The runs from the oldest to the newest, as bars.
pub(super) fn durations(runs: &[RunSummary]) -> Markup {
    let over: Vec<_> = runs.iter().rev().filter_map(|run| Some((run, took(run)?))).collect();
    let longest = over.iter().map(|(_, took)| *took).max().unwrap_or(0);
    if over.len() < 2 || longest == 0 {
        return html! {};
    }
    let width = over.len().max(BARS) * STEP;
    let label = format!(
        "How long the last {} runs took, the oldest first; the longest {}. The table of runs has \
         the same numbers.",
        over.len(),
        duration(longest)
    );
    html! {
        figure {
            svg class="chart" role="img" viewBox={ "0 0 " (width) " " (HEIGHT + 2) }
                aria-label=(label) preserveAspectRatio="xMinYMax meet" {
                @for (at, (run, took)) in over.iter().enumerate() {
                    (bar(at * STEP, run, *took, longest))
                }
                path class="base" d={ "M0 " (HEIGHT + 2) "H" (width) } {}
            }
            figcaption {
                "The last runs, the oldest on the left; the highest took " (duration(longest)) ". "
                @for part in Part::ALL {
                    span class="key" {
                        svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true" {
                            rect class=(part.class()) width="10" height="10" {}
                        }
                        " " (part.word()) " "
                    }
                }
                span class="key" {
                    svg width="10" height="10" viewBox="0 0 10 10" aria-hidden="true" {
                        rect class="other" width="10" height="10" {}
                    }
                    " Other"
                }
            }
        }
    }
}

fn bar(x: usize, run: &RunSummary, took: u64, longest: u64) -> Markup {
    let scaled = |millis: u64| millis.saturating_mul(HEIGHT) / longest.max(1);
    let parts = Part::ALL.map(|part| (part.class(), millis(&run.phases, part)));
    let known: u64 = parts.iter().map(|(_, millis)| millis).sum();
    let other = ("other", took.saturating_sub(known));
    // Every run is to be seen, however short it was.
    let mut below = HEIGHT + 2;
    html! {
        g {
            title { (run.asked) ": " (duration(took)) }
            rect class="other" x=(x) y=(HEIGHT) width=(STEP - 3) height="2" {}
            @for (class, millis) in parts.into_iter().chain([other]) {
                @let height = scaled(millis).min(below);
                @if height > 0 {
                    ({ below -= height; "" })
                    rect class=(class) x=(x) y=(below) width=(STEP - 3) height=(height) {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_known_by_their_names() {
        for known in Stage::ALL {
            let name = serde_json::to_value(known).unwrap();
            assert_eq!(stage(name.as_str().unwrap()), Some(*known));
        }
        assert_eq!(stage("painting"), None);
        let phase = |stage: &str, millis| PhaseView {
            stage: stage.to_owned(),
            title: String::new(),
            done: 0,
            millis,
        };
        let phases = [phase("adding_files", 5), phase("adding_manifests", 7), phase("?", 9)];
        assert_eq!(millis(&phases, Part::Fetch), 12);
        assert_eq!(millis(&phases, Part::Publish), 0);
    }
}
