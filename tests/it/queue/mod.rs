//! The queue: what every store does alike, that nothing is lost when the process is killed, and the
//! threads that run what is due.

mod contract;
mod fleet;
mod hints;
mod homes;
mod kill;
mod many;
mod moved;
mod pool;
mod postgres;
mod random;
mod receivers;
mod sessions;
mod speed;
mod sqlite;
mod support;
