//! Hexadecimal text, and the macro that makes one type for each kind of 20-byte id.

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The lower-case hexadecimal text of `bytes`.
pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?')));
        }
    }
    text
}

/// The value of one hexadecimal digit of either case; `None` for anything else.
pub fn digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// Decodes exactly 40 hexadecimal digits; `None` for anything else.
pub fn decode20(text: &[u8]) -> Option<[u8; 20]> {
    decode(text)
}

/// Decodes the hexadecimal digits of exactly `N` bytes, of either case; `None` for anything else.
pub fn decode<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut out = [0; N];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(out)
}

/// Makes a newtype for one kind of 20-byte id, so that ids of Mercurial and of Git never mix.
macro_rules! id_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 20]);

        impl $name {
            /// The id of twenty zero bytes, which stands for "none".
            pub const NULL: Self = Self([0; 20]);

            /// The id with these bytes.
            pub const fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// Parses exactly 40 hexadecimal digits.
            pub fn from_hex(text: &[u8]) -> Option<Self> {
                $crate::base::hex::decode20(text).map(Self)
            }

            /// The twenty bytes.
            pub const fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            /// Whether this is the id of twenty zero bytes.
            pub fn is_null(&self) -> bool {
                *self == Self::NULL
            }

            /// The first twelve hexadecimal digits, Mercurial's usual short form.
            pub fn short(&self) -> String {
                let mut text = $crate::base::hex::encode(&self.0);
                text.truncate(12);
                text
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::base::hex::encode(&self.0))
            }
        }

        /// As its hexadecimal digits.
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{self}")
            }
        }
    };
}
pub(crate) use id_type;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        let bytes: [u8; 20] = std::array::from_fn(|i| u8::try_from(i * 13).unwrap_or(0));
        assert_eq!(decode20(encode(&bytes).as_bytes()), Some(bytes));
        assert_eq!(decode20(encode(&bytes).to_uppercase().as_bytes()), Some(bytes));
        assert_eq!(decode20(b"00"), None);
        assert_eq!(decode(b"00fF"), Some([0, 255]));
        assert_eq!(decode::<2>(b"00fF0"), None);
        assert_eq!(decode20(&[b'g'; 40]), None);
    }
}
