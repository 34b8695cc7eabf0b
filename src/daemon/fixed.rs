//! What the daemon reads of its configuration when it starts, and not again.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use crate::config::{Config, QueueOptions, Role};
use crate::net::SecretSource;

/// The settings that hold until the daemon is started again. All others are read where they are used, of the
/// configuration that is in force then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    pub(super) listen: SocketAddr,
    pub(super) metrics_listen: Option<SocketAddr>,
    pub(super) socket: Option<PathBuf>,
    pub(super) connections: NonZeroUsize,
    pub(super) role: Role,
    /// Whoever started the daemon has opened the queue in it.
    state: PathBuf,
    queue: QueueOptions,
}

impl Fixed {
    pub(super) fn of(config: &Config) -> Self {
        let (daemon, web) = (&config.daemon, &config.web);
        Self {
            listen: daemon.listen,
            metrics_listen: web.metrics_listen,
            socket: daemon.socket.clone(),
            connections: daemon.connections,
            role: daemon.role,
            state: daemon.state.clone(),
            queue: config.queue.clone(),
        }
    }

    /// The keys of what is another one in `other`, with their tables.
    pub(super) fn changed(&self, other: &Self) -> Vec<&'static str> {
        // All fields are named: none is forgotten.
        let Self { listen, metrics_listen, socket, connections, role, state, queue } = self;
        // The lease is read for each claim.
        let QueueOptions { address, password, ca_file, lease: _ } = queue;
        let password_key = match &other.queue.password {
            Some(SecretSource::Credential { .. }) => "queue.password_credential",
            _ => "queue.password_file",
        };
        let keys = [
            ("daemon.listen", *listen != other.listen),
            ("web.metrics_listen", *metrics_listen != other.metrics_listen),
            ("daemon.socket", *socket != other.socket),
            ("daemon.connections", *connections != other.connections),
            ("daemon.role", *role != other.role),
            ("daemon.state", *state != other.state),
            ("queue.store", *address != other.queue.address),
            (password_key, *password != other.queue.password),
            ("queue.ca_file", *ca_file != other.queue.ca_file),
        ];
        keys.into_iter().filter(|(_, has_changed)| *has_changed).map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::config::template;

    /// Keys that are read again, with a value that is not the default.
    const LIVE: [(&str, &str); 26] = [
        ("nodes.url", "\"https://{node}.example.org\""),
        ("nodes.secret_file", "\"secret\""),
        ("nodes.secret_credential", "\"secret\""),
        ("nodes.ca_file", "\"ca.pem\""),
        ("nodes.plain_http", "true"),
        ("queue.lease", "60"),
        ("daemon.wait", "3"),
        ("daemon.max_body", "4096"),
        ("daemon.workers", "7"),
        ("daemon.long_workers", "7"),
        ("daemon.history", "7"),
        ("daemon.hooks_a_minute", "7"),
        ("daemon.request_timeout", "7"),
        ("daemon.stop_timeout", "7"),
        ("schedule.debounce", "7"),
        ("schedule.longest_debounce", "7"),
        ("schedule.shortest", "77"),
        ("schedule.longest", "777"),
        ("schedule.per_source_host", "7"),
        ("schedule.per_target_host", "7"),
        ("schedule.per_target_owner", "7"),
        ("schedule.per_target_minute", "7"),
        ("schedule.stale", "7"),
        ("web.read", "\"open\""),
        ("web.public_url", "\"https://mirrors.example.org\""),
        ("web.trusted_proxies", "[\"127.0.0.1\"]"),
    ];
    /// Keys that need a restart.
    const FIXED: [(&str, &str); 10] = [
        ("daemon.role", "\"front\""),
        ("daemon.listen", "\"127.0.0.1:1\""),
        ("daemon.socket", "\"none\""),
        ("daemon.connections", "7"),
        ("daemon.state", "\"/elsewhere\""),
        ("queue.store", "\"postgres://u@localhost/queue\""),
        ("queue.password_file", "\"password\""),
        ("queue.password_credential", "\"password\""),
        ("queue.ca_file", "\"ca.pem\""),
        ("web.metrics_listen", "\"127.0.0.1:2\""),
    ];

    fn parsed(text: &str) -> Config {
        Config::parse(text, Path::new("/nowhere/x.toml"), None).unwrap()
    }

    #[test]
    fn what_needs_a_restart_is_said_and_nothing_else() {
        let before = Fixed::of(&parsed(""));
        assert!(before.changed(&before).is_empty());
        for (keys, is_fixed) in [(&LIVE[..], false), (&FIXED[..], true)] {
            for (key, value) in keys {
                let shared = "queue.store = \"postgres://u@localhost/queue\"\n";
                let head = match *key {
                    "daemon.role" => shared.to_owned(),
                    "nodes.url" => format!("{shared}nodes.secret_file = \"secret\"\n"),
                    key if key.starts_with("nodes.") => shared.to_owned(),
                    _ => String::new(),
                };
                let before = Fixed::of(&parsed(&head));
                let after = Fixed::of(&parsed(&format!("{head}{key} = {value}")));
                let expected: &[&str] = if is_fixed { &[key] } else { &[] };
                assert_eq!(before.changed(&after), expected, "{key}");
            }
        }
    }

    /// A new key has to be put into one of the two lists, by whoever knows where it is read.
    #[test]
    fn every_key_of_the_daemon_is_known_to_be_read_again_or_not() {
        let (mut table, mut keys) = (String::new(), BTreeSet::new());
        for line in template().lines() {
            let line = line.trim_start_matches('#').trim();
            if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                header.clone_into(&mut table);
            } else if let Some((key, _)) = line.split_once(" = ")
                && ["daemon", "queue", "nodes", "schedule", "web"].contains(&&*table)
                && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            {
                keys.insert(format!("{table}.{key}"));
            }
        }
        let listed = LIVE.iter().chain(&FIXED).map(|(key, _)| (*key).to_owned());
        assert_eq!(keys, listed.collect::<BTreeSet<_>>());
    }
}
