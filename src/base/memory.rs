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
