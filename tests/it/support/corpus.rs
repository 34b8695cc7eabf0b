//! Other people's repositories and bundles, and what was recorded of them. They are not part of the
//! project: `SYNCHRONISER_CORPUS` names the folder.

use std::path::{Path, PathBuf};

use super::{Hg, TestEnv, env, one_by_one, skip};

/// The folder, on a machine that has the tools to unpack it and to judge what comes of it.
pub(crate) struct Corpus(PathBuf);

/// One history of the corpus, unpacked.
pub(crate) struct History {
    pub(crate) env: TestEnv,
    /// The Mercurial repository.
    pub(crate) source: PathBuf,
    /// What the records call it.
    pub(crate) name: String,
    /// The folder with the records.
    oracle: PathBuf,
}

impl Corpus {
    /// The corpus; without it, or without the tools, says what is missing.
    pub(crate) fn find() -> Option<Self> {
        let found = env::corpus()?;
        let missing = ["git", "tar", "xz"].into_iter().find(|tool| !env::has(tool));
        if let Some(tool) = missing {
            skip(&format!("there is no {tool}"));
        }
        missing.is_none().then_some(Self(found))
    }

    /// Checks every archived repository, real and awkward, damaged ones too.
    pub(crate) fn for_archives(&self, check: impl Fn(&History) -> Result<(), String>) {
        let archives = ["real", "awkward"].into_iter().flat_map(|folder| {
            let names = files(&self.0.join(folder), ".tar.xz").into_iter();
            names.map(move |(name, _)| (name.clone(), (folder, name)))
        });
        one_by_one(archives, |(folder, name)| check(&self.unpack(folder, &name)?));
    }

    /// Checks every bundle as a repository that `hg` unbundled it into.
    pub(crate) fn for_bundles(&self, check: impl Fn(&History) -> Result<(), String>) {
        let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
        one_by_one(files(&self.0.join("bundles"), ""), |bundle| {
            let env = TestEnv::new();
            let source = env.path("source");
            env.run(&program, [Path::new("init"), &source]).ok()?;
            let hg = Hg { env: &env, program: program.clone() };
            hg.run(&source, &["unbundle", "-q", bundle.to_str().unwrap()]).ok()?;
            let file = bundle.file_name().unwrap().to_string_lossy();
            let name = format!("bundle-{}", file.trim_end_matches(".hg"));
            check(&History { env, source, name, oracle: self.0.join("oracle") })
        });
    }

    /// Unpacks one archive of `real` or `awkward`.
    pub(crate) fn unpack(&self, folder: &str, name: &str) -> Result<History, String> {
        let env = TestEnv::new();
        let archive = self.0.join(folder).join(format!("{name}.tar.xz"));
        env.run("tar", [Path::new("-xJf"), &archive]).ok()?;
        let shared = env.path(name).join(".hg/sharedpath");
        if shared.exists() {
            let source = env.path(format!("{name}-src")).join(".hg");
            std::fs::write(&shared, source.to_str().unwrap()).unwrap();
        }
        let oracle = match folder {
            "real" => self.0.join("oracle"),
            _ => self.0.join("oracle").join(folder),
        };
        Ok(History { source: env.path(name), env, name: name.to_owned(), oracle })
    }
}

impl History {
    /// Whether it was damaged, on purpose or not.
    pub(crate) fn is_damaged(&self) -> bool {
        self.name.starts_with("damaged-") || self.name.starts_with("bad-")
    }

    /// The first two words of each line of the record `NAME.KIND.map`, packed or not; `None` if there
    /// is no such record.
    pub(crate) fn recorded(&self, kind: &str) -> Result<Option<Vec<(String, String)>>, String> {
        let file = format!("{}.{kind}.map", self.name);
        let packed = self.oracle.join(format!("{file}.xz"));
        let text = if packed.exists() {
            self.env.run("xz", [Path::new("-dc"), &packed]).ok()?
        } else {
            match std::fs::read_to_string(self.oracle.join(file)) {
                Ok(text) => text,
                Err(_) => return Ok(None),
            }
        };
        let fields = |line: &str| {
            let mut fields = line.split(' ').map(str::to_owned);
            Some((fields.next()?, fields.next()?))
        };
        Ok(Some(text.lines().filter_map(fields).collect()))
    }
}

/// The files of a folder whose names end in `suffix`, by what stands before it.
fn files(folder: &Path, suffix: &str) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = entries
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name()?.to_str()?.strip_suffix(suffix)?.to_owned();
            Some((name, path))
        })
        .collect();
    files.sort();
    files
}
