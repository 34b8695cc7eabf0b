//! libgit2's process-wide settings, made once and before anything else uses it.
//!
//! libgit2 is a C library with global options. Left alone it reads the host's Git configuration
//! from `/etc` and the home folder and waits for a silent server for as long as the kernel does;
//! both would make a sync depend on things no operator wrote down. What is *not* changed here: the
//! strict checking of object hashes stays on, and so does the check that a repository belongs to
//! the user we run as (Git does the same, and nothing of ours needs another user's repository).

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use git2::ConfigLevel;

use crate::base::faults;

/// What libgit2 is told once for the whole process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitSettings {
    /// How long connecting to a server may take.
    pub connect_timeout: Duration,
    /// How long a connected server may stay silent. It is not a bound on a whole push: a server
    /// that unpacks for minutes sends keep-alives meanwhile.
    pub server_timeout: Duration,
    /// Certificates (PEM) that are trusted beside those of the system, for a private authority.
    pub ca_file: Option<PathBuf>,
}

impl Default for GitSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(30),
            server_timeout: Duration::from_mins(5),
            ca_file: None,
        }
    }
}

/// Why libgit2 could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The certificates cannot be read or are none.
    #[error("read certificates from {}", path.display())]
    CaFile {
        /// The file in question.
        path: PathBuf,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// libgit2 does not accept an option.
    #[error("set libgit2's {option}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// The settings differ from those that are in force.
    #[error("change libgit2's settings while it is in use")]
    AlreadyInitialised,
}

faults!(InitError {
    Self::CaFile { .. } => {
        Config.hint("the file must hold certificates in PEM form and be readable")
    },
    Self::Option { .. } | Self::AlreadyInitialised => Internal,
});

/// The settings in force, once there are some.
static IN_FORCE: Mutex<Option<GitSettings>> = Mutex::new(None);

/// What libgit2 may keep of parsed commits and trees, in bytes; its own default is 256 MiB.
const OBJECT_CACHE: isize = 64 << 20;

/// Sets libgit2 up for this process. The program does it first thing, before it has other threads,
/// because libgit2 also looks for the system's certificates then and notes them in the environment.
///
/// The same settings again are no error; different ones are. Without a call the first use of Git
/// sets it up with [`GitSettings::default`].
pub fn init(settings: &GitSettings) -> Result<(), InitError> {
    let mut in_force = IN_FORCE.lock().unwrap_or_else(PoisonError::into_inner);
    match in_force.as_ref() {
        Some(current) if current == settings => return Ok(()),
        Some(_) => return Err(InitError::AlreadyInitialised),
        None => apply(settings)?,
    }
    *in_force = Some(settings.clone());
    Ok(())
}

/// Makes sure that libgit2 is set up. Everything in this layer that opens a repository or a
/// connection comes through here first.
pub fn ensure() -> Result<(), InitError> {
    let mut in_force = IN_FORCE.lock().unwrap_or_else(PoisonError::into_inner);
    if in_force.is_none() {
        let settings = GitSettings::default();
        apply(&settings)?;
        *in_force = Some(settings);
    }
    Ok(())
}

/// Milliseconds as libgit2 wants them.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// Gives libgit2 its settings. Called once, under the lock of [`IN_FORCE`].
#[expect(unsafe_code, reason = "libgit2's options are plain globals of a C library")]
fn apply(settings: &GitSettings) -> Result<(), InitError> {
    let named = |option| move |source| InitError::Option { option, source };
    // SAFETY: these functions write globals of libgit2 that its other functions read without a
    // lock, so they must not run at the same time as any of those. They do not: the caller holds
    // the lock of `IN_FORCE` and has found it empty, and all of this crate's ways into libgit2
    // that read these globals (open, create, connect) first take that lock in `ensure` and find it
    // filled. Nothing here keeps a pointer: libgit2 copies the strings.
    unsafe {
        for level in [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG] {
            git2::opts::set_search_path(level, "").map_err(named("configuration search path"))?;
        }
        git2::opts::set_server_connect_timeout_in_milliseconds(milliseconds(
            settings.connect_timeout,
        ))
        .map_err(named("connect timeout"))?;
        git2::opts::set_server_timeout_in_milliseconds(milliseconds(settings.server_timeout))
            .map_err(named("server timeout"))?;
        git2::opts::set_cache_max_size(OBJECT_CACHE).map_err(named("object cache size"))?;
        if let Some(path) = &settings.ca_file {
            git2::opts::set_ssl_cert_file(path)
                .map_err(|source| InitError::CaFile { path: path.clone(), source })?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_is_enough_and_others_come_too_late() {
        ensure().unwrap();
        init(&GitSettings::default()).unwrap();
        let other = GitSettings { connect_timeout: Duration::from_secs(1), ..Default::default() };
        assert!(matches!(init(&other), Err(InitError::AlreadyInitialised)));
    }

    #[test]
    fn the_hosts_configuration_is_out_of_reach() {
        ensure().unwrap();
        let config = git2::Config::open_default().unwrap();
        assert_eq!(config.entries(None).unwrap().next().map(|entry| entry.is_ok()), None);
    }
}
