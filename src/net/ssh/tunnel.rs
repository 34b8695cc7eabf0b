//! A connection to an SSH server for a library that wants a socket of its own and would wait for ever:
//! it gets one end of a pair of sockets, and two threads pass on between the other end and the server,
//! with deadlines and an interrupt.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::Interrupt;
use crate::net::access::Timeouts;
use crate::net::error::{NetError, Said};
use crate::net::wait::{GLANCE, in_background};

/// What is passed on at once, in bytes.
const PIECE: usize = 64 << 10;

/// A connection to an SSH server. It lasts as long as the socket that [`Tunnel::open`] gives.
#[derive(Clone, Debug)]
pub struct Tunnel(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    url: String,
    timeouts: Timeouts,
    interrupt: Interrupt,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    start: Instant,
    /// When something was last sent, received, or done on our side.
    last: Instant,
    is_logged_in: bool,
    is_over: bool,
    failure: Option<NetError>,
}

impl Tunnel {
    /// Connects to a host and port. `url` is what messages show. The socket is where the server can be
    /// talked to.
    pub fn open(
        url: &str,
        (host, port): (&str, u16),
        timeouts: Timeouts,
        interrupt: &Interrupt,
    ) -> Result<(Self, UnixStream), NetError> {
        let start = Instant::now();
        let host = host.trim_matches(['[', ']']).to_owned();
        let made = in_background(interrupt, move || connect(&host, port, timeouts.connect))?;
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => NetError::TimedOut {
                url: url.to_owned(),
                what: "a connection",
                after: timeouts.connect,
                said: Said::default(),
            },
            _ => NetError::Unreachable {
                url: url.to_owned(),
                said: Said::new(error.to_string().as_bytes()),
            },
        };
        let server = made.map_err(failed)?;
        server.set_read_timeout(Some(GLANCE)).map_err(failed)?;
        server.set_write_timeout(Some(timeouts.idle)).map_err(failed)?;
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let up = (ours.try_clone().map_err(failed)?, server.try_clone().map_err(failed)?);
        let shared = Arc::new(Shared {
            url: url.to_owned(),
            timeouts,
            interrupt: interrupt.clone(),
            state: Mutex::new(State {
                start,
                last: Instant::now(),
                is_logged_in: false,
                is_over: false,
                failure: None,
            }),
        });
        let (above, below) = (Arc::clone(&shared), Arc::clone(&shared));
        thread::spawn(move || above.pass_up(up.0, up.1));
        thread::spawn(move || below.pass_down(server, ours));
        Ok((Self(shared), theirs))
    }

    /// Notes that the server has got a credential: until then all of it must happen within
    /// [`Timeouts::connect`].
    pub fn logged_in(&self) {
        self.0.state().is_logged_in = true;
        self.working();
    }

    /// Notes that we are at work ourselves: that nothing comes meanwhile is not the server's fault.
    pub fn working(&self) {
        self.0.state().last = Instant::now();
    }

    /// Ends the connection. Who uses it sees its end within a moment.
    pub fn end(&self) {
        self.0.state().is_over = true;
    }

    /// Why the connection was ended, if it was from here.
    pub fn take_failure(&self) -> Option<NetError> {
        self.0.state().failure.take()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Passes on what the library says.
    fn pass_up(&self, mut library: UnixStream, mut server: TcpStream) {
        let mut piece = vec![0; PIECE];
        while let Ok(read @ 1..) = library.read(&mut piece) {
            self.state().last = Instant::now();
            let written = server.write_all(piece.get(..read).unwrap_or_default());
            if let Err(error) = written {
                self.broken(&error);
                break;
            }
        }
        self.state().is_over = true;
        // Errors mean that it is closed.
        let _ = server.shutdown(Shutdown::Write);
        let _ = library.shutdown(Shutdown::Both);
    }

    /// Passes on what the server says, and ends all if it says nothing for too long.
    fn pass_down(&self, mut server: TcpStream, mut library: UnixStream) {
        let mut piece = vec![0; PIECE];
        loop {
            match server.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => {
                    self.state().last = Instant::now();
                    if library.write_all(piece.get(..read).unwrap_or_default()).is_err() {
                        break;
                    }
                }
                Err(error) if is_glance(&error) => {
                    if self.is_over() {
                        break;
                    }
                }
                Err(error) => {
                    self.broken(&error);
                    break;
                }
            }
        }
        let _ = server.shutdown(Shutdown::Both);
        let _ = library.shutdown(Shutdown::Both);
    }

    /// Whether to stop waiting for the server; notes why.
    fn is_over(&self) -> bool {
        let Timeouts { connect, first_byte, idle } = self.timeouts;
        let mut state = self.state();
        if state.is_over {
            return true;
        }
        // Whether an answer has begun cannot be seen through the encryption.
        let (since, after, what) = match state.is_logged_in {
            false => (state.start, connect, "a connection"),
            true => (state.last, first_byte.max(idle), "the answer"),
        };
        let failure = match self.interrupt.check() {
            Err(error) => error.into(),
            Ok(()) if since.elapsed() < after => return false,
            Ok(()) => {
                let (url, said) = (self.url.clone(), Said::default());
                NetError::TimedOut { url, what, after, said }
            }
        };
        state.failure.get_or_insert(failure);
        true
    }

    fn broken(&self, error: &io::Error) {
        let (url, said) = (self.url.clone(), Said::new(error.to_string().as_bytes()));
        self.state().failure.get_or_insert(NetError::Unreachable { url, said });
    }
}

/// Whether an error only says that nothing came for a moment.
fn is_glance(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::WouldBlock | Kind::TimedOut | Kind::Interrupted)
}

/// Connects to the first address of `host` that lets us.
fn connect(host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
    let start = Instant::now();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "there is no such host");
    for address in (host, port).to_socket_addrs()? {
        let left = timeout.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) => return stream.set_nodelay(true).map(|()| stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    fn open(
        listener: &TcpListener,
        timeout: Duration,
        interrupt: &Interrupt,
    ) -> (Tunnel, UnixStream) {
        let port = listener.local_addr().unwrap().port();
        let timeouts = Timeouts { connect: timeout, first_byte: timeout, idle: timeout };
        Tunnel::open("ssh://h/", ("127.0.0.1", port), timeouts, interrupt).unwrap()
    }

    #[test]
    fn what_is_said_arrives_both_ways_until_one_side_is_closed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (tunnel, mut near) = open(&listener, Duration::from_mins(1), &Interrupt::default());
        let (mut far, _) = listener.accept().unwrap();
        near.write_all(b"hello").unwrap();
        let mut heard = [0; 5];
        far.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello");
        far.write_all(b"bye").unwrap();
        drop(far);
        let mut heard = Vec::new();
        near.read_to_end(&mut heard).unwrap();
        assert_eq!(heard, b"bye");
        assert!(tunnel.take_failure().is_none());
    }

    #[test]
    fn silence_costs_what_is_configured_and_an_interrupt_ends_it() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (start, half) = (Instant::now(), Duration::from_millis(500));
        let (tunnel, mut near) = open(&listener, half, &Interrupt::default());
        assert_eq!(near.read(&mut [0]).unwrap(), 0);
        assert!(matches!(tunnel.take_failure(), Some(NetError::TimedOut { .. })));
        assert!((half..10 * half).contains(&start.elapsed()), "{:?}", start.elapsed());
        let interrupt = Interrupt::default();
        let (tunnel, mut near) = open(&listener, 100 * half, &interrupt);
        interrupt.raise();
        assert_eq!(near.read(&mut [0]).unwrap(), 0);
        assert!(matches!(tunnel.take_failure(), Some(NetError::Interrupted(_))));
    }
}
