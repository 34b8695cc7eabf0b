//! What a conversion works on, as data.

use super::placeholder::Placeholders;
use super::{IdMap, Rules};
use crate::base::{Interrupt, Progress};
use crate::hg::manifest::Manifests;
use crate::hg::{Changelog, Repository, Rev};

/// What a conversion works on.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The source's changelog.
    pub changelog: &'a Changelog,
    /// The source's manifests.
    pub manifests: &'a Manifests,
    /// Where the source's filelogs are.
    pub filelogs: &'a Repository,
    /// The changesets to convert, in revision order. Each parent is among them, or in `map`.
    pub changesets: &'a [Rev],
    /// Once so many changes of single files are planned, the rest is left to another conversion.
    pub most_edits: usize,
    /// What is converted already.
    pub map: &'a IdMap,
    /// What decides commits.
    pub rules: &'a Rules,
    /// The placeholders of earlier runs.
    pub placeholders: &'a Placeholders,
    /// Whether damaged file revisions become placeholders, and do not end the run.
    pub skip_damaged: bool,
    /// How many threads convert files.
    pub threads: usize,
    /// Hears how far we are.
    pub progress: &'a dyn Progress,
    /// Asks us to stop.
    pub interrupt: &'a Interrupt,
}
