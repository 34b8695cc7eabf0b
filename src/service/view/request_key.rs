//! What tells requests apart.

use std::net::IpAddr;

/// What tells a request that is sent again from another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestKey {
    /// Unique for the sender, what it asks for, and its own key.
    pub id: String,
    /// The address that it came from.
    pub from: IpAddr,
}
