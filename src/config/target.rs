//! Where commits go, and the way in.

use std::path::PathBuf;

use super::error::{ProblemKind, Problems};
use super::file::{MirrorSection, Section};
use super::resolve::{Folders, is_plain_name};
use crate::git::destination::Target;
use crate::net::url::{PlainHttp, TargetUrl};
use crate::net::{Access, Key, SecretSource, Token};

/// How a target is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Path,
    Http,
    Ssh,
}

/// The target that a mirror's section describes, its secrets read; `None` if it cannot be used.
pub(super) fn target(
    section: &Section<MirrorSection>,
    folders: &Folders,
    problems: &mut Problems,
) -> Option<Target> {
    let url = target_url(section, folders, problems)?;
    let way = way_to(&url);
    refuse_other_ways(section, way, problems);
    let mut files = Files { section, folders, problems };
    let (token, key) = match way {
        Way::Path => (Some(None), Some(None)),
        Way::Http => (files.token(), Some(None)),
        Way::Ssh => (Some(None), files.key().map(Some)),
    };
    let known_hosts = files.known_hosts().map(SecretSource::File);
    Some(Target {
        url,
        access: Access { token: token?, key: key?, known_hosts, ..Access::default() },
    })
}

/// The address, a relative path seen from the folder of the file.
fn target_url(
    section: &Section<MirrorSection>,
    folders: &Folders,
    problems: &mut Problems,
) -> Option<TargetUrl> {
    let allowed = section.value.plain_http.unwrap_or(false);
    let plain_http = if allowed { PlainHttp::Allow } else { PlainHttp::Refuse };
    match TargetUrl::parse(section.value.target.as_deref()?, plain_http) {
        Ok(url) => Some(match url.local_path() {
            Some(path) => TargetUrl::local(folders.folder.join(path)),
            None => url,
        }),
        Err(source) => {
            section.wrong("target", ProblemKind::Target { source }, problems);
            None
        }
    }
}

fn way_to(url: &TargetUrl) -> Way {
    let shown = url.to_string();
    if url.local_path().is_some() {
        Way::Path
    } else if shown.starts_with("https://") || shown.starts_with("http://") {
        Way::Http
    } else {
        Way::Ssh
    }
}

/// Refuses credentials that `way` does not use: whoever wrote them believes that they protect it.
fn refuse_other_ways(section: &Section<MirrorSection>, way: Way, problems: &mut Problems) {
    let needs = match way {
        Way::Path => "no credential",
        Way::Http => "a token",
        Way::Ssh => "a key",
    };
    let for_http = ["token_user", "token_file", "token_credential"].map(|key| (key, Way::Http));
    let for_ssh = ["key_file", "key_credential", "known_hosts", "known_hosts_credential"]
        .map(|key| (key, Way::Ssh));
    for (key, used_by) in for_http.into_iter().chain(for_ssh) {
        if used_by != way && section.sets(key) {
            section.wrong(key, ProblemKind::WrongWayIn { needs }, problems);
        }
    }
}

/// Finds and reads the files that a section names.
pub(super) struct Files<'a> {
    pub(super) section: &'a Section<MirrorSection>,
    pub(super) folders: &'a Folders<'a>,
    pub(super) problems: &'a mut Problems,
}

impl Files<'_> {
    /// The token, which is tried; without one, a server that asks nobody is hoped for.
    fn token(&mut self) -> Option<Option<Token>> {
        let section = &self.section.value;
        let (file, name) = (&section.token_file, &section.token_credential);
        if !self.section.sets("token_file") && !self.section.sets("token_credential") {
            return Some(None);
        }
        let user = section.token_user.clone();
        let (key, path) = self.named(("token_file", file), ("token_credential", name))?;
        let file = SecretSource::File(path);
        self.noted(key, file.line().map_err(|source| ProblemKind::Secret { source }))?;
        Some(Some(Token { user, file }))
    }

    /// The private key: there is no other way in over SSH.
    fn key(&mut self) -> Option<Key> {
        let (file, name) = (&self.section.value.key_file, &self.section.value.key_credential);
        if !self.section.sets("key_file") && !self.section.sets("key_credential") {
            self.section.wrong("target", ProblemKind::NoKey, self.problems);
            return None;
        }
        let (key, path) = self.named(("key_file", file), ("key_credential", name))?;
        let found = Key::at(path);
        let readable = found.file.private_key().map_err(|source| ProblemKind::Secret { source });
        self.noted(key, readable).map(|_| found)
    }

    fn known_hosts(&mut self) -> Option<PathBuf> {
        let section = &self.section.value;
        let (file, name) = (&section.known_hosts, &section.known_hosts_credential);
        let (key, path) = self.named(("known_hosts", file), ("known_hosts_credential", name))?;
        self.readable(key, path)
    }

    /// `path`, if it can be read. It is read again when it is used, so that a new host key needs no
    /// restart; a wrong name shows now.
    pub(super) fn readable(&mut self, key: &str, path: PathBuf) -> Option<PathBuf> {
        let readable = std::fs::read(&path).map(|_| ());
        let readable =
            readable.map_err(|source| ProblemKind::Unreadable { path: path.clone(), source });
        self.noted(key, readable).map(|()| path)
    }

    /// The file that one of two keys names, and which of them does.
    pub(super) fn named(
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

    /// What `result` has, or nothing, and its problem noted.
    pub(super) fn noted<T>(&mut self, key: &str, result: Result<T, ProblemKind>) -> Option<T> {
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
            ("http/rocket.git", Way::Path),
            ("https://example.org/acme/rocket", Way::Http),
            ("http://127.0.0.1:80/rocket", Way::Http),
            ("ssh://git@example.org:22/acme/rocket.git", Way::Ssh),
            ("git@example.org:acme/rocket.git", Way::Ssh),
            ("http@example.org:acme/rocket.git", Way::Ssh),
        ] {
            let url = TargetUrl::parse(target, PlainHttp::Allow).unwrap();
            assert_eq!(way_to(&url), way, "{target}");
        }
    }
}
