//! A conversation in the log: what was asked and how long the answers are, nothing of what is in
//! them.

use std::io::{self, Read};

use super::{Peer, PeerError};
use crate::hg::wire::{Capabilities, Command};

/// A server whose conversation is logged, at the level `trace`.
pub(super) struct Logged<P>(pub(super) P);

/// An answer that is counted.
struct Counted<'p> {
    reader: Box<dyn Read + 'p>,
    what: &'static str,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(bytes)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        Ok(read)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        tracing::trace!(command = self.what, bytes = self.bytes, "a long answer was read");
    }
}

fn failed(command: &str, error: &PeerError) {
    tracing::trace!(command, error = %crate::base::fault::one_line(error), "no answer");
}

impl<P: Peer> Peer for Logged<P> {
    fn capabilities(&mut self) -> Result<Capabilities, PeerError> {
        let found = self.0.capabilities().inspect_err(|error| failed("capabilities", error))?;
        let list = String::from_utf8_lossy(&found.to_bytes()).into_owned();
        tracing::trace!(capabilities = list, "what the server can do");
        Ok(found)
    }

    fn remember(&mut self, capabilities: Capabilities) {
        self.0.remember(capabilities);
    }

    fn call(&mut self, command: &Command) -> Result<Vec<u8>, PeerError> {
        let (name, sent) = (command.name(), command.size());
        let answer = self.0.call(command).inspect_err(|error| failed(name, error))?;
        tracing::trace!(command = name, sent, bytes = answer.len(), "an answer");
        Ok(answer)
    }

    fn stream(&mut self, command: &Command) -> Result<Box<dyn Read + '_>, PeerError> {
        let (name, sent) = (command.name(), command.size());
        let reader = self.0.stream(command).inspect_err(|error| failed(name, error))?;
        tracing::trace!(command = name, sent, "a long answer begins");
        Ok(Box::new(Counted { reader, what: name, bytes: 0 }))
    }

    fn download(&mut self, url: &str) -> Result<Box<dyn Read + '_>, PeerError> {
        let reader = self.0.download(url).inspect_err(|error| failed("download", error))?;
        Ok(Box::new(Counted { reader, what: "download", bytes: 0 }))
    }
}
