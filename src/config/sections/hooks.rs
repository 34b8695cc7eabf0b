//! The keys of `[hooks.NAME]`, an endpoint that hooks are sent to, and of `[patterns.NAME]`.

use std::path::PathBuf;

use super::super::keys::{Key, Keys, Shape, Value, Written, keys};
use super::super::problem::ProblemKind;
use super::access::credential;
use super::{
    CareKeys, CommitKeys, HOUR, HistoryKeys, MirrorKeys, NamingKeys, PublishKeys, ServiceKeys,
    is_plain_name,
};
use crate::hook::{FORMATS, SchemeKind};

keys! {
    /// `[hooks.NAME]`
    struct HookEndpointKeys {
        /// What the sender sends.
        format: String = Key::choice(formats).example("\"gitlab\""),
        /// Where hooks are sent to: `/hook/` and this. Without it, the name of the endpoint.
        ///
        /// `synchronise`, for the format `bitbucket_post` alone, is `/synchronise/`, whose senders are
        /// kept waiting and told what became of the sync.
        path: String = Key::checked("NAME", path).example("\"gitlab\""),
        /// How the sender proves that it knows the secret. Without it, as is usual for the format.
        ///
        /// It is checked over the raw body, before anything looks inside. Every sender can be given an
        /// address with `?token=SECRET` (`token-in-query`) or `https://user:SECRET@…` (`basic`); those
        /// prove nothing of the body, and addresses are logged by proxies.
        scheme: String = Key::choice(schemes).example("\"standard-webhooks\""),
        /// A file with the secret that the sender knows, and nothing else.
        ///
        /// Only its owner and its group may read it. It is read again whenever a hook arrives.
        secret_file: PathBuf = Key::file().example("\"secrets/hook\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        secret_credential: String = Key::checked("NAME", credential).example("\"hook\""),
        /// A file with another secret that is taken too, while senders change over to it.
        next_secret_file: PathBuf = Key::file().example("\"secrets/next-hook\""),
        /// The same from systemd.
        next_secret_credential: String =
            Key::checked("NAME", credential).example("\"next-hook\""),
        /// For `sourcehut` and `standard-webhooks-ed25519`: the public keys of senders, in base64.
        ///
        /// Without it `sourcehut` takes the key of sr.ht; an instance of one's own has another.
        public_keys: Vec<String> = Key::new(Shape::List("KEY"))
            .example("[\"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\"]"),
        /// The name of the header with the signature or the token, where the sender has another one.
        header: String = Key::checked("NAME", header).example("\"x-signature\""),
        /// How many seconds the time may be off that the sender signs, where the scheme has one.
        tolerance: u64 = Key::number("seconds", 1, HOUR).default("300"),
        /// Believe whoever reaches the endpoint: there is no secret.
        ///
        /// Without it, an endpoint without a secret is refused. Whoever posts can ask for syncs of the
        /// mirrors below and for nothing else.
        allow_unauthenticated: bool = Key::switch(),
        /// The networks that hooks are taken from; from everywhere without it.
        networks: Vec<String> =
            Key::new(Shape::List("NETWORK")).example("[\"192.0.2.0/24\", \"2001:db8::/32\"]"),
        /// The mirrors that may be asked for here; all without it. `*` stands for any characters.
        ///
        /// A hook that does not say which repository it is about asks for those that are listed by
        /// their whole names.
        mirrors: Vec<String> = Key::new(Shape::List("MIRROR")).example("[\"rocket\", \"forge/*\"]"),
    }

    /// What `[patterns.NAME]` has beside the keys of a mirror.
    struct RuleKeys {
        /// Which repositories are served: the values of the placeholders of the source, a slash between.
        ///
        /// `*` stands for any characters but a slash, and but upper-case letters: a name with some is
        /// written out, for there are forges on which names that differ in case are one repository.
        allow: Vec<String> = Key::new(Shape::List("VALUES")).example("[\"acme/*\", \"ada/Core\"]"),
        /// Let `*` stand for upper-case letters too.
        ///
        /// Only if nobody can make a repository at the source whose name differs from that of another
        /// one in case alone.
        mixed_case: bool = Key::switch(),
    }
}

/// `[patterns.NAME]`, without `source` and `target`.
#[derive(Clone, Debug, Default)]
pub(crate) struct PatternKeys {
    pub(crate) rule: RuleKeys,
    /// Those of each mirror that it stands for, without selectors.
    pub(crate) mirror: MirrorKeys,
}

impl Keys for PatternKeys {
    fn keys() -> Vec<&'static Key> {
        [
            RuleKeys::keys(),
            CommitKeys::keys(),
            HistoryKeys::keys(),
            PublishKeys::keys(),
            NamingKeys::keys(),
            CareKeys::keys(),
            ServiceKeys::key("owner").into_iter().collect(),
        ]
        .concat()
    }

    fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), ProblemKind> {
        match RuleKeys::key(key) {
            Some(_) => self.rule.set(key, value),
            None => self.mirror.set(key, value),
        }
    }
}

fn formats() -> Vec<&'static str> {
    FORMATS.iter().map(|format| format.name).collect()
}

fn schemes() -> Vec<&'static str> {
    SchemeKind::ALL.iter().map(|(name, _)| *name).collect()
}

fn path(value: &str) -> Option<ProblemKind> {
    (!is_plain_name(value)).then_some(ProblemKind::BadEndpointName)
}

/// Refuses what no header is called.
fn header(value: &str) -> Option<ProblemKind> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let is_good = (1..=100).contains(&value.len()) && value.bytes().all(is_name);
    (!is_good).then(|| ProblemKind::BadHeader { value: value.to_owned() })
}
