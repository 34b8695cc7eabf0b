//! The configuration of a mirror as it is shown: what decides its syncs, and nothing that is secret.

use super::view::Setting;
use crate::config::MirrorConfig;
use crate::mirror::{Divergence, MainBranch, Prune};

/// What is configured of a mirror, key by key.
pub(super) fn settings(configured: &MirrorConfig) -> Vec<Setting> {
    let mirror = &configured.mirror;
    let (options, publish) = (&mirror.options, &mirror.publish);
    let mut settings = Vec::new();
    let mut add = |key: &str, value: String| settings.push(Setting { key: key.to_owned(), value });
    add("source.url", mirror.source.to_string());
    if let Some(target) = &mirror.target {
        add("target.url", target.url.to_string());
    }
    add("cache", mirror.cache.path().display().to_string());
    add("identity", options.identity.name().to_owned());
    if let Some(path) = &configured.author_map {
        add("author_map", path.display().to_string());
    }
    add(
        "main",
        match &options.naming.main {
            MainBranch::Tip => "tip".to_owned(),
            MainBranch::Branch(name) => name.clone(),
        },
    );
    add("main_branch", options.naming.main_name());
    if !options.naming.prefix.is_empty() {
        add("ref_prefix", options.naming.prefix.clone());
    }
    add("divergence", name_of(&Divergence::ALL, publish.divergence));
    add("prune", name_of(&Prune::ALL, publish.prune));
    if !configured.nodes.is_empty() {
        add("nodes", configured.nodes.join(", "));
    }
    if let Some(selector) = &configured.selector {
        add("user", selector.user.clone());
        add("project", selector.project.clone());
    }
    settings
}

/// What a choice is called in the configuration.
fn name_of<T: Copy + PartialEq>(all: &[(&str, T)], choice: T) -> String {
    let found = all.iter().find(|(_, other)| *other == choice);
    found.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
}
