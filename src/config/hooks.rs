//! The endpoints that hooks are sent to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use secrecy::SecretString;
use wildmatch::WildMatch;

use super::Config;
use super::endpoint::{Folders, Resolver};
use super::error::Problems;
use super::file::Section;
use super::pending::What;
use super::problem::ProblemKind;
use super::sections::{HookEndpointKeys, is_plain_name};
use crate::base::similar::similar;
use crate::hook::{
    DEFAULT_TOLERANCE, Format, PublicKey, SOURCEHUT_KEY, Scheme, SchemeKind, SchemeOffer,
    bitbucket_post,
};
use crate::net::{Network, SecretError, SecretSource};

/// The path of the endpoint whose senders are kept waiting: a contract of old.
pub const SYNCHRONISE: &str = "synchronise";
/// The keys that say where a secret is.
const SECRETS: [&str; 4] =
    ["secret_file", "secret_credential", "next_secret_file", "next_secret_credential"];

/// The other keys that say what proves a delivery.
const ABOUT_PROOF: [&str; 4] = ["scheme", "public_keys", "header", "tolerance"];

/// One endpoint that hooks are sent to.
#[derive(Clone, Debug)]
pub struct HookEndpoint {
    /// Its name in the configuration.
    pub name: String,
    /// One segment: it is served at `/hook/<path>`; [`SYNCHRONISE`] at `/synchronise/` too, whose senders wait for
    /// what becomes of the sync.
    pub path: String,
    /// What arrives there.
    pub format: &'static Format,
    /// What proves it.
    pub scheme: Scheme,
    /// Where the secret is, and the next one while senders change over; none for schemes with public
    /// keys, and for endpoints that take whatever arrives.
    pub secrets: Vec<SecretSource>,
    /// The networks that it is for; all if there are none.
    pub networks: Vec<Network>,
    /// Patterns over the names of the mirrors that may be asked for; all if there are none.
    pub mirrors: Vec<String>,
}

impl HookEndpoint {
    /// Whether it takes hooks from `address`.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(address))
    }

    /// Whether the mirror called `name` may be asked for.
    pub fn may_ask_for(&self, name: &str) -> bool {
        let fits = |pattern: &String| WildMatch::new(pattern).matches(name);
        self.mirrors.is_empty() || self.mirrors.iter().any(fits)
    }

    /// The mirrors that are listed by their whole names.
    pub fn listed(&self) -> impl Iterator<Item = &str> {
        self.mirrors.iter().map(String::as_str).filter(|name| !name.contains(['*', '?']))
    }

    /// Whether a delivery needs no proof.
    pub fn is_open(&self) -> bool {
        self.scheme == Scheme::Unauthenticated
    }

    /// The secrets, as they are now. If one of two cannot be read, the other still holds.
    pub fn read_secrets(&self) -> Result<Vec<SecretString>, SecretError> {
        let (mut secrets, mut failed) = (Vec::new(), None);
        for source in &self.secrets {
            match source.line() {
                Ok(secret) => secrets.push(secret),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if secrets.is_empty() => Err(error),
            _ => Ok(secrets),
        }
    }
}

/// Adds the endpoints that the file describes. What they may ask for is known by then.
pub(super) fn resolve(
    config: &mut Config,
    sections: &BTreeMap<String, Section<HookEndpointKeys>>,
    folders: Folders<'_>,
    problems: &mut Problems,
) {
    let mut endpoints: Vec<HookEndpoint> = Vec::new();
    for (name, section) in sections {
        let mut resolver = Resolver { folders, problems, pending: &mut config.pending };
        let Some(endpoint) = endpoint(name, section, &mut resolver) else { continue };
        if let Some(other) = endpoints.iter().find(|other| other.path == endpoint.path) {
            let (path, other) = (endpoint.path.clone(), other.name.clone());
            section.wrong("path", ProblemKind::SamePath { path, other }, problems);
        }
        for listed in endpoint.listed() {
            if config.mirror(listed).is_none() && config.derive(listed).is_err() {
                let names = config.mirrors.iter().map(|mirror| mirror.mirror.name.as_str());
                let similar = similar(listed, names).map(str::to_owned);
                let kind = ProblemKind::UnknownMirror { name: listed.to_owned(), similar };
                section.wrong("mirrors", kind, problems);
            }
        }
        endpoints.push(endpoint);
    }
    config.hooks = endpoints;
}

/// The endpoint that a section describes; `None` if it cannot be used.
pub(super) fn endpoint(
    name: &str,
    section: &Section<HookEndpointKeys>,
    resolver: &mut Resolver<'_>,
) -> Option<HookEndpoint> {
    let keys = &section.value;
    if !is_plain_name(name) {
        section.wrong("", ProblemKind::BadEndpointName, resolver.problems);
    }
    if !section.sets("format") {
        section.wrong("format", ProblemKind::Missing, resolver.problems);
    }
    let networks = networks(section, ("networks", &keys.networks), resolver.problems);
    let secrets = secrets(section, resolver);
    let format = Format::named(keys.format.as_deref()?)?;
    let path = keys.path.clone().unwrap_or_else(|| name.to_owned());
    if path == SYNCHRONISE && format.name != bitbucket_post::FORMAT.name {
        let kind = ProblemKind::PathOfOneFormat { format: bitbucket_post::FORMAT.name };
        section.wrong("path", kind, resolver.problems);
    }
    let scheme = scheme(section, format, resolver.problems)?;
    let mirrors = keys.mirrors.clone().unwrap_or_default();
    Some(HookEndpoint { name: name.to_owned(), path, format, scheme, secrets, networks, mirrors })
}

/// Where the secrets are, the one in use first.
fn secrets(section: &Section<HookEndpointKeys>, resolver: &mut Resolver<'_>) -> Vec<SecretSource> {
    let keys = &section.value;
    let secret = resolver.secret(
        section,
        What::Token,
        ("secret_file", &keys.secret_file),
        ("secret_credential", &keys.secret_credential),
    );
    let next = resolver.secret(
        section,
        What::Token,
        ("next_secret_file", &keys.next_secret_file),
        ("next_secret_credential", &keys.next_secret_credential),
    );
    secret.into_iter().chain(next).collect()
}

/// The networks that `key` lists as `texts`; what is none is noted.
pub(super) fn networks<T>(
    section: &Section<T>,
    (key, texts): (&str, &Option<Vec<String>>),
    problems: &mut Problems,
) -> Vec<Network> {
    let networks = texts.iter().flatten().filter_map(|text| match text.parse() {
        Ok(network) => Some(network),
        Err(source) => {
            let kind = ProblemKind::Network { value: text.clone(), source };
            section.wrong(key, kind, problems);
            None
        }
    });
    networks.collect()
}

/// What proves a delivery; what contradicts itself is noted.
fn scheme(
    section: &Section<HookEndpointKeys>,
    format: &'static Format,
    problems: &mut Problems,
) -> Option<Scheme> {
    let keys = &section.value;
    if keys.allow_unauthenticated == Some(true) {
        for key in ABOUT_PROOF.iter().chain(&SECRETS).filter(|key| section.sets(key)) {
            section.wrong(key, ProblemKind::NothingToProve, problems);
        }
        return Some(Scheme::Unauthenticated);
    }
    let offer = offer(section, format, problems)?;
    let kind = offer.kind;
    refuse_other_schemes(section, kind, problems);
    let public_keys = public_keys(section, kind, problems);
    let (has_proof, wanted) = match kind.has_public_keys() {
        true => (section.sets("public_keys") || kind == SchemeKind::SourceHut, "public_keys"),
        false => (SECRETS.iter().any(|key| section.sets(key)), "secret_file"),
    };
    if !has_proof {
        section.wrong("", ProblemKind::NoSecret { wanted }, problems);
    }
    let header = keys.header.as_deref().unwrap_or(offer.header).to_ascii_lowercase();
    let tolerance = keys.tolerance.map_or(DEFAULT_TOLERANCE, Duration::from_secs);
    Some(match kind {
        SchemeKind::HmacSha256 => Scheme::HmacSha256 { header },
        SchemeKind::HmacSha256Hex => Scheme::HmacSha256Hex { header },
        SchemeKind::HmacSha1 => Scheme::HmacSha1 { header },
        SchemeKind::TokenHeader => Scheme::TokenHeader { header },
        SchemeKind::StandardWebhooks => Scheme::StandardWebhooks { tolerance },
        SchemeKind::StandardWebhooksEd25519 => {
            Scheme::StandardWebhooksEd25519 { keys: public_keys, tolerance }
        }
        SchemeKind::SourceHut => Scheme::SourceHut { keys: public_keys },
        SchemeKind::TokenInBody => Scheme::TokenInBody,
        SchemeKind::TokenInQuery => Scheme::TokenInQuery,
        SchemeKind::Basic => Scheme::Basic,
    })
}

/// Refuses keys that a scheme does not use: whoever wrote them believes that they do something.
fn refuse_other_schemes(
    section: &Section<HookEndpointKeys>,
    kind: SchemeKind,
    problems: &mut Problems,
) {
    let mut of_no_use: Vec<&str> = Vec::new();
    if !kind.has_header() {
        of_no_use.push("header");
    }
    if !kind.has_time() {
        of_no_use.push("tolerance");
    }
    match kind.has_public_keys() {
        true => of_no_use.extend(SECRETS),
        false => of_no_use.push("public_keys"),
    }
    for key in of_no_use.into_iter().filter(|key| section.sets(key)) {
        section.wrong(key, ProblemKind::NoUseForScheme { scheme: kind.name() }, problems);
    }
}

/// Which of the schemes of a format it is.
fn offer(
    section: &Section<HookEndpointKeys>,
    format: &'static Format,
    problems: &mut Problems,
) -> Option<SchemeOffer> {
    let Some(written) = section.value.scheme.as_deref() else {
        return if section.sets("scheme") { None } else { format.offers().next() };
    };
    let found = format.offers().find(|offer| offer.kind.name() == written);
    if found.is_none() {
        let allowed = format.offers().map(|offer| offer.kind.name()).collect();
        let kind = ProblemKind::NotOfFormat { format: format.name, allowed };
        section.wrong("scheme", kind, problems);
    }
    found
}

fn public_keys(
    section: &Section<HookEndpointKeys>,
    kind: SchemeKind,
    problems: &mut Problems,
) -> Vec<PublicKey> {
    let built_in = [SOURCEHUT_KEY.to_owned()];
    let texts = match &section.value.public_keys {
        Some(texts) => texts.as_slice(),
        None if kind == SchemeKind::SourceHut => &built_in,
        None => &[],
    };
    if section.value.public_keys.as_ref().is_some_and(Vec::is_empty) {
        section.wrong("public_keys", ProblemKind::Empty, problems);
    }
    let keys = texts.iter().filter_map(|text| match PublicKey::parse(text) {
        Ok(key) => Some(key),
        Err(source) => {
            section.wrong("public_keys", ProblemKind::PublicKey { source }, problems);
            None
        }
    });
    keys.collect()
}
