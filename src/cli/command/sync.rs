//! `sync`: mirrors one after the other. One that fails does not keep the others from being synced;
//! the exit code is that of the first failure.

use super::{Outcome, config, daemon, interrupted_by_signals, report};
use crate::base::{Fault, Interrupt, faults};
use crate::cli::args::SyncArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::ui::Ui;
use crate::config::MirrorConfig;
use crate::convert::AuthorMapError;
use crate::mirror::{Mirror, SyncError};
use crate::service::check_room;

/// Why `sync` fails, apart from its configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyncCommandError {
    /// Whoever has no claim may not write the ledger.
    #[error(
        "sync without a daemon: `queue.store` is a database, which has the ledgers of what was published"
    )]
    InDatabase,
    /// The author map of a mirror cannot be used.
    #[error("read the author map of the mirror {name}")]
    AuthorMap {
        name: String,
        #[source]
        source: AuthorMapError,
    },
    /// One mirror did not get there.
    #[error("sync the mirror {name}")]
    Sync {
        name: String,
        #[source]
        source: SyncError,
    },
}

faults!(SyncCommandError {
    Self::InDatabase => Unsupported.at(Here).hint(
        "`synchroniser sync --daemon` has a daemon sync it, and with `--follow` says what came of it"
    ),
    Self::AuthorMap { source, .. } => of(source),
    Self::Sync { source, .. } => of(source),
});

pub(super) fn run(args: &SyncArgs, ui: &Ui) -> Outcome {
    if args.daemon {
        return daemon::sync(&args.at, &args.mirrors, args.follow, ui);
    }
    let config = config::load(&args.at.config.config)?;
    if config.queue.address.is_some() {
        return Err(SyncCommandError::InDatabase.into());
    }
    let mirrors = mirrors::select(&config, &args.mirrors)?;
    let interrupt = interrupted_by_signals(ui)?;
    let mut outcome = exit::OK;
    for mirror in &mirrors {
        let synced = check_room(&config).map_err(Failure::from);
        let synced = synced.and_then(|()| Ok(sync(mirror, args, ui, &interrupt)?));
        if let Err(failure) = synced {
            ui.error(&failure.text());
            if outcome == exit::OK {
                outcome = exit::code(failure.fault());
            }
            if failure.fault() == Fault::Interrupted {
                break;
            }
        }
    }
    Ok(outcome)
}

/// A mirror as it is now, with what was typed.
fn asked(mirror: &MirrorConfig, typed: &SyncArgs) -> Result<Mirror, SyncCommandError> {
    let mut mirror = ready(mirror)?;
    typed.run.apply_to(&mut mirror.options);
    mirror.publish = typed.once.applied_to(&mirror.publish);
    Ok(mirror)
}

/// A mirror as it is now.
pub(super) fn ready(mirror: &MirrorConfig) -> Result<Mirror, SyncCommandError> {
    let name = &mirror.mirror.name;
    mirror.ready().map_err(|source| SyncCommandError::AuthorMap { name: name.clone(), source })
}

fn sync(
    mirror: &MirrorConfig,
    typed: &SyncArgs,
    ui: &Ui,
    interrupt: &Interrupt,
) -> Result<(), SyncCommandError> {
    let mirror = asked(mirror, typed)?;
    report::sync_and_say(ui, &mirror, interrupt)
        .map_err(|source| SyncCommandError::Sync { name: mirror.name.clone(), source })
}
