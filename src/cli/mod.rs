//! What a person types and reads.
//!
//! The data goes one way: words, then plain values (`args`), then one function for each command,
//! which calls the layers below with options and prints through `ui`. Only this layer reads the
//! environment and the terminal.

mod args;
mod client;
mod command;
mod conversion;
mod endpoint;
mod error;
pub mod exit;
mod flag_hints;
mod flags;
mod log;
mod mirrors;
mod post;
mod source;
mod table;
mod target;
mod ui;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser};

use crate::base::faults;
use ui::Ui;

/// Runs the program with `args` (the first is its own name) and returns its exit code, one of
/// those in [`exit`].
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::from(run_to_code(args))
}

/// Everything that can be typed, for what is made of it: man pages and completions.
pub fn command_line() -> clap::Command {
    args::Args::command()
}

fn run_to_code(args: impl IntoIterator<Item = OsString>) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let args = match args::Args::try_parse_from(&args) {
        Ok(args) => args,
        Err(error) => {
            ui::usage(&error);
            let is_mistake = error.use_stderr() && !is_hook(&args);
            return if is_mistake { exit::USAGE } else { exit::OK };
        }
    };
    let ui = Ui::new(args.output.quiet);
    log::init(&ui, args.output, &args.command);
    let result = command::run(args.command, &ui);
    ui.abandon();
    let printed = ui.finish().map_err(|source| OutputError { source }.into());
    match result.and_then(|code| printed.map(|()| code)) {
        Ok(code) => code,
        Err(failure) => {
            ui.error(&failure.text());
            exit::code(failure.fault())
        }
    }
}

/// Whether Mercurial runs us as a hook, of which no mistake may fail a push.
fn is_hook(args: &[OsString]) -> bool {
    args.get(1).is_some_and(|word| word == "notify") && std::env::var_os("HG_HOOKTYPE").is_some()
}

/// Standard output did not take the result.
#[derive(Debug, thiserror::Error)]
#[error("write to standard output")]
struct OutputError {
    source: std::io::Error,
}

faults!(OutputError => Unavailable);
