//! One rule for many mirrors: a pattern of sources, and the target that it gives to each.
//!
//! Who asks for a mirror of a pattern chooses nothing but which source it is, among those that are
//! allowed. The target follows from the source, and no two sources have one target.

mod rule;

use std::path::{Path, PathBuf};

use super::MirrorConfig;
use super::endpoint::{Folders, Resolver};
use super::error::Problems;
use super::file::{MirrorTable, PatternTable};
use super::overlap::{self, Targets};
use super::problem::{Problem, ProblemKind};
use super::resolve;
use super::sections::{PatternKeys, RuleKeys, is_plain_name};
use super::template::{Placeholder, Template, Values};
use crate::base::{Limits, faults};
use crate::convert::SliceLimits;
use crate::net::url::RepositoryId;
use rule::{Rule, WILDCARDS};

/// What stands between the parts of a mirror's key.
const SLASH: char = '/';
/// What stands for it in the name of a cache's folder. Neither names nor values have it.
const SLASH_IN_FOLDER: &str = "+";

/// Why a pattern has no mirror of some key.
#[derive(Debug, thiserror::Error)]
pub enum DeriveError {
    /// No pattern has this name, or the key is not one of its.
    #[error("find the mirror {key:?}: no pattern stands for it")]
    NoPattern {
        /// The key.
        key: String,
    },
    /// The pattern does not allow the values.
    #[error("find the mirror {key:?}: its pattern does not allow it")]
    NotAllowed {
        /// The key.
        key: String,
    },
    /// What it would publish, another mirror publishes, or another pattern might.
    #[error("use the pattern of the mirror {key:?}: {problem}")]
    Taken {
        /// The key.
        key: String,
        /// Who else does.
        problem: ProblemKind,
    },
    /// The mirror cannot be used.
    #[error("use the pattern of the mirror {key:?}: {problem}")]
    Unusable {
        /// The key.
        key: String,
        /// The first thing that is wrong with it.
        problem: Problem,
    },
}

faults!(DeriveError => Config.at(Here));

/// What all patterns are resolved with.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    /// Whether several daemons may share the queue.
    pub(super) is_shared: bool,
    pub(super) cache: PathBuf,
    pub(super) limits: Limits,
    pub(super) slice: SliceLimits,
    pub(super) folder: PathBuf,
    pub(super) credentials: Option<PathBuf>,
}

impl Surroundings {
    fn folders(&self) -> Folders<'_> {
        Folders { folder: &self.folder, credentials: self.credentials.as_deref() }
    }
}

/// One rule for many mirrors.
#[derive(Clone, Debug)]
pub struct Pattern {
    name: String,
    source: Template,
    target: Template,
    rule: Rule,
    /// The table of its mirrors, with the placeholders in it.
    table: MirrorTable,
    /// A mirror of it, to compare with.
    sample: Box<MirrorConfig>,
    surroundings: Surroundings,
}

/// The key of the mirror whose folder has this name, if a pattern stands for it.
pub(super) fn key_of_folder(name: &str) -> String {
    name.replace(SLASH_IN_FOLDER, &SLASH.to_string())
}

/// The folder in `cache` of the mirror with this key.
pub(super) fn folder(cache: &Path, key: &str) -> PathBuf {
    cache.join(key.replace(SLASH, SLASH_IN_FOLDER))
}

impl Pattern {
    /// The pattern that a table describes; `None` if it cannot be used.
    pub(super) fn new(
        name: &str,
        table: PatternTable,
        surroundings: &Surroundings,
        resolver: Resolver<'_>,
    ) -> Option<Self> {
        let problems = &mut *resolver.problems;
        if !is_plain_name(name) {
            table.keys.wrong("", ProblemKind::BadPatternName, problems);
        }
        let templates = templates(&table, problems);
        if !table.keys.sets("allow") {
            table.keys.wrong("allow", ProblemKind::Missing, problems);
        }
        let rule = templates.as_ref().and_then(|(source, target)| {
            let rule = rule(&table, source, problems)?;
            check(&table, source, target, &rule, problems);
            Some(rule)
        });
        let Some((source, target)) = templates else {
            // What else is wrong with it is found with the addresses as they are.
            resolve::mirror(name, &table.map(|keys| keys.mirror), surroundings, resolver);
            return None;
        };
        let table = table.map(|keys: PatternKeys| keys.mirror);
        let values =
            Values(source.placeholders().iter().map(|it| (*it, it.name().into())).collect());
        let sample_table = expanded(&table, &source, &target, &values);
        // Named as people read of it, should another mirror be in its way.
        let any: Vec<_> = source.placeholders().iter().map(|it| it.written()).collect();
        let any = format!("{name}{SLASH}{}", any.join("/"));
        let sample = resolve::mirror(&any, &sample_table, surroundings, resolver)?;
        let (name, rule) = (name.to_owned(), rule?);
        let (sample, surroundings) = (Box::new(sample), surroundings.clone());
        Some(Self { name, source, target, rule, table, sample, surroundings })
    }

    /// The name of the pattern.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of its sources, with the placeholders in it.
    pub fn source(&self) -> &str {
        self.source.text()
    }

    /// The address of its targets, with the placeholders in it.
    pub fn target(&self) -> &str {
        self.target.text()
    }

    /// The keys of the mirrors that `allow` names in full, in its order. Whether each can be used
    /// [`Config::derive`](super::Config::derive) says.
    pub fn written_out(&self) -> Vec<String> {
        let entries = self.rule.allow.iter().map(|entry| entry.join("/"));
        let mut keys: Vec<String> = Vec::new();
        for entry in entries.filter(|entry| !entry.contains(WILDCARDS)) {
            let key = format!("{}{SLASH}{entry}", self.name);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Whether `allow` has more than names in full.
    pub fn has_wildcards(&self) -> bool {
        self.rule.allow.iter().flatten().any(|part| part.contains(WILDCARDS))
    }

    /// The key of the mirror whose source is `repository`, if that is one of the pattern's.
    fn key_at(&self, repository: &RepositoryId) -> Option<String> {
        self.key(&self.source.values_of(repository)?)
    }

    /// The same, if all that is known of the source is its path on its server.
    fn key_with_path(&self, path: &str) -> Option<String> {
        self.key(&self.source.values_in(path)?)
    }

    fn key(&self, values: &Values) -> Option<String> {
        self.rule.allows(values).then(|| format!("{}{SLASH}{}", self.name, values.written()))
    }

    /// The mirror with these values.
    fn derive(&self, key: &str, values: &Values) -> Result<MirrorConfig, DeriveError> {
        if !self.rule.allows(values) {
            return Err(DeriveError::NotAllowed { key: key.to_owned() });
        }
        let (mut problems, mut pending) = (Problems::default(), Vec::new());
        let folders = self.surroundings.folders();
        let resolver = Resolver { folders, problems: &mut problems, pending: &mut pending };
        let table = expanded(&self.table, &self.source, &self.target, values);
        let mirror = resolve::mirror(key, &table, &self.surroundings, resolver);
        match (mirror, problems.sorted().into_iter().next()) {
            (Some(mirror), None) => Ok(mirror),
            (_, Some(problem)) => Err(DeriveError::Unusable { key: key.to_owned(), problem }),
            // Whatever gives no mirror has said why.
            (None, None) => Err(DeriveError::NoPattern { key: key.to_owned() }),
        }
    }

    /// Whether `repository`, in lower case, may be the target of a mirror of this pattern.
    fn may_publish_to(&self, repository: &RepositoryId) -> bool {
        let Some(told) = self.target.to_lower_case().values_of(repository) else { return false };
        let value = |placeholder: &Placeholder| {
            let told = told.0.iter().find(|(found, _)| found == placeholder);
            let value = told.map(|(_, value)| value.clone());
            value.or_else(|| self.fixed(*placeholder))
        };
        let all = self.source.placeholders();
        let values: Option<Vec<_>> = all.iter().map(|one| Some((*one, value(one)?))).collect();
        values.is_some_and(|values| self.rule.may_allow(&Values(values)))
    }

    fn fixed(&self, placeholder: Placeholder) -> Option<String> {
        let place = self.source.placeholders().iter().position(|one| *one == placeholder)?;
        self.rule.fixed(place).map(str::to_owned)
    }
}

/// The mirror called `key` that one of `patterns` stands for, beside the configured `mirrors`.
pub(super) fn derive(
    patterns: &[Pattern],
    mirrors: &[MirrorConfig],
    targets: &Targets,
    key: &str,
) -> Result<MirrorConfig, DeriveError> {
    let no_pattern = || DeriveError::NoPattern { key: key.to_owned() };
    let (name, values) = key.split_once(SLASH).ok_or_else(no_pattern)?;
    let pattern = patterns.iter().find(|pattern| pattern.name == name).ok_or_else(no_pattern)?;
    let values = Values::parse(pattern.source.placeholders(), values).ok_or_else(no_pattern)?;
    let mirror = pattern.derive(key, &values)?;
    let taken = |problem| Err(DeriveError::Taken { key: key.to_owned(), problem });
    if let Some(problem) = targets.find_alike(mirrors, &mirror) {
        return taken(problem);
    }
    let repository = overlap::repository(&mirror).map(|repository| repository.to_lower_case());
    let others = patterns.iter().filter(|other| other.name != name);
    for other in others {
        let meets = repository.as_ref().is_some_and(|it| other.may_publish_to(it));
        if meets && let Some(problem) = overlap::refs(&other.sample, &mirror) {
            return taken(problem);
        }
    }
    Ok(mirror)
}

/// The keys of the mirrors whose source is `repository`, by `patterns`.
pub(super) fn keys_at(patterns: &[Pattern], repository: &RepositoryId) -> Vec<String> {
    patterns.iter().filter_map(|pattern| pattern.key_at(repository)).collect()
}

/// The same, if all that is known of the source is its path on its server.
pub(super) fn keys_with_path(patterns: &[Pattern], path: &str) -> Vec<String> {
    patterns.iter().filter_map(|pattern| pattern.key_with_path(path)).collect()
}

/// The table with `values` in place of the placeholders.
fn expanded(
    table: &MirrorTable,
    source: &Template,
    target: &Template,
    values: &Values,
) -> MirrorTable {
    let mut table = table.clone();
    for (section, template) in [(&mut table.source, source), (&mut table.target, target)] {
        if let Some(section) = section {
            section.value.url = Some(template.expand(values));
        }
    }
    table
}

/// The source and the target as templates; `None` if one of them is none.
fn templates(table: &PatternTable, problems: &mut Problems) -> Option<(Template, Template)> {
    let ends = [
        (&table.source, Template::of_source as fn(&str) -> _),
        (&table.target, Template::of_target),
    ];
    let [source, target] = ends.map(|(section, read)| {
        let section = section.as_ref()?;
        match read(section.value.url.as_deref()?) {
            Ok(template) => Some(template),
            Err(source) => {
                section.wrong("url", ProblemKind::Template { source }, problems);
                None
            }
        }
    });
    source.zip(target)
}

/// Which values are allowed; `None` if the table does not say it.
fn rule(table: &PatternTable, source: &Template, problems: &mut Problems) -> Option<Rule> {
    let section = &table.keys;
    let RuleKeys { allow, mixed_case } = &section.value.rule;
    let placeholders = source.placeholders();
    if placeholders.is_empty() {
        section.wrong("source", ProblemKind::NoPlaceholder, problems);
        return None;
    }
    let allow = allow.as_ref()?;
    if allow.is_empty() {
        section.wrong("allow", ProblemKind::Empty, problems);
    }
    let parts = allow.iter().filter_map(|entry| {
        let parts = parts(entry, placeholders);
        if parts.is_none() {
            let wanted = placeholders.iter().map(|it| it.name()).collect::<Vec<_>>().join("/");
            section.wrong(
                "allow",
                ProblemKind::BadAllow { value: entry.clone(), wanted },
                problems,
            );
        }
        parts
    });
    Some(Rule { allow: parts.collect(), mixed_case: mixed_case.unwrap_or_default() })
}

/// The parts of an entry of `allow`, one for each placeholder.
fn parts(entry: &str, placeholders: &[Placeholder]) -> Option<Vec<String>> {
    let is_name = |name: &str| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"._-~*?".contains(&byte);
        !name.is_empty() && name.bytes().all(is_sound)
    };
    let names: Vec<&str> = entry.split(SLASH).collect();
    let counts = placeholders == [Placeholder::Path] || names.len() == placeholders.len();
    if !counts || !names.iter().all(|name| is_name(name)) {
        return None;
    }
    match placeholders {
        [Placeholder::Path] => Some(vec![entry.to_owned()]),
        _ => Some(names.into_iter().map(str::to_owned).collect()),
    }
}

/// Refuses a target that does not follow from the source alone, and one that several sources would have.
fn check(
    table: &PatternTable,
    source: &Template,
    target: &Template,
    rule: &Rule,
    problems: &mut Problems,
) {
    for placeholder in target.placeholders() {
        if !source.placeholders().contains(placeholder) {
            let placeholder = placeholder.name();
            table.keys.wrong("target", ProblemKind::UnknownPlaceholder { placeholder }, problems);
        }
    }
    for (place, placeholder) in source.placeholders().iter().enumerate() {
        if !target.placeholders().contains(placeholder) && rule.fixed(place).is_none() {
            let placeholder = placeholder.name();
            table.keys.wrong("target", ProblemKind::SharedByValues { placeholder }, problems);
        }
    }
}

#[cfg(test)]
mod tests;
