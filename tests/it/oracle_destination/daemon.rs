//! `git daemon`, which speaks without encryption, and asks nobody who they are.

use super::*;
use crate::support::env::program;

struct Daemon {
    repositories: Repositories,
    port: u16,
    #[expect(dead_code, reason = "ends the server when it is dropped")]
    server: Server,
}

impl Daemon {
    /// Starts one; `None` where that is not possible, after saying why.
    fn start() -> Option<Self> {
        let git = program("git")?;
        let (repositories, port) = (Repositories::new(), free_port());
        // Not `git daemon`, which would start this, and leave it behind.
        let folder = run(command(git).arg("--exec-path"));
        let mut daemon = command(Path::new(folder.trim_end()).join("git-daemon"));
        daemon.args(["--enable=receive-pack", "--export-all", "--reuseaddr"]);
        daemon.args(["--listen=127.0.0.1", &format!("--port={port}")]);
        daemon.arg(format!("--base-path={}", repositories.folder.path().display()));
        let server = Server::start(daemon.stderr(Stdio::null()), port);
        Some(Self { repositories, port, server })
    }

    fn target(&self, name: &str) -> Target {
        let url = format!("git://127.0.0.1:{}/{name}", self.port);
        Target { url: TargetUrl::parse(&url, PlainHttp::Allow).unwrap(), access: Access::default() }
    }

    fn place(&self, name: &str) -> Place {
        Place { target: self.target(name), repository: self.repositories.path(name) }
    }
}

#[test]
fn keeps_the_contract() {
    let Some(daemon) = Daemon::start() else { return };
    contract(&|| daemon.place(&daemon.repositories.make()));
    refusals(&daemon.repositories, &|name| daemon.place(name));
    fsck(&daemon.repositories);
}

#[test]
fn what_is_not_there() {
    let Some(daemon) = Daemon::start() else { return };
    let (fault, error) = failure(daemon.target("missing.git"));
    assert!(
        matches!(error, PublishError::Denied { .. } | PublishError::Missing { .. }),
        "{error:?}"
    );
    assert_eq!(fault, Fault::Auth);
    let url = format!("git://127.0.0.1:{}/x", free_port());
    let url = TargetUrl::parse(&url, PlainHttp::Allow).unwrap();
    let (fault, error) = failure(Target { url, ..daemon.target("x") });
    assert!(matches!(error, PublishError::Unreachable { .. }), "{error:?}");
    assert_eq!(fault, Fault::Unavailable);
}

/// A hook that hangs is waited for as long as is configured, though the server says all the while that
/// it is still there; and not at all after an interrupt.
#[test]
fn a_hook_that_hangs() {
    let Some(daemon) = Daemon::start() else { return };
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { connect: 10 * second, first_byte: 3 * second, idle: 2 * second };
    let name = daemon.repositories.make();
    daemon.repositories.hook(&name, "pre-receive", "sleep 15; exit 1");
    daemon.repositories.configure(&name, "receive.keepAlive", "1");
    let mut place = daemon.place(&name);
    place.target.access.timeouts = timeouts;
    let start = Instant::now();
    let error = publish_two(&place).unwrap_err();
    assert_eq!(error.fault(), Fault::Unavailable, "{error:?}");
    assert!(said(&error).contains("the answer"), "{}", said(&error));
    assert!((3 * second..9 * second).contains(&start.elapsed()), "{:?}", start.elapsed());

    let history = History::new();
    let update =
        RefUpdate { name: MASTER.to_owned(), old: None, new: Some(history.commit("a", &[])) };
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let thread = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(1));
        raised.raise();
    });
    let start = Instant::now();
    let mut opened = destination::open(&daemon.target(&name), &history.path()).unwrap();
    let error = opened.push(&[update], &NoProgress, &interrupt).unwrap_err();
    assert!(matches!(error, PublishError::Interrupted(_)), "{error:?}");
    assert!(start.elapsed() < 4 * second, "{:?}", start.elapsed());
    thread.join().unwrap();
}
