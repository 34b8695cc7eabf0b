//! Caches between the processes that share a queue: asked for where a mirror moves to, and given where it comes from.
//!
//! Both ends know one secret, which never leaves them: who asks proves that it knows it, and what is sent is sealed with
//! it. So nobody else is given a cache, and nothing is taken that somebody else has made or changed.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::claimed::OfClaim;
use super::nodes::LOST;
use super::{Service, Shared};
use crate::base::sizes::bytes_free;
use crate::base::{Fault, HasFault, Interrupt, faults, hex};
use crate::config::{CacheOptions, Config, NodesOptions};
use crate::hook::hmac_sha256;
use crate::mirror::{Announced, Arriving, CacheElsewhere, NotSent, Outgoing, Seal, SendError};
use crate::net::http::{HttpClient, HttpRequest, Introduction, WebAddress};
use crate::net::{Access, NetError, SecretError, SourceUrl, Timeouts, percent};
use crate::queue::model::RunId;
use crate::queue::{CacheHome, Fleet};

/// Where caches are asked for, below the address of a node.
pub const PATH: &str = "/nodes/cache";
/// What the proof of a request begins with, and what a cache is sealed with: neither can stand for the other.
const WANTED: &[u8] = b"synchroniser: a cache is wanted";
const SENT: &[u8] = b"synchroniser: a cache is sent";

/// So many caches are given at a time: each reads all of its files.
const MOST: usize = 4;
/// For so long is a node asked again that gives others what they want.
const BUSY: Duration = Duration::from_mins(1);
/// The longest pause between two of these questions.
const PAUSE: Duration = Duration::from_secs(5);
/// How long a node may need for a connection, for its answer, and for each part of it.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(20),
};
/// After so long a node counts as slow that has not sent [`SLOW`] bytes in each second that it was waited for.
const GRACE: Duration = Duration::from_secs(30);
const SLOW: u64 = 200_000;
/// A secret with fewer bytes can be guessed.
const SHORTEST: usize = 16;
/// How long a run waits until its cache is not sent any more.
const STOPPING: Duration = Duration::from_secs(30);

const INTRODUCTION: Introduction = Introduction {
    user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")),
    accept: "application/octet-stream",
};

/// Why a cache is not asked for.
#[derive(Debug, thiserror::Error)]
enum AskError {
    /// The secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// It can be guessed.
    #[error("use the secret in `[nodes]`: it has fewer than {SHORTEST} bytes")]
    Short,
    /// The other node tells an address that is none.
    #[error("reach the node: it tells an address that is none")]
    Address,
    /// It is not reached, or does not give it.
    #[error(transparent)]
    Net(#[from] NetError),
}

faults!(AskError {
    Self::Secret(error) => of(error).at(Here),
    Self::Short => Config.at(Here).hint("`openssl rand -hex 32` makes one that cannot"),
    Self::Address => Config.at(Here),
    Self::Net(error) => Diagnosis { side: Some(Here), ..of(error) },
});

/// What all nodes know: the hash of their secret.
struct Secret([u8; 32]);

impl Secret {
    fn of(options: &NodesOptions) -> Option<Result<Self, AskError>> {
        let read = |secret: SecretString| match secret.expose_secret().len() {
            length if length < SHORTEST => Err(AskError::Short),
            _ => Ok(Self(Sha256::digest(secret.expose_secret()).into())),
        };
        let source = options.secret.as_ref()?;
        Some(source.line().map_err(AskError::from).and_then(read))
    }

    /// What proves that whoever asks for the cache of `mirror` knows the secret.
    fn proof(&self, nonce: &str, mirror: &str) -> [u8; 32] {
        hmac_sha256(&self.0, &[WANTED, b"\n", nonce.as_bytes(), b"\n", mirror.as_bytes()])
    }

    /// Whether `proof` is that, in a time that does not depend on it.
    fn proves(&self, nonce: &str, mirror: &str, proof: &[u8; 32]) -> bool {
        self.proof(nonce, mirror).ct_eq(proof).into()
    }

    /// What a cache is sealed with that was asked for so: it is no answer to another question.
    fn seal(&self, nonce: &str, mirror: &str) -> Seal {
        let (key, nonce, mirror) = (self.0, nonce.to_owned(), mirror.to_owned());
        Box::new(move |hash| {
            let parts = [SENT, b"\n", nonce.as_bytes(), b"\n", mirror.as_bytes(), b"\n", hash];
            hmac_sha256(&key, &parts)
        })
    }
}

impl CacheElsewhere for OfClaim {
    fn ask(&self, interrupt: &Interrupt) -> Result<Option<Arriving>, NotSent> {
        let Self { shared, claim } = self;
        let directory = shared.directory();
        let config = directory.config();
        let Some(secret) = Secret::of(&config.nodes) else { return Ok(None) };
        let home = shared.store.fleet().map(|fleet: &dyn Fleet| fleet.cache_of(claim));
        let home = match home.transpose() {
            Ok(home) => home.flatten(),
            Err(error) => {
                tracing::debug!("where the cache of the mirror is was not found out: {error}");
                None
            }
        };
        // Of one that was not heard of for a lease, nothing is known any more.
        let is_there = |home: &CacheHome| {
            let since = shared.clock.now().since(home.beat);
            !home.url.is_empty() && since <= config.queue.lease.max(LOST)
        };
        let Some(CacheHome { name: node, url, .. }) = home.filter(is_there) else {
            return Ok(None);
        };
        let room = room(config);
        let asked = secret.and_then(|secret| ask(config, &secret, &url, &claim.key, interrupt));
        match asked {
            Ok((stream, seal)) => Ok(Some(Arriving { node, stream, seal, room })),
            Err(error) => Err(NotSent { node, error: Box::new(error) }),
        }
    }
}

/// How many bytes a cache may take.
fn room(config: &Config) -> Option<u64> {
    let CacheOptions { quota, reserve, .. } = config.caches;
    let free = bytes_free(&config.cache).map(|free| free.saturating_sub(reserve));
    match (free, quota) {
        (Some(free), Some(quota)) => Some(free.min(quota)),
        (free, quota) => free.or(quota),
    }
}

/// Asks the node at `url` for the cache of `mirror`, again while it is busy.
fn ask(
    config: &Config,
    secret: &Secret,
    url: &str,
    mirror: &str,
    interrupt: &Interrupt,
) -> Result<(Box<dyn Read>, Seal), AskError> {
    let NodesOptions { ca_file, plain_http, .. } = &config.nodes;
    let (ca_file, plain_http) = (ca_file.clone(), *plain_http);
    let access = Access { ca_file, plain_http, timeouts: TIMEOUTS, ..Access::default() };
    let query = percent::encode(mirror.as_bytes());
    let address = format!("{}{PATH}?mirror={query}", url.trim_end_matches('/'));
    let address = WebAddress::parse(&address).map_err(|_| AskError::Address)?;
    let server: &SourceUrl = &address.server;
    let client = HttpClient::new(Some(server), &access, INTRODUCTION, interrupt)?;
    // Nobody else makes up the same one.
    let nonce = RunId::random().to_string();
    let bearer = format!("Bearer {nonce}.{}", hex::encode(&secret.proof(&nonce, mirror)));
    let headers = [("Authorization".to_owned(), bearer)];
    let begin = Instant::now();
    let body = loop {
        let (command, address) = ("the cache of a mirror", address.clone());
        let request = HttpRequest { address, command, headers: &headers, body: None };
        match client.ask(request) {
            Ok(answer) => break answer.body,
            Err(error) => {
                let pause = error.diagnosis().retry_after;
                let pause =
                    pause.filter(|_| error.fault() == Fault::Unavailable && begin.elapsed() < BUSY);
                let Some(pause) = pause else { return Err(error.into()) };
                interrupt.pause(pause.min(PAUSE)).map_err(NetError::from)?;
            }
        }
    };
    let stream = Paced { stream: body, bytes: 0, waited: Duration::ZERO };
    Ok((Box::new(stream), secret.seal(&nonce, mirror)))
}

/// A stream that ends if it is too slow, whatever keeps it so.
struct Paced<R> {
    stream: R,
    bytes: u64,
    waited: Duration,
}

impl<R: Read> Read for Paced<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let begin = Instant::now();
        let read = self.stream.read(bytes)?;
        self.waited = self.waited.saturating_add(begin.elapsed());
        self.bytes = self.bytes.saturating_add(read as u64);
        let wanted = self.waited.saturating_sub(GRACE).as_secs().saturating_mul(SLOW);
        match self.bytes < wanted && read > 0 {
            true => Err(io::Error::new(io::ErrorKind::TimedOut, "it comes too slowly")),
            false => Ok(read),
        }
    }
}

/// The caches that are given at the moment, by the names of their mirrors.
#[derive(Debug, Default)]
pub(super) struct Given(Mutex<HashMap<String, Interrupt>>);

impl Given {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Interrupt>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that one is given from now on; `None` if that is one too many.
    fn begin(&self, mirror: &str) -> Option<Interrupt> {
        let mut given = self.lock();
        if given.len() >= MOST || given.contains_key(mirror) {
            return None;
        }
        let interrupt = Interrupt::default();
        given.insert(mirror.to_owned(), interrupt.clone());
        Some(interrupt)
    }

    /// The mirror is synced here: its cache is not given any longer.
    pub(super) fn stop(&self, mirror: &str, interrupt: &Interrupt) {
        let begin = Instant::now();
        while let Some(given) = self.lock().get(mirror).cloned() {
            given.raise();
            if begin.elapsed() > STOPPING || interrupt.pause(Duration::from_millis(20)).is_err() {
                return;
            }
        }
    }
}

/// Why a cache is not given.
#[derive(Debug)]
pub enum NotGiven {
    /// Caches are not given here.
    Never,
    /// Who asks does not know the secret.
    Unproven,
    /// There is no cache of such a mirror, or none that is whole.
    Nothing,
    /// Others are given theirs, or somebody works with it.
    Busy,
    /// It cannot be read.
    Failed(SendError),
}

/// A cache that is given.
pub struct Giving {
    shared: Arc<Shared>,
    mirror: String,
    outgoing: Option<Outgoing>,
    seal: Seal,
    interrupt: Interrupt,
}

impl Giving {
    /// The mirror that it is of.
    pub fn mirror(&self) -> &str {
        &self.mirror
    }

    /// What is sent.
    pub fn announced(&self) -> Announced {
        self.outgoing.as_ref().map(Outgoing::announced).unwrap_or_default()
    }

    /// Whether to go on.
    pub fn interrupt(&self) -> Interrupt {
        self.interrupt.clone()
    }

    /// Sends it.
    pub fn send(mut self, out: &mut dyn Write) -> Result<(), SendError> {
        let Some(outgoing) = self.outgoing.take() else { return Ok(()) };
        outgoing.send(out, &self.seal)
    }
}

impl Drop for Giving {
    fn drop(&mut self) {
        // Its lock first: whoever waits takes it next.
        drop(self.outgoing.take());
        self.shared.given.lock().remove(&self.mirror);
    }
}

impl Service {
    /// The cache of `mirror`, for somebody who proves with `bearer` that it is one of us.
    pub fn give_cache(&self, mirror: &str, bearer: &str) -> Result<Giving, NotGiven> {
        let shared = &self.0;
        let directory = shared.directory();
        let secret = match Secret::of(&directory.config().nodes) {
            Some(Ok(secret)) => secret,
            Some(Err(error)) => {
                tracing::error!(
                    "no cache is given: failed to {}",
                    crate::base::fault::one_line(&error)
                );
                return Err(NotGiven::Never);
            }
            None => return Err(NotGiven::Never),
        };
        let (nonce, proof) = bearer.split_once('.').ok_or(NotGiven::Unproven)?;
        let proof: [u8; 32] = hex::decode(proof.as_bytes()).ok_or(NotGiven::Unproven)?;
        if !secret.proves(nonce, mirror, &proof) {
            return Err(NotGiven::Unproven);
        }
        let configured = directory.mirror(mirror).ok_or(NotGiven::Nothing)?;
        let interrupt = shared.given.begin(mirror).ok_or(NotGiven::Busy)?;
        let mut giving = Giving {
            shared: Arc::clone(shared),
            mirror: mirror.to_owned(),
            outgoing: None,
            seal: secret.seal(nonce, mirror),
            interrupt,
        };
        giving.outgoing = Some(Outgoing::open(&configured.mirror).map_err(|error| {
            match (&error, error.fault()) {
                (SendError::NotWhole { .. }, _) => NotGiven::Nothing,
                (SendError::Cache(_), Fault::Unavailable) => NotGiven::Busy,
                _ => NotGiven::Failed(error),
            }
        })?);
        Ok(giving)
    }

    /// How many caches are given at the moment.
    pub fn given(&self) -> usize {
        self.0.given.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret(Sha256::digest(text).into())
    }

    #[test]
    fn a_proof_is_for_one_question_and_a_seal_for_one_answer() {
        let ours = || secret("geheim geheim geheim");
        let proof = ours().proof("n", "rocket");
        assert!(ours().proves("n", "rocket", &proof));
        for (text, nonce, mirror) in [
            ("geheim geheim geheim", "m", "rocket"),
            ("geheim geheim geheim", "n", "engine"),
            ("geheim geheim geheiM", "n", "rocket"),
        ] {
            assert!(!secret(text).proves(nonce, mirror, &proof), "{text} {nonce} {mirror}");
            let (one, other) = (ours().seal("n", "rocket"), secret(text).seal(nonce, mirror));
            assert_ne!(one(&[7; 32]), other(&[7; 32]), "{text} {nonce} {mirror}");
        }
        let seal = ours().seal("n", "rocket");
        assert_ne!(seal(&[7; 32]), seal(&[8; 32]));
        assert_ne!(seal(&[7; 32]), proof);
    }

    #[test]
    fn a_few_caches_are_given_and_a_run_ends_that_of_its_mirror() {
        let given = Given::default();
        let all: Vec<_> = (0..MOST).map(|n| given.begin(&n.to_string()).unwrap()).collect();
        assert!(given.begin("more").is_none());
        given.lock().remove("0");
        assert!(given.begin("1").is_none(), "once at a time");
        given.begin("more").unwrap();
        let stopped = Interrupt::default();
        stopped.raise();
        given.stop("2", &stopped);
        assert!(all[2].is_raised() && !all[1].is_raised());
        given.stop("nobody", &Interrupt::default());
    }

    #[test]
    fn what_comes_in_drops_is_given_up() {
        struct Drops;
        impl Read for Drops {
            fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
                bytes[0] = 0;
                Ok(1)
            }
        }
        let mut slow = Paced { stream: Drops, bytes: 0, waited: GRACE };
        assert_eq!(slow.read(&mut [0; 8]).unwrap(), 1);
        slow.waited += Duration::from_secs(2);
        assert_eq!(slow.read(&mut [0; 8]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        slow.bytes = 2 * SLOW;
        assert_eq!(slow.read(&mut [0; 8]).unwrap(), 1);
    }
}
