//! The connections that libgit2 speaks over, made by [`crate::net`] as those to sources are: the same
//! certificates, proxies, times and interrupt, and each target with its own.
//!
//! libgit2 lets a program bring its own streams (`include/git2/sys/stream.h`), for plain and for
//! encrypted connections, once for the process. Which target a stream is for is what the thread is
//! at when libgit2 asks for one, see [`Line::during`].
//!
//! For SSH libgit2 takes the stream for one of its own and hands the socket inside to libssh2
//! (`ssh_libssh2.c`, `streams/socket.h`). So [`Stream`] begins as that one does; [`register`] refuses
//! a libgit2 of which that was not seen to be true.

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::os::fd::AsRawFd as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use super::connection;
use super::line::{Line, Link};
use crate::net::NetError;

/// The releases of libgit2 whose streams are as this module has them.
const KNOWN: (u32, u32) = (1, 9);
/// `GIT_STREAM_VERSION`
const VERSION: c_int = 1;
/// `GIT_STREAM_STANDARD` and `GIT_STREAM_TLS`
const PLAIN: c_int = 1;
const ENCRYPTED: c_int = 2;
/// The first bit field of `git_stream`.
const IS_ENCRYPTED: c_uint = if cfg!(target_endian = "little") { 1 } else { 1 << 31 };

/// `git_stream`
#[repr(C)]
struct GitStream {
    version: c_int,
    flags: c_uint,
    timeout: c_int,
    connect_timeout: c_int,
    connect: extern "C" fn(*mut GitStream) -> c_int,
    certificate: extern "C" fn(*mut *mut Certificate, *mut GitStream) -> c_int,
    set_proxy: Option<extern "C" fn(*mut GitStream, *const c_void) -> c_int>,
    read: extern "C" fn(*mut GitStream, *mut c_void, usize) -> isize,
    write: extern "C" fn(*mut GitStream, *const c_char, usize, c_int) -> isize,
    close: extern "C" fn(*mut GitStream) -> c_int,
    free: extern "C" fn(*mut GitStream),
}

/// `git_stream_registration`
#[repr(C)]
struct Registration {
    version: c_int,
    init: extern "C" fn(*mut *mut GitStream, *const c_char, *const c_char) -> c_int,
    wrap: Option<extern "C" fn(*mut *mut GitStream, *mut GitStream, *const c_char) -> c_int>,
}

/// `git_cert_x509`, of which only the type is ever looked at: who is trusted is decided before.
#[repr(C)]
struct Certificate {
    kind: c_int,
    data: *mut c_void,
    length: usize,
}

/// `GIT_CERT_X509`
const X509: c_int = 1;

#[expect(unsafe_code, reason = "two functions of libgit2 that its binding does not have")]
// SAFETY: as declared in `include/git2/sys/stream.h` and `include/git2/sys/errors.h`.
unsafe extern "C" {
    fn git_stream_register(kind: c_int, registration: *const Registration) -> c_int;
    fn git_error_set_str(class: c_int, text: *const c_char) -> c_int;
}

/// `GIT_ERROR_NET`
const NET: c_int = 12;

/// A stream as libgit2 sees it: its `git_socket_stream` first, then what is ours.
#[repr(C)]
struct Stream {
    parent: GitStream,
    host: *mut c_char,
    port: *mut c_char,
    socket: c_int,
    line: Arc<Line>,
    is_encrypted: bool,
    connection: Option<Link>,
    certificate: Certificate,
}

/// Gives libgit2 our streams, and our layer around its own subtransports. `Err` is the version of one that has others.
#[expect(unsafe_code, reason = "a function of libgit2 that its binding does not have")]
pub(in crate::git) fn register() -> Result<c_int, (u32, u32)> {
    let (major, minor, _) = git2::Version::get().libgit2_version();
    if (major, minor) != KNOWN {
        return Err((major, minor));
    }
    let result =
        [(PLAIN, open_plain as _), (ENCRYPTED, open_encrypted as _)].map(|(kind, init)| {
            let registration = Registration { version: VERSION, init, wrap: None };
            // SAFETY: the structure is that of `git2/sys/stream.h`; libgit2 copies it.
            unsafe { git_stream_register(kind, &raw const registration) }
        });
    Ok(result.into_iter().min().unwrap_or(0).min(connection::register()))
}

/// Sets the error that libgit2 reports.
#[expect(unsafe_code, reason = "a function of libgit2 that its binding does not have")]
pub(super) fn tell(text: &str) {
    if let Ok(text) = CString::new(text) {
        // SAFETY: libgit2 copies the text.
        unsafe { git_error_set_str(NET, text.as_ptr()) };
    }
}

/// Notes why a connection failed, for us and for libgit2.
fn failed(line: &Line, error: NetError) {
    tell(&error.to_string());
    line.failed(error);
}

extern "C" fn open_plain(out: *mut *mut GitStream, _: *const c_char, _: *const c_char) -> c_int {
    make(out, false)
}

extern "C" fn open_encrypted(
    out: *mut *mut GitStream,
    _: *const c_char,
    _: *const c_char,
) -> c_int {
    make(out, true)
}

/// Makes a stream for what this thread is at. The host and port that libgit2 names are those of the
/// target: it knows of no proxy, and follows no redirect.
#[expect(unsafe_code, reason = "the border to a C library")]
fn make(out: *mut *mut GitStream, is_encrypted: bool) -> c_int {
    let Some(line) = Line::current() else {
        tell("no target is being talked to");
        return -1;
    };
    let parent = GitStream {
        version: VERSION,
        flags: if is_encrypted { IS_ENCRYPTED } else { 0 },
        timeout: 0,
        connect_timeout: 0,
        connect,
        certificate,
        set_proxy: None,
        read,
        write,
        close,
        free,
    };
    let stream = Box::new(Stream {
        parent,
        host: ptr::null_mut(),
        port: ptr::null_mut(),
        socket: -1,
        line,
        is_encrypted,
        connection: None,
        certificate: Certificate { kind: X509, data: ptr::null_mut(), length: 0 },
    });
    // SAFETY: libgit2 asks for a stream to be put there, which lasts until it calls `free`. The first
    // field of ours is the stream that it knows.
    unsafe { *out = Box::into_raw(stream).cast() };
    0
}

/// Does `work` on the stream that libgit2 hands back. What must not cross the border does not.
#[expect(unsafe_code, reason = "the border to a C library")]
fn with<T>(stream: *mut GitStream, failed: T, work: impl FnOnce(&mut Stream) -> Option<T>) -> T {
    // SAFETY: libgit2 calls us with streams of `make` only, from one thread at a time, until `free`.
    let stream = unsafe { &mut *stream.cast::<Stream>() };
    catch_unwind(AssertUnwindSafe(|| work(stream))).ok().flatten().unwrap_or(failed)
}

extern "C" fn connect(stream: *mut GitStream) -> c_int {
    with(stream, -1, |stream| match stream.line.open(stream.is_encrypted) {
        Ok(link) => {
            if let Link::Ssh(socket) = &link {
                stream.socket = socket.as_raw_fd();
            }
            stream.connection = Some(link);
            Some(0)
        }
        Err(error) => {
            failed(&stream.line, error);
            None
        }
    })
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn certificate(out: *mut *mut Certificate, stream: *mut GitStream) -> c_int {
    with(stream, -1, |stream| {
        // SAFETY: libgit2 asks for a certificate to be put there, which lasts as long as the stream.
        unsafe { *out = &raw mut stream.certificate };
        Some(0)
    })
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn read(stream: *mut GitStream, bytes: *mut c_void, length: usize) -> isize {
    with(stream, -1, |stream| {
        let Some(Link::Web(connection)) = &mut stream.connection else { return None };
        // Memory of others may not be initialised, which a reader of Rust must not get.
        let mut piece = vec![0; length.min(64 << 10)];
        match stream.line.receive(connection, &mut piece) {
            Ok(count) => {
                // SAFETY: libgit2 has room for `length` bytes there, and `count` is no more.
                unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), bytes.cast(), count) };
                isize::try_from(count).ok()
            }
            Err(error) => {
                failed(&stream.line, error);
                None
            }
        }
    })
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn write(
    stream: *mut GitStream,
    bytes: *const c_char,
    length: usize,
    _: c_int,
) -> isize {
    with(stream, -1, |stream| {
        let Some(Link::Web(connection)) = &mut stream.connection else { return None };
        // SAFETY: libgit2 has `length` bytes there.
        let bytes = unsafe { std::slice::from_raw_parts(bytes.cast(), length) };
        match stream.line.send(connection, bytes) {
            Ok(count) => isize::try_from(count).ok(),
            Err(error) => {
                failed(&stream.line, error);
                None
            }
        }
    })
}

extern "C" fn close(stream: *mut GitStream) -> c_int {
    with(stream, -1, |stream| {
        (stream.connection, stream.socket) = (None, -1);
        Some(0)
    })
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn free(stream: *mut GitStream) {
    // SAFETY: it is one of `make`, and libgit2 does not use it any more.
    let stream = unsafe { Box::from_raw(stream.cast::<Stream>()) };
    // A panic must not cross the border.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(stream)));
}
