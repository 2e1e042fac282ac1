//! The laws of the leader lease as predicates.

use super::{Epoch, Lease, LeaseInput, LeaseState};
use crate::time::{Span, Timestamp};
use crate::violation::{Violation, demand};

/// Law `a_timer_fires_once`, over one change of a lease: an epoch belongs to one acquisition, and
/// nobody is displaced while the lease lasts.
///
/// # Errors
/// If an epoch was given twice, fell, or was cut short.
pub fn check(
    before: &Lease,
    input: &LeaseInput,
    accepted: bool,
    after: &Lease,
    (drift, now): (Span, Timestamp),
) -> Result<(), Violation> {
    let duty = before.duty;
    demand!(accepted || before == after, S25, "{duty} changed although it refused {input:?}");
    let acquired = accepted && matches!(input, LeaseInput::Acquire(..));
    let epoch = Epoch(before.epoch.0 + u64::from(acquired));
    demand!(after.epoch == epoch, S25, "{duty} went from {} to {}", before.epoch, after.epoch);
    let changed = before.leader != after.leader || before.epoch != after.epoch;
    let led = before.state() == LeaseState::Led && now < before.until + drift;
    let resigned = *input == LeaseInput::Resign(before.epoch);
    demand!(!changed || !led || resigned, S25, "{duty} was taken from {}", before.epoch);
    if let LeaseInput::Renew(presented, _) | LeaseInput::Resign(presented) = input {
        demand!(!accepted || *presented == before.epoch, S25, "{duty} obeyed {presented}");
    }
    Ok(())
}

/// Law `a_timer_fires_once`, over one write of a row that remembers its epoch.
///
/// # Errors
/// If the writer's epoch was older than the row's.
pub fn written_by_newest(row: &str, before: Epoch, after: Epoch) -> Result<(), Violation> {
    demand!(before <= after, S25, "{row} was written under {after} after {before}");
    Ok(())
}
