//! Reading a repository while another program may be writing to it.
//!
//! A commit appends to several files, one after the other, and a strip truncates them: a repository
//! that is read in between looks damaged. It is then read again, and only damage that stays is an
//! error. Everything is checked as it is read, so such a moment can never become a wrong mirror.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{Note, SyncError};
use crate::base::{Fault, HasFault, Interrupt, Limits, Progress};
use crate::convert::ConvertOptions;
use crate::hg::pull::{Copy, Source, pull};
use crate::hg::store::Layout;
use crate::hg::{Repository, SavedHistory, Shown};

/// How long to wait before each further reading: five seconds in all, longer than a
/// commit takes, and short enough to wait for.
const PAUSES: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(300),
    Duration::from_millis(600),
    Duration::from_secs(1),
    Duration::from_secs(3),
];

/// A repository of this machine that is read: a source, or a copy of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LocalSource {
    /// Where it is.
    pub path: PathBuf,
    /// What is shown by the repository that it is a copy of.
    pub shown: Option<Shown>,
    /// What an earlier run has kept of its history.
    pub saved: Option<SavedHistory>,
}

impl LocalSource {
    /// The repository at `path`, as it is.
    pub(super) fn in_place(path: &Path) -> Self {
        Self { path: path.to_owned(), shown: None, saved: None }
    }

    /// The repository that `source` names, as it is, or as it was when `folder` was brought up to
    /// date with it.
    pub(super) fn kept(source: &Source, folder: &Path, limits: &Limits) -> Result<Self, SyncError> {
        if let Some(path) = source.in_place() {
            return Ok(Self::in_place(path));
        }
        let copy = Copy::at(folder, limits);
        if !copy.exists() {
            return Err(SyncError::NeverFetched { origin: source.to_string() });
        }
        Ok(Self { path: copy.root().to_owned(), shown: copy.shown()?, saved: None })
    }

    /// The same once `folder` is up to date with it, and what is worth knowing then.
    pub(super) fn fetched(
        source: &Source,
        folder: &Path,
        limits: &Limits,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<(Self, Vec<Note>), SyncError> {
        let mut notes = Vec::new();
        if source.in_place().is_none() {
            let copy = Copy::at(folder, limits);
            let pulled = pull(source, &copy, limits, progress, interrupt)?;
            notes.extend(pulled.notes.into_iter().map(Note::Pull));
            if pulled.gone > 0 {
                notes.push(Note::ChangesetsGone { count: pulled.gone });
            }
        }
        Ok((Self::kept(source, folder, limits)?, notes))
    }

    /// Opens it.
    pub(super) fn open(&self, options: &ConvertOptions) -> Result<Repository, SyncError> {
        Ok(options.open(&self.path, self.shown.as_ref(), self.saved.as_ref())?)
    }
}

/// A source that is being read.
pub(super) struct OpenSource<'a> {
    pub repository: &'a Repository,
    path: &'a Path,
    limits: &'a Limits,
    before: &'a State,
}

impl OpenSource<'_> {
    /// Whether nothing was written to the source since it was opened: only then is apparent damage
    /// real.
    pub(super) fn is_calm(&self) -> bool {
        let now = State::of(self.path, self.limits);
        now == *self.before && !now.is_locked
    }
}

/// Opens `local` and hands it to `read`; again, from the beginning, if it seems to be damaged and
/// another program was writing to it.
pub(super) fn read_source<T>(
    local: &LocalSource,
    options: &ConvertOptions,
    interrupt: &Interrupt,
    mut read: impl FnMut(&OpenSource<'_>) -> Result<T, SyncError>,
) -> Result<T, SyncError> {
    let (path, limits) = (&local.path, &options.limits);
    let mut pauses = PAUSES.into_iter();
    loop {
        let before = State::of(path, limits);
        let error = match local.open(options).and_then(|repository| {
            read(&OpenSource { repository: &repository, path, limits, before: &before })
        }) {
            Err(error) if error.fault() == Fault::Corrupt => error,
            other => return other,
        };
        let after = State::of(path, limits);
        if after == before && !after.is_locked {
            return Err(match has_journal(path, limits) {
                true => SyncError::Abandoned { path: path.clone(), source: Box::new(error) },
                false => error,
            });
        }
        tracing::debug!(%error, source = %path.display(), "the source was written to: reading again");
        match pauses.next() {
            Some(pause) => interrupt.pause(pause)?,
            None => {
                return Err(SyncError::Changing { path: path.clone(), source: Box::new(error) });
            }
        }
    }
}

/// Whether the store at `path` has the journal of a transaction. Unless a process holds the lock, that
/// transaction was interrupted.
fn has_journal(path: &Path, limits: &Limits) -> bool {
    Layout::open(path, limits).is_ok_and(|layout| layout.journal_file().exists())
}

/// What of a store changes with everything that is written to it.
#[derive(Debug, PartialEq, Eq)]
struct State {
    is_locked: bool,
    files: Vec<Option<(u64, Option<SystemTime>)>>,
}

impl State {
    /// The state of the store at `path`; of one that does not open, that of no files.
    fn of(path: &Path, limits: &Limits) -> Self {
        let Ok(layout) = Layout::open(path, limits) else {
            return Self { is_locked: false, files: Vec::new() };
        };
        let lock = layout.store_dir().join("lock");
        let files: [PathBuf; 3] =
            [layout.changelog().index, layout.manifest().index, layout.phaseroots_file()];
        let stamp = |file: &PathBuf| {
            let metadata = std::fs::metadata(file).ok()?;
            Some((metadata.len(), metadata.modified().ok()))
        };
        // A lock is a symbolic link that leads nowhere.
        let is_locked = std::fs::symlink_metadata(lock).is_ok();
        Self { is_locked, files: files.iter().map(stamp).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hg::Rev;
    use crate::hg::repository::RepositoryError;

    /// A repository whose changelog is cut in the middle of an entry.
    fn torn() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join(".hg/store");
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(folder.path().join(".hg/requires"), "revlogv1\nstore\n").unwrap();
        std::fs::write(store.join("00changelog.i"), [0, 1, 0, 1, 0, 0]).unwrap();
        folder
    }

    fn read(
        folder: &tempfile::TempDir,
        count: &mut usize,
        mut meanwhile: impl FnMut(usize),
    ) -> Result<(), SyncError> {
        let options = ConvertOptions::default();
        // A repository that opens, and a reader that finds damage.
        let store = folder.path().join(".hg/store/00changelog.i");
        std::fs::write(&store, []).unwrap();
        read_source(
            &LocalSource::in_place(folder.path()),
            &options,
            &Interrupt::default(),
            |source| {
                *count += 1;
                meanwhile(*count);
                let error = source.repository.changelog().reader().changeset(Rev::new(0)).map(drop);
                if *count < 3 { error.map_err(SyncError::from) } else { Ok(()) }
            },
        )
    }

    #[test]
    fn damage_that_nobody_makes_is_reported_at_once() {
        let folder = torn();
        let opened = read_source(
            &LocalSource::in_place(folder.path()),
            &ConvertOptions::default(),
            &Interrupt::default(),
            |_| Ok(()),
        );
        assert!(matches!(opened, Err(SyncError::Source(RepositoryError::Revlog { .. }))));
        let mut count = 0;
        let damaged = read(&folder, &mut count, |_| {});
        assert_eq!((count, damaged.unwrap_err().fault()), (1, Fault::Corrupt));
    }

    #[test]
    fn a_store_that_changes_or_is_locked_is_read_again() {
        let folder = torn();
        let phases = folder.path().join(".hg/store/phaseroots");
        let mut count = 0;
        read(&folder, &mut count, |round| {
            std::fs::write(&phases, format!("1 {}\n", "1".repeat(40)).repeat(round)).unwrap();
        })
        .unwrap();
        assert_eq!(count, 3);
        std::os::unix::fs::symlink("host:1", folder.path().join(".hg/store/lock")).unwrap();
        let mut count = 0;
        read(&folder, &mut count, |_| {}).unwrap();
        assert_eq!(count, 3);
    }

    #[test]
    fn an_interrupt_ends_the_wait() {
        let folder = torn();
        std::os::unix::fs::symlink("host:1", folder.path().join(".hg/store/lock")).unwrap();
        let interrupt = Interrupt::default();
        interrupt.raise();
        let read = read_source(
            &LocalSource::in_place(folder.path()),
            &ConvertOptions::default(),
            &interrupt,
            |_| Ok(()),
        );
        assert_eq!(read.unwrap_err().fault(), Fault::Interrupted);
    }
}
