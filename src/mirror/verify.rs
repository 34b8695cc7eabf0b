//! Compares the cache of a mirror with its source, then the refs of its target with the cache.

use super::cache::{CacheLocation, Layout, LockedCache, ReadCache};
use super::event::{Events, Observer};
use super::source::LocalSource;
use super::{Mirror, SyncError};
use crate::base::Interrupt;
use crate::convert::{self, Difference, Subject, VerifyReport, VerifySelection, verify_objects};
use crate::git::BareRepository;
use crate::git::destination::{self, Target};
use crate::git::reference::by_name;

/// Compares a mirror's cache with its source, as that is or was fetched last, and the references of
/// its target with the cache. A target that is a bare repository on this machine has its objects
/// read too.
pub fn verify(
    mirror: &Mirror,
    selection: &VerifySelection,
    observer: &dyn Observer,
    interrupt: &Interrupt,
) -> Result<VerifyReport, SyncError> {
    let events = &Events::to(observer);
    let (layout, options) = (mirror.cache.layout(), &mirror.options);
    let _lock = match &mirror.cache {
        CacheLocation::Folder(path) if !layout.git.exists() => {
            return Err(SyncError::NeverSynced { path: path.clone() });
        }
        CacheLocation::Folder(_) => {
            Some(LockedCache::lock(&mirror.cache, &options.naming.main_name())?)
        }
        // It may belong to another user, who lets us read it.
        CacheLocation::Repository(_) => None,
    };
    let limits = &options.limits;
    let source = LocalSource::kept(&mirror.source, &layout.copy(), limits)?.open(options)?;
    let ledger = ReadCache::read(&mirror.cache, options)?.ledger(mirror.target.as_ref())?;
    let (map, known) = (&layout.map(), &ledger.names());
    let subject = Subject { source: &source, git: &layout.git, map, known };
    let mut report = convert::verify(&subject, selection, options, events, interrupt)?;
    let Some(target) = mirror.target.as_ref().filter(|_| selection.is_all()) else {
        return Ok(report);
    };
    compare_references(target, &layout, &mut report, interrupt)?;
    if let Some(path) = target.url.local_path() {
        let there = verify_objects(path, limits, events, interrupt)?;
        let at_target = |difference| Difference::AtTarget { difference: Box::new(difference) };
        report.differences.extend(there.differences.into_iter().map(at_target));
        report.more += there.more;
    }
    Ok(report)
}

/// Compares the references of the target with those of the cache. It may have others.
fn compare_references(
    target: &Target,
    layout: &Layout,
    report: &mut VerifyReport,
    interrupt: &Interrupt,
) -> Result<(), SyncError> {
    let git = BareRepository::open(&layout.git)?;
    let wanted = git.refs()?;
    let mut existing = destination::open(target, &layout.git)?.references(interrupt)?;
    git.peel(&mut existing);
    let existing = by_name(&existing);
    for reference in wanted {
        let there = existing.get(reference.name.as_str());
        if there.is_none_or(|there| !there.stands_for(reference.id)) {
            report.differences.push(Difference::RefNotPublished {
                has: there.map(|there| there.id),
                wants: reference.id,
                name: reference.name,
            });
        }
    }
    Ok(())
}
