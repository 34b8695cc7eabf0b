//! Pushing to real servers on the loopback interface: `git http-backend` behind nginx with TLS and
//! a password, OpenSSH, and `git daemon`. Each error text that libgit2 gives is provoked here for real;
//! what no real server does when it is told to, [`answers`] does.

use std::cell::Cell;
use std::error::Error as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use synchroniser::base::{Fault, HasFault as _, Interrupt, NoProgress};
use synchroniser::git::ObjectId;
use synchroniser::git::destination::{
    self, PublishError, RefOutcome, RefUpdate, RefusalKind, Target,
};
use synchroniser::net::url::PlainHttp;
use synchroniser::net::{Access, Key, TargetUrl, Timeouts, Token};

use super::destination::{History, Place, contract, contract_with_tags, kind, reason, short};
use super::oracle_follow::{Half, killed_in_pushes, tell_stories};
use super::support::env::cases;
use super::support::serve::{Server, free_port};

const MASTER: &str = "refs/heads/master";
const SIDE: &str = "refs/heads/side";

/// No part of it may turn up in any message.
const TOKEN: &str = "ghp_geheimgeheimgeheim";

/// A command that sees nothing of the host's configuration.
fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", "/nowhere").env("LC_ALL", "C").stdin(Stdio::null());
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    command
}

/// Runs a command that must succeed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder of repositories that a server gives out.
struct Repositories {
    folder: tempfile::TempDir,
    made: Cell<u32>,
}

impl Repositories {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), made: Cell::new(0) }
    }

    /// A new, empty one; its name.
    fn make(&self) -> String {
        self.made.set(self.made.get() + 1);
        let name = format!("r{}.git", self.made.get());
        git2::Repository::init_bare(self.path(&name)).unwrap();
        name
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn hook(&self, name: &str, hook: &str, script: &str) {
        let path = self.path(name).join("hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn configure(&self, name: &str, key: &str, value: &str) {
        let repository = git2::Repository::open(self.path(name)).unwrap();
        repository.config().unwrap().set_str(key, value).unwrap();
    }
}

/// The whole text of an error, with all that stands behind it; never with the token.
fn said(error: &PublishError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    let everything = format!("{text} {error:?} {:?}", error.hint());
    assert!(!everything.contains("geheim"), "{everything}");
    text
}

/// What pushing one new branch there ends with, which must be an error.
fn failure(target: Target) -> (Fault, PublishError) {
    let history = History::new();
    let place = Place { target, repository: PathBuf::new() };
    let error = place.publish(&history, &[(MASTER, history.commit("a", &[]))]).unwrap_err();
    said(&error);
    (error.fault(), error)
}

/// Publishes two branches, and says what came of it.
fn publish_two(place: &Place) -> Result<Vec<RefOutcome>, PublishError> {
    let history = History::new();
    let line = history.line("a", 2);
    place.publish(&history, &[(MASTER, line[1]), (SIDE, line[0])])
}

/// What every server must be able to say, over every protocol.
fn refusals(repositories: &Repositories, place: &dyn Fn(&str) -> Place) {
    let name = repositories.make();
    let script = "test $1 != refs/heads/side || { echo error: GH006: Protected $1.; exit 1; }";
    repositories.hook(&name, "update", script);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "+!");
    let why = reason(&outcomes[1]);
    assert!(why.starts_with("hook declined: error: GH006: Protected refs/heads/side."), "{why}");
    assert_eq!(kind(&outcomes[1]), RefusalKind::Protected);
    assert_eq!(place(&name).refs().len(), 1);

    let name = repositories.make();
    let script = format!("echo; echo 'policy: nothing today, {TOKEN}' >&2; exit 1");
    repositories.hook(&name, "pre-receive", &script);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "!!");
    assert!(reason(&outcomes[0]).starts_with("pre-receive hook declined: policy: nothing today, "));
    assert_eq!(kind(&outcomes[0]), RefusalKind::HookDeclined);
    assert_eq!(place(&name).refs().len(), 0);

    let name = repositories.make();
    repositories.configure(&name, "receive.hideRefs", SIDE);
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "+!");
    assert_eq!(reason(&outcomes[1]), "deny updating a hidden ref");
    assert_eq!(kind(&outcomes[1]), RefusalKind::BadName);

    // The lock of another program, and a ref in the way that `receive-pack` finds only then.
    let name = repositories.make();
    fs::create_dir_all(repositories.path(&name).join("refs/heads")).unwrap();
    fs::write(repositories.path(&name).join("refs/heads/side.lock"), "").unwrap();
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "+!");
    assert_eq!(kind(&outcomes[1]), RefusalKind::Locked, "{}", reason(&outcomes[1]));
    let history = History::new();
    let commit = history.commit("a", &[]);
    let below = [(MASTER, commit), ("refs/heads/master/below", commit)];
    let outcomes = place(&repositories.make()).publish(&history, &below).unwrap();
    assert_eq!(short(&outcomes), "+!");
    assert_eq!(kind(&outcomes[1]), RefusalKind::FolderConflict, "{}", reason(&outcomes[1]));

    forbidden(repositories, place);
    rewritten(repositories, place);
    refused_together(repositories, place);

    let name = repositories.make();
    repositories.configure(&name, "receive.fsckObjects", "true");
    let history = History::new();
    let broken = broken_commit(&history);
    let outcomes = place(&name).publish(&history, &[(MASTER, broken)]).unwrap();
    assert_eq!(kind(&outcomes[0]).fault(), Fault::Refused, "{outcomes:?}");
    assert!(reason(&outcomes[0]).contains("missingSpaceBeforeEmail"), "{outcomes:?}");
    assert_eq!(place(&name).refs().len(), 0);
}

/// What a hook refuses with all that was pushed beside it keeps nothing else back.
fn refused_together(repositories: &Repositories, place: &dyn Fn(&str) -> Place) {
    let name = repositories.make();
    let script = "while read old new ref; do
            case $ref in *bad*) echo error: GH001: a file of $ref is too large >&2; exit 1;; esac
        done";
    repositories.hook(&name, "pre-receive", script);
    let history = History::new();
    let line = history.line("a", 5);
    let names = [MASTER, "refs/heads/a", "refs/heads/bad", "refs/heads/c", "refs/tags/d"];
    let wanted: Vec<_> = names.into_iter().zip(line).collect();
    let outcomes = place(&name).publish(&history, &wanted).unwrap();
    assert_eq!(short(&outcomes), "++!++");
    assert_eq!(kind(&outcomes[2]), RefusalKind::TooLarge, "{}", reason(&outcomes[2]));
    assert_eq!(place(&name).refs().len(), 4);
}

/// What a server can be told not to take.
fn forbidden(repositories: &Repositories, place: &dyn Fn(&str) -> Place) {
    let name = repositories.make();
    repositories.configure(&name, "receive.denyNonFastForwards", "true");
    repositories.configure(&name, "receive.denyDeletes", "true");
    let history = History::new();
    let line = history.line("a", 2);
    let wanted = [(MASTER, line[1]), (SIDE, line[0])];
    assert_eq!(short(&place(&name).publish(&history, &wanted).unwrap()), "++");
    let outcomes = push(
        &place(&name),
        &history,
        &[
            (MASTER, Some(line[1]), Some(line[0])),
            (SIDE, Some(line[0]), None),
            ("refs/heads/new", None, Some(line[0])),
        ],
    );
    let outcomes = outcomes.unwrap();
    assert_eq!(short(&outcomes), "!!+");
    assert_eq!(kind(&outcomes[0]), RefusalKind::ForcePush, "{}", reason(&outcomes[0]));
    assert_eq!(kind(&outcomes[1]), RefusalKind::Protected, "{}", reason(&outcomes[1]));
    assert_eq!(place(&name).refs().len(), 3);

    let name = repositories.make();
    repositories.configure(&name, "receive.maxInputSize", "100");
    // What refuses the pack refuses all that it is for.
    let outcomes = publish_two(&place(&name)).unwrap();
    assert_eq!(short(&outcomes), "!!");
    assert_eq!(kind(&outcomes[1]), RefusalKind::TooLarge, "{}", reason(&outcomes[1]));
}

/// Pushes these references, each with what it has and what it is to have.
fn push(
    place: &Place,
    history: &History,
    updates: &[(&str, Option<ObjectId>, Option<ObjectId>)],
) -> Result<Vec<RefOutcome>, PublishError> {
    let updates: Vec<_> = updates
        .iter()
        .map(|&(name, old, new)| RefUpdate { name: name.to_owned(), old, new })
        .collect();
    let mut opened = destination::open(&place.target, &history.path())?;
    opened.push(&updates, &NoProgress, &Interrupt::default())
}

/// A server may make something else of a ref (`proc-receive`), and says so in `report-status-v2`.
fn rewritten(repositories: &Repositories, place: &dyn Fn(&str) -> Place) {
    let name = repositories.make();
    repositories.configure(&name, "receive.procReceiveRefs", "refs/heads/for");
    repositories.hook(&name, "proc-receive", PROC_RECEIVE);
    let history = History::new();
    let line = history.line("a", 2);
    let updates = [("refs/heads/for/x", None, Some(line[1])), (MASTER, None, Some(line[0]))];
    let outcomes = push(&place(&name), &history, &updates).unwrap();
    assert_eq!(short(&outcomes), "!+");
    assert_eq!(kind(&outcomes[0]), RefusalKind::NotKept);
    let expected = format!("as refs/changes/1, at {}", line[1]);
    assert!(reason(&outcomes[0]).contains(&expected), "{}", reason(&outcomes[0]));
}

/// A hook that speaks pkt-lines (gitprotocol-pack has the protocol): it takes each ref as another one.
const PROC_RECEIVE: &str = r#"
say() { printf '%04x%s\n' $((${#1} + 5)) "$1"; }
hear() {
    length=$(dd bs=1 count=4 2>/dev/null)
    test "$length" != 0000 || return 1
    line=$(dd bs=1 count=$((0x$length - 4)) 2>/dev/null | tr -d '\000\n')
}
while hear; do :; done
say version=1
printf 0000
refs=
while hear; do refs="$refs $line"; done
set -- $refs
while test $# -ge 3; do
    say "ok $3"
    say 'option refname refs/changes/1'
    say "option new-oid $2"
    shift 3
done
printf 0000
"#;

/// A history of 16 MiB of which nothing can be compressed, and its last commit.
fn noise() -> (History, ObjectId) {
    let history = History::new();
    let repository = git2::Repository::open(history.path()).unwrap();
    // Nothing of it can be compressed.
    let mut state = 1_u64;
    let mut noise = Vec::with_capacity(16 << 20);
    while noise.len() < 16 << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        noise.extend_from_slice(&state.to_le_bytes());
    }
    let blob = repository.blob(&noise).unwrap();
    let mut tree = repository.treebuilder(None).unwrap();
    tree.insert("noise", blob, 0o100_644).unwrap();
    let tree = repository.find_tree(tree.write().unwrap()).unwrap();
    let who = git2::Signature::new("A", "a@b", &git2::Time::new(0, 0)).unwrap();
    let commit = repository.commit(None, &who, &who, "x", &tree, &[]).unwrap();
    (history, commit.into())
}

/// A commit that `git fsck` objects to.
fn broken_commit(history: &History) -> ObjectId {
    let repository = git2::Repository::open_bare(history.path()).unwrap();
    let tree = repository.treebuilder(None).unwrap().write().unwrap();
    let text = format!("tree {tree}\nauthor A<a@b> 0 +0000\ncommitter A<a@b> 0 +0000\n\nx\n");
    repository.odb().unwrap().write(git2::ObjectType::Commit, text.as_bytes()).unwrap().into()
}

/// Stock Git finds nothing wrong with what arrived.
fn fsck(repositories: &Repositories) {
    for number in 1..=repositories.made.get() {
        let path = repositories.path(&format!("r{number}.git"));
        run(command("git").arg("-C").arg(path).args(["fsck", "--strict", "--no-dangling"]));
    }
}

mod answers;
mod daemon;
mod https;
mod ssh;
