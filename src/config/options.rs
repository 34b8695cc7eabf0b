//! What a configuration resolves into, beside the options that the layers below define.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::text::named;
use crate::convert::{AuthorMap, AuthorMapError};
use crate::hg::pull::Source;
use crate::mirror::Mirror;
use crate::net::SecretSource;
use crate::net::http::WebAddress;
use crate::net::url::{RepositoryId, Scheme};

/// What a daemon does of all that there is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// It takes hooks, shows pages, and syncs.
    #[default]
    All,
    /// It takes hooks and shows pages, and syncs nothing.
    Front,
    /// It syncs, and takes no hooks and shows no pages.
    Work,
}

impl Role {
    /// All of them, with their names in the configuration.
    pub const ALL: [(&'static str, Self); 3] =
        [("all", Self::All), ("front", Self::Front), ("work", Self::Work)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Self> {
        named(&Self::ALL, name)
    }

    /// Whether it runs syncs.
    pub fn syncs(self) -> bool {
        self != Self::Front
    }

    /// Whether it takes hooks and shows pages.
    pub fn serves(self) -> bool {
        self != Self::Work
    }
}

/// What the daemon needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonOptions {
    /// What it does.
    pub role: Role,
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// How long a hook is kept waiting for its sync.
    pub wait: Duration,
    /// The largest request body in bytes.
    pub max_body: usize,
    /// How many mirrors are synced at the same time.
    pub workers: NonZeroUsize,
    /// How many long syncs run at the same time, beside these.
    pub long_workers: NonZeroUsize,
    /// The folder of the queue and of the history.
    pub state: PathBuf,
    /// The socket for administrators on this machine, if there is one.
    pub socket: Option<PathBuf>,
    /// How long the history is kept.
    pub history: Duration,
    /// How many hooks one address may send in a minute.
    pub hooks_a_minute: u64,
    /// How long a sender may take for its head, and again for its body.
    pub request_timeout: Duration,
    /// How many connections are served at the same time.
    pub connections: NonZeroUsize,
    /// How long running syncs may take to end when the daemon is told to stop.
    pub stop_timeout: Duration,
}

impl Default for DaemonOptions {
    fn default() -> Self {
        Self {
            role: Role::All,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8377)),
            wait: Duration::from_secs(10),
            max_body: 1 << 20,
            workers: const { NonZeroUsize::new(8).unwrap() },
            long_workers: const { NonZeroUsize::new(2).unwrap() },
            state: PathBuf::from("/var/lib/synchroniser"),
            socket: Some(PathBuf::from("/run/synchroniser/admin.sock")),
            history: Duration::from_hours(90 * 24),
            hooks_a_minute: 600,
            request_timeout: Duration::from_secs(10),
            connections: const { NonZeroUsize::new(256).unwrap() },
            stop_timeout: Duration::from_secs(30),
        }
    }
}

/// What the caches may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// How many bytes all of them may take; `None` sets no limit.
    pub quota: Option<u64>,
    /// How long the cache of a mirror is kept that is configured no more; `None` is for ever.
    pub unused: Option<Duration>,
    /// How many bytes of their disk stay free.
    pub reserve: u64,
    /// Whether their packs are made smaller.
    pub compact: bool,
}

impl Default for CacheOptions {
    fn default() -> Self {
        let unused = Some(Duration::from_hours(30 * 24));
        Self { quota: None, unused, reserve: 100 << 20, compact: true }
    }
}

/// Where the queue is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// The address of a PostgreSQL database; `None` is a file in the folder of the daemon.
    pub address: Option<String>,
    /// The password of the database.
    pub password: Option<SecretSource>,
    /// Certificates that are trusted instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// How long a claim holds that is not renewed.
    pub lease: Duration,
}

impl Default for QueueOptions {
    fn default() -> Self {
        // Longer than any pause of a healthy process.
        Self { address: None, password: None, ca_file: None, lease: Duration::from_mins(2) }
    }
}

/// What daemons that share a queue are to each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodesOptions {
    /// Where the others reach this daemon, with [`NODE`] for the name of its machine.
    pub(super) url: Option<String>,
    /// The secret that they have in common.
    pub secret: Option<SecretSource>,
    /// Certificates that are trusted instead of those of the system.
    pub ca_file: Option<PathBuf>,
    /// Whether they are reached without encryption.
    pub plain_http: bool,
}

/// What stands for the name of a machine.
const NODE: &str = "{node}";

impl NodesOptions {
    /// Whether daemons can be reached at `url`.
    pub(super) fn is_url(url: &str) -> bool {
        let address = WebAddress::parse(&url.replace(NODE, "node"));
        address.is_ok_and(|WebAddress { server, query }| {
            let is_web = matches!(server.scheme, Scheme::Https | Scheme::Http);
            is_web && server.user.is_none() && query.is_none()
        })
    }

    /// Whether anybody on the path to `url` can read what comes from there.
    pub(super) fn is_plain(url: &str) -> bool {
        let address = WebAddress::parse(&url.replace(NODE, "node"));
        address.is_ok_and(|address| address.server.scheme == Scheme::Http)
    }

    /// Where the others reach the daemon of the machine called `node`.
    pub fn url_of(&self, node: &str) -> Option<String> {
        // Whoever has no secret gives nothing.
        let url = self.url.as_ref().filter(|_| self.secret.is_some())?;
        Some(url.replace(NODE, node))
    }
}

/// When mirrors are synced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduleOptions {
    /// How long a hook waits for further ones.
    pub debounce: Duration,
    /// How long further ones can put it off.
    pub longest_debounce: Duration,
    /// How long until a mirror is looked at again although nobody asks, at the earliest.
    pub shortest: Duration,
    /// The same, at the latest.
    pub longest: Duration,
    /// How many syncs read from one host at the same time.
    pub per_source_host: NonZeroUsize,
    /// How many syncs publish to one host at the same time.
    pub per_target_host: NonZeroUsize,
    /// How many syncs of one owner's mirrors publish to one host at the same time.
    pub per_target_owner: NonZeroUsize,
    /// How many syncs to one target begin within a minute.
    pub per_target_minute: NonZeroUsize,
    /// How long a mirror may have no success before it counts as stale.
    pub stale: Duration,
}

impl Default for ScheduleOptions {
    fn default() -> Self {
        Self {
            debounce: Duration::from_secs(2),
            longest_debounce: Duration::from_secs(15),
            shortest: Duration::from_mins(5),
            longest: Duration::from_hours(6),
            per_source_host: const { NonZeroUsize::new(4).unwrap() },
            per_target_host: const { NonZeroUsize::new(8).unwrap() },
            per_target_owner: const { NonZeroUsize::new(8).unwrap() },
            per_target_minute: const { NonZeroUsize::new(6).unwrap() },
            stale: Duration::from_hours(24),
        }
    }
}

/// One configured mirror: what to sync, and which hooks ask for it.
#[derive(Clone, Debug)]
pub struct MirrorConfig {
    /// What a sync of it needs, all but its author map: see [`MirrorConfig::ready`].
    pub mirror: Mirror,
    /// Its author map.
    pub author_map: Option<PathBuf>,
    /// Which hooks ask for it; `None` if none does.
    pub selector: Option<Selector>,
    /// Whose it is, if the file says so.
    pub owner: Option<String>,
    /// Patterns over the names of the machines that alone may sync it; any may if there are none.
    pub nodes: Vec<String>,
    /// The name that it had before.
    pub was: Option<String>,
}

impl MirrorConfig {
    /// Whose it is: what the file says, and else the owner of the target's repository. Empty if
    /// neither tells.
    pub fn owner(&self) -> &str {
        let target = || self.mirror.target.as_ref()?.url.owner();
        self.owner.as_deref().or_else(target).unwrap_or_default()
    }

    /// The repository that its source is.
    pub fn source(&self) -> RepositoryId {
        match &self.mirror.source {
            Source::Path(path) => RepositoryId::local(path),
            Source::Server { url, .. } => RepositoryId::of_source(url),
        }
    }

    /// What a sync needs that begins now: with the author map as it is now.
    pub fn ready(&self) -> Result<Mirror, AuthorMapError> {
        let mut mirror = self.mirror.clone();
        if let Some(path) = &self.author_map {
            mirror.options.authors = AuthorMap::read(path)?.into();
        }
        Ok(mirror)
    }
}

/// The user and the project by which a hook finds its mirror.
///
/// A hook may name any; it only ever selects among those configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The user or group, as the operator spells it.
    pub user: String,
    /// The project, as the operator spells it.
    pub project: String,
}

impl Selector {
    /// Whether `user` and `project` mean this one. Forges take upper and lower case as the same in
    /// both, so a hook may too.
    pub fn matches(&self, user: &str, project: &str) -> bool {
        let same = |a: &str, b: &str| a.to_lowercase() == b.to_lowercase();
        same(&self.user, user) && same(&self.project, project)
    }
}
