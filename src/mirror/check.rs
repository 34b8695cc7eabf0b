//! What a run has converted, against the source, before anything names it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::SyncError;
use super::update::Run;
use crate::convert::engine::Conversion;
use crate::convert::placeholder::Placeholders;
use crate::convert::{Chosen, Findings, IdMap, Rules, verify_changesets};
use crate::git::BareRepository;
use crate::git::pack::Pack;
use crate::git::repository::KnownObjects;
use crate::hg::{Node, Rev};

/// A conversion whose objects are on disk, and which nothing names yet.
pub(super) struct Converted<'c> {
    pub git: &'c BareRepository,
    pub rules: &'c Rules,
    pub map: &'c IdMap,
    pub placeholders: &'c Placeholders,
    pub conversion: &'c Conversion,
    pub changesets: &'c [Rev],
    /// The packs that were there before.
    pub packs_before: &'c [PathBuf],
}

impl Run<'_> {
    /// Compares what was converted with the source. If they differ, the packs of this run go again.
    pub(super) fn check(&self, converted: &Converted<'_>) -> Result<(), SyncError> {
        let all = converted.git.pack_indexes()?;
        let is_new = |pack: &PathBuf| !converted.packs_before.contains(pack);
        let packs: Vec<_> = all.into_iter().filter(is_new).collect();
        let Findings { differences, unreadable } = self.findings(converted, &packs)?;
        if differences.is_empty() {
            return Ok(());
        }
        for pack in &packs {
            converted.git.remove_pack(pack)?;
        }
        Err(SyncError::Wrong { differences, unreadable })
    }

    fn findings(
        &self,
        converted: &Converted<'_>,
        packs: &[PathBuf],
    ) -> Result<Findings, SyncError> {
        let Converted { git, rules, map, placeholders, conversion, changesets, .. } = *converted;
        let mut findings = Findings::default();
        let mut written = HashSet::new();
        for pack in packs {
            let pack = match Pack::open(pack, &self.options.limits) {
                Ok(pack) => pack,
                Err(error) => {
                    findings.unreadable(&error);
                    continue;
                }
            };
            let count = Some(pack.len() as u64);
            self.progress.begin("verifying: reading the new pack", count, "objects");
            let contents = pack.check(self.progress, self.interrupt);
            self.interrupt.check()?;
            self.progress.end();
            contents.flaws.iter().for_each(|flaw| findings.unreadable(flaw));
            written.extend(contents.objects.into_iter().map(|(id, _)| id));
        }
        if !findings.differences.is_empty() {
            return Ok(findings);
        }
        let new: HashMap<Node, _> = conversion.records.iter().copied().collect();
        let known: OnceCell<Option<KnownObjects<'_>>> = OnceCell::new();
        let is_known = |id| {
            let known = known.get_or_init(|| git.known().ok());
            known.as_ref().is_some_and(|known| known.contains(id))
        };
        Ok(verify_changesets(&Chosen {
            source: self.attempt.source,
            git,
            rules,
            commit_of: &|node| new.get(&node).copied().or_else(|| map.commit(node)),
            placeholders,
            changesets,
            trusts_others: true,
            is_sound: &|id| written.contains(&id) || is_known(id),
            progress: self.progress,
            interrupt: self.interrupt,
        })?)
    }
}
