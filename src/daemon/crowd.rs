//! How many connections one sender may have: nobody shall keep out all others by doing nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::server::Peer;
use crate::net::Network;
use crate::net::network::one_sender;

/// One sender may have this part of all connections.
const PART: usize = 4;

/// Who is connected.
#[derive(Debug)]
pub(super) struct Crowd {
    most: usize,
    connected: Mutex<HashMap<IpAddr, usize>>,
}

/// The place of one connection, which is free again once this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    crowd: Arc<Crowd>,
    /// Who has it; `None` if that is not counted.
    sender: Option<IpAddr>,
}

impl Crowd {
    /// For so many connections in all.
    pub(super) fn new(connections: usize) -> Self {
        Self { most: connections.div_ceil(PART), connected: Mutex::default() }
    }

    fn connected(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.connected.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a connection; `None` if its sender has as many as one may have. Who is on this machine, or a
    /// proxy that is trusted and so brings the connections of many, may have all.
    pub(super) fn enter(self: &Arc<Self>, peer: Peer, trusted: &[Network]) -> Option<Place> {
        let sender = match peer {
            Peer::Network(address) => address.ip().to_canonical(),
            Peer::Admin { .. } => return Some(Place { crowd: Arc::clone(self), sender: None }),
        };
        let is_free =
            sender.is_loopback() || trusted.iter().any(|network| network.contains(sender));
        let sender = (!is_free).then(|| one_sender(sender));
        if let Some(sender) = sender {
            let mut connected = self.connected();
            let places = connected.entry(sender).or_default();
            if *places >= self.most {
                return None;
            }
            *places += 1;
        }
        Some(Place { crowd: Arc::clone(self), sender })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(sender) = self.sender else { return };
        let mut connected = self.crowd.connected();
        let left = connected.get(&sender).copied().unwrap_or_default().saturating_sub(1);
        match left {
            0 => connected.remove(&sender),
            left => connected.insert(sender, left),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_sender_leaves_places_to_others() {
        let crowd = Arc::new(Crowd::new(8));
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let enter = |peer| crowd.enter(peer, &trusted);
        let from = |address: &str| Peer::Network((address.parse::<IpAddr>().unwrap(), 4711).into());
        let first = enter(from("2001:db8::1")).unwrap();
        let second = enter(from("2001:db8::2")).unwrap();
        assert!(enter(from("2001:db8::3")).is_none());
        let others: Vec<_> = (0..2).map(|_| enter(from("192.0.2.1")).unwrap()).collect();
        assert!(enter(from("::ffff:192.0.2.1")).is_none());
        drop(first);
        let third = enter(from("2001:db8::3")).unwrap();
        let many = ["127.0.0.1", "::1", "10.1.2.3"].iter().flat_map(|it| [it; 20]);
        let many: Vec<_> = many.map(|address| enter(from(address)).unwrap()).collect();
        assert!(enter(Peer::Admin { uid: 0 }).is_some());
        drop((second, third, others, many));
        assert!(crowd.connected().is_empty());
    }
}
