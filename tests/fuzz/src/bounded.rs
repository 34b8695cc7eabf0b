//! Memory, a little at a time: libFuzzer measures what is used, and an allocation that an input
//! sized may never be.

use std::alloc::{GlobalAlloc, Layout, System};

/// More than any bound that does not come from [`super::limits`].
const MOST: usize = 24 << 20;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

struct Bounded;

fn check(size: usize) {
    if size > MOST {
        eprintln!("{size} bytes are asked for at once");
        std::process::abort();
    }
}

// SAFETY: all of it is the system's allocator, which this only refuses to ask.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        check(size);
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        unsafe { System.dealloc(place, layout) }
    }
}
