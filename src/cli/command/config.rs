//! `config check`, and what `config` prints.

use std::path::Path;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::report::count;
use super::{Outcome, interrupted_by_signals};
use crate::base::{Side, faults, hex};
use crate::cli::args::{ConfigCheckArgs, ConfigCommand};
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::config::{self, Config, ConfigError, MirrorConfig};
use crate::daemon;
use crate::mirror::Mirror;
use crate::queue::model::RunId;
use crate::service::view::FailureView;
use crate::service::{EndCheck, check_online};

/// Where a package has the configuration.
pub(super) const USUAL: &str = "/etc/synchroniser/synchroniser.toml";

pub(super) fn run(command: ConfigCommand, ui: &Ui) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(&args, ui),
        ConfigCommand::Default => {
            ui.result(config::template().trim_end());
            Ok(exit::OK)
        }
        ConfigCommand::Token => {
            token(ui);
            Ok(exit::OK)
        }
        ConfigCommand::Reference => {
            ui.result(config::reference().trim_end());
            Ok(exit::OK)
        }
        ConfigCommand::Openapi => {
            ui.result(daemon::web::openapi().trim_end());
            Ok(exit::OK)
        }
    }
}

/// A new token, and what the configuration has to know of it.
pub(super) fn new_token() -> (String, String) {
    let token = format!("syn_{:032x}{:032x}", RunId::random().0, RunId::random().0);
    let hash = hex::encode(&Sha256::digest(token.as_bytes()));
    (token, hash)
}

/// The token is the result, so that a script can take it; what to do with it is for whoever reads.
fn token(ui: &Ui) {
    let (token, hash) = new_token();
    ui.tell("give this to whoever shall use it; it is not shown again:");
    ui.result(&token);
    ui.tell("and add this to the configuration, with a name and a scope:");
    ui.tell(&format!("[tokens.NAME]\nscope = \"read\"\nsha256 = \"{hash}\""));
}

fn check(args: &ConfigCheckArgs, ui: &Ui) -> Outcome {
    let path = &*args.config.config;
    let config = load(path)?;
    if args.json {
        return online(args, &config, ui);
    }
    ui.say(&format!("{}: {}", path.display(), counted(&config)));
    for mirror in &config.mirrors {
        let Mirror { name, source, target, .. } = &mirror.mirror;
        let target = target.as_ref().map(|target| format!(" to {}", target.url));
        let target = target.unwrap_or_default();
        ui.say(&format!("  {name}: from {source}{target}"));
        if mirror.selector.is_none() {
            ui.say("    no hook selects it: that needs `user` and `project`");
        }
    }
    for pattern in config.patterns() {
        let (name, source, target) = (pattern.name(), pattern.source(), pattern.target());
        ui.say(&format!("  {name}/NAME: from {source} to {target}"));
    }
    let (unchecked, wrong): (Vec<_>, Vec<_>) =
        config.check().into_iter().partition(|finding| finding.is_unchecked);
    for finding in unchecked {
        ui.say(&format!("not checked: {}:{}", path.display(), finding.problem));
    }
    let outcome = if args.online { online(args, &config, ui)? } else { exit::OK };
    if wrong.is_empty() {
        return Ok(outcome);
    }
    let problems = wrong.into_iter().map(|finding| finding.problem).collect();
    Err(ConfigError::Unusable { path: path.to_owned(), problems }.into())
}

/// How many mirrors and patterns there are.
pub(super) fn counted(config: &Config) -> String {
    let mirrors = count(config.mirrors.len() as u64, "mirror", "mirrors");
    let patterns = config.patterns().count() as u64;
    if patterns == 0 {
        return mirrors;
    }
    let names = config.patterns().map(|pattern| pattern.written_out().len() as u64).sum();
    let names = match names {
        0 => String::new(),
        names => format!(" ({})", count(names, "name", "names")),
    };
    format!("{mirrors}, {}{names}", count(patterns, "pattern", "patterns"))
}

/// One end of a mirror cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("use the {} of the mirror {mirror}: {}", side.name(), failure.message)]
struct EndError {
    mirror: String,
    side: Side,
    failure: FailureView,
}

faults!(EndError {
    Self { failure, .. } => {
        Diagnosis { hint: failure.hint.clone(), ..failure.fault.at(failure.side) }
    },
});

/// What `--json` prints.
#[derive(Serialize)]
struct Checks {
    checks: Vec<EndCheck>,
}

/// Tries the sources and targets. The code is that of the first one that failed.
fn online(args: &ConfigCheckArgs, config: &Config, ui: &Ui) -> Outcome {
    let interrupt = interrupted_by_signals(ui)?;
    let mirrors = match args.mirrors.is_empty() {
        true => mirrors::all(config),
        false => mirrors::select(config, &args.mirrors)?,
    };
    let mirrors: Vec<&MirrorConfig> = mirrors.iter().map(AsRef::as_ref).collect();
    let checks = check_online(&mirrors, &config.schedule, &interrupt);
    let failed = checks.iter().find_map(|check| Some(check.failure.as_ref()?.fault));
    if args.json {
        // Strings and numbers only: nothing that JSON has no form for.
        ui.result(&serde_json::to_string_pretty(&Checks { checks }).unwrap_or_default());
        return Ok(failed.map_or(exit::OK, exit::code));
    }
    let mut table = Table::new(["MIRROR", "END", "RESULT", "ADDRESS"]);
    for check in &checks {
        let result = match (&check.failure, check.refs) {
            (Some(failure), _) => format!("failed: {}", failure.fault.name()),
            (None, Some(refs)) => format!("ok, {}", count(refs as u64, "ref", "refs")),
            (None, None) if check.to_be_made => "not there yet: the first sync makes it".to_owned(),
            (None, None) => "ok".to_owned(),
        };
        let end = check.side.name().to_owned();
        table.row([check.mirror.clone(), end, result, check.address.clone()]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
    if args.mirrors.is_empty() {
        for pattern in config.patterns().filter(|pattern| pattern.has_wildcards()) {
            ui.say(&format!(
                "what `allow` of [patterns.{name}] does not name in full is tried where you name it: {name}/NAME",
                name = pattern.name()
            ));
        }
    }
    for check in checks {
        if let Some(failure) = check.failure {
            let error = EndError { mirror: check.mirror, side: check.side, failure };
            ui.error(&Failure::from(error).text());
        }
    }
    Ok(failed.map_or(exit::OK, exit::code))
}

/// What has to be added to a command so that it uses the configuration at `path`; empty for the usual one.
pub(super) fn option(path: &Path) -> String {
    match path == Path::new(USUAL) {
        true => String::new(),
        false => format!(" --config {}", path.display()),
    }
}

/// The configuration at `path`, with the credentials that systemd passes.
pub(super) fn load(path: &Path) -> Result<Config, ConfigError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    Config::load(path, credentials.as_deref().map(Path::new))
}
