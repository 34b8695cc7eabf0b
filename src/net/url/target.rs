//! Where a target is: a path, or the address of a server, read strictly.
//!
//! Addresses come from the operator, but land in places where a stray character is a command: an
//! SSH server's shell, an option of a program, a log. So each part may hold only what it needs, and
//! a secret in an address is refused, because addresses are shown.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::faults;
use crate::net::host::{HostError, parse_host, parse_host_and_port};

/// The user that forges expect over SSH when none is given.
const SSH_USER: &str = "git";

/// Why an address was refused. None of the messages repeats a part that could hold a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// There is nothing.
    #[error("read a target address: it is empty")]
    Empty,
    /// There is a control character in it.
    #[error("read a target address: it has a control character at byte {at}")]
    ControlCharacter {
        /// Where, counted in bytes from 0.
        at: usize,
    },
    /// We do not push that way.
    #[error("push over {scheme:?}: only https, ssh, git and paths are supported")]
    Scheme {
        /// What stands before `://`.
        scheme: String,
    },
    /// Everybody on the way could read the token.
    #[error("push over http: it sends the token and the history without encryption")]
    PlainHttp,
    /// Everybody on the way could change what is pushed.
    #[error("push over git://: it sends the history without encryption, and knows nobody")]
    PlainGit,
    /// There is a password or a token in the address.
    #[error("use a target address with a password or token in it")]
    Secret,
    /// There is a user in the address of a web server, which is no part of it.
    #[error("use a target address with a user in it")]
    UserOfWeb,
    /// The user is empty or has characters that no user name has.
    #[error("read the user of a target address: only letters, digits and ._- are allowed")]
    User,
    /// The host is empty or is not the name or address of one.
    #[error("read the host of a target address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("read the port of a target address: it must be a number from 1 to 65535")]
    Port,
    /// There is no path, or one that could be mistaken for something else.
    #[error("read the path of a target address: {problem}")]
    Path {
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl From<HostError> for UrlError {
    fn from(error: HostError) -> Self {
        match error {
            HostError::Host => Self::Host,
            HostError::Port => Self::Port,
        }
    }
}

faults!(UrlError {
    Self::Scheme { scheme } if scheme == "file" => {
        Config.at(Target).hint("write the path alone, without file://")
    },
    Self::PlainHttp => UNENCRYPTED
        .at(Target)
        .hint("use https://, or allow it with `target.plain_http = true`"),
    Self::PlainGit => UNENCRYPTED
        .at(Target)
        .hint("use https:// or ssh://, or allow it with `target.plain_http = true`"),
    Self::Secret => Config.at(Target).hint(
        "take the user and the secret out of the address, and put the token into a file that is \
         named by `target.token_file`; the user goes into `target.token_user`"
    ),
    // It is not repeated: people put tokens there, too.
    Self::UserOfWeb => Config.at(Target).hint(
        "take the user, all that is before the @, out of the address, and put it into `target.token_user`; if it is \
         a token, put it into a file that is named by `target.token_file`"
    ),
    Self::Host => Config.at(Target).hint(
        "a host has letters, digits, dots and hyphens, or is an IPv6 address in brackets; \
         for a path with a colon write ./ before it"
    ),
    _ => Config.at(Target),
});

/// Whether a target may be reached over unencrypted HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only for servers on this machine or a trusted wire.
    Allow,
    /// The usual.
    Refuse,
}

/// The address of a target.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TargetUrl(Location);

/// A server, and where on it the repository is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Remote {
    /// In lower case; an IPv6 address in brackets.
    pub host: String,
    /// As it was written.
    pub port: Option<u16>,
    /// For `https` and `ssh://` with its leading slash, for `user@host:path` as written.
    pub path: String,
}

/// The kinds of targets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// A repository on this machine.
    Path(PathBuf),
    /// A repository behind a web server.
    Http {
        /// Whether it is encrypted.
        secure: bool,
        /// The server.
        remote: Remote,
    },
    /// A repository behind `git daemon`: no encryption, and nobody asks who we are.
    Git {
        /// The server.
        remote: Remote,
    },
    /// A repository behind an SSH server.
    Ssh {
        /// The user in the address.
        user: Option<String>,
        /// The server.
        remote: Remote,
    },
}

impl TargetUrl {
    /// The repository at a path of this machine.
    pub fn local(path: impl Into<PathBuf>) -> Self {
        Self(Location::Path(path.into()))
    }

    /// Reads one of
    ///
    /// - `https://host[:port]/path`, and `http://…` if `plain_http` allows it,
    /// - `git://host[:port]/path`, if `plain_http` allows it: it is no safer,
    /// - `ssh://[user@]host[:port]/path`,
    /// - `[user@]host:path`, where a path without a leading slash starts in the user's home folder;
    ///   as for Git, a colon before the first slash makes it one of these,
    /// - a path of this machine. `file://` is none of these: a path needs no scheme, and
    ///   without one no character of it must be escaped.
    pub fn parse(text: &str, plain_http: PlainHttp) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if let Some(at) = text.find(char::is_control) {
            return Err(UrlError::ControlCharacter { at });
        }
        let location = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => {
                parse_url(&scheme.to_ascii_lowercase(), rest, plain_http)?
            }
            _ => parse_short(text)?,
        };
        Ok(Self(location))
    }

    /// The path, if the target is on this machine.
    pub fn local_path(&self) -> Option<&Path> {
        match &self.0 {
            Location::Path(path) => Some(path),
            _ => None,
        }
    }

    /// The server that it is on; `None` for a path.
    pub fn host(&self) -> Option<&str> {
        match &self.0 {
            Location::Path(_) => None,
            Location::Http { remote, .. }
            | Location::Git { remote }
            | Location::Ssh { remote, .. } => Some(&remote.host),
        }
    }

    /// Whose repository it is on a forge: the last but one component of the path.
    pub fn owner(&self) -> Option<&str> {
        self.components().nth(1)
    }

    /// What the repository is called: the last component of the path, without `.git`.
    pub fn project(&self) -> Option<&str> {
        let last = self.components().next()?;
        Some(last.strip_suffix(".git").unwrap_or(last)).filter(|name| !name.is_empty())
    }

    /// The components of the path, the last one first.
    fn components(&self) -> impl Iterator<Item = &str> {
        let path = match &self.0 {
            Location::Path(path) => path.to_str().unwrap_or_default(),
            Location::Http { remote, .. }
            | Location::Git { remote }
            | Location::Ssh { remote, .. } => &remote.path,
        };
        path.rsplit('/').filter(|part| !part.is_empty() && *part != "." && *part != "..")
    }

    /// What kind of target it is.
    pub fn location(&self) -> &Location {
        &self.0
    }

    /// What libgit2 is told to connect to. Over SSH `user` goes before the one in the address. The
    /// user always stands there, so that libgit2 has nothing to ask for but the key.
    pub fn connection(&self, user: Option<&str>) -> String {
        match &self.0 {
            Location::Ssh { user: own, remote } => {
                let user = user.or(own.as_deref()).unwrap_or(SSH_USER);
                show_ssh(Some(user), remote)
            }
            _ => self.to_string(),
        }
    }
}

/// Whether `text` can be what stands before `://`.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
}

/// Reads what stands behind `scheme://`.
fn parse_url(scheme: &str, rest: &str, plain_http: PlainHttp) -> Result<Location, UrlError> {
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    match scheme {
        "https" | "http" => {
            if let Some((user, _)) = authority.rsplit_once('@') {
                return Err(match user.contains([':', '@']) {
                    true => UrlError::Secret,
                    false => UrlError::UserOfWeb,
                });
            }
            if scheme == "http" && plain_http == PlainHttp::Refuse {
                return Err(UrlError::PlainHttp);
            }
            let remote = parse_remote(authority, path)?;
            check_http_path(path)?;
            Ok(Location::Http { secure: scheme == "https", remote })
        }
        "git" => {
            if authority.contains('@') {
                return Err(UrlError::Secret);
            }
            if plain_http == PlainHttp::Refuse {
                return Err(UrlError::PlainGit);
            }
            let remote = parse_remote(authority, path)?;
            check_ssh_path(path)?;
            Ok(Location::Git { remote })
        }
        "ssh" | "git+ssh" | "ssh+git" => {
            let (user, host) = match authority.rsplit_once('@') {
                Some((user, host)) => (Some(parse_user(user)?), host),
                None => (None, authority),
            };
            let remote = parse_remote(host, path)?;
            check_ssh_path(path)?;
            Ok(Location::Ssh { user, remote })
        }
        _ => Err(UrlError::Scheme { scheme: scheme.to_owned() }),
    }
}

/// Reads `[user@]host:path`, or a path.
fn parse_short(text: &str) -> Result<Location, UrlError> {
    // An IPv6 address has colons of its own, in brackets.
    let has_brackets = text.starts_with('[') || text.contains("@[");
    let bracket = text.find("]:").map(|at| at + 1).filter(|_| has_brackets);
    let colon = bracket.or_else(|| text.find(':'));
    let (head, path) = colon.map_or((text, ""), |at| text.split_at(at));
    let Some(path) = path.strip_prefix(':').filter(|_| !head.contains('/')) else {
        return Ok(Location::Path(PathBuf::from(text)));
    };
    // To Git, `name::address` asks the program `git-remote-name`, which can be anything.
    if path.starts_with(':') {
        return Err(UrlError::Scheme { scheme: head.to_owned() });
    }
    let (user, host) = match head.rsplit_once('@') {
        Some((user, host)) => (Some(parse_user(user)?), host),
        // `user:password@host…`
        None if path.contains('@') => return Err(UrlError::Secret),
        None => (None, head),
    };
    let remote = Remote { host: parse_host(host)?, port: None, path: path.to_owned() };
    check_ssh_path(path)?;
    Ok(Location::Ssh { user, remote })
}

/// Reads a user name. A colon in it means that a password follows.
fn parse_user(user: &str) -> Result<String, UrlError> {
    if user.contains(':') {
        return Err(UrlError::Secret);
    }
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(is_name) {
        return Err(UrlError::User);
    }
    Ok(user.to_owned())
}

/// Reads `host[:port]`, in front of `path`.
fn parse_remote(authority: &str, path: &str) -> Result<Remote, UrlError> {
    let (host, port) = parse_host_and_port(authority)?;
    Ok(Remote { host, port, path: path.to_owned() })
}

/// A web path has nothing that would end it early.
fn check_http_path(path: &str) -> Result<(), UrlError> {
    let problem = if path.trim_matches('/').is_empty() {
        "it is missing"
    } else if path.contains(['?', '#']) {
        "it must not have a query or a fragment"
    } else if path.contains(|c: char| c.is_whitespace() || !c.is_ascii()) {
        "spaces and letters beyond ASCII must be percent-encoded"
    } else {
        return Ok(());
    };
    Err(UrlError::Path { problem })
}

/// A path on an SSH server travels through a shell there. libgit2 quotes it; what a mistake in the
/// quoting could turn into a command is refused all the same (libgit2 had one, CVE-2026-5917).
fn check_ssh_path(path: &str) -> Result<(), UrlError> {
    let problem = if path.trim_matches('/').is_empty() {
        "it is missing"
    } else if path.starts_with('-') {
        "it must not begin with a hyphen"
    } else if path.contains(['\'', '"', '\\', '`', '$', '!', '?', '#']) {
        "it must not have quotes, backslashes or any of `$!?#"
    } else {
        return Ok(());
    };
    Err(UrlError::Path { problem })
}

/// An SSH address in the longer form where that says the same, else in the shorter one.
fn show_ssh(user: Option<&str>, remote: &Remote) -> String {
    let Remote { host, path, .. } = remote;
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let port = remote.port.map(|port| format!(":{port}")).unwrap_or_default();
    if path.starts_with('/') {
        format!("ssh://{user}{host}{port}{path}")
    } else {
        format!("{user}{host}:{path}")
    }
}

impl fmt::Display for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Location::Path(path) => write!(f, "{}", path.display()),
            Location::Http { secure, remote: Remote { host, port, path } } => {
                let scheme = if *secure { "https" } else { "http" };
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "{scheme}://{host}{port}{path}")
            }
            Location::Git { remote: Remote { host, port, path } } => {
                let port = port.map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "git://{host}{port}{path}")
            }
            Location::Ssh { user, remote } => f.write_str(&show_ssh(user.as_deref(), remote)),
        }
    }
}

impl fmt::Debug for TargetUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TargetUrl({self})")
    }
}

#[cfg(test)]
mod tests;
