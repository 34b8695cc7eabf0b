//! The engine: a pure function of a source, rules and what is converted already.

use super::blobs::convert_files;
use super::commits::convert_changesets;
use super::damage::{Broken, BrokenFile};
use super::idmap::Record;
use super::input::Input;
use super::placeholder::Placeholder;
use super::planner::plan;
use super::survey::{broken_files, survey};
use super::{ConvertError, LeftOut};
use crate::base::Stage;
use crate::git::ObjectId;
use crate::git::sink::ObjectSink;
use crate::git::tree::TreeSource;

/// What a conversion made.
#[derive(Clone, Debug, Default)]
pub struct Conversion {
    /// Each changeset that was converted with its commit, in the order of the input.
    pub records: Vec<Record>,
    /// The tree of each, in the same order.
    pub trees: Vec<ObjectId>,
    /// What has no place in Git.
    pub left_out: Vec<LeftOut>,
    /// The placeholders that this run made, by path.
    pub placeholders: Vec<Placeholder>,
    /// Why it made them.
    pub broken: Broken<BrokenFile>,
}

/// Converts the changesets of `input`, or the first of them if their changes are too many, and hands all new objects to `sink`; `existing` has those of
/// what is converted already. Nothing is visible until the caller makes it so.
pub fn convert(
    input: &Input<'_>,
    existing: &dyn TreeSource,
    sink: &dyn ObjectSink,
) -> Result<Conversion, ConvertError> {
    let progress = input.progress;
    progress.begin(Stage::ReadingManifests, Some(input.changesets.len() as u64));
    let plan = plan(input, existing).map_err(|error| explain(input, error))?;
    progress.end();
    let planned = input.changesets.get(..plan.trees.len()).unwrap_or(input.changesets);
    let input = &Input { changesets: planned, ..*input };
    let changesets = Some(planned.len() as u64);
    progress.begin(Stage::ConvertingFiles, Some(plan.files.len() as u64));
    let mut files = convert_files(input, &plan, sink)?;
    progress.end();
    progress.begin(Stage::WritingCommits, changesets);
    let (records, trees) = convert_changesets(input, &plan, &files, existing, sink)?;
    progress.end();
    let broken = broken_files(input, &plan, std::mem::take(&mut files.broken));
    let left_out = plan.left_out.into_list();
    Ok(Conversion { records, trees, left_out, placeholders: files.placeholders, broken })
}

/// Looks for all that is broken in the history, once one thing is.
fn explain(input: &Input<'_>, error: ConvertError) -> ConvertError {
    match error {
        ConvertError::History(_) | ConvertError::NoManifest { .. } => match survey(input) {
            Ok(broken) if broken.count > 0 => ConvertError::Changesets(broken),
            Ok(_) => error,
            Err(interrupted) => interrupted,
        },
        other => other,
    }
}
