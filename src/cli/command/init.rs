//! `init`: a first configuration with one mirror, and what to do next.

mod ask;
mod files;
mod next;
mod text;
mod wanted;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{Outcome, config, interrupted_by_signals};
use crate::base::{faults, hex};
use crate::cli::args::InitArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::flag_hints::in_flags;
use crate::cli::ui::Ui;
use crate::config::{Config, ConfigError};
use crate::hook::FORMATS;
use crate::mirror::{SyncError, TargetSeen};
use crate::net::url::{PlainHttp, SourceUrl, SourceUrlError, UrlError};
use crate::net::{SecretError, SecretSource, TargetUrl};
pub(in crate::cli) use files::SERVICE_USER;
use files::{Owner, extend_config, make_secrets_folder, write_config, write_secret};
use text::FirstConfig;
use wanted::{CA_FILE, Wanted, wanted};

/// The folder of the secrets, beside the configuration.
const SECRETS: &str = "secrets";

/// Why no configuration is written.
#[derive(Debug, thiserror::Error)]
enum InitError {
    /// Nobody is there to be asked, or who is gives no answer.
    #[error("ask for the {what}: nobody at a terminal answers")]
    NoTerminal { what: &'static str, flag: &'static str },
    /// There is a configuration.
    #[error("write {}: it configures something already", path.display())]
    Configured { path: PathBuf },
    /// Keys of tables that a file may have already.
    #[error("set `listen` or `public_url` in {}: there is a file already", path.display())]
    KeysOfAFile { path: PathBuf },
    /// What is there cannot be read.
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A token or key cannot be used.
    #[error("use the secret for the {side}")]
    Secret { side: &'static str, source: SecretError },
    /// No forge is called so.
    #[error("find the forge {name}: no format is called so")]
    UnknownForge { name: String },
    /// An end does not answer as it should.
    #[error("look at the {end} {address}")]
    Look { end: &'static str, address: String, source: SyncError },
    /// A source that cannot be.
    #[error(transparent)]
    Source(#[from] SourceUrlError),
    /// A target that cannot be.
    #[error(transparent)]
    Target(#[from] UrlError),
    /// What was typed makes no sound configuration.
    #[error("make a configuration of what was asked for: {problem}")]
    Unsound { problem: String },
}

faults!(InitError {
    Self::NoTerminal { flag, .. } => Config.at(Here).hint(format!("name it with {flag}")),
    Self::Configured { .. } => Config.at(Here).hint(
        "nothing was changed; add a table [mirrors.NAME] to it, or write another file with --config FILE"
    ),
    Self::KeysOfAFile { .. } => Config.at(Here).hint(
        "leave out --listen and --public-url, and set `listen` in [daemon] and `public_url` in [web] of that file"
    ),
    Self::Read { source, .. } => io(source).at(Here),
    Self::Secret { source, .. } => of(source),
    // Without looking it is written, too: a token may come later.
    Self::Look { source, .. } => {
        let diagnosis = in_flags::<InitArgs>(of(source));
        let more = "to write the configuration without looking, add --offline";
        let hint = diagnosis.hint.as_ref();
        let hint = hint.map_or_else(|| more.to_owned(), |hint| format!("{hint}\n{more}"));
        diagnosis.hint(hint)
    },
    Self::UnknownForge { .. } => {
        let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
        Config.at(Here).hint(format!("forges are {}; or `none`", names.join(", ")))
    },
    // What was typed is mended where it was typed.
    Self::Source(source) => in_flags::<InitArgs>(Diagnosis { side: Some(Here), ..of(source) }),
    Self::Target(source) => in_flags::<InitArgs>(Diagnosis { side: Some(Here), ..of(source) }),
    Self::Unsound { .. } => Config.at(Here),
});

/// A secret that is put beside the configuration.
struct NewSecret {
    /// Below the folder of the configuration.
    file: String,
    contents: Vec<u8>,
}

pub(super) fn run(args: &InitArgs, ui: &Ui) -> Outcome {
    let path = std::path::absolute(&args.config.config).unwrap_or(args.config.config.clone());
    let before = existing(&path)?;
    if before.is_some() && (args.listen.is_some() || args.public_url.is_some()) {
        return Err(InitError::KeysOfAFile { path }.into());
    }
    let wanted = wanted(args, ui)?;
    let plain = |is_allowed| if is_allowed { PlainHttp::Allow } else { PlainHttp::Refuse };
    TargetUrl::parse(&wanted.target, plain(args.target_plain_http)).map_err(InitError::from)?;
    if wanted.source.contains("://") {
        SourceUrl::parse(&wanted.source).map_err(InitError::from)?;
    }
    // Nothing has to come to a safe place before: Ctrl-C at a question is the end.
    let interrupt = interrupted_by_signals(ui)?;
    let is_system = path == Path::new(config::USUAL);
    let copy = |side: &str, key: &str| {
        format!("{SECRETS}/{}-{side}-{}", wanted.name, key.trim_end_matches("_file"))
    };
    let mut secrets = Vec::new();
    for (side, key, file) in &wanted.files {
        let contents = read_secret(side, key, file)?;
        secrets.push(NewSecret { file: copy(side, key), contents });
    }
    let hook = wanted.format.map(|format| {
        let has_secret = !format.offers().next().is_some_and(|it| it.kind.has_public_keys());
        let file = format!("{SECRETS}/hook-{}", format.name);
        if has_secret {
            let secret = format!("{}\n", fresh());
            secrets.push(NewSecret { file: file.clone(), contents: secret.into_bytes() });
        }
        (format.name, has_secret.then_some(file))
    });
    let token = format!("syn_{}", fresh());
    let first = FirstConfig {
        name: &wanted.name,
        source: &wanted.source,
        target: &wanted.target,
        source_keys: wanted.keys_of("source", |key, _| copy("source", key)),
        target_keys: wanted.keys_of("target", |key, _| copy("target", key)),
        hook,
        token_sha256: hex::encode(&Sha256::digest(token.as_bytes())),
        public_url: args.public_url.as_deref(),
        listen: args.listen,
        is_local: !is_system,
    };
    let text = match &before {
        Some(before) => first.added_to(before),
        None => first.text(),
    };
    let config = sound(&text, &path)?;
    if !args.offline {
        look(&config, &first, &wanted, ui, &interrupt)?;
    }
    let owner = Owner::of_service().filter(|_| is_system);
    write(&path, before.is_some(), &text, &secrets, owner, ui)?;
    next::say(&path, &config, &wanted, &token, ui);
    Ok(exit::OK)
}

/// The file at `path`, if there is one, which configures nothing.
fn existing(path: &Path) -> Result<Option<String>, Failure> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(InitError::Read { path: path.to_owned(), source }.into()),
        Ok(text) => text,
    };
    let config = config::load(path)?;
    match config.is_bare() {
        true => Ok(Some(text)),
        false => Err(InitError::Configured { path: path.to_owned() }.into()),
    }
}

/// 256 random bits, in hex.
fn fresh() -> String {
    let mut bits = [0; 32];
    // Without them the system cannot encrypt either.
    getrandom::fill(&mut bits).expect("a system that can encrypt has random bits");
    hex::encode(&bits)
}

fn read_secret(side: &'static str, key: &str, file: &Path) -> Result<Vec<u8>, InitError> {
    use secrecy::ExposeSecret as _;
    if key == CA_FILE {
        let read = |source| InitError::Read { path: file.to_owned(), source };
        return fs::read(file).map_err(read);
    }
    let source = SecretSource::File(file.to_owned());
    let secret = match key {
        "key_file" => source.private_key(),
        _ => source.line(),
    };
    let secret = secret.map_err(|source| InitError::Secret { side, source })?;
    let end = if secret.expose_secret().ends_with('\n') { "" } else { "\n" };
    Ok(format!("{}{end}", secret.expose_secret()).into_bytes())
}

/// What `text` configures.
fn sound(text: &str, path: &Path) -> Result<Config, InitError> {
    Config::parse(text, path, None).map_err(|error| {
        let problem = match error {
            ConfigError::Invalid { problems, .. } | ConfigError::Unusable { problems, .. } => {
                let kinds =
                    problems.iter().map(|problem| format!("{}: {}", problem.key, problem.kind));
                kinds.collect::<Vec<_>>().join("; ")
            }
            other @ (ConfigError::Read { .. } | ConfigError::Alone { .. }) => other.to_string(),
        };
        InitError::Unsound { problem }
    })
}

/// Looks at both ends, with the secrets where they are now.
fn look(
    config: &Config,
    first: &FirstConfig<'_>,
    wanted: &Wanted,
    ui: &Ui,
    interrupt: &crate::base::Interrupt,
) -> Result<(), Failure> {
    let here = FirstConfig {
        source_keys: wanted.keys_here("source"),
        target_keys: wanted.keys_here("target"),
        ..first.clone()
    };
    let config_here =
        sound(&here.text(), Path::new(config::USUAL)).unwrap_or_else(|_| config.clone());
    let Some(mirror) = config_here.mirrors.first() else { return Ok(()) };
    let mirror = &mirror.mirror;
    let of =
        |end: &'static str, address: String| move |source| InitError::Look { end, address, source };
    let address = mirror.source.to_string();
    mirror.probe_source(interrupt).map_err(of("source", address.clone()))?;
    ui.say(&format!("source: {address}: it answers"));
    let Some(address) = mirror.target.as_ref().map(|target| target.url.to_string()) else {
        return Ok(());
    };
    let seen = mirror.probe_target(interrupt).map_err(of("target", address.clone()))?;
    let found = match seen {
        Some(TargetSeen::Refs(0)) => "an empty repository".to_owned(),
        Some(TargetSeen::Refs(refs)) => super::report::count(refs as u64, "ref", "refs"),
        Some(TargetSeen::ToBeMade) => "the first sync makes it".to_owned(),
        None => "nothing to publish to".to_owned(),
    };
    ui.say(&format!("target: {address}: {found}"));
    Ok(())
}

fn write(
    path: &Path,
    is_there: bool,
    text: &str,
    secrets: &[NewSecret],
    owner: Option<Owner>,
    ui: &Ui,
) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(Path::new("."));
    if !secrets.is_empty() {
        make_secrets_folder(&folder.join(SECRETS), owner)?;
    }
    // The configuration last: without it nothing looks at the secrets.
    for secret in secrets {
        let file = folder.join(&secret.file);
        write_secret(&file, &secret.contents, owner)?;
        ui.say(&format!("wrote {}", file.display()));
    }
    match is_there {
        true => extend_config(path, text.as_bytes())?,
        false => write_config(path, text.as_bytes(), owner)?,
    }
    ui.say(&format!("wrote {}", path.display()));
    Ok(())
}
