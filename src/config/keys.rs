//! What a key of the file is. Each is defined once, in `sections`; the reader of the file, the flags
//! of commands, the template and the reference page are made from that.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::problem::ProblemKind;

/// One key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// As it is written in the file. A flag has `-` in place of `_`.
    pub(crate) name: &'static str,
    /// What it means: the lines of the field's documentation. The first paragraph stands in `--help`.
    doc: &'static [&'static str],
    /// What its values are.
    pub(crate) shape: Shape,
    /// What holds without it, as one would write it in the file; `None` if that is nothing.
    pub(crate) default: Option<&'static str>,
    /// A value to show, as one would write it in the file.
    pub(crate) example: Option<&'static str>,
    /// Whether commands have it as a flag.
    pub(crate) is_flag: bool,
    /// For which ways to a repository it is of use.
    pub(crate) ways: Ways,
}

/// What the values of a key are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Shape {
    /// Text.
    Text {
        /// What it stands for, in one word.
        name: &'static str,
        /// What is wrong with a value.
        check: Check,
    },
    /// One of these words.
    Choice(fn() -> Vec<&'static str>),
    /// The path of a file or a folder.
    Path(&'static str),
    /// Yes or no.
    Switch,
    /// A number.
    Number {
        /// What it counts.
        unit: &'static str,
        /// The least that makes sense.
        least: u64,
        /// The most that makes sense.
        most: u64,
    },
    /// Several texts.
    List(&'static str),
    /// Names in place of others.
    Names(Check),
}

/// Says what is wrong with a text, if something is.
pub(crate) type Check = fn(&str) -> Option<ProblemKind>;

/// The ways to a repository for which a key is of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ways {
    /// All.
    All,
    /// Web servers.
    Http,
    /// Web servers, and those of `git://`.
    Plain,
    /// Web servers that are a source.
    HttpSource,
    /// Web servers that are a target.
    HttpTarget,
    /// Web servers, and SSH servers that are a target, for the API beside them.
    Token,
    /// Servers that are a target.
    Target,
    /// SSH servers.
    Ssh,
    /// SSH servers that are a target.
    SshTarget,
    /// Servers of both kinds.
    Servers,
}

impl Ways {
    /// Whether they are those to targets alone.
    pub(crate) fn are_of_targets(self) -> bool {
        matches!(self, Self::HttpTarget | Self::SshTarget | Self::Target)
    }
}

impl Key {
    /// A key of this shape. Its name and its documentation come from the field.
    pub(super) const fn new(shape: Shape) -> Self {
        let (name, doc, ways) = ("", &[] as &[&str], Ways::All);
        Self { name, doc, shape, default: None, example: None, is_flag: false, ways }
    }

    /// Any text that is not empty.
    pub(super) const fn text(name: &'static str) -> Self {
        Self::checked(name, not_empty)
    }

    /// A text that `check` accepts.
    pub(super) const fn checked(name: &'static str, check: Check) -> Self {
        Self::new(Shape::Text { name, check })
    }

    /// One of the words that `words` gives.
    pub(super) const fn choice(words: fn() -> Vec<&'static str>) -> Self {
        Self::new(Shape::Choice(words))
    }

    /// The path of a file.
    pub(super) const fn file() -> Self {
        Self::new(Shape::Path("FILE"))
    }

    /// Yes or no.
    pub(super) const fn switch() -> Self {
        Self::new(Shape::Switch).default("false")
    }

    /// A number from `least` to `most`.
    pub(super) const fn number(unit: &'static str, least: u64, most: u64) -> Self {
        Self::new(Shape::Number { unit, least, most })
    }

    /// What holds without it.
    pub(super) const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// What the template shows.
    pub(super) const fn example(self, example: &'static str) -> Self {
        Self { example: Some(example), ..self }
    }

    /// A key that commands have as a flag.
    pub(super) const fn flag(self) -> Self {
        Self { is_flag: true, ..self }
    }

    /// A key that is of use for `ways` only.
    pub(super) const fn only(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    /// With what the field says of itself.
    pub(super) const fn of_field(self, name: &'static str, doc: &'static [&'static str]) -> Self {
        Self { name, doc, ..self }
    }

    /// The paragraphs that say what it means; the first is a summary.
    pub(crate) fn paragraphs(&self) -> Vec<String> {
        let lines: Vec<&str> = self.doc.iter().map(|line| line.trim()).collect();
        lines.split(|line| line.is_empty()).map(|lines| lines.join(" ")).collect()
    }

    /// The first paragraph, without the full stop at its end.
    pub(crate) fn summary(&self) -> String {
        let first = self.paragraphs().into_iter().next().unwrap_or_default();
        first.strip_suffix('.').map(str::to_owned).unwrap_or(first)
    }

    /// What is wrong with `text` as a value, or as one of several.
    pub(crate) fn wrong(&self, text: &str) -> Option<ProblemKind> {
        match self.shape {
            Shape::Text { check, .. } | Shape::Names(check) => check(text),
            Shape::Choice(words) => ProblemKind::not_one_of(text, words()),
            Shape::Path(_) => not_empty(text),
            Shape::Switch | Shape::Number { .. } | Shape::List(_) => None,
        }
    }

    /// What is wrong with `number` as a value.
    pub(crate) fn wrong_number(&self, number: u64) -> Option<ProblemKind> {
        match self.shape {
            Shape::Number { least, most, .. } if !(least..=most).contains(&number) => {
                Some(ProblemKind::OutOfRange { value: number, least, most })
            }
            _ => None,
        }
    }

    /// What is wrong with what the file says. The type is not looked at.
    fn wrong_value(&self, value: &DeValue<'_>) -> Option<ProblemKind> {
        match value {
            DeValue::String(text) => self.wrong(text),
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .and_then(|n| self.wrong_number(n)),
            DeValue::Table(names) => {
                names.values().find_map(|name| self.wrong(name.get_ref().as_str()?))
            }
            _ => None,
        }
    }
}

/// Refuses a text that says nothing.
pub(super) fn not_empty(text: &str) -> Option<ProblemKind> {
    text.is_empty().then_some(ProblemKind::Empty)
}

/// A table of the file, or a part of one.
pub(crate) trait Keys: Clone + Default + std::fmt::Debug + Send + Sync + 'static {
    /// Its keys, in the order in which people read them.
    fn keys() -> Vec<&'static Key>;

    /// Sets `key`, which is one of them.
    fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), ProblemKind>;

    /// The key called `name`.
    fn key(name: &str) -> Option<&'static Key> {
        Self::keys().into_iter().find(|key| key.name == name)
    }

    /// Sets `key` to what the file says, if it makes sense.
    fn read(&mut self, key: &Key, value: Spanned<DeValue<'_>>) -> Result<(), ProblemKind> {
        let wrong = key.wrong_value(value.get_ref());
        // A value of another type would be refused in words that fit less.
        self.clone().set(key.name, Value::File(value.clone()))?;
        match wrong {
            Some(wrong) => Err(wrong),
            None => self.set(key.name, Value::File(value)),
        }
    }
}

/// What is written for a key.
pub(crate) enum Value<'v> {
    /// In the file.
    File(Spanned<DeValue<'v>>),
    /// On the command line, as often as it was given; nothing for a switch.
    Typed(Vec<OsString>),
}

/// A type that the value of a key can have.
pub(crate) trait Written: DeserializeOwned {
    /// What a value is, in words.
    const EXPECTED: &'static str;

    /// The value that was typed, once or several times.
    fn typed(words: Vec<OsString>) -> Option<Self>;

    /// What was written.
    fn written(value: Value<'_>) -> Result<Self, ProblemKind> {
        match value {
            Value::File(value) => Self::deserialize(ValueDeserializer::from(value)).ok(),
            Value::Typed(words) => Self::typed(words),
        }
        .ok_or(ProblemKind::WrongType { expected: Self::EXPECTED })
    }
}

impl Written for String {
    const EXPECTED: &'static str = "a text in quotes";

    fn typed(words: Vec<OsString>) -> Option<Self> {
        words.into_iter().next_back()?.into_string().ok()
    }
}

impl Written for PathBuf {
    const EXPECTED: &'static str = "a path in quotes";

    fn typed(words: Vec<OsString>) -> Option<Self> {
        words.into_iter().next_back().map(Self::from)
    }
}

impl Written for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn typed(_: Vec<OsString>) -> Option<Self> {
        Some(true)
    }
}

impl Written for u64 {
    const EXPECTED: &'static str = "a whole number";

    fn typed(words: Vec<OsString>) -> Option<Self> {
        String::typed(words)?.parse().ok()
    }
}

impl Written for Vec<String> {
    const EXPECTED: &'static str = "a list of texts, such as [\"a\", \"b\"]";

    fn typed(words: Vec<OsString>) -> Option<Self> {
        words.into_iter().map(|word| word.into_string().ok()).collect()
    }
}

impl Written for BTreeMap<String, String> {
    const EXPECTED: &'static str = "a table of texts, such as { a = \"b\" }";

    /// `OLD=NEW`. Names of Mercurial may hold a `=`, and so may Git's: the last one divides.
    fn typed(words: Vec<OsString>) -> Option<Self> {
        let pair = |word: OsString| {
            let word = word.into_string().ok()?;
            word.rsplit_once('=').map(|(old, new)| (old.to_owned(), new.to_owned()))
        };
        words.into_iter().map(pair).collect()
    }
}

/// Defines a table of the file: a struct with an optional field for each key, and after `=` the
/// [`Key`], whose name and meaning are those of the field.
macro_rules! keys {
    ($($(#[$about:meta])* struct $name:ident {
        $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $shape:expr,)*
    })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        pub(crate) struct $name {
            $($(#[doc = $doc])+ pub(crate) $key: Option<$type>,)*
        }

        impl Keys for $name {
            fn keys() -> Vec<&'static Key> {
                const KEYS: &[Key] = &[$($shape.of_field(stringify!($key), &[$($doc),+]),)*];
                KEYS.iter().collect()
            }

            fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), ProblemKind> {
                $(if key == stringify!($key) {
                    self.$key = Some(Written::written(value)?);
                    return Ok(());
                })*
                Ok(())
            }
        }
    )*};
}
pub(super) use keys;
