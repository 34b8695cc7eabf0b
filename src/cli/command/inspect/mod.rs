//! `inspect`: what we read of a repository, to find out what is strange about one.
//!
//! One file for each thing that can be shown. Each makes a value that is told as text or as JSON;
//! bytes are escaped alike in both, so that a terminal shows them and obeys nothing.

mod bundle;
mod changeset;
mod delta_chain;
mod file;
mod manifest;
mod repository;
mod revision;

use std::path::PathBuf;

use serde::Serialize;

use super::{Outcome, interrupted_by_signals};
use crate::base::faults;
use crate::cli::args::{InspectCommand, ShowArgs, SourceAt};
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::source::Opened;
use crate::cli::ui::Ui;
use crate::convert::ConvertOptions;
use crate::hg::Repository;
use crate::hg::bundle::BundleError;
use crate::hg::revlog::RevlogError;

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
enum InspectError {
    /// What was asked for is damaged.
    #[error("read from the repository {}", source_path.display())]
    Read {
        source_path: PathBuf,
        #[source]
        source: RevlogError,
    },
    /// A bundle is damaged, or of a kind that we do not read.
    #[error("show {}", file.display())]
    Bundle {
        file: PathBuf,
        #[source]
        source: BundleError,
    },
    /// Nothing has this name.
    #[error("find {what} {name:?}: there is none")]
    NotFound { what: &'static str, name: String },
    /// More than one node begins like this.
    #[error("find changeset {name:?}: more than one node begins so")]
    Ambiguous { name: String },
}

faults!(InspectError {
    Self::Read { source, .. } => of(source).at(Source),
    Self::Bundle { source, .. } => of(source).at(Source),
    Self::NotFound { .. } | Self::Ambiguous { .. } => Config.at(Source),
});

/// What can be shown.
trait Shown: Serialize {
    /// It as lines of text, without anything that a terminal obeys.
    fn lines(&self) -> Vec<String>;
}

pub(super) fn run(command: &InspectCommand, ui: &Ui) -> Outcome {
    match command {
        InspectCommand::Bundle(args) => bundle::run(args, ui),
        InspectCommand::Changeset(args) => changeset::run(args, ui),
        InspectCommand::Manifest(args) => manifest::run(args, ui),
        InspectCommand::File(args) => file::run(args, ui),
        InspectCommand::DeltaChain(args) => delta_chain::run(args, ui),
        InspectCommand::Repository(args) => repository::run(args, ui),
    }
}

/// Prints what was found.
fn show(ui: &Ui, found: &impl Shown, how: ShowArgs) -> u8 {
    if how.json {
        // Plain structures of numbers and text always have a JSON form.
        ui.result(&serde_json::to_string_pretty(found).unwrap_or_default());
    } else {
        found.lines().iter().for_each(|line| ui.result(line));
    }
    exit::OK
}

/// The repository that `source` names.
fn open(source: &SourceAt, ui: &Ui) -> Result<Opened, Failure> {
    let interrupt = interrupted_by_signals(ui)?;
    Ok(source.way.open(&source.written, &ConvertOptions::default(), ui, &interrupt)?)
}

/// An error of a revlog of `repository`.
fn damaged(repository: &Repository) -> impl Fn(RevlogError) -> InspectError {
    |source| InspectError::Read { source_path: repository.path().to_owned(), source }
}
