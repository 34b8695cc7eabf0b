//! What a person types and reads.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the program with `args` (the first is its own name) and returns its exit code.
pub fn run(_args: impl IntoIterator<Item = OsString>) -> ExitCode {
    ExitCode::SUCCESS
}
