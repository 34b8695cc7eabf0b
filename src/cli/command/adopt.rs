//! `adopt`: continues a mirror that another tool made.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::convert::write_map;
use super::report::{self, count};
use super::{Outcome, config, interrupted_by_signals};
use crate::base::faults;
use crate::cli::args::AdoptArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::convert::idmap::Record;
use crate::convert::mapfiles::{MapFileError, fast_export, git_mapfile};
use crate::mirror::{self, CacheLocation, Mirror, PublishRules, SyncError};

/// Why `adopt` fails, apart from its configuration.
#[derive(Debug, thiserror::Error)]
enum AdoptCommandError {
    /// No mirror has this name.
    #[error("find the mirror {name}: the configuration has no such mirror")]
    Unknown { name: String },
    /// A file cannot be read or written.
    #[error("use the file {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The state files of another tool are malformed.
    #[error("read the map of another tool")]
    State(#[from] MapFileError),
    /// The mirror cannot be adopted.
    #[error("adopt the history of {name}")]
    Adopt {
        name: String,
        #[source]
        source: SyncError,
    },
}

faults!(AdoptCommandError {
    Self::Unknown { .. } => {
        Config.hint("name a mirror, or a Mercurial repository and a bare Git repository")
    },
    Self::File { source, .. } => io(source),
    Self::State(source) => of(source),
    Self::Adopt { source, .. } => of(source),
});

pub(super) fn run(args: &AdoptArgs, ui: &Ui) -> Outcome {
    let given = given(args)?;
    let interrupt = interrupted_by_signals(ui)?;
    let mirror = if let Some(target) = &args.target {
        Mirror {
            name: target.display().to_string(),
            source: args.way.source(Path::new(&args.place))?,
            cache: CacheLocation::Repository(target.clone()),
            target: None,
            forge: None,
            options: args.conversion.options()?,
            publish: PublishRules::default(),
        }
    } else {
        let config = config::load(&args.config.config)?;
        let found = config.find(&args.place).ok();
        let name = args.place.clone();
        found.ok_or(AdoptCommandError::Unknown { name })?.ready()?
    };
    let name = &mirror.name;
    let adopted = mirror::adopt(&mirror, &given, ui, &interrupt)
        .map_err(|source| AdoptCommandError::Adopt { name: name.clone(), source })?;
    // The stages are told before what came of them.
    ui.abandon();
    if let Some(path) = &args.export_map {
        write_map(path, &adopted.commits)
            .map_err(|source| AdoptCommandError::File { path: path.clone(), source })?;
    }
    ui.say(&format!(
        "{name}: {} of {} have a commit; the identity is {}",
        adopted.commits.len(),
        count(adopted.changesets as u64, "changeset", "changesets"),
        adopted.identity,
    ));
    for note in &adopted.notes {
        ui.say(&report::note_line(note));
    }
    Ok(exit::OK)
}

/// What the other tool remembers.
fn given(args: &AdoptArgs) -> Result<Vec<Record>, AdoptCommandError> {
    if let Some(map) = &args.hg_git_map {
        return Ok(git_mapfile(&read(map)?)?);
    }
    let (mapping, marks) = match (&args.fast_export, &args.mapping, &args.marks) {
        (Some(prefix), _, _) => (ending(prefix, "-mapping"), ending(prefix, "-marks")),
        (None, Some(mapping), Some(marks)) => (mapping.clone(), marks.clone()),
        _ => return Ok(Vec::new()),
    };
    Ok(fast_export(&read(&mapping)?, &read(&marks)?)?)
}

/// `prefix` with `end` after its last name.
fn ending(prefix: &Path, end: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn read(path: &Path) -> Result<Vec<u8>, AdoptCommandError> {
    fs::read(path).map_err(|source| AdoptCommandError::File { path: path.to_owned(), source })
}
