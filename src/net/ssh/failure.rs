//! What the end of OpenSSH means. It has one exit code for all that is its own, so its words must
//! tell; it is run in a locale where they are always the same.

use crate::net::error::{NetError, Said};
use crate::net::url::SourceUrl;

/// What OpenSSH says where it does not trust a host.
const UNTRUSTED: &[&str] = &[
    "Host key verification failed",
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "host key is known for",
    "HOST KEY REVOKED",
    "host key revoked",
];
/// What it says where the host does not let us in, or where it cannot use the key.
const DENIED: &[&str] = &[
    "Permission denied (",
    "Too many authentication failures",
    "UNPROTECTED PRIVATE KEY FILE",
    "Load key ",
];

/// The exit code of OpenSSH for its own errors. Programs on the other side may have it too.
const ERROR: i32 = 255;
/// The exit code of a shell that has found no program.
const NO_PROGRAM: i32 = 127;

/// The error that OpenSSH tells of in `complaints`, if it does not trust the server or the server does
/// not let us in.
pub fn refusal(url: &SourceUrl, complaints: &[u8]) -> Option<NetError> {
    let text = String::from_utf8_lossy(complaints);
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let (said, shown) = (Said::last(complaints), url.to_string());
    if says(UNTRUSTED) {
        let hint = format!(
            "`ssh-keyscan -p {} {}` shows its keys; compare them with what its owner says, then add \
             them to a file that is named by `source.known_hosts` in the configuration, or by \
             --source-known-hosts",
            url.real_port(),
            url.host.trim_matches(['[', ']'])
        );
        return Some(NetError::Untrusted { url: shown, said, hint });
    }
    says(DENIED).then_some(NetError::Denied { url: shown, said })
}

/// What it means that OpenSSH, asked for `command`, has ended with this exit code (`None` if it was
/// killed) where its complaints tell nothing.
pub fn ended(url: &SourceUrl, command: &str, code: Option<i32>, complaints: &[u8]) -> NetError {
    let (url, command, said) = (url.to_string(), command.to_owned(), Said::last(complaints));
    match code {
        Some(ERROR) => NetError::Unreachable { url, said },
        Some(NO_PROGRAM) => NetError::Refused { url, command, said },
        _ => NetError::Cut { url, command, said },
    }
}
