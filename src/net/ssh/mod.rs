//! The system's OpenSSH as a child process: how it is called, talked to, and what its end means.

mod command;
mod failure;
mod process;
mod tunnel;

pub use command::arguments;
pub use failure::{ended, refusal};
pub use process::{Process, Waited};
pub use tunnel::Tunnel;
