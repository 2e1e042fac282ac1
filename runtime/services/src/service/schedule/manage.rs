//! What operators do to schedules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadfast_core::Timestamp;
use steadfast_core::schedule::{
    Plan, Refusal, Schedule, ScheduleInput, ScheduleName, ScheduleState, Timing,
};
use steadfast_core::unit::Unit;

use crate::calendar::{Course, Impossible};
use crate::drive::{Again, Step, drive};
use crate::port::{Env, Load, StoreError, Transaction};

/// Why a schedule was not created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Taken {
    /// There is another one of this name.
    #[error("there is another schedule of this name")]
    Different,
    /// It would never be due.
    #[error(transparent)]
    Impossible(#[from] Impossible),
}

/// What an operator wants of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Fire no more for the time being.
    Pause,
    /// Fire again, from now on.
    Resume,
    /// Be gone.
    Remove,
}

/// Creates a schedule. The same one again is found and left as it is; whether it is new.
///
/// # Errors
/// If the store cannot be reached. The inner error says why there can be no such schedule.
pub async fn create<E: Env>(
    env: &E,
    name: ScheduleName,
    plan: Arc<Plan>,
) -> Result<Result<(Schedule, bool), Taken>, StoreError> {
    drive(env, &mut Create { name, plan }).await
}

/// Tells a schedule something. `None` if there is none of this name.
///
/// # Errors
/// If the store cannot be reached. The inner error says that it is in no state for that.
pub async fn tell<E: Env>(
    env: &E,
    name: ScheduleName,
    order: Order,
) -> Result<Option<Result<Schedule, Refusal>>, StoreError> {
    drive(env, &mut Change { name, order }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Create {
    name: ScheduleName,
    plan: Arc<Plan>,
}

impl Step for Create {
    type Output = Result<(Schedule, bool), Taken>;

    const NAME: &'static str = "create schedule";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        load(tx, unit, &self.name).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(self.create(unit))
    }
}

impl Create {
    fn create(&self, unit: &mut Unit) -> Result<(Schedule, bool), Taken> {
        let now = unit.now;
        let known = unit.schedules.find(&self.name);
        if let Some(row) = known.filter(|row| row.state != ScheduleState::Removed) {
            let same = row.plan == self.plan;
            return if same { Ok((row.clone(), false)) } else { Err(Taken::Different) };
        }
        let fired = known.and_then(|row| row.fired);
        // No due time fires twice under one name, whoever had it before.
        let from = fired.map_or(now, |fired| fired.max(now));
        let due = first_due(&self.plan.timing, from)?;
        match unit.schedules.edit(&self.name) {
            Some(row) => row
                .create_again(Arc::clone(&self.plan), due, now)
                .expect("it is removed, and due after what it fired"),
            None => {
                let plan = Arc::clone(&self.plan);
                unit.schedules.insert(Schedule::new(self.name.clone(), plan, due, now));
            }
        }
        let row = unit.schedules.find(&self.name).expect("it is there now");
        Ok((row.clone(), true))
    }
}

/// When a new schedule is due first.
fn first_due(timing: &Timing, now: Timestamp) -> Result<Timestamp, Impossible> {
    use steadfast_core::schedule::Calendar as _;
    let course = Course::of(timing, now)?;
    course.after(now).ok_or_else(Impossible::never)
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Change {
    name: ScheduleName,
    order: Order,
}

impl Step for Change {
    type Output = Option<Result<Schedule, Refusal>>;

    const NAME: &'static str = "change schedule";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        load(tx, unit, &self.name).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        use steadfast_core::schedule::Calendar as _;
        let now = unit.now;
        let known = unit.schedules.find(&self.name);
        let Some(row) = known.filter(|row| row.state != ScheduleState::Removed) else {
            return Ok(None);
        };
        let input = match self.order {
            Order::Pause => ScheduleInput::Pause,
            Order::Remove => ScheduleInput::Remove,
            Order::Resume => {
                let from = row.fired.map_or(now, |fired| fired.max(now));
                let course = Course::of(&row.plan.timing, row.due).ok();
                let due = course.and_then(|course| course.after(from));
                // One that is never due again has nothing to go on with.
                let Some(due) = due else {
                    return Ok(Some(Err(Refusal::Illegal(ScheduleState::Finished))));
                };
                ScheduleInput::Resume(due)
            }
        };
        let row = unit.schedules.edit(&self.name).expect("it is loaded");
        let told = row.handle(input, now).map(|_| row.clone());
        Ok(Some(told))
    }
}

async fn load<T: Transaction>(tx: &mut T, unit: &mut Unit, name: &ScheduleName) -> Load<()> {
    for row in tx.schedules(std::slice::from_ref(name)).await? {
        unit.schedules.load(row);
    }
    Ok(())
}
