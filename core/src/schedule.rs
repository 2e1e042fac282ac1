//! Schedules: what is due when, fired exactly once for each due time.
//!
//! Firing compares the due time that the firing process read with the one in the row, and moves it
//! on in the same write. What is fired is submitted under [`Firing::idempotency_key`] in the same
//! decision, so a second process, a repeated commit or an old leader finds it done.
//!
//! When a schedule is due is the business of a [`Calendar`], which is outside and pure; what is done
//! about due times that nobody fired in time is decided in [`fire`](fire::fire).

pub mod fire;
pub mod laws;
mod plan;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::{ExecutionId, Version};
use crate::lease::Epoch;
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

pub use plan::{CATCH_UP, Calendar, MISSED_AFTER, Missed, Plan, Timing};

/// The name of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScheduleName(Arc<str>);

impl ScheduleName {
    /// Wraps `text` as it is.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Arc::from(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ScheduleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

words! {
    /// Where a schedule is in its life.
    ScheduleState is "schedule state" {
        /// It fires when it is due.
        Active = "active",
        /// It does not fire, and what becomes due is left out.
        Paused = "paused",
        /// It will not fire again.
        Finished = "finished",
        /// Somebody has removed it. The row stays, so that no due time fires again under a name
        /// that is used again.
        Removed = "removed",
    }
}

use ScheduleState::{Active, Finished, Paused, Removed};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<ScheduleState>] = &[
    (Active, Active, "fire or pass over"),
    (Active, Paused, "pause"),
    (Active, Finished, "fire or pass over for the last time"),
    (Active, Removed, "remove"),
    (Paused, Active, "resume"),
    (Paused, Removed, "remove"),
    (Finished, Removed, "remove"),
    (Removed, Active, "create again"),
    (Removed, Paused, "create again, paused"),
];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Active, "create"), ScheduleState::ALL, TRANSITIONS)
}

/// The row of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Its identity.
    pub name: ScheduleName,
    /// Rises with every write.
    pub version: Version,
    /// Where it is in its life.
    pub state: ScheduleState,
    /// When it is due next.
    pub due: Timestamp,
    /// The last due time that was fired. No due time up to this one fires again, however the
    /// schedule is moved.
    pub fired: Option<Timestamp>,
    /// The newest epoch that it was fired under.
    pub epoch: Epoch,
    /// What it fires, when, and what becomes of due times that were missed.
    pub plan: Arc<Plan>,
    /// The execution of the last firing.
    pub last_execution: Option<ExecutionId>,
    /// Why the last due time was passed over, if it was for a reason that somebody should know.
    pub last_error: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What a schedule is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScheduleInput {
    /// Fire for `due`.
    Fire {
        /// The due time that the firing process read.
        due: Timestamp,
        /// When it is due after that; `None` = never. Due times that were missed while nobody
        /// fired are left out by naming a later one.
        next: Option<Timestamp>,
        /// Of the leader that fires; processes that do without one name [`Epoch`] 0 throughout.
        epoch: Epoch,
    },
    /// Leave a due time out: it was missed, or what it would fire cannot be submitted.
    PassOver {
        /// The due time that the firing process read.
        due: Timestamp,
        /// When it is due after that; `None` = never.
        next: Option<Timestamp>,
    },
    /// Stop firing.
    Pause,
    /// Fire again, next at this time.
    Resume(Timestamp),
    /// Be gone.
    Remove,
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody has fired for that time.
    #[error("it has been done already")]
    Done,
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// It was never due at that time.
    #[error("it is due at {0}, not at that time")]
    Moved(Timestamp),
    /// The due time after this one would not be after it.
    #[error("the next due time {0} is not later")]
    Backwards(Timestamp),
    /// The firing process leads no more.
    #[error("{presented} is not the current epoch, {current} is")]
    Outdated {
        /// Of the process.
        presented: Epoch,
        /// Of the row.
        current: Epoch,
    },
    /// The table has no such arrow.
    #[error("a schedule that is {0} cannot do that")]
    Illegal(ScheduleState),
}

/// A firing, to be submitted in the same decision. Unique per (schedule, due time).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[must_use = "a firing is submitted in the same decision"]
pub struct Firing {
    /// Of which schedule.
    pub schedule: ScheduleName,
    /// For which time.
    pub due: Timestamp,
}

impl Firing {
    /// The key to submit it under: a second submission finds the first.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{KEY_PREFIX}{}/{}", self.schedule, self.due.as_micros())
    }

    /// The firing that a key belongs to; `None` for the key of any other submission.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        let (name, due) = key.strip_prefix(KEY_PREFIX)?.rsplit_once('/')?;
        let due = Timestamp::from_micros(due.parse().ok()?);
        let firing = Self { schedule: ScheduleName::new(name), due };
        (firing.idempotency_key() == key).then_some(firing)
    }
}

/// What the keys of firings begin with. No other submission may have such a key.
pub const KEY_PREFIX: &str = "schedule/";

impl Schedule {
    /// A schedule that is first due at `due`.
    #[must_use]
    pub fn new(name: ScheduleName, plan: Arc<Plan>, due: Timestamp, now: Timestamp) -> Self {
        Self {
            name,
            version: Version(0),
            state: plan.first_state(),
            due,
            fired: None,
            epoch: Epoch(0),
            plan,
            last_execution: None,
            last_error: None,
            created_at: now,
        }
    }

    /// Creates a removed schedule again, with what may be another plan. What it fired before is
    /// remembered.
    ///
    /// # Errors
    /// If it is not removed, or would fire for a time that has been fired for.
    pub fn create_again(
        &mut self,
        plan: Arc<Plan>,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.state != Removed {
            return Err(Refusal::Illegal(self.state));
        }
        if self.fired.is_some_and(|fired| due <= fired) {
            return Err(Refusal::Backwards(due));
        }
        self.go(plan.first_state());
        self.due = due;
        self.plan = plan;
        self.last_execution = None;
        self.last_error = None;
        self.created_at = now;
        Ok(())
    }

    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(
        &mut self,
        input: ScheduleInput,
        now: Timestamp,
    ) -> Result<Option<Firing>, Refusal> {
        match input {
            ScheduleInput::Fire { due, next, epoch } => self.fire(due, next, epoch, now).map(Some),
            ScheduleInput::PassOver { due, next } => {
                self.check_due(due, next, now)?;
                self.move_on(due, next);
                Ok(None)
            }
            ScheduleInput::Pause => self.pause().map(|()| None),
            ScheduleInput::Resume(due) => self.resume(due).map(|()| None),
            ScheduleInput::Remove => self.remove().map(|()| None),
        }
    }

    fn fire(
        &mut self,
        due: Timestamp,
        next: Option<Timestamp>,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Firing, Refusal> {
        if epoch < self.epoch {
            return Err(Refusal::Outdated { presented: epoch, current: self.epoch });
        }
        self.check_due(due, next, now)?;
        self.fired = Some(due);
        self.epoch = epoch;
        self.move_on(due, next);
        Ok(Firing { schedule: self.name.clone(), due })
    }

    /// Whether something may be done about `due` now.
    fn check_due(
        &self,
        due: Timestamp,
        next: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        if self.fired.is_some_and(|fired| due <= fired) {
            return Err(Refusal::Done);
        }
        if self.state != Active {
            return Err(Refusal::Illegal(self.state));
        }
        if due != self.due {
            return Err(Refusal::Moved(self.due));
        }
        if now < due {
            return Err(Refusal::NotDue(due));
        }
        if let Some(next) = next
            && next <= due
        {
            return Err(Refusal::Backwards(next));
        }
        Ok(())
    }

    fn move_on(&mut self, due: Timestamp, next: Option<Timestamp>) {
        self.due = next.unwrap_or(due);
        self.go(if next.is_some() { Active } else { Finished });
    }

    fn pause(&mut self) -> Result<(), Refusal> {
        match self.state {
            Active => self.go(Paused),
            Paused => return Err(Refusal::Done),
            Finished | Removed => return Err(Refusal::Illegal(self.state)),
        }
        Ok(())
    }

    fn remove(&mut self) -> Result<(), Refusal> {
        if self.state == Removed {
            return Err(Refusal::Done);
        }
        self.go(Removed);
        Ok(())
    }

    fn resume(&mut self, due: Timestamp) -> Result<(), Refusal> {
        match self.state {
            Paused => {}
            Active => return Err(Refusal::Done),
            Finished | Removed => return Err(Refusal::Illegal(self.state)),
        }
        if self.fired.is_some_and(|fired| due <= fired) {
            return Err(Refusal::Backwards(due));
        }
        self.due = due;
        self.go(Active);
        Ok(())
    }

    fn go(&mut self, to: ScheduleState) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
    }
}

impl Row for Schedule {
    type Key = ScheduleName;

    fn key(&self) -> ScheduleName {
        self.name.clone()
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
