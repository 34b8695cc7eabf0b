//! What to do once there is a configuration.

use std::path::Path;

use super::SERVICE_USER;
use super::wanted::Wanted;
use crate::cli::command::config;
use crate::cli::ui::Ui;
use crate::config::Config;
use crate::hook::synchroniser;

/// What to do now.
pub(super) fn say(path: &Path, config: &Config, wanted: &Wanted, token: &str, ui: &Ui) {
    let is_system = path == Path::new(config::USUAL);
    let (name, option) = (&wanted.name, config::option(path));
    let command = match is_system {
        true => format!("sudo -u {SERVICE_USER} synchroniser"),
        false => "synchroniser".to_owned(),
    };
    let start = match is_system {
        true => "sudo systemctl enable --now synchroniser".to_owned(),
        false => format!("synchroniser serve{option}"),
    };
    let address = config.web.public_url.clone();
    let address = address.unwrap_or_else(|| format!("http://{}", config.daemon.listen));
    ui.say("");
    ui.say("A token for the pages and the API, which is not shown again:");
    ui.say("");
    ui.result(&format!("  {token}"));
    let step = |what: &str, command: &str| {
        ui.say("");
        ui.say(what);
        ui.say("");
        ui.say(&format!("  {command}"));
    };
    step("To see what the first sync would do:", &format!("{command} plan {name}{option}"));
    step(&format!("To start the daemon, whose pages are at {address}/:"), &start);
    step("To see how the mirror is:", &format!("{command} status {name}{option}"));
    if let Some(format) = wanted.format {
        let what = match format.name == synchroniser::FORMAT.name {
            true => {
                "To have pushes told of at once, by a hook of Mercurial or a script:".to_owned()
            }
            false => format!("To have pushes told of at once, what to type into {}:", format.title),
        };
        step(&what, &format!("{command} hook-config {} {name}{option}", format.name));
    }
    step("If something does not work:", &format!("{command} doctor{option}"));
}
