//! Flags that are made from keys of the configuration: same names, same meanings, same defaults.

use std::ffi::OsString;
use std::fmt::Debug;

use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches};

use crate::config::{CareKeys, CommitKeys, EndpointKeys, HistoryKeys, Key, Keys, NamingKeys, Ways};
use crate::config::{PublishKeys, Shape, Value};

/// A part of the configuration whose keys are flags.
pub(super) trait Group {
    /// Its keys.
    type Keys: Keys + Clone + Debug + Default;
    /// What is before the names of the flags.
    const PREFIX: &'static str = "";
    /// The heading in `--help`.
    const HEADING: &'static str;

    /// Whether `key` is of use here.
    fn has(key: &Key) -> bool {
        key.is_flag
    }
}

impl Group for CommitKeys {
    type Keys = Self;
    const HEADING: &'static str = "Commits";
}

impl Group for HistoryKeys {
    type Keys = Self;
    const HEADING: &'static str = "Commits";
}

impl Group for NamingKeys {
    type Keys = Self;
    const HEADING: &'static str = "Names and refs";
}

impl Group for PublishKeys {
    type Keys = Self;
    const HEADING: &'static str = "What is published";
}

/// How a source is reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfSource;

impl Group for OfSource {
    type Keys = EndpointKeys;
    const PREFIX: &'static str = "source-";
    const HEADING: &'static str = "Sources that are addresses";

    fn has(key: &Key) -> bool {
        key.is_flag && !key.ways.are_of_targets()
    }
}

/// How a target is reached.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OfTarget;

impl Group for OfTarget {
    type Keys = EndpointKeys;
    const PREFIX: &'static str = "target-";
    const HEADING: &'static str = "Targets that are addresses";

    fn has(key: &Key) -> bool {
        key.is_flag && key.ways != Ways::HttpSource
    }
}

/// The flags of a part of the configuration, as they were typed.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags<G: Group> {
    /// What they say.
    pub(super) keys: G::Keys,
    /// The keys of those that were typed.
    pub(super) typed: Vec<&'static str>,
}

/// What `--help` says of a switch that stands for a key.
pub(super) fn help_of_care(key: &str) -> String {
    CareKeys::key(key).map(Key::summary).unwrap_or_default()
}

fn flags<G: Group>() -> impl Iterator<Item = &'static Key> {
    G::Keys::keys().into_iter().filter(|key| G::has(key))
}

/// The name of a flag, without `--`.
fn name<G: Group>(key: &Key) -> String {
    format!("{}{}", G::PREFIX, key.name.replace('_', "-"))
}

fn flag<G: Group>(key: &'static Key) -> Arg {
    let name = name::<G>(key);
    let arg = Arg::new(name.clone()).long(name).help_heading(G::HEADING);
    let again = "; may be given again";
    let checked =
        || ValueParser::new(OsStringValueParser::new().try_map(move |word| check(key, word)));
    let (arg, help) = match key.shape {
        Shape::Switch => return arg.action(ArgAction::SetTrue).help(key.summary()),
        Shape::Text { name, .. } | Shape::Path(name) => {
            (arg.value_name(name).value_parser(checked()), "")
        }
        Shape::Choice(words) => {
            let words = words();
            let name = if words.len() > 2 { "NAME".to_owned() } else { words.join("|") };
            let parser = PossibleValuesParser::new(words).map(OsString::from);
            (arg.value_name(name).value_parser(parser), "")
        }
        Shape::Number { unit, .. } => {
            (arg.value_name(unit.to_uppercase()).value_parser(checked()), "")
        }
        Shape::List(name) => {
            let arg = arg.value_name(name).value_parser(checked());
            (arg.action(ArgAction::Append), again)
        }
        Shape::Names(_) => {
            let arg = arg.value_name("OLD=NEW").value_parser(checked());
            (arg.action(ArgAction::Append), again)
        }
    };
    let arg = arg.help(format!("{}{help}", key.summary()));
    match key.default {
        Some(default) => arg.default_value(default.trim_matches('"').to_owned()),
        None => arg,
    }
}

/// `word`, if it is a value of `key`.
fn check(key: &Key, word: OsString) -> Result<OsString, String> {
    let text = word.to_str().ok_or("not text in UTF-8");
    let wrong = match key.shape {
        Shape::Path(_) => match word.is_empty() {
            true => key.wrong(""),
            false => None,
        },
        Shape::Number { .. } => {
            let number = text?.parse().map_err(|_| "not a whole number".to_owned())?;
            key.wrong_number(number)
        }
        // Names of Mercurial may hold a `=`, and so may Git's: the last one divides.
        Shape::Names(_) => {
            let (_, new) = text?.rsplit_once('=').ok_or("no \"=\" between the two names")?;
            key.wrong(new)
        }
        Shape::Text { .. } | Shape::Choice(_) | Shape::Switch | Shape::List(_) => key.wrong(text?),
    };
    match wrong {
        Some(wrong) => Err(wrong.to_string()),
        None => Ok(word),
    }
}

impl<G: Group> clap::Args for Flags<G> {
    fn augment_args(command: Command) -> Command {
        flags::<G>().fold(command, |command, key| command.arg(flag::<G>(key)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: Group> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut read = Self { keys: G::Keys::default(), typed: Vec::new() };
        read.update_from_arg_matches(matches)?;
        Ok(read)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        for key in flags::<G>() {
            let name = name::<G>(key);
            if matches.value_source(&name) != Some(ValueSource::CommandLine) {
                continue;
            }
            let words = match key.shape {
                Shape::Switch => Vec::new(),
                _ => matches.get_many::<OsString>(&name).into_iter().flatten().cloned().collect(),
            };
            self.keys.set(key.name, Value::Typed(words)).map_err(|problem| {
                clap::Error::raw(ErrorKind::ValueValidation, format!("--{name}: {problem}\n"))
            })?;
            self.typed.push(key.name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Args;

    use super::*;

    /// What is defined once is what is typed: name, summary, default and words.
    #[test]
    fn every_key_that_is_a_flag_has_one_flag_that_says_the_same() {
        fn same<G: Group>() {
            let command = Flags::<G>::augment_args(Command::new("x"));
            let flags: Vec<_> = command.get_arguments().collect();
            let keys: Vec<_> = G::Keys::keys().into_iter().filter(|key| G::has(key)).collect();
            assert_eq!(flags.len(), keys.len());
            for (flag, key) in flags.into_iter().zip(keys) {
                let name = format!("{}{}", G::PREFIX, key.name.replace('_', "-"));
                assert_eq!(flag.get_long(), Some(&*name));
                assert!(flag.get_help().unwrap().to_string().starts_with(&key.summary()));
                let default = key.default.filter(|_| !matches!(key.shape, Shape::Switch));
                let shown = flag.get_default_values().first();
                let shown = shown.map(|value| value.to_str().unwrap().to_owned());
                assert_eq!(shown, default.map(|text| text.trim_matches('"').to_owned()), "{name}");
                let words = flag.get_possible_values();
                let words: Vec<_> = words.iter().map(|word| word.get_name().to_owned()).collect();
                match key.shape {
                    Shape::Choice(known) => assert_eq!(words, known()),
                    Shape::Switch => {}
                    _ => assert!(words.is_empty(), "{name}"),
                }
            }
        }
        same::<CommitKeys>();
        same::<HistoryKeys>();
        same::<NamingKeys>();
        same::<PublishKeys>();
        same::<OfSource>();
        same::<OfTarget>();
    }
}
