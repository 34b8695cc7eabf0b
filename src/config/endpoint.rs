//! Sources and targets, and how they are reached: the same keys for both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::Problems;
use super::file::Section;
use super::keys::{Keys, Ways};
use super::pending::{Pending, What};
use super::problem::ProblemKind;
use super::sections::EndpointKeys;
use crate::git::destination::Target;
use crate::hg::pull::Source;
use crate::net::url::{Location, PlainHttp, Scheme};
use crate::net::{
    Access, Key, KeySource, SecretSource, SourceUrl, TargetUrl, Timeouts, Token, TokenSource,
};

/// The user name for a token of a target where none is set. GitHub wants this one with the tokens of
/// apps, and takes any other with those of people.
const TOKEN_USER: &str = "x-access-token";

/// The folders at which relative names start.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folders<'a> {
    /// That of the configuration file.
    pub(super) folder: &'a Path,
    /// That of the credentials, if the caller was given any.
    pub(super) credentials: Option<&'a Path>,
}

/// Which end of a mirror it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Source,
    Target,
}

/// How an end is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Path,
    Http,
    Git,
    Ssh,
}

impl Way {
    /// Whether keys for `ways` are of use at `end`.
    fn uses(self, ways: Ways, end: End) -> bool {
        match ways {
            Ways::All => true,
            Ways::Http => self == Self::Http,
            Ways::Plain => matches!(self, Self::Http | Self::Git),
            Ways::HttpSource => self == Self::Http && end == End::Source,
            Ways::HttpTarget => self == Self::Http && end == End::Target,
            Ways::Token => self == Self::Http || self == Self::Ssh && end == End::Target,
            Ways::Target => self != Self::Path && end == End::Target,
            Ways::Ssh => self == Self::Ssh,
            Ways::SshTarget => self == Self::Ssh && end == End::Target,
            Ways::Servers => self != Self::Path,
        }
    }
}

/// What an end is resolved with.
pub(super) struct Resolver<'a> {
    pub(super) folders: Folders<'a>,
    pub(super) problems: &'a mut Problems,
    /// What cannot be told before it is used.
    pub(super) pending: &'a mut Vec<Pending>,
}

impl Resolver<'_> {
    /// The source that a section describes; `None` if it cannot be used.
    pub(super) fn source(&mut self, section: &Section<EndpointKeys>) -> Option<Source> {
        let written = self.url(section)?;
        let source = self.source_at(section, Path::new(&written))?;
        if let Source::Server { url, .. } = &source
            && url.scheme == Scheme::Http
            && section.value.plain_http != Some(true)
        {
            let is_alone = section.is_address();
            section.wrong("url", ProblemKind::PlainHttp { is_alone }, self.problems);
        }
        Some(source)
    }

    /// The source at `written`: an address if it looks like one, a path otherwise. Whether `http://`
    /// is allowed is left to whoever connects.
    pub(super) fn source_at(
        &mut self,
        section: &Section<EndpointKeys>,
        written: &Path,
    ) -> Option<Source> {
        let Some(address) = written.to_str().filter(|text| text.contains("://")) else {
            let path = self.folders.folder.join(written);
            if !path.exists()
                && let Err(source) = SourceUrl::refuse_short_form(&written.to_string_lossy())
            {
                section.wrong("url", ProblemKind::Source { source }, self.problems);
                return None;
            }
            self.refuse_other_ways(section, Way::Path, End::Source);
            return Some(Source::Path(path));
        };
        let url = match SourceUrl::parse(address) {
            Ok(url) => url,
            Err(source) => {
                section.wrong("url", ProblemKind::Source { source }, self.problems);
                return None;
            }
        };
        let way = match url.scheme {
            Scheme::Ssh => Way::Ssh,
            Scheme::Http | Scheme::Https => Way::Http,
        };
        let access = self.access(section, way, End::Source);
        Some(Source::Server { url, access: Box::new(access) })
    }

    /// The target that a section describes, a relative path seen from the folder of the file; `None`
    /// if it cannot be used.
    pub(super) fn target(&mut self, section: &Section<EndpointKeys>) -> Option<Target> {
        let written = self.url(section)?;
        let plain_http = match section.value.plain_http {
            Some(true) => PlainHttp::Allow,
            _ => PlainHttp::Refuse,
        };
        let url = match TargetUrl::parse(&written, plain_http) {
            Ok(url) => url,
            Err(source) => {
                section.wrong("url", ProblemKind::Target { source }, self.problems);
                return None;
            }
        };
        let way = match url.location() {
            Location::Path(_) => Way::Path,
            Location::Http { .. } => Way::Http,
            Location::Git { .. } => Way::Git,
            Location::Ssh { .. } => Way::Ssh,
        };
        let url = match url.local_path() {
            Some(path) => TargetUrl::local(self.folders.folder.join(path)),
            None => url,
        };
        let access = self.access(section, way, End::Target);
        let has_key = ["key_file", "key_credential"].iter().any(|key| section.sets(key));
        if way == Way::Ssh && !has_key && section.value.ssh_agent != Some(true) {
            section.wrong("url", ProblemKind::NoKey, self.problems);
            return None;
        }
        let mut access = access;
        if let Some(app) = self.app(section, &url, &access, TOKEN_USER) {
            access.token = Some(app);
        }
        let mut target = Target::new(url, access);
        target.limits.file = section.value.max_file.or(target.limits.file);
        target.limits.push = section.value.max_push.unwrap_or(target.limits.push);
        // A token of the app is narrowed to what is asked for.
        let is_of_app = section.value.app_id.is_some() && way == Way::Http;
        target.limits.workflows = !is_of_app || section.value.app_workflows == Some(true);
        Some(target)
    }

    /// The address, which must be there.
    fn url(&mut self, section: &Section<EndpointKeys>) -> Option<String> {
        if section.value.url.is_none() && !section.sets("url") {
            section.wrong("url", ProblemKind::Missing, self.problems);
        }
        section.value.url.clone()
    }

    /// Refuses keys that `way` does not use: whoever wrote them believes that they do something.
    fn refuse_other_ways(&mut self, section: &Section<EndpointKeys>, way: Way, end: End) {
        for key in EndpointKeys::keys() {
            if section.sets(key.name) && !way.uses(key.ways, end) {
                let here = match way {
                    _ if key.ways == Ways::HttpSource && end == End::Target => "a target",
                    _ if end == End::Source && key.ways.are_of_targets() => "a source",
                    Way::Path => "a path",
                    Way::Http => "a web server",
                    Way::Git => "a git daemon",
                    Way::Ssh => "an SSH server",
                };
                section.wrong(key.name, ProblemKind::NoUse { here }, self.problems);
            }
        }
    }

    /// How it is reached.
    fn access(&mut self, section: &Section<EndpointKeys>, way: Way, end: End) -> Access {
        self.refuse_other_ways(section, way, end);
        let keys = &section.value;
        let mut secret = |what, (file_key, file), (credential_key, credential)| {
            self.secret(section, what, (file_key, file), (credential_key, credential))
        };
        let token = secret(
            What::Token,
            ("token_file", &keys.token_file),
            ("token_credential", &keys.token_credential),
        );
        let key = secret(
            What::PrivateKey,
            ("key_file", &keys.key_file),
            ("key_credential", &keys.key_credential),
        );
        let known_hosts = secret(
            What::Readable,
            ("known_hosts", &keys.known_hosts),
            ("known_hosts_credential", &keys.known_hosts_credential),
        );
        let ca_file = self.certificates(section, keys.ca_file.as_ref());
        let token = self.token(section, token);
        let key = self.key(section, key);
        let tokens = ["token_file", "token_credential", "token_env", "app_id"];
        let has_token = tokens.iter().any(|key| section.sets(key));
        if !has_token && section.sets("token_user") && way == Way::Http {
            section.wrong("token_user", ProblemKind::NoToken, self.problems);
        }
        let token_user = keys.token_user.clone();
        let token_user = match end {
            End::Source => token_user,
            End::Target => token_user.or_else(|| Some(TOKEN_USER.to_owned())),
        };
        Access {
            token: token.map(|source| Token { user: token_user, source }),
            ca_file,
            plain_http: keys.plain_http.unwrap_or(false),
            private_downloads: keys.private_downloads.unwrap_or(false),
            proxy: keys.proxy.clone(),
            key: key.map(|source| Key { user: None, source, passphrase: None }),
            known_hosts,
            timeouts: timeouts(keys),
            ..Access::default()
        }
    }

    /// Where the token comes from: what is `stored`, or an environment variable.
    fn token(
        &mut self,
        section: &Section<EndpointKeys>,
        stored: Option<SecretSource>,
    ) -> Option<TokenSource> {
        let variable = section.value.token_env.clone().map(TokenSource::Variable);
        if variable.is_some() && stored.is_some() {
            let other = Self::set_one(section, ["token_file", "token_credential"]);
            section.wrong("token_env", ProblemKind::SetTwice { other }, self.problems);
        }
        variable.or(stored.map(TokenSource::from))
    }

    /// Where the private key is: what is `stored`, or the agent.
    fn key(
        &mut self,
        section: &Section<EndpointKeys>,
        stored: Option<SecretSource>,
    ) -> Option<KeySource> {
        let agent = section.value.ssh_agent.filter(|&asked| asked).map(|_| KeySource::Agent);
        if agent.is_some() && stored.is_some() {
            let other = Self::set_one(section, ["key_file", "key_credential"]);
            section.wrong("ssh_agent", ProblemKind::SetTwice { other }, self.problems);
        }
        agent.or(stored.map(KeySource::from))
    }

    /// The first of two keys that is set.
    fn set_one(section: &Section<EndpointKeys>, [one, other]: [&'static str; 2]) -> &'static str {
        if section.sets(one) { one } else { other }
    }

    /// The file that one of two keys names. It is read when it is used: a new secret needs no
    /// restart, and one that is missing is the fault of its mirror alone.
    pub(super) fn secret<T>(
        &mut self,
        section: &Section<T>,
        what: What,
        (file_key, file): (&'static str, &Option<PathBuf>),
        (credential_key, credential): (&'static str, &Option<String>),
    ) -> Option<SecretSource> {
        let (key, source) = match (file, credential) {
            (None, None) => return None,
            (Some(file), None) => (file_key, SecretSource::File(self.folders.folder.join(file))),
            (None, Some(name)) => {
                let folder = self.folders.credentials.map(Path::to_owned);
                (credential_key, SecretSource::Credential { name: name.clone(), folder })
            }
            (Some(_), Some(_)) => {
                let kind = ProblemKind::SetTwice { other: file_key };
                section.wrong(credential_key, kind, self.problems);
                return None;
            }
        };
        let (line, key) = (section.line_of(key), section.full_name(key));
        self.pending.push(Pending { line, key, what, source: source.clone() });
        Some(source)
    }

    /// The file with certificates that `ca_file` names. It is read when it is used, like a secret.
    pub(super) fn certificates<T>(
        &mut self,
        section: &Section<T>,
        written: Option<&PathBuf>,
    ) -> Option<PathBuf> {
        let path = self.folders.folder.join(written?);
        let (line, key) = (section.line_of("ca_file"), section.full_name("ca_file"));
        let source = SecretSource::File(path.clone());
        self.pending.push(Pending { line, key, what: What::Readable, source });
        Some(path)
    }
}

fn timeouts(keys: &EndpointKeys) -> Timeouts {
    let default = Timeouts::default();
    let seconds = |written: Option<u64>, default| written.map_or(default, Duration::from_secs);
    Timeouts {
        connect: seconds(keys.connect_timeout, default.connect),
        first_byte: seconds(keys.answer_timeout, default.first_byte),
        idle: seconds(keys.idle_timeout, default.idle),
    }
}
