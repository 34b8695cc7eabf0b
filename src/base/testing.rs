//! What the unit tests of several layers share.

/// Shows `look` the `bytes` with one bit, and then with a whole byte, flipped at each place.
pub(crate) fn every_flip(mut bytes: Vec<u8>, mut look: impl FnMut(&[u8])) {
    for place in 0..bytes.len() {
        for by in [1 << (place % 8), 0xff] {
            bytes[place] ^= by;
            look(&bytes);
            bytes[place] ^= by;
        }
    }
}

/// Shows `look` each beginning of `bytes`, and then every flip.
pub(crate) fn every_cut_and_flip(bytes: Vec<u8>, mut look: impl FnMut(&[u8])) {
    (0..bytes.len()).for_each(|end| look(&bytes[..end]));
    every_flip(bytes, look);
}
