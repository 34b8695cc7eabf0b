//! Compares what a run has converted with the source, before the id map or any ref names it.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::SyncError;
use super::update::{ConvertedHistory, Sync};
use crate::base::{Progress, Stage};
use crate::convert::engine::Conversion;
use crate::convert::placeholder::Placeholders;
use crate::convert::{Chosen, Findings, IdMap, Rules, Verify, verify_changesets};
use crate::git::pack::Pack;
use crate::git::repository::KnownObjects;
use crate::git::{BareRepository, ObjectId};
use crate::hg::{Node, Rev};

/// If more than one part in so many of a history is to be compared, its packs are read whole.
const MANY: usize = 8;

/// When what was converted is compared with the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Checks {
    /// Each slice, before the map names it.
    BySlice,
    /// Not while it is converted.
    Later,
}

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

impl Sync<'_> {
    /// When it is, by what was asked for.
    pub(super) fn checks(&self) -> Checks {
        match self.options().verify {
            Verify::New => Checks::BySlice,
            Verify::Off => Checks::Later,
        }
    }

    /// Compares what was converted with the source. If they differ, the packs of this run go again.
    pub(super) fn check(&self, converted: &Converted<'_>) -> Result<(), SyncError> {
        let all = converted.git.pack_indexes()?;
        let is_new = |pack: &PathBuf| !converted.packs_before.contains(pack);
        let packs: Vec<_> = all.into_iter().filter(is_new).collect();
        let Findings { differences, more, unreadable } = self.findings(converted, &packs)?;
        if differences.is_empty() {
            return Ok(());
        }
        for pack in &packs {
            converted.git.remove_pack(pack)?;
        }
        Err(SyncError::Wrong { differences, more, unreadable })
    }

    fn findings(
        &self,
        converted: &Converted<'_>,
        packs: &[PathBuf],
    ) -> Result<Findings, SyncError> {
        let Converted { git, rules, map, placeholders, conversion, changesets, .. } = *converted;
        let mut findings = Findings::default();
        let written = self.sound_objects(packs, &mut findings)?;
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
            source: self.repository(),
            git,
            rules,
            commit_of: &|node| new.get(&node).copied().or_else(|| map.commit(node)),
            is_adopted: &|node| map.is_adopted(node),
            placeholders,
            changesets,
            trusts_others: true,
            is_sound: &|id| written.contains(&id) || is_known(id),
            progress: self.events,
            limits: &self.options().limits,
            interrupt: self.interrupt,
        })?)
    }

    /// The objects of `packs`, all of which are read. What is wrong with them is added to `findings`.
    fn sound_objects(
        &self,
        packs: &[PathBuf],
        findings: &mut Findings,
    ) -> Result<HashSet<ObjectId>, SyncError> {
        let mut sound = HashSet::new();
        for pack in packs {
            let pack = match Pack::open(pack, &self.options().limits) {
                Ok(pack) => pack,
                Err(error) => {
                    findings.unreadable(&error);
                    continue;
                }
            };
            let count = Some(pack.len() as u64);
            self.events.begin(Stage::VerifyingPack, count);
            let contents = pack.check(self.events, self.interrupt);
            self.interrupt.check()?;
            self.events.end();
            contents.flaws.iter().for_each(|flaw| findings.unreadable(flaw));
            sound.extend(contents.objects.into_iter().map(|(id, _)| id));
        }
        Ok(sound)
    }

    /// Compares some changesets of a history that was converted without a check.
    pub(super) fn findings_among(
        &self,
        git: &BareRepository,
        history: &ConvertedHistory,
        changesets: &[Rev],
    ) -> Result<Findings, SyncError> {
        let ConvertedHistory { rules, map, placeholders, .. } = history;
        let mut findings = Findings::default();
        // One object after the other costs more than all of them in their order, if they are many.
        let packs = match changesets.len() > map.len() / MANY {
            true => git.pack_indexes()?,
            false => Vec::new(),
        };
        let sound = self.sound_objects(&packs, &mut findings)?;
        if !findings.differences.is_empty() {
            return Ok(findings);
        }
        let known = git.known()?;
        let mut rest = changesets;
        while !rest.is_empty() && findings.differences.is_empty() {
            let most = self.changesets_in_a_slice(changesets.len()).min(rest.len());
            let (slice, more) = rest.split_at(most);
            rest = more;
            findings = verify_changesets(&Chosen {
                source: self.repository(),
                git,
                rules,
                commit_of: &|node| map.commit(node),
                is_adopted: &|node| map.is_adopted(node),
                placeholders,
                changesets: slice,
                trusts_others: true,
                is_sound: &|id| sound.contains(&id) || known.check(id).is_ok(),
                progress: self.events,
                limits: &self.options().limits,
                interrupt: self.interrupt,
            })?;
        }
        Ok(findings)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::sha1;
    use crate::base::{Fault, HasFault, Interrupt};
    use crate::convert::{ConvertOptions, IdMap};
    use crate::hg::pull::Source;
    use crate::mirror::NoObserver;
    use crate::mirror::adopt::StartingPoint;
    use crate::mirror::cache::LockedCache;
    use crate::mirror::event::Events;
    use crate::mirror::source::{LocalSource, read_source};
    use crate::mirror::{CacheLocation, Mirror, PublishRules};

    /// Three changesets without files, one after the other.
    fn write_source(folder: &Path) {
        let store = folder.join(".hg/store");
        std::fs::create_dir_all(&store).unwrap();
        std::fs::write(folder.join(".hg/requires"), "revlogv1\nstore\n").unwrap();
        let mut index = Vec::new();
        let mut parent = [0; 20];
        for rev in 0..3_i32 {
            let text = format!("{}\nuser\n{rev} 0\n\nmessage", "0".repeat(40));
            let length = i32::try_from(text.len()).unwrap();
            let mut offset = [0; 8];
            if rev == 0 {
                offset[1] = 1;
                offset[3] = 1;
            } else {
                offset[2..6].copy_from_slice(&(rev * (length + 1)).to_be_bytes());
            }
            index.extend_from_slice(&offset);
            for number in [length + 1, length, rev, rev, rev - 1, -1] {
                index.extend_from_slice(&number.to_be_bytes());
            }
            parent = sha1::digest(&[&[0; 20], &parent, text.as_bytes()]);
            index.extend_from_slice(&parent);
            index.extend_from_slice(&[0; 12]);
            index.push(b'u');
            index.extend_from_slice(text.as_bytes());
        }
        std::fs::write(store.join("00changelog.i"), index).unwrap();
    }

    /// Converts a source, lets `spoil` change what was made, and checks it. Returns what the check
    /// says, and how many packs are left.
    fn check(spoil: impl Fn(&mut Conversion, &Path)) -> (Result<(), SyncError>, usize) {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        write_source(&source);
        let mirror = &Mirror {
            name: "target".to_owned(),
            source: Source::Path(source.clone()),
            cache: CacheLocation::Repository(target.clone()),
            target: None,
            forge: None,
            options: ConvertOptions::default(),
            publish: PublishRules::default(),
        };
        let (cache, interrupt) =
            (&LockedCache::lock(&mirror.cache, "master").unwrap(), &Interrupt::default());
        let source = LocalSource::in_place(&source);
        let checked = read_source(&source, &mirror.options, interrupt, |source| {
            let git = cache.open_git("master")?;
            let run = Sync { mirror, cache, source, events: &Events::to(&NoObserver), interrupt };
            let StartingPoint { identity, map, .. } = run.starting_point(&git, &[])?;
            let (rules, placeholders) = (&mirror.options.rules(identity), &Placeholders::default());
            let changesets: Vec<Rev> = source.repository.view().served().iter().collect();
            let mut conversion = run.convert(&git, rules, &map, placeholders, &changesets)?;
            spoil(&mut conversion, &git.pack_folder());
            git.refresh()?;
            let (map, conversion): (&IdMap, _) = (&map, &conversion);
            let (git, changesets, packs_before) = (&git, &changesets[..], &[]);
            Ok(run.check(&Converted {
                git,
                rules,
                map,
                placeholders,
                conversion,
                changesets,
                packs_before,
            }))
        });
        let packs = std::fs::read_dir(target.join("objects/pack")).unwrap().count();
        (checked.unwrap(), packs)
    }

    #[test]
    fn what_is_right_stays() {
        let (checked, packs) = check(|_, _| {});
        checked.unwrap();
        assert_eq!(packs, 2);
    }

    #[test]
    fn a_wrong_commit_is_found_and_its_pack_removed() {
        let (checked, packs) = check(|conversion, _| {
            let (first, second) = (conversion.records[1].1, conversion.records[2].1);
            (conversion.records[1].1, conversion.records[2].1) = (second, first);
        });
        let error = checked.unwrap_err();
        assert_eq!((error.fault(), packs), (Fault::Internal, 0), "{error}");
        let (checked, _) = check(|conversion, _| conversion.records.clear());
        assert!(checked.unwrap_err().to_string().contains("it has no commit"));
    }

    #[test]
    fn a_disk_that_loses_bits_is_found() {
        let (checked, packs) = check(|_, packs| {
            for entry in std::fs::read_dir(packs).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|extension| extension == "pack") {
                    let mut bytes = std::fs::read(&path).unwrap();
                    let middle = bytes.len() / 2;
                    bytes[middle] ^= 4;
                    std::fs::remove_file(&path).unwrap();
                    std::fs::write(&path, bytes).unwrap();
                }
            }
        });
        let error = checked.unwrap_err();
        assert_eq!((error.fault(), packs), (Fault::Corrupt, 0), "{error}");
    }
}
