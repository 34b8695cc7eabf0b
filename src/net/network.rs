//! Networks: the addresses that begin alike, as `192.0.2.0/24` names them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::base::faults;

/// All addresses that have the first bits of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    /// How many bits are the same.
    bits: u32,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// It is of another form.
    #[error(
        "read a network: it is an address, or its first one with a number of bits, as 192.0.2.0/24"
    )]
    Form,
    /// It is an address in the midst of a network.
    #[error("read a network: {first} is the first address of it")]
    NotFirst {
        /// The network that it is in.
        first: Network,
    },
}

faults!(NetworkError => Config);

impl Network {
    /// Whether `address` is in it. An IPv4 address that is written as an IPv6 one is the same.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                let differ = u64::from(first.to_bits() ^ address.to_bits());
                differ >> (32 - self.bits) == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                let differ = first.to_bits() ^ address.to_bits();
                differ.checked_shr(128 - self.bits).unwrap_or_default() == 0
            }
            _ => false,
        }
    }
}

/// Who counts as one sender: an IPv4 address; and of IPv6 the network of 64 bits, since whoever has one address
/// of it usually has them all.
pub fn one_sender(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() & !u128::from(u64::MAX)).into()),
        address @ IpAddr::V4(_) => address,
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Form)?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let number = |bits: &str| {
            let digits = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
            bits.parse().ok().filter(|&bits: &u32| digits && bits <= most)
        };
        let bits = bits.map_or(Some(most), number).ok_or(NetworkError::Form)?;
        let first = match address {
            IpAddr::V4(address) => {
                let host = u32::MAX.checked_shr(bits).unwrap_or_default();
                IpAddr::V4((address.to_bits() & !host).into())
            }
            IpAddr::V6(address) => {
                let host = u128::MAX.checked_shr(bits).unwrap_or_default();
                IpAddr::V6((address.to_bits() & !host).into())
            }
        };
        let network = Self { first, bits };
        if first == address { Ok(network) } else { Err(NetworkError::NotFirst { first: network }) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_one_sender() {
        for (address, sender) in [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("::1", "::"),
        ] {
            let found = one_sender(address.parse().unwrap());
            assert_eq!(found.to_string(), sender, "{address}");
        }
    }

    #[test]
    fn what_is_in_a_network() {
        for (network, inside, outside) in [
            ("192.0.2.0/24", "192.0.2.255", "192.0.3.0"),
            ("192.0.2.0/24", "::ffff:192.0.2.7", "::192.0.2.7"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.6"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("::/0", "ffff::", "192.0.2.1"),
            ("::1", "::1", "::2"),
            ("10.0.0.0/9", "10.127.0.0", "10.128.0.0"),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert!(parsed.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{network} {outside}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
    }

    #[test]
    fn what_is_no_network() {
        for text in ["", "x", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/+8", "::/129", "1.2.3/8"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Form), "{text}");
        }
        let error = "192.0.2.7/24".parse::<Network>().unwrap_err();
        assert_eq!(error.to_string(), "read a network: 192.0.2.0/24 is the first address of it");
    }
}
