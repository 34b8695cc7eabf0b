//! Hosts and ports in addresses, read strictly: they land in commands, headers and logs. And which
//! addresses are of private networks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where github.com is, over HTTPS and SSH, and over SSH on the port of HTTPS.
const GITHUB: [&str; 2] = ["github.com", "ssh.github.com"];

/// Whether `host`, in lower case, is github.com.
pub fn is_github(host: &str) -> bool {
    GITHUB.contains(&host)
}

/// What is wrong with a host and port. It does not repeat them: they could hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// The host is empty, or is not the name or address of one.
    Host,
    /// The port is not a number from 1 to 65535.
    Port,
}

/// Reads `host[:port]`.
pub fn parse_host_and_port(text: &str) -> Result<(String, Option<u16>), HostError> {
    let end = match text.strip_prefix('[') {
        Some(_) => text.find(']').ok_or(HostError::Host)? + 1,
        None => text.find(':').unwrap_or(text.len()),
    };
    let (host, port) = text.split_at(end);
    let port = match port.strip_prefix(':') {
        Some(digits) => Some(parse_port(digits)?),
        None if port.is_empty() => None,
        None => return Err(HostError::Host),
    };
    Ok((parse_host(host)?, port))
}

fn parse_port(digits: &str) -> Result<u16, HostError> {
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    let port = digits.parse().ok().filter(|&port| port > 0 && all_digits);
    port.ok_or(HostError::Port)
}

/// Reads the name of a host, which comes out in lower case, an IPv4 address, or an IPv6 address in
/// brackets. As for browsers, a name of numbers is an IPv4 address, however short it is.
pub fn parse_host(host: &str) -> Result<String, HostError> {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // The crate decodes escapes and takes letters of every alphabet.
    let is_name = || host.strip_suffix('.').unwrap_or(host).split('.').all(is_label);
    if host.len() > 253 || !(host.starts_with('[') || is_name()) {
        return Err(HostError::Host);
    }
    let host = url::Host::parse(host).map_err(|_| HostError::Host)?;
    Ok(host.to_string())
}

/// Whether an address is of the internet at large (the special-purpose registries of IANA).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let special = match address.octets() {
        [0 | 10 | 127 | 240.., ..]
        | [169, 254, ..]
        | [192, 168, ..]
        | [192, 0, 0, _]
        | [198, 18 | 19, ..] => true,
        [100, second, ..] => (64..128).contains(&second),
        [172, second, ..] => (16..32).contains(&second),
        _ => false,
    };
    !special && !address.is_multicast()
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        // Those that stand for addresses of the other kind: mapped, translated, 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(joined(high, low))
        }
        [0x2002, high, low, ..] => is_public_v4(joined(high, low)),
        // Global unicast, of which documentation, benchmarks and the like are no part.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [first, ..] => (0x2000..0x3ff0).contains(&first),
    }
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let host = |host: &str, port| Ok((host.to_owned(), port));
        for (text, expected) in [
            ("H.example", host("h.example", None)),
            ("h.:22", host("h.", Some(22))),
            ("127.0.0.1:65535", host("127.0.0.1", Some(65535))),
            ("0x7f.1", host("127.0.0.1", None)),
            ("[::1]:1", host("[::1]", Some(1))),
            ("", Err(HostError::Host)),
            ("-h", Err(HostError::Host)),
            ("a..b", Err(HostError::Host)),
            ("[::1", Err(HostError::Host)),
            ("[::1]x", Err(HostError::Host)),
            ("h:", Err(HostError::Port)),
            ("h:0", Err(HostError::Port)),
            ("h:+1", Err(HostError::Port)),
            ("h:65536", Err(HostError::Port)),
        ] {
            assert_eq!(parse_host_and_port(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_public() {
        for (address, expected) in [
            ("1.1.1.1", true),
            ("172.15.0.1", true),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("172.31.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2001:4860::8888", true),
            ("::", false),
            ("::1", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:1.1.1.1", true),
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::101:101", true),
            ("2002:7f00:1::", false),
            ("2002:101:101::", true),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
        }
    }
}
