//! Which known word somebody may have meant.

/// The one of `known` that `word` was most likely meant to be; `None` if it is like none of them.
/// Upper and lower case, `-` and `_` are the same.
pub fn similar<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    known
        .into_iter()
        .map(|key| (edit_distance(&word, &plain(key)), key))
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
        assert_eq!(similar("lisen", known), Some("listen"));
        assert_eq!(similar("max-body", known), Some("max_body"));
        assert_eq!(similar("Worker", known), Some("workers"));
        assert_eq!(similar("colour", known), None);
        assert_eq!(similar("", known), None);
    }
}
