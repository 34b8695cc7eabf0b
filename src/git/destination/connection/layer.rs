//! Our layer around libgit2's subtransports.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::rc::Rc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::super::receive_pack::Advertisement;
use super::super::stream::tell;

/// What is read at once, in bytes.
pub(super) const PIECE: usize = 32 << 10;

/// `GIT_SERVICE_RECEIVEPACK_LS` and `GIT_SERVICE_RECEIVEPACK`
const LIST: c_int = 3;
pub(super) const RECEIVE: c_int = 4;

/// The kinds of libgit2's subtransports.
const HTTP: u8 = 0;
const SSH: u8 = 1;
const GIT: u8 = 2;

/// `git_smart_subtransport_stream`
#[repr(C)]
pub(super) struct RawStream {
    subtransport: *mut RawSubtransport,
    pub(super) read: extern "C" fn(*mut RawStream, *mut c_char, usize, *mut usize) -> c_int,
    pub(super) write: Option<extern "C" fn(*mut RawStream, *const c_char, usize) -> c_int>,
    pub(super) free: extern "C" fn(*mut RawStream),
}

/// `git_smart_subtransport`
#[repr(C)]
pub(super) struct RawSubtransport {
    pub(super) action:
        extern "C" fn(*mut *mut RawStream, *mut RawSubtransport, *const c_char, c_int) -> c_int,
    close: extern "C" fn(*mut RawSubtransport) -> c_int,
    free: extern "C" fn(*mut RawSubtransport),
}

/// The beginning of libgit2's own stream over SSH (`ssh_stream` in `ssh_libssh2.c`). The streams that it
/// is given refuse a libgit2 of which that was not seen to be true.
#[repr(C)]
struct SshStream {
    parent: RawStream,
    io: *mut c_void,
    session: *mut c_void,
}

/// `git_smart_subtransport_cb`; the second argument is a `git_transport`.
type Make = extern "C" fn(*mut *mut RawSubtransport, *mut c_void, *mut c_void) -> c_int;

/// `git_smart_subtransport_definition`
#[repr(C)]
struct Definition {
    callback: Make,
    rpc: c_uint,
    param: *mut c_void,
}

#[expect(unsafe_code, reason = "functions of libgit2 that its binding does not have")]
// SAFETY: as declared in `include/git2/sys/transport.h`.
unsafe extern "C" {
    fn git_transport_register(
        prefix: *const c_char,
        make: unsafe extern "C" fn(*mut *mut c_void, *mut c_void, *mut c_void) -> c_int,
        param: *mut c_void,
    ) -> c_int;
    fn git_transport_smart(out: *mut *mut c_void, owner: *mut c_void, param: *mut c_void) -> c_int;
    fn git_smart_subtransport_http(
        out: *mut *mut RawSubtransport,
        owner: *mut c_void,
        param: *mut c_void,
    ) -> c_int;
    fn git_smart_subtransport_ssh(
        out: *mut *mut RawSubtransport,
        owner: *mut c_void,
        param: *mut c_void,
    ) -> c_int;
    fn git_smart_subtransport_git(
        out: *mut *mut RawSubtransport,
        owner: *mut c_void,
        param: *mut c_void,
    ) -> c_int;
}

#[expect(unsafe_code, reason = "a function of libssh2, to which libgit2 is linked")]
// SAFETY: as declared in `libssh2.h`.
unsafe extern "C" {
    fn libssh2_session_set_timeout(session: *mut c_void, milliseconds: c_long);
}

/// Puts our layer around libgit2's subtransports, for the whole process and for good.
#[expect(unsafe_code, reason = "a function of libgit2 that its binding does not have")]
pub(in super::super) fn register() -> c_int {
    let schemes: [(_, Make, _); 4] = [
        (c"http", make::<HTTP>, 1),
        (c"https", make::<HTTP>, 1),
        (c"ssh", make::<SSH>, 0),
        (c"git", make::<GIT>, 0),
    ];
    let results = schemes.map(|(scheme, callback, rpc)| {
        let definition = Box::new(Definition { callback, rpc, param: ptr::null_mut() });
        // SAFETY: libgit2 copies the name, and keeps the definition, which is never freed. It gives
        // that back to `git_transport_smart`, which wants to get one. The caller sees to it that
        // nobody connects meanwhile.
        unsafe {
            git_transport_register(
                scheme.as_ptr(),
                git_transport_smart,
                Box::into_raw(definition).cast(),
            )
        }
    });
    results.into_iter().min().unwrap_or(0)
}

thread_local! {
    /// The connection that this thread is making.
    static MAKING: RefCell<Option<Rc<Shared>>> = const { RefCell::new(None) };
}

/// What a [`Connection`] and the layer inside of libgit2 both know.
pub(super) struct Shared {
    /// libgit2's own subtransport; null once libgit2 has freed it, and until it has made it.
    pub(super) inner: Cell<*mut RawSubtransport>,
    /// libgit2's own stream on which the list of refs came; null once libgit2 has freed it.
    pub(super) stream: Cell<*mut RawStream>,
    /// What was read of the list.
    pub(super) advertisement: RefCell<Advertisement>,
    /// Whether libgit2's own stream is one over SSH.
    is_ssh: Cell<bool>,
    /// What the list waits for, if it does. libgit2 starts a program over SSH with the first read.
    go: Cell<Option<Receiver<()>>>,
    /// Something was asked for: the end of the list must not be written once more at the end.
    pub(super) is_used: Cell<bool>,
}

/// Our layer around a subtransport, which libgit2 takes for one.
#[repr(C)]
struct Layer {
    parent: RawSubtransport,
    shared: Rc<Shared>,
}

/// Our layer around the stream of the list of refs.
#[repr(C)]
struct Tap {
    parent: RawStream,
    shared: Rc<Shared>,
}

/// Makes libgit2's own subtransport of a `KIND`; with a layer around it for a connection of ours.
#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn make<const KIND: u8>(
    out: *mut *mut RawSubtransport,
    owner: *mut c_void,
    param: *mut c_void,
) -> c_int {
    let own = match KIND {
        HTTP => git_smart_subtransport_http,
        SSH => git_smart_subtransport_ssh,
        _ => git_smart_subtransport_git,
    };
    // SAFETY: these are the arguments that libgit2 has for this function, with a place of ours or its own
    // for what it makes.
    let own = |place| unsafe { own(place, owner, param) };
    let Some(shared) = MAKING.with_borrow(Clone::clone) else { return own(out) };
    shared.is_ssh.set(KIND == SSH);
    let mut inner = ptr::null_mut();
    let result = own(&raw mut inner);
    if result != 0 {
        return result;
    }
    shared.inner.set(inner);
    let parent = RawSubtransport { action, close, free };
    // SAFETY: libgit2 asks for a subtransport to be put there, which lasts until it calls `free`. The
    // first field of ours is the one that it knows.
    unsafe { *out = Box::into_raw(Box::new(Layer { parent, shared })).cast() };
    0
}

/// What we know of a subtransport that libgit2 hands back.
#[expect(unsafe_code, reason = "the border to a C library")]
fn of_layer(layer: *mut RawSubtransport) -> Rc<Shared> {
    // SAFETY: libgit2 calls us with subtransports of `make` only, until `free`, and from the thread
    // that it was made by: neither `Remote` nor `Connection` can be given to another.
    unsafe { Rc::clone(&(*layer.cast::<Layer>()).shared) }
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn action(
    out: *mut *mut RawStream,
    layer: *mut RawSubtransport,
    url: *const c_char,
    what: c_int,
) -> c_int {
    let shared = of_layer(layer);
    let inner = shared.inner.get();
    if what == RECEIVE {
        // libgit2 asks for this only in order to end a list of commands at the end of a connection. It
        // takes the stream that it has, and looks at no other.
        return if shared.is_used.get() { -1 } else { 0 };
    }
    let mut stream = ptr::null_mut();
    // SAFETY: the inner subtransport lives as long as its layer, and is asked as libgit2 would.
    let result = unsafe { ((*inner).action)(&raw mut stream, inner, url, what) };
    if result != 0 || what != LIST {
        // SAFETY: libgit2 asks for a stream to be put there.
        unsafe { *out = stream };
        return result;
    }
    shared.stream.set(stream);
    let parent = RawStream {
        subtransport: layer,
        read: tap_read,
        // SAFETY: it is a stream, as the call has succeeded.
        write: unsafe { (*stream).write }.map(|_| tap_write as _),
        free: tap_free,
    };
    // SAFETY: as above; it lasts until libgit2 calls `tap_free`.
    unsafe { *out = Box::into_raw(Box::new(Tap { parent, shared })).cast() };
    0
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn close(layer: *mut RawSubtransport) -> c_int {
    let inner = of_layer(layer).inner.get();
    // SAFETY: the inner subtransport lives as long as its layer.
    unsafe { ((*inner).close)(inner) }
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn free(layer: *mut RawSubtransport) {
    // SAFETY: it is one of `make`, and libgit2 does not use it any more.
    let layer = unsafe { Box::from_raw(layer.cast::<Layer>()) };
    let inner = layer.shared.inner.replace(ptr::null_mut());
    // SAFETY: the inner subtransport lives as long as its layer, and nobody finds it any more.
    unsafe { ((*inner).free)(inner) };
}

/// What we know of a stream that libgit2 hands back.
#[expect(unsafe_code, reason = "the border to a C library")]
fn of_tap(tap: *mut RawStream) -> Rc<Shared> {
    // SAFETY: libgit2 calls us with streams of `action` only, until `tap_free`, and from one thread.
    unsafe { Rc::clone(&(*tap.cast::<Tap>()).shared) }
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn tap_read(
    tap: *mut RawStream,
    bytes: *mut c_char,
    length: usize,
    count: *mut usize,
) -> c_int {
    let shared = of_tap(tap);
    if let Some(go) = shared.go.take()
        && go.recv().is_err()
    {
        tell("nobody wants it any more");
        return -1;
    }
    // One byte stays what it is: where libgit2 takes what is read for text, it looks for a zero.
    let mut piece = vec![0; length.min(PIECE) + 1];
    let room = piece.len() - 1;
    let mut read = 0;
    let stream = shared.stream.get();
    // SAFETY: the stream lives as long as its tap; there is room for so many bytes.
    let result =
        unsafe { ((*stream).read)(stream, piece.as_mut_ptr().cast(), room, &raw mut read) };
    let read = read.min(room);
    if result == 0 {
        let seen = piece.get(..read).unwrap_or_default();
        let listed =
            catch_unwind(AssertUnwindSafe(|| shared.advertisement.borrow_mut().feed(seen)));
        if let Ok(Err(problem)) = listed {
            tell(problem.0);
            return -1;
        }
    }
    // SAFETY: libgit2 has room for `length` bytes there, and `read` is no more.
    unsafe {
        ptr::copy_nonoverlapping(piece.as_ptr(), bytes.cast(), read);
        *count = read;
    }
    result
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn tap_write(tap: *mut RawStream, bytes: *const c_char, length: usize) -> c_int {
    let stream = of_tap(tap).stream.get();
    // SAFETY: the stream lives as long as its tap; the bytes are those that libgit2 has there.
    match unsafe { (*stream).write } {
        Some(write) => write(stream, bytes, length),
        None => -1,
    }
}

#[expect(unsafe_code, reason = "the border to a C library")]
extern "C" fn tap_free(tap: *mut RawStream) {
    // SAFETY: it is one of `action`, and libgit2 does not use it any more.
    let tap = unsafe { Box::from_raw(tap.cast::<Tap>()) };
    let stream = tap.shared.stream.replace(ptr::null_mut());
    // SAFETY: the stream lives as long as its tap, and nobody finds it any more.
    unsafe { ((*stream).free)(stream) };
}

impl Shared {
    /// What is known before anything is: nothing.
    pub(super) fn new(go: Option<Receiver<()>>) -> Rc<Self> {
        Rc::new(Self {
            go: Cell::new(go),
            inner: Cell::new(ptr::null_mut()),
            stream: Cell::new(ptr::null_mut()),
            advertisement: RefCell::default(),
            is_ssh: Cell::new(false),
            is_used: Cell::new(false),
        })
    }

    /// How long a call of libssh2 may wait for the server; `None` is for ever.
    #[expect(unsafe_code, reason = "the border to a C library")]
    pub(super) fn limit(&self, wait: Option<Duration>) {
        let stream = self.stream.get();
        if !self.is_ssh.get() || stream.is_null() {
            return;
        }
        let milliseconds = wait.map_or(0, |wait| wait.as_millis().max(1));
        let milliseconds = c_long::try_from(milliseconds).unwrap_or(c_long::MAX);
        // SAFETY: it is one of libgit2's streams over SSH, which is alive, and whose session is so too:
        // the list of refs has come over it.
        unsafe {
            let session = (*stream.cast::<SshStream>()).session;
            if !session.is_null() {
                libssh2_session_set_timeout(session, milliseconds);
            }
        }
    }

    /// Does `work`, in which libgit2 makes one subtransport, of which this is to know.
    pub(super) fn during<T>(self: &Rc<Self>, work: impl FnOnce() -> T) -> T {
        let _restore = Restore(MAKING.replace(Some(Rc::clone(self))));
        work()
    }
}

/// Puts back what the thread was making.
struct Restore(Option<Rc<Shared>>);

impl Drop for Restore {
    fn drop(&mut self) {
        MAKING.set(self.0.take());
    }
}
