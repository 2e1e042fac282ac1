//! What a schedule is for: when it is due, what it fires, and what becomes of what was missed.

use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ScheduleState;
use crate::id::ActionRef;
use crate::table::words;
use crate::time::{Span, Timestamp};

/// How late a due time may be handled without having been missed: as long as a restart takes.
pub const MISSED_AFTER: Span = Span::from_secs(30);

/// How many missed due times are made up for at the most where all of them are.
pub const CATCH_UP: u32 = 100;

words! {
    /// What becomes of due times that nobody fired in time, for example during an outage.
    Missed is "policy for missed due times" {
        /// They are left out.
        Skip = "skip",
        /// The last of them is fired, and the others are left out.
        Once = "once",
        /// They are fired, one after the other: the last [`CATCH_UP`] of them.
        All = "all",
    }
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// By a cron expression.
    Cron {
        /// Five fields, or a nickname such as `@daily`.
        expression: String,
        /// In which time zone, by its IANA name.
        timezone: String,
    },
    /// Again and again after this time.
    Every(Span),
}

/// What an operator wants of a schedule. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// When it is due.
    pub timing: Timing,
    /// What is submitted then.
    pub action: ActionRef,
    /// With which parameters; null for none.
    pub parameters: Value,
    /// What becomes of due times that were missed.
    pub missed: Missed,
    /// Whether it fires from the beginning.
    pub enabled: bool,
}

impl Plan {
    /// A plan to run `action` again and again after `span`.
    #[must_use]
    pub fn every(span: Span, action: ActionRef) -> Arc<Self> {
        Arc::new(Self {
            timing: Timing::Every(span),
            action,
            parameters: Value::Null,
            missed: Missed::Once,
            enabled: true,
        })
    }

    /// The state of a new schedule with this plan.
    pub(super) const fn first_state(&self) -> ScheduleState {
        if self.enabled { ScheduleState::Active } else { ScheduleState::Paused }
    }
}

/// The due times of a schedule. Pure: the same question has the same answer for ever.
pub trait Calendar {
    /// The first due time after `moment`; `None` if there is none.
    fn after(&self, moment: Timestamp) -> Option<Timestamp>;

    /// The first of the last `count` due times from `from` until `until`, both included; `from` is
    /// a due time.
    fn earliest_of_the_last(&self, count: u32, from: Timestamp, until: Timestamp) -> Timestamp;
}
