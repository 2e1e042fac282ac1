//! S27: a cancellation, once accepted, holds.

use alloc::format;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::S27;
use crate::status::Status;

/// S27: what was asked to stop begins no further attempt and goes nowhere but to an end: as
/// cancelled, or as completed if that report came first.
pub(super) fn holds(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved().filter(|(before, _)| before.cancel_requested) {
        let id = after.id;
        demand(S27, after.cancel_requested, || format!("{id} forgot that it was asked to stop"))?;
        demand(S27, before.attempt == after.attempt, || {
            format!("{id} began {} after it was asked to stop", after.attempt)
        })?;
        let stopping = after.status.has_live_attempt()
            || matches!(after.status, Status::Cancelled | Status::Completed)
            || before.status.is_terminal();
        demand(S27, stopping, || format!("{id} was asked to stop and went to {}", after.status))?;
        let started = (before.status, after.status);
        let starts = matches!(started, (Status::Offered | Status::Accepted, Status::Running));
        demand(S27, !starts, || format!("{id} started after it was asked to stop"))?;
    }
    Ok(())
}
