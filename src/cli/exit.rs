//! The exit codes: part of the interface, so that scripts and units can rely on them.

use crate::base::Fault;

/// All went well.
pub const OK: u8 = 0;
/// The command line is not valid; clap's own code.
pub const USAGE: u8 = 2;
/// `verify` found that source and target differ.
pub const DIFFERENCES: u8 = 3;
/// [`Fault::Config`].
pub const CONFIG: u8 = 10;
/// [`Fault::Auth`].
pub const AUTH: u8 = 11;
/// [`Fault::Unavailable`].
pub const UNAVAILABLE: u8 = 12;
/// [`Fault::Refused`].
pub const REFUSED: u8 = 13;
/// [`Fault::Corrupt`].
pub const CORRUPT: u8 = 14;
/// [`Fault::Unsupported`].
pub const UNSUPPORTED: u8 = 15;
/// [`Fault::Interrupted`].
pub const INTERRUPTED: u8 = 16;
/// [`Fault::Internal`].
pub const INTERNAL: u8 = 17;

/// The list of codes at the end of `--help`.
pub const HELP: &str = "\
Exit codes:
   0  all went well
   2  the command line is not valid
   3  verify: source and target differ
  10  wrong configuration, a path that is not there, a server that is not trusted
  11  credentials are missing, wrong, or do not allow it
  12  this machine or the other side cannot do it now; later it may work
  13  the other side understood and refused
  14  damaged data, or an answer that cannot be understood
  15  a format or a feature that is not supported
  16  stopped by a signal
  17  a mistake in synchroniser itself

Environment:
  SYNCHRONISER_LOG  what to log to standard error, such as \"debug\" or \"synchroniser::hg=trace\"";

/// The code for an error with this fault.
pub const fn code(fault: Fault) -> u8 {
    match fault {
        Fault::Config => CONFIG,
        Fault::Auth => AUTH,
        Fault::Unavailable => UNAVAILABLE,
        Fault::Refused => REFUSED,
        Fault::Corrupt => CORRUPT,
        Fault::Unsupported => UNSUPPORTED,
        Fault::Interrupted => INTERRUPTED,
        Fault::Internal => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_its_own_and_in_the_help() {
        let mut codes: Vec<u8> = Fault::ALL.map(code).to_vec();
        codes.extend([OK, USAGE, DIFFERENCES]);
        let different: BTreeSet<u8> = codes.iter().copied().collect();
        assert_eq!(different.len(), codes.len());
        let listed: BTreeSet<u8> =
            HELP.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        assert_eq!(listed, different);
    }
}
