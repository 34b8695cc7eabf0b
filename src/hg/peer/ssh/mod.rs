//! A server behind the system's OpenSSH, which runs `hg serve --stdio` there.
//!
//! Source: `hg help internals.wireprotocol`, and what `hg serve --stdio` does.

mod failure;

use std::io::{self, Read};
use std::process::Command as Program;
use std::time::{Duration, Instant};

use super::Peer;
use super::error::PeerError;
use super::http::{CLONEBUNDLES, INTRODUCTION};
use crate::base::{Interrupt, Limits};
use crate::hg::wire::{Capabilities, Command};
use crate::net::http::HttpClient;
use crate::net::patience::Patience;
use crate::net::ssh::{Process, Waited, arguments};
use crate::net::{Access, NetError, Said, SourceUrl, Timeouts};

/// What is sent first: a question that says what the server can do, and one that every server
/// answers alike, by which the end of a greeting before is known.
const HELLO: &[u8] = b"hello\nbetween\npairs 81\n\
    0000000000000000000000000000000000000000-0000000000000000000000000000000000000000";

/// Greetings and capabilities have no more bytes together.
const LONGEST_HELLO: usize = 2 << 20;
/// The decimal length of an answer has no more.
const LONGEST_LENGTH: usize = 20;

/// A server behind OpenSSH.
pub(super) struct SshPeer {
    url: SourceUrl,
    options: Access,
    limits: Limits,
    interrupt: Interrupt,
    process: Process,
    capabilities: Capabilities,
    /// What is being answered.
    command: &'static str,
    /// `None` until the first byte of an answer.
    patience: Option<Patience>,
    /// Whether all is over.
    is_over: bool,
    /// For bundles that are elsewhere.
    web: HttpClient,
}

impl SshPeer {
    /// Logs in and asks what the server can do.
    pub(super) fn connect(
        url: &SourceUrl,
        options: &Access,
        limits: &Limits,
        interrupt: &Interrupt,
    ) -> Result<Self, PeerError> {
        let mut program = Program::new(&options.ssh_command);
        let serve = |path: &str| format!("hg -R {path} serve --stdio");
        program.args(arguments(url, options, serve)?).env("LC_ALL", "C");
        let started = Process::start(program);
        let process = started
            .map_err(|source| NetError::Program { program: options.ssh_command.clone(), source })?;
        let mut this = Self {
            url: url.clone(),
            options: options.clone(),
            limits: limits.clone(),
            interrupt: interrupt.clone(),
            process,
            capabilities: Capabilities::default(),
            command: "hello",
            patience: None,
            is_over: false,
            web: HttpClient::new(None, options, INTRODUCTION, interrupt)?,
        };
        this.shake_hands()?;
        Ok(this)
    }

    fn timeouts(&self) -> Timeouts {
        self.options.timeouts
    }

    /// Reads past whatever the other side greets with.
    fn shake_hands(&mut self) -> Result<(), PeerError> {
        self.process.send(HELLO.to_vec());
        let deadline = Instant::now() + self.timeouts().connect;
        let mut left = LONGEST_HELLO;
        let mut capabilities: Option<Vec<u8>> = None;
        let mut before: [Vec<u8>; 2] = Default::default();
        loop {
            let line = self.greeting_line(deadline, &mut left)?;
            if let Some(found) = line.strip_prefix(b"capabilities:") {
                capabilities = Some(found.to_vec());
            }
            let [before_last, last] = &before;
            // A very old server does not know `hello`, and answers with nothing.
            let is_answered = capabilities.is_some() || before_last == b"0";
            if line.is_empty() && last == b"1" && is_answered {
                break;
            }
            before.rotate_left(1);
            let [_, last] = &mut before;
            *last = line;
        }
        let found = Capabilities::parse(&capabilities.unwrap_or_default(), &self.limits);
        self.capabilities = found
            .map_err(|source| PeerError::Capabilities { url: self.url.to_string(), source })?;
        Ok(())
    }

    fn greeting_line(&mut self, deadline: Instant, left: &mut usize) -> Result<Vec<u8>, NetError> {
        let mut line = Vec::new();
        loop {
            let buffered = self.process.buffered();
            let end = buffered.iter().position(|&byte| byte == b'\n');
            let taken = end.unwrap_or(buffered.len());
            line.extend_from_slice(buffered.get(..taken).unwrap_or_default());
            let used = taken + usize::from(end.is_some());
            self.process.take(used);
            *left = left.checked_sub(used).ok_or_else(|| {
                self.is_over = true;
                self.unintelligible("it greets without end")
            })?;
            if end.is_some() {
                // A greeting may come from a system that ends its lines in its own way.
                return Ok(line.strip_suffix(b"\r").unwrap_or(&line).to_vec());
            }
            let longest = deadline.saturating_duration_since(Instant::now());
            match self.process.wait(longest, &self.interrupt)? {
                Waited::Bytes(_) => {}
                Waited::End => return Err(self.ended()),
                Waited::Nothing => {
                    let connect = self.timeouts().connect;
                    return Err(self.timed_out("a greeting", connect));
                }
            }
        }
    }

    fn unintelligible(&self, problem: impl Into<String>) -> NetError {
        NetError::Unintelligible {
            url: self.url.to_string(),
            command: self.command.to_owned(),
            problem: problem.into(),
            said: Said::last(&self.process.complaints(|_| true)),
        }
    }

    fn timed_out(&mut self, what: &'static str, after: Duration) -> NetError {
        self.is_over = true;
        self.process.kill();
        let said = Said::last(&self.process.complaints(|_| true));
        NetError::TimedOut { url: self.url.to_string(), what, after, said }
    }

    /// The other side has closed its output, and should not have.
    fn ended(&mut self) -> NetError {
        self.is_over = true;
        let code = self.process.end().and_then(|status| status.code());
        let complaints = self.process.complaints(|_| false);
        failure::failure(&self.url, self.command, code, &complaints)
    }

    /// Asks.
    fn send(&mut self, command: &Command) -> Result<(), PeerError> {
        self.interrupt.check()?;
        let name = command.name();
        if self.is_over {
            let said = Said::new(b"the connection is closed");
            return Err(NetError::Unreachable { url: self.url.to_string(), said }.into());
        }
        if !self.process.buffered().is_empty() {
            let url = self.url.to_string();
            return Err(PeerError::OutOfStep { url, command: name.to_owned() });
        }
        (self.command, self.patience) = (name, None);
        self.process.send(command.to_ssh());
        Ok(())
    }

    /// Waits until some of the answer is there.
    fn wait(&mut self) -> Result<(), NetError> {
        let timeouts = self.timeouts();
        let longest = self.patience.as_ref().map_or(timeouts.first_byte, Patience::left);
        let start = Instant::now();
        let waited = self.process.wait(longest, &self.interrupt).inspect_err(|_| {
            self.is_over = true;
            self.process.kill();
        })?;
        match (waited, &mut self.patience) {
            (Waited::Bytes(_), None) => self.patience = Some(Patience::new(timeouts.idle)),
            (Waited::Bytes(count), Some(patience)) => patience.note(start.elapsed(), count),
            (Waited::End, _) => return Err(self.ended()),
            (Waited::Nothing, None) => {
                return Err(self.timed_out("the answer", timeouts.first_byte));
            }
            (Waited::Nothing, Some(_)) => {
                return Err(self.timed_out("the rest of the answer", timeouts.idle));
            }
        }
        Ok(())
    }

    /// Takes the part of the answer that has arrived, at most `bytes.len()`, and waits if nothing is.
    fn take(&mut self, bytes: &mut [u8]) -> Result<usize, NetError> {
        if self.process.buffered().is_empty() {
            self.wait()?;
        }
        let buffered = self.process.buffered();
        let count = buffered.len().min(bytes.len());
        for (to, from) in bytes.iter_mut().zip(buffered) {
            *to = *from;
        }
        self.process.take(count);
        Ok(count)
    }

    /// The length that goes before an answer.
    fn length(&mut self) -> Result<u64, NetError> {
        let mut digits = Vec::new();
        loop {
            let mut byte = [0];
            self.take(&mut byte)?;
            match byte {
                [b'\n'] if digits.is_empty() => return Err(self.said_no()),
                [b'\n'] => break,
                [byte @ b'0'..=b'9'] if digits.len() < LONGEST_LENGTH => digits.push(byte),
                _ => {
                    self.is_over = true;
                    return Err(self.unintelligible("no length goes before it"));
                }
            }
        }
        let length = std::str::from_utf8(&digits).ok().and_then(|digits| digits.parse().ok());
        length.ok_or_else(|| self.unintelligible("the length that goes before it cannot be"))
    }

    /// An empty line stands for an error that is told elsewhere, with a hyphen as its last line.
    fn said_no(&mut self) -> NetError {
        let complaints = self.process.complaints(|text| text.ends_with(b"\n-\n"));
        let text = complaints.strip_suffix(b"\n-\n").unwrap_or(&complaints);
        let command = self.command.to_owned();
        NetError::Refused { url: self.url.to_string(), command, said: Said::last(text) }
    }
}

impl Peer for SshPeer {
    fn capabilities(&mut self) -> Result<Capabilities, PeerError> {
        Ok(self.capabilities.clone())
    }

    fn remember(&mut self, _: Capabilities) {
        // The greeting has told them anew.
    }

    fn call(&mut self, command: &Command) -> Result<Vec<u8>, PeerError> {
        self.send(command)?;
        let (length, limit) = (self.length()?, self.limits.metadata_bytes);
        let Some(length) = usize::try_from(length).ok().filter(|_| length <= limit) else {
            self.is_over = true;
            self.process.kill();
            let (url, command) = (self.url.to_string(), self.command.to_owned());
            return Err(NetError::TooLarge { url, command, limit }.into());
        };
        let mut answer = Vec::new();
        while answer.len() < length {
            // Memory grows with what is really there.
            let mut piece = [0; 16 << 10];
            let wanted = piece.len().min(length - answer.len());
            let taken = self.take(piece.get_mut(..wanted).unwrap_or_default())?;
            answer.extend_from_slice(piece.get(..taken).unwrap_or_default());
        }
        Ok(answer)
    }

    fn stream(&mut self, command: &Command) -> Result<Box<dyn Read + '_>, PeerError> {
        self.send(command)?;
        self.wait()?;
        // No bundle and no changegroup begins like this.
        if self.process.buffered().first() == Some(&b'\n') {
            self.process.take(1);
            return Err(self.said_no().into());
        }
        Ok(Box::new(Stream(self)))
    }

    fn download(&mut self, url: &str) -> Result<Box<dyn Read + '_>, PeerError> {
        Ok(self.web.download(url, CLONEBUNDLES)?)
    }
}

/// An answer that ends where its contents say so.
struct Stream<'p>(&'p mut SshPeer);

impl Read for Stream<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.0.take(bytes).map_err(NetError::into_io)
    }
}
