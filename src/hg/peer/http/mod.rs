//! A server behind HTTP.
//!
//! Redirects are followed where they stay with the same host, at most three of them, and only for
//! requests without a body; from `http` they may go to `https`, never back, and never to another
//! port. Our credential goes to the very address that it is for: same scheme, host and port.

mod address;
mod failure;
mod target;
mod watch;
mod web;

use std::io::Read;

use super::error::PeerError;
use super::{Peer, PeerOptions, SourceUrl};
use crate::base::decompress::{Format, decompressed};
use crate::base::{Carried, Interrupt, Limits};
use crate::hg::wire::http::{MediaType, compression, request};
use crate::hg::wire::{Capabilities, Command};
use failure::Context;
use target::Target;
pub(super) use web::Web;
use web::{Question, Reply};

/// A server behind HTTP.
pub(super) struct HttpPeer {
    /// Where the repository is, once a redirect has told.
    base: SourceUrl,
    web: Web,
    limits: Limits,
    capabilities: Option<Capabilities>,
}

impl HttpPeer {
    /// Gets ready; nothing is sent yet.
    pub(super) fn new(
        url: &SourceUrl,
        options: &PeerOptions,
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<Self, PeerError> {
        let web = Web::new(Some(url), options, interrupt)?;
        web.check_scheme(&Target { place: url.clone(), query: None })?;
        Ok(Self { base: url.clone(), web, limits: limits.clone(), capabilities: None })
    }

    /// Asks for what needs to know nothing of the server.
    fn ask_capabilities(&mut self) -> Result<&Capabilities, PeerError> {
        if self.capabilities.is_none() {
            let reply = self.ask(&Command::capabilities(), &Capabilities::default())?;
            let url = reply.context.url.clone();
            let answer = self.whole(reply)?;
            let found = Capabilities::parse(&answer, &self.limits);
            let found = found.map_err(|source| PeerError::Capabilities { url, source })?;
            return Ok(self.capabilities.insert(found));
        }
        Ok(self.capabilities.get_or_insert_default())
    }

    fn ask(&mut self, command: &Command, server: &Capabilities) -> Result<Reply, PeerError> {
        let request = request(command, server);
        let query = Some(request.query);
        let reply = self.web.ask(Question {
            target: Target { place: self.base.clone(), query: query.clone() },
            command: command.name(),
            headers: &request.headers,
            body: request.body.as_deref(),
        })?;
        // Where the same question was answered is where we ask from now on.
        if reply.target.query == query {
            self.base = reply.target.place.clone();
        }
        Ok(reply)
    }

    /// The contents of an answer, out of whatever they are wrapped in.
    fn contents(&self, reply: Reply, is_stream: bool) -> Result<Box<dyn Read>, PeerError> {
        let Reply { context, content_type, mut body, .. } = reply;
        let format = match MediaType::parse(&content_type) {
            Some(MediaType::Plain) if is_stream => Some(Format::Zlib),
            Some(MediaType::Plain) => None,
            Some(MediaType::Framed) => {
                let name = frame(&mut body, &context)?;
                let format = compression(&name);
                let name = name.escape_ascii();
                format
                    .ok_or_else(|| context.unintelligible(format!("it is compressed as {name}")))?
            }
            Some(MediaType::Error) => {
                let mut words = Vec::new();
                // What cannot be read is not shown.
                let _ = body.take(LONGEST_WORDS).read_to_end(&mut words);
                return Err(context.refused(self.web.said(&words)));
            }
            None => {
                let kind = self.web.said(content_type.as_bytes());
                return Err(
                    context.unintelligible(format!("it is of the type {:?}", kind.as_str()))
                );
            }
        };
        match format {
            None => Ok(Box::new(body)),
            Some(format) => decompressed(format, body).map_err(|error| damaged(&error, &context)),
        }
    }

    /// A short answer.
    fn whole(&self, reply: Reply) -> Result<Vec<u8>, PeerError> {
        let (context, limit) = (reply.context.clone(), self.limits.metadata_bytes);
        let too_large = || PeerError::TooLarge {
            url: context.url.clone(),
            command: context.command.clone(),
            limit,
        };
        if reply.length.is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let mut contents = self.contents(reply, false)?.take(limit.saturating_add(1));
        let mut answer = Vec::new();
        let read = contents.read_to_end(&mut answer);
        read.map_err(|error| read_failure(error, &context))?;
        if u64::try_from(answer.len()).is_ok_and(|length| length <= limit) {
            return Ok(answer);
        }
        Err(too_large())
    }
}

/// So much of an error's text is read, in bytes.
const LONGEST_WORDS: u64 = 4 << 10;

/// The name of a compression, which goes before what is compressed: its length in a byte, and
/// itself.
fn frame(body: &mut impl Read, context: &Context) -> Result<Vec<u8>, PeerError> {
    let mut length = [0];
    let mut name = Vec::new();
    let read = body.read_exact(&mut length).and_then(|()| {
        let [length] = length;
        name.resize(usize::from(length), 0);
        body.read_exact(&mut name)
    });
    read.map_err(|error| read_failure(error, context))?;
    Ok(name)
}

/// Why an answer cannot be read: what travels in the error, or what is wrong with its compression.
fn read_failure(error: std::io::Error, context: &Context) -> PeerError {
    Carried::take(error).unwrap_or_else(|error| damaged(&error, context))
}

fn damaged(error: &std::io::Error, context: &Context) -> PeerError {
    context.unintelligible(format!("it does not decompress: {error}"))
}

impl Peer for HttpPeer {
    fn capabilities(&mut self) -> Result<Capabilities, PeerError> {
        self.ask_capabilities().cloned()
    }

    fn remember(&mut self, capabilities: Capabilities) {
        self.capabilities = Some(capabilities);
    }

    fn call(&mut self, command: &Command) -> Result<Vec<u8>, PeerError> {
        let server = self.ask_capabilities()?.clone();
        let reply = self.ask(command, &server)?;
        self.whole(reply)
    }

    fn stream(&mut self, command: &Command) -> Result<Box<dyn Read + '_>, PeerError> {
        let server = self.ask_capabilities()?.clone();
        let reply = self.ask(command, &server)?;
        self.contents(reply, true)
    }

    fn download(&mut self, url: &str) -> Result<Box<dyn Read + '_>, PeerError> {
        self.web.download(url).map(|body| body as Box<dyn Read + '_>)
    }
}
