//! Connections: how they are made and set up, and what is wrong when that cannot be done.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::{Client, Config, NoTls, SimpleQueryMessage};
use postgres_openssl::MakeTlsConnector;
use secrecy::ExposeSecret as _;

use super::trouble::{Problem, Trouble};
use crate::base::time::Clock;
use crate::net::{SecretSource, tls};
use crate::queue::store_error::StoreError;

/// How long a server may take to let us in.
const CONNECT: Duration = Duration::from_secs(5);
/// After so long without a word from the other machine a connection is over.
const SILENCE: Duration = Duration::from_secs(15);
/// Clocks that differ by so many milliseconds are as good as one.
const NEAR: i64 = 1000;
/// No release before has all that is used here.
const OLDEST_SERVER: i32 = 130_000;

/// What holds for each connection. A statement of ours takes milliseconds; what takes longer waits for something
/// that does not come.
const SETTINGS: &str = "-c statement_timeout=5000 -c lock_timeout=2000 \
     -c idle_in_transaction_session_timeout=10000 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 \
     -c tcp_keepalives_count=3 -c tcp_user_timeout=30000 -c default_transaction_isolation=read\\ committed \
     -c DateStyle=ISO";

/// How a database is reached.
#[derive(Clone)]
pub struct PostgresOptions {
    /// `postgres://USER@HOST[:PORT]/DATABASE[?…]`, without a password.
    pub address: String,
    /// The password, read for each connection.
    pub password: Option<SecretSource>,
    /// The file with the authorities one of which must have signed the server's certificate; those of this machine
    /// if there is none.
    pub ca: Option<PathBuf>,
    /// A folder of this process: what the one before it had claimed that had the folder is due at once, and not
    /// only when its claims have run out. No two processes have the same one.
    pub folder: Option<PathBuf>,
    /// The clock of whoever uses the store. Times are then kept by the clock of the database, and are those of this
    /// one to whoever asks: so it does not matter if it is wrong. Without it, they are kept as they come.
    pub clock: Option<Arc<dyn Clock>>,
    /// Whether what this process syncs stays cached in its folder. Mirrors are then at home where they were synced last,
    /// and others leave them to that process for a while.
    pub has_caches: bool,
}

impl PostgresOptions {
    /// The database at `address`, and nothing else.
    pub fn at(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            password: None,
            ca: None,
            folder: None,
            clock: None,
            has_caches: false,
        }
    }
}

/// What makes connections.
pub(super) struct Connector {
    config: Config,
    /// What the database is called in messages.
    place: String,
    password: Option<SecretSource>,
    tls: Option<MakeTlsConnector>,
    clock: Option<Arc<dyn Clock>>,
    /// How far the clock of the database is ahead of ours, in milliseconds; 0 if it is the same, or nearly.
    ahead: AtomicI64,
}

impl Connector {
    pub(super) fn new(options: &PostgresOptions) -> Result<Self, StoreError> {
        let wrong = |message: &str| StoreError::Server {
            place: without_password(&options.address),
            problem: Problem::Address,
            message: message.to_owned(),
        };
        let (mut config, is_encrypted) = parse(&options.address).map_err(|error| wrong(&error))?;
        let place = place(&config);
        let tls = is_encrypted.then(|| tls::verified(options.ca.as_deref())).transpose();
        let tls = tls.map_err(|error| wrong(&crate::base::clean::with_causes(&error)))?;
        let settings = match config.get_options() {
            Some(more) => format!("{SETTINGS} {more}"),
            None => SETTINGS.to_owned(),
        };
        config
            .ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable })
            .options(&settings)
            // A copy that only follows cannot take anything.
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE / 3)
            .keepalives_interval(SILENCE / 3)
            .keepalives_retries(2);
        if config.get_application_name().is_none() {
            config.application_name("synchroniser");
        }
        Ok(Self {
            config,
            place,
            password: options.password.clone(),
            tls: tls.map(MakeTlsConnector::new),
            clock: options.clock.clone(),
            ahead: AtomicI64::new(0),
        })
    }

    /// Whether times are those of the database: then other processes may be there.
    pub(super) fn is_shared(&self) -> bool {
        self.clock.is_some()
    }

    /// Whether connections are encrypted.
    pub(super) fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// What the database is called in messages.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// What `trouble` is to whoever uses the queue.
    pub(super) fn error(&self, trouble: &Trouble) -> StoreError {
        trouble.error(&self.place)
    }

    /// A new connection.
    pub(super) fn connect(&self) -> Result<Client, Trouble> {
        let mut config = self.config.clone();
        if let Some(password) = &self.password {
            let password = password.line().map_err(|error| {
                Trouble::of(Problem::Password, crate::base::clean::with_causes(&error))
            })?;
            config.password(password.expose_secret());
        }
        let mut client = match &self.tls {
            Some(tls) => config.connect(tls.clone()),
            None => config.connect(NoTls),
        }?;
        set_up(&mut client)?;
        Ok(client)
    }

    /// Begins a transaction, and returns how far the clock of the database is ahead of ours.
    pub(super) fn begin(&self, client: &mut Client, how: &str) -> Result<i64, Trouble> {
        let Some(clock) = &self.clock else {
            client.batch_execute(how)?;
            return Ok(0);
        };
        let ask =
            format!("{how}; SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint::text");
        let answer = client.simple_query(&ask)?;
        let theirs = answer.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0)?.parse::<i64>().ok(),
            _ => None,
        });
        let theirs = theirs.ok_or_else(|| Trouble::of(Problem::Content, "it has no clock"))?;
        let seen = theirs.saturating_sub(clock.now().millis());
        let ahead = self.ahead.load(Ordering::Relaxed);
        // An answer takes its time on the way: a time in the database is the same whenever it is read.
        if seen.saturating_sub(ahead).saturating_abs() <= NEAR {
            return Ok(ahead);
        }
        self.ahead.store(seen, Ordering::Relaxed);
        Ok(seen)
    }
}

/// What an address says, and whether the connection is encrypted; or what is wrong with it, without repeating it.
pub(super) fn parse(address: &str) -> Result<(Config, bool), String> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Err("is no address of a database: postgres://USER@HOST/DATABASE".to_owned());
    }
    let (address, mode) = take_mode(address);
    let config = Config::from_str(&address).map_err(|error| error.to_string())?;
    if config.get_password().is_some() {
        return Err("the address has a password; it belongs into a file".to_owned());
    }
    let hosts = config.get_hosts();
    if hosts.is_empty() || config.get_dbname().is_none() || config.get_user().is_none() {
        return Err("the address needs a user, a host and a database".to_owned());
    }
    let are_here = hosts.iter().all(is_here);
    match mode.as_deref() {
        None => Ok((config, !are_here)),
        Some("verify-full") => Ok((config, true)),
        Some("disable") if are_here => Ok((config, false)),
        Some("disable") => Err("without encryption, the server must be on this machine".to_owned()),
        Some(_) => Err("sslmode is verify-full, or disable on this machine".to_owned()),
    }
}

fn set_up(client: &mut Client) -> Result<(), Trouble> {
    let select = "SELECT current_setting('server_version_num')::int4, \
         current_setting('synchronous_commit'), current_setting('server_encoding')";
    let row = client.query_typed_one(select, &[])?;
    let version: i32 = row.try_get(0)?;
    if version < OLDEST_SERVER {
        let message = format!("it is PostgreSQL {}, and must be 13 or later", version / 10_000);
        return Err(Trouble::of(Problem::Old, message));
    }
    // Or a token may be given out twice after the server has crashed.
    if row.try_get::<_, &str>(1)? == "off" {
        client.batch_execute("SET synchronous_commit = on")?;
    }
    let encoding: &str = row.try_get(2)?;
    if encoding != "UTF8" {
        let message = format!("the encoding of the database is {encoding}, and must be UTF8");
        return Err(Trouble::of(Problem::Old, message));
    }
    Ok(())
}

/// Whether it is on this machine.
fn is_here(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
            name == "localhost" || address.is_ok_and(|address| address.is_loopback())
        }
    }
}

/// The address without its `sslmode`, and that: the client library does not know all of them.
fn take_mode(address: &str) -> (String, Option<String>) {
    let Some((before, query)) = address.split_once('?') else { return (address.to_owned(), None) };
    let mut mode = None;
    let kept: Vec<_> = query
        .split('&')
        .filter(|pair| match pair.strip_prefix("sslmode=") {
            None => true,
            Some(value) => {
                mode = Some(value.to_owned());
                false
            }
        })
        .collect();
    (format!("{before}?{}", kept.join("&")), mode)
}

fn place(config: &Config) -> String {
    let hosts = config.get_hosts().iter().zip(config.get_ports().iter().map(Some).chain(
        // One port may stand for all hosts.
        std::iter::repeat(config.get_ports().last()),
    ));
    let hosts: Vec<_> = hosts
        .map(|(host, port)| {
            let host = match host {
                Host::Tcp(name) => name.clone(),
                Host::Unix(path) => path.display().to_string(),
            };
            match port {
                Some(port) if *port != 5432 => format!("{host}:{port}"),
                _ => host,
            }
        })
        .collect();
    let user = config.get_user().unwrap_or_default();
    format!("postgres://{user}@{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

/// An address that may be wrong in any way, without what may be a password in it.
fn without_password(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let rest = rest.split('?').next().unwrap_or_default();
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => {
            format!("{}@{host}", user.split(':').next().unwrap_or_default())
        }
        None => rest.to_owned(),
    };
    format!("{scheme}://{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str) -> Result<Connector, StoreError> {
        Connector::new(&PostgresOptions::at(address))
    }

    fn refused(address: &str) -> String {
        open(address).err().unwrap().to_string()
    }

    #[test]
    fn what_leaves_this_machine_is_encrypted() {
        for (address, is_encrypted) in [
            ("postgres://u@db.example/queue", true),
            ("postgres://u@db.example/queue?sslmode=verify-full&connect_timeout=3", true),
            ("postgres://u@127.0.0.1,db.example/queue", true),
            ("postgres://u@localhost/queue", false),
            ("postgres://u@127.0.0.1:5433/queue", false),
            ("postgres://u@127.0.0.1/queue?sslmode=verify-full", true),
            ("postgres://u@%2Frun%2Fpostgresql/queue?sslmode=disable", false),
        ] {
            let connector = open(address).unwrap();
            assert_eq!(connector.tls.is_some(), is_encrypted, "{address}");
            let mode = connector.config.get_ssl_mode();
            assert_eq!(mode == SslMode::Require, is_encrypted, "{address}");
        }
        for address in [
            "postgres://u@db.example/queue?sslmode=disable",
            "postgres://u@db.example/queue?sslmode=prefer",
            "postgres://u@localhost/queue?sslmode=require",
        ] {
            let said = refused(address);
            assert!(said.contains("sslmode") || said.contains("encryption"), "{said}");
        }
    }

    #[test]
    fn what_is_missing_is_said_and_no_password_is() {
        assert!(refused("postgres://u@/queue").contains("host"));
        assert!(refused("postgres://db.example/queue").contains("user"));
        assert!(refused("postgres://u@db.example").contains("database"));
        let said = refused("postgres://u:hunter2@db.example/queue");
        assert!(said.contains("belongs into a file") && !said.contains("hunter2"), "{said}");
        let said = refused("postgres://u:hunter2@db.example:port/queue");
        assert!(!said.contains("hunter2"), "{said}");
    }

    #[test]
    fn a_database_is_called_by_its_address() {
        let place = |address: &str| open(address).unwrap().place().to_owned();
        assert_eq!(place("postgresql://u@a:5432,b:6000/q"), "postgres://u@a,b:6000/q");
        assert_eq!(place("postgres://u@a/q?application_name=x"), "postgres://u@a/q");
        let socket = "postgres://u@%2Frun%2Fpostgresql:5433/q";
        assert_eq!(place(socket), "postgres://u@/run/postgresql:5433/q");
    }
}
