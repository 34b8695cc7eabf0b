//! `mirror`: one sync of one source to one target, with nothing to configure.

use std::path::{Path, PathBuf};

use super::{Outcome, interrupted_by_signals, report};
use crate::base::{faults, hex, sha1};
use crate::cli::args::MirrorArgs;
use crate::cli::exit;
use crate::cli::flag_hints::in_flags;
use crate::cli::ui::Ui;
use crate::config::TypedError;
use crate::convert::Verify;
use crate::git::destination::Target;
use crate::mirror::{CacheLocation, Mirror, SyncError};

/// Why `mirror` fails.
#[derive(Debug, thiserror::Error)]
enum MirrorCommandError {
    /// There is no place for what is converted.
    #[error("choose a folder for what is converted: neither XDG_CACHE_HOME nor HOME is set")]
    NoCache,
    /// An end cannot be what was typed.
    #[error(transparent)]
    Typed(#[from] TypedError),
    /// The sync did not get there.
    #[error("mirror {from} to {to}")]
    Sync {
        from: String,
        to: String,
        #[source]
        source: SyncError,
    },
}

faults!(MirrorCommandError {
    Self::NoCache => Config.at(Here).hint("name one with --cache"),
    Self::Typed(error) => in_flags::<MirrorArgs>(of(error)),
    Self::Sync { source, .. } => in_flags::<MirrorArgs>(of(source)),
});

pub(super) fn run(args: &MirrorArgs, ui: &Ui) -> Outcome {
    let mut options = args.conversion.options()?;
    options.verify = Verify::New;
    args.run.apply_to(&mut options);
    let source = args.source.way.source(&args.source.written).map_err(MirrorCommandError::from)?;
    let (target, forge) = args.target_way.target(&args.target).map_err(MirrorCommandError::from)?;
    let folder = match &args.cache {
        Some(folder) => absolute(folder),
        None => cache_below(&user_cache().ok_or(MirrorCommandError::NoCache)?, args, &target),
    };
    let mirror = Mirror {
        name: target.url.to_string(),
        source,
        cache: CacheLocation::Folder(folder),
        target: Some(target),
        forge,
        options,
        publish: args.publish.rules(),
    };
    let interrupt = interrupted_by_signals(ui)?;
    report::sync_and_say(ui, &mirror, &interrupt).map_err(|source| {
        let (from, to) = (args.source.written.display().to_string(), mirror.name.clone());
        MirrorCommandError::Sync { from, to, source }
    })?;
    Ok(exit::OK)
}

/// The folder for what programs can make again, of the user who runs this.
fn user_cache() -> Option<PathBuf> {
    let named = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|p| p.is_absolute());
    named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")))
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The folder of this source and this target below `folder`: its name says which target it is for.
fn cache_below(folder: &Path, args: &MirrorArgs, target: &Target) -> PathBuf {
    let written = &args.source.written;
    let is_address = written.to_str().is_some_and(|text| text.contains("://"));
    let source = if is_address { written.clone() } else { absolute(written) };
    let target = match target.url.local_path() {
        Some(path) => absolute(path).display().to_string(),
        None => target.url.to_string(),
    };
    let both = format!("{}\n{target}", source.display());
    let digest = hex::encode(&sha1::digest(&[both.as_bytes()]));
    let name = target.rsplit(['/', ':']).find(|part| !part.is_empty()).unwrap_or_default();
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.trim_end_matches(".git").chars().filter(plain).take(40).collect();
    folder.join("synchroniser").join(format!("{name}-{}", digest.get(..12).unwrap_or_default()))
}
