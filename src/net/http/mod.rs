//! The HTTP client.
//!
//! Redirects are followed where they stay with the same host, at most three of them, and only for
//! requests without a body; from `http` they may go to `https`, never back, and never to another
//! port. Our token goes to the very address that it is for: same scheme, host and port.

mod address;
mod api;
mod client;
mod connection;
mod failure;
mod public;
mod socket;
mod watch;

pub use address::WebAddress;
pub use api::{ApiAnswer, ApiClient, ApiRequest};
pub use client::{Body, HttpAnswer, HttpClient, HttpRequest, Introduction};
pub use connection::Connection;
pub use failure::Context;
