//! `config check`, and what `config` prints.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::Outcome;
use super::report::count;
use crate::base::hex;
use crate::cli::args::ConfigCommand;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::{self, Config, ConfigError};
use crate::daemon;
use crate::mirror::Mirror;
use crate::queue::model::RunId;

pub(super) fn run(command: ConfigCommand, ui: &Ui) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(&args.config, ui),
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

/// Makes a token, and what the configuration has to know of it.
fn token(ui: &Ui) {
    let token = format!("syn_{:032x}{:032x}", RunId::random().0, RunId::random().0);
    let hash = Sha256::digest(token.as_bytes());
    ui.say("give this to whoever shall use it; it is not shown again:");
    ui.result(&token);
    ui.say("and add this to the configuration, with a name and a scope:");
    ui.say(&format!("[tokens.NAME]\nscope = \"read\"\nsha256 = \"{}\"", hex::encode(&hash)));
}

fn check(path: &Path, ui: &Ui) -> Outcome {
    let config = load(path)?;
    let mirrors = count(config.mirrors.len() as u64, "mirror", "mirrors");
    ui.say(&format!("{}: {mirrors}", path.display()));
    for mirror in &config.mirrors {
        let Mirror { name, source, target, .. } = &mirror.mirror;
        let target = target.as_ref().map(|target| format!(" to {}", target.url));
        let target = target.unwrap_or_default();
        ui.say(&format!("  {name}: from {source}{target}"));
        if mirror.selector.is_none() {
            ui.say("    no hook selects it: that needs `user` and `project`");
        }
    }
    let (unchecked, wrong): (Vec<_>, Vec<_>) =
        config.check().into_iter().partition(|finding| finding.is_unchecked);
    for finding in unchecked {
        ui.say(&format!("not checked: {}:{}", path.display(), finding.problem));
    }
    if wrong.is_empty() {
        return Ok(exit::OK);
    }
    let problems = wrong.into_iter().map(|finding| finding.problem).collect();
    Err(ConfigError::Unusable { path: path.to_owned(), problems }.into())
}

/// The configuration at `path`, with the credentials that systemd passes.
pub(super) fn load(path: &Path) -> Result<Config, ConfigError> {
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    Config::load(path, credentials.as_deref().map(Path::new))
}
