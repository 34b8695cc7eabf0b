//! What the end of OpenSSH means where Mercurial runs behind it.

use crate::net::ssh;
use crate::net::{NetError, Said, SourceUrl};

/// What Mercurial, or a program that stands before it, says where there is no such repository.
const MISSING: &[&str] = &["repository ", "there is no Mercurial repository"];
const NOT_FOUND: &str = "not found";

/// Why OpenSSH has ended with this exit code (`None` if it was killed) and these words.
pub(super) fn failure(
    url: &SourceUrl,
    command: &str,
    code: Option<i32>,
    complaints: &[u8],
) -> NetError {
    if let Some(refusal) = ssh::refusal(url, complaints) {
        return refusal;
    }
    let text = String::from_utf8_lossy(complaints);
    if !text.contains("abort: ") {
        return ssh::ended(url, command, code, complaints);
    }
    let (said, url) = (Said::last(complaints), url.to_string());
    if MISSING.iter().any(|words| text.contains(words)) && text.contains(NOT_FOUND) {
        return NetError::Denied { url, said };
    }
    NetError::Refused { url, command: command.to_owned(), said }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault as _};

    #[test]
    fn words_tell() {
        let url = SourceUrl::parse("ssh://hg@[::1]:2222/a").unwrap();
        for (code, words, fault) in [
            (255, "Host key verification failed.\r\n", Fault::Config),
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
