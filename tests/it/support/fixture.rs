//! The repositories in `fixtures/`.

use std::path::{Path, PathBuf};

use super::{TestEnv, Truth};

/// One archive of one fixture folder.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    /// The folder's name and the archive's: `formats/zlib`.
    pub(crate) name: String,
    archive: PathBuf,
    pub(crate) truth: Truth,
}

/// The folder with all of them.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

impl Fixture {
    /// The demo's repository: the largest.
    pub(crate) fn demo() -> Self {
        Self::named("demo")
    }

    /// The only archive of `fixtures/hg/NAME`, or the one called `NAME/ARCHIVE`.
    pub(crate) fn named(name: &str) -> Self {
        let (folder, archive) = name.split_once('/').unwrap_or((name, "repository"));
        let full = format!("{folder}/{archive}");
        let found = one_folder(folder, &path_of(folder)).into_iter();
        let found = found.into_iter().find(|fixture| fixture.name == full);
        found.unwrap_or_else(|| panic!("no fixture {name}"))
    }

    /// Fails if `check` finds something wrong with the fixture of this name.
    pub(crate) fn check(name: &str, check: fn(&Self) -> Result<(), String>) {
        if let Err(problem) = check(&Self::named(name)) {
            panic!("{problem}");
        }
    }

    /// The first archive of the folder that this one is in: the same history, in another form or this
    /// one.
    pub(crate) fn first_of_folder(&self) -> Self {
        let (folder, _) = self.name.split_once('/').unwrap();
        one_folder(folder, &path_of(folder)).remove(0)
    }

    /// Every archive there is.
    pub(crate) fn all() -> Vec<Self> {
        let mut folders: Vec<_> = std::fs::read_dir(folder().join("hg"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        folders.sort();
        let mut all = vec![Self::demo()];
        for path in folders {
            all.extend(one_folder(&path.file_name().unwrap().to_string_lossy(), &path));
        }
        all
    }

    /// Whether it must convert.
    pub(crate) fn converts(&self) -> bool {
        self.truth.refused.is_none()
    }

    /// Unpacks into `env`; returns the repository to read.
    pub(crate) fn unpack(&self, env: &TestEnv) -> PathBuf {
        let root = env.path("source");
        if root.exists() {
            std::fs::remove_dir_all(&root).unwrap();
        }
        let archive = std::fs::File::open(&self.archive).unwrap();
        tar::Archive::new(zstd::Decoder::new(archive).unwrap()).unpack(&root).unwrap();
        let repository = root.join("repository");
        place_share(&repository.join(".hg/sharedpath"), &root);
        repository
    }
}

/// The folder with the archives of a history.
fn path_of(name: &str) -> PathBuf {
    if name == "demo" { folder().join(name) } else { folder().join("hg").join(name) }
}

/// Writes where the archive was unpacked to into a share that has an absolute path.
fn place_share(path: &Path, root: &Path) {
    if let Ok(text) = std::fs::read_to_string(path) {
        std::fs::write(path, text.replace("@ROOT@", root.to_str().unwrap())).unwrap();
    }
}

fn one_folder(name: &str, path: &Path) -> Vec<Fixture> {
    let truth = Truth::read(&path.join("expected.tsv"));
    let mut archives: Vec<_> = std::fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().ends_with(".tar.zst"))
        .collect();
    archives.sort();
    let fixture = |archive: PathBuf| {
        let file = archive.file_name().unwrap().to_string_lossy().into_owned();
        let name = format!("{name}/{}", file.trim_end_matches(".tar.zst"));
        Fixture { name, archive, truth: truth.clone() }
    };
    archives.into_iter().map(fixture).collect()
}
