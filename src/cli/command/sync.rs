//! `sync`: mirrors one after the other. One that fails does not keep the others from being synced;
//! the exit code is that of the first failure.

use super::{Outcome, config, daemon, interrupted_by_signals, report};
use crate::base::{Fault, Interrupt, faults};
use crate::cli::args::SyncArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::config::{Config, MirrorConfig};
use crate::convert::AuthorMapError;
use crate::mirror::{Mirror, SyncError};
use crate::service::check_room;

/// Why `sync` fails, apart from its configuration.
#[derive(Debug, thiserror::Error)]
pub(super) enum SyncCommandError {
    /// There is none.
    #[error("find a mirror: the configuration has none")]
    None,
    /// No mirror has this name.
    #[error("find the mirror {name}: the configuration has no such mirror")]
    Unknown { name: String, known: Vec<String> },
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
    Self::None => Config.hint(
        "add a section [mirrors.NAME] with `source` and `target`; `synchroniser config default` \
         shows all its keys"
    ),
    Self::Unknown { known, .. } => Config.hint(format!("it has {}", known.join(", "))),
    Self::AuthorMap { source, .. } => of(source),
    Self::Sync { source, .. } => of(source),
});

pub(super) fn run(args: &SyncArgs, ui: &Ui) -> Outcome {
    if args.daemon {
        return daemon::sync(&args.at, &args.mirrors, args.follow, ui);
    }
    let config = config::load(&args.at.config.config)?;
    let mirrors = select(&config, &args.mirrors)?;
    let interrupt = interrupted_by_signals(ui)?;
    let mut outcome = exit::OK;
    for mirror in mirrors {
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

/// The mirrors with these names, or all.
pub(super) fn select<'a>(
    config: &'a Config,
    names: &[String],
) -> Result<Vec<&'a MirrorConfig>, SyncCommandError> {
    if config.mirrors.is_empty() {
        return Err(SyncCommandError::None);
    }
    if names.is_empty() {
        return Ok(config.mirrors.iter().collect());
    }
    names.iter().map(|name| find(config, name)).collect()
}

/// The mirror with this name.
pub(super) fn find<'a>(
    config: &'a Config,
    name: &str,
) -> Result<&'a MirrorConfig, SyncCommandError> {
    if config.mirrors.is_empty() {
        return Err(SyncCommandError::None);
    }
    config.mirror(name).ok_or_else(|| SyncCommandError::Unknown {
        name: name.to_owned(),
        known: config.mirrors.iter().map(|mirror| mirror.mirror.name.clone()).collect(),
    })
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
