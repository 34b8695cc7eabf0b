//! A server behind HTTP: Mercurial's wire protocol over the client of [`crate::net::http`].

use std::io::Read;

use super::Peer;
use super::error::PeerError;
use crate::base::decompress::{Format, decompressed};
use crate::base::{Interrupt, Limits};
use crate::hg::wire::http::{MediaType, compression, request};
use crate::hg::wire::{Capabilities, Command};
use crate::net::http::{Context, HttpAnswer, HttpClient, HttpRequest, Introduction, WebAddress};
use crate::net::{Access, NetError, SourceUrl};

/// Some servers serve Mercurial's own clients only, whose names begin like this.
pub(super) const INTRODUCTION: Introduction = Introduction {
    user_agent: concat!("mercurial/proto-1.0 (synchroniser ", env!("CARGO_PKG_VERSION"), ")"),
    accept: "application/mercurial-0.1",
};
/// What bundles for first fetches are asked for as.
pub(super) const CLONEBUNDLES: &str = "clonebundles";

/// A server behind HTTP.
pub(super) struct HttpPeer {
    /// Where the repository is, once a redirect has told.
    base: SourceUrl,
    web: HttpClient,
    limits: Limits,
    capabilities: Option<Capabilities>,
}

impl HttpPeer {
    /// Gets ready; nothing is sent yet.
    pub(super) fn new(
        url: &SourceUrl,
        options: &Access,
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<Self, PeerError> {
        let web = HttpClient::new(Some(url), options, INTRODUCTION, interrupt)?;
        web.check_scheme(&WebAddress { server: url.clone(), query: None })?;
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

    fn ask(&mut self, command: &Command, server: &Capabilities) -> Result<HttpAnswer, PeerError> {
        let request = request(command, server);
        let query = Some(request.query);
        let reply = self.web.ask(HttpRequest {
            address: WebAddress { server: self.base.clone(), query: query.clone() },
            command: command.name(),
            headers: &request.headers,
            body: request.body.as_deref(),
        })?;
        // Where the same question was answered is where we ask from now on.
        if reply.address.query == query {
            self.base = reply.address.server.clone();
        }
        Ok(reply)
    }

    /// The contents of an answer, out of whatever they are wrapped in.
    fn contents(&self, reply: HttpAnswer, is_stream: bool) -> Result<Box<dyn Read>, PeerError> {
        let HttpAnswer { context, content_type, mut body, .. } = reply;
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
                return Err(context.refused(self.web.said(&words)).into());
            }
            None => {
                let kind = self.web.said(content_type.as_bytes());
                let problem = format!("it is of the type {:?}", kind.as_str());
                return Err(context.unintelligible(problem).into());
            }
        };
        match format {
            None => Ok(Box::new(body)),
            Some(format) => decompressed(format, body).map_err(|error| damaged(&error, &context)),
        }
    }

    /// A short answer.
    fn whole(&self, reply: HttpAnswer) -> Result<Vec<u8>, PeerError> {
        let (context, limit) = (reply.context.clone(), self.limits.metadata_bytes);
        let too_large = || NetError::TooLarge {
            url: context.url.clone(),
            command: context.command.clone(),
            limit,
        };
        if reply.length.is_some_and(|length| length > limit) {
            return Err(too_large().into());
        }
        let mut contents = self.contents(reply, false)?.take(limit.saturating_add(1));
        let mut answer = Vec::new();
        let read = contents.read_to_end(&mut answer);
        read.map_err(|error| read_failure(error, &context))?;
        if u64::try_from(answer.len()).is_ok_and(|length| length <= limit) {
            return Ok(answer);
        }
        Err(too_large().into())
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
    PeerError::take(error).unwrap_or_else(|error| damaged(&error, context))
}

fn damaged(error: &std::io::Error, context: &Context) -> PeerError {
    context.unintelligible(format!("it does not decompress: {error}")).into()
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
        Ok(self.web.download(url, CLONEBUNDLES)?)
    }
}
