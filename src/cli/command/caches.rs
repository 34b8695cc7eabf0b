//! `caches`: what the caches take, and those of mirrors that are gone.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::{Outcome, config};
use crate::base::sizes::bytes_below;
use crate::base::text::megabytes;
use crate::base::{LockedFile, faults};
use crate::cli::args::CachesArgs;
use crate::cli::exit;
use crate::cli::table::Table;
use crate::cli::ui::Ui;

/// What a cache has, and no other folder of ours.
const PARTS: [&str; 3] = ["lock", "map", "git"];

/// The caches cannot be listed, or one cannot be removed.
#[derive(Debug, thiserror::Error)]
enum CachesError {
    #[error("read {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("remove {}", path.display())]
    Remove { path: PathBuf, source: io::Error },
}

faults!(CachesError {
    Self::Read { source, .. } | Self::Remove { source, .. } => io(source),
});

pub(super) fn run(args: &CachesArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.config.config)?;
    let mut table = Table::new(["CACHE", "SIZE", ""]);
    let (mut all, mut unused) = (0, Vec::new());
    for folder in caches(&config.cache)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (size, is_used) = (bytes_below(&folder), config.uses_cache(&name));
        all += size;
        let about = if is_used { "" } else { "no mirror is configured for it" };
        table.row([name, megabytes(size), about.to_owned()]);
        if !is_used {
            unused.push((folder, size));
        }
    }
    for line in table.lines() {
        ui.result(&line);
    }
    let free: u64 = unused.iter().map(|(_, size)| size).sum();
    ui.say(&format!("{} in all, {} of them without a mirror", megabytes(all), megabytes(free)));
    if !args.remove_unused {
        return Ok(exit::OK);
    }
    if !args.yes {
        ui.say("nothing was removed; to remove those without a mirror, add --yes");
        return Ok(exit::OK);
    }
    for (folder, size) in unused {
        match remove(&folder)? {
            true => ui.say(&format!("{}: removed, {}", folder.display(), megabytes(size))),
            false => ui.warn(&format!("{}: in use, not removed", folder.display())),
        }
    }
    Ok(exit::OK)
}

/// The folders below `folder` that are caches, by name.
fn caches(folder: &Path) -> Result<Vec<PathBuf>, CachesError> {
    let failed = |source| CachesError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        let path = entry.path();
        if is_folder && !is_hidden && PARTS.iter().all(|part| path.join(part).exists()) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Removes a cache, unless somebody uses it.
fn remove(folder: &Path) -> Result<bool, CachesError> {
    let failed = |source| CachesError::Remove { path: folder.to_owned(), source };
    let file = File::options().write(true).open(folder.join("lock")).map_err(failed)?;
    let _lock = match LockedFile::try_lock(file) {
        Ok(lock) => lock,
        Err(TryLockError::WouldBlock) => return Ok(false),
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    };
    // Without it nothing else in there is of use: half of a cache is none.
    fs::remove_file(folder.join("map")).map_err(failed)?;
    fs::remove_dir_all(folder).map_err(failed)?;
    Ok(true)
}
