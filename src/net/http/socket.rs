//! TCP connections that acknowledge at once what they get.
//!
//! A server that writes its answer in pieces keeps a small piece back until what it sent before was acknowledged
//! (Nagle's algorithm). The system here waits up to 40 ms before it acknowledges something, in the hope that there will
//! be something to send along. Where both meet, each answer takes 40 ms longer; `hg serve` is such a server, from the
//! second request over a connection on.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::linux::net::TcpStreamExt as _;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, ShutdownHandle,
    Transport,
};

/// An address gets so much time at least, whatever the others took.
const LEAST: Duration = Duration::from_millis(10);

/// Makes [`Socket`]s, unless there is a connection already, through a proxy.
#[derive(Debug)]
pub(super) struct Sockets;

impl<In: Transport> Connector<In> for Sockets {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            return Ok(Some(Either::A(chained)));
        }
        let stream = Arc::new(connect(details)?);
        stream.set_nodelay(true)?;
        let handle: Weak<TcpStream> = Arc::downgrade(&stream);
        (details.register_shutdown)(handle as Weak<dyn ShutdownHandle>)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(Either::B(Socket { stream, buffers, timeouts: [None; 2], is_full: false })))
    }
}

/// Connects to the first of the addresses that answers. All but the last get half of the time that is left.
fn connect(details: &ConnectionDetails<'_>) -> Result<TcpStream, Error> {
    let begin = Instant::now();
    let limit = details.timeout.not_zero().map(|limit| *limit);
    let mut last = Error::Io(ErrorKind::ConnectionRefused.into());
    for (at, address) in details.addrs.iter().enumerate() {
        let left = limit.map(|limit| limit.saturating_sub(begin.elapsed()));
        let is_last = at + 1 == details.addrs.len();
        let wait = left.map(|left| if is_last { left } else { left / 2 }.max(LEAST));
        match connect_to(address, wait) {
            Ok(stream) => return Ok(stream),
            Err(error) if is_timeout(&error) => last = Error::Timeout(details.timeout.reason),
            Err(error) if is_of_address(&error) => last = error.into(),
            Err(error) => return Err(error.into()),
        }
    }
    Err(last)
}

fn connect_to(address: &SocketAddr, wait: Option<Duration>) -> io::Result<TcpStream> {
    match wait {
        Some(wait) => TcpStream::connect_timeout(address, wait),
        None => TcpStream::connect(address),
    }
}

/// Whether another address of the same host may do.
fn is_of_address(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
    )
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock)
}

/// A TCP connection.
#[derive(Debug)]
pub(super) struct Socket {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    /// How long reading and writing may take, as the system was told.
    timeouts: [Option<Duration>; 2],
    /// Whether there was more to read than there was room for.
    is_full: bool,
}

impl Socket {
    fn failed(error: io::Error, timeout: NextTimeout) -> Error {
        if is_timeout(&error) { Error::Timeout(timeout.reason) } else { error.into() }
    }
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let wait = time_left(timeout)?;
        if self.timeouts[1] != wait {
            self.stream.set_write_timeout(wait)?;
            self.timeouts[1] = wait;
        }
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        (&*self.stream).write_all(output).map_err(|error| Self::failed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let begin = Instant::now();
        let wait = time_left(timeout)?;
        let mut left = wait;
        loop {
            if self.timeouts[0] != left {
                self.stream.set_read_timeout(left)?;
                self.timeouts[0] = left;
            }
            if !self.is_full {
                // The system forgets it after some packets. It is of no use for many.
                let _ = self.stream.set_quickack(true);
            }
            let room = self.buffers.input_append_buf();
            let size = room.len();
            match (&*self.stream).read(room) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {
                    // No time at all would be for ever.
                    let passed = begin.elapsed();
                    left = wait.map(|wait| wait.saturating_sub(passed).max(LEAST));
                }
                Err(error) => return Err(Self::failed(error, timeout)),
                Ok(amount) => {
                    self.is_full = amount == size;
                    self.buffers.input_appended(amount);
                    return Ok(amount > 0);
                }
            }
        }
    }

    fn is_open(&mut self) -> bool {
        // Who has something to say that was not asked for is not listened to.
        let is_silent = || {
            self.stream.set_nonblocking(true)?;
            let silent = match self.stream.peek(&mut [0]) {
                Err(error) => error.kind() == ErrorKind::WouldBlock,
                Ok(_) => false,
            };
            self.stream.set_nonblocking(false).map(|()| silent)
        };
        is_silent().unwrap_or(false)
    }
}

/// How long something may take; `None` is for ever.
fn time_left(timeout: NextTimeout) -> Result<Option<Duration>, Error> {
    match timeout.after.is_zero() {
        true => Err(Error::Timeout(timeout.reason)),
        false => Ok(timeout.not_zero().map(|left| *left)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead as _, BufReader};
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use ureq::config::Config;
    use ureq::http::Uri;
    use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
    use ureq::{Agent, Error};

    use super::*;

    /// A server that writes each answer in pieces, for one connection.
    fn serve() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while let Some(Ok(line)) = lines.next() {
                if line.is_empty() {
                    for piece in ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n", "ab", "cd"] {
                        (&stream).write_all(piece.as_bytes()).unwrap();
                    }
                }
            }
        });
        address
    }

    fn agent(resolver: impl Resolver) -> Agent {
        Agent::with_parts(Agent::config_builder().build(), ().chain(Sockets), resolver)
    }

    #[test]
    fn an_answer_in_pieces_does_not_wait_for_acknowledgements() {
        let url = format!("http://{}/", serve());
        let agent = agent(DefaultResolver::default());
        let mut took = Vec::new();
        for _ in 0..20 {
            let begin = Instant::now();
            let text = agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap();
            assert_eq!(text, "abcd");
            took.push(begin.elapsed());
        }
        took.sort_unstable();
        // However busy this machine is, it is not so most of the time; without them each takes 40 ms.
        assert!(took[10] < Duration::from_millis(30), "{took:?}");
    }

    /// A host with two addresses, of which the first does not answer.
    #[derive(Debug)]
    struct Two([SocketAddr; 2]);

    impl Resolver for Two {
        fn resolve(
            &self,
            _: &Uri,
            _: &Config,
            _: NextTimeout,
        ) -> Result<ResolvedSocketAddrs, Error> {
            let mut found = self.empty();
            self.0.iter().for_each(|address| found.push(*address));
            Ok(found)
        }
    }

    #[test]
    fn the_next_address_of_a_host_is_tried() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut answer = agent(Two([closed, serve()])).get("http://host.invalid/").call().unwrap();
        assert_eq!(answer.body_mut().read_to_string().unwrap(), "abcd");
        let refused = agent(Two([closed, closed])).get("http://host.invalid/").call();
        assert!(
            matches!(&refused, Err(Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused),
            "{refused:?}"
        );
    }
}
