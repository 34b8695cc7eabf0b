//! The commands, one file for each: options in, calls to the layers below, words out.

mod adopt;
mod authors;
mod config;
mod convert;
mod demo;
mod fetch;
mod inspect;
mod plan;
mod report;
mod serve;
mod sync;
mod verify;

use std::sync::Arc;

use crate::base::{Interrupt, Progress};
use crate::cli::args::CommandArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::daemon::{SyncFailure, Syncer, signals};
use crate::git::init::{self, GitSettings};
use crate::mirror;

/// An exit code, or what went wrong.
type Outcome = Result<u8, Failure>;

/// Does what was typed.
pub(super) fn run(command: CommandArgs, ui: &Ui) -> Outcome {
    init::init(&GitSettings::default())?;
    match command {
        CommandArgs::Serve(args) => serve::run(&args),
        CommandArgs::Sync(args) => sync::run(&args, ui),
        CommandArgs::Plan(args) => plan::run(&args, ui),
        CommandArgs::Convert(args) => convert::run(&args, ui),
        CommandArgs::Fetch(args) => fetch::run(&args, ui),
        CommandArgs::Adopt(args) => adopt::run(&args, ui),
        CommandArgs::Verify(args) => verify::run(&args, ui),
        CommandArgs::Inspect(command) => inspect::run(&command, ui),
        CommandArgs::Authors(args) => authors::run(&args, ui),
        CommandArgs::Demo(args) => demo::run(&args, ui),
        CommandArgs::Config(args) => config::run(args, ui),
    }
}

/// A flag that SIGINT and SIGTERM raise, so that work ends at its next safe place. A second one
/// ends the program at once, which is safe too, only slower to go on from.
fn interrupted_by_signals() -> Result<Interrupt, Failure> {
    let interrupt = Interrupt::default();
    signals::raise_on_signal(&interrupt, || {
        std::process::exit(i32::from(exit::INTERRUPTED));
    })?;
    Ok(interrupt)
}

/// What the daemon calls to sync a mirror.
fn syncer(progress: impl Progress + Send + 'static) -> Syncer {
    Arc::new(move |options, interrupt| {
        mirror::sync(options, &progress, interrupt)
            .map_err(|error| -> SyncFailure { Box::new(error) })
    })
}
