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
                let said = Said::new(text.as_bytes());
                let is_about_trust = text.contains("certificate") || text.contains("verify");
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

fn untrusted(url: String, said: Said) -> NetError {
    let hint = "if the server has a certificate authority of its own, name its certificate with \
                `source.ca_file` in the configuration, or with --source-ca-file";
    NetError::Untrusted { url, said, hint: hint.to_owned() }
}
