//! Where a source is: the address of a server, read strictly.
//!
//! Parts of it land in places where a stray character is a command: an SSH server's shell, an
//! option of a program, a header, a log. So each may hold only what it needs, and a secret is
//! refused, because addresses are shown.

use std::fmt;

use crate::base::faults;
use crate::net::host::{HostError, parse_host_and_port};
use crate::net::percent;

/// Why an address was refused. None of the messages repeats a part that could hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceUrlError {
    /// There is a character in it that no address has.
    #[error("read a source address: it has a control character or a blank at byte {at}")]
    Character {
        /// Where, counted in bytes from 0.
        at: usize,
    },
    /// It is written as SSH's short form, which Mercurial does not have.
    #[error("fetch from {written}: the address of an SSH server begins with ssh://")]
    Short {
        /// The address, which holds no secret.
        written: String,
        /// How it is written.
        address: String,
    },
    /// It is no address, or of a kind that we do not fetch from.
    #[error("fetch over {scheme:?}: only https, http, ssh and paths are supported")]
    Scheme {
        /// What stands before `://`; empty if there is none.
        scheme: String,
    },
    /// There is a password or a token in the address.
    #[error("use a source address with a password or token in it")]
    Secret,
    /// The user is empty or has characters that no user name has.
    #[error("read the user of a source address: only letters, digits and ._-+@ are allowed")]
    User,
    /// The host is empty or is not the name or address of one.
    #[error("read the host of a source address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("read the port of a source address: it must be a number from 1 to 65535")]
    Port,
    /// There is no path, or one that could be mistaken for something else.
    #[error("read the path of a source address: {problem}")]
    Path {
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl From<HostError> for SourceUrlError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Host => Self::Host,
            HostError::Port => Self::Port,
        }
    }
}

faults!(SourceUrlError {
    Self::Scheme { scheme } if scheme == "file" => {
        Config.at(Source).hint("write the path alone, without file://")
    },
    Self::Short { address, .. } => Config.at(Source).hint(format!(
        "write {address}; a path that does not begin in the user's home folder has two slashes \
         after the host"
    )),
    Self::Secret => Config.at(Source).hint(
        "take the secret out of the address, and put it into a file that is named by \
         `source.token_file` in the configuration, or by --source-token-file"
    ),
    Self::Host => Config.at(Source).hint(
        "a host has letters, digits, dots and hyphens, or is an IPv6 address in brackets"
    ),
    Self::Character { .. } => {
        Config.at(Source).hint("in an address such characters are percent-encoded")
    },
    _ => Config.at(Source),
});

/// The address of a Mercurial server's repository.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SourceUrl {
    /// How the server is talked to.
    pub scheme: Scheme,
    /// Without escapes.
    pub user: Option<String>,
    /// In lower case; an IPv6 address in brackets.
    pub host: String,
    /// As it was written.
    pub port: Option<u16>,
    /// From its first slash on, as it was written, but that a run of slashes at the end is one of
    /// them, and none with SSH: some web servers have nothing without it, others nothing with it.
    pub path: String,
}

/// How a server is talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Unencrypted HTTP.
    Http,
    /// Encrypted HTTP.
    Https,
    /// OpenSSH.
    Ssh,
}

impl Scheme {
    /// What stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::Ssh => "ssh",
        }
    }

    /// The port where none is written.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
            Self::Ssh => 22,
        }
    }
}

impl SourceUrl {
    /// Refuses `user@host:path`, as Git has it: Mercurial has no such form, and takes it for a path.
    pub fn refuse_short_form(text: &str) -> Result<(), SourceUrlError> {
        let Some((server, path)) = text.split_once(':') else { return Ok(()) };
        let Some((user, host)) = server.split_once('@') else { return Ok(()) };
        if server.contains('/') || parse_user(user).is_err() || parse_host_and_port(host).is_err() {
            return Ok(());
        }
        let address = format!("ssh://{server}/{path}");
        Err(SourceUrlError::Short { written: text.to_owned(), address })
    }

    /// Reads `https://[user@]host[:port]/path`, the same with `http`, or
    /// `ssh://[user@]host[:port]/path`.
    ///
    /// As in Mercurial a path of `ssh` begins in the user's home folder; one that begins with two
    /// slashes is absolute.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let stray = |c: char| c.is_control() || c.is_whitespace();
        if let Some(at) = text.find(stray) {
            return Err(SourceUrlError::Character { at });
        }
        let (scheme, rest) = text.split_once("://").unwrap_or_default();
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            "ssh" => Scheme::Ssh,
            other => return Err(SourceUrlError::Scheme { scheme: other.to_owned() }),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(parse_user(user)?), host),
            None => (None, authority),
        };
        let (host, port) = parse_host_and_port(host)?;
        let plain = path.trim_end_matches('/');
        let has_slash = scheme != Scheme::Ssh && path.len() > plain.len();
        let path = if has_slash { format!("{plain}/") } else { plain.to_owned() };
        let this = Self { scheme, user, host, port, path };
        this.check_path()?;
        Ok(this)
    }

    /// The path on an SSH server: without escapes, and without the slash that ends the host.
    pub fn ssh_path(&self) -> Option<String> {
        percent::decode_text(self.path.strip_prefix('/')?)
    }

    /// The port, whether it was written or not.
    pub fn real_port(&self) -> u16 {
        self.port.unwrap_or(self.scheme.default_port())
    }

    /// Whether `other` is the same server, reached the same way.
    pub fn is_same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme
            && self.host == other.host
            && self.real_port() == other.real_port()
    }

    /// The address without user and path.
    pub fn origin(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme.name(), self.host)
    }

    fn check_path(&self) -> Result<(), SourceUrlError> {
        let problem = |problem| Err(SourceUrlError::Path { problem });
        if self.path.contains(['?', '#']) {
            return problem("it must not have a query or a fragment");
        }
        if !self.path.is_ascii() {
            return problem("letters beyond ASCII must be percent-encoded");
        }
        let Some(decoded) = percent::decode(self.path.as_bytes()) else {
            return problem("a percent sign in it escapes nothing");
        };
        if decoded.iter().any(u8::is_ascii_control) {
            return problem("it must not have control characters");
        }
        if self.scheme != Scheme::Ssh {
            return Ok(());
        }
        match self.ssh_path() {
            None if self.path.is_empty() => problem("it is missing"),
            None => problem("it must be UTF-8"),
            Some(path) if path.is_empty() => problem("it is missing"),
            Some(path) if path.starts_with('-') => problem("it must not begin with a hyphen"),
            Some(_) => Ok(()),
        }
    }
}

/// Reads a user name. A colon in it means that a password follows.
fn parse_user(user: &str) -> Result<String, SourceUrlError> {
    if user.contains(':') {
        return Err(SourceUrlError::Secret);
    }
    let user = percent::decode_text(user).ok_or(SourceUrlError::User)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-+@".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(is_name) {
        return Err(SourceUrlError::User);
    }
    Ok(user)
}

impl fmt::Display for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let user = self.user.as_deref().map(|user| percent::encode(user.as_bytes()) + "@");
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let Self { scheme, host, path, .. } = self;
        write!(f, "{}://{}{host}{port}{path}", scheme.name(), user.unwrap_or_default())
    }
}

impl fmt::Debug for SourceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<SourceUrl, SourceUrlError> {
        SourceUrl::parse(text)
    }

    #[test]
    fn what_is_read_is_shown_again() {
        for (text, shown) in [
            ("https://hg.example/repo", "https://hg.example/repo"),
            ("HTTP://HG.example:8000/", "http://hg.example:8000/"),
            ("https://hg.example", "https://hg.example"),
            ("https://u%40x@hg.example/a/b%20c//", "https://u%40x@hg.example/a/b%20c/"),
            ("ssh://hg@hg.example/a//", "ssh://hg@hg.example/a"),
            ("ssh://hg@hg.example:22//srv/a", "ssh://hg@hg.example:22//srv/a"),
            ("ssh://[::1]/a", "ssh://[::1]/a"),
        ] {
            let url = parse(text).unwrap();
            assert_eq!(url.to_string(), shown);
            assert_eq!(parse(shown).unwrap(), url);
        }
        let path = |text| parse(text).unwrap().ssh_path().unwrap();
        assert_eq!(path("ssh://h/a%20b"), "a b");
        assert_eq!(path("ssh://h//a"), "/a");
    }

    #[test]
    fn what_is_refused() {
        use SourceUrlError as E;
        let path = |text: &str| matches!(parse(text), Err(E::Path { .. }));
        for text in ["", "repo", "/srv/repo", "file:///srv", "ext::sh", "static-http://h/"] {
            assert!(matches!(parse(text), Err(E::Scheme { .. })), "{text}");
        }
        for text in ["https://h/a\n", "https://h/a b", "ssh://h\t/a"] {
            assert!(matches!(parse(text), Err(E::Character { .. })), "{text:?}");
        }
        for text in ["https://u:p@h/a", "ssh://u:@h/a"] {
            assert_eq!(parse(text), Err(E::Secret), "{text}");
        }
        for text in ["ssh://-oProxyCommand=x@h/a", "ssh://@h/a", "ssh://a%0a@h/a", "ssh://$x@h/a"] {
            assert_eq!(parse(text), Err(E::User), "{text}");
        }
        for text in [
            "ssh://-oProxyCommand=x/a",
            "https:///a",
            "https://a..b/",
            "https://[::1/",
            "https://[x]/",
        ] {
            assert_eq!(parse(text), Err(E::Host), "{text}");
        }
        for text in ["https://h:/a", "https://h:0/a", "https://h:65536/a", "https://h:+1/a"] {
            assert_eq!(parse(text), Err(E::Port), "{text}");
        }
        for text in [
            "https://h/a?x",
            "https://h/a#x",
            "https://h/ä",
            "https://h/%",
            "https://h/%0d",
            "ssh://h",
            "ssh://h/",
            "ssh://h/-a",
            "ssh://h/%2da",
            "ssh://h/%00",
            "ssh://h/%ff",
        ] {
            assert!(path(text), "{text}");
        }
    }

    #[test]
    fn what_is_the_same_server() {
        let same = |a, b| parse(a).unwrap().is_same_origin(&parse(b).unwrap());
        assert!(same("https://h/a", "https://u@H:443/b"));
        assert!(!same("https://h/a", "http://h:443/a"));
        assert!(!same("https://h/a", "https://h:444/a"));
        assert!(!same("https://h/a", "https://h.x/a"));
    }
}
