//! Whether the two ends of a mirror can be reached, at the cost of one request each, and nothing changed.

use std::fs::File;
use std::time::Duration;

use super::source::{LocalSource, read_source};
use super::{Mirror, SyncError};
use crate::base::Interrupt;
use crate::git::BareRepository;
use crate::git::destination::{self, PublishError};
use crate::hg::pull::Source;
use crate::net::{Access, Timeouts};

/// What a person who looks on waits for, at most.
const PATIENCE: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    first_byte: Duration::from_secs(30),
    idle: Duration::from_secs(30),
};

/// What was found at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetSeen {
    /// It has so many refs.
    Refs(usize),
    /// It is not there, or not shown to us, and the first sync makes it.
    ToBeMade,
}

impl Mirror {
    /// Tries to reach the source. A path is opened, a server is asked what it has.
    pub fn probe_source(&self, interrupt: &Interrupt) -> Result<(), SyncError> {
        if let Some(path) = self.source.in_place() {
            return read_source(&LocalSource::in_place(path), &self.options, interrupt, |_| Ok(()));
        }
        match &self.source {
            Source::Path(path) => File::open(path)
                .map(drop)
                .map_err(|source| SyncError::Folder { path: path.clone(), source }),
            Source::Server { url, access } => {
                let source =
                    Source::Server { url: url.clone(), access: Box::new(impatient(access)) };
                Self { source, ..self.clone() }.look(interrupt).map(drop)
            }
        }
    }

    /// Tries to reach the target: its refs are listed with the credential that a sync pushes with. `None` if there
    /// is no target.
    pub fn probe_target(&self, interrupt: &Interrupt) -> Result<Option<TargetSeen>, SyncError> {
        let Some(target) = &self.target else { return Ok(None) };
        let mut target = target.clone();
        target.access = impatient(&target.access);
        let failed = |source| SyncError::Folder { path: std::env::temp_dir(), source };
        let scratch = tempfile::tempdir().map_err(failed)?;
        let git = scratch.path().join("git");
        BareRepository::open_or_create(&git, &self.options.naming.main_name())?;
        let listed = destination::open(&target, &git).and_then(|mut it| it.references(interrupt));
        match listed {
            Ok(refs) => Ok(Some(TargetSeen::Refs(refs.len()))),
            Err(PublishError::Missing { .. })
                if self.forge.as_ref().is_some_and(|it| it.create) =>
            {
                Ok(Some(TargetSeen::ToBeMade))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The same way, where nobody waits for long.
fn impatient(access: &Access) -> Access {
    let Timeouts { connect, first_byte, idle } = access.timeouts;
    let timeouts = Timeouts {
        connect: connect.min(PATIENCE.connect),
        first_byte: first_byte.min(PATIENCE.first_byte),
        idle: idle.min(PATIENCE.idle),
    };
    Access { timeouts, retries: Vec::new(), ..access.clone() }
}
