//! What is said to a Mercurial server and what it answers, as bytes. Pure encoding and decoding.
//!
//! This is version 1 of the protocol, which every server speaks. Source: `hg help
//! internals.wireprotocol`, `internals.bundle2`, and what `hg serve` answers.

pub mod answer;
mod capabilities;
mod command;
pub mod http;

pub use answer::{AnswerError, CloneBundle, Lookup};
pub use capabilities::{Bundle2Caps, Capabilities, CapabilitiesError, our_bundle2};
pub use command::{Command, GetBundle};
