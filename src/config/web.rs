//! Who may look at the pages and ask the API, and what of it is configured.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::error::Problems;
use super::file::Section;
use super::hooks::networks;
use super::problem::ProblemKind;
use super::sections::{TokenKeys, WebKeys};
use crate::base::hex;
use crate::base::text::named;
use crate::net::Network;

/// Who may look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Read {
    /// Whoever reaches the address.
    Open,
    /// Who has a token. Others do not learn which mirrors there are.
    #[default]
    Token,
}

impl Read {
    /// Both, with their names in the configuration.
    pub const ALL: [(&'static str, Self); 2] = [("token", Self::Token), ("open", Self::Open)];
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// To look at everything.
    Read,
    /// To ask for syncs, and to see what becomes of them.
    Trigger,
    /// Everything.
    Admin,
}

impl Scope {
    /// Every scope, for configuration, tables and tests.
    pub const ALL: [(&'static str, Self); 3] =
        [("read", Self::Read), ("trigger", Self::Trigger), ("admin", Self::Admin)];
}

/// A token as the configuration keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredToken {
    /// Whose it is, for the log.
    pub name: String,
    /// Its SHA-256.
    pub sha256: [u8; 32],
    /// What it is for.
    pub scope: Scope,
}

/// Who may look and ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebAccess {
    /// Who may look.
    pub read: Read,
    /// Who may do more. Without tokens nobody may.
    pub tokens: Vec<StoredToken>,
}

/// What is configured of the pages and the API.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebConfig {
    /// Who may look and ask.
    pub access: WebAccess,
    /// The address under which others reach the pages.
    pub public_url: Option<String>,
    /// Where metrics are served to whoever reaches the address.
    pub metrics_listen: Option<SocketAddr>,
    /// The proxies whose word is taken for where a request comes from.
    pub trusted_proxies: Vec<Network>,
}

/// The hash that `text` is, if it is one.
pub(super) fn hash_of(text: &str) -> Option<[u8; 32]> {
    let bytes = text.as_bytes();
    let mut hash = [0; 32];
    if bytes.len() != 2 * hash.len() {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(bytes.chunks(2)) {
        let [high, low] = pair.try_into().ok()?;
        *byte = hex::digit(high)? << 4 | hex::digit(low)?;
    }
    Some(hash)
}

/// What the sections say. What is wrong is noted.
pub(super) fn web(
    section: &Section<WebKeys>,
    tokens: &BTreeMap<String, Section<TokenKeys>>,
    problems: &mut Problems,
) -> WebConfig {
    let WebKeys { read, public_url, metrics_listen, trusted_proxies } = &section.value;
    let trusted_proxies = networks(section, ("trusted_proxies", trusted_proxies), problems);
    let tokens = tokens.iter().filter_map(|(name, section)| token(name, section, problems));
    let read = read.as_deref().and_then(|read| named(&Read::ALL, read)).unwrap_or_default();
    let public_url = public_url.as_deref().map(|url| url.trim_end_matches('/').to_owned());
    let metrics_listen = metrics_listen.as_deref().and_then(|address| address.parse().ok());
    let access = WebAccess { read, tokens: tokens.collect() };
    WebConfig { access, public_url, metrics_listen, trusted_proxies }
}

fn token(name: &str, section: &Section<TokenKeys>, problems: &mut Problems) -> Option<StoredToken> {
    for key in ["scope", "sha256"] {
        if !section.sets(key) {
            section.wrong(key, ProblemKind::Missing, problems);
        }
    }
    let scope = section.value.scope.as_deref().and_then(|scope| named(&Scope::ALL, scope))?;
    let sha256 = section.value.sha256.as_deref().and_then(hash_of)?;
    Some(StoredToken { name: name.to_owned(), sha256, scope })
}
