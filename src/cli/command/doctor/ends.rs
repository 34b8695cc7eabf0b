//! Both ends of each mirror, with their credentials, and what they need of this machine.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::Check;
use crate::base::{HasFault, Interrupt};
use crate::cli::command::sync;
use crate::cli::probe;
use crate::config::MirrorConfig;
use crate::hg::pull::Source;
use crate::mirror::Mirror;
use crate::net::url::{Location, Scheme};

/// So many mirrors are looked at beside each other: most of the time is spent on waiting for servers.
const TOGETHER: usize = 8;

/// Looks at all of them, several at the same time; `tell` hears of each check in the order of the mirrors, as soon
/// as it is known.
pub(super) fn check(
    mirrors: &[&MirrorConfig],
    is_offline: bool,
    tell: &(dyn Fn(&Check) + Sync),
    interrupt: &Interrupt,
) -> Vec<Check> {
    let mut first: Vec<_> = ssh(mirrors).into_iter().collect();
    first.iter().for_each(tell);
    let next = AtomicUsize::new(0);
    let found = Mutex::new((Vec::new(), BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..TOGETHER.min(mirrors.len()) {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(mirror) = mirrors.get(place).filter(|_| !interrupt.is_raised()) else {
                        return;
                    };
                    let of_mirror = of_mirror(mirror, is_offline, interrupt);
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    let (told, waiting) = &mut *found;
                    waiting.insert(place, of_mirror);
                    while let Some(checks) = waiting.remove(&told.len()) {
                        checks.iter().for_each(tell);
                        told.push(checks);
                    }
                }
            });
        }
    });
    let (told, _) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    first.extend(told.into_iter().flatten());
    first
}

/// The program that sources over SSH are reached with.
fn ssh(mirrors: &[&MirrorConfig]) -> Option<Check> {
    let over_ssh = |mirror: &&&MirrorConfig| matches!(&mirror.mirror.source, Source::Server { url, .. } if url.scheme == Scheme::Ssh);
    mirrors.iter().find(over_ssh)?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found =
        std::env::split_paths(&path).map(|folder| folder.join("ssh")).find(|it| it.is_file());
    Some(match found {
        Some(program) => Check::ok("ssh", program.display().to_string()),
        None => Check::wrong(
            "ssh",
            "a source is reached over SSH, and there is no program `ssh`",
            "install OpenSSH's client: `apt install openssh-client`, or `dnf install openssh-clients`",
        ),
    })
}

fn of_mirror(mirror: &MirrorConfig, is_offline: bool, interrupt: &Interrupt) -> Vec<Check> {
    let name = &mirror.mirror.name;
    let mirror = match sync::ready(mirror) {
        Ok(mirror) => mirror,
        Err(error) => return vec![Check::failed(format!("mirror {name}"), &error)],
    };
    let (source, target) = (format!("source of {name}"), format!("target of {name}"));
    let mut checks = Vec::new();
    checks.push(match is_offline && matches!(mirror.source, Source::Server { .. }) {
        true => Check::skipped(source, format!("{}: --offline", mirror.source)),
        false => found(source, &mirror.source.to_string(), probe::source(&mirror, interrupt)),
    });
    let Mirror { target: Some(to), .. } = &mirror else { return checks };
    let is_here = matches!(to.url.location(), Location::Path(_));
    checks.push(match is_offline && !is_here {
        true => Check::skipped(target, format!("{}: --offline", to.url)),
        false => found(target, &to.url.to_string(), probe::target(to, interrupt)),
    });
    checks
}

fn found<E: HasFault>(check: String, place: &str, probed: Result<String, E>) -> Check {
    match probed {
        Ok(found) => Check::ok(check, format!("{place}: {found}")),
        Err(error) => Check::failed(check, &error),
    }
}
