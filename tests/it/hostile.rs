//! Sources that lie, that are damaged, and that are only strange: nothing read from one may panic,
//! hang, or take more memory than the limits allow, and none becomes a wrong mirror.

mod damage;
mod decoders;
mod directories;
mod history;
mod memory;
mod names;
mod no_damage;
mod revlog;
mod store;
mod subrepos;
