//! Memory that was freed, and that the allocator keeps; and memory for much at once.

/// Gives what was freed back to the system.
///
/// The allocator of glibc keeps it for later. After a large configuration was read, or a large history converted,
/// a daemon that then does little for days would hold several times the memory that it uses. It takes a few
/// milliseconds. Other allocators give back by themselves, and with them it does nothing.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "a function of the C library that no safe crate offers")
)]
pub fn give_back() {
    // SAFETY: it may be called at any time, by any thread, and takes its own locks (malloc_trim(3)).
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets all threads share two arenas of the allocator; to be called before there are threads.
///
/// glibc makes up to eight for each processor, and what threads free in one of them is of no use to the others. So a
/// daemon with ten thousand mirrors and a dozen threads held 120 MB where it used 32. Conversions take as long with two.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "a function of the C library that no safe crate offers")
)]
pub fn share_arenas() {
    // SAFETY: it changes a setting of the allocator, under a lock of its own (mallopt(3)).
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// What the system gives at a time for what is large.
const LARGE_PAGE: usize = 2 << 20;

/// Room for `capacity` bytes that are written soon. Where they are many, the system is asked for them in large pages:
/// to get 25 MB in small ones takes longer than to copy as much.
#[expect(unsafe_code, reason = "a function of the C library that no safe crate offers")]
pub fn room(capacity: usize) -> Vec<u8> {
    let mut room: Vec<u8> = Vec::new();
    // If there is not so much, there may be enough for what really comes.
    let _ = room.try_reserve_exact(capacity);
    let skipped = room.as_ptr().align_offset(LARGE_PAGE);
    let whole = room.capacity().saturating_sub(skipped) / LARGE_PAGE * LARGE_PAGE;
    if whole > LARGE_PAGE {
        // SAFETY: the range lies within what was just reserved, and what it is advised changes nothing in it
        // (madvise(2)).
        unsafe {
            libc::madvise(room.as_mut_ptr().add(skipped).cast(), whole, libc::MADV_HUGEPAGE);
        }
    }
    room
}
