//! The other tools, where `benches/peers.sh` has put them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// A folder that `benches/peers.sh` made.
#[derive(Clone)]
pub(crate) struct Peers(PathBuf);

impl Peers {
    pub(crate) fn at(folder: &Path) -> Outcome<Self> {
        Ok(Self(folder.canonicalize()?))
    }

    /// Mercurial, with hg-git.
    pub(crate) fn hg(&self) -> PathBuf {
        self.0.join("venv/bin/hg")
    }

    fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    pub(crate) fn has_cinnabar(&self) -> bool {
        self.has("cinnabar/bin/git-cinnabar")
    }

    pub(crate) fn has_fast_export(&self) -> bool {
        self.has("fast-export/hg-fast-export.sh")
    }

    /// A shell with their programs, without anybody's settings.
    fn shell(&self, script: &str, arguments: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let folder = self.0.display();
        let mut command = Command::new("bash");
        command.args(["-ec", script, "-"]).args(arguments);
        command.env("PATH", format!("{folder}/cinnabar/bin:{folder}/venv/bin:{path}"));
        command.env("PEERS", &self.0).env("HGRCPATH", "/dev/null").env("HGPLAIN", "1");
        command.env("GIT_CONFIG_GLOBAL", "/dev/null");
        command
    }

    /// `git clone` by git-cinnabar; `source` is a path or an address.
    pub(crate) fn cinnabar(&self, source: &str, target: &Path) -> Command {
        let target = target.to_string_lossy();
        self.shell("exec git clone -q --bare \"hg::$1\" \"$2\"", &[source, &target])
    }

    pub(crate) fn fast_export(&self, source: &Path, target: &Path) -> Command {
        let script = "git init -q --bare \"$2\"; cd \"$2\"; \
            PYTHON=$PEERS/venv/bin/python GIT_DIR=$2 exec $PEERS/fast-export/hg-fast-export.sh -r \"$1\" --force";
        self.shell(script, &[&source.to_string_lossy(), &target.to_string_lossy()])
    }

    /// What hg-git is given: a clone of the source with a bookmark, for it pushes nothing else.
    pub(crate) fn clone_for_hg_git(&self, source: &Path, clone: &Path) -> Command {
        let script = "hg clone -qU \"$1\" \"$2\"; exec hg -R \"$2\" bookmark -r tip master";
        self.shell(script, &[&source.to_string_lossy(), &clone.to_string_lossy()])
    }

    pub(crate) fn hg_git(&self, clone: &Path, target: &Path) -> Command {
        let script = "git init -q --bare \"$2\"; \
            exec hg -R \"$1\" --config extensions.hggit= push -q \"$2\"";
        self.shell(script, &[&clone.to_string_lossy(), &target.to_string_lossy()])
    }
}
