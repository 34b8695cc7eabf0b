//! `backup`: a copy of what the daemon must not lose, while it runs.

use std::io;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::Outcome;
use super::daemon::client;
use crate::base::faults;
use crate::base::text::megabytes;
use crate::cli::args::BackupArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;

/// The backup cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("write the backup {}", path.display())]
struct WriteBackupError {
    path: PathBuf,
    source: io::Error,
}

faults!(WriteBackupError {
    Self { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => Config.hint(
        "name a file that is not there yet: a backup never takes the place of another one"
    ),
    Self { source, .. } => io(source),
});

pub(super) fn run(args: &BackupArgs, ui: &Ui) -> Outcome {
    let path = &args.file;
    let failed = |source| WriteBackupError { path: path.clone(), source };
    if path.exists() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()).into());
    }
    let client = client(&args.daemon)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(std::path::Path::new("."));
    // Under its own name only once it is whole.
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    let size = client.download("/api/v1/backup", file.as_file_mut())?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(path).map_err(|error| failed(error.error))?;
    ui.say(&format!("{}: {}", path.display(), megabytes(size)));
    Ok(exit::OK)
}
