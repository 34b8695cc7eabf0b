//! How long work says how far it is.

use serde::{Deserialize, Serialize};

/// Receives progress. Implementations must be cheap: workers call [`Progress::advance`] often.
pub trait Progress: Sync {
    /// A stage begins. `total` counts its units, where that is known.
    fn begin(&self, stage: Stage, total: Option<u64>);

    /// `n` more units of the current stage are done.
    fn advance(&self, n: u64);

    /// The current stage has ended.
    fn end(&self);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _phase: Stage, _total: Option<u64>) {}
    fn advance(&self, _n: u64) {}
    fn end(&self) {}
}

/// What is counted in a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Changesets of Mercurial.
    Changesets,
    /// Revisions of anything that Mercurial stores.
    Revisions,
    /// Revisions of files.
    FileRevisions,
    /// Files.
    Files,
    /// Commits of Git.
    Commits,
    /// Objects of Git.
    Objects,
    /// Refs of Git.
    Refs,
    /// Bytes.
    Bytes,
    /// Seconds of waiting.
    Seconds,
}

impl Unit {
    /// The words for many of it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Changesets => "changesets",
            Self::Revisions => "revisions",
            Self::FileRevisions => "file revisions",
            Self::Files => "files",
            Self::Commits => "commits",
            Self::Objects => "objects",
            Self::Refs => "refs",
            Self::Bytes => "bytes",
            Self::Seconds => "seconds",
        }
    }
}

/// Declares [`Stage`]: each with its unit, and the words that a person reads.
macro_rules! stages {
    ($($stage:ident, $unit:ident, $words:literal;)+) => {
        /// What is being done, of all that takes long.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Stage {
            $(#[doc = concat!("For people: ", $words, ".")] $stage,)+
        }

        impl Stage {
            /// Every stage, for tables and tests.
            pub const ALL: &[Self] = &[$(Self::$stage,)+];

            /// What is counted in it.
            pub fn unit(self) -> Unit {
                match self {
                    $(Self::$stage => Unit::$unit,)+
                }
            }

            /// What a person reads.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$stage => $words,)+
                }
            }
        }
    };
}

stages! {
    CollectingRevisions, Changesets, "collecting revisions";
    TakingCache, Bytes, "taking the cache from another daemon";
    CopyingFiles, Bytes, "copying files of the source";
    CheckingFiles, Files, "checking copied files";
    AddingChangesets, Revisions, "adding changesets";
    AddingManifests, Revisions, "adding manifests";
    AddingFiles, Revisions, "adding files";
    CheckingCache, Commits, "checking the cache";
    MatchingCommits, Commits, "matching existing commits";
    ReadingManifests, Changesets, "reading manifests";
    ConvertingFiles, FileRevisions, "converting files";
    WritingCommits, Changesets, "writing commits";
    VerifyingPack, Objects, "verifying: reading the new pack";
    VerifyingManifests, Changesets, "verifying: reading manifests";
    VerifyingFiles, FileRevisions, "verifying: reading files";
    VerifyingCommits, Changesets, "verifying: comparing commits";
    ReadingPacks, Objects, "reading packs";
    ReadingObjects, Objects, "reading other objects";
    ReadingFiles, Files, "reading files of the source";
    ComparingCommits, Changesets, "comparing changesets with commits";
    ListingRefs, Refs, "listing refs of the target";
    CopyingPacks, Bytes, "copying packs";
    PackingObjects, Objects, "packing objects";
    CountingObjects, Objects, "counting objects";
    CompressingObjects, Objects, "compressing objects";
    WaitingToPush, Seconds, "waiting: the target is sent six pushes a minute";
    SendingObjects, Objects, "sending objects";
    FetchingObjects, Objects, "fetching objects";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn stages_have_names_of_their_own() {
        let words: HashSet<_> = Stage::ALL.iter().map(|stage| stage.words()).collect();
        assert_eq!(words.len(), Stage::ALL.len());
        let name = |stage: &Stage| serde_json::to_string(stage).unwrap();
        let names: HashSet<_> = Stage::ALL.iter().map(name).collect();
        assert_eq!(names.len(), Stage::ALL.len());
        assert!(names.contains("\"converting_files\""), "{names:?}");
    }
}
