//! The commands, one file for each: options in, calls to the layers below, words out.

mod adopt;
mod authors;
mod backup;
mod caches;
mod config;
mod convert;
mod daemon;
mod demo;
mod doctor;
mod fetch;
mod hook_config;
mod init;
mod inspect;
mod known_hosts;
mod mirror;
mod nodes;
mod notify;
mod notify_test;
mod plan;
mod queue;
mod queue_ledgers;
mod rebuild;
mod report;
mod restore;
mod serve;
mod sync;
mod test_hook;
mod verify;

use std::sync::Arc;

use crate::base::Interrupt;
use crate::cli::args::CommandArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::daemon::signals;
use crate::git;
use crate::mirror::Observer;
use crate::service::{SyncFailure, Syncer};

/// An exit code, or what went wrong.
type Outcome = Result<u8, Failure>;

/// Does what was typed.
pub(super) fn run(command: CommandArgs, ui: &Ui) -> Outcome {
    git::init::ensure()?;
    match command {
        CommandArgs::Init(args) => init::run(&args, ui),
        CommandArgs::Serve(args) => serve::run(&args),
        CommandArgs::Sync(args) => sync::run(&args, ui),
        CommandArgs::Status(args) => daemon::status(&args, ui),
        CommandArgs::Queue(args) => queue::run(&args, ui),
        CommandArgs::Runs(args) => daemon::runs(&args, ui),
        CommandArgs::Deliveries(args) => daemon::deliveries(&args, ui),
        CommandArgs::HookConfig(args) => hook_config::run(&args, ui),
        CommandArgs::TestHook(args) => test_hook::run(&args, ui),
        CommandArgs::Notify(args) => notify::run(&args, ui),
        CommandArgs::Pause(args) => daemon::pause(&args, ui),
        CommandArgs::Resume(args) => daemon::resume(&args, ui),
        CommandArgs::Retry(args) => daemon::retry(&args, ui),
        CommandArgs::Backup(args) => backup::run(&args, ui),
        CommandArgs::Restore(args) => restore::run(&args, ui),
        CommandArgs::Rebuild(args) => rebuild::run(&args, ui),
        CommandArgs::Doctor(args) => doctor::run(&args, ui),
        CommandArgs::Caches(args) => caches::run(&args, ui),
        CommandArgs::NotifyTest(args) => notify_test::run(&args, ui),
        CommandArgs::Plan(args) => plan::run(&args, ui),
        CommandArgs::Convert(args) => convert::run(&args, ui),
        CommandArgs::Mirror(args) => mirror::run(&args, ui),
        CommandArgs::Fetch(args) => fetch::run(&args, ui),
        CommandArgs::Adopt(args) => adopt::run(&args, ui),
        CommandArgs::Verify(args) => verify::run(&args, ui),
        CommandArgs::Inspect(command) => inspect::run(&command, ui),
        CommandArgs::Authors(args) => authors::run(&args, ui),
        CommandArgs::KnownHosts(command) => known_hosts::run(&command, ui),
        CommandArgs::Demo(args) => demo::run(&args, ui),
        CommandArgs::Config(args) => config::run(args, ui),
    }
}

/// A flag that SIGINT and SIGTERM raise, so that work ends at its next safe place. A second one
/// ends the program at once, which is safe too, only slower to go on from.
fn interrupted_by_signals(ui: &Ui) -> Result<Interrupt, Failure> {
    let interrupt = Interrupt::default();
    let (first, second) = (ui.clone(), ui.clone());
    let stopping = move || {
        first.abandon();
        first.warn("stopping at the next safe place; once more stops at once");
    };
    let at_once = move || {
        second.abandon();
        std::process::exit(i32::from(exit::INTERRUPTED));
    };
    signals::raise_on_signal(&interrupt, stopping, at_once)?;
    Ok(interrupt)
}

/// What the daemon calls to sync a mirror; `observer` hears of it, as the daemon does.
fn syncer(observer: impl Observer + Send + 'static) -> Syncer {
    Arc::new(move |mirror, context, daemon, interrupt| {
        crate::mirror::sync_in(mirror, context, &(daemon, &observer), interrupt)
            .map_err(|error| -> SyncFailure { Box::new(error) })
    })
}
