//! The network: addresses, hosts, the HTTP client, OpenSSH, known hosts, and secrets read when they
//! are used. Sources and targets are reached through here with the same [`Access`].
//!
//! Only home of the crates that open connections or read addresses. Nothing here knows what Mercurial
//! or Git say over a connection.

pub mod access;
pub mod certificate;
pub mod error;
pub mod host;
pub mod http;
pub mod jwt;
pub mod known_hosts;
pub mod network;
pub mod patience;
pub mod percent;
pub mod secret;
pub mod ssh;
pub mod tls;
pub mod token;
pub mod url;
mod wait;

pub use access::{Access, Key, KeySource, Timeouts, Token};
pub use error::{NetError, Said};
pub use network::{Network, NetworkError};
pub use secret::{SecretError, SecretSource};
pub use token::{TokenMaker, TokenSource};
pub use url::{SourceUrl, TargetUrl};
