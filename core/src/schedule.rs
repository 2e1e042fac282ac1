//! Schedules: what is due when, fired exactly once for each due time.
//!
//! Firing compares the due time that the firing process read with the one in the row, and moves it
//! on in the same write. What is fired is submitted under [`Firing::idempotency_key`] in the same
//! decision, so a second process, a repeated commit or an old leader finds it done.

pub mod laws;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::Version;
use crate::lease::Epoch;
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

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
    }
}

use ScheduleState::{Active, Finished, Paused};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<ScheduleState>] = &[
    (Active, Active, "fire"),
    (Active, Paused, "pause"),
    (Active, Finished, "fire for the last time"),
    (Paused, Active, "resume"),
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
    /// Stop firing.
    Pause,
    /// Fire again, next at this time.
    Resume(Timestamp),
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
        format!("schedule/{}/{}", self.schedule, self.due.as_micros())
    }
}

impl Schedule {
    /// A schedule that is first due at `due`.
    #[must_use]
    pub const fn new(name: ScheduleName, due: Timestamp) -> Self {
        Self { name, version: Version(0), state: Active, due, fired: None, epoch: Epoch(0) }
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
            ScheduleInput::Pause => self.pause().map(|()| None),
            ScheduleInput::Resume(due) => self.resume(due).map(|()| None),
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
        self.fired = Some(due);
        self.epoch = epoch;
        self.due = next.unwrap_or(due);
        self.go(if next.is_some() { Active } else { Finished });
        Ok(Firing { schedule: self.name.clone(), due })
    }

    fn pause(&mut self) -> Result<(), Refusal> {
        match self.state {
            Active => self.go(Paused),
            Paused => return Err(Refusal::Done),
            Finished => return Err(Refusal::Illegal(Finished)),
        }
        Ok(())
    }

    fn resume(&mut self, due: Timestamp) -> Result<(), Refusal> {
        match self.state {
            Paused => {}
            Active => return Err(Refusal::Done),
            Finished => return Err(Refusal::Illegal(Finished)),
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
