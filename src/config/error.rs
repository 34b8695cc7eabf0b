//! Everything that can be wrong with a configuration.

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use super::problem::{Problem, ProblemKind};
use crate::base::faults;

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read, and something in it is wrong.
    #[error("use the configuration:{}", listed(path, problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// All that is wrong, in the order of the lines. Never empty.
        problems: Vec<Problem>,
    },
    /// A part of the work is to be left to others, and there can be none.
    #[error("take the role {role:?}: the queue is a file, which no other daemon shares")]
    Alone {
        /// What the daemon was to be.
        role: &'static str,
    },
    /// What the file names cannot be used. Only the mirrors that need it fail.
    #[error("use what the configuration names:{}", listed(path, problems))]
    Unusable {
        /// The file.
        path: PathBuf,
        /// All that is wrong, in the order of the lines. Never empty.
        problems: Vec<Problem>,
    },
}

faults!(ConfigError {
    Self::Read { .. } => {
        Config.hint("`synchroniser init` writes a first one; if it is elsewhere, name it with --config")
    },
    Self::Invalid { problems, .. } if problems.iter().any(Problem::is_of_keys) => {
        Config.hint("`synchroniser config default` prints every key with its meaning")
    },
    Self::Invalid { .. } => Config,
    Self::Alone { .. } => {
        Config.hint("name a PostgreSQL database in `queue.store`, which several daemons share; docs/many-nodes.md shows how")
    },
    Self::Unusable { .. } => {
        Config.hint("only the mirrors that need them fail; the others are synced")
    },
});

/// One line for each problem, in the `file:line: ` form that editors jump to.
fn listed(path: &std::path::Path, problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |mut text, problem| {
        let _ = write!(text, "\n  {}:{problem}", path.display());
        text
    })
}

/// What was found so far.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    /// Notes that `kind` is wrong with `key` on `line`.
    pub(super) fn push(&mut self, line: usize, key: impl Into<String>, kind: ProblemKind) {
        self.0.push(Problem { line, key: key.into(), kind });
    }

    /// All of them, in the order of the lines.
    pub(super) fn sorted(mut self) -> Vec<Problem> {
        self.0.sort_by_key(|problem| problem.line);
        self.0
    }
}
