//! Hook payloads: the bytes of a delivery in, an event out. Pure; knows no network and no mirror.
//!
//! An event is a hint that something may have happened to a source. It is used to find a configured
//! mirror and for nothing else: no URL, no reference and no changeset of it is ever believed.
//!
//! To add a format: one file with a [`Format`], one line in [`FORMATS`], one folder in
//! `fixtures/hooks/`. A format that signs its deliveries checks the signature in its `parse`,
//! over the raw body and before it looks inside.

pub mod bitbucket_post;
pub mod form;

use crate::base::faults;

/// Every format that is understood.
pub static FORMATS: &[&Format] = &[&bitbucket_post::FORMAT];

/// One way in which a forge tells of a push.
#[derive(Debug)]
pub struct Format {
    /// What people call it.
    pub name: &'static str,
    /// The path below which its deliveries arrive, one segment without slashes. The path alone
    /// decides the format: guessing it from headers would let a sender pick the weakest check.
    pub path: &'static str,
    /// Reads a delivery.
    pub parse: fn(&Delivery<'_>) -> Result<PushEvent, PayloadError>,
}

/// One request as it came in.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// The headers, names in lower case.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The whole body, not decoded.
    pub body: &'a [u8],
}

impl<'a> Delivery<'a> {
    /// The first header called `name` (in lower case).
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(key, _)| *key == name).map(|&(_, value)| value)
    }
}

/// A claim that a repository was pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushEvent {
    /// The user or group that the repository belongs to. Not empty.
    pub owner: String,
    /// The name of the repository in URLs. Not empty.
    pub slug: String,
    /// The name of the repository for people, where it was sent.
    pub name: Option<String>,
    /// The changesets, in lower-case hex, that the sender says are new and have no child among the
    /// new ones. For logs only.
    pub heads_hinted: Vec<String>,
}

/// A delivery that is not what its format demands.
///
/// The texts are part of the contract with senders, whole sentences and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// There is no payload at all.
    #[error("No JSON payload.")]
    Missing,
    /// The payload is not JSON.
    #[error("Invalid JSON payload.")]
    NotJson,
    /// The payload is JSON and does not say which repository it is about.
    #[error("No proper JSON in payload.")]
    NotProper,
}

faults!(PayloadError {
    Self::NotJson => Corrupt,
    Self::Missing | Self::NotProper => Unsupported,
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_have_paths_of_their_own() {
        for (i, format) in FORMATS.iter().enumerate() {
            assert!(!format.path.contains('/') && !format.path.is_empty(), "{}", format.name);
            assert!(FORMATS.iter().skip(i + 1).all(|other| other.path != format.path));
        }
    }

    #[test]
    fn headers_are_found_by_name() {
        let delivery = Delivery { headers: &[("a", b"1"), ("b", b"2"), ("b", b"3")], body: b"" };
        assert_eq!(delivery.header("b"), Some(&b"2"[..]));
        assert_eq!(delivery.header("c"), None);
    }
}
