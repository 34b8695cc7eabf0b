//! A connection between two programs that can be lost as networks lose them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Passes on what goes to a port of this machine and what comes back.
pub(crate) struct Relay {
    pub(crate) port: u16,
    /// How often it has begun or ceased to swallow: it does while this is odd.
    turns: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self { port: listener.local_addr().unwrap().port(), turns: Arc::default() };
        let turns = Arc::clone(&relay.turns);
        thread::spawn(move || {
            for here in listener.incoming().map_while(Result::ok) {
                let turns = Arc::clone(&turns);
                thread::spawn(move || serve(&here, port, &turns));
            }
        });
        relay
    }

    /// Whether all vanishes from now on that is sent, in both directions and without a word to anybody. Connections
    /// that have lost something are cut when it ends.
    pub(crate) fn swallow(&self, all: bool) {
        if (self.turns.load(Ordering::SeqCst) % 2 == 1) != all {
            self.turns.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// Waits while all is swallowed. Whether nothing was since `turn`.
fn is_whole(turns: &AtomicUsize, turn: usize) -> bool {
    while turns.load(Ordering::SeqCst) % 2 == 1 {
        thread::sleep(Duration::from_millis(10));
    }
    turns.load(Ordering::SeqCst) == turn
}

fn serve(here: &TcpStream, port: u16, turns: &Arc<AtomicUsize>) {
    let turn = turns.load(Ordering::SeqCst);
    // What connects meanwhile gets no answer.
    if !is_whole(turns, turn) || turn % 2 == 1 {
        return;
    }
    let Ok(there) = TcpStream::connect(("127.0.0.1", port)) else { return };
    let pairs = [(here, &there), (&there, here)];
    let pairs = pairs.map(|(from, to)| (from.try_clone().unwrap(), to.try_clone().unwrap()));
    for (mut from, mut to) in pairs {
        let turns = Arc::clone(turns);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if !is_whole(&turns, turn) || to.write_all(&bytes[..count]).is_err() {
                    break;
                }
            }
            drop(to.shutdown(Shutdown::Both));
            drop(from.shutdown(Shutdown::Both));
        });
    }
}
