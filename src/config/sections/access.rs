//! The keys of `source` and `target`: where each is, and how it is reached.

use std::path::PathBuf;

use super::super::keys::{Key, Keys, Value, Ways, Written, keys, not_empty};
use super::super::problem::ProblemKind;
use super::{HOUR, TIB, is_plain_name};
use crate::base::redact;
use crate::forge::Visibility;

keys! {
    /// `source` or `target` of a mirror.
    struct EndpointKeys {
        /// The address.
        ///
        /// A source is a path, https:// or ssh://, or the path of a bundle file. A path is read in
        /// place; everything else is fetched into the cache, and then only what is new. A target is a
        /// path, https://, ssh:// or user@host:path. No address may hold a secret: addresses are shown.
        url: String = Key::text("ADDRESS").example("\"https://hg.example.org/acme/rocket\""),
        /// A file with a token or a password for a web server, and nothing else.
        ///
        /// Only its owner and its group may read it. It is read again whenever it is used. With a target
        /// over SSH it is for the API of the forge alone.
        token_file: PathBuf =
            Key::file().only(Ways::Token).flag().example("\"secrets/token\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        token_credential: String =
            Key::checked("NAME", credential).only(Ways::Token).example("\"hg-token\""),
        /// The name of an environment variable with the token, for machines that keep secrets there.
        ///
        /// Runners of CI do. The daemon's environment is better left alone: name a file for it.
        token_env: String =
            Key::checked("NAME", variable).only(Ways::Token).flag().example("\"MIRROR_TOKEN\""),
        /// The user name that goes with the token.
        ///
        /// Without it a source takes the one in its address, and a target `x-access-token`, as GitHub
        /// wants it with the tokens of apps; with those of people it takes any.
        token_user: String = Key::text("NAME").only(Ways::Http).flag().example("\"mirror\""),
        /// A private key for SSH, without a passphrase.
        ///
        /// A target that is reached over SSH needs one. For a source without it, OpenSSH tries the keys
        /// of the user that runs it.
        key_file: PathBuf =
            Key::file().only(Ways::Ssh).flag().example("\"secrets/id_ed25519\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        key_credential: String =
            Key::checked("NAME", credential).only(Ways::Ssh).example("\"deploy-key\""),
        /// Use the keys of the SSH agent that `SSH_AUTH_SOCK` names.
        ///
        /// Targets only: for a source without a key, OpenSSH asks the agent by itself. The daemon has the
        /// variable if its unit sets it.
        ssh_agent: bool = Key::switch().only(Ways::SshTarget).flag(),
        /// The host keys that an SSH server must show, in the form of OpenSSH's `known_hosts`.
        ///
        /// A target without it knows the keys of GitHub alone; a source, those that OpenSSH knows.
        known_hosts: PathBuf =
            Key::file().only(Ways::Ssh).flag().example("\"secrets/known_hosts\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        known_hosts_credential: String =
            Key::checked("NAME", credential).only(Ways::Ssh).example("\"known-hosts\""),
        /// Certificates (PEM) of the authorities that are trusted in place of the system's.
        ///
        /// A certificate that a server has made for itself is its own authority: named here, it is
        /// pinned.
        ca_file: PathBuf = Key::file().only(Ways::Http).flag().example("\"secrets/ca.pem\""),
        /// The web proxy to use; the environment is not asked.
        proxy: String =
            Key::text("URL").only(Ways::Http).flag().example("\"http://proxy.example.org:3128\""),
        /// Allow http:// too, and git:// for a target, which anybody on the network path can read and
        /// change.
        plain_http: bool = Key::switch().only(Ways::Plain).flag(),
        /// Allow bundles for first fetches from hosts in private networks too.
        ///
        /// The server chooses their addresses, so it could send us anywhere; the server itself may
        /// be anywhere. Sources only.
        private_downloads: bool = Key::switch().only(Ways::HttpSource).flag(),
        /// Seconds until there is a connection, encryption and login included.
        connect_timeout: u64 =
            Key::number("seconds", 1, HOUR).only(Ways::Servers).flag().default("30"),
        /// Seconds until the beginning of each answer: a server may have to think before.
        answer_timeout: u64 =
            Key::number("seconds", 1, HOUR).only(Ways::Servers).flag().default("600"),
        /// Seconds without progress, once an answer has begun.
        idle_timeout: u64 =
            Key::number("seconds", 1, HOUR).only(Ways::Servers).flag().default("120"),
        /// Bytes of the largest file that the target takes.
        ///
        /// A ref whose commits bring a larger one is refused before anything is sent, and files from half
        /// of that on are told. github.com takes 104857600; of others nothing is known without this key.
        max_file: u64 = Key::number("bytes", 1, TIB).only(Ways::Target).flag().example("104857600"),
        /// Bytes of one push, about; a larger history goes in several, one after the other.
        ///
        /// GitHub and others take no more than 2 GiB at once.
        max_push: u64 =
            Key::number("bytes", 1 << 20, TIB).only(Ways::Target).flag().default("1610612736"),
        /// Where the API of the forge is that has a target: GitHub, or GitHub Enterprise.
        ///
        /// Of github.com it is known. It is asked once a day, and after a refusal, whether the target is
        /// there and may be written to; without a token, only why it was refused.
        api: String =
            Key::text("URL").only(Ways::Target).flag().example("\"https://github.example.org/api/v3\""),
        /// Make the target on its forge if it does not exist.
        create: bool = Key::switch().only(Ways::Target).flag(),
        /// Who can see a target that was made so.
        visibility: String =
            Key::choice(visibilities).only(Ways::Target).flag().default("\"private\""),
        /// Allow a target that everybody can see although the source is reached with a credential.
        ///
        /// Only by that can a private source be told from a public one. Without it such a target is
        /// refused, as far as its forge tells who can see it.
        allow_public: bool = Key::switch().only(Ways::Target).flag(),
        /// Log in as a GitHub App: its id, or its client id.
        ///
        /// Each token that it gets is for this target alone, and renewed before it ends after an hour.
        app_id: String = Key::text("ID").only(Ways::HttpTarget).flag().example("\"123456\""),
        /// The private key of the app, in PEM form, as GitHub gives it out.
        app_key_file: PathBuf =
            Key::file().only(Ways::HttpTarget).flag().example("\"secrets/app.pem\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        app_key_credential: String =
            Key::checked("NAME", credential).only(Ways::HttpTarget).example("\"app-key\""),
        /// The number of the app's installation; without it, it is looked up.
        app_installation: u64 =
            Key::number("installation", 1, 1 << 53).only(Ways::HttpTarget).flag().example("7654321"),
        /// Let the app change GitHub's workflow files too, which it must be allowed to.
        app_workflows: bool = Key::switch().only(Ways::HttpTarget).flag(),
    }
}

fn visibilities() -> Vec<&'static str> {
    Visibility::ALL.iter().map(|(name, _)| *name).collect()
}

/// Refuses the name of a credential that would leave the folder of credentials.
pub(super) fn credential(value: &str) -> Option<ProblemKind> {
    not_empty(value).or_else(|| {
        (!is_plain_name(value)).then(|| ProblemKind::BadCredentialName { value: value.to_owned() })
    })
}

/// Refuses what no environment variable is called: above all, a secret in place of its name.
fn variable(value: &str) -> Option<ProblemKind> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_good = value.len() <= 100
        && !value.starts_with(|first: char| first.is_ascii_digit())
        && value.chars().all(is_name)
        && redact::tokens(value) == value;
    not_empty(value).or_else(|| (!is_good).then_some(ProblemKind::BadVariableName))
}
