//! The sign of each state: a shape of its own, so that no state is told by its colour alone.

use maud::{Markup, PreEscaped, html};

use crate::service::view::MirrorState;

/// What a sign says apart from its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Somebody should look.
    Bad,
    /// It may need a look.
    Warn,
    /// Something is going on.
    Active,
    /// Nothing is to be said.
    Calm,
    /// All is well.
    Good,
}

impl Tone {
    /// The class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Active => "active",
            Self::Calm => "calm",
            Self::Good => "good",
        }
    }

    /// Its colour where there is no style sheet: dark enough for white text on it.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Bad => "#b3261e",
            Self::Warn => "#8a5300",
            Self::Active => "#0b57d0",
            Self::Calm => "#57606a",
            Self::Good => "#1a7f37",
        }
    }
}

/// How a state is shown.
pub(super) struct Sign {
    /// The word.
    pub(super) word: &'static str,
    /// What it means, in a sentence.
    pub(super) meaning: &'static str,
    pub(super) tone: Tone,
    /// The shape, in a square of 16.
    shape: &'static str,
}

/// The sign of a state.
pub(super) fn sign(state: MirrorState) -> &'static Sign {
    match state {
        MirrorState::Parked => &Sign {
            word: "Parked",
            meaning: "It failed, and somebody has to do something: trying again at once does not help.",
            tone: Tone::Bad,
            shape: "M5 1h6l4 4v6l-4 4H5l-4-4V5zM7 4v5h2V4zM7 10.5v2h2v-2z",
        },
        MirrorState::Failing => &Sign {
            word: "Failing",
            meaning: "The last run failed. It is tried again.",
            tone: Tone::Bad,
            shape: "M8 1l7.5 14H.5zM7 6v4.500h2V6zM7 11.500v2h2v-2z",
        },
        MirrorState::Partial => &Sign {
            word: "Partial",
            meaning: "The target refused refs, which are named with the reason. All others are up to date.",
            tone: Tone::Warn,
            shape: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 2a5 5 0 0 1 0 10z",
        },
        MirrorState::Stale => &Sign {
            word: "Stale",
            meaning: "It had no success for longer than its limit.",
            tone: Tone::Warn,
            shape: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm-1 3h2v3.600l2.700 2.700-1.400 1.400L7 8.400z",
        },
        MirrorState::Paused => &Sign {
            word: "Paused",
            meaning: "Somebody paused it. Requests are kept until it goes on.",
            tone: Tone::Calm,
            shape: "M3 2h4v12H3zM9 2h4v12H9z",
        },
        MirrorState::Running => &Sign {
            word: "Running",
            meaning: "A run is under way.",
            tone: Tone::Active,
            shape: "M3 1.500l11 6.500-11 6.500z",
        },
        MirrorState::Queued => &Sign {
            word: "Queued",
            meaning: "A run waits.",
            tone: Tone::Active,
            shape: "M1 6h4v4H1zM6 6h4v4H6zM11 6h4v4h-4z",
        },
        MirrorState::New => &Sign {
            word: "New",
            meaning: "It was never run.",
            tone: Tone::Calm,
            shape: "M7 1h2v6h6v2H9v6H7V9H1V7h6z",
        },
        MirrorState::Good => &Sign {
            word: "Good",
            meaning: "The target has what the source had when we last looked.",
            tone: Tone::Good,
            shape: "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm-1.200 10.300L3.500 8l1.400-1.400 1.900 1.900 4.300-4.300 1.400 1.400z",
        },
    }
}

impl Sign {
    /// The shape, to stand before its word.
    pub(super) fn icon(&self) -> Markup {
        html! {
            svg class={ "icon " (self.tone.class()) } width="16" height="16" viewBox="0 0 16 16"
                aria-hidden="true" focusable="false" {
                path fill="currentColor" fill-rule="evenodd" d=(self.shape) {}
            }
        }
    }

    /// The shape as a file of its own.
    pub(super) fn file(&self) -> String {
        let path = html! {
            svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" {
                rect width="16" height="16" rx="3" fill="#fff" {}
                path fill=(self.tone.colour()) fill-rule="evenodd" d=(self.shape) {}
            }
        };
        let PreEscaped(text) = path;
        text
    }
}
