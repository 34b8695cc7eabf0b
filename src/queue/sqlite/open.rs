//! Opening the file: what is refused, how a connection is set up, and how an old schema becomes the
//! newest.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::mirrors;
use super::values::number;
use crate::base::LockedFile;
use crate::base::durable::{self, Step};
use crate::queue::store_error::StoreError;

/// How long a connection waits for another one, as of a person who looks into the file.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// Older ones may damage a file in which two connections write and checkpoint at the same time.
const OLDEST_SQLITE: i32 = 3_051_003;

/// "sync": says whose file it is.
const APPLICATION_ID: i32 = 0x7379_6e63;

/// What makes each version of the schema from the one before it.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("2.sql")];

/// File systems over a network, by what statfs(2) calls them (linux/magic.h): there, neither locks nor
/// the memory that connections share can be relied on.
const NETWORK_FILE_SYSTEMS: [(u32, &str); 9] = [
    (0x0000_6969, "NFS"),
    (0x0000_517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB"),
    (0x0102_1997, "9p"),
    (0x5346_414f, "AFS"),
    (0x7375_7245, "Coda"),
    (0x00c3_6400, "Ceph"),
    (0x0000_564c, "NCP"),
];

/// Locks the queue at `path` for this process, and opens it for writing.
pub(super) fn open(path: &Path) -> Result<(Connection, LockedFile), StoreError> {
    check_version(rusqlite::version_number(), rusqlite::version())?;
    let file_error = |source| StoreError::File { path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    check_file_system(folder)?;
    let lock = lock(path)?;
    // Made by us, so that nobody else may read it; its companions get the same rights.
    if !path.try_exists().map_err(file_error)? {
        durable::step(Step::Write(path)).map_err(file_error)?;
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(file_error)?;
        durable::sync_folder(folder).map_err(file_error)?;
    }
    let connection = writer(path).map_err(|error| StoreError::of(path, &error))?;
    migrate(path, connection).map(|connection| (connection, lock))
}

fn check_version(version: i32, name: &str) -> Result<(), StoreError> {
    match version >= OLDEST_SQLITE {
        true => Ok(()),
        false => Err(StoreError::OldSqlite { version: name.to_owned() }),
    }
}

fn check_file_system(folder: &Path) -> Result<(), StoreError> {
    let file_error = |source| StoreError::File { path: folder.to_owned(), source };
    let found = rustix::fs::statfs(folder).map_err(|errno| file_error(errno.into()))?;
    match network_kind(&found.f_type.to_le_bytes()) {
        None => Ok(()),
        Some(kind) => Err(StoreError::Network { path: folder.to_owned(), kind }),
    }
}

/// Which file system over a network it is, by the number of its kind, the lowest byte first. The numbers
/// have 32 bits; the field has as many as the processor likes.
fn network_kind(number: &[u8]) -> Option<&'static str> {
    let mut known = NETWORK_FILE_SYSTEMS.iter();
    known.find(|(known, _)| number.starts_with(&known.to_le_bytes())).map(|(_, kind)| *kind)
}

fn lock(path: &Path) -> Result<LockedFile, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let file_error = |source| StoreError::File { path: name.clone(), source };
    durable::step(Step::Write(&name)).map_err(file_error)?;
    let mut options = OpenOptions::new();
    let file: File = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .map_err(file_error)?;
    LockedFile::try_lock(file).map_err(|error| match error {
        TryLockError::WouldBlock => StoreError::InUse { path: path.to_owned() },
        TryLockError::Error(source) => file_error(source),
    })
}

fn writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Every commit is on the disk before it is answered.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // In KiB: the rows of ten thousand mirrors, each of which is looked at when all are due.
    connection.pragma_update(None, "cache_size", -8192)?;
    connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    Ok(connection)
}

/// A connection that can only read.
pub(super) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    set_up(&connection)?;
    Ok(connection)
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

/// Gives the file the newest schema. The claims in it are those of a process that is gone, since nobody
/// else can have the lock.
fn migrate(path: &Path, mut connection: Connection) -> Result<Connection, StoreError> {
    let failed = |error| StoreError::of(path, &error);
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma =
        |name| transaction.pragma_query_value(None, name, |columns| columns.get(0)).map_err(failed);
    let (application, version): (i32, usize) = (pragma("application_id")?, {
        let version: i64 = pragma("user_version")?.into();
        usize::try_from(version).unwrap_or(usize::MAX)
    });
    let tables: i64 = transaction
        .query_row("SELECT count(*) FROM sqlite_schema", [], |columns| columns.get(0))
        .map_err(failed)?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if application != APPLICATION_ID && !is_new {
        return Err(StoreError::NotOurs { path: path.to_owned() });
    }
    let Some(missing) = MIGRATIONS.get(version..) else {
        return Err(StoreError::Newer { path: path.to_owned() });
    };
    for migration in missing {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    transaction.pragma_update(None, "user_version", number(MIGRATIONS.len())).map_err(failed)?;
    mirrors::expire_all(&transaction).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_may_damage_the_file_is_refused() {
        assert!(check_version(3_051_002, "3.51.2").is_err());
        assert!(check_version(3_051_003, "3.51.3").is_ok());
        assert!(check_version(3_060_000, "3.60.0").is_ok());
    }

    #[test]
    fn file_systems_over_a_network_are_known_by_their_numbers() {
        assert_eq!(network_kind(&0x6969_u64.to_le_bytes()), Some("NFS"));
        // As a field with a sign has it.
        assert_eq!(network_kind(&(-11_317_950_i64).to_le_bytes()), Some("CIFS"));
        assert_eq!(network_kind(&0x0102_1997_u32.to_le_bytes()), Some("9p"));
        assert_eq!(network_kind(&0xef53_u64.to_le_bytes()), None, "ext4");
    }

    #[test]
    fn local_file_systems_are_not_refused() {
        check_file_system(&std::env::temp_dir()).unwrap();
        let missing = check_file_system(Path::new("/not-there")).unwrap_err();
        assert!(matches!(missing, StoreError::File { .. }));
    }
}
