//! A folder and an environment of their own for each test.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use super::forked_hg;

/// Where one test lives. Everything in it goes with it.
pub(crate) struct TestEnv {
    folder: TempDir,
}

/// What a program did.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// All output of all programs comes through here, and none of it may have a secret in it.
    pub(crate) fn from(output: &Output) -> Self {
        let text = |what, bytes| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            super::secrets::assert_none(what, &text);
            text
        };
        Self {
            code: output.status.code(),
            stdout: text("standard output", &output.stdout),
            stderr: text("standard error", &output.stderr),
        }
    }

    /// The standard output of a program that succeeded, or all there is to know about its failure.
    pub(crate) fn ok(self) -> Result<String, String> {
        self.with_code(0).map(|ran| ran.stdout)
    }

    /// An error unless the program ended with `code`.
    pub(crate) fn with_code(self, code: i32) -> Result<Self, String> {
        if self.code == Some(code) {
            Ok(self)
        } else {
            Err(format!("not exit code {code}: {self:?}"))
        }
    }
}

impl TestEnv {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("synchroniser-test-").tempdir().unwrap();
        for name in ["home", "tmp"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self { folder }
    }

    /// A path below this test's folder.
    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `program` with nothing of our own environment but the way to programs.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", search_path())
            .env("HOME", self.path("home"))
            .env("TMPDIR", self.path("tmp"))
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("HGRCPATH", "/dev/null")
            .env("HGPLAIN", "1")
            .env("HGENCODING", "utf-8")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs `program` to its end.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Ran {
        let mut command = self.command(program);
        command.args(args);
        Ran::from(&forked_hg::output(&mut command))
    }

    /// The program under test.
    pub(crate) fn synchroniser(&self) -> Command {
        self.command(env!("CARGO_BIN_EXE_synchroniser"))
    }

    /// Runs the program under test to its end.
    pub(crate) fn synchronise<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        Ran::from(&self.synchroniser().args(args).output().unwrap())
    }

    /// Runs `git` on a bare repository.
    pub(crate) fn git(&self, repository: &Path, args: &[&str]) -> Ran {
        let mut all: Vec<&OsStr> = vec![OsStr::new("--git-dir"), repository.as_os_str()];
        all.extend(args.iter().map(OsStr::new));
        self.run("git", all)
    }

    /// Names of what the test's home folder holds: nothing, unless something was written into it.
    pub(crate) fn home_entries(&self) -> Vec<String> {
        entries(&self.path("home"))
    }

    /// Names of what was left in the folder for temporary files.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        entries(&self.path("tmp"))
    }
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
}

/// Where programs are; servers are in `sbin`.
fn search_path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Whether a program of this name can be run.
pub(crate) fn has(program: &str) -> bool {
    search_path().split(':').any(|folder| Path::new(folder).join(program).is_file())
}

/// The path of a program, which may be one that only administrators find; `None`, after saying so,
/// if there is none.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        super::skip(&format!("{name} is not installed"));
    }
    found
}

/// The Mercurial to ask, if the machine has one.
pub(crate) fn hg() -> Option<PathBuf> {
    std::env::var_os("SYNCHRONISER_HG").map(PathBuf::from)
}

/// Whether a test that cannot be done is a failure: `SYNCHRONISER_STRICT` is 1.
pub(crate) fn is_strict() -> bool {
    std::env::var_os("SYNCHRONISER_STRICT").is_some_and(|value| value == "1")
}

/// How many of many small cases a test does: `all` of them where `SYNCHRONISER_THOROUGH` is 1, as in `.ci/run`, and
/// else `few`, so that `cargo test` takes minutes.
pub(crate) fn cases<T>(few: T, all: T) -> T {
    match std::env::var_os("SYNCHRONISER_THOROUGH").is_some_and(|value| value == "1") {
        true => all,
        false => few,
    }
}

/// The folder with other people's repositories; `None`, after saying so, if there is none. `-` says
/// that none is wanted.
pub(crate) fn corpus() -> Option<PathBuf> {
    match std::env::var_os("SYNCHRONISER_CORPUS") {
        Some(none) if none == "-" => super::leave_out("no corpus is wanted"),
        Some(path) => {
            let path = PathBuf::from(path);
            assert!(path.is_dir(), "SYNCHRONISER_CORPUS: {} is no folder", path.display());
            return Some(path);
        }
        None => super::skip("SYNCHRONISER_CORPUS names no folder"),
    }
    None
}
