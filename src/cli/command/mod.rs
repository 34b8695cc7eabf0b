//! The commands, one file for each: options in, calls to the layers below, words out.

mod config;
mod convert;
mod demo;
mod report;
mod serve;
mod sync;
mod verify;

use crate::base::Interrupt;
use crate::cli::args::CommandArgs;
use crate::cli::error::Failure;
use crate::cli::stub::daemon::signals;
use crate::cli::stub::git::init;
use crate::cli::ui::Ui;

/// An exit code, or what went wrong.
type Outcome = Result<u8, Failure>;

/// Does what was typed.
pub(super) fn run(command: CommandArgs, ui: &Ui) -> Outcome {
    init::ensure()?;
    match command {
        CommandArgs::Serve(args) => serve::run(&args),
        CommandArgs::Sync(args) => sync::run(&args, ui),
        CommandArgs::Convert(args) => convert::run(&args, ui),
        CommandArgs::Verify(args) => verify::run(&args, ui),
        CommandArgs::Demo(args) => demo::run(&args, ui),
        CommandArgs::Config(args) => config::run(args, ui),
    }
}

/// A flag that SIGINT and SIGTERM raise, so that work ends at its next safe place.
fn interrupted_by_signals() -> Result<Interrupt, Failure> {
    let interrupt = Interrupt::default();
    signals::raise_on_signal(&interrupt)?;
    Ok(interrupt)
}
