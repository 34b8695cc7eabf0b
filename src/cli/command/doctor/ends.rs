//! Both ends of each mirror, with their credentials, and what they need of this machine.

use super::{Check, State};
use crate::base::{Interrupt, Side};
use crate::config::{Config, MirrorConfig};
use crate::hg::pull::Source;
use crate::net::url::{Location, Scheme};
use crate::service::{EndCheck, check_online};

/// So many mirrors are looked at before they are told of.
const TOGETHER: usize = 32;

/// Looks at all of them, several at the same time. What is wrong with one of the checks called `exposed`, of secrets, is
/// not told again; `tell` hears of what was found in the order of the mirrors.
pub(super) fn check(
    config: &Config,
    mirrors: &[&MirrorConfig],
    exposed: &[String],
    is_offline: bool,
    tell: &dyn Fn(&Check),
    interrupt: &Interrupt,
) -> Vec<Check> {
    let mut found: Vec<_> = ssh(mirrors).into_iter().collect();
    found.extend(mirrors.iter().filter_map(|mirror| authors(mirror)));
    found.iter().for_each(tell);
    let (here, away): (Vec<&MirrorConfig>, Vec<_>) =
        mirrors.iter().copied().partition(|mirror| !is_offline || is_here(mirror));
    for some in here.chunks(TOGETHER) {
        if interrupt.is_raised() {
            break;
        }
        for end in check_online(some, &config.schedule, interrupt) {
            let check = shown(end, exposed);
            tell(&check);
            found.push(check);
        }
    }
    for mirror in away {
        let name = format!("mirror {}", mirror.mirror.name);
        let check = Check::skipped(name, "it is not on this machine: --offline");
        tell(&check);
        found.push(check);
    }
    found
}

/// What is told of patterns that stand for more than the mirrors they name in full.
pub(super) fn not_named(config: &Config) -> Vec<Check> {
    let patterns = config.patterns().filter(|pattern| pattern.has_wildcards());
    let checks = patterns.map(|pattern| {
        let name = pattern.name();
        let found = format!(
            "what its `allow` does not name in full is looked at where you name it: `synchroniser doctor {name}/NAME`"
        );
        Check::skipped(format!("pattern {name}"), found)
    });
    checks.collect()
}

/// Whether both ends are on this machine.
fn is_here(mirror: &MirrorConfig) -> bool {
    let target = mirror.mirror.target.as_ref().map(|target| target.url.location());
    matches!(mirror.mirror.source, Source::Path(_))
        && matches!(target, None | Some(Location::Path(_)))
}

/// An author map that cannot be used keeps every sync from its mirror.
fn authors(mirror: &MirrorConfig) -> Option<Check> {
    let name = &mirror.mirror.name;
    mirror.ready().err().map(|error| Check::failed(format!("author map of {name}"), &error))
}

fn shown(end: EndCheck, exposed: &[String]) -> Check {
    let EndCheck { mirror, side, address, refs, to_be_made, failure } = end;
    let name = format!("{} of {mirror}", side.name());
    let Some(failure) = failure else {
        let found = match (side, refs) {
            (Side::Target, Some(0)) => "it is empty".to_owned(),
            (Side::Target, Some(1)) => "it has one ref".to_owned(),
            (Side::Target, Some(refs)) => format!("it has {refs} refs"),
            (Side::Target, None) if to_be_made => "the first sync makes it".to_owned(),
            _ => "it answers".to_owned(),
        };
        return Check::ok(name, format!("{address}: {found}"));
    };
    if let Some(secret) =
        exposed.iter().find(|secret| failure.message.contains(secret.trim_start_matches("secret ")))
    {
        return Check::skipped(
            name,
            format!("{address}: not tried, as the {secret} is not as it should be"),
        );
    }
    let message = format!("{address}: {}", failure.message);
    Check { hint: failure.hint, fault: failure.fault, ..Check::new(name, State::Wrong, message) }
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
