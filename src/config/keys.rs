//! Which keys a section knows, and which of them somebody may have meant.

use serde::Deserialize;
use serde::de::value::Error;
use serde::de::{Deserializer, Error as _, Visitor};
use serde::forward_to_deserialize_any;

/// The keys of the section `T`: its field names, as its `Deserialize` asks for them.
pub(super) fn keys_of<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // The probe always fails: what it was asked for is the answer.
    let _ = T::deserialize(Probe(&mut keys));
    keys
}

/// A deserializer that holds no data and notes which fields a struct asks for.
struct Probe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("a probe has no data"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        Err(Error::custom("a probe has no data"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

/// The one of `known` that `word` was most likely meant to be; `None` if it is like none of them.
pub(super) fn similar<'a>(
    word: &str,
    known: impl IntoIterator<Item = &'a &'static str>,
) -> Option<&'static str> {
    let word = word.to_lowercase().replace('-', "_");
    known
        .into_iter()
        .map(|&key| (edit_distance(&word, key), key))
        // A third of the letters may be wrong: more is a different word.
        .filter(|(distance, key)| *distance <= key.chars().count() / 3)
        .min()
        .map(|(_, key)| key)
}

/// How many letters must be inserted, removed or replaced to make `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    // Entry `j` is the distance between what was read of `a` and the first `j` letters of `b`.
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, pair) in b.chars().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(from != to)).min(above + 1).min(left + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its field names are asked for")]
    struct Section {
        listen: Option<String>,
        #[serde(rename = "max_body")]
        body: Option<u64>,
    }

    #[test]
    fn keys_are_the_names_in_the_file() {
        assert_eq!(keys_of::<Section>(), ["listen", "max_body"]);
        assert_eq!(keys_of::<String>(), [""; 0]);
    }

    #[test]
    fn distances() {
        for (a, b, distance) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("é", "e", 1)]
        {
            assert_eq!(edit_distance(a, b), distance, "{a:?} {b:?}");
        }
    }

    #[test]
    fn near_words_are_similar_and_others_are_not() {
        let known = ["listen", "wait", "max_body", "workers"];
        assert_eq!(similar("lisen", &known), Some("listen"));
        assert_eq!(similar("max-body", &known), Some("max_body"));
        assert_eq!(similar("Worker", &known), Some("workers"));
        assert_eq!(similar("colour", &known), None);
        assert_eq!(similar("", &known), None);
    }
}
