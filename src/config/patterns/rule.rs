//! Which values of its placeholders a pattern allows.

use wildmatch::WildMatch;

use crate::config::template::Values;

/// What stands for any characters, and for one, in an entry of `allow`.
pub(super) const WILDCARDS: [char; 2] = ['*', '?'];

/// Which values are allowed.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// The parts of each entry, as many as there are placeholders.
    pub(super) allow: Vec<Vec<String>>,
    pub(super) mixed_case: bool,
}

impl Rule {
    /// Whether a mirror of these values may be. One whose values differ in case alone from those of
    /// another that is allowed is not: there are forges on which the two have one target.
    pub(super) fn allows(&self, values: &Values) -> bool {
        let accepts = |entry: &Vec<String>| {
            entry.iter().zip(&values.0).all(|(part, (_, value))| {
                let is_written_out = self.mixed_case || !has_upper_case(value) || part == value;
                is_written_out && WildMatch::new(part).matches(value)
            })
        };
        let is_clear = self.mixed_case
            || self.allow.iter().all(|entry| accepts(entry) || !matches_alike(entry, values));
        is_clear && self.allow.iter().any(accepts)
    }

    /// Whether a mirror of these values, or of some that differ from them in case, may be.
    pub(super) fn may_allow(&self, values: &Values) -> bool {
        self.allow.iter().any(|entry| matches_alike(entry, values))
    }

    /// The only value that the placeholder at `place` may have, if there is one.
    pub(super) fn fixed(&self, place: usize) -> Option<&str> {
        let mut values = self.allow.iter().map(|entry| entry.get(place).map(String::as_str));
        let first = values.next()??;
        let is_fixed = !first.contains(WILDCARDS) && values.all(|value| value == Some(first));
        is_fixed.then_some(first)
    }
}

fn has_upper_case(text: &str) -> bool {
    text.contains(|c: char| c.is_ascii_uppercase())
}

/// Whether an entry matches values, whatever the case.
fn matches_alike(entry: &[String], values: &Values) -> bool {
    entry.iter().zip(&values.0).all(|(part, (_, value))| {
        WildMatch::new(&part.to_ascii_lowercase()).matches(&value.to_ascii_lowercase())
    })
}
