//! What the sections of the file mean.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::Path;
use std::time::Duration;

use super::endpoint::{Folders, Resolver};
use super::error::Problems;
use super::file::{File, MirrorTable, PatternTable, Section};
use super::hooks;
use super::naming::naming;
use super::notify;
use super::overlap::Targets;
use super::patterns::{self, Pattern, Surroundings};
use super::pending::{Pending, What};
use super::problem::ProblemKind;
use super::sections::nodes::NodesKeys;
use super::sections::{
    CareKeys, CommitKeys, DaemonKeys, HistoryKeys, LimitsKeys, MirrorKeys, PublishKeys, QueueKeys,
    SQLITE, ScheduleKeys, ServiceKeys, TopKeys, is_plain_name,
};
use super::web;
use super::{
    CacheOptions, Config, DaemonOptions, MirrorConfig, NodesOptions, QueueOptions, Role,
    ScheduleOptions, Selector,
};
use crate::base::Limits;
use crate::convert::adoption::AdoptionPolicy;
use crate::convert::identity::IdentityChoice;
use crate::convert::{SliceLimits, Verify};
use crate::hg::ServedPhases;
use crate::mirror::{CacheLocation, ConvertOptions, Divergence, Mirror, Prune, PublishRules};
use crate::net::{SecretSource, TargetUrl};

/// Where caches go unless the file says so.
const CACHE: &str = "/var/cache/synchroniser";
/// In seconds.
const HOUR: u64 = 3600;

/// Resolves `file`. What is wrong is noted; the result is only to be used if nothing was.
pub(super) fn config(mut file: File, folders: Folders<'_>, problems: &mut Problems) -> Config {
    let caches = caches(&file.top.value);
    let surroundings = surroundings(&mut file, folders);
    let mut selected = HashMap::new();
    let mut pending = Vec::new();
    let mut mirrors = Vec::with_capacity(file.mirrors.len());
    let mut targets = Targets::default();
    // There may be thousands, and each table is done with once it is resolved.
    for (name, table) in std::mem::take(&mut file.mirrors) {
        if !is_plain_name(&name) {
            table.keys.wrong("", ProblemKind::BadMirrorName, problems);
        }
        let resolver = Resolver { folders, problems, pending: &mut pending };
        let Some(mirror) = mirror(&name, &table, &surroundings, resolver) else { continue };
        if let Some(Selector { user, project }) = mirror.selector.clone() {
            let lower = (user.to_lowercase(), project.to_lowercase());
            if let Some(other) = selected.insert(lower, name) {
                table.keys.wrong("", ProblemKind::SameSelector { user, project, other }, problems);
            }
        }
        if let Some(kind) = targets.find(&mirrors, &mirror) {
            table.keys.wrong("target", kind, problems);
        }
        targets.add(mirrors.len(), &mirror);
        mirrors.push(mirror);
    }
    let pattern = |(name, table): (String, PatternTable)| {
        let resolver = Resolver { folders, problems, pending: &mut pending };
        Pattern::new(&name, table, &surroundings, resolver)
    };
    let patterns = file.patterns.into_iter().filter_map(pattern).collect();
    let daemon = daemon(&file.daemon.value, folders.folder);
    let schedule = schedule(&file.schedule.value);
    let web = web::web(&file.web, &file.tokens, problems);
    let resolver = Resolver { folders, problems, pending: &mut pending };
    let notify = notify::receivers(&file.notify, resolver);
    let queue = queue(&file.queue, Resolver { folders, problems, pending: &mut pending });
    let resolver = Resolver { folders, problems, pending: &mut pending };
    let nodes = nodes(&file.nodes, queue.address.is_some(), resolver);
    check_shared(&file.daemon, &daemon, &queue, problems);
    let cache = surroundings.cache;
    let mut config = Config {
        cache,
        caches,
        daemon,
        queue,
        nodes,
        schedule,
        web,
        mirrors,
        hooks: Vec::new(),
        notify,
        patterns,
        targets,
        pending,
    };
    hooks::resolve(&mut config, &file.hooks, folders, problems);
    config.pending.sort_by(|one, other| one.key.cmp(&other.key));
    config
}

/// What all mirrors have in common.
fn surroundings(file: &mut File, folders: Folders<'_>) -> Surroundings {
    Surroundings {
        is_shared: file.queue.value.store.as_deref().is_some_and(|store| store != SQLITE),
        cache: folders.folder.join(file.top.value.cache.take().unwrap_or_else(|| CACHE.into())),
        limits: limits(&file.limits.value),
        slice: SliceLimits::within(memory(&file.limits.value)),
        folder: folders.folder.to_owned(),
        credentials: folders.credentials.map(Path::to_owned),
    }
}

/// What is left to other daemons needs a queue that they share.
fn check_shared(
    section: &Section<DaemonKeys>,
    daemon: &DaemonOptions,
    queue: &QueueOptions,
    problems: &mut Problems,
) {
    if queue.address.is_none() && daemon.role != Role::All {
        section.wrong("role", ProblemKind::NotShared, problems);
    }
}

fn caches(keys: &TopKeys) -> CacheOptions {
    let default = CacheOptions::default();
    let quota = keys.cache_quota.map(|gibibytes| gibibytes.saturating_mul(1 << 30));
    let unused = keys.cache_unused.map(days_of).or(default.unused);
    CacheOptions {
        quota: quota.filter(|quota| *quota > 0).or(default.quota),
        unused: unused.filter(|unused| !unused.is_zero()),
        reserve: keys
            .cache_reserve
            .map_or(default.reserve, |mebibytes| mebibytes.saturating_mul(1 << 20)),
        compact: keys.cache_compact.unwrap_or(default.compact),
    }
}

fn daemon(keys: &DaemonKeys, folder: &Path) -> DaemonOptions {
    let default = DaemonOptions::default();
    let listen = keys.listen.as_deref().and_then(|listen| listen.parse().ok());
    DaemonOptions {
        role: keys.role.as_deref().and_then(Role::named).unwrap_or_default(),
        listen: listen.unwrap_or(default.listen),
        wait: seconds(keys.wait, default.wait),
        max_body: size(keys.max_body, default.max_body),
        workers: count(keys.workers, default.workers),
        long_workers: count(keys.long_workers, default.long_workers),
        state: keys.state.as_ref().map_or(default.state, |state| folder.join(state)),
        socket: match &keys.socket {
            Some(socket) if socket.as_os_str() == "none" => None,
            Some(socket) => Some(folder.join(socket)),
            None => default.socket,
        },
        history: days(keys.history, default.history),
        hooks_a_minute: keys.hooks_a_minute.unwrap_or(default.hooks_a_minute),
        request_timeout: seconds(keys.request_timeout, default.request_timeout),
        connections: count(keys.connections, default.connections),
        stop_timeout: seconds(keys.stop_timeout, default.stop_timeout),
    }
}

fn queue(section: &Section<QueueKeys>, mut resolver: Resolver<'_>) -> QueueOptions {
    let keys = &section.value;
    let password = resolver.secret(
        section,
        What::Token,
        ("password_file", &keys.password_file),
        ("password_credential", &keys.password_credential),
    );
    let ca_file = resolver.certificates(section, keys.ca_file.as_ref());
    let address = keys.store.clone().filter(|store| store != SQLITE);
    let lease = seconds(keys.lease, QueueOptions::default().lease);
    QueueOptions { address, password, ca_file, lease }
}

fn nodes(
    section: &Section<NodesKeys>,
    is_shared: bool,
    mut resolver: Resolver<'_>,
) -> NodesOptions {
    let NodesKeys { url, secret_file, secret_credential, ca_file, plain_http } = &section.value;
    let secret = resolver.secret(
        section,
        What::Token,
        ("secret_file", secret_file),
        ("secret_credential", secret_credential),
    );
    let ca_file = resolver.certificates(section, ca_file.as_ref());
    let plain_http = plain_http.unwrap_or_default();
    let has_url = section.sets("url");
    if (has_url || secret.is_some()) && !is_shared {
        let key = if has_url { "url" } else { "secret_file" };
        section.wrong(key, ProblemKind::NotShared, resolver.problems);
    }
    if has_url && secret.is_none() && !section.sets("secret_credential") {
        section.wrong("secret_file", ProblemKind::Missing, resolver.problems);
    }
    if url.as_deref().is_some_and(NodesOptions::is_plain) && !plain_http {
        let expected = "https://…: set `plain_http = true` to allow http://";
        section.wrong("url", ProblemKind::WrongType { expected }, resolver.problems);
    }
    NodesOptions { url: url.clone(), secret, ca_file, plain_http }
}

fn schedule(keys: &ScheduleKeys) -> ScheduleOptions {
    let default = ScheduleOptions::default();
    let shortest = seconds(keys.shortest, default.shortest);
    ScheduleOptions {
        debounce: seconds(keys.debounce, default.debounce),
        longest_debounce: seconds(keys.longest_debounce, default.longest_debounce),
        shortest,
        longest: seconds(keys.longest, default.longest).max(shortest),
        per_source_host: count(keys.per_source_host, default.per_source_host),
        per_target_host: count(keys.per_target_host, default.per_target_host),
        per_target_owner: count(keys.per_target_owner, default.per_target_owner),
        per_target_minute: count(keys.per_target_minute, default.per_target_minute),
        stale: seconds(keys.stale.map(|hours| hours.saturating_mul(HOUR)), default.stale),
    }
}

fn limits(keys: &LimitsKeys) -> Limits {
    let default = Limits::default();
    let part = Limits::part_of(memory(keys), default.text_cache_bytes as u64);
    let texts = keys.text_cache_bytes.unwrap_or(part);
    Limits {
        revision_bytes: size(keys.revision_bytes, default.revision_bytes),
        index_bytes: keys.index_bytes.unwrap_or(default.index_bytes),
        metadata_bytes: keys.metadata_bytes.unwrap_or(default.metadata_bytes),
        text_cache_bytes: size(Some(texts), default.text_cache_bytes),
    }
}

/// What a sync may take for what it works on, in bytes.
fn memory(keys: &LimitsKeys) -> u64 {
    keys.memory_bytes.unwrap_or(Limits::WORKING_BYTES)
}

fn size(written: Option<u64>, default: usize) -> usize {
    // Only a machine of 32 bits can fail here, and there no size is larger anyway.
    written.map_or(default, |size| usize::try_from(size).unwrap_or(usize::MAX))
}

fn count(written: Option<u64>, default: NonZeroUsize) -> NonZeroUsize {
    NonZeroUsize::new(size(written, default.get())).unwrap_or(default)
}

fn seconds(written: Option<u64>, default: Duration) -> Duration {
    written.map_or(default, Duration::from_secs)
}

fn days(written: Option<u64>, default: Duration) -> Duration {
    written.map_or(default, days_of)
}

fn days_of(days: u64) -> Duration {
    Duration::from_secs(days.saturating_mul(24 * HOUR))
}

/// One mirror; `None` if its table cannot be used.
pub(super) fn mirror(
    name: &str,
    table: &MirrorTable,
    surroundings: &Surroundings,
    mut resolver: Resolver<'_>,
) -> Option<MirrorConfig> {
    let MirrorTable { keys: section, source, target } = table;
    let Surroundings { cache, limits, slice, .. } = surroundings;
    for (key, end) in [("source", source), ("target", target)] {
        if end.is_none() && !section.sets(key) {
            section.wrong(key, ProblemKind::Missing, resolver.problems);
        }
    }
    // All are looked at before the first that is missing ends it.
    let source = source.as_ref().and_then(|section| resolver.source(section));
    let target = target.as_ref().and_then(|section| resolver.target(section));
    let forge = match (&table.target, &target) {
        (Some(section), Some(target)) => resolver.forge(section, target),
        _ => None,
    };
    let author_map = section.value.commits.author_map.as_ref();
    let author_map = author_map.map(|path| resolver.folders.folder.join(path));
    if let Some(path) = &author_map {
        let (line, key) = (section.line_of("author_map"), section.full_name("author_map"));
        let source = SecretSource::File(path.clone());
        resolver.pending.push(Pending { line, key, what: What::AuthorMap, source });
    }
    let url = target.as_ref().map(|target| &target.url);
    let selector = selector(section, url, resolver.problems);
    let mirror = Mirror {
        name: name.to_owned(),
        source: source?,
        cache: CacheLocation::Folder(patterns::folder(cache, name)),
        target: Some(target?),
        forge,
        options: ConvertOptions {
            limits: limits.clone(),
            slice: *slice,
            ..convert(&section.value)
        },
        publish: publish(&section.value.publish),
    };
    let ServiceKeys { owner, nodes, was } = section.value.service.clone();
    let nodes = nodes_of(section, nodes.unwrap_or_default(), surroundings, resolver.problems);
    Some(MirrorConfig { mirror, author_map, selector, owner, nodes, was })
}

/// The machines that alone may sync a mirror, in the order of their names.
fn nodes_of(
    section: &Section<MirrorKeys>,
    mut nodes: Vec<String>,
    surroundings: &Surroundings,
    problems: &mut Problems,
) -> Vec<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "._-*?".contains(c);
    if nodes.iter().any(|node| node.is_empty() || !node.chars().all(is_name)) {
        let expected = "names of machines, in which `*` and `?` may stand for others";
        section.wrong("nodes", ProblemKind::WrongType { expected }, problems);
    }
    if !nodes.is_empty() && !surroundings.is_shared {
        section.wrong("nodes", ProblemKind::NotShared, problems);
    }
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

/// What a mirror's keys say of its conversion. The author map is not read.
fn convert(keys: &MirrorKeys) -> ConvertOptions {
    let MirrorKeys { commits, history, naming: names, care, .. } = keys;
    let CareKeys { skip_damaged, verify } = care;
    ConvertOptions {
        naming: naming(names),
        skip_damaged: skip_damaged.unwrap_or_default(),
        verify: match verify.as_deref() {
            Some("off") => Verify::Off,
            _ => Verify::New,
        },
        ..commit_options(commits, history)
    }
}

/// What may be done to what is published: words that no choice has were refused before.
pub(crate) fn publish(keys: &PublishKeys) -> PublishRules {
    let PublishKeys { divergence, backup, prune } = keys;
    PublishRules {
        divergence: divergence.as_deref().and_then(Divergence::named).unwrap_or_default(),
        backup: backup.unwrap_or_default(),
        prune: prune.as_deref().and_then(Prune::named).unwrap_or_default(),
        ..PublishRules::default()
    }
}

/// What the keys about commits mean: words that no choice has were refused before.
pub(super) fn commit_options(commits: &CommitKeys, history: &HistoryKeys) -> ConvertOptions {
    let identity = commits.identity.as_deref().map(IdentityChoice::named);
    ConvertOptions {
        identity: identity.and_then(Result::ok).unwrap_or_default(),
        phases: commits.phases.as_deref().and_then(ServedPhases::named).unwrap_or_default(),
        adopt: history.adopt.as_deref().and_then(AdoptionPolicy::named).unwrap_or_default(),
        notes: history.notes.unwrap_or_default(),
        ..ConvertOptions::default()
    }
}

/// Which hooks mean this mirror: what the section says, and else what the target is called. `None`
/// if neither says anything: no hook selects the mirror then.
fn selector(
    section: &Section<MirrorKeys>,
    target: Option<&TargetUrl>,
    problems: &mut Problems,
) -> Option<Selector> {
    let keys = &section.value.hooks;
    let told = |name: Option<&str>| name.map(str::to_owned);
    let user = keys.user.clone().or_else(|| told(target?.owner()));
    let project = keys.project.clone().or_else(|| told(target?.project()));
    if target.is_some() {
        for (key, value, other) in [("user", &user, "project"), ("project", &project, "user")] {
            if value.is_none() && !section.sets(key) && section.sets(other) {
                section.wrong(key, ProblemKind::HalfASelector { other }, problems);
            }
        }
    }
    Some(Selector { user: user?, project: project? })
}

#[cfg(test)]
mod tests {
    use super::super::sections::EndpointKeys;
    use super::super::{file, keys::Keys, template};
    use super::*;
    use crate::net::Timeouts;

    #[test]
    fn the_template_says_what_the_defaults_are() {
        let config = Config::parse(&template(), Path::new("/etc/x.toml"), None).unwrap();
        assert_eq!(config.daemon, DaemonOptions::default());
        assert_eq!(config.cache, Path::new(CACHE));
        assert_eq!(config.caches, CacheOptions::default());
        assert_eq!(caches(&TopKeys::default()), CacheOptions::default());
        assert!(config.mirrors.is_empty());
        let mut problems = Problems::default();
        let file = file::read(&template(), &mut problems);
        assert_eq!(limits(&file.limits.value), Limits::default());
        assert_eq!(limits(&LimitsKeys::default()), Limits::default());
        assert_eq!(daemon(&DaemonKeys::default(), Path::new("")), DaemonOptions::default());
        assert_eq!(config.schedule, ScheduleOptions::default());
        assert_eq!(schedule(&ScheduleKeys::default()), ScheduleOptions::default());
    }

    /// What the definition says of defaults is what holds without the key.
    #[test]
    fn defaults_of_mirrors_are_what_holds() {
        let mut written = MirrorKeys::default();
        let text = |key: &super::super::keys::Key| {
            let default =
                key.default.filter(|_| !matches!(key.name, "skip_damaged" | "notes" | "backup"))?;
            Some(default.trim_matches('"').to_owned())
        };
        for key in MirrorKeys::keys() {
            if let Some(default) = text(key) {
                written
                    .set(key.name, super::super::keys::Value::Typed(vec![default.into()]))
                    .unwrap();
            }
        }
        let all = |keys: &MirrorKeys| (convert(keys), publish(&keys.publish));
        let (written, without) = (all(&written), all(&MirrorKeys::default()));
        assert_eq!(format!("{written:?}"), format!("{without:?}"));
        let timeouts = Timeouts::default();
        for (key, expected) in [
            ("connect_timeout", timeouts.connect),
            ("answer_timeout", timeouts.first_byte),
            ("idle_timeout", timeouts.idle),
        ] {
            let default = EndpointKeys::key(key).unwrap().default.unwrap();
            assert_eq!(default, expected.as_secs().to_string(), "{key}");
        }
    }

    #[test]
    fn selectors_ignore_case() {
        let selector = Selector { user: "Acme".into(), project: "Rocket-Größe".into() };
        assert!(selector.matches("aCME", "ROCKET-GRÖßE"));
        assert!(!selector.matches("acme", "rocket"));
        assert!(!selector.matches("rocket-größe", "acme"));
    }
}
