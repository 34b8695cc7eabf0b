//! An address that is asked for: a server, a path and a query.

use std::fmt;

use crate::net::url::{SourceUrl, SourceUrlError};

/// An absolute address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebAddress {
    /// The server and the path there.
    pub server: SourceUrl,
    /// What stands behind a question mark.
    pub query: Option<String>,
}

impl WebAddress {
    /// Reads an absolute address. A fragment, which is for browsers, is left out.
    pub fn parse(text: &str) -> Result<Self, SourceUrlError> {
        let text = text.split('#').next().unwrap_or_default();
        let (server, query) = match text.split_once('?') {
            Some((server, query)) => (server, Some(query)),
            None => (text, None),
        };
        if let Some(at) = query.and_then(|query| query.find(|c: char| !c.is_ascii_graphic())) {
            return Err(SourceUrlError::Character { at: server.len() + 1 + at });
        }
        Ok(Self { server: SourceUrl::parse(server)?, query: query.map(str::to_owned) })
    }

    /// The address that `location` says, seen from this one (RFC 3986).
    pub fn join(&self, location: &str) -> Result<Self, SourceUrlError> {
        // What the crate forgives in a location is refused before it is asked.
        let place = location.split('#').next().unwrap_or_default();
        let stray = |c: char| !c.is_ascii_graphic() || c == '\\';
        if let Some(at) = place.find(stray) {
            return Err(SourceUrlError::Character { at });
        }
        if location.contains("://") {
            return Self::parse(location);
        }
        let here = url::Url::parse(&self.to_string()).map_err(|_| SourceUrlError::Host)?;
        let there = here.join(location).map_err(|_| SourceUrlError::Host)?;
        Self::parse(there.as_str())
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.server.path.is_empty() { "/" } else { &self.server.path };
        write!(f, "{}{path}", self.server.origin())?;
        self.query.as_ref().map_or(Ok(()), |query| write!(f, "?{query}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_location_leads() {
        let here = WebAddress::parse("https://u@h:444/a/b?cmd=heads").unwrap();
        assert_eq!(here.to_string(), "https://h:444/a/b?cmd=heads");
        for (location, there) in [
            ("http://x/y/?z#f", "http://x/y/?z"),
            ("//x/y", "https://x/y"),
            ("/c?d", "https://h:444/c?d"),
            ("c", "https://h:444/a/c"),
            ("?d", "https://h:444/a/b?d"),
            ("/a/b/?cmd=heads", "https://h:444/a/b/?cmd=heads"),
        ] {
            assert_eq!(here.join(location).unwrap().to_string(), there, "{location}");
        }
        for location in ["http://", "https://h/a b", "/a?b c", "file:///x", "https://u:p@h/"] {
            assert!(here.join(location).is_err(), "{location}");
        }
        assert_eq!(WebAddress::parse("https://h").unwrap().to_string(), "https://h/");
    }
}
