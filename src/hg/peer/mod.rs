//! Talking to a Mercurial server: over HTTP, or with the system's OpenSSH.
//!
//! The connections are made by [`crate::net`]. What is said and what is answered is [`super::wire`]'s; nothing here knows a store.

mod error;
mod http;
mod logged;
mod ssh;

use std::io::Read;

use super::wire::{Capabilities, Command};
use crate::base::{Interrupt, Limits};
use crate::net::url::Scheme;
use crate::net::{Access, SourceUrl};
use http::HttpPeer;
use logged::Logged;
use ssh::SshPeer;

pub use error::PeerError;

/// A server that is being talked to.
///
/// Errors while a stream is read come as an [`std::io::Error`] that holds a
/// [`crate::base::Carried`], which holds the [`PeerError`] or
/// [`crate::net::NetError`]: through decompressors too.
pub trait Peer {
    /// What the server says it can do; asked once.
    fn capabilities(&mut self) -> Result<Capabilities, PeerError>;

    /// Uses these, remembered from before, instead of asking: HTTP needs some of them to send arguments.
    fn remember(&mut self, capabilities: Capabilities);

    /// A short answer, whole, of at most `Limits::metadata_bytes`.
    fn call(&mut self, command: &Command) -> Result<Vec<u8>, PeerError>;

    /// A long answer, decompressed as the transport says. Over SSH nothing says where it ends but what
    /// is in it: read no further than that, and all of it before the next command.
    fn stream(&mut self, command: &Command) -> Result<Box<dyn Read + '_>, PeerError>;

    /// What is at an absolute HTTP address, such as that of a bundle for first fetches. Our
    /// credential goes to no other server than the one that it is for.
    fn download(&mut self, url: &str) -> Result<Box<dyn Read + '_>, PeerError>;
}

/// Begins to talk to the server of `url`: over SSH logs in, over HTTP sends nothing yet.
pub fn connect(
    url: &SourceUrl,
    access: &Access,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<Box<dyn Peer>, PeerError> {
    match url.scheme {
        Scheme::Ssh => {
            let peer = SshPeer::connect(url, access, limits, interrupt)?;
            Ok(Box::new(Logged(peer)))
        }
        Scheme::Http | Scheme::Https => {
            let peer = HttpPeer::new(url, access, limits, interrupt)?;
            Ok(Box::new(Logged(peer)))
        }
    }
}
