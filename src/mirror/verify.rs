//! One mirror against its source: its cache, then what its target has.

use std::path::Path;

use super::source::Readable;
use super::workspace::{Workspace, copy_beside};
use super::{ConvertOptions, MirrorOptions, SyncError};
use crate::base::{Interrupt, Progress};
use crate::convert::idmap::IN_REPOSITORY;
use crate::convert::{self, Subject, VerifyReport, VerifySelection, verify_objects};
use crate::git::BareRepository;
use crate::git::destination;
use crate::git::reference::by_name;
use crate::hg::Repository;
use crate::hg::pull::Source;

/// Compares a mirror's cache with its source, and the references of its target with the cache. A
/// target that is a bare repository on this machine has its objects read too.
pub fn verify(
    options: &MirrorOptions,
    selection: &VerifySelection,
    progress: &dyn Progress,
    interrupt: &Interrupt,
) -> Result<VerifyReport, SyncError> {
    if !options.cache.join("git").exists() {
        return Err(SyncError::NeverSynced { path: options.cache.clone() });
    }
    let workspace = Workspace::cache(&options.cache)?;
    let limits = &options.convert.limits;
    let source = Readable::kept(&options.source, &workspace.copy(), limits)?;
    let source = source.open(&options.convert)?;
    let subject = Subject { source: &source, git: workspace.git(), map: workspace.map() };
    let mut report = convert::verify(&subject, selection, &options.convert, progress, interrupt)?;
    if !selection.is_all() {
        return Ok(report);
    }
    compare_references(options, &workspace, &mut report)?;
    if let Some(path) = options.target.url.local_path() {
        let limits = &options.convert.limits;
        let there = verify_objects(path, limits, progress, interrupt)?;
        let told = there.differences.into_iter().map(|flaw| format!("at the target: {flaw}"));
        report.differences.extend(told);
        report.more += there.more;
    }
    Ok(report)
}

/// The repository that the bare one at `target` was converted from: in place, or as it was when it
/// was fetched last.
pub fn converted_source(
    source: &Source,
    target: &Path,
    options: &ConvertOptions,
) -> Result<Repository, SyncError> {
    let copy = copy_beside(&target.join(IN_REPOSITORY));
    Readable::kept(source, &copy, &options.limits)?.open(options)
}

/// Compares the references of the target with those of the cache. It may have others.
fn compare_references(
    options: &MirrorOptions,
    workspace: &Workspace,
    report: &mut VerifyReport,
) -> Result<(), SyncError> {
    let git = BareRepository::open(workspace.git())?;
    let wanted = git.refs()?;
    let mut existing = destination::open(&options.target, workspace.git())?.references()?;
    git.peel(&mut existing);
    let existing = by_name(&existing);
    for reference in wanted {
        let name = &reference.name;
        match existing.get(name.as_str()) {
            Some(there) if there.stands_for(reference.id) => {}
            Some(there) => report
                .differences
                .push(format!("at the target: {name} is at {}, not at {}", there.id, reference.id)),
            None => report.differences.push(format!("at the target: {name} is not there")),
        }
    }
    Ok(())
}
