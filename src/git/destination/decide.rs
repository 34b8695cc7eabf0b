//! What becomes of each ref of a push: what is known before anything is asked, and what the server's word means.

use super::receive_pack::{Advertisement, Status};
use super::remote_text::clean;
use super::session::Session;
use super::{RefOutcome, RefResult, RefUpdate, RefusalKind, refusal};
use crate::git::reference::by_name;

/// What needs no question: where the server already has what it shall have, where it has something else
/// than it must have, and what it cannot do.
pub(super) fn decide(
    updates: &[RefUpdate],
    server: &Advertisement,
    is_again: bool,
) -> Vec<Option<RefOutcome>> {
    let has = by_name(&server.refs);
    let decide = |update: &RefUpdate| {
        let there = has.get(update.name.as_str()).map(|reference| reference.id);
        if there == update.new {
            // It may be the answer that got lost, and not the question.
            return Some(match is_again || there != update.old {
                true => RefOutcome::accepted(update),
                false => RefOutcome { result: RefResult::UpToDate, ..RefOutcome::accepted(update) },
            });
        }
        if there != update.old {
            return Some(RefOutcome::refused(update, RefusalKind::Raced, "it moved meanwhile"));
        }
        let is_impossible = update.new.is_none() && !server.capabilities.delete_refs;
        is_impossible.then(|| {
            RefOutcome::refused(update, RefusalKind::Protected, "the server removes no refs")
        })
    };
    updates.iter().map(decide).collect()
}

/// What the server's word means for `update`.
pub(super) fn outcome(
    update: &RefUpdate,
    status: Option<&Status>,
    session: &Session,
) -> RefOutcome {
    let credential = &session.credential;
    match status {
        // A server that gives no report leaves it to the list that follows.
        Some(Status::Done) | None => RefOutcome::accepted(update),
        Some(Status::Changed(what)) => {
            let what = clean(what, credential);
            let reason = format!("the server has taken it in another way: {what}");
            RefOutcome::refused(update, RefusalKind::NotKept, reason)
        }
        Some(Status::Refused(reason)) => {
            let text = &session.state().text;
            let refusal = clean(&String::from_utf8_lossy(reason), credential);
            let kind = refusal::classify(&update.name, &refusal, &text.lines(credential));
            let reason = match text.summary(credential) {
                text if text.is_empty() => refusal,
                text => format!("{refusal}: {text}"),
            };
            RefOutcome::refused(update, kind, reason)
        }
    }
}
