//! What several tests of the store need.

use crate::hg::{Dag, Node, Rev};

/// The bytes that pairs of hexadecimal digits stand for.
pub(super) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "half a byte: {text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The revision with this number.
pub(super) fn rev(number: usize) -> Rev {
    Rev::new(u32::try_from(number).unwrap())
}

/// A node for each number below 255; none is null.
pub(super) fn node(number: usize) -> Node {
    Node::from_bytes([u8::try_from(number).unwrap() + 1; 20])
}

/// A history in which each revision says how far back its parents are; zero, and what is before
/// the first revision, is no parent.
pub(super) fn dag(distances: impl IntoIterator<Item = [usize; 2]>) -> Dag {
    let mut dag = Dag::new();
    for (number, back) in distances.into_iter().enumerate() {
        let parent = |back: usize| number.checked_sub(back).filter(|_| back > 0).map(rev);
        dag.push(back.map(parent)).unwrap();
    }
    dag
}
