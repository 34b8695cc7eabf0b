//! The mirrors that a person names, or means by naming none: those of the configuration, and those that its patterns
//! stand for.

use std::borrow::Cow;

use crate::base::faults;
use crate::config::{Config, DeriveError, MirrorConfig, Pattern};

/// There is no mirror as it was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoMirrorError {
    /// The configuration has neither mirrors nor patterns.
    #[error("find a mirror: the configuration has none")]
    None,
    /// There are only patterns that name no repository in full.
    #[error("find a mirror: the patterns of the configuration name no repository in full")]
    Unnamed { patterns: Vec<String> },
    /// No mirror has this name.
    #[error("find the mirror {name}: the configuration has no such mirror")]
    Unknown { name: String, known: Vec<String> },
    /// A pattern has this name, and not this mirror.
    #[error(transparent)]
    Derive(#[from] DeriveError),
}

faults!(NoMirrorError {
    Self::None => Config.hint(
        "add a section [mirrors.NAME] with `source` and `target`; `synchroniser init` writes a first one, and \
         `synchroniser config default` shows all keys"
    ),
    Self::Unnamed { patterns } => Config.hint(format!(
        "name mirrors, such as {}, with the path of a repository for NAME",
        patterns.iter().map(|name| format!("{name}/NAME")).collect::<Vec<_>>().join(" or ")
    )),
    Self::Unknown { known, .. } => Config.hint(format!("it has {}", known.join(", "))),
    Self::Derive(source) => of(source),
});

/// The mirror called `name`, of the configuration or of one of its patterns.
pub(super) fn named<'c>(
    config: &'c Config,
    name: &str,
) -> Result<Cow<'c, MirrorConfig>, NoMirrorError> {
    if config.is_without_mirrors() {
        return Err(NoMirrorError::None);
    }
    config.find(name).map_err(|error| match error {
        DeriveError::NoPattern { key } => {
            NoMirrorError::Unknown { name: key, known: known(config) }
        }
        error => error.into(),
    })
}

/// All mirrors whose names are known: those of the configuration, and those that a pattern names in full.
pub(super) fn all(config: &Config) -> Vec<Cow<'_, MirrorConfig>> {
    let written_out = config.patterns().flat_map(Pattern::written_out);
    // One that is not published, as another mirror has its target, is none.
    let written_out = written_out.filter_map(|key| config.derive(&key).ok()).map(Cow::Owned);
    config.mirrors.iter().map(Cow::Borrowed).chain(written_out).collect()
}

/// The mirrors with these names, or all; there is at least one.
pub(super) fn select<'c>(
    config: &'c Config,
    names: &[String],
) -> Result<Vec<Cow<'c, MirrorConfig>>, NoMirrorError> {
    if !names.is_empty() {
        return names.iter().map(|name| named(config, name)).collect();
    }
    match all(config) {
        found if !found.is_empty() => Ok(found),
        _ if config.is_without_mirrors() => Err(NoMirrorError::None),
        _ => {
            let patterns = config.patterns().map(|pattern| pattern.name().to_owned());
            Err(NoMirrorError::Unnamed { patterns: patterns.collect() })
        }
    }
}

/// The names of mirrors, and how those of patterns are called.
fn known(config: &Config) -> Vec<String> {
    let mirrors = config.mirrors.iter().map(|mirror| mirror.mirror.name.clone());
    mirrors.chain(config.patterns().map(|pattern| format!("{}/NAME", pattern.name()))).collect()
}
