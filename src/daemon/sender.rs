//! Where a request comes from.

use std::net::{IpAddr, SocketAddr};

use warp::http::HeaderMap;

use crate::net::Network;

/// Where a request comes from: what the proxies say that are trusted, the nearest last, and else the other end of
/// the connection.
pub(super) fn sender(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let lines = headers.get_all("x-forwarded-for").into_iter();
    let named: Vec<&[u8]> = lines.flat_map(|line| line.as_bytes().split(|&b| b == b',')).collect();
    let mut from = peer.to_canonical();
    for address in named.iter().rev() {
        if !is_trusted(from) {
            break;
        }
        // Whatever is before something that is no address was not said by who is trusted.
        let Some(address) = address_in(address) else { break };
        from = address.to_canonical();
    }
    from
}

/// Some proxies name the port, too.
fn address_in(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|it| it.ip()))
}

#[cfg(test)]
mod tests {
    use warp::http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_say_where_a_request_comes_from() {
        let trusted: Vec<Network> =
            ["127.0.0.0/8", "10.0.0.0/8"].iter().map(|text| text.parse().unwrap()).collect();
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &["198.51.100.7"][..], "192.0.2.1"),
            ("127.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:127.0.0.1", &["::ffff:198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("127.0.0.1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, 198.51.100.7, 10.1.2.3"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", "198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9, nonsense"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9", "\u{ff}"], "127.0.0.1"),
            ("127.0.0.1", &["203.0.113.9", "\u{ff}, 198.51.100.7"], "198.51.100.7"),
            ("127.0.0.1", &["203.0.113.9", ""], "127.0.0.1"),
            ("127.0.0.1", &[""], "127.0.0.1"),
            ("127.0.0.1", &[], "127.0.0.1"),
        ] {
            let mut headers = HeaderMap::new();
            for line in forwarded {
                let line = HeaderValue::from_bytes(line.as_bytes()).unwrap();
                headers.append("x-forwarded-for", line);
            }
            let found = sender(peer.parse().unwrap(), &headers, &trusted);
            assert_eq!(found.to_string(), expected, "{peer} {forwarded:?}");
        }
    }
}
