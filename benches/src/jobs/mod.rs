//! Whole jobs, by the names that `--only` takes.

mod clone;
mod due;
mod generated;
mod http;
mod local;
mod nothing;
mod one;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::Outcome;
use crate::peers::Peers;
use crate::report::Report;
use crate::run::{Spent, remove, run};

/// A job: its name, what it is, and the function that does it.
type Job = (&'static str, &'static str, fn(&mut Bench) -> Outcome<()>);

/// All of them, in the order in which they run.
const JOBS: [Job; 9] = [
    ("local", "first conversion of --repository from its path", local::run),
    ("clone", "git clone of that, and of the same after git repack -adf", clone::run),
    ("http", "fetch, convert and push of --repository from hg serve", http::run),
    ("one", "one new changeset: hook to target", one::run),
    ("nothing", "a sync that finds nothing new", nothing::run),
    (
        "first",
        "first conversions of generated histories: 10,000, 100,000, 500,000",
        generated::first,
    ),
    ("wild", "a history whose heads interleave, and a straight one", generated::wild),
    ("sizes", "one new changeset in short and long, small and large histories", generated::sizes),
    ("due", "200 mirrors due at once", due::run),
];

#[derive(clap::Args)]
pub(crate) struct JobsArgs {
    /// The program `synchroniser` to measure
    #[arg(long)]
    program: PathBuf,
    /// Where everything is made; what is generated stays there for the next time
    #[arg(long)]
    work: PathBuf,
    /// A Mercurial repository; without it, a generated one of 3,000 changesets
    #[arg(long)]
    repository: Option<PathBuf>,
    /// The `hg` that serves; by default that of the peers, or the one in PATH
    #[arg(long)]
    hg: Option<PathBuf>,
    /// The folder that benches/peers.sh made: runs the other tools too
    #[arg(long)]
    peers: Option<PathBuf>,
    /// With --peers: hg-fast-export and hg-git too, which take minutes, once
    #[arg(long)]
    slow: bool,
    /// How often each tool does each job, in turn
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Run only these jobs: local, clone, http, one, nothing, first, wild, sizes, due
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The generated histories are so many times smaller: for trials
    #[arg(long, default_value_t = 1)]
    divide: usize,
    /// Write what was measured here, too
    #[arg(long)]
    json: Option<PathBuf>,
}

/// What all jobs need.
struct Bench {
    program: PathBuf,
    work: PathBuf,
    repository: PathBuf,
    hg: PathBuf,
    peers: Option<Peers>,
    slow: bool,
    rounds: usize,
    divide: usize,
    report: Report,
}

pub(crate) fn run_all(args: &JobsArgs) -> Outcome<()> {
    std::fs::create_dir_all(&args.work)?;
    let peers = args.peers.as_deref().map(Peers::at).transpose()?;
    let of_peers = || peers.as_ref().map(Peers::hg);
    let mut bench = Bench {
        program: args.program.canonicalize()?,
        work: args.work.canonicalize()?,
        repository: args.repository.clone().unwrap_or_default(),
        hg: args.hg.clone().or_else(of_peers).unwrap_or_else(|| "hg".into()),
        peers,
        slow: args.slow,
        rounds: args.rounds.max(1),
        divide: args.divide.max(1),
        report: Report::default(),
    };
    bench.repository = match &args.repository {
        Some(path) => path.canonicalize()?,
        None => generated::repository(&bench, &generated::SMALL)?,
    };
    let known = |name: &String| JOBS.iter().any(|(job, ..)| job == name);
    if let Some(name) = args.only.iter().find(|name| !known(name)) {
        return Err(format!("there is no job {name}").into());
    }
    for (name, what, job) in JOBS {
        if args.only.is_empty() || args.only.iter().any(|only| only == name) {
            eprintln!("{name}: {what}");
            job(&mut bench)?;
        }
    }
    println!("{}", bench.report.table());
    if let Some(path) = &args.json {
        std::fs::write(path, serde_json::to_vec_pretty(&bench.report.json())?)?;
    }
    Ok(())
}

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// A path where nothing is.
    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        remove(&path);
        path
    }

    /// Runs a command of ours or of others to its end.
    fn spent(&self, command: &mut Command) -> Outcome<Spent> {
        run(command, &self.path("log"))
    }

    /// Our program with arguments, quiet.
    fn ours(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-q").args(arguments).env("XDG_CACHE_HOME", self.path("cache-home"));
        command
    }

    fn convert(&self, source: &str, target: &Path) -> Command {
        let mut command = self.ours(&["convert", source, &target.to_string_lossy()]);
        command.args(plain("source", source));
        command
    }

    fn mirror(&self, source: &str, target: &str, cache: &Path) -> Command {
        let mut command = self.ours(&["mirror", source, target, "--cache"]);
        command.arg(cache).args(plain("target", target)).args(plain("source", source));
        command
    }

    /// An empty bare repository that may be pushed to over HTTP.
    fn target(&self, path: &Path) -> Outcome<()> {
        remove(path);
        let mut init = Command::new("git");
        init.args(["init", "-q", "--bare", "-b", "master"]).arg(path);
        self.spent(&mut init)?;
        for setting in ["http.receivepack=true", "gc.auto=0", "receive.autogc=false"] {
            let (name, value) = setting.split_once('=').unwrap_or_default();
            let mut config = Command::new("git");
            config.arg("--git-dir").arg(path).args(["config", name, value]);
            self.spent(&mut config)?;
        }
        Ok(())
    }

    /// A copy of a folder.
    fn copy(&self, from: &Path, to: &Path) -> Outcome<()> {
        remove(to);
        self.spent(Command::new("cp").arg("-a").arg(from).arg(to)).map(drop)
    }
}

/// What allows an address without encryption.
fn plain(side: &str, address: &str) -> Option<String> {
    address.starts_with("http://").then(|| format!("--{side}-plain-http"))
}

/// Seconds as text, in milliseconds.
fn milliseconds(seconds: f64) -> String {
    format!("{:.1} ms", seconds * 1000.0)
}

/// What only took time.
fn only_wall(wall: Duration, cpu: Duration) -> Spent {
    Spent { wall, cpu, ..Spent::default() }
}
