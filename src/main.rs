//! The `synchroniser` program: everything lives in the library, where tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    synchroniser::cli::run(std::env::args_os())
}
