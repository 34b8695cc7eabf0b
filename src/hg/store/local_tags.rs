//! The `localtags` file: tags that this repository keeps to itself. They are not published; the
//! changesets that they name stay visible though obsolete.

use crate::hg::Node;

use super::files::{Note, Notes};
use super::tags::parse;

/// The changesets that local tags name. `text` is that of `.hg/localtags`.
///
/// Of two lines with one name the later counts, and the null node removes a tag.
pub fn tagged_nodes(text: &[u8]) -> (Vec<Node>, Vec<Note>) {
    let mut notes = Notes::default();
    let histories = parse(text, "localtags", &mut notes);
    let targets = histories.entries.iter().filter_map(|(_, history)| history.node());
    (targets.filter(|node| !node.is_null()).collect(), notes.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_counts() {
        let [a, b] = [1, 2].map(|i| Node::from_bytes([i; 20]));
        let text = format!("{a} x\n{b} x\n{a} gone\n{} gone\njunk\n{a} y z", Node::NULL);
        let (tagged, notes) = tagged_nodes(text.as_bytes());
        assert_eq!(tagged, [b, a]);
        assert_eq!(notes.len(), 1);
    }
}
