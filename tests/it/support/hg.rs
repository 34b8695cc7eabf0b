//! What stock Mercurial does to a repository, and says of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::{Ran, TestEnv, Truth};

/// One `hg`.
pub(crate) struct Hg<'a> {
    pub(crate) env: &'a TestEnv,
    pub(crate) program: PathBuf,
}

impl Hg<'_> {
    /// Runs `hg` on `repository`, with whatever it needs to read every format.
    pub(crate) fn run(&self, repository: &Path, args: &[&str]) -> Ran {
        let mut all = Vec::new();
        for config in [
            // Whoever has shares has this on; without it they have no bookmarks.
            "extensions.share=",
            "experimental.evolution=all",
            "storage.all-slow-path=allow",
            // What Mercurial 7.1 and before call it.
            "storage.revlog.persistent-nodemap.slow-path=allow",
            "storage.dirstate-v2.slow-path=allow",
        ] {
            all.extend([OsStr::new("--config"), OsStr::new(config)]);
        }
        all.extend([OsStr::new("-R"), repository.as_os_str()]);
        all.extend(args.iter().map(OsStr::new));
        self.env.run(&self.program, all)
    }

    /// Everything that is known of `repository`. Leaves caches in it.
    pub(crate) fn truth(&self, repository: &Path) -> Result<Truth, String> {
        let extension = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/truth.py");
        let config = format!("extensions.truth={}", extension.display());
        self.run(repository, &["--config", &config, "truth"]).ok().map(|text| Truth::parse(&text))
    }
}
