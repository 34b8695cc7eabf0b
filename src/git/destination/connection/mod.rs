//! A connection to a server's `receive-pack`, made by libgit2 and used by us.
//!
//! libgit2's own push searches every delta anew while the connection stands idle. But how it connects
//! is good: encryption, SSH, host keys, logging in with what our callbacks give, the list of refs. So
//! it connects with its own subtransports (`include/git2/sys/transport.h`), which [`register`] puts a
//! thin layer around. Of a [`Connection`] that layer keeps the subtransport, lets us read the list of
//! refs along with libgit2, and gives us the stream on which the commands and the pack are written.
//! All other uses of libgit2's transports pass through unchanged.

mod layer;

use std::cell::Ref;
use std::ffi::{CString, c_int};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use git2::{Direction, Error, ErrorClass, ErrorCode, Remote, RemoteCallbacks};

use super::receive_pack::Advertisement;
use layer::{PIECE, RECEIVE, RawStream, Shared};

pub(super) use layer::register;

/// A connection whose list of refs has been read.
pub(super) struct Connection {
    /// A stream of our own, for a protocol of requests and answers.
    stream: *mut RawStream,
    shared: Rc<Shared>,
    url: CString,
    #[expect(dead_code, reason = "holds the connection until it is dropped")]
    remote: Owned,
}

impl Connection {
    /// Connects to the `receive-pack` of the repository at `url`, and reads what it has.
    pub(super) fn open(url: &str, callbacks: RemoteCallbacks<'static>) -> Result<Self, Error> {
        Self::open_when(url, callbacks, None)
    }

    /// The same; over SSH all is ready before, and nothing is asked for until `go` says so. If it never
    /// will, there is no connection.
    pub(super) fn open_when(
        url: &str,
        callbacks: RemoteCallbacks<'static>,
        go: Option<Receiver<()>>,
    ) -> Result<Self, Error> {
        let shared = Shared::new(go);
        let text = CString::new(url).map_err(|_| invalid("the address has a zero in it"))?;
        let remote = shared.during(|| Owned::connect(url, callbacks))?;
        if !shared.advertisement.borrow().is_complete() {
            return Err(invalid("its list of refs is incomplete"));
        }
        Ok(Self { stream: ptr::null_mut(), shared, url: text, remote })
    }

    /// What the server said before anything was asked.
    pub(super) fn advertisement(&self) -> Ref<'_, Advertisement> {
        self.shared.advertisement.borrow()
    }

    /// How long to wait for a server behind SSH, in each call; `None` leaves it to the times of the
    /// connection below. libssh2 waits for ever for a server that has hung up while more was to be sent
    /// than it had asked for; and what that has said can only be read if the connection lasts.
    pub(super) fn limit(&self, wait: Option<Duration>) {
        self.shared.limit(wait);
    }

    /// The stream to `receive-pack`.
    #[expect(unsafe_code, reason = "the border to a C library")]
    fn stream(&mut self) -> Result<*mut RawStream, Error> {
        self.shared.is_used.set(true);
        // A connection that lasts goes on with the stream that it has.
        let lasting = self.shared.stream.get();
        if !lasting.is_null() {
            return Ok(lasting);
        }
        if self.stream.is_null() {
            let inner = self.shared.inner.get();
            let mut stream = ptr::null_mut();
            // SAFETY: the inner subtransport lives as long as its remote, which is ours, and the
            // address is a string that ends in a zero.
            let result =
                unsafe { ((*inner).action)(&raw mut stream, inner, self.url.as_ptr(), RECEIVE) };
            check(result)?;
            self.stream = stream;
        }
        Ok(self.stream)
    }

    /// Sends all of `bytes`.
    #[expect(unsafe_code, reason = "the border to a C library")]
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let stream = self.stream()?;
        // SAFETY: the stream is libgit2's own, and alive.
        let write = unsafe { (*stream).write }.ok_or_else(|| invalid("it cannot be written to"))?;
        check(write(stream, bytes.as_ptr().cast(), bytes.len()))
    }

    /// Receives some bytes; none at the end.
    #[expect(unsafe_code, reason = "the border to a C library")]
    pub(super) fn receive<'a>(&mut self, piece: &'a mut Vec<u8>) -> Result<&'a [u8], Error> {
        let stream = self.stream()?;
        // Zeros, of which the last stays: where libgit2 takes what is read for text, it looks for one.
        piece.clear();
        piece.resize(PIECE + 1, 0);
        let mut read = 0;
        // SAFETY: the stream is libgit2's own, and alive; there is room for so many bytes.
        let result =
            unsafe { ((*stream).read)(stream, piece.as_mut_ptr().cast(), PIECE, &raw mut read) };
        check(result)?;
        Ok(piece.get(..read).unwrap_or_default())
    }
}

impl Drop for Connection {
    #[expect(unsafe_code, reason = "the border to a C library")]
    fn drop(&mut self) {
        if !self.stream.is_null() {
            // SAFETY: the stream is ours, and alive as its subtransport is: the remote goes later.
            unsafe { ((*self.stream).free)(self.stream) };
        }
    }
}

/// A connected remote without a repository, in one with its connection, which borrows it.
struct Owned {
    connection: ManuallyDrop<git2::RemoteConnection<'static, 'static, 'static>>,
    remote: *mut Remote<'static>,
}

impl Owned {
    #[expect(unsafe_code, reason = "a value that borrows another one, in one place with it")]
    fn connect(url: &str, callbacks: RemoteCallbacks<'static>) -> Result<Self, Error> {
        let remote = Box::into_raw(Box::new(Remote::create_detached(url)?));
        // SAFETY: it was just made, and lives until `drop`, or until the end of this function if it
        // cannot be connected; all the while nobody else looks at it.
        let borrowed: &'static mut Remote<'static> = unsafe { &mut *remote };
        let connect = || borrowed.connect_auth(Direction::Push, Some(callbacks), None);
        let failed = match catch_unwind(AssertUnwindSafe(connect)) {
            Ok(Ok(connection)) => {
                return Ok(Self { connection: ManuallyDrop::new(connection), remote });
            }
            Ok(Err(error)) => Ok(error),
            Err(panic) => Err(panic),
        };
        // SAFETY: nothing borrows it any more: there is no connection.
        drop(unsafe { Box::from_raw(remote) });
        match failed {
            Ok(error) => Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Owned {
    #[expect(unsafe_code, reason = "a value that borrows another one, in one place with it")]
    fn drop(&mut self) {
        // SAFETY: the connection is not used any more; then nothing borrows the remote, which came from
        // a box.
        unsafe {
            ManuallyDrop::drop(&mut self.connection);
            drop(Box::from_raw(self.remote));
        }
    }
}

/// What libgit2 says where a result is not a good one.
fn check(result: c_int) -> Result<(), Error> {
    if result < 0 { Err(Error::last_error(result)) } else { Ok(()) }
}

fn invalid(problem: &str) -> Error {
    Error::new(ErrorCode::GenericError, ErrorClass::Invalid, problem)
}
