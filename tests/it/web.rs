//! The web side over a service that shows what it is told to: pages, API, access, badges, feed, events.

mod access;
mod api;
mod client;
mod html;
mod pages;
mod schema;
mod stream;
