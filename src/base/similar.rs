//! Which known word an unknown one may stand for.

use strsim::levenshtein;

/// The one of `known` that `word` was most likely meant to be; `None` if it is like none of them.
/// Upper and lower case, `-` and `_` are the same.
pub fn similar<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|key| (levenshtein(&word, &plain(key)), key))
        // A third of the letters may be wrong: more is a different word.
        .filter(|(distance, key)| *distance <= key.chars().count() / 3)
        .min()
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_similar_and_others_are_not() {
        let known = ["listen", "wait", "max_body", "workers"];
        assert_eq!(similar("lisen", known), Some("listen"));
        assert_eq!(similar("max-body", known), Some("max_body"));
        assert_eq!(similar("Worker", known), Some("workers"));
        assert_eq!(similar("colour", known), None);
        assert_eq!(similar("", known), None);
    }
}
