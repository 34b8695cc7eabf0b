//! The keys of `[web]`, the pages and the API, and of `[tokens.NAME]`, who may use them.

use super::super::keys::{Key, Keys, Shape, Value, Written, keys};
use super::super::problem::ProblemKind;
use super::super::web::{Read, Scope, hash_of};
use super::address;

keys! {
    /// `[web]`
    struct WebKeys {
        /// Who may look at the pages and ask the API: whoever has a `token`, or all that reach the address
        /// (`open`).
        ///
        /// Without a token nobody sees which mirrors there are. Asking for a sync always needs one.
        read: String = Key::choice(reads).default("\"token\""),
        /// The address under which others reach the pages, for links in feeds and notifications.
        ///
        /// With it, pages and API answer to no other name, but for `localhost` and plain addresses: so no foreign
        /// page can have a browser read them under a name of its own.
        public_url: String = Key::text("URL").example("\"https://mirrors.example.org\""),
        /// An address of its own for `/metrics`, `/healthz` and `/readyz`, where no token is asked for.
        ///
        /// The metrics name the mirrors. At the address of `[daemon]` they need a token unless all may look.
        metrics_listen: String = Key::checked("ADDRESS", address).example("\"127.0.0.1:9377\""),
        /// The proxies whose word is taken for where a request comes from (`X-Forwarded-For`).
        ///
        /// Without it, that is the other end of the connection. The number of hooks that an address may
        /// send, the networks of an endpoint, wrong tokens and streams of events count by it.
        trusted_proxies: Vec<String> =
            Key::new(Shape::List("NETWORK")).example("[\"127.0.0.1\", \"::1\"]"),
    }

    /// `[tokens.NAME]`
    struct TokenKeys {
        /// What it is for: to look (`read`), to ask for syncs (`trigger`), or everything (`admin`).
        scope: String = Key::choice(scopes).example("\"read\""),
        /// The SHA-256 of the token, in hex: `synchroniser config token` makes a token and prints this.
        sha256: String = Key::checked("HEX", sha256)
            .example("\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\""),
    }
}

fn reads() -> Vec<&'static str> {
    Read::ALL.iter().map(|(name, _)| *name).collect()
}

fn scopes() -> Vec<&'static str> {
    Scope::ALL.iter().map(|(name, _)| *name).collect()
}

fn sha256(value: &str) -> Option<ProblemKind> {
    hash_of(value).is_none().then_some(ProblemKind::NotAHash)
}
