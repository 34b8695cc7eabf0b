//! What a server is like, for whoever checks a configuration.

use super::connection::{self, Connector, PostgresOptions};
use super::{PostgresStore, trouble};
use crate::queue::store_error::StoreError;

/// What a server is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its address, without a password.
    pub place: String,
    /// Its release.
    pub version: String,
    /// Whether connections to it are encrypted.
    pub is_encrypted: bool,
    /// The settings with which it may lose what it has answered when it crashes.
    pub unsafe_settings: Vec<String>,
}

impl PostgresStore {
    /// What is wrong with an address, without repeating it.
    pub fn problem_of_address(address: &str) -> Option<String> {
        connection::parse(address).err()
    }

    /// Connects to a server, and looks what it is like. Changes nothing.
    pub fn look(options: &PostgresOptions) -> Result<ServerFacts, StoreError> {
        let connector = Connector::new(options)?;
        let look = || {
            let mut client = connector.connect()?;
            let select = "SELECT current_setting('server_version')";
            let version = client.query_typed_one(select, &[])?.try_get(0)?;
            let select = "SELECT name FROM pg_settings WHERE setting = 'off' \
                 AND name IN ('fsync', 'full_page_writes') ORDER BY name";
            let found = client.query_typed(select, &[])?;
            let off: Result<Vec<String>, _> = found.iter().map(|row| row.try_get(0)).collect();
            Ok((version, off?))
        };
        let found: Result<_, trouble::Trouble> = look();
        let (version, unsafe_settings) = found.map_err(|trouble| connector.error(&trouble))?;
        let (place, is_encrypted) = (connector.place().to_owned(), connector.is_encrypted());
        Ok(ServerFacts { place, version, is_encrypted, unsafe_settings })
    }
}
