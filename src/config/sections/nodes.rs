//! The keys of `[nodes]`: what daemons that share a queue are to each other.

use std::path::PathBuf;

use super::super::keys::{Key, Keys, Value, Written, keys};
use super::super::problem::ProblemKind;
use super::access::credential;

keys! {
    /// `[nodes]`
    struct NodesKeys {
        /// Where the others reach this daemon, to take the caches of mirrors that move to them.
        ///
        /// `https://` and a host; `{node}` in it stands for the name of the machine, so that the file can be the same
        /// everywhere. `/nodes/cache` below it must lead to `daemon.listen`. Without it this daemon gives no cache to
        /// others, and it still takes theirs.
        url: String = Key::checked("URL", url).example("\"https://{node}.example.org\""),
        /// A file with the secret that all daemons of a queue have in common, and nothing else; read at each use.
        ///
        /// `openssl rand -hex 32` makes one. Whoever knows it and reaches a daemon can read all that this one mirrors.
        /// Without a secret no cache is given or taken.
        secret_file: PathBuf = Key::file().example("\"secrets/nodes\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        secret_credential: String = Key::checked("NAME", credential).example("\"nodes\""),
        /// Certificates (PEM) that are trusted for the others in place of the system's.
        ca_file: PathBuf = Key::file().example("\"secrets/ca.pem\""),
        /// Allow `http://` too: anybody on the network path can then read what is mirrored, but change none of it.
        plain_http: bool = Key::switch(),
    }
}

fn url(value: &str) -> Option<ProblemKind> {
    let expected = "an address https://… (or http://…, beside `plain_http = true`) without user and query, in which \
                    {node} may stand for the name of the machine";
    (!super::super::options::NodesOptions::is_url(value))
        .then_some(ProblemKind::WrongType { expected })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Config, ConfigError};

    fn parsed(nodes: &str, is_shared: bool) -> Result<Config, ConfigError> {
        let store = "queue.store = \"postgres://u@localhost/queue\"\n";
        let text = format!("{}[nodes]\n{nodes}", if is_shared { store } else { "" });
        Config::parse(&text, Path::new("/etc/x.toml"), None)
    }

    #[test]
    fn where_a_daemon_is_reached() {
        let secret = "secret_file = \"s\"\n";
        let url = |nodes: &str| parsed(nodes, true).unwrap().nodes.url_of("worker-1");
        let https = format!("{secret}url = \"https://{{node}}.example.org:8443/s/\"");
        assert_eq!(url(&https).as_deref(), Some("https://worker-1.example.org:8443/s/"));
        let http = format!("{secret}url = \"http://10.0.0.1\"\nplain_http = true");
        assert_eq!(url(&http).as_deref(), Some("http://10.0.0.1"));
        assert_eq!(url(secret), None);
        assert_eq!(url(""), None);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let secret = "secret_file = \"s\"\n";
        for (nodes, is_shared, expected) in [
            ("url = \"https://a\"".to_owned(), true, "nodes.secret_file: missing"),
            (
                format!("{secret}url = \"http://a\""),
                true,
                "nodes.url: not https://…: set `plain_http",
            ),
            (format!("{secret}url = \"https://u@a\""), true, "nodes.url: not an address"),
            (format!("{secret}url = \"https://a?b\""), true, "nodes.url: not an address"),
            (format!("{secret}url = \"ssh://a\""), true, "nodes.url: not an address"),
            (format!("{secret}url = \"{{node}}\""), true, "nodes.url: not an address"),
            (format!("{secret}url = \"https://{{nodes}}\""), true, "nodes.url: not an address"),
            (format!("{secret}url = \"https://a\""), false, "nodes.url: needs a PostgreSQL"),
            (secret.to_owned(), false, "nodes.secret_file: needs a PostgreSQL"),
            (format!("{secret}secret_credential = \"n\""), true, "nodes.secret_credential: "),
        ] {
            let error = parsed(&nodes, is_shared).unwrap_err();
            let text = crate::base::fault::one_line(&error);
            assert!(text.contains(expected), "{nodes}: {text}");
        }
    }
}
