//! What the queue keeps, as plain data: a row for each mirror, a run for each time that one was synced,
//! a delivery for each hook.
//!
//! The queue is no list of jobs. A row counts how often its mirror was asked for (`wanted`) and how much
//! of that a run has taken up (`taken`): however many hooks arrive, there is one row, and at most one
//! run that waits. Whatever asks while a run is under way is answered by the next, since the one that is
//! under way may have read the source already.

mod delivery;
mod row;
mod run;

pub use delivery::{DeliveryEntry, DeliveryRecord, Verdict};
pub use row::{Cause, Class, Failing, Member, Receipt, Request, Row, Running, Waiting, Weight};
pub use run::{Claim, Claimed, End, EndState, Finish, ParseRunIdError, Run, RunId, RunState};
