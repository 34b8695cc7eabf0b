//! One request, and what can be read from it.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;
use warp::http::{HeaderMap, Method};

/// One request, with all of its body.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path as it was sent, with escapes: names of mirrors may hold slashes.
    pub path: String,
    /// What follows `?`; empty without.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
    /// The address of the client.
    pub from: IpAddr,
    /// Whether it came over the admin socket, whose users may do everything.
    pub is_admin: bool,
}

impl Request {
    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A parameter of the query; `None` if it is not there or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// A parameter of the query, even an empty one.
    pub(super) fn given(&self, name: &str) -> Option<String> {
        field(&self.query, name)
    }

    /// A field of the form that was sent.
    pub(super) fn field(&self, name: &str) -> Option<String> {
        field(std::str::from_utf8(&self.body).ok()?, name)
    }

    /// The value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let lines = self.headers.get_all("cookie").into_iter().filter_map(|it| it.to_str().ok());
        let pairs =
            lines.flat_map(|line| line.split(';')).filter_map(|it| it.trim().split_once('='));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The host that was asked, with its port, as it was sent.
    pub(super) fn host(&self) -> &str {
        self.header("host").unwrap_or("localhost")
    }

    /// Whether the host that was asked is ours, as far as we know our name: a foreign page that has its own name lead
    /// to our address (DNS rebinding) shall not read what only those see who reach us.
    pub(super) fn is_for_us(&self, public_url: Option<&str>) -> bool {
        let Some((_, ours)) = public_url.and_then(|url| url.split_once("://")) else { return true };
        let ours = name_in(ours.split('/').next().unwrap_or_default());
        let name = name_in(self.host());
        let is_ours = name.eq_ignore_ascii_case(ours) || name.eq_ignore_ascii_case("localhost");
        self.is_admin || is_ours || name.parse::<IpAddr>().is_ok()
    }

    /// Whether the host that was asked is this very machine.
    pub(super) fn is_loopback(&self) -> bool {
        let name = name_in(self.host());
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// The name or address of a host, without the port that may follow it.
fn name_in(host: &str) -> &str {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.')
}

/// One part of a path or query, decoded. What is not UTF-8 becomes replacement characters.
pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The first field called `name` of `application/x-www-form-urlencoded` text.
fn field(text: &str, name: &str) -> Option<String> {
    let pairs = text.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let decoded = |text: &str| decode(&text.replace('+', " "));
    let mut pairs = pairs.filter(|(key, _)| decoded(key) == name);
    pairs.next().map(|(_, value)| decoded(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(query: &str, headers: &[(&'static str, &str)]) -> Request {
        let headers = headers.iter().map(|(name, value)| {
            (warp::http::HeaderName::from_static(name), value.parse().unwrap())
        });
        Request {
            method: Method::GET,
            path: "/".to_owned(),
            query: query.to_owned(),
            headers: headers.collect(),
            body: b"token=a%2Bb&form=x".to_vec(),
            from: IpAddr::from([127, 0, 0, 1]),
            is_admin: false,
        }
    }

    #[test]
    fn parameters_fields_and_cookies() {
        let request = request(
            "q=a+b%20c&state=&state=x&owner=%C3%B6%ff&plain",
            &[("cookie", "a=1; b=2=3"), ("cookie", "c=4")],
        );
        assert_eq!(request.parameter("q").as_deref(), Some("a b c"));
        assert_eq!(request.parameter("state"), None);
        assert_eq!(request.parameter("owner").as_deref(), Some("ö\u{fffd}"));
        assert_eq!(request.parameter("plain"), None);
        assert_eq!(request.field("token").as_deref(), Some("a+b"));
        assert_eq!(request.field("none"), None);
        for (name, value) in [("a", Some("1")), ("b", Some("2=3")), ("c", Some("4")), ("d", None)] {
            assert_eq!(request.cookie(name), value);
        }
    }

    #[test]
    fn this_very_machine() {
        for (host, expected) in [
            ("localhost", true),
            ("localhost:8080", true),
            ("127.0.0.1:80", true),
            ("127.3.2.1", true),
            ("[::1]:80", true),
            ("[::1]", true),
            ("127.0.0.1.example.org", false),
            ("localhost.example.org:80", false),
            ("10.0.0.1:80", false),
            ("[::2]:80", false),
        ] {
            assert_eq!(request("", &[("host", host)]).is_loopback(), expected, "{host}");
        }
    }
}
