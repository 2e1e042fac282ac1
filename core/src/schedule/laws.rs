//! The laws of schedules as predicates.

use alloc::collections::BTreeSet;

use super::{Firing, Schedule};
use crate::lease::laws::written_by_newest;
use crate::time::Timestamp;
use crate::violation::{Violation, demand};

/// Law `a_timer_fires_once`, over one change of a schedule.
///
/// # Errors
/// If it fired early, for a time that it was not due at, for one that had been fired before, or
/// under an outdated epoch.
pub fn check(
    before: &Schedule,
    firing: Option<&Firing>,
    after: &Schedule,
    now: Timestamp,
) -> Result<(), Violation> {
    let name = &before.name;
    written_by_newest("the schedule", before.epoch, after.epoch)?;
    let Some(firing) = firing else {
        demand!(before.fired == after.fired, S25, "{name} fired in silence");
        return Ok(());
    };
    let due = firing.due;
    demand!(due == before.due && due <= now, S25, "{name} fired for {due}, due {}", before.due);
    demand!(before.fired < Some(due), S25, "{name} fired for {due} after {:?}", before.fired);
    demand!(after.fired == Some(due), S25, "{name} does not remember that it fired for {due}");
    Ok(())
}

/// Law `a_timer_fires_once`, over all firings so far.
///
/// # Errors
/// If there are two for one due time of a schedule.
pub fn fired_once<'a>(firings: impl IntoIterator<Item = &'a Firing>) -> Result<(), Violation> {
    let mut seen = BTreeSet::new();
    for firing in firings {
        let key = firing.idempotency_key();
        demand!(seen.insert(firing), S25, "{key} was fired twice");
    }
    Ok(())
}
