//! S25: each due time of a schedule is fired once, by the commit that moves the schedule on.

use alloc::collections::BTreeSet;
use alloc::format;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::S25;
use crate::execution::Execution;
use crate::history::{History, RowChange};
use crate::schedule::{Firing, Schedule, ScheduleState};

/// The firing that an execution was submitted for.
fn firing_of(execution: &Execution) -> Option<Firing> {
    Firing::of_key(&execution.idempotency.as_ref()?.key)
}

/// S25: a schedule remembers what it fired, and it and its execution are written by one commit.
pub(super) fn fires(change: &Change<'_>) -> Verdict {
    let new = change.commit.executions.iter().filter(|change| change.before.is_none());
    let firings: BTreeSet<Firing> = new.filter_map(|change| firing_of(&change.after)).collect();
    for row in &change.commit.schedules {
        moved_on(row, &firings, change)?;
    }
    for firing in firings {
        let moved = change.commit.schedules.iter().any(|row| {
            let is_new = row.before.as_ref().is_some_and(|b| b.fired < Some(firing.due));
            row.after.name == firing.schedule && row.after.fired == Some(firing.due) && is_new
        });
        demand(S25, moved, || {
            format!("{} was submitted, and its schedule did not move", firing.idempotency_key())
        })?;
    }
    Ok(())
}

fn moved_on(row: &RowChange<Schedule>, firings: &BTreeSet<Firing>, change: &Change<'_>) -> Verdict {
    let (before, after) = (row.before.as_ref(), &row.after);
    let name = &after.name;
    let had = before.and_then(|before| before.fired);
    demand(S25, had <= after.fired, || format!("{name} forgot that it fired for {had:?}"))?;
    let epoch = before.map(|before| before.epoch);
    demand(S25, epoch <= Some(after.epoch), || format!("{name} was written under an old epoch"))?;
    let Some(due) = after.fired.filter(|_| had != after.fired) else { return Ok(()) };
    let was_due = before.is_some_and(|before| {
        before.state == ScheduleState::Active && before.due <= due && due <= change.commit.at
    });
    demand(S25, was_due, || format!("{name} fired for {due}, due {:?}", before.map(|b| b.due)))?;
    let firing = Firing { schedule: name.clone(), due };
    demand(S25, firings.contains(&firing), || {
        format!("{name} fired for {due}, and nothing was submitted under its key")
    })
}

/// S25: no due time of a schedule was fired twice, however long ago the first time was.
pub(super) fn fired_once(history: &History) -> Verdict {
    let mut seen = BTreeSet::new();
    let rows = history.commits().iter().flat_map(|commit| &commit.executions);
    for row in rows.filter(|row| row.before.is_none()) {
        let Some(firing) = firing_of(&row.after) else { continue };
        let key = firing.idempotency_key();
        demand(S25, seen.insert(firing), || format!("{key} was fired twice"))?;
    }
    Ok(())
}
