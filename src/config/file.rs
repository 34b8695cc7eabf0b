//! The contents of the file, before they are interpreted: values, and the lines that they stand on.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::error::Problems;
use super::keys::{Key, Keys};
use super::problem::ProblemKind;
use super::sections::nodes::NodesKeys;
use super::sections::{
    DaemonKeys, EndpointKeys, HookEndpointKeys, LimitsKeys, MirrorKeys, NotifyKeys, PatternKeys,
    QueueKeys, ScheduleKeys, TokenKeys, TopKeys, WebKeys,
};
use crate::base::similar::similar;

/// The tables beside the keys at the top.
const TABLES: [&str; 11] = [
    "daemon", "queue", "nodes", "schedule", "limits", "web", "tokens", "hooks", "notify",
    "mirrors", "patterns",
];
/// The two ends of a mirror.
const ENDS: [&str; 2] = ["source", "target"];

/// The whole file.
#[derive(Default)]
pub(super) struct File {
    pub(super) top: Section<TopKeys>,
    pub(super) daemon: Section<DaemonKeys>,
    pub(super) queue: Section<QueueKeys>,
    pub(super) nodes: Section<NodesKeys>,
    pub(super) schedule: Section<ScheduleKeys>,
    pub(super) limits: Section<LimitsKeys>,
    pub(super) web: Section<WebKeys>,
    pub(super) tokens: BTreeMap<String, Section<TokenKeys>>,
    pub(super) hooks: BTreeMap<String, Section<HookEndpointKeys>>,
    pub(super) notify: BTreeMap<String, Section<NotifyKeys>>,
    pub(super) mirrors: BTreeMap<String, MirrorTable>,
    pub(super) patterns: BTreeMap<String, PatternTable>,
}

/// `[mirrors.NAME]`.
pub(super) type MirrorTable = EndsTable<MirrorKeys>;
/// `[patterns.NAME]`.
pub(super) type PatternTable = EndsTable<PatternKeys>;

/// A table with a source and a target.
#[derive(Clone, Debug, Default)]
pub(super) struct EndsTable<T> {
    pub(super) keys: Section<T>,
    /// `None` if it is not there, or neither text nor a table.
    pub(super) source: Option<Section<EndpointKeys>>,
    /// `None` if it is not there, or neither text nor a table.
    pub(super) target: Option<Section<EndpointKeys>>,
}

/// One table: its values and where each was written.
#[derive(Clone, Debug, Default)]
pub(super) struct Section<T> {
    pub(super) value: T,
    /// The name of the table, such as `mirrors.rocket`; empty for the keys above the first table.
    name: String,
    /// The line of the table's header.
    line: usize,
    /// The line of each key that was written, sound or not.
    lines: BTreeMap<String, usize>,
    /// The key that is written without a table around it: `source = "address"`.
    alone: Option<&'static str>,
}

impl<T> EndsTable<T> {
    /// The same with other keys.
    pub(super) fn map<U>(self, keys: impl FnOnce(T) -> U) -> EndsTable<U> {
        let Self { keys: Section { value, name, line, lines, alone }, source, target } = self;
        let keys = Section { value: keys(value), name, line, lines, alone };
        EndsTable { keys, source, target }
    }
}

impl<T> Section<T> {
    /// What was typed as flags, `set` those that were.
    pub(super) fn typed(value: T, set: impl Iterator<Item = &'static str>) -> Self {
        let lines = set.map(|key| (key.to_owned(), 0)).collect();
        Self { value, name: String::new(), line: 0, lines, alone: None }
    }

    /// Whether the file sets `key`, be it to something wrong.
    pub(super) fn sets(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// Whether only its address is written, without a table.
    pub(super) fn is_address(&self) -> bool {
        self.alone.is_some()
    }

    /// The full name of `key`.
    pub(super) fn full_name(&self, key: &str) -> String {
        if self.alone == Some(key) { self.name.clone() } else { joined(&self.name, key) }
    }

    /// The line of `key`; where it is not written, that of the header.
    pub(super) fn line_of(&self, key: &str) -> usize {
        self.lines.get(key).copied().unwrap_or(self.line)
    }

    /// Notes that something is wrong with `key`.
    pub(super) fn wrong(&self, key: &str, kind: ProblemKind, problems: &mut Problems) {
        problems.push(self.line_of(key), self.full_name(key), kind);
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
    let lines = Lines::of(text);
    let root = match DeTable::parse(text) {
        Ok(root) => root.into_inner(),
        Err(error) => {
            let message = error.message().lines().collect::<Vec<_>>().join(" ");
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
            "queue" => file.queue = reader.section("queue", &key, value).unwrap_or_default(),
            "nodes" => file.nodes = reader.section("nodes", &key, value).unwrap_or_default(),
            "schedule" => {
                file.schedule = reader.section("schedule", &key, value).unwrap_or_default();
            }
            "limits" => file.limits = reader.section("limits", &key, value).unwrap_or_default(),
            "web" => file.web = reader.section("web", &key, value).unwrap_or_default(),
            "tokens" => {
                file.tokens = reader.all("tokens", &key, value, |reader, name, key, value| {
                    reader.section(name, key, value)
                });
            }
            "hooks" => {
                file.hooks = reader.all("hooks", &key, value, |reader, name, key, value| {
                    reader.section(name, key, value)
                });
            }
            "notify" => {
                file.notify = reader.all("notify", &key, value, |reader, name, key, value| {
                    reader.section(name, key, value)
                });
            }
            "mirrors" => file.mirrors = reader.all("mirrors", &key, value, SectionReader::ends),
            "patterns" => file.patterns = reader.all("patterns", &key, value, SectionReader::ends),
            _ => drop(top.insert(key, value)),
        }
    }
    file.top = reader.keys("", 1, top, &TABLES);
    file
}

/// Reads tables and notes what is wrong with them.
struct SectionReader<'a> {
    lines: Lines,
    problems: &'a mut Problems,
}

type WrittenKey<'i> = Spanned<DeString<'i>>;
type Value<'i> = Spanned<DeValue<'i>>;

impl SectionReader<'_> {
    /// All tables below the table `name`, each read by `one`.
    fn all<T>(
        &mut self,
        name: &str,
        key: &WrittenKey,
        value: Value,
        one: impl Fn(&mut Self, &str, &WrittenKey, Value) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let Some(table) = self.table(name, key, value) else { return BTreeMap::new() };
        // One by one, since a map that is collected holds all of them twice meanwhile.
        let mut tables = BTreeMap::new();
        for (key, value) in table {
            if let Some(table) = one(self, &joined(name, key.as_ref()), &key, value) {
                tables.insert(key.into_inner().into_owned(), table);
            }
        }
        tables
    }

    /// The table with a source and a target that `value` is; `None` if it is no table.
    fn ends<T: Keys>(
        &mut self,
        name: &str,
        key: &WrittenKey,
        value: Value,
    ) -> Option<EndsTable<T>> {
        let mut table = self.table(name, key, value)?;
        let [(source, source_line), (target, target_line)] = ENDS.map(|end| {
            let found = table.remove_entry(end);
            let line = found.as_ref().map(|(key, _)| self.lines.at(Some(key.span())));
            let section =
                found.and_then(|(key, value)| self.endpoint(&joined(name, end), &key, value));
            (section, line)
        });
        let mut keys: Section<T> = self.keys(name, self.lines.at(Some(key.span())), table, &ENDS);
        let lines = ENDS.into_iter().zip([source_line, target_line]);
        keys.lines.extend(lines.filter_map(|(end, line)| Some((end.to_owned(), line?))));
        Some(EndsTable { keys, source, target })
    }

    /// An end of a mirror: its address alone, or a table; `None` if it is neither.
    fn endpoint(
        &mut self,
        name: &str,
        key: &WrittenKey,
        value: Value,
    ) -> Option<Section<EndpointKeys>> {
        let line = self.lines.at(Some(key.span()));
        match value.get_ref() {
            DeValue::Table(_) => self.section(name, key, value),
            DeValue::String(_) => {
                let url = EndpointKeys::key("url")?;
                let lines = [(url.name.to_owned(), line)].into();
                let name = name.to_owned();
                let alone = Some(url.name);
                let mut section =
                    Section { value: EndpointKeys::default(), name, line, lines, alone };
                if let Err(kind) = section.value.read(url, value) {
                    section.wrong(url.name, kind, self.problems);
                }
                Some(section)
            }
            _ => {
                let expected = "an address in quotes, or a table with an address as `url`";
                self.problems.push(line, name, ProblemKind::WrongType { expected });
                None
            }
        }
    }

    /// The section that `value` is, called `name`; `None` if it is no table.
    fn section<T: Keys>(
        &mut self,
        name: &str,
        key: &WrittenKey,
        value: Value,
    ) -> Option<Section<T>> {
        let table = self.table(name, key, value)?;
        Some(self.keys(name, self.lines.at(Some(key.span())), table, &[]))
    }

    /// `value`, if it is a table.
    fn table<'i>(&mut self, name: &str, key: &WrittenKey, value: Value<'i>) -> Option<DeTable<'i>> {
        if let DeValue::Table(table) = value.into_inner() {
            return Some(table);
        }
        let line = self.lines.at(Some(key.span()));
        self.problems.push(line, name, ProblemKind::NotATable { name: name.to_owned() });
        None
    }

    /// The keys of one table. Each is tried alone, so that one that is wrong hides no other;
    /// `beside` are names that stand beside the keys and could be meant by a wrong one.
    fn keys<T: Keys>(
        &mut self,
        name: &str,
        line: usize,
        table: DeTable,
        beside: &[&'static str],
    ) -> Section<T> {
        let mut section = Section::<T> { name: name.to_owned(), line, ..Section::default() };
        for (key, value) in table {
            let key_line = self.lines.at(Some(key.span()));
            let written: &str = key.as_ref().as_ref();
            section.lines.insert(written.to_owned(), key_line);
            let read = match T::key(written) {
                Some(key) => section.value.read(key, value),
                None => Err(unknown(written, &T::keys(), beside)),
            };
            if let Err(kind) = read {
                self.problems.push(key_line, joined(name, written), kind);
            }
        }
        section
    }
}

/// What to say of a key that a table does not have.
fn unknown(written: &str, known: &[&'static Key], beside: &[&'static str]) -> ProblemKind {
    if beside == ENDS
        && let Some((end, key)) = key_of_an_end(written)
    {
        return ProblemKind::KeyOfAnEnd { end, key };
    }
    let known = known.iter().map(|key| key.name);
    ProblemKind::UnknownKey { similar: similar(written, known.chain(beside.iter().copied())) }
}

/// The end of a mirror that a key in the mirror's own table is about, and its name there.
fn key_of_an_end(written: &str) -> Option<(&'static str, &'static str)> {
    let key = |name| EndpointKeys::key(name).map(|key| key.name);
    let [source, target] = ENDS;
    if let Some(key) = key(written) {
        return Some((target, key));
    }
    let (end, name) = written.split_once('_')?;
    let end = [source, target].into_iter().find(|known| *known == end)?;
    Some((end, key(name)?))
}

/// Turns offsets into line numbers.
struct Lines {
    /// Where the lines end, in order: a file of thousands of mirrors has many keys to look up.
    ends: Vec<usize>,
    length: usize,
}

impl Lines {
    fn of(text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(place, _)| place).collect();
        Self { ends, length: text.len() }
    }

    /// The line on which `span` begins, counted from 1.
    fn at(&self, span: Option<Range<usize>>) -> usize {
        let start = span.map_or(0, |span| span.start);
        let start = if start <= self.length { start } else { 0 };
        1 + self.ends.partition_point(|end| *end < start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::of("a\nb\n");
        assert_eq!(lines.at(Some(0..1)), 1);
        assert_eq!(lines.at(Some(2..3)), 2);
        assert_eq!(lines.at(Some(99..100)), 1, "a span that is not of this text");
    }

    #[test]
    fn keys_that_moved_are_known_by_their_new_place() {
        assert_eq!(key_of_an_end("source_token_file"), Some(("source", "token_file")));
        assert_eq!(key_of_an_end("target_proxy"), Some(("target", "proxy")));
        assert_eq!(key_of_an_end("ca_file"), Some(("target", "ca_file")));
        assert_eq!(key_of_an_end("source_main"), None);
        assert_eq!(key_of_an_end("sauce_proxy"), None);
    }
}
