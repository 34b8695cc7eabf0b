//! What the file says, before anybody asks what it means: plain values and their lines.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue, ValueDeserializer};

use super::error::{ProblemKind, Problems};
use super::keys::keys_of;
use crate::base::similar::similar;
use crate::convert::Verify;

/// The whole file.
#[derive(Default)]
pub(super) struct File {
    pub(super) top: Section<TopSection>,
    pub(super) daemon: Section<DaemonSection>,
    pub(super) limits: Section<LimitsSection>,
    pub(super) mirrors: BTreeMap<String, Section<MirrorSection>>,
}

/// The keys above the first table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TopSection {
    pub(super) cache: Option<PathBuf>,
}

/// `[daemon]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DaemonSection {
    pub(super) listen: Option<String>,
    pub(super) wait: Option<u64>,
    pub(super) max_body: Option<u64>,
    pub(super) workers: Option<u64>,
    pub(super) request_timeout: Option<u64>,
    pub(super) connections: Option<u64>,
    pub(super) stop_timeout: Option<u64>,
}

/// `[limits]`, the fields of [`crate::base::Limits`].
#[expect(clippy::struct_field_names, reason = "the unit is part of the key")]
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsSection {
    pub(super) revision_bytes: Option<u64>,
    pub(super) index_bytes: Option<u64>,
    pub(super) metadata_bytes: Option<u64>,
    pub(super) text_cache_bytes: Option<u64>,
}

/// `[mirrors.NAME]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MirrorSection {
    pub(super) source: Option<String>,
    pub(super) source_token_user: Option<String>,
    pub(super) source_token_file: Option<PathBuf>,
    pub(super) source_token_credential: Option<String>,
    pub(super) source_ca_file: Option<PathBuf>,
    pub(super) source_proxy: Option<String>,
    pub(super) source_plain_http: Option<bool>,
    pub(super) source_private_downloads: Option<bool>,
    pub(super) source_key_file: Option<PathBuf>,
    pub(super) source_key_credential: Option<String>,
    pub(super) source_known_hosts: Option<PathBuf>,
    pub(super) source_known_hosts_credential: Option<String>,
    pub(super) target: Option<String>,
    pub(super) plain_http: Option<bool>,
    pub(super) identity: Option<String>,
    pub(super) adopt: Option<String>,
    pub(super) author_map: Option<PathBuf>,
    pub(super) phases: Option<String>,
    pub(super) main: Option<String>,
    pub(super) main_branch: Option<String>,
    pub(super) skip_damaged: Option<bool>,
    pub(super) verify: Option<Verify>,
    pub(super) ref_prefix: Option<String>,
    pub(super) publish: Option<Vec<String>>,
    pub(super) exclude: Option<Vec<String>>,
    pub(super) closed_branches: Option<String>,
    pub(super) topics: Option<String>,
    pub(super) notes: Option<bool>,
    pub(super) branches: Option<BTreeMap<String, String>>,
    pub(super) tags: Option<BTreeMap<String, String>>,
    pub(super) user: Option<String>,
    pub(super) project: Option<String>,
    pub(super) token_user: Option<String>,
    pub(super) token_file: Option<PathBuf>,
    pub(super) token_credential: Option<String>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) key_credential: Option<String>,
    pub(super) known_hosts: Option<PathBuf>,
    pub(super) known_hosts_credential: Option<String>,
}

/// One table: its values and where each was written.
#[derive(Debug, Default)]
pub(super) struct Section<T> {
    pub(super) value: T,
    /// The name of the table, such as `mirrors.rocket`; empty for the keys above the first table.
    name: String,
    /// The line of the table's header.
    line: usize,
    /// The line of each key that was written, sound or not.
    lines: BTreeMap<String, usize>,
}

impl<T> Section<T> {
    /// Whether the file sets `key`, be it to something wrong.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// Notes that something is wrong with `key`; where it is not written, the header has the line.
    pub(super) fn wrong(&self, key: &str, kind: ProblemKind, problems: &mut Problems) {
        let line = self.lines.get(key).copied().unwrap_or(self.line);
        problems.push(line, joined(&self.name, key), kind);
    }
}

/// The key below the table `name`, as one would write it.
fn joined(name: &str, key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let dot = if name.is_empty() || key.is_empty() { "" } else { "." };
    if key.chars().all(bare) { format!("{name}{dot}{key}") } else { format!("{name}{dot}{key:?}") }
}

/// Reads `text`. Whatever is wrong is noted and left out; a text that is not TOML is all wrong.
pub(super) fn read(text: &str, problems: &mut Problems) -> File {
    let lines = Lines(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(error) => {
            let message = one_line(error.message());
            problems.push(lines.at(error.span()), "", ProblemKind::Syntax { message });
            return File::default();
        }
    };
    let mut file = File::default();
    let mut top = DeTable::new();
    let mut reader = SectionReader { lines, problems };
    for (key, value) in root {
        match key.as_ref().as_ref() {
            "daemon" => file.daemon = reader.section("daemon", &key, value).unwrap_or_default(),
            "limits" => file.limits = reader.section("limits", &key, value).unwrap_or_default(),
            "mirrors" => file.mirrors = reader.mirrors(&key, value),
            _ => drop(top.insert(key, value)),
        }
    }
    file.top = reader.keys("", 1, top, &["daemon", "limits", "mirrors"]);
    file
}

/// Reads tables and notes what is wrong with them.
struct SectionReader<'a> {
    lines: Lines<'a>,
    problems: &'a mut Problems,
}

type Key<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

impl SectionReader<'_> {
    /// All of `[mirrors]`.
    fn mirrors(&mut self, key: &Key, value: Value) -> BTreeMap<String, Section<MirrorSection>> {
        let Some(table) = self.table("mirrors", key, value) else { return BTreeMap::new() };
        let sections = table.into_iter().filter_map(|(name, value)| {
            let section = self.section(&joined("mirrors", name.as_ref()), &name, value)?;
            Some((name.into_inner().into_owned(), section))
        });
        sections.collect()
    }

    /// The section that `value` is, called `name`; `None` if it is no table.
    fn section<T>(&mut self, name: &str, key: &Key, value: Value) -> Option<Section<T>>
    where
        T: DeserializeOwned + Default,
    {
        let table = self.table(name, key, value)?;
        Some(self.keys(name, self.lines.at(Some(key.span())), table, &[]))
    }

    /// `value`, if it is a table.
    fn table<'i>(&mut self, name: &str, key: &Key, value: Value<'i>) -> Option<DeTable<'i>> {
        if let DeValue::Table(table) = value.into_inner() {
            return Some(table);
        }
        let message = format!("write it as a table, [{name}]");
        self.problems.push(
            self.lines.at(Some(key.span())),
            name,
            ProblemKind::WrongType { message },
        );
        None
    }

    /// The keys of one table. Each is tried alone, so that one that is wrong hides no other;
    /// `beside` are names that stand beside the keys and could be meant by a wrong one.
    fn keys<T>(
        &mut self,
        name: &str,
        line: usize,
        table: DeTable,
        beside: &'static [&'static str],
    ) -> Section<T>
    where
        T: DeserializeOwned + Default,
    {
        let known = keys_of::<T>();
        let mut sound = DeTable::new();
        let mut lines = BTreeMap::new();
        for (key, value) in table {
            let key_line = self.lines.at(Some(key.span()));
            lines.insert(key.as_ref().to_string(), key_line);
            let kind = if known.contains(&key.as_ref().as_ref()) {
                match decode::<T>([(key.clone(), value.clone())].into_iter().collect()) {
                    Ok(_) => {
                        sound.insert(key, value);
                        continue;
                    }
                    Err(message) => ProblemKind::WrongType { message },
                }
            } else {
                let similar = similar(key.as_ref(), known.iter().chain(beside).copied());
                ProblemKind::UnknownKey { similar }
            };
            self.problems.push(key_line, joined(name, key.as_ref()), kind);
        }
        let value = decode(sound).unwrap_or_default();
        Section { value, name: name.to_owned(), line, lines }
    }
}

/// The section that `table` is, or what the TOML crate says is wrong with it.
fn decode<T: DeserializeOwned>(table: DeTable) -> Result<T, String> {
    let value = Spanned::new(0..0, DeValue::Table(table));
    T::deserialize(ValueDeserializer::from(value)).map_err(|error| one_line(error.message()))
}

/// `message` on one line, as all problems are.
fn one_line(message: &str) -> String {
    message.lines().collect::<Vec<_>>().join(" ")
}

/// Turns offsets into line numbers.
#[derive(Clone, Copy)]
struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line on which `span` begins, counted from 1.
    fn at(self, span: Option<Range<usize>>) -> usize {
        let before = span.and_then(|span| self.0.get(..span.start)).unwrap_or("");
        1 + before.matches('\n').count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The template with its examples taken out of their comments.
    fn template_with_examples() -> String {
        let lines = super::super::DEFAULT.lines().map(|line| match line.strip_prefix('#') {
            Some(example) if !example.is_empty() && !example.starts_with(' ') => example,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_template_shows_every_key_and_no_other() {
        let mut problems = Problems::default();
        let file = read(&template_with_examples(), &mut problems);
        assert!(problems.sorted().is_empty());
        let rocket = file.mirrors.get("rocket").unwrap();
        let shown = [&file.top.lines, &file.daemon.lines, &file.limits.lines, &rocket.lines];
        let known = [
            keys_of::<TopSection>(),
            keys_of::<DaemonSection>(),
            keys_of::<LimitsSection>(),
            keys_of::<MirrorSection>(),
        ];
        for (shown, known) in shown.into_iter().zip(known) {
            for key in known {
                assert!(shown.contains_key(*key), "{key} is not in default.toml");
            }
        }
    }

    #[test]
    fn lines_count_from_one() {
        let lines = Lines("a\nb\n");
        assert_eq!(lines.at(Some(0..1)), 1);
        assert_eq!(lines.at(Some(2..3)), 2);
        assert_eq!(lines.at(Some(99..100)), 1, "a span that is not of this text");
    }
}
