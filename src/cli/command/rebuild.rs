//! `rebuild`: a cache made again from its source.

use std::path::PathBuf;

use super::{Outcome, config, daemon, interrupted_by_signals, report, sync};
use crate::base::faults;
use crate::cli::args::RebuildArgs;
use crate::cli::client::Client;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::ui::Ui;
use crate::mirror::{self, SyncError};
use crate::service::view::{MirrorDetail, MirrorState};

/// Why a cache is not made again.
#[derive(Debug, thiserror::Error)]
enum RebuildError {
    /// Whoever has no claim may not write the ledger.
    #[error(
        "make the cache of {name} again: `queue.store` is a database, which has the ledger of what was published"
    )]
    InDatabase { name: String, cache: PathBuf },
    /// The daemon works on it.
    #[error("make the cache of {name} again: the daemon syncs this mirror now")]
    Running { name: String },
    /// It did not get there.
    #[error("make the cache of {name} again")]
    Rebuild { name: String, source: SyncError },
}

faults!(RebuildError {
    Self::InDatabase { name, cache } => Unsupported.at(Here).hint(format!(
        "a daemon does that, by what the database knows: `synchroniser pause {name}`, remove {} once nothing runs, \
         `synchroniser resume {name}`, `synchroniser sync --daemon {name}`",
        cache.display()
    )),
    Self::Running { name } => Unavailable.at(Here).hint(format!(
        "wait until that is over, which `synchroniser status {name}` shows; or `synchroniser pause {name}` first"
    )),
    Self::Rebuild { source, .. } => of(source),
});

pub(super) fn run(args: &RebuildArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.daemon.config.config)?;
    let mirror = mirrors::named(&config, &args.mirror)?;
    if config.queue.address.is_some() {
        let (name, cache) = (mirror.mirror.name.clone(), mirror.mirror.cache.path().to_owned());
        return Err(RebuildError::InDatabase { name, cache }.into());
    }
    let mirror = sync::ready(&mirror)?;
    let interrupt = interrupted_by_signals(ui)?;
    let name = mirror.name.clone();
    // Whether a daemon runs, and has this mirror.
    let client = daemon::client(&args.daemon).ok();
    let held = match client {
        Some(client) => Held::hold(client, &name, ui)?,
        None => None,
    };
    let rebuilt = report::said(ui, &name, |observer| {
        mirror::rebuild(&mirror, args.fetch, observer, &interrupt)
    });
    if let Some(held) = held {
        held.release(ui);
    }
    rebuilt.map_err(|source| RebuildError::Rebuild { name, source })?;
    Ok(exit::OK)
}

/// A mirror that the daemon leaves alone for as long as its cache is made again.
struct Held {
    client: Client,
    path: String,
    name: String,
}

impl Held {
    /// Has the daemon leave the mirror alone; `None` if no daemon runs, or it does so already.
    fn hold(client: Client, name: &str, ui: &Ui) -> Result<Option<Self>, Failure> {
        let path = daemon::path_of(name);
        let Ok(detail) = client.get::<MirrorDetail>(&path) else { return Ok(None) };
        if detail.summary.state == MirrorState::Running {
            return Err(RebuildError::Running { name: name.to_owned() }.into());
        }
        if detail.summary.paused {
            return Ok(None);
        }
        client.post(&format!("{path}/pause"))?;
        ui.say(&format!("{name}: the daemon leaves it alone meanwhile"));
        Ok(Some(Self { client, path, name: name.to_owned() }))
    }

    /// Lets the daemon go on.
    fn release(self, ui: &Ui) {
        match self.client.post(&format!("{}/resume", self.path)) {
            Ok(_) => ui.say(&format!("{}: the daemon goes on with it", self.name)),
            Err(error) => ui.warn(&format!(
                "warning: the daemon still leaves {name} alone ({error}): `synchroniser resume {name}`",
                name = self.name
            )),
        }
    }
}
