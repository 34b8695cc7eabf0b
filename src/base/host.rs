//! The host and port in an address, read strictly: they land in commands, headers and logs.

use std::net::Ipv6Addr;

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
/// brackets.
pub fn parse_host(host: &str) -> Result<String, HostError> {
    if let Some(address) = host.strip_prefix('[') {
        let address = address.strip_suffix(']').ok_or(HostError::Host)?;
        let address: Ipv6Addr = address.parse().map_err(|_| HostError::Host)?;
        return Ok(format!("[{address}]"));
    }
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if host.len() > 253 || !host.strip_suffix('.').unwrap_or(host).split('.').all(is_label) {
        return Err(HostError::Host);
    }
    Ok(host.to_ascii_lowercase())
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
}
