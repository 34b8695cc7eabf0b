//! `hook-config`: what to type into a forge so that it sends its hooks here.

use secrecy::ExposeSecret as _;

use super::{Outcome, config};
use crate::base::faults;
use crate::cli::args::HookConfigArgs;
use crate::cli::endpoint::HookedMirror;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::{Config, HookEndpoint};
use crate::hook::{Scheme, SchemeKind, SchemeOffer, synchroniser};
use crate::net::{SecretError, SecretSource};

/// The secret cannot be shown.
#[derive(Debug, thiserror::Error)]
#[error("show the secret of [hooks.{endpoint}]")]
struct ShowSecretError {
    endpoint: String,
    source: SecretError,
}

faults!(ShowSecretError { Self { source, .. } => of(source) });

/// What stands for the secret in an address.
const SECRET: &str = "SECRET";

pub(super) fn run(args: &HookConfigArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.config.config)?;
    let hooked = HookedMirror::find(&config, &args.of.forge, &args.of.mirror)?;
    let endpoint = hooked.endpoint;
    let secret = match args.show_secret {
        true => shown(endpoint)?,
        false => place(endpoint.secrets.last()),
    };
    let setup = &endpoint.format.setup;
    ui.say(&format!("{}, {}:", endpoint.format.title, setup.page));
    ui.say("");
    let in_address = match args.show_secret {
        true => secret.as_str(),
        false => SECRET,
    };
    let mut rows = vec![("URL".to_owned(), address(&config, &hooked, in_address))];
    rows.push(secret_row(endpoint, secret.clone()));
    if !setup.content.is_empty() {
        rows.push(("Content type".to_owned(), setup.content.to_owned()));
    }
    rows.push(("Events".to_owned(), setup.events.join(", ")));
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in &rows {
        ui.result(&format!("  {name:<width$}  {value}"));
    }
    ui.say("");
    if endpoint.format.name == synchroniser::FORMAT.name {
        mercurial(&config, &address(&config, &hooked, in_address), &args.of.mirror, ui);
        ui.say("");
    }
    for note in setup.notes {
        ui.say(note);
    }
    if config.web.public_url.is_none() {
        ui.say(&format!(
            "[web] has no `public_url`: in place of http://{} put the address under which the forge reaches this \
             machine.",
            config.daemon.listen
        ));
    }
    if endpoint.is_open() && endpoint.networks.is_empty() {
        ui.warn(
            "warning: whoever reaches this address may ask for a sync: no secret, no `networks`",
        );
    }
    if let Some(obstacle) = hooked.obstacle() {
        ui.warn(&format!("warning: {obstacle}"));
    }
    ui.say(&format!("To try it here: synchroniser test-hook {} {}", args.of.forge, args.of.mirror));
    Ok(exit::OK)
}

/// What goes into the hgrc of a Mercurial server; its hook posts to `url`.
fn mercurial(config: &Config, url: &str, mirror: &str, ui: &Ui) {
    let pattern = mirror.split_once('/').map(|(pattern, _)| pattern);
    let pattern = pattern.filter(|_| config.mirror(mirror).is_none());
    let base = pattern.and_then(|name| {
        let source = config.patterns().find(|pattern| pattern.name() == name)?.source();
        let (base, rest) = source.split_at(source.find('{')?);
        // What is behind it must be the path of the repository, and nothing else.
        rest.split('/').all(|part| part.starts_with('{') && part.ends_with('}')).then_some(base)
    });
    let place = match base {
        Some(_) => {
            "In /etc/mercurial/hgrc of the server, for all repositories of the pattern; they are in /srv/hg here, and \
             SECRET_FILE is a copy of the secret:"
        }
        None => {
            "In the hgrc of the repository on its server, where SECRET_FILE is a copy of the secret:"
        }
    };
    let what = match base {
        Some(base) => format!("\"{base}${{PWD#/srv/hg/}}\""),
        None => mirror.to_owned(),
    };
    ui.say(place);
    ui.say("");
    ui.say("  [hooks]");
    ui.result(&format!("  txnclose.synchroniser = synchroniser notify {url} SECRET_FILE {what}"));
    ui.result("  txnclose.synchroniser:run-with-plain = yes");
    ui.say("");
    ui.say(
        "Where the program is not installed, a copy of the script /usr/share/synchroniser/hg-hook takes the place of \
         `synchroniser notify`.",
    );
}

/// The address that the forge sends to.
fn address(config: &Config, hooked: &HookedMirror<'_>, secret: &str) -> String {
    let base = config.web.public_url.clone();
    let base = base.unwrap_or_else(|| format!("http://{}", config.daemon.listen));
    let scheme = &hooked.endpoint.scheme;
    let base = match base.split_once("://") {
        Some((protocol, rest)) if *scheme == Scheme::Basic => {
            format!("{protocol}://synchroniser:{secret}@{rest}")
        }
        _ => base,
    };
    let token = (*scheme == Scheme::TokenInQuery).then(|| format!("token={secret}"));
    let query: Vec<_> = token.into_iter().chain(Some(hooked.typed_query())).collect();
    let query: Vec<_> = query.iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{base}{}{mark}{}", hooked.path(), query.join("&"))
}

/// What the field for the secret is called, and what goes there.
fn secret_row(endpoint: &HookEndpoint, secret: String) -> (String, String) {
    let (usual, setup) = (endpoint.format.offers().next(), &endpoint.format.setup);
    let header = |kind, name: &str| {
        let offer = SchemeOffer { kind, header: "" };
        let is_usual = usual.is_some_and(|usual| usual.kind == offer.kind);
        match is_usual && !setup.secret.is_empty() {
            true => setup.secret.to_owned(),
            false if name.is_empty() => "Secret".to_owned(),
            false => format!("Secret, for the header {name}"),
        }
    };
    let name = match &endpoint.scheme {
        Scheme::HmacSha256 { header: name } => header(SchemeKind::HmacSha256, name),
        Scheme::HmacSha256Hex { header: name } => header(SchemeKind::HmacSha256Hex, name),
        Scheme::HmacSha1 { header: name } => header(SchemeKind::HmacSha1, name),
        Scheme::TokenHeader { header: name } => header(SchemeKind::TokenHeader, name),
        Scheme::StandardWebhooks { .. } => "Signing secret".to_owned(),
        Scheme::TokenInBody => header(SchemeKind::TokenInBody, ""),
        Scheme::TokenInQuery | Scheme::Basic => SECRET.to_owned(),
        Scheme::StandardWebhooksEd25519 { .. } | Scheme::SourceHut { .. } => {
            return ("Secret".to_owned(), "none: it signs with a key of its own".to_owned());
        }
        Scheme::Unauthenticated => {
            let networks: Vec<_> = endpoint.networks.iter().map(ToString::to_string).collect();
            let from = match networks.is_empty() {
                true => "from everywhere".to_owned(),
                false => format!("from {}", networks.join(", ")),
            };
            return ("Secret".to_owned(), format!("none: hooks are taken {from}"));
        }
    };
    (name, secret)
}

/// Where a secret is.
fn place(source: Option<&SecretSource>) -> String {
    match source {
        Some(SecretSource::File(path)) => {
            let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
            format!("the line in {}", path.display())
        }
        Some(SecretSource::Credential { name, .. }) => format!("the credential {name} of the unit"),
        None => "none".to_owned(),
    }
}

/// The secret that the forge is to have: the next one, if senders change over.
fn shown(endpoint: &HookEndpoint) -> Result<String, ShowSecretError> {
    let failed = |source| ShowSecretError { endpoint: endpoint.name.clone(), source };
    match endpoint.secrets.last() {
        Some(source) => Ok(source.line().map_err(failed)?.expose_secret().to_owned()),
        None => Ok("none".to_owned()),
    }
}
