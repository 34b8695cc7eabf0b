//! `inspect changeset`

use serde::Serialize;

use super::{Outcome, Shown, damaged, open, revision, show};
use crate::base::text::printable;
use crate::cli::args::InspectChangesetArgs;
use crate::cli::ui::Ui;
use crate::hg::{Changeset, Repository, Rev};

/// A changeset as it is told.
#[derive(Debug, Serialize)]
struct ShownChangeset {
    revision: u32,
    node: String,
    parents: Vec<ShownParent>,
    manifest: String,
    user: String,
    /// Seconds since 1970.
    seconds: i64,
    /// Seconds west of UTC.
    west: i64,
    phase: String,
    served: bool,
    extra: Vec<(String, String)>,
    files: Vec<String>,
    description: String,
}

#[derive(Debug, Serialize)]
struct ShownParent {
    revision: u32,
    node: String,
}

pub(super) fn run(args: &InspectChangesetArgs, ui: &Ui) -> Outcome {
    let repository = open(&args.source, ui)?;
    let rev = revision::changeset(&repository, &args.revision)?;
    let changeset = repository.changelog().reader().changeset(rev).map_err(damaged(&repository))?;
    Ok(show(ui, &ShownChangeset::new(&repository, rev, &changeset), args.show))
}

impl ShownChangeset {
    fn new(repository: &Repository, rev: Rev, changeset: &Changeset) -> Self {
        let (changelog, view) = (repository.changelog(), repository.view());
        let parent = |rev: Rev| ShownParent {
            revision: rev.number(),
            node: changelog.node(rev).to_string(),
        };
        Self {
            revision: rev.number(),
            node: changelog.node(rev).to_string(),
            parents: changelog.dag().parents(rev).map(parent).collect(),
            manifest: changeset.manifest.to_string(),
            user: printable(&changeset.user),
            seconds: changeset.date.seconds,
            west: changeset.date.west,
            phase: view.phases().of(rev).name().to_owned(),
            served: view.served().contains(rev),
            extra: changeset.extra.iter().map(|(k, v)| (printable(k), printable(v))).collect(),
            files: changeset.files.iter().map(|path| printable(path)).collect(),
            description: printable(&changeset.description),
        }
    }
}

impl Shown for ShownChangeset {
    fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("changeset {}:{}", self.revision, self.node)];
        let mut line = |name: &str, value: &str| lines.push(format!("  {name}: {value}"));
        for ShownParent { revision, node } in &self.parents {
            line("parent", &format!("{revision}:{node}"));
        }
        line("manifest", &self.manifest);
        line("user", &self.user);
        line("date", &format!("{} {}", self.seconds, self.west));
        line("phase", &self.phase);
        line("served", if self.served { "yes" } else { "no" });
        for (key, value) in &self.extra {
            line("extra", &format!("{key}: {value}"));
        }
        for path in &self.files {
            line("file", path);
        }
        line("description", &self.description);
        lines
    }
}
