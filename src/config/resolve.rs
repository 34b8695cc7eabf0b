//! What the sections of the file mean.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::error::{ProblemKind, Problems};
use super::file::{DaemonSection, File, LimitsSection, MirrorSection, Section};
use super::naming::naming;
use super::source::source;
use super::target::target;
use super::{Config, DaemonOptions, MirrorConfig, Selector};
use crate::base::Limits;
use crate::convert::AuthorMap;
use crate::convert::adoption::AdoptionPolicy;
use crate::convert::identity::IdentityChoice;
use crate::hg::ServedPhases;
use crate::mirror::{CacheLocation, ConvertOptions, Mirror};
use crate::net::TargetUrl;

/// Where caches go unless the file says so.
const CACHE: &str = "/var/cache/synchroniser";

/// An hour: longer times are a mistake in the unit.
const MAX_SECONDS: u64 = 3600;

/// The folders at which relative names start.
pub(super) struct Folders<'a> {
    /// That of the configuration file.
    pub(super) folder: &'a Path,
    /// That of the credentials, if the caller was given any.
    pub(super) credentials: Option<&'a Path>,
}

/// Resolves `file`. What is wrong is noted; the result is only to be used if nothing was.
pub(super) fn config(file: File, folders: &Folders, problems: &mut Problems) -> Config {
    let cache = folders.folder.join(file.top.value.cache.unwrap_or_else(|| CACHE.into()));
    let daemon = daemon(&file.daemon, problems);
    let limits = limits(&file.limits, problems);
    let mut selected = HashMap::new();
    let mut mirrors = Vec::new();
    for (name, section) in &file.mirrors {
        let Some(mirror) = mirror(name, section, &cache, &limits, folders, problems) else {
            continue;
        };
        let Selector { user, project } = mirror.selector.clone();
        let lower = (user.to_lowercase(), project.to_lowercase());
        if let Some(other) = selected.insert(lower, name.clone()) {
            section.wrong("", ProblemKind::SameSelector { user, project, other }, problems);
        }
        mirrors.push(mirror);
    }
    Config { cache, daemon, mirrors }
}

fn daemon(section: &Section<DaemonSection>, problems: &mut Problems) -> DaemonOptions {
    let default = DaemonOptions::default();
    let DaemonSection {
        listen,
        wait,
        max_body,
        workers,
        request_timeout,
        connections,
        stop_timeout,
    } = &section.value;
    let mut numbers = Numbers { section, problems };
    DaemonOptions {
        wait: numbers.seconds("wait", *wait, 0, default.wait),
        max_body: numbers.size("max_body", *max_body, 1 << 10..=1 << 30, default.max_body),
        workers: numbers.count("workers", *workers, 1 << 10, default.workers),
        request_timeout: numbers.seconds(
            "request_timeout",
            *request_timeout,
            1,
            default.request_timeout,
        ),
        connections: numbers.count("connections", *connections, 1 << 16, default.connections),
        stop_timeout: numbers.seconds("stop_timeout", *stop_timeout, 0, default.stop_timeout),
        listen: listen
            .as_deref()
            .and_then(|value| address(section, value, problems))
            .unwrap_or(default.listen),
    }
}

fn address(
    section: &Section<DaemonSection>,
    value: &str,
    problems: &mut Problems,
) -> Option<SocketAddr> {
    let address = value.parse().ok();
    if address.is_none() {
        let kind = ProblemKind::NotAnAddress { value: value.to_owned() };
        section.wrong("listen", kind, problems);
    }
    address
}

fn limits(section: &Section<LimitsSection>, problems: &mut Problems) -> Limits {
    let default = Limits::default();
    let LimitsSection { revision_bytes, index_bytes, metadata_bytes, text_cache_bytes } =
        &section.value;
    let mut numbers = Numbers { section, problems };
    let most = 1 << 40;
    Limits {
        revision_bytes: numbers.size(
            "revision_bytes",
            *revision_bytes,
            1..=most,
            default.revision_bytes,
        ),
        index_bytes: numbers.number("index_bytes", *index_bytes, 1..=most, default.index_bytes),
        metadata_bytes: numbers.number(
            "metadata_bytes",
            *metadata_bytes,
            1..=most,
            default.metadata_bytes,
        ),
        text_cache_bytes: numbers.size(
            "text_cache_bytes",
            *text_cache_bytes,
            0..=most,
            default.text_cache_bytes,
        ),
    }
}

/// Checks the numbers of one section.
struct Numbers<'a, T> {
    section: &'a Section<T>,
    problems: &'a mut Problems,
}

impl<T> Numbers<'_, T> {
    /// `value` if it is in `range`; without one, the default.
    fn number(
        &mut self,
        key: &str,
        value: Option<u64>,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> u64 {
        match value {
            None => default,
            Some(value) if range.contains(&value) => value,
            Some(value) => {
                let (&least, &most) = (range.start(), range.end());
                let kind = ProblemKind::OutOfRange { value, least, most };
                self.section.wrong(key, kind, self.problems);
                default
            }
        }
    }

    fn size(
        &mut self,
        key: &str,
        value: Option<u64>,
        range: RangeInclusive<u64>,
        default: usize,
    ) -> usize {
        let value = self.number(key, value, range, default as u64);
        // Only a machine of 32 bits can fail here, and there no size is larger anyway.
        usize::try_from(value).unwrap_or(usize::MAX)
    }

    fn count(
        &mut self,
        key: &str,
        value: Option<u64>,
        most: u64,
        default: NonZeroUsize,
    ) -> NonZeroUsize {
        NonZeroUsize::new(self.size(key, value, 1..=most, default.get())).unwrap_or(default)
    }

    fn seconds(
        &mut self,
        key: &str,
        value: Option<u64>,
        least: u64,
        default: Duration,
    ) -> Duration {
        Duration::from_secs(self.number(key, value, least..=MAX_SECONDS, default.as_secs()))
    }
}

/// One mirror; `None` if its section cannot be used.
fn mirror(
    name: &str,
    section: &Section<MirrorSection>,
    cache: &Path,
    limits: &Limits,
    folders: &Folders,
    problems: &mut Problems,
) -> Option<MirrorConfig> {
    if !is_plain_name(name) {
        section.wrong("", ProblemKind::BadMirrorName, problems);
    }
    for (key, value) in [("source", &section.value.source), ("target", &section.value.target)] {
        if value.is_none() && !section.sets(key) {
            section.wrong(key, ProblemKind::Missing, problems);
        }
    }
    // All are looked at before the first that is missing ends it.
    let source = source(section, folders, problems);
    let options = ConvertOptions {
        identity: identity(section, problems),
        adopt: adopt(section, problems),
        authors: authors(section, folders, problems).into(),
        phases: phases(section, problems),
        naming: naming(section, problems),
        notes: section.value.notes.unwrap_or(false),
        limits: limits.clone(),
        skip_damaged: section.value.skip_damaged.unwrap_or_default(),
        verify: section.value.verify.unwrap_or_default(),
    };
    let target = target(section, folders, problems);
    let selector = selector(section, target.as_ref().map(|target| &target.url), problems);
    let mirror = Mirror {
        name: name.to_owned(),
        source: source?,
        cache: CacheLocation::Folder(cache.join(name)),
        target: Some(target?),
        options,
    };
    Some(MirrorConfig { mirror, selector: selector? })
}

/// The identity, or the default one where what is written is none.
fn identity(section: &Section<MirrorSection>, problems: &mut Problems) -> IdentityChoice {
    let written = section.value.identity.as_deref().map(IdentityChoice::named);
    written.unwrap_or(Ok(IdentityChoice::Auto)).unwrap_or_else(|source| {
        section.wrong("identity", ProblemKind::UnknownIdentity { source }, problems);
        IdentityChoice::Auto
    })
}

/// What is done with a target whose history is another one.
fn adopt(section: &Section<MirrorSection>, problems: &mut Problems) -> AdoptionPolicy {
    let Some(written) = section.value.adopt.as_deref() else { return AdoptionPolicy::default() };
    AdoptionPolicy::named(written).unwrap_or_else(|| {
        let kind = ProblemKind::UnknownAdoption { value: written.to_owned() };
        section.wrong("adopt", kind, problems);
        AdoptionPolicy::default()
    })
}

/// The author map, read.
fn authors(
    section: &Section<MirrorSection>,
    folders: &Folders,
    problems: &mut Problems,
) -> AuthorMap {
    let Some(path) = &section.value.author_map else { return AuthorMap::default() };
    AuthorMap::read(&folders.folder.join(path)).unwrap_or_else(|source| {
        section.wrong("author_map", ProblemKind::AuthorMap { source }, problems);
        AuthorMap::default()
    })
}

/// Which changesets the source is taken to serve.
fn phases(section: &Section<MirrorSection>, problems: &mut Problems) -> ServedPhases {
    let Some(written) = section.value.phases.as_deref() else { return ServedPhases::default() };
    ServedPhases::named(written).unwrap_or_else(|| {
        let kind = ProblemKind::UnknownPhases { value: written.to_owned() };
        section.wrong("phases", kind, problems);
        ServedPhases::default()
    })
}

/// Which hooks mean this mirror: what the section says, and else what the target is called.
fn selector(
    section: &Section<MirrorSection>,
    target: Option<&TargetUrl>,
    problems: &mut Problems,
) -> Option<Selector> {
    let owner = target.and_then(TargetUrl::owner);
    let repository = target.and_then(TargetUrl::project);
    let mut part = |key: &str, written: &Option<String>, told: Option<&str>| {
        let kind = match (written.as_deref(), told) {
            (Some(""), _) => ProblemKind::Empty,
            (Some(written), _) => return Some(written.to_owned()),
            (None, Some(told)) => return Some(told.to_owned()),
            // The target is wrong or not there at all, and that was said.
            (None, None) if target.is_none() || section.sets(key) => return None,
            (None, None) => ProblemKind::NoSelector,
        };
        section.wrong(key, kind, problems);
        None
    };
    let user = part("user", &section.value.user, owner);
    let project = part("project", &section.value.project, repository);
    Some(Selector { user: user?, project: project? })
}

/// Whether `name` is the name of one file and can be nothing else: no path, no option, not hidden.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_says_what_the_defaults_are() {
        let config = Config::parse(super::super::DEFAULT, Path::new("/etc/x.toml"), None).unwrap();
        assert_eq!(config.daemon, DaemonOptions::default());
        assert_eq!(config.cache, Path::new(CACHE));
        assert!(config.mirrors.is_empty());
        let (mut problems, mut unset) = (Problems::default(), Problems::default());
        let file = super::super::file::read(super::super::DEFAULT, &mut problems);
        assert_eq!(limits(&file.limits, &mut problems), Limits::default());
        assert_eq!(limits(&Section::default(), &mut unset), Limits::default());
        assert_eq!(daemon(&Section::default(), &mut unset), DaemonOptions::default());
    }

    #[test]
    fn plain_names() {
        for name in ["rocket", "a.b_c-D9", "x"] {
            assert!(is_plain_name(name), "{name:?}");
        }
        for name in ["", ".", "..", ".x", "-x", "a/b", "a b", "ä", &"x".repeat(101)] {
            assert!(!is_plain_name(name), "{name:?}");
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
