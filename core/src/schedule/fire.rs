//! Firing: what is done about a schedule that is due. The row moves on and the execution is submitted
//! under the firing's key in one decision, so neither is ever there without the other.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{CATCH_UP, Calendar, Firing, MISSED_AFTER, Missed, Refusal, Schedule, ScheduleInput};
use super::{ScheduleName, ScheduleState};
use crate::definition::Prepared;
use crate::effect::Wish;
use crate::execution::Idempotency;
use crate::id::ExecutionId;
use crate::lease::Epoch;
use crate::submit::{self, Submission, Submitted};
use crate::time::Timestamp;
use crate::unit::Unit;

/// What a firing is known by beside its key: there is nothing else that it could be.
const FINGERPRINT: &str = "schedule";

/// Nobody leads: each process names the same epoch, and the row's due time decides.
const NOBODY_LEADS: Epoch = Epoch(0);

/// What was done about a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fired {
    /// An execution was submitted for this due time.
    Submitted(ExecutionId, Timestamp),
    /// Due times up to this one were left out, since they were missed.
    LeftOut(Timestamp),
    /// This due time was left out: what it fires cannot be submitted.
    Failed(Timestamp, String),
    /// Nothing: somebody else has seen to it, or it is paused or gone.
    Nothing,
}

/// Sees to a schedule that is due: at most one due time is fired.
///
/// `prepared` is what to submit, or why that is impossible. The schedule must be loaded, and so must
/// the queue and an execution with the firing's key ([`due_time`] names it), if there is one.
pub fn fire(
    unit: &mut Unit,
    name: &ScheduleName,
    calendar: &dyn Calendar,
    prepared: Result<(Prepared, Vec<Wish>), String>,
) -> Fired {
    let now = unit.now;
    let Some(row) = unit.schedules.find(name).cloned() else { return Fired::Nothing };
    if row.state != ScheduleState::Active || row.due > now {
        return Fired::Nothing;
    }
    let Some(due) = due_time(&row, calendar, now) else {
        let next = calendar.after(now);
        let due = row.due;
        change(unit, name, None, |row| row.handle(ScheduleInput::PassOver { due, next }, now));
        return Fired::LeftOut(due);
    };
    if due > row.due {
        let pass = ScheduleInput::PassOver { due: row.due, next: Some(due) };
        change(unit, name, row.last_error.clone(), |row| row.handle(pass, now));
    }
    let next = match row.plan.missed {
        Missed::Once if is_missed(&row.due, now) => calendar.after(now),
        _ => calendar.after(due),
    };
    match submit_for(unit, &Firing { schedule: name.clone(), due }, prepared) {
        Ok(id) => {
            let input = ScheduleInput::Fire { due, next, epoch: NOBODY_LEADS };
            if !unit.is_planted("schedule_advanced_outside_the_commit") {
                change(unit, name, None, |row| {
                    row.last_execution = Some(id);
                    row.handle(input, now)
                });
            }
            Fired::Submitted(id, due)
        }
        Err(why) => {
            let error = Some(why.clone());
            change(unit, name, error, |row| row.handle(ScheduleInput::PassOver { due, next }, now));
            Fired::Failed(due, why)
        }
    }
}

/// For which due time a schedule that is due fires now; `None` if everything up to now is left out.
#[must_use]
pub fn due_time(row: &Schedule, calendar: &dyn Calendar, now: Timestamp) -> Option<Timestamp> {
    if !is_missed(&row.due, now) {
        return Some(row.due);
    }
    match row.plan.missed {
        Missed::Skip => None,
        Missed::Once => Some(calendar.earliest_of_the_last(1, row.due, now)),
        Missed::All => Some(calendar.earliest_of_the_last(CATCH_UP, row.due, now)),
    }
}

fn is_missed(due: &Timestamp, now: Timestamp) -> bool {
    now.since(*due) > MISSED_AFTER
}

/// Changes the row by inputs that fit, since whoever asks has just looked.
fn change(
    unit: &mut Unit,
    name: &ScheduleName,
    error: Option<String>,
    tell: impl FnOnce(&mut Schedule) -> Result<Option<Firing>, Refusal>,
) {
    let row = unit.schedules.edit(name).expect("the schedule is loaded");
    let _firing = tell(row).expect("it is due");
    row.last_error = error;
}

/// Submits what is fired; nothing has changed if it is refused.
fn submit_for(
    unit: &mut Unit,
    firing: &Firing,
    prepared: Result<(Prepared, Vec<Wish>), String>,
) -> Result<ExecutionId, String> {
    let key = firing.idempotency_key();
    let keyed = Idempotency { key, fingerprint: FINGERPRINT.to_string() };
    let idempotency = (!unit.is_planted("firing_without_its_key")).then_some(keyed);
    let (prepared, wishes) = prepared?;
    let submission = Submission { prepared, idempotency, retry_of: None, wishes };
    match submit::submit(unit, submission) {
        Ok(Submitted::Created(id)) => Ok(id),
        Ok(Submitted::Existing(id)) => Err(format!("{id} was submitted for this time before")),
        Err(refusal) => Err(refusal.to_string()),
    }
}
