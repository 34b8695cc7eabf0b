//! Logging, set up once for the process.

use tracing_subscriber::EnvFilter;

use super::args::{CommandArgs, OutputArgs};
use super::ui::Ui;

/// The variable that overrides what is logged.
const VARIABLE: &str = "SYNCHRONISER_LOG";

/// Logs to standard error whatever the variable asks for, or else what the options do.
pub(super) fn init(ui: &Ui, output: OutputArgs, command: &CommandArgs) {
    let wanted = std::env::var(VARIABLE).unwrap_or_default();
    let filter = match wanted.as_str() {
        "" => EnvFilter::new(default_filter(output, command)),
        wanted => EnvFilter::builder().parse_lossy(wanted),
    };
    // Only a test that runs two commands in one process finds it set up already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(ui.clone())
        .with_ansi(false)
        .try_init();
}

/// Logs are what a daemon has to show; whoever waits for a command sees its progress.
fn default_filter(output: OutputArgs, command: &CommandArgs) -> &'static str {
    match (output.quiet, output.verbose, command) {
        (true, ..) => "error",
        (_, 0, CommandArgs::Serve(_)) => "info",
        (_, 0, _) => "warn",
        (_, 1, _) => "info,synchroniser=debug",
        _ => "debug,synchroniser=trace",
    }
}
