//! What errors of the HTTP client, and statuses of servers, mean.

use std::io;
use std::time::Duration;

use ureq::{Error, Timeout};

use super::public::PrivateAddress;
use crate::base::Interrupt;
use crate::base::fault::one_line;
use crate::net::access::Timeouts;
use crate::net::error::{NetError, Said};

/// What was going on.
#[derive(Clone, Debug)]
pub struct Context {
    /// The address that was asked.
    pub url: String,
    /// What it was asked for.
    pub command: String,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// What ends the wait early.
    pub interrupt: Interrupt,
}

impl Context {
    /// What an error of the client means.
    pub fn failure(&self, error: Error) -> NetError {
        if let Err(error) = self.interrupt.check() {
            return error.into();
        }
        let url = self.url.clone();
        let unreachable = |text: &str| NetError::Unreachable {
            url: self.url.clone(),
            said: Said::new(text.as_bytes()),
        };
        match error {
            Error::Timeout(reason) => self.timed_out(reason),
            Error::Io(error) => self.broken(&error),
            Error::HostNotFound => unreachable("there is no such host"),
            Error::ConnectionFailed => unreachable("there is no connection"),
            Error::ConnectProxyFailed(text) => unreachable(&text),
            Error::Other(error) if error.is::<PrivateAddress>() => {
                self.refused(Said::new(error.to_string().as_bytes()))
            }
            Error::NativeTls(error) => {
                let text = one_line(&error);
                let is_about_trust = text.contains("certificate") || text.contains("verify");
                // Its cause would say the same once more.
                let said = distrust(&text).map_or_else(|| error.to_string(), str::to_owned);
                let said = Said::new(said.as_bytes());
                if is_about_trust { untrusted(url, said) } else { unreachable(&text) }
            }
            Error::BadUri(_) | Error::Http(_) | Error::InvalidProxyUrl => {
                NetError::Setting { url, problem: error.to_string(), hint: None }
            }
            error => self.unintelligible(error.to_string()),
        }
    }

    /// The same where it comes while a body is read.
    pub fn read_failure(&self, error: io::Error) -> NetError {
        self.failure(Error::from(error))
    }

    fn broken(&self, error: &io::Error) -> NetError {
        use io::ErrorKind as Kind;
        let url = self.url.clone();
        let said = Said::new(error.to_string().as_bytes());
        match error.kind() {
            Kind::UnexpectedEof
            | Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe => NetError::Cut { url, command: self.command.clone(), said },
            _ => NetError::Unreachable { url, said },
        }
    }

    /// That a time is over.
    pub fn timed_out(&self, reason: Timeout) -> NetError {
        let Timeouts { connect, first_byte, idle } = self.timeouts;
        let (what, after) = match reason {
            Timeout::Resolve | Timeout::Connect => ("a connection", connect),
            Timeout::RecvResponse => ("the answer", first_byte),
            _ => ("the rest of the answer", idle),
        };
        NetError::TimedOut { url: self.url.clone(), what, after, said: Said::default() }
    }

    /// That the answer is not valid.
    pub fn unintelligible(&self, problem: impl Into<String>) -> NetError {
        NetError::Unintelligible {
            url: self.url.clone(),
            command: self.command.clone(),
            problem: problem.into(),
            said: Said::default(),
        }
    }

    /// That the server says no, and how.
    pub fn refused(&self, said: Said) -> NetError {
        NetError::Refused { url: self.url.clone(), command: self.command.clone(), said }
    }

    /// What a status other than success means, and what the server says about it.
    pub fn refusal(&self, status: u16, said: Said, retry_after: Option<Duration>) -> NetError {
        let (url, command) = (self.url.clone(), self.command.clone());
        match status {
            401 | 403 | 404 | 410 => NetError::Denied { url, said },
            429 | 500..=599 => NetError::Busy { url, command, said, retry_after },
            _ => self.refused(said),
        }
    }
}

/// What people know the reasons as for which OpenSSL does not trust a server; `None` if it has another.
fn distrust(text: &str) -> Option<&'static str> {
    const AUTHORITY: &str = "its certificate is of an authority that this machine does not know";
    let reasons = [
        ("unable to get local issuer certificate", AUTHORITY),
        ("unable to get issuer certificate", AUTHORITY),
        ("unable to verify the first certificate", AUTHORITY),
        ("self-signed certificate in certificate chain", AUTHORITY),
        ("self signed certificate in certificate chain", AUTHORITY),
        ("self-signed certificate", "nobody but the server itself has signed its certificate"),
        ("self signed certificate", "nobody but the server itself has signed its certificate"),
        ("certificate has expired", "its certificate has expired"),
        ("certificate is not yet valid", "its certificate is not valid yet"),
        ("ostname mismatch", "its certificate is for another name"),
        ("IP address mismatch", "its certificate is for another address"),
    ];
    reasons.iter().find(|(words, _)| text.contains(words)).map(|(_, reason)| *reason)
}

fn untrusted(url: String, said: Said) -> NetError {
    let hint = "if the server has a certificate authority of its own, add its certificate to those that this machine \
                trusts (`update-ca-certificates`, or `update-ca-trust`), or name it with `source.ca_file` in the \
                configuration, or with --source-ca-file";
    NetError::Untrusted { url, said, hint: hint.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_server_is_not_trusted_is_said_in_words() {
        let said = "error:0A000086:SSL routines:tls_post_process_server_certificate:certificate verify \
                    failed:../ssl/statem/statem_clnt.c:2125: (unable to get local issuer certificate)";
        let reason = distrust(said).unwrap();
        assert_eq!(reason, "its certificate is of an authority that this machine does not know");
        let chain = "(self-signed certificate in certificate chain)";
        assert_eq!(distrust(chain), Some(reason));
        assert_ne!(distrust("(self-signed certificate)"), Some(reason));
        assert_eq!(distrust("no cipher match"), None);
    }
}
