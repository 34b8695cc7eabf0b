//! libgit2's process-wide settings, made once and before anything else uses it.
//!
//! libgit2 is a C library with global options. Left alone it reads the host's Git configuration
//! from `/etc` and the home folder and makes its own connections, with certificates and times that
//! are the same for all; both would make a sync depend on things no operator wrote down. What is *not* changed here: the
//! strict checking of object hashes stays on, and so does the check that a repository belongs to
//! the user we run as (Git does the same, and nothing of ours needs another user's repository).

use std::sync::{Mutex, PoisonError};

use git2::ConfigLevel;

use super::destination::register_streams;
use crate::base::faults;

/// Why libgit2 could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// libgit2 does not accept an option.
    #[error("set libgit2's {option}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// What libgit2 says.
        #[source]
        source: git2::Error,
    },
    /// This is another release of libgit2 than the one that we give connections to.
    #[error("use libgit2 {major}.{minor}: its connections may differ from those of 1.9")]
    Release {
        /// The first part of its version.
        major: u32,
        /// The second.
        minor: u32,
    },
}

faults!(InitError {
    Self::Option { .. } => Internal,
    Self::Release { .. } => Unsupported.hint("build with the libgit2 that comes with git2"),
});

/// Whether it is done.
static DONE: Mutex<bool> = Mutex::new(false);

/// What libgit2 may keep of parsed commits and trees, in bytes; its own default is 256 MiB.
const OBJECT_CACHE: isize = 64 << 20;

/// Makes sure that libgit2 is set up. Everything in this layer that opens a repository or a
/// connection comes through here first.
pub fn ensure() -> Result<(), InitError> {
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !*done {
        apply()?;
        *done = true;
    }
    Ok(())
}

/// Gives libgit2 its settings. Called once, under the lock of [`DONE`].
#[expect(unsafe_code, reason = "libgit2's options are plain globals of a C library")]
fn apply() -> Result<(), InitError> {
    let named = |option| move |source| InitError::Option { option, source };
    // SAFETY: these functions write globals of libgit2 that its other functions read without a
    // lock, so they must not run at the same time as any of those. They do not: the caller holds
    // the lock of `DONE` and has found it unset, and all of this crate's ways into libgit2
    // that read these globals (open, create, connect) first take that lock in `ensure` and find it
    // set. Nothing here keeps a pointer: libgit2 copies the strings.
    unsafe {
        for level in [ConfigLevel::System, ConfigLevel::Global, ConfigLevel::XDG] {
            git2::opts::set_search_path(level, "").map_err(named("configuration search path"))?;
        }
        git2::opts::set_cache_max_size(OBJECT_CACHE).map_err(named("object cache size"))?;
    }
    match register_streams() {
        Ok(0..) => Ok(()),
        Ok(_) => Err(named("streams")(git2::Error::last_error(-1))),
        Err((major, minor)) => Err(InitError::Release { major, minor }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_configuration_is_out_of_reach() {
        ensure().unwrap();
        let config = git2::Config::open_default().unwrap();
        assert_eq!(config.entries(None).unwrap().next().map(|entry| entry.is_ok()), None);
    }
}
