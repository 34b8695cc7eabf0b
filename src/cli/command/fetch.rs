//! `fetch`: a plain Mercurial clone without a working copy, made or brought up to date.

use std::path::PathBuf;

use super::report::count;
use super::{Outcome, interrupted_by_signals};
use crate::base::{Limits, faults};
use crate::cli::args::FetchArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::hg::pull::{self, Copy, PullError};

/// Nothing was fetched, or not all.
#[derive(Debug, thiserror::Error)]
#[error("fetch {from} into {}", to.display())]
struct FetchCommandError {
    from: String,
    to: PathBuf,
    #[source]
    source: PullError,
}

faults!(FetchCommandError { Self { source, .. } => of(source) });

pub(super) fn run(args: &FetchArgs, ui: &Ui) -> Outcome {
    let source = args.source.way.source(&args.source.written)?;
    let interrupt = interrupted_by_signals(ui)?;
    let limits = Limits::default();
    let copy = Copy::at(&args.directory, &limits);
    let pulled = pull::pull(&source, &copy, &limits, ui, &interrupt).map_err(|error| {
        FetchCommandError { from: source.to_string(), to: args.directory.clone(), source: error }
    })?;
    let fetched = count(pulled.changesets, "new changeset", "new changesets");
    ui.say(&format!("{}: {fetched}", args.directory.display()));
    for note in &pulled.notes {
        ui.say(&format!("  note: {note}"));
    }
    if pulled.gone > 0 {
        let gone = count(pulled.gone, "changeset", "changesets");
        ui.say(&format!("  note: the source does not show {gone} that are here"));
    }
    Ok(exit::OK)
}
