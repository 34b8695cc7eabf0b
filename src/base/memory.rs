//! Memory that was freed, and that the allocator keeps.

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
