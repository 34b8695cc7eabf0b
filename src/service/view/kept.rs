//! What is kept over the years, as it is shown: caches and credentials.

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;

/// What the caches take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CachesView {
    /// When they were last looked at; `None` if they were not since the start.
    pub measured: Option<Timestamp>,
    /// What all of them take, in bytes.
    pub bytes: u64,
    /// What those take whose mirrors are configured no more, in bytes.
    pub unused: u64,
    /// What all of them may take, in bytes; `None` if there is no limit.
    pub quota: Option<u64>,
    /// What is free on their disk, in bytes; `None` if the system does not say.
    pub free: Option<u64>,
    /// What has to stay free there, in bytes.
    pub reserve: u64,
    /// What the cache of each mirror takes that is configured.
    pub mirrors: Vec<CacheView>,
}

/// What the cache of a mirror takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheView {
    /// The mirror.
    pub mirror: String,
    /// What it takes, in bytes.
    pub bytes: u64,
}

/// A credential, or a certificate, that ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialView {
    /// What it is, and where: never what it holds.
    pub name: String,
    /// When it ends.
    pub ends: Timestamp,
    /// The mirrors that use it.
    pub mirrors: Vec<String>,
}
