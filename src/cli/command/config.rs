//! `config check`, and what `config` prints.

use std::path::Path;

use super::Outcome;
use super::report::count;
use crate::cli::args::ConfigCommand;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::{self, Config, ConfigError};
use crate::mirror::Mirror;

pub(super) fn run(command: ConfigCommand, ui: &Ui) -> Outcome {
    match command {
        ConfigCommand::Check(args) => check(&args.config, ui),
        ConfigCommand::Default => {
            ui.result(config::template().trim_end());
            Ok(exit::OK)
        }
        ConfigCommand::Reference => {
            ui.result(config::reference().trim_end());
            Ok(exit::OK)
        }
        ConfigCommand::Openapi => {
            ui.result(crate::daemon::web::openapi().trim_end());
            Ok(exit::OK)
        }
    }
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
