//! What the end of OpenSSH means. It has one exit code for all that is its own, so its words must
//! tell; it is run in a locale where they are always the same.

use super::super::SourceUrl;
use super::super::error::{PeerError, Said};

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
/// What Mercurial, or a program that stands before it, says where there is no such repository.
const MISSING: &[&str] = &["repository ", "there is no Mercurial repository"];
const NOT_FOUND: &str = "not found";

/// The exit code of OpenSSH for its own errors, and of Mercurial for its.
const ERROR: i32 = 255;
/// The exit code of a shell that has found no program.
const NO_PROGRAM: i32 = 127;

/// Why OpenSSH has ended with this exit code (`None` if it was killed) and these words.
pub(super) fn failure(
    url: &SourceUrl,
    command: &str,
    code: Option<i32>,
    complaints: &[u8],
) -> PeerError {
    let text = String::from_utf8_lossy(complaints);
    let says = |words: &[&str]| words.iter().any(|words| text.contains(words));
    let (said, shown) = (Said::last(complaints), url.to_string());
    if says(UNTRUSTED) {
        let hint = format!(
            "`ssh-keyscan -p {} {}` shows its keys; compare them with what its owner says, then add \
             them to the file of known hosts",
            url.real_port(),
            url.host.trim_matches(['[', ']'])
        );
        return PeerError::Untrusted { url: shown, said, hint };
    }
    let is_missing = text.contains("abort: ") && says(MISSING) && text.contains(NOT_FOUND);
    if says(DENIED) || is_missing {
        return PeerError::Denied { url: shown, said };
    }
    let command = command.to_owned();
    if text.contains("abort: ") {
        return PeerError::Refused { url: shown, command, said };
    }
    match code {
        Some(ERROR) => PeerError::Unreachable { url: shown, said },
        Some(NO_PROGRAM) => PeerError::Refused { url: shown, command, said },
        _ => PeerError::Cut { url: shown, command, said },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault as _};

    #[test]
    fn words_tell() {
        let url = SourceUrl::parse("ssh://hg@[::1]:2222/a").unwrap();
        for (code, words, fault) in [
            (255, "Host key verification failed.\r\n", Fault::Refused),
            (255, "hg@h: Permission denied (publickey).\r\n", Fault::Auth),
            (255, "ssh: connect to host h port 22: Connection refused", Fault::Unavailable),
            (255, "ssh: Could not resolve hostname h", Fault::Unavailable),
            (255, "abort: repository /a not found!", Fault::Auth),
            (255, "remote: abort: unknown extension", Fault::Refused),
            (127, "sh: hg: not found", Fault::Refused),
            (1, "", Fault::Unavailable),
        ] {
            let error = failure(&url, "heads", Some(code), words.as_bytes());
            assert_eq!(error.fault(), fault, "{words}: {error:?}");
            assert!(error.to_string().contains(words.trim()), "{error}");
        }
        let error = failure(&url, "heads", Some(255), b"Host key verification failed.");
        assert!(error.hint().unwrap().contains("`ssh-keyscan -p 2222 ::1`"));
    }
}
