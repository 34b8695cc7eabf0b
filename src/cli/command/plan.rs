//! `plan`: what a sync would change, and nothing changed.

use serde::Serialize;

use super::report::{ShownNote, count, note_line};
use super::{Outcome, config, interrupted_by_signals, sync};
use crate::base::faults;
use crate::cli::args::PlanArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::ui::Ui;
use crate::git::destination::PublishError;
use crate::mirror::{self, Kept, PlannedReference, SyncError, SyncPlan};

/// Why `plan` does not come to an end.
#[derive(Debug, thiserror::Error)]
enum PlanCommandError {
    /// The source or the cache of a mirror cannot be read.
    #[error("plan a sync of the mirror {name}")]
    Plan {
        name: String,
        #[source]
        source: SyncError,
    },
    /// The references of a target cannot be read, so that the rest of the plan is all there is.
    #[error("look at the target of the mirror {name}")]
    Target {
        name: String,
        #[source]
        source: PublishError,
    },
}

faults!(PlanCommandError {
    Self::Plan { source, .. } => of(source),
    Self::Target { source, .. } => of(source).at(Target),
});

/// What `--json` prints.
#[derive(Serialize)]
struct Plans {
    mirrors: Vec<ShownPlan>,
}

/// One plan, with its notes as they read.
#[derive(Serialize)]
struct ShownPlan {
    #[serde(flatten)]
    plan: SyncPlan,
    notes: Vec<ShownNote>,
}

pub(super) fn run(args: &PlanArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.config.config)?;
    let interrupt = interrupted_by_signals(ui)?;
    let mut outcome = exit::OK;
    let mut plans = Vec::new();
    let mut fail = |failure: Failure| {
        ui.error(&failure.text());
        if outcome == exit::OK {
            outcome = exit::code(failure.fault());
        }
    };
    for mirror in &mirrors::select(&config, &args.mirrors)? {
        let name = || mirror.mirror.name.clone();
        let mirror = match sync::ready(mirror) {
            Ok(ready) => ready,
            Err(error) => {
                fail(error.into());
                continue;
            }
        };
        match mirror::plan(&mirror, ui, &interrupt) {
            Ok(mut plan) => {
                if let Some(source) = plan.unreachable.take() {
                    fail(PlanCommandError::Target { name: name(), source }.into());
                }
                plans.push(plan);
            }
            Err(source) => fail(PlanCommandError::Plan { name: name(), source }.into()),
        }
    }
    if args.json {
        let show = |plan: SyncPlan| {
            let notes = plan.notes.iter().map(ShownNote::of).collect();
            ShownPlan { plan, notes }
        };
        let plans = Plans { mirrors: plans.into_iter().map(show).collect() };
        // Strings and numbers only: nothing that JSON has no form for.
        ui.result(&serde_json::to_string_pretty(&plans).unwrap_or_default());
    } else {
        for line in plans.iter().flat_map(lines) {
            ui.result(&line);
        }
    }
    Ok(outcome)
}

/// A plan in words.
fn lines(plan: &SyncPlan) -> Vec<String> {
    let served = count(plan.changesets.served as u64, "changeset", "changesets");
    let mut lines = vec![
        format!("{}: {} to {} ({})", plan.name, plan.source, plan.target, plan.identity),
        format!("  {served}, {} to convert", plan.changesets.new),
    ];
    let first = &plan.changesets.first;
    lines.extend(first.iter().map(|changeset| {
        let node = changeset.node.get(..12).unwrap_or_default();
        let (branch, author) = (&changeset.branch, &changeset.author);
        format!("    {node} ({branch}) {author}: {}", changeset.summary)
    }));
    let more = plan.changesets.new.saturating_sub(first.len());
    lines.extend((more > 0).then(|| format!("    and {more} more")));
    match &plan.references {
        Some(references) => {
            lines.extend(references.create.iter().map(|r| reference("create", r)));
            lines.extend(references.moves.iter().map(|r| reference("move", r)));
            lines.extend(references.rewrite.iter().map(|r| reference("rewrite", r)));
            lines.extend(references.remove.iter().map(|removed| {
                let old = removed.old.as_deref().and_then(|old| old.get(..12)).unwrap_or_default();
                format!("  remove {} at {old}: the source has no such name any more", removed.name)
            }));
            lines.extend(references.refuse.iter().map(|r| reference("refuse", r)));
            lines.extend(references.keep.iter().map(|kept| {
                let commit = kept.commit.get(..12).unwrap_or_default();
                let why = match kept.why {
                    Some(Kept::Rewritten) => "the source no longer has all of its commits",
                    Some(Kept::Unmerged) => {
                        "the source has no such name any more, and no other ref has its commits"
                    }
                    Some(Kept::WasMain) => "it was the main branch",
                    None => "the source has no such name",
                };
                format!("  keep {} at {commit}: {why}", kept.name)
            }));
            let unchanged = count(references.unchanged as u64, "ref is", "refs are");
            lines.push(format!("  {unchanged} as in the source"));
        }
        None => lines.push("  the refs of the target cannot be read".to_owned()),
    }
    lines.extend(plan.notes.iter().map(note_line));
    lines
}

fn reference(what: &str, planned: &PlannedReference) -> String {
    let short = |id: &Option<String>| id.as_deref().and_then(|id| id.get(..12)).map(str::to_owned);
    let new = match (short(&planned.commit), short(&planned.node)) {
        (Some(commit), _) => commit,
        (None, Some(node)) => format!("the commit of changeset {node}"),
        (None, None) => "a new commit".to_owned(),
    };
    let old = short(&planned.old).map(|old| format!(" {old} ->")).unwrap_or_default();
    let reason = planned.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    format!("  {what} {}{old} {new}{reason}", planned.name)
}
