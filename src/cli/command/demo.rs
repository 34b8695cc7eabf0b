//! `demo`: the whole way before your eyes, in a temporary folder and on loopback only.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::report::count;
use super::{Outcome, config, interrupted_by_signals, syncer, verify};
use crate::base::compress::{DecompressError, Decompressor};
use crate::base::{Interrupt, faults};
use crate::cli::args::DemoArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::post::{Post, post};
use crate::cli::ui::Ui;
use crate::convert::{ConvertOptions, VerifySelection};
use crate::daemon::{Daemon, Setup};
use crate::git::BareRepository;
use crate::hook::{SampleRepository, bitbucket_post};
use crate::queue::MemoryStore;

/// The Mercurial repository of the demo; `fixtures/demo/make.sh` makes it.
const REPOSITORY: &[u8] = include_bytes!("../../../fixtures/demo/repository.tar.zst");
/// More than the archive can be, unpacked.
const REPOSITORY_LIMIT: usize = 64 << 20;
/// The user and the project of the demo's only mirror.
const USER: &str = "demo";
const PROJECT: &str = "lighthouse";
/// Seconds that the hook waits for its sync: for as long as it takes.
const WAIT: u32 = 600;

/// How often is looked whether somebody wants it to end.
const LOOK: Duration = Duration::from_millis(200);

/// Why `demo` fails.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    /// The demo's own files cannot be written.
    #[error("write {}", path.display())]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The repository in this program is broken.
    #[error("unpack the demo repository")]
    Unpack(#[source] DecompressError),
    /// The daemon said something else than success.
    #[error("sync the demo: the daemon answered {status} {body}")]
    Answer { status: u16, body: String },
    /// What arrived is not what was sent.
    #[error("find the source in the target: {differences} differ")]
    Differences { differences: u64 },
}

faults!(DemoError {
    Self::Write { source, .. } => io(source),
    Self::Unpack(_) | Self::Answer { .. } | Self::Differences { .. } => Internal,
});

/// Where everything of one demo is.
struct Places {
    source: PathBuf,
    target: PathBuf,
    config: PathBuf,
}

impl Places {
    fn below(folder: &Path) -> Self {
        Self {
            source: folder.join("repository"),
            target: folder.join("target.git"),
            config: folder.join("synchroniser.toml"),
        }
    }
}

pub(super) fn run(args: &DemoArgs, ui: &Ui) -> Outcome {
    let began = Instant::now();
    let interrupt = interrupted_by_signals(ui)?;
    let mut folder = make_folder()?;
    folder.disable_cleanup(args.keep);
    let places = Places::below(folder.path());
    let (token, hash) = config::new_token();
    prepare(folder.path(), &places, &hash)?;
    ui.say(&format!("source: {} (Mercurial, as hg wrote it)", places.source.display()));
    ui.say(&format!("target: {} (Git, empty)", places.target.display()));

    let file = places.config.clone();
    let (tell_synced, synced) = channel();
    let sync = syncer(ui.clone());
    let daemon = Daemon::start(Setup {
        config: config::load(&places.config)?,
        store: Arc::new(MemoryStore::default()),
        syncer: Arc::new(move |mirror, context, observer, interrupt| {
            let synced = sync(mirror, context, observer, interrupt);
            // Nobody waits for those after the first.
            let _ = tell_synced.send(());
            synced
        }),
        reload: Box::new(move || config::load(&file)),
    })?;
    let page = format!("http://{}/", daemon.address());
    match args.keep {
        true => ui.say(&format!("daemon: {page} shows the mirror")),
        false => ui.say(&format!("daemon: {page} shows the mirror, until the end of the demo")),
    }
    ui.say("the mirror is new, so it is synced without being asked for");
    let shown = wait_for(&synced, &interrupt)
        .and_then(|()| push(&daemon, "a push hook", ui, &interrupt))
        .and_then(|()| show(&places, ui, &interrupt));
    if shown.is_ok() {
        ui.say(&format!("all in {:.1} s", began.elapsed().as_secs_f64()));
    }
    if shown.is_ok() && args.keep {
        ui.result(&folder.path().display().to_string());
        ui.say("");
        ui.say(&format!(
            "Have a look at {page} in a browser. To sync from there, log in with the token"
        ));
        ui.say(&format!("  {token}"));
        ui.say("What hg commits to the source now is at the target within a minute.");
        ui.say("Ctrl-C ends it.");
        while interrupt.pause(LOOK).is_ok() {}
    } else if shown.is_ok() {
        ui.say("`demo --keep` keeps the daemon up, for a look at its pages");
    }
    // It is stopped whatever came of it; what was said before comes first.
    let stopped = daemon.shut_down();
    shown?;
    stopped?;
    Ok(exit::OK)
}

/// Waits until a sync is over.
fn wait_for(synced: &Receiver<()>, interrupt: &Interrupt) -> Result<(), Failure> {
    loop {
        match synced.recv_timeout(LOOK) {
            Err(RecvTimeoutError::Timeout) => interrupt.check()?,
            // The daemon that has ended says why when it is stopped.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
    }
}

fn make_folder() -> Result<TempDir, DemoError> {
    tempfile::Builder::new()
        .prefix("synchroniser-demo-")
        .tempdir()
        .map_err(|source| DemoError::Write { path: std::env::temp_dir(), source })
}

/// Lays out the source, an empty target and a configuration that joins them.
fn prepare(folder: &Path, places: &Places, token: &str) -> Result<(), Failure> {
    let write = |path: &Path| {
        let path = path.to_owned();
        move |source| DemoError::Write { path, source }
    };
    let archive =
        Decompressor::default().zstd(REPOSITORY, REPOSITORY_LIMIT).map_err(DemoError::Unpack)?;
    tar::Archive::new(archive.as_slice()).unpack(folder).map_err(write(&places.source))?;
    BareRepository::open_or_create(&places.target, "master")?;
    std::fs::write(&places.config, configuration(places, token)).map_err(write(&places.config))?;
    Ok(())
}

/// `token` is the hash of the one that opens the pages.
fn configuration(places: &Places, token: &str) -> String {
    // Debug text of a path with only printable characters is a TOML string too.
    format!(
        "cache = \"cache\"\n\n\
         [daemon]\nlisten = \"127.0.0.1:0\"\nwait = {WAIT}\nsocket = \"none\"\n\n\
         [web]\nread = \"open\"\n\n\
         [tokens.demo]\nscope = \"admin\"\nsha256 = \"{token}\"\n\n\
         [schedule]\ndebounce = 0\nshortest = 10\nlongest = 60\n\n\
         [hooks.synchronise]\nformat = \"bitbucket_post\"\nallow_unauthenticated = true\n\n\
         [mirrors.{PROJECT}]\nsource = {:?}\ntarget = {:?}\nowner = \"{USER}\"\nuser = \"{USER}\"\nproject = \"{PROJECT}\"\n",
        places.source.display().to_string(),
        places.target.display().to_string(),
    )
}

/// Sends the daemon a hook and waits until its sync is done.
fn push(daemon: &Daemon, what: &str, ui: &Ui, interrupt: &Interrupt) -> Result<(), Failure> {
    let began = Instant::now();
    ui.say(&format!("sending {what}: POST /synchronise/?user={USER}&project={PROJECT}"));
    let path = format!("{USER}/{PROJECT}");
    let repository = SampleRepository { mirror: PROJECT, path: &path, server: None };
    let sample = bitbucket_post::FORMAT.sample(&repository, "");
    let target = format!("/synchronise/?user={USER}&project={PROJECT}");
    let request = Post { target, headers: sample.headers, body: &sample.body };
    let answer = post(daemon.address(), &request, None, interrupt)?;
    let seconds = began.elapsed().as_secs_f64();
    ui.say(&format!("answer after {seconds:.2} s: {}", answer.status));
    for line in answer.body.lines() {
        ui.say(&format!("  {line}"));
    }
    if answer.status != 200 {
        return Err(DemoError::Answer { status: answer.status, body: answer.body }.into());
    }
    Ok(())
}

/// Shows what arrived, and compares it with the source.
fn show(places: &Places, ui: &Ui, interrupt: &Interrupt) -> Result<(), Failure> {
    let references = BareRepository::open(&places.target)?.refs()?;
    let branches = references.iter().filter(|reference| reference.is_branch()).count();
    let tags = references.iter().filter(|reference| reference.is_tag()).count();
    for reference in &references {
        ui.say(&format!("  {} {}", reference.id.short(), reference.name));
    }
    let options = ConvertOptions::default();
    let report = verify::compare(
        &places.source,
        &places.target,
        &VerifySelection::default(),
        &options,
        ui,
        interrupt,
    )?;
    ui.say(&format!(
        "arrived: {}, {}, {}",
        count(branches as u64, "branch", "branches"),
        count(tags as u64, "tag", "tags"),
        count(report.changesets, "commit", "commits"),
    ));
    ui.say(&format!("compared with the source: {}", verify::summary(&report)));
    match report.differences.len() as u64 {
        0 => Ok(()),
        differences => Err(DemoError::Differences { differences }.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_in_the_program_unpacks() {
        let folder = make_folder().unwrap();
        let places = Places::below(folder.path());
        prepare(folder.path(), &places, &config::new_token().1).unwrap();
        assert!(places.source.join(".hg/store/00changelog.i").is_file());
        let config = std::fs::read_to_string(&places.config).unwrap();
        assert!(config.contains("listen = \"127.0.0.1:0\""), "{config}");
    }
}
