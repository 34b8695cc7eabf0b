//! `git daemon`, which speaks without encryption, and asks nobody who they are.

use super::*;
use crate::support::env::program;
use crate::support::{TestEnv, skip};

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
        Target::new(TargetUrl::parse(&url, PlainHttp::Allow).unwrap(), Access::default())
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

/// Bytes that nothing makes smaller, as text.
fn noise(seed: u64, length: usize) -> String {
    let mut state = seed;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(33 + u8::try_from((state >> 33) % 90).unwrap())
    };
    (0..length).map(|_| next()).collect()
}

/// A history that is larger than the server takes at once goes there in parts, and all of it arrives.
#[test]
fn a_large_history_goes_in_parts() {
    let Some(daemon) = Daemon::start() else { return };
    let history = History::new();
    let mut line = vec![history.commit("root", &[])];
    for seed in 1..=10 {
        let parent = *line.last().unwrap();
        line.push(history.commit(&noise(seed, 200_000), &[parent]));
    }
    let side = history.commit(&noise(99, 200_000), &[line[3]]);
    let wanted = [(MASTER, line[10]), ("refs/heads/side", side), ("refs/tags/v1", line[5])];
    let name = daemon.repositories.make();
    daemon.repositories.configure(&name, "receive.maxInputSize", "1100000");
    let mut place = daemon.place(&name);
    // At once the server does not take it.
    // It hangs up while more comes, so that what it says may be lost on the way.
    match place.publish(&history, &wanted) {
        Ok(refused) => assert_eq!(kind(&refused[0]), RefusalKind::TooLarge, "{refused:?}"),
        Err(error) => assert_eq!(error.fault(), Fault::Unavailable, "{error:?}"),
    }
    place.target.limits.push = 1_000_000;
    let (outcomes, pushes) = place.publish_counted(&history, &wanted).unwrap();
    assert_eq!(short(&outcomes), "+++", "{outcomes:?}");
    assert!(pushes.len() >= 3, "{pushes:?}");
    let has = wanted.map(|(name, id)| (name.to_owned(), id));
    assert_eq!(place.refs(), has.clone().into());
    // Ended after the first part, what is there is a part of the line; the next one goes on from there.
    let mut place = daemon.place(&daemon.repositories.make());
    place.target.limits.push = 1_000_000;
    place.publish_meddled(&history, &wanted, |before| (before == 0, before == 0)).unwrap_err();
    let stopped = place.refs();
    let reached = line.iter().position(|id| *id == stopped[MASTER]).unwrap();
    assert!(stopped.len() == 1 && (1..10).contains(&reached), "{stopped:?}");
    assert_eq!(short(&place.publish(&history, &wanted).unwrap()), ">++");
    assert_eq!(place.refs(), has.into());
    fsck(&daemon.repositories);
}

/// How large a history is for a server that takes two thirds of it at once, in bytes. 3221225472 makes
/// it one that refuses packs of more than 2 GiB.
const HISTORY_BYTES: &str = "SYNCHRONISER_HISTORY_BYTES";

/// A whole sync of such a history, by the program: what cannot be compressed, in stock Mercurial's store.
#[test]
fn a_history_goes_through_a_server_that_takes_less_at_once() {
    let Some(hg) = crate::support::env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let Some(daemon) = Daemon::start() else { return };
    let bytes: u64 = std::env::var(HISTORY_BYTES).map_or(3 << 20, |text| text.parse().unwrap());
    let (env, files) = (TestEnv::new(), if bytes > 1 << 30 { 64 } else { 16 });
    let source = env.path("source");
    let run_hg = |args: &[&str]| drop(env.run(&hg, args).ok().unwrap());
    let root = source.to_str().unwrap();
    run_hg(&["init", root, "--config", "format.revlog-compression=none"]);
    let size = usize::try_from(bytes / files).unwrap();
    for number in 1..=files {
        let (name, date) = (format!("noise-{number}"), format!("{} 0", 1_000_000_000 + number));
        let file = source.join(&name);
        fs::write(&file, noise_bytes(number, size)).unwrap();
        let commit = ["commit", "-q", "-A", "-u", "a", "-m", &name, "-d", &date];
        run_hg(&[&["-R", root][..], &commit, &[file.to_str().unwrap()]].concat());
        fs::remove_file(&file).unwrap();
    }
    let name = daemon.repositories.make();
    daemon.repositories.configure(&name, "receive.maxInputSize", &(bytes / 3 * 2).to_string());
    let target = daemon.target(&name).url.to_string();
    let begin = Instant::now();
    let most = (bytes / 2).to_string();
    let words = ["mirror", root, &target, "--cache", "cache", "--target-plain-http"];
    let ran = env.synchronise(words.iter().chain(&["--target-max-push", &most]));
    eprintln!("{bytes} bytes in {:.1} s", begin.elapsed().as_secs_f64());
    ran.ok().unwrap();
    let there = git2::Repository::open(daemon.repositories.path(&name)).unwrap();
    let mut walk = there.revwalk().unwrap();
    walk.push_ref(MASTER).unwrap();
    assert_eq!(walk.count() as u64, files);
    fsck(&daemon.repositories);
}

/// So many bytes that cannot be compressed, others for each seed.
fn noise_bytes(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes
}

/// A file that the target does not take keeps back the refs that bring it, before it is sent, and no
/// others.
#[test]
fn a_file_that_is_too_large_keeps_back_its_refs() {
    let Some(daemon) = Daemon::start() else { return };
    let history = History::new();
    let root = history.commit("root", &[]);
    let near = history.commit(&noise(1, 70_000), &[root]);
    let large = history.commit(&noise(2, 130_000), &[near]);
    let later = history.commit("small again", &[large]);
    let wanted = [(MASTER, near), ("refs/heads/large", later), ("refs/tags/v1", root)];
    let mut place = daemon.place(&daemon.repositories.make());
    place.target.limits.file = Some(100_000);
    let outcomes = place.publish(&history, &wanted).unwrap();
    assert_eq!(short(&outcomes), "+!+", "{outcomes:?}");
    assert_eq!(kind(&outcomes[1]), RefusalKind::TooLarge);
    assert!(reason(&outcomes[1]).contains(&format!("the file file in the commit {large}")));
    let target = git2::Repository::open(&place.repository).unwrap();
    assert!(target.find_commit(large.into()).is_err(), "it was not sent");
    assert!(target.find_commit(near.into()).is_ok());
    let mut opened = destination::open(&place.target, &history.path()).unwrap();
    let update = RefUpdate { name: "refs/heads/large".to_owned(), old: None, new: Some(later) };
    opened.push(&[update], &NoProgress, &Interrupt::default()).unwrap();
    let sizes: Vec<_> = opened.large_files().iter().map(|file| (file.commit, file.size)).collect();
    assert_eq!(sizes, [(large, 130_000)]);
}

/// A commit whose committer has no address, as hg-git makes them, goes to a server like any other.
#[test]
fn a_committer_without_an_address_is_sent() {
    let Some(daemon) = Daemon::start() else { return };
    let history = History::new();
    let root = history.commit("root", &[]);
    let repository = git2::Repository::open(history.path()).unwrap();
    let tree = repository.find_commit(root.into()).unwrap().tree_id();
    let text = format!(
        "tree {tree}\nparent {root}\nauthor A <a@b> 0 +0000\ncommitter Joe 0 +0000\n\nodd\n"
    );
    let odb = repository.odb().unwrap();
    let odd = odb.write(git2::ObjectType::Commit, text.as_bytes()).unwrap().into();
    let place = daemon.place(&daemon.repositories.make());
    assert_eq!(short(&place.publish(&history, &[(MASTER, root)]).unwrap()), "+");
    assert_eq!(short(&place.publish(&history, &[(MASTER, odd)]).unwrap()), ">");
    assert_eq!(place.refs()[MASTER], odd);
    // Unless the server checks what it receives.
    let name = daemon.repositories.make();
    daemon.repositories.configure(&name, "receive.fsckObjects", "true");
    let refused = daemon.place(&name).publish(&history, &[(MASTER, odd)]).unwrap();
    assert_eq!(kind(&refused[0]), RefusalKind::BadObjects, "{refused:?}");
}
