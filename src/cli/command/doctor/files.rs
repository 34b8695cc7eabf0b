//! Files and folders: who may read what, who owns what, and how much room there is.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Check, State};
use crate::base::sizes::file_system_of;
use crate::base::text::megabytes;
use crate::base::users::{shown_user, user_id};
use crate::cli::command::init::SERVICE_USER;
use crate::config::{Config, Finding, ProblemKind};
use crate::net::SecretError;

/// What the names of checks of secrets begin with.
const SECRET: &str = "secret ";
/// With less, nothing can be trusted to end.
const NO_ROOM: u64 = 256 << 20;
/// With less, somebody should make room.
const LITTLE_ROOM: u64 = 2 << 30;
/// The same as a part of the whole, in per cent, of disks that are not so large that it is much anyway.
const LITTLE_PART: u64 = 5;
/// More is never little, in bytes.
const MUCH_ROOM: u64 = 8 << 30;

/// Who the daemon runs as: whoever has its folder; before there is one, the user that a package makes, or we.
pub(super) fn daemon_user(path: &Path, config: &Config) -> u32 {
    let of_state = fs::metadata(&config.daemon.state).ok().map(|found| found.uid());
    let of_package = || user_id(SERVICE_USER).filter(|_| path.starts_with("/etc"));
    of_state.or_else(of_package).unwrap_or_else(us)
}

/// Who we are.
pub(super) fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

pub(super) fn check(path: &Path, config: &Config) -> Vec<Check> {
    let user = daemon_user(path, config);
    let mut checks = vec![who(user)];
    checks.push(configuration(path, user));
    // What mode a secret has is told of with the secret.
    let is_told = |finding: &Finding| {
        matches!(&finding.problem.kind, ProblemKind::Secret { source: SecretError::Exposed { .. } })
    };
    for finding in config.check().into_iter().filter(|finding| !is_told(finding)) {
        let text = format!("{}:{}", path.display(), finding.problem);
        checks.push(match finding.is_unchecked {
            true => Check::skipped("files", text),
            false => Check::wrong("files", text, "the key in that line names it"),
        });
    }
    let mut secrets: Vec<PathBuf> = Vec::new();
    for file in config.named_files().into_iter().filter(|file| file.is_secret) {
        if !secrets.contains(&file.path) {
            checks.extend(secret(&file.path, &file.key, user));
            secrets.push(file.path);
        }
    }
    for (what, folder) in [("state", &config.daemon.state), ("cache", &config.cache)] {
        checks.push(owned(what, folder, user));
        checks.extend(room(what, folder));
    }
    checks
}

/// The names of the checks of secrets that cannot be used as they are.
pub(super) fn exposed(checks: &[Check]) -> Vec<String> {
    let wrong = checks.iter().filter(|check| check.state == State::Wrong);
    let wrong = wrong.filter(|check| check.name.starts_with(SECRET));
    wrong.map(|check| check.name.clone()).collect()
}

/// Who looks: what another user sees is another thing.
fn who(user: u32) -> Check {
    let name = shown_user(user);
    match us() == user {
        true => Check::ok("user", format!("the same as that of the daemon, {name}")),
        false => Check::warning(
            "user",
            format!("we look as {}, and the daemon runs as {name}", shown_user(us())),
            format!("for what the daemon itself can reach: `sudo -u {name} synchroniser doctor`"),
        ),
    }
}

/// Whether `user` may read the file with this metadata, as far as that tells.
fn may_read(found: &Metadata, user: u32) -> bool {
    let mode = found.mode();
    // Whether a user is in the group of a file only the system tells.
    user == 0 || found.uid() == user && mode & 0o400 != 0 || mode & 0o044 != 0
}

fn configuration(path: &Path, user: u32) -> Check {
    match fs::metadata(path) {
        Ok(found) if found.mode() & 0o002 != 0 => Check::wrong(
            "configuration file",
            format!("everybody may change it (mode {:04o})", found.mode() & 0o7777),
            format!("chmod 640 {}", path.display()),
        ),
        Ok(found) if !may_read(&found, user) => Check::wrong(
            "configuration file",
            format!("{} cannot read it (mode {:04o})", shown_user(user), found.mode() & 0o7777),
            format!("chgrp {} {file} && chmod 640 {file}", shown_user(user), file = path.display()),
        ),
        Ok(found) => Check::ok(
            "configuration file",
            format!("of {}, mode {:04o}", shown_user(found.uid()), found.mode() & 0o7777),
        ),
        Err(error) => {
            Check::wrong("configuration file", error.to_string(), "name it with --config")
        }
    }
}

/// A file with a secret. That it is there and is one was looked at before.
fn secret(path: &Path, key: &str, user: u32) -> Option<Check> {
    let name = format!("{SECRET}{}", path.display());
    let found = fs::metadata(path).ok()?;
    let mode = found.mode() & 0o7777;
    if mode & 0o006 != 0 {
        let text = format!("every user of this machine has access to it (mode {mode:04o})");
        return Some(Check::wrong(name, text, format!("chmod 600 {}", path.display())));
    }
    if !may_read(&found, user) {
        let text = format!(
            "it belongs to {}, so the daemon, which runs as {}, cannot read it",
            shown_user(found.uid()),
            shown_user(user)
        );
        let hint = format!("chown {} {}", shown_user(user), path.display());
        return Some(Check::wrong(name, text, hint));
    }
    Some(Check::ok(name, format!("for {key}: of {}, mode {mode:04o}", shown_user(found.uid()))))
}

/// A folder that the daemon writes to.
fn owned(what: &str, folder: &Path, user: u32) -> Check {
    let name = shown_user(user);
    let missing =
        |hint: String| Check::warning(what, format!("{} is not there yet", folder.display()), hint);
    let found = match fs::metadata(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let above = folder.ancestors().skip(1).find_map(|above| fs::metadata(above).ok());
            return match above {
                Some(above) if above.uid() == user || above.mode() & 0o002 != 0 || user == 0 => {
                    Check::ok(what, format!("{} is made by the first start", folder.display()))
                }
                _ => missing(format!("install -d -m 700 -o {name} {}", folder.display())),
            };
        }
        Err(error) => {
            let text = format!("{}: {error}", folder.display());
            return Check::wrong(what, text, format!("look at it as {name}"));
        }
    };
    let mode = found.mode() & 0o7777;
    if !found.is_dir() {
        let hint = format!("name another folder as `{what}` in the configuration");
        return Check::wrong(what, format!("{} is no folder", folder.display()), hint);
    }
    if found.uid() != user {
        let text = format!(
            "{} belongs to {}, and the daemon runs as {name}",
            folder.display(),
            shown_user(found.uid())
        );
        return Check::wrong(what, text, format!("chown -R {name} {}", folder.display()));
    }
    if mode & 0o022 != 0 {
        let text = format!("others may write to {} (mode {mode:04o})", folder.display());
        return Check::wrong(what, text, format!("chmod 700 {}", folder.display()));
    }
    let mut strange = fs::read_dir(folder).into_iter().flatten().flatten();
    let strange = strange.find(|entry| entry.metadata().is_ok_and(|found| found.uid() != user));
    if let Some(strange) = strange {
        let text = format!("{} does not belong to {name}", strange.path().display());
        let hint =
            format!("a command was run as another user: chown -R {name} {}", folder.display());
        return Check::wrong(what, text, hint);
    }
    Check::ok(what, format!("{}: of {name}, mode {mode:04o}", folder.display()))
}

/// How much room there is for a folder.
fn room(what: &str, folder: &Path) -> Option<Check> {
    let found = file_system_of(folder)?;
    let name = format!("disk of {what}");
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let all = found.f_blocks.saturating_mul(found.f_frsize).max(1);
    let text = format!("{} free of {}", megabytes(free), megabytes(all));
    let hint =
        "make room: `synchroniser caches` shows what each cache takes, and removes unused ones";
    if found.f_files > 0 && found.f_favail == 0 {
        return Some(Check::wrong(name, "no inode is free for another file", hint));
    }
    Some(match free {
        free if free < NO_ROOM => Check::wrong(name, text, hint),
        free if free < LITTLE_ROOM
            || free < MUCH_ROOM && free.saturating_mul(100) / all < LITTLE_PART =>
        {
            Check::warning(name, text, hint)
        }
        _ => Check::ok(name, text),
    })
}
