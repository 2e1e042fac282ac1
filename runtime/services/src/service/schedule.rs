//! Schedules: created and changed by operators, and fired by every executor's sweeper. Any number of
//! sweepers may run: who fires moves the row on in the same commit, and the key of the firing is
//! unique, so a due time that two of them see is fired by one.

mod manage;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::effect::Wish;
use steadfast_core::schedule::fire::{Fired, due_time, fire as fire_one};
use steadfast_core::schedule::{Firing, Schedule, ScheduleName};
use steadfast_core::unit::Unit;
use steadfast_core::{Prepared, QueueKey, Span, Version, WorkerId, claim};
use tracing::{info, warn};

pub(crate) use manage::{Change, Create};
pub use manage::{Order, Taken, create, tell};

use crate::calendar::Course;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, StoreError, Transaction};

/// Fires what is due. Answers how long it is until the next schedule is due, if there is one.
///
/// # Errors
/// If the store cannot be reached.
pub async fn fire<E: Env>(env: &E) -> Result<Option<Span>, StoreError> {
    let limit = env.batch_size();
    loop {
        let mut find = Find { limit, ..Find::default() };
        let found = match drive(env, &mut find).await {
            Ok(found) => found,
            Err(StoreError::Corrupt(reason)) => {
                warn!(reason, "schedules cannot be read; going row by row");
                one_by_one(env, &find.names).await?
            }
            Err(error) => return Err(error),
        };
        let Found { due, next } = found;
        let (count, mut progress) = (due.len(), false);
        for result in fire_all(env, due).await? {
            progress |= tell_of(env, &result);
        }
        // What fires is due again at the next due time, which may have come already.
        if count == 0 || !progress {
            return Ok(next);
        }
    }
}

/// Reads those schedules that can be read.
async fn one_by_one<E: Env>(env: &E, names: &[ScheduleName]) -> Result<Found, StoreError> {
    let mut found = Found::default();
    for name in names {
        let mut find = Find { limit: 1, only: Some(name.clone()), ..Find::default() };
        match drive(env, &mut find).await {
            Ok(one) => found.due.extend(one.due),
            Err(StoreError::Corrupt(reason)) => warn!(schedule = %name, reason, "cannot be read"),
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

type Results = Vec<(ScheduleName, Fired)>;

async fn fire_all<E: Env>(env: &E, due: Vec<Schedule>) -> Result<Results, StoreError> {
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let prepare = |row: Schedule| {
        let prepared = env.prepare(&row.plan.action, &row.plan.parameters);
        Turn { row, prepared }
    };
    let turns: Vec<Turn> = due.into_iter().map(prepare).collect();
    match drive(env, &mut Fire::of(turns.clone())).await {
        Err(StoreError::Corrupt(reason)) if turns.len() > 1 => {
            warn!(reason, "schedules cannot be fired at once; going row by row");
        }
        answer => return answer,
    }
    let mut all = Vec::new();
    for turn in turns {
        let name = turn.row.name.clone();
        match drive(env, &mut Fire::of(vec![turn])).await {
            Ok(fired) => all.extend(fired),
            Err(error) => warn!(schedule = %name, %error, "cannot be fired"),
        }
    }
    Ok(all)
}

/// Says and counts what was done about a schedule. Whether anything was.
fn tell_of<E: Env>(env: &E, (name, fired): &(ScheduleName, Fired)) -> bool {
    match fired {
        Fired::Submitted(execution, due) => {
            env.count(Counter::Submitted, 1);
            env.count(Counter::SchedulesFired, 1);
            info!(schedule = %name, %execution, %due, "fired");
        }
        Fired::LeftOut(due) => {
            env.count(Counter::SchedulesPassedOver, 1);
            info!(schedule = %name, %due, "what was missed is left out");
        }
        Fired::Failed(due, reason) => {
            env.count(Counter::SchedulesPassedOver, 1);
            warn!(schedule = %name, %due, reason, "nothing could be submitted for a due time");
        }
        Fired::Nothing => return false,
    }
    true
}

/// Schedules that are due, and how long it is until another one is.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Found {
    due: Vec<Schedule>,
    next: Option<Span>,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Find {
    limit: usize,
    only: Option<ScheduleName>,
    names: Vec<ScheduleName>,
    found: Found,
}

impl Step for Find {
    type Output = Found;

    const NAME: &'static str = "find schedules";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.found = Found::default();
        // One more than are fired at once, to know when that one is due.
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX).saturating_add(1);
        self.names = match &self.only {
            Some(name) => vec![name.clone()],
            None => {
                let first = tx.find_schedules(limit).await?;
                let later = first.iter().find(|(_, due)| *due > unit.now);
                self.found.next = later.map(|(_, due)| due.since(unit.now));
                let due = first.into_iter().filter(|(_, due)| *due <= unit.now);
                due.map(|(name, _)| name).take(self.limit.max(1)).collect()
            }
        };
        if !self.names.is_empty() {
            self.found.due = tx.schedules(&self.names).await?;
        }
        Ok(())
    }

    fn decide(&mut self, _: &mut Unit) -> Result<Found, Again> {
        Ok(std::mem::take(&mut self.found))
    }
}

/// A schedule as it was when it was found due, and what it fires.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    row: Schedule,
    prepared: Result<(Prepared, Vec<Wish>), String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Fire {
    turns: Vec<Turn>,
    ids: core::ops::Range<u64>,
    /// Who could be assigned what starts at once, with their loads.
    takers: Option<Vec<(WorkerId, u32)>>,
}

impl Fire {
    fn of(turns: Vec<Turn>) -> Self {
        Self { turns, ids: 0..0, takers: None }
    }

    /// The keys under which what is due now would be submitted.
    fn keys(&self, unit: &Unit) -> Vec<String> {
        let key = |row: &Schedule| {
            let course = Course::of(&row.plan.timing, row.due).ok()?;
            let due = due_time(row, &course, unit.now)?;
            Some(Firing { schedule: row.name.clone(), due }.idempotency_key())
        };
        let trusted = trusts(unit).then_some(&self.turns).into_iter().flatten();
        unit.schedules.iter().chain(trusted.map(|turn| &turn.row)).filter_map(key).collect()
    }
}

impl Step for Fire {
    type Output = Results;

    const NAME: &'static str = "fire schedules";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let names: Vec<ScheduleName> =
            self.turns.iter().map(|turn| turn.row.name.clone()).collect();
        tx.schedules(&names).await?.into_iter().for_each(|row| unit.schedules.load(row));
        let prepared = self.turns.iter().filter_map(|turn| turn.prepared.as_ref().ok());
        let queues: BTreeSet<QueueKey> =
            prepared.map(|(prepared, _)| prepared.queue.clone()).collect();
        drive::queues_to_enter(tx, unit, &queues, self.turns.len()).await?;
        if self.ids.is_empty() {
            self.ids = tx.allocate(u32::try_from(self.turns.len()).unwrap_or(0)).await?;
        }
        let keys = self.keys(unit);
        if !keys.is_empty() {
            for execution in tx.executions_by_key(&keys).await? {
                unit.load_execution(execution);
            }
        }
        self.takers = drive::takers(tx, unit).await?;
        Ok(())
    }

    /// A commit in doubt needs no memory: if it was made, the rows have moved on.
    fn decide(&mut self, unit: &mut Unit) -> Result<Results, Again> {
        let mut results = Vec::new();
        for (id, Turn { row: seen, prepared }) in self.ids.clone().zip(&self.turns) {
            unit.give_ids(id..id + 1);
            trust_what_was_seen(unit, seen);
            let row = unit.schedules.find(&seen.name);
            // What was prepared belongs to the plan that was seen.
            let Some(row) = row.filter(|row| row.plan == seen.plan) else { continue };
            let Ok(course) = Course::of(&row.plan.timing, row.due) else { continue };
            let fired = fire_one(unit, &seen.name, &course, prepared.clone());
            results.push((seen.name.clone(), fired));
        }
        if let Some(loads) = self.takers.clone() {
            claim::assign(unit, loads);
        }
        Ok(results)
    }
}

/// A planted bug: the row is written as it was seen, whatever it is by now.
fn trust_what_was_seen(unit: &mut Unit, seen: &Schedule) {
    if trusts(unit)
        && let Some(row) = unit.schedules.edit(&seen.name)
    {
        let version: Version = row.version;
        *row = Schedule { version, ..seen.clone() };
    }
}

fn trusts(unit: &Unit) -> bool {
    unit.is_planted("leader_without_compare_and_set")
}
