//! The `synchroniser` program: everything lives in the library, where tests can call it.

use std::process::ExitCode;

fn main() -> ExitCode {
    // How a program is linked is known to the crate of `main` alone: packaging/build tells no other.
    if cfg!(target_feature = "crt-static") {
        synchroniser::base::name_service::use_no_plug_ins();
    }
    synchroniser::cli::run(std::env::args_os())
}
