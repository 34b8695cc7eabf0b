//! The client's side of `git receive-pack`: what the server advertises, what it is asked for, what it
//! answers (gitprotocol-pack, "Pushing Data To a Server"; gitprotocol-capabilities).
//!
//! Everything here is a function of bytes, and bounded: a server can make us hold one line of a
//! pkt-line stream, the list of its refs, and a short word on each ref that it was asked to move.

mod advertisement;
mod answer;
mod command;
mod pkt_line;
mod report;

pub(in crate::git) use advertisement::{Advertisement, ObjectFormat, Reporting};
pub(in crate::git) use answer::{Answer, Heard, Unreadable};
pub(in crate::git) use command::commands;
pub(in crate::git) use report::{Report, Status};

/// Why what a server says is not what one says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(in crate::git) struct Broken(pub(in crate::git) &'static str);
