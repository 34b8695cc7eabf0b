//! Addresses of sources and targets, read once and strictly.
//!
//! The `url` crate reads hosts and joins addresses. What browsers forgive is refused before it is
//! asked: it drops tabs and line ends, takes backslashes for slashes and forgets an empty password.

mod repository;
mod source;
mod target;

pub use repository::RepositoryId;
pub use source::{Scheme, SourceUrl, SourceUrlError};
pub use target::{Location, PlainHttp, Remote, TargetUrl, UrlError};
