//! Which mirrors a hook asks for. Whatever it says, it chooses among those that are configured or that a
//! pattern stands for, and among these by their names, their selectors and their sources, never by a
//! target.

use std::collections::HashMap;

use crate::config::{Config, DeriveError, HookEndpoint, Selector};
use crate::hook::{PushEvent, form};
use crate::net::url::RepositoryId;

/// What a push asks for.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The keys of mirrors, in their order, each once. Without any, the push is about something that is
    /// not mirrored here.
    pub(crate) keys: Vec<String>,
    /// Why mirrors cannot be used that patterns stand for: something is wrong with the configuration.
    pub(crate) refused: Vec<DeriveError>,
}

/// The configured mirrors by what a push can say of them. Made once for each configuration.
#[derive(Debug, Default)]
pub(crate) struct MirrorIndex {
    sources: HashMap<RepositoryId, Vec<String>>,
    /// By the path of the source on its server, in lower case.
    paths: HashMap<String, Vec<String>>,
    /// By user and project, in lower case.
    selectors: HashMap<(String, String), String>,
}

impl MirrorIndex {
    /// That of `config`.
    pub(crate) fn of(config: &Config) -> Self {
        let mut index = Self::default();
        for mirror in &config.mirrors {
            let name = &mirror.mirror.name;
            let source = mirror.source();
            if let RepositoryId::Remote { path, .. } = &source {
                index.paths.entry(path.to_lowercase()).or_default().push(name.clone());
            }
            index.sources.entry(source).or_default().push(name.clone());
            if let Some(Selector { user, project }) = &mirror.selector {
                index.selectors.insert(selector(user, project), name.clone());
            }
        }
        index
    }

    /// The mirrors that `push` asks for at `endpoint`, with this query behind its address.
    ///
    /// What is most precise decides, and the rest is not looked at: the name of a mirror; `?user=` and
    /// `&project=`; the address of the source; its owner and its slug as a selector; its path, if its
    /// server is not told. A push that says nothing at all is one of the mirrors that the endpoint lists
    /// by their whole names.
    pub(crate) fn resolve(
        &self,
        config: &Config,
        endpoint: &HookEndpoint,
        query: &str,
        push: &PushEvent,
    ) -> Resolved {
        let chosen = Chosen::of(query);
        let mut candidates = match &push.mirror {
            Some(name) => vec![name.clone()],
            None if !chosen.is_empty() => self.chosen(config, &chosen, push),
            None if push.names_a_repository() => self.named(config, push),
            None => endpoint.listed().map(str::to_owned).collect(),
        };
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|key| endpoint.may_ask_for(key));
        let mut resolved = Resolved::default();
        for key in candidates {
            if config.mirror(&key).is_some() {
                resolved.keys.push(key);
                continue;
            }
            match config.derive(&key) {
                Ok(_) => resolved.keys.push(key),
                Err(DeriveError::NoPattern { .. } | DeriveError::NotAllowed { .. }) => {}
                Err(error) => resolved.refused.push(error),
            }
        }
        resolved
    }

    /// The mirror that the query selects. That of a pattern is known by its source alone, so the query
    /// can only say the same once more.
    fn chosen(&self, config: &Config, chosen: &Chosen, push: &PushEvent) -> Vec<String> {
        let [Some(user), Some(project)] = chosen.selected(push) else { return Vec::new() };
        if let Some(name) = self.selectors.get(&selector(user, project)) {
            return vec![name.clone()];
        }
        let mut derived = derived(config, push);
        derived.retain(|key| {
            let selector = config.derive(key).ok().and_then(|mirror| mirror.selector);
            selector.is_some_and(|selector| selector.matches(user, project))
        });
        derived
    }

    /// The mirrors of the repository that a push is about.
    fn named(&self, config: &Config, push: &PushEvent) -> Vec<String> {
        let sources = sources(push);
        let at = sources.iter().filter_map(|source| self.sources.get(source)).flatten();
        let found: Vec<String> =
            at.cloned().chain(sources.iter().flat_map(|it| config.derived_at(it))).collect();
        if !found.is_empty() {
            return found;
        }
        if let (Some(owner), Some(slug)) = (&push.owner, &push.slug)
            && let Some(name) = self.selectors.get(&selector(owner, slug))
        {
            return vec![name.clone()];
        }
        let Some(path) = push.path.as_ref().filter(|_| sources.is_empty()) else {
            return Vec::new();
        };
        let found = self.paths.get(&path.to_lowercase()).into_iter().flatten().cloned();
        found.chain(config.derived_with_path(path)).collect()
    }
}

/// The user and the project that a query selects.
pub(super) struct Chosen {
    user: Option<String>,
    project: Option<String>,
}

impl Chosen {
    pub(super) fn of(query: &str) -> Self {
        let value = |name| {
            let value = form::field(query.as_bytes(), name).filter(|value| !value.is_empty());
            value.map(|value| String::from_utf8_lossy(&value).into_owned())
        };
        Self { user: value("user"), project: value("project") }
    }

    fn is_empty(&self) -> bool {
        self.user.is_none() && self.project.is_none()
    }

    /// The user and the project that are selected: those of the query, and else the owner and the slug of
    /// the repository.
    pub(super) fn selected<'c>(&'c self, push: &'c PushEvent) -> [Option<&'c String>; 2] {
        let user = self.user.as_ref().or(push.owner.as_ref());
        [user, self.project.as_ref().or(push.slug.as_ref())]
    }
}

/// Where a push says that the repository is.
fn sources(push: &PushEvent) -> Vec<RepositoryId> {
    push.addresses.iter().filter_map(|address| RepositoryId::of_hint(address)).collect()
}

/// The keys of mirrors that patterns stand for.
fn derived(config: &Config, push: &PushEvent) -> Vec<String> {
    let sources = sources(push);
    match &push.path {
        Some(path) if sources.is_empty() => config.derived_with_path(path),
        _ => sources.iter().flat_map(|source| config.derived_at(source)).collect(),
    }
}

/// Forges take upper and lower case as the same in both, so a hook may too.
fn selector(user: &str, project: &str) -> (String, String) {
    (user.to_lowercase(), project.to_lowercase())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CONFIG: &str = r#"
        [hooks.all]
        format = "gitlab"
        allow_unauthenticated = true

        [hooks.some]
        format = "gitlab"
        allow_unauthenticated = true
        mirrors = ["rocket", "forge/acme/*"]

        [hooks.two]
        format = "scm_manager"
        allow_unauthenticated = true
        mirrors = ["rocket", "engine", "forge/acme/one", "loc*"]

        [mirrors.rocket]
        source = "https://hg.example.org/acme/rocket"
        target = "https://github.com/space/rocket.git"

        [mirrors.rocket-too]
        source = { url = "ssh://hg@hg.example.org/acme/rocket" }
        target = "https://github.com/elsewhere/rocket.git"

        [mirrors.engine]
        source = "https://hg.example.org:8443/acme/Engine"
        target = "https://github.com/space/engine.git"

        [mirrors.local]
        source = "/srv/hg/local"
        target = "/srv/git/local.git"
        user = "here"
        project = "Local"

        [patterns.forge]
        source = "https://forge.example.org/{owner}/{slug}"
        target = "https://github.com/{owner}/{slug}.git"
        allow = ["acme/*", "space/*"]
    "#;

    fn config() -> Config {
        Config::parse(CONFIG, Path::new("/etc/x.toml"), None).unwrap()
    }

    fn resolved(endpoint: &str, query: &str, push: &PushEvent) -> Resolved {
        let config = config();
        let index = MirrorIndex::of(&config);
        index.resolve(&config, config.endpoint(endpoint).unwrap(), query, push)
    }

    fn keys(endpoint: &str, query: &str, push: &PushEvent) -> Vec<String> {
        resolved(endpoint, query, push).keys
    }

    fn at(addresses: &[&str]) -> PushEvent {
        let addresses = addresses.iter().map(|&address| address.to_owned()).collect();
        PushEvent { addresses, ..PushEvent::default() }
    }

    fn named(mirror: &str) -> PushEvent {
        PushEvent { mirror: Some(mirror.to_owned()), ..PushEvent::default() }
    }

    fn of(owner: &str, slug: &str, addresses: &[&str]) -> PushEvent {
        PushEvent {
            owner: Some(owner.to_owned()),
            slug: Some(slug.to_owned()),
            path: Some(format!("{owner}/{slug}")),
            ..at(addresses)
        }
    }

    #[test]
    fn addresses_find_sources_however_they_are_written() {
        for address in [
            "https://hg.example.org/acme/rocket",
            "ssh://hg@HG.example.org//acme/rocket/",
            "hg@hg.example.org:acme/rocket.git",
        ] {
            assert_eq!(keys("all", "", &at(&[address])), ["rocket", "rocket-too"], "{address}");
        }
        assert_eq!(keys("all", "", &at(&["https://hg.example.org:8443/acme/Engine"])), ["engine"]);
        assert_eq!(keys("all", "", &at(&["/srv/hg/../hg/local/"])), ["local"]);
        for address in [
            "https://hg.example.org/acme/Rocket",
            "https://hg.example.org:8443/acme/rocket",
            "https://hg.example.org/acme/engine",
            "https://hg.example.org.evil.example/acme/rocket",
            "https://evil.example/?https://hg.example.org/acme/rocket",
            "https://u:p@hg.example.org/acme/rocket",
            "file:///srv/hg/local",
            "/srv/hg/local/.hg",
            "/srv/hg",
            "rocket",
            "",
        ] {
            assert!(keys("all", "", &at(&[address])).is_empty(), "{address}");
        }
    }

    /// An address that is that of a target is nothing to us.
    #[test]
    fn no_target_is_ever_chosen() {
        for address in [
            "https://github.com/space/rocket.git",
            "git@github.com:space/rocket",
            "https://github.com/acme/one",
            "/srv/git/local.git",
        ] {
            assert!(keys("all", "", &at(&[address])).is_empty(), "{address}");
        }
        // A pattern gives a source its target: the query can say nothing else.
        let push = of("acme", "one", &["https://forge.example.org/acme/one"]);
        assert_eq!(keys("all", "user=acme&project=one", &push), ["forge/acme/one"]);
        for query in ["user=space&project=one", "user=acme&project=two", "user=victim&project=x"] {
            assert!(keys("all", query, &push).is_empty(), "{query}");
        }
    }

    #[test]
    fn the_query_goes_before_the_payload() {
        let push = of("acme", "rocket", &["https://hg.example.org:8443/acme/Engine"]);
        for (query, expected) in [
            ("", Some("engine")),
            ("x=1&user=", Some("engine")),
            ("user=Space", Some("rocket")),
            ("user=space&project=ENGINE", Some("engine")),
            ("user=here&project=l%6Fcal&x", Some("local")),
            ("project=engine", None),
            ("user=nobody", None),
            ("user=%ff%zz", None),
        ] {
            let found = keys("all", query, &push);
            assert_eq!(found.iter().map(String::as_str).next(), expected, "{query}");
            assert!(found.len() < 2, "{found:?}");
        }
        assert!(keys("all", "project=rocket", &at(&[])).is_empty(), "whose?");
    }

    #[test]
    fn owner_and_slug_select_where_no_address_does() {
        assert_eq!(keys("all", "", &of("SPACE", "rocket", &[])), ["rocket"]);
        assert_eq!(keys("all", "", &of("space", "rocket", &["https://x.example/y"])), ["rocket"]);
        // The path of the source does, if nobody says on which server it is.
        let rockets = ["forge/acme/rocket", "rocket", "rocket-too"];
        assert_eq!(keys("all", "", &of("acme", "rocket", &[])), rockets);
        assert_eq!(keys("all", "", &of("ACME", "Engine", &[])), ["engine"]);
        assert!(keys("all", "", &of("acme", "engine", &["https://x.example/y"])).is_empty());
    }

    #[test]
    fn names_of_mirrors_are_whole_names() {
        for name in ["rocket", "local", "forge/acme/one", "forge/space/one"] {
            assert_eq!(keys("all", "user=space&project=engine", &named(name)), [name]);
        }
        for name in [
            "",
            "Rocket",
            "rocket/",
            "*",
            "forge",
            "forge/",
            "forge/acme",
            "forge/eve/one",
            "forge/acme/../one",
            "forge/acme/-x",
            "forge/acme/x.git",
            "forge/acme/X",
            "../rocket",
            "mirrors.rocket",
            "{owner}",
            "forge/{owner}/{slug}",
            "rocket\0",
            "ro\u{200b}cket",
        ] {
            assert!(keys("all", "", &named(name)).is_empty(), "{name}");
        }
    }

    #[test]
    fn an_endpoint_asks_for_its_own_mirrors_alone() {
        assert_eq!(keys("some", "", &named("rocket")), ["rocket"]);
        assert!(keys("some", "", &named("engine")).is_empty());
        let rocket = at(&["https://hg.example.org/acme/rocket"]);
        assert_eq!(keys("some", "", &rocket), ["rocket"], "rocket-too is not for it");
        assert_eq!(keys("some", "", &at(&["https://forge.example.org/acme/x"])), ["forge/acme/x"]);
        assert!(keys("some", "", &at(&["https://forge.example.org/space/x"])).is_empty());
        assert!(keys("some", "user=space&project=engine", &PushEvent::default()).is_empty());
    }

    #[test]
    fn a_push_that_says_nothing_is_one_of_the_listed_mirrors() {
        let nothing = PushEvent::default();
        assert_eq!(keys("two", "", &nothing), ["engine", "forge/acme/one", "rocket"]);
        assert_eq!(keys("two", "user=space&project=engine", &nothing), ["engine"]);
        assert!(keys("all", "", &nothing).is_empty());
    }

    /// A mirror that a pattern may not be used for is told, for somebody has to mend it.
    #[test]
    fn what_another_mirror_publishes_is_told() {
        let push = at(&["https://forge.example.org/space/rocket"]);
        let found = resolved("all", "", &push);
        assert!(found.keys.is_empty());
        let told = found.refused[0].to_string();
        assert!(told.contains("the mirror \"rocket\" publishes to the same repository"), "{told}");
        assert!(resolved("all", "", &named("forge/eve/x")).refused.is_empty());
    }
}
