//! The operator's file, resolved into each layer's own options. Only home of the TOML crate.
//!
//! Every key is defined once, in `sections`; the template, the reference page and the flags of
//! commands are made from that.
//!
//! The data goes one way: text, then the tables of `file` (what was written, and on which line), then
//! [`Config`] (what it means). Both steps collect problems and go on, so that one run of
//! `synchroniser config check` shows all of them.

mod endpoint;
mod error;
mod file;
mod forge;
mod hooks;
mod keys;
mod naming;
mod notify;
mod options;
mod overlap;
mod patterns;
mod pending;
mod problem;
mod reference;
mod resolve;
mod sections;
mod template;
mod typed;
mod web;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use hooks::{HookEndpoint, SYNCHRONISE};
pub use notify::{Encryption, MailWay, NotifyConfig, NotifyProblem, NotifyWay};
pub use options::{
    CacheOptions, DaemonOptions, MirrorConfig, NodesOptions, QueueOptions, Role, ScheduleOptions,
    Selector,
};
pub use patterns::{DeriveError, Pattern};
pub use pending::{Finding, NamedFile};
pub use problem::{Problem, ProblemKind};
pub use reference::{reference, template};
pub use web::{Read, Scope, StoredToken, WebAccess, WebConfig};

pub(crate) use keys::{Key, Keys, Shape, Value, Ways};
pub(crate) use resolve::publish;
pub(crate) use sections::{
    CareKeys, CommitKeys, EndpointKeys, HistoryKeys, NamingKeys, PublishKeys,
};
pub(crate) use typed::{TypedError, conversion, source, target};

use crate::net::url::RepositoryId;
use endpoint::Folders;
use error::Problems;
use overlap::Targets;
use pending::Pending;

/// A configuration that was checked and resolved.
#[derive(Clone, Debug)]
pub struct Config {
    /// The folder of all caches; that of one mirror is in its options.
    pub cache: PathBuf,
    /// What the caches may take.
    pub caches: CacheOptions,
    /// What `serve` needs.
    pub daemon: DaemonOptions,
    /// Where the queue is kept.
    pub queue: QueueOptions,
    /// What the daemons that share it are to each other.
    pub nodes: NodesOptions,
    /// When mirrors are synced.
    pub schedule: ScheduleOptions,
    /// The pages and the API.
    pub web: WebConfig,
    /// The mirrors in the order of their names. No two have the same name, the same
    /// selector, or move the same refs.
    pub mirrors: Vec<MirrorConfig>,
    /// The endpoints that hooks are sent to, in the order of their names. No two have the same path.
    /// Without any, no hook is taken.
    pub hooks: Vec<HookEndpoint>,
    /// Who is told of mirrors in trouble, in the order of their names.
    pub notify: Vec<NotifyConfig>,
    /// The rules for further mirrors.
    patterns: Vec<Pattern>,
    /// Which of the mirrors publishes where.
    targets: Targets,
    /// What is read when it is used, in the order of the keys.
    pending: Vec<Pending>,
}

impl Config {
    /// Reads and resolves the file at `path`.
    ///
    /// `credentials` is the folder that systemd passes as `$CREDENTIALS_DIRECTORY`; the caller
    /// reads the environment, not the library.
    pub fn load(path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path, credentials)
    }

    /// Resolves `text` as the contents of the file at `path`, which need not exist: it is named in
    /// errors, and relative paths start at its folder.
    pub fn parse(text: &str, path: &Path, credentials: Option<&Path>) -> Result<Self, ConfigError> {
        let mut problems = Problems::default();
        let file = file::read(text, &mut problems);
        let folder = path.parent().unwrap_or(Path::new(""));
        let config = resolve::config(file, Folders { folder, credentials }, &mut problems);
        match problems.sorted() {
            problems if problems.is_empty() => Ok(config),
            problems => Err(ConfigError::Invalid { path: path.to_owned(), problems }),
        }
    }

    /// Has this daemon do what `role` says, whatever the file does.
    pub fn take_role(&mut self, role: Role) -> Result<(), ConfigError> {
        if role != Role::All && self.queue.address.is_none() {
            return Err(ConfigError::Alone { role: role.name() });
        }
        self.daemon.role = role;
        Ok(())
    }

    /// Tries what the configuration names and a sync reads when it uses it: secrets, host keys,
    /// certificates, author maps. The result is what is wrong with them, in the order of the lines.
    pub fn check(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.pending.iter().filter_map(Pending::check).collect();
        findings.sort_by_key(|finding| finding.problem.line);
        findings
    }

    /// The files that the configuration names, in the order of the keys.
    pub fn named_files(&self) -> Vec<NamedFile> {
        self.pending.iter().filter_map(Pending::file).collect()
    }

    /// The files that a sync of the mirror called `name` reads when it uses them: secrets, host keys,
    /// certificates, its author map.
    pub fn files_of(&self, name: &str) -> Vec<PathBuf> {
        let prefix = match name.split_once('/') {
            Some((pattern, _)) => format!("patterns.{pattern}."),
            None => format!("mirrors.{name}."),
        };
        let begin = self.pending.partition_point(|pending| *pending.key < *prefix);
        let rest = self.pending.iter().skip(begin);
        let of_mirror = rest.take_while(|pending| pending.key.starts_with(&prefix));
        of_mirror.filter_map(|pending| pending.source.path().ok()).collect()
    }

    /// The mirror called `key`, which is `PATTERN/VALUES`, as one of `[patterns]` stands for it: with
    /// the key alone the mirror is known. It publishes nothing that another mirror does, and nothing
    /// that another pattern might.
    pub fn derive(&self, key: &str) -> Result<MirrorConfig, DeriveError> {
        patterns::derive(&self.patterns, &self.mirrors, &self.targets, key)
    }

    /// The keys of the mirrors whose source is `repository`, by `[patterns]`. Whether each can be used
    /// [`Config::derive`] says.
    pub fn derived_at(&self, repository: &RepositoryId) -> Vec<String> {
        patterns::keys_at(&self.patterns, repository)
    }

    /// The same, if all that is known of the source is its path on its server.
    pub fn derived_with_path(&self, path: &str) -> Vec<String> {
        patterns::keys_with_path(&self.patterns, path)
    }

    /// Whether the folder called `name`, in that of all caches, is that of a mirror: one of the file, one that a
    /// pattern stands for, or one that was renamed and has not been synced since.
    pub fn uses_cache(&self, name: &str) -> bool {
        let key = patterns::key_of_folder(name);
        self.mirror(&key).is_some()
            || self.derive(&key).is_ok()
            || self.mirrors.iter().any(|mirror| mirror.was.as_deref() == Some(name))
    }

    /// The folder of the cache of the mirror called `name`, whether it is configured or not.
    pub fn cache_of(&self, name: &str) -> PathBuf {
        patterns::folder(&self.cache, name)
    }

    /// The mirror whose cache is in the folder called `folder`, in that of all caches.
    pub fn mirror_of_cache(folder: &str) -> String {
        patterns::key_of_folder(folder)
    }

    /// Whether it has neither mirrors nor patterns, endpoints, tokens or receivers: all that is configured is how
    /// the daemon works.
    pub fn is_bare(&self) -> bool {
        let is_empty = self.is_without_mirrors() && self.hooks.is_empty();
        is_empty && self.notify.is_empty() && self.web.access.tokens.is_empty()
    }

    /// The endpoint at `/hook/<path>`.
    pub fn endpoint(&self, path: &str) -> Option<&HookEndpoint> {
        self.hooks.iter().find(|endpoint| endpoint.path == path)
    }

    /// The mirror called `name`, of the file or of one of its patterns.
    pub fn find(&self, name: &str) -> Result<Cow<'_, MirrorConfig>, DeriveError> {
        match self.mirror(name) {
            Some(mirror) => Ok(Cow::Borrowed(mirror)),
            None => self.derive(name).map(Cow::Owned),
        }
    }

    /// The rules for further mirrors, in the order of their names.
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.patterns.iter()
    }

    /// Whether it has neither mirrors nor patterns.
    pub fn is_without_mirrors(&self) -> bool {
        self.mirrors.is_empty() && self.patterns.is_empty()
    }

    /// The mirror of the file called `name`.
    pub fn mirror(&self, name: &str) -> Option<&MirrorConfig> {
        let place = self.mirrors.binary_search_by(|mirror| mirror.mirror.name.as_str().cmp(name));
        self.mirrors.get(place.ok()?)
    }
}
