//! The ledgers of caches, for a queue that is moved: with a file as the queue each is in its cache, with a database all
//! of them are there.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::base::durable;
use crate::config::Config;
use crate::mirror::CacheLocation;
use crate::queue::model::{DeliveryEntry, Row, Run};
use crate::queue::{JobStore as _, Portable, SqliteStore, StoreError};

/// A queue in a file, with the ledgers of the caches of this machine.
pub(super) struct WithCaches {
    queue: SqliteStore,
    /// By name.
    ledgers: Vec<(String, String)>,
}

impl WithCaches {
    /// Reads the ledgers of all mirrors of `queue` that have one.
    pub(super) fn of(queue: SqliteStore, config: &Config) -> Result<Self, StoreError> {
        let mut ledgers = Vec::new();
        for key in queue.keys()? {
            let path = ledger(config, &key);
            match fs::read_to_string(&path) {
                Ok(contents) => ledgers.push((key, contents)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(StoreError::File { path, source }),
            }
        }
        ledgers.sort();
        Ok(Self { queue, ledgers })
    }
}

impl Portable for WithCaches {
    fn rows_after(&self, name: &str, count: usize) -> Result<Vec<Row>, StoreError> {
        self.queue.rows_after(name, count)
    }

    fn runs_after(&self, number: i64, count: usize) -> Result<Vec<(i64, Run)>, StoreError> {
        self.queue.runs_after(number, count)
    }

    fn deliveries_after(
        &self,
        number: i64,
        count: usize,
    ) -> Result<Vec<DeliveryEntry>, StoreError> {
        self.queue.deliveries_after(number, count)
    }

    fn ledgers_after(&self, name: &str, count: usize) -> Result<Vec<(String, String)>, StoreError> {
        let after = self.ledgers.iter().filter(|(key, _)| key.as_str() > name);
        Ok(after.take(count).cloned().collect())
    }
}

/// Puts all ledgers of `giver` into the caches of this machine.
pub(super) fn put(giver: &dyn Portable, config: &Config) -> Result<(), StoreError> {
    let mut last = String::new();
    loop {
        let all = giver.ledgers_after(&last, 1000)?;
        let Some((end, _)) = all.last() else { return Ok(()) };
        last.clone_from(end);
        for (key, contents) in &all {
            let path = ledger(config, key);
            let put = || {
                let cache = config.cache_of(key);
                if !cache.is_dir() {
                    durable::create_folders(&cache)?;
                    fs::set_permissions(&cache, Permissions::from_mode(0o700))?;
                }
                durable::replace_file(&path, contents.as_bytes())
            };
            put().map_err(|source| StoreError::File { path: path.clone(), source })?;
        }
    }
}

fn ledger(config: &Config, key: &str) -> PathBuf {
    CacheLocation::Folder(config.cache_of(key)).ledger()
}
