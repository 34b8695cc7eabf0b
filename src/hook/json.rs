//! JSON from outside, of which only a few keys are read: whatever else there is, and however deep, is
//! passed over without keeping it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, SeqAccess, Visitor};

use super::{Delivery, PayloadError, form};

/// How many elements of a list are read.
const MOST_ELEMENTS: usize = 1000;

/// The JSON of a delivery: its body, or the field `payload` of a form.
pub(super) fn payload<'a>(delivery: &Delivery<'a>) -> Result<Cow<'a, [u8]>, PayloadError> {
    let json = match delivery.is_form() {
        true => form::field(delivery.body, "payload").map(Cow::Owned),
        false => Some(Cow::Borrowed(delivery.body)),
    };
    let is_blank = |json: &Cow<'a, [u8]>| json.iter().all(u8::is_ascii_whitespace);
    json.filter(|json| !is_blank(json)).ok_or(PayloadError::Missing)
}

/// What of `json` is of the shape of `T`, of which whatever must be there is there.
pub(super) fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, PayloadError> {
    // First alone: a payload of the wrong shape may still turn out not to be JSON further on.
    serde_json::from_slice::<IgnoredAny>(json).map_err(|_| PayloadError::NotJson)?;
    serde_json::from_slice(json).map_err(|_| PayloadError::NotProper)
}

/// What of `json` is only of use to people: nothing, if it is not of that shape.
pub(super) fn hints<T: DeserializeOwned + Default>(json: &[u8]) -> T {
    serde_json::from_slice(json).unwrap_or_default()
}

/// The first elements of a list; the others are passed over. Senders write `null` for an empty one.
#[derive(Debug)]
pub(super) struct First<T>(pub(super) Vec<T>);

impl<T> Default for First<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for First<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = First<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E>(self) -> Result<First<T>, E> {
                Ok(First::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<First<T>, A::Error> {
                let mut first = Vec::new();
                while first.len() < MOST_ELEMENTS {
                    match list.next_element()? {
                        Some(element) => first.push(element),
                        None => return Ok(First(first)),
                    }
                }
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(First(first))
            }
        }

        deserializer.deserialize_any(Elements(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    struct Name {
        name: Option<String>,
    }

    #[test]
    fn what_is_not_json_is_told_from_what_is_not_of_the_shape() {
        assert_eq!(read(b" {\"x\": [{}], \"name\": \"a\"} "), Ok(Name { name: Some("a".into()) }));
        for text in ["", "{", "{} {}", "{\"name\": 5, oops}", "\u{feff}{}"] {
            assert_eq!(read::<Name>(text.as_bytes()), Err(PayloadError::NotJson), "{text}");
        }
        for text in ["7", "null", "\"a\"", "{\"name\": 5}", "{\"name\": \"a\", \"name\": \"b\"}"] {
            assert_eq!(read::<Name>(text.as_bytes()), Err(PayloadError::NotProper), "{text}");
            assert_eq!(hints::<Name>(text.as_bytes()), Name::default());
        }
    }

    #[test]
    fn depth_and_length_cost_nothing() {
        let deep =
            format!("{{\"x\": {}{}, \"name\": \"a\"}}", "[".repeat(50_000), "]".repeat(50_000));
        assert!(read::<Name>(deep.as_bytes()).is_ok());
        assert_eq!(read::<Name>("[".repeat(100_000).as_bytes()), Err(PayloadError::NotJson));
        let long = format!("[{}7]", "1,".repeat(50_000));
        assert_eq!(read::<First<u8>>(long.as_bytes()).unwrap().0.len(), MOST_ELEMENTS);
        assert!(read::<First<u8>>(b"null").unwrap().0.is_empty());
        assert!(read::<First<u8>>(b"{}").is_err());
    }

    #[test]
    fn a_payload_is_a_body_or_a_field() {
        let form = [("content-type", &b"application/x-www-form-urlencoded"[..])];
        let of =
            |headers, body| payload(&Delivery { headers, query: "", body }).map(Cow::into_owned);
        assert_eq!(of(&[], b"{}"), Ok(b"{}".to_vec()));
        assert_eq!(of(&form, b"payload=%7b%7d"), Ok(b"{}".to_vec()));
        for body in ["", "  \n", "payload=+"] {
            assert_eq!(of(&form, body.as_bytes()), Err(PayloadError::Missing), "{body}");
        }
        assert_eq!(of(&[], b" "), Err(PayloadError::Missing));
    }
}
