//! `verify`: does the Git repository hold what the Mercurial one does?

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::report::{ShownDifference, ShownNote, count, note_line};
use super::{Outcome, config, interrupted_by_signals, sync};
use crate::base::{Interrupt, faults};
use crate::cli::args::VerifyArgs;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::source::SourceArgs;
use crate::cli::ui::Ui;
use crate::config::TypedError;
use crate::convert::{ConvertOptions, VerifyReport, VerifySelection};
use crate::mirror::{self, CacheLocation, Mirror, Note, PublishRules, SyncError};

/// Source and target cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("compare {} with {}", from.display(), to.display())]
pub(super) struct VerifyCommandError {
    from: PathBuf,
    to: PathBuf,
    #[source]
    source: CompareError,
}

/// Why they cannot.
#[derive(Debug, thiserror::Error)]
enum CompareError {
    /// The source is not an address.
    #[error(transparent)]
    Address(#[from] TypedError),
    /// They cannot be read.
    #[error(transparent)]
    Read(#[from] SyncError),
}

faults!(CompareError {
    Self::Address(error) => of(error).at(Source),
    Self::Read(error) => of(error),
});

/// A mirror cannot be verified.
#[derive(Debug, thiserror::Error)]
#[error("verify the mirror {name}")]
struct VerifyMirrorError {
    name: String,
    #[source]
    source: SyncError,
}

faults!(VerifyMirrorError { Self { source, .. } => of(source) });

faults!(VerifyCommandError { Self { source, .. } => of(source) });

pub(super) fn run(args: &VerifyArgs, ui: &Ui) -> Outcome {
    let interrupt = interrupted_by_signals(ui)?;
    let selection =
        VerifySelection { changesets: args.changeset.clone(), since: args.since.clone() };
    let report = if let Some(target) = &args.target {
        compare(&args.source, target, &selection, &args.conversion.options()?, ui, &interrupt)?
    } else {
        let config = config::load(&args.config.config)?;
        let name = args.source.display().to_string();
        let mirror = sync::ready(&*mirrors::named(&config, &name)?)?;
        mirror::verify(&mirror, &selection, ui, &interrupt)
            .map_err(|source| VerifyMirrorError { name, source })?
    };
    match args.json {
        // Strings and numbers only: nothing that JSON has no form for.
        true => ui.result(&serde_json::to_string_pretty(&Shown::of(&report)).unwrap_or_default()),
        false => say(ui, &report),
    }
    Ok(if report.differences.is_empty() { exit::OK } else { exit::DIFFERENCES })
}

/// What `--json` prints.
#[derive(Serialize)]
struct Shown {
    changesets: u64,
    objects: u64,
    differences: Vec<ShownDifference>,
    /// How many more there are.
    more: usize,
    notes: Vec<ShownNote>,
}

impl Shown {
    fn of(report: &VerifyReport) -> Self {
        let notes = report.notes.iter().cloned().map(Note::from);
        Self {
            changesets: report.changesets,
            objects: report.objects,
            differences: report.differences.iter().map(ShownDifference::of).collect(),
            more: report.more,
            notes: notes.map(|note| ShownNote::of(&note)).collect(),
        }
    }
}

/// What came out, a line for each thing that was found.
fn say(ui: &Ui, report: &VerifyReport) {
    for difference in &report.differences {
        ui.result(&difference.to_string());
    }
    if report.more > 0 {
        ui.result(&format!("and {} more", report.more));
    }
    for note in report.notes.iter().cloned().map(Note::from) {
        ui.say(&note_line(&note));
    }
    ui.say(&summary(report));
}

/// Compares what `source` serves with what `target`, made with `options`, holds.
pub(super) fn compare(
    source: &Path,
    target: &Path,
    selection: &VerifySelection,
    options: &ConvertOptions,
    ui: &Ui,
    interrupt: &Interrupt,
) -> Result<VerifyReport, VerifyCommandError> {
    let compared = || {
        let mirror = Mirror {
            name: target.display().to_string(),
            source: SourceArgs::default().source(source)?,
            cache: CacheLocation::Repository(target.to_owned()),
            target: None,
            forge: None,
            options: options.clone(),
            publish: PublishRules::default(),
        };
        Ok(mirror::verify(&mirror, selection, ui, interrupt)?)
    };
    compared().map_err(|error| VerifyCommandError {
        from: source.to_owned(),
        to: target.to_owned(),
        source: error,
    })
}

/// What was compared, and what came out.
pub(super) fn summary(report: &VerifyReport) -> String {
    let found = match report.differences.len() + report.more {
        0 => "no difference".to_owned(),
        n => count(n as u64, "difference", "differences"),
    };
    let compared = count(report.changesets, "changeset", "changesets");
    format!("{compared}, {}: {found}", count(report.objects, "object", "objects"))
}
