//! The daemon: whether it runs, answers, and is told of pushes.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

use super::Check;
use super::files::us;
use crate::base::Interrupt;
use crate::base::users::shown_user;
use crate::cli::args::DoctorArgs;
use crate::cli::client::Client;
use crate::cli::post::{Post, post};
use crate::config::{Config, HookEndpoint};
use crate::hook::SchemeKind;
use crate::service::view::{MirrorList, NodeState, Overview};

/// How long the daemon may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The schedule moves every few seconds.
const OLD_BEAT: Duration = Duration::from_mins(2);

pub(super) fn check(args: &DoctorArgs, config: &Config) -> Vec<Check> {
    let mut checks = Vec::new();
    let socket = args.daemon.socket.clone().or_else(|| config.daemon.socket.clone());
    let overview = match socket {
        None => {
            checks.push(Check::skipped("daemon", "the configuration gives it no admin socket"));
            None
        }
        Some(socket) => match Client::at(&socket).get::<Overview>("/api/v1/overview") {
            Ok(overview) => {
                checks.push(running(&overview));
                checks.extend(workers(&overview));
                checks.extend(same_mirrors(&Client::at(&socket), config));
                Some(overview)
            }
            Err(error) => {
                checks.push(no_answer(&error, &socket));
                None
            }
        },
    };
    checks.push(port(config.daemon.listen, overview.is_some()));
    checks.extend(hooks(config));
    checks
}

fn running(overview: &Overview) -> Check {
    let version = env!("CARGO_PKG_VERSION");
    if overview.now.since(overview.beat) > OLD_BEAT {
        return Check::wrong(
            "daemon",
            format!("it answers, and its schedule has not moved since {}", overview.beat),
            "its log says why: `journalctl -u synchroniser`; then `systemctl restart synchroniser`",
        );
    }
    if overview.version != version {
        return Check::warning(
            "daemon",
            format!("it is version {}, and this program {version}", overview.version),
            "systemctl restart synchroniser",
        );
    }
    let (running, waiting) = (overview.running, overview.waiting);
    Check::ok("daemon", format!("it answers: {running} running, {waiting} waiting"))
}

/// Whether any daemon syncs, where several share the queue.
fn workers(overview: &Overview) -> Option<Check> {
    if overview.nodes.is_empty() {
        return None;
    }
    let fix = "start a daemon with the role \"work\" or \"all\" (`daemon.role`, or `synchroniser serve --role`)";
    if overview.no_worker {
        return Some(Check::wrong("nodes", "none that is there syncs: what is due waits", fix));
    }
    let there = overview.nodes.iter().filter(|node| node.state == NodeState::Working).count();
    Some(Check::ok("nodes", format!("{there} of {} are there", overview.nodes.len())))
}

/// Whether the daemon has the mirrors that the configuration has now.
fn same_mirrors(client: &Client, config: &Config) -> Option<Check> {
    let theirs: MirrorList = client.get("/api/v1/mirrors?count=1000").ok()?;
    // More than a page: only as many as were told can be compared.
    let last = theirs.next.clone();
    let theirs: Vec<_> = theirs.mirrors.iter().map(|mirror| mirror.name.as_str()).collect();
    let ours = config.mirrors.iter().map(|mirror| mirror.mirror.name.as_str());
    let is_told = |name: &&str| last.as_deref().is_none_or(|last| *name <= last);
    let missing: Vec<_> = ours.filter(is_told).filter(|name| !theirs.contains(name)).collect();
    match missing.as_slice() {
        [] => None,
        missing => Some(Check::wrong(
            "daemon",
            format!("it does not know {}: it runs with an older configuration", missing.join(", ")),
            "systemctl reload synchroniser",
        )),
    }
}

fn no_answer(error: &crate::cli::client::ClientError, socket: &std::path::Path) -> Check {
    let owner = std::fs::metadata(socket).ok().map(|found| found.uid());
    match owner {
        Some(owner) if owner != us() && !rustix::process::geteuid().is_root() => {
            let mut check = Check::failed("daemon", error);
            let name = shown_user(owner);
            check.hint = Some(format!("look as {name}: `sudo -u {name} synchroniser doctor`"));
            check
        }
        _ => Check::failed("daemon", error),
    }
}

/// Whether the daemon, and nobody else, listens where hooks arrive.
fn port(listen: SocketAddr, is_running: bool) -> Check {
    if listen.port() == 0 {
        return Check::skipped("port", "`listen` leaves it to the system");
    }
    let name = format!("port {listen}");
    let reached = match listen.ip() {
        ip if ip.is_unspecified() && ip.is_ipv4() => {
            SocketAddr::new([127, 0, 0, 1].into(), listen.port())
        }
        ip if ip.is_unspecified() => {
            SocketAddr::new(std::net::Ipv6Addr::LOCALHOST.into(), listen.port())
        }
        _ => listen,
    };
    // What is not there is answered so by the daemon and by nobody else, without being counted as a hook.
    let knock = Post { target: "/healthz".to_owned(), headers: Vec::new(), body: b"" };
    let knocked = post(reached, &knock, Some(PATIENCE), &Interrupt::default());
    match (knocked, is_running) {
        (Ok(_), true) => Check::ok(name, "the daemon answers there"),
        (Ok(_), false) => Check::warning(
            name,
            "something answers there, and it is not known whether it is the daemon",
            "if it is another program, give the daemon another `listen`",
        ),
        (Err(error), true) => Check::failed(name, &error),
        (Err(_), false) => match TcpListener::bind(listen) {
            Ok(_) => Check::ok(name, "free for the daemon"),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Check::wrong(
                name,
                "another program has it",
                "give the daemon another `listen`, or stop what `ss -ltnp` shows there",
            ),
            Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable => Check::wrong(
                name,
                "this machine has no such address",
                "give the daemon another `listen`",
            ),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Check::warning(
                name,
                "only root may listen there",
                "give the daemon a port above 1023, and put a web server in front of it",
            ),
            Err(error) => Check::wrong(name, error.to_string(), "give the daemon another `listen`"),
        },
    }
}

fn hooks(config: &Config) -> Vec<Check> {
    if config.hooks.is_empty() {
        return vec![Check::warning(
            "hooks",
            "no endpoint takes any: a push is found by the schedule alone",
            "add a table [hooks.NAME]; docs/hooks.md has one for each forge",
        )];
    }
    config.hooks.iter().map(|endpoint| hook(endpoint, config)).collect()
}

fn hook(endpoint: &HookEndpoint, config: &Config) -> Check {
    let name = format!("hooks at /hook/{}", endpoint.path);
    let is_open = endpoint.is_open() && endpoint.networks.is_empty();
    if is_open && !config.daemon.listen.ip().is_loopback() {
        return Check::warning(
            name,
            "whoever reaches them may ask for syncs: no secret, no `networks`",
            "give the endpoint a `secret_file`, or say in `networks` who may send",
        );
    }
    let usual = endpoint.format.offers().next().map(|offer| offer.kind);
    let is_key = usual.is_some_and(SchemeKind::has_public_keys);
    let proven = match (endpoint.is_open(), is_key) {
        (true, _) => "taken from its networks without a secret",
        (false, true) => "proven by a key of the forge",
        (false, false) => "proven by a secret",
    };
    Check::ok(name, format!("{}, {proven}", endpoint.format.title))
}
