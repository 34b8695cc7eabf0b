//! `convert`: one repository into one bare repository, with nothing to configure.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Outcome, interrupted_by_signals, report};
use crate::base::faults;
use crate::base::text::megabytes;
use crate::cli::args::ConvertArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::convert::Verify;
use crate::git::ObjectId;
use crate::hg::Node;
use crate::mirror::{self, CacheLocation, Compact, Compacted, Mirror, PublishRules, SyncError};

/// Why `convert` fails.
#[derive(Debug, thiserror::Error)]
enum ConvertCommandError {
    /// The conversion did not get there.
    #[error("convert {} into {}", from.display(), to.display())]
    Convert {
        from: PathBuf,
        to: PathBuf,
        #[source]
        source: SyncError,
    },
    /// Converted, but the list of commits cannot be written.
    #[error("write the map {}", path.display())]
    Map {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

faults!(ConvertCommandError {
    // The target is what a mirror has as its cache.
    Self::Convert { source, .. } => match source {
        SyncError::Git(_)
        | SyncError::Identity(_)
        | SyncError::Map(_)
        | SyncError::Placeholders(_)
        | SyncError::References(_) => Diagnosis { side: Some(Target), ..of(source) },
        _ => of(source),
    },
    Self::Map { source, .. } => io(source),
});

pub(super) fn run(args: &ConvertArgs, ui: &Ui) -> Outcome {
    let mut options = args.conversion.options()?;
    options.skip_damaged = args.skip_damaged;
    options.allow_empty = args.allow_empty;
    options.verify = if args.verify { Verify::New } else { Verify::Off };
    let mirror = Mirror {
        name: args.target.display().to_string(),
        source: args.source.way.source(&args.source.written)?,
        cache: CacheLocation::Repository(args.target.clone()),
        target: None,
        forge: None,
        options,
        publish: PublishRules::default(),
    };
    let failed = |source| ConvertCommandError::Convert {
        from: args.source.written.clone(),
        to: args.target.clone(),
        source,
    };
    let interrupt = interrupted_by_signals(ui)?;
    let report = mirror::sync(&mirror, ui, &interrupt).map_err(failed)?;
    if let Some(path) = &args.map {
        let commits = mirror::commits(&mirror).map_err(failed)?;
        write_map(path, &commits)
            .map_err(|source| ConvertCommandError::Map { path: path.clone(), source })?;
    }
    report::say(ui, &mirror.name, &report);
    if args.compact {
        let (cache, options) = (&mirror.cache, &mirror.options);
        let compacted = mirror::compact(cache, Compact::All, options, ui, &interrupt);
        if let Some(Compacted { objects, before, after, .. }) = compacted.map_err(failed)? {
            let (name, before, after) = (&mirror.name, megabytes(before), megabytes(after));
            ui.say(&format!("{name}: {objects} objects compacted, from {before} to {after}"));
        }
    }
    Ok(exit::OK)
}

/// Writes lines of `<commit id> <node>`, the form of hg-git's git-mapfile.
pub(super) fn write_map(path: &Path, commits: &[(Node, ObjectId)]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for (node, id) in commits {
        writeln!(file, "{id} {node}")?;
    }
    file.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_has_the_form_of_a_git_mapfile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("map");
        let record = (Node::from_bytes([0x11; 20]), ObjectId::from_bytes([0x22; 20]));
        write_map(&path, &[record]).unwrap();
        let expected = format!("{} {}\n", "22".repeat(20), "11".repeat(20));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }
}
