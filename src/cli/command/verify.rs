//! `verify`: does the Git repository hold what the Mercurial one does?

use std::path::{Path, PathBuf};

use super::report::count;
use super::{Outcome, interrupted_by_signals};
use crate::base::{Fault, HasFault, Interrupt};
use crate::cli::args::VerifyArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::convert::{self, ConvertOptions, VerifyError, VerifyReport};

/// Source and target cannot be compared.
#[derive(Debug, thiserror::Error)]
#[error("compare {} with {}", from.display(), to.display())]
pub(super) struct VerifyCommandError {
    from: PathBuf,
    to: PathBuf,
    #[source]
    source: VerifyError,
}

impl HasFault for VerifyCommandError {
    fn fault(&self) -> Fault {
        self.source.fault()
    }

    fn hint(&self) -> Option<String> {
        self.source.hint()
    }
}

pub(super) fn run(args: &VerifyArgs, ui: &Ui) -> Outcome {
    let interrupt = interrupted_by_signals()?;
    let report = compare(&args.source, &args.target, &args.conversion.options()?, ui, &interrupt)?;
    for difference in &report.differences {
        ui.result(difference);
    }
    ui.say(&summary(&report));
    Ok(if report.differences.is_empty() { exit::OK } else { exit::DIFFERENCES })
}

/// Compares everything that `source` serves with what `target`, made with `options`, holds.
pub(super) fn compare(
    source: &Path,
    target: &Path,
    options: &ConvertOptions,
    ui: &Ui,
    interrupt: &Interrupt,
) -> Result<VerifyReport, VerifyCommandError> {
    convert::verify(source, target, options, ui, interrupt).map_err(|error| VerifyCommandError {
        from: source.to_owned(),
        to: target.to_owned(),
        source: error,
    })
}

/// What was compared, and what came out.
pub(super) fn summary(report: &VerifyReport) -> String {
    let found = match report.differences.len() {
        0 => "no difference".to_owned(),
        n => count(n as u64, "difference", "differences"),
    };
    let compared = count(report.changesets, "changeset", "changesets");
    format!("{compared}, {}: {found}", count(report.objects, "object", "objects"))
}
