//! Where commits go, and the way in.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::error::{ProblemKind, Problems};
use super::file::{MirrorSection, Section};
use super::resolve::{Folders, is_plain_name};
use super::secret::{check_readable, read_secret};
use crate::git::destination::Target;

/// The user name for a token where none is set. GitHub wants this one with the tokens of apps, and
/// takes any other with those of people.
const TOKEN_USER: &str = "x-access-token";

/// A target as it was configured: the URL checked, the files found, the secrets read.
#[derive(Clone, Debug)]
pub struct TargetConfig {
    /// A path, `https://…`, `ssh://…` or `user@host:path`. Holds no password.
    pub url: String,
    /// The user name that goes with the token.
    pub token_user: String,
    /// The token for `https://`.
    pub token: Option<SecretString>,
    /// The private key for ssh.
    pub key_file: Option<PathBuf>,
    /// The host keys for ssh.
    pub known_hosts: Option<PathBuf>,
}

/// The target that `config` describes: the one place that knows both forms.
pub(super) fn target(_config: TargetConfig) -> Target {
    Target {}
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Path,
    Https,
    Ssh,
}

/// Resolves what a mirror's section says of its target; `None` if that cannot be used.
pub(super) fn target_config(
    section: &Section<MirrorSection>,
    folders: &Folders,
    problems: &mut Problems,
) -> Option<TargetConfig> {
    let written = section.value.target.as_deref()?;
    let way = match way_of(written) {
        Ok(way) => way,
        Err(kind) => {
            section.wrong("target", kind, problems);
            return None;
        }
    };
    let url = match way {
        Way::Path => folders.utf8(section, "target", Path::new(written), problems)?,
        Way::Https | Way::Ssh => written.to_owned(),
    };
    refuse_other_ways(section, way, problems);
    let mut credentials = Credentials { section, folders, problems };
    Some(TargetConfig {
        url,
        token_user: section.value.token_user.clone().unwrap_or_else(|| TOKEN_USER.to_owned()),
        token: credentials.token(),
        key_file: credentials.key_file(way),
        known_hosts: credentials.known_hosts(),
    })
}

/// How `target` is reached. Errors never repeat it: it may hold a password.
fn way_of(target: &str) -> Result<Way, ProblemKind> {
    if target.is_empty() {
        return Err(ProblemKind::Empty);
    }
    let Some((scheme, rest)) = target.split_once("://") else {
        // Git's own rule: a colon before the first slash makes it `host:path`.
        let host = target.split('/').next().unwrap_or_default();
        return Ok(if host.contains(':') { Way::Ssh } else { Way::Path });
    };
    let way = match scheme.to_ascii_lowercase().as_str() {
        "https" => Way::Https,
        "ssh" => Way::Ssh,
        _ => return Err(ProblemKind::UnsupportedScheme { scheme: scheme.to_owned() }),
    };
    let authority = rest.split('/').next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => Err(ProblemKind::PasswordInUrl),
        _ => Ok(way),
    }
}

/// The owner and the project that `url` names: the last two parts of its path.
pub(super) fn owner_and_project(url: &str) -> (Option<&str>, Option<&str>) {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/').map_or("", |(_, path)| path),
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => path,
            _ => url,
        },
    };
    let mut parts = path.rsplit('/').filter(|part| !part.is_empty());
    let project = parts.next().map(|part| part.strip_suffix(".git").unwrap_or(part));
    (parts.next(), project.filter(|project| !project.is_empty()))
}

/// Refuses credentials that `way` does not use: whoever wrote them believes that they protect it.
fn refuse_other_ways(section: &Section<MirrorSection>, way: Way, problems: &mut Problems) {
    let needs = match way {
        Way::Path => "no credential",
        Way::Https => "a token",
        Way::Ssh => "a key",
    };
    let for_https = ["token_user", "token_file", "token_credential"].map(|key| (key, Way::Https));
    let for_ssh = ["key_file", "key_credential", "known_hosts", "known_hosts_credential"]
        .map(|key| (key, Way::Ssh));
    for (key, used_by) in for_https.into_iter().chain(for_ssh) {
        if used_by != way && section.sets(key) {
            section.wrong(key, ProblemKind::WrongWayIn { needs }, problems);
        }
    }
}

/// Finds and reads the files that a section names.
struct Credentials<'a> {
    section: &'a Section<MirrorSection>,
    folders: &'a Folders<'a>,
    problems: &'a mut Problems,
}

impl Credentials<'_> {
    fn token(&mut self) -> Option<SecretString> {
        let (file, name) = (&self.section.value.token_file, &self.section.value.token_credential);
        let (key, path) = self.file(("token_file", file), ("token_credential", name))?;
        self.noted(key, read_secret(&path))
    }

    fn key_file(&mut self, way: Way) -> Option<PathBuf> {
        let (file, name) = (&self.section.value.key_file, &self.section.value.key_credential);
        if way == Way::Ssh && !self.section.sets("key_file") && !self.section.sets("key_credential")
        {
            self.section.wrong("target", ProblemKind::NoKey, self.problems);
        }
        let (key, path) = self.file(("key_file", file), ("key_credential", name))?;
        self.noted(key, check_readable(&path)).map(|()| path)
    }

    fn known_hosts(&mut self) -> Option<PathBuf> {
        let section = &self.section.value;
        let (file, name) = (&section.known_hosts, &section.known_hosts_credential);
        let (key, path) = self.file(("known_hosts", file), ("known_hosts_credential", name))?;
        self.noted(key, check_readable(&path)).map(|()| path)
    }

    /// The file that one of two keys names, and which of them does.
    fn file(
        &mut self,
        (file_key, file): (&'static str, &Option<PathBuf>),
        (credential_key, credential): (&'static str, &Option<String>),
    ) -> Option<(&'static str, PathBuf)> {
        match (file, credential) {
            (None, None) => None,
            (Some(file), None) => Some((file_key, self.folders.folder.join(file))),
            (None, Some(name)) => {
                let found = self.folders.credential(name);
                self.noted(credential_key, found).map(|path| (credential_key, path))
            }
            (Some(_), Some(_)) => {
                let kind = ProblemKind::SetTwice { other: file_key };
                self.section.wrong(credential_key, kind, self.problems);
                None
            }
        }
    }

    fn noted<T>(&mut self, key: &str, result: Result<T, ProblemKind>) -> Option<T> {
        result.map_err(|kind| self.section.wrong(key, kind, self.problems)).ok()
    }
}

impl Folders<'_> {
    /// The file of the credential called `name`.
    fn credential(&self, name: &str) -> Result<PathBuf, ProblemKind> {
        if !is_plain_name(name) {
            return Err(ProblemKind::BadCredentialName { value: name.to_owned() });
        }
        Ok(self.credentials.ok_or(ProblemKind::NoCredentials)?.join(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways() {
        for (target, way) in [
            ("/srv/git/rocket.git", Way::Path),
            ("../rocket.git", Way::Path),
            ("./a:b", Way::Path),
            ("https://example.org/acme/rocket", Way::Https),
            ("HTTPS://example.org/acme/rocket", Way::Https),
            ("https://ada@example.org/acme/rocket", Way::Https),
            ("ssh://git@example.org:22/acme/rocket.git", Way::Ssh),
            ("git@example.org:acme/rocket.git", Way::Ssh),
            ("example.org:rocket", Way::Ssh),
        ] {
            assert_eq!(way_of(target).ok(), Some(way), "{target}");
        }
    }

    #[test]
    fn targets_that_are_refused_are_not_repeated() {
        for target in ["https://ada:s3cret@example.org/r", "ext://s3cret", "http://a:s3cret@b/c"] {
            let error = way_of(target).unwrap_err().to_string();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn owners_and_projects() {
        for (url, owner, project) in [
            ("https://github.com/acme/rocket.git", Some("acme"), Some("rocket")),
            ("https://github.com/acme/rocket/", Some("acme"), Some("rocket")),
            ("ssh://git@example.org:22/acme/rocket", Some("acme"), Some("rocket")),
            ("git@github.com:acme/rocket.git", Some("acme"), Some("rocket")),
            ("example.org:rocket", None, Some("rocket")),
            ("https://github.com", None, None),
            ("/srv/git/acme/rocket.git", Some("acme"), Some("rocket")),
            ("/.git", None, None),
        ] {
            assert_eq!(owner_and_project(url), (owner, project), "{url}");
        }
    }
}
