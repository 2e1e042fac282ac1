//! Barriers: a run fans out into members and goes on when the last of them has ended.
//!
//! A barrier is a set of member rows (run, generation, index). A member ends once: the first
//! terminal write to its row wins, and only a row that really changed moves the barrier's counts,
//! under the barrier's lock. So the counts are what counting the rows would give, without ever
//! counting them: a member costs its own row and a few numbers, however many there are. The
//! continuation comes out of the very change that completes the barrier, and belongs into the
//! same decision (law `a_barrier_fires_once_with_every_member`).

mod arm;
pub mod laws;
mod machine;
mod member;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::id::{ExecutionId, Generation, Version};
use crate::message::MessageKey;
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

pub use arm::{Armed, Plan, arm};
pub use machine::{BarrierInput, Refusal};
pub use member::{
    MEMBER_TRANSITIONS, Member, MemberKey, MemberOutcome, MemberState, Unstorable, member_diagram,
    storable,
};

words! {
    /// Where a barrier is in its life. It is armed in one commit with all members and messages, so
    /// there is no state of being half armed.
    BarrierState is "barrier state" {
        /// Waiting for members.
        Open = "open",
        /// All members have ended, and the run goes on.
        Complete = "complete",
        /// Closed without going on.
        Aborted = "aborted",
    }
}

words! {
    /// What a failed member means.
    FailurePolicy is "failure policy" {
        /// The barrier is aborted at once.
        FailFast = "fail_fast",
        /// It is a result like any other.
        Collect = "collect",
    }
}

words! {
    /// Why a barrier was aborted.
    AbortReason is "reason to abort a barrier" {
        /// A member failed.
        MemberFailed = "member_failed",
        /// The run was cancelled, or failed otherwise.
        RunEnded = "run_ended",
        /// A newer generation of the run has begun.
        Superseded = "superseded",
        /// An operator did it.
        Operator = "operator",
    }
}

use BarrierState::{Aborted, Complete, Open};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<BarrierState>] =
    &[(Open, Complete, "last member ends"), (Open, Aborted, "abort, or fail fast")];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Open, "arm"), BarrierState::ALL, TRANSITIONS)
}

/// What a barrier is found by: a run has at most one in each generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BarrierKey {
    /// The run that waits.
    pub run: ExecutionId,
    /// Which run of it.
    pub generation: Generation,
}

impl fmt::Display for BarrierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.generation)
    }
}

/// The row of a barrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Barrier {
    /// Its identity.
    pub key: BarrierKey,
    /// Rises with every write.
    pub version: Version,
    /// What a failed member means.
    pub policy: FailurePolicy,
    /// Where it is in its life.
    pub state: BarrierState,
    /// How many members it has.
    pub members: u32,
    /// How many member rows were changed to an end. Never written but with such a row.
    pub ended: u32,
    /// How many of those failed.
    pub failed: u32,
    /// Why it was aborted.
    pub abort: Option<Abort>,
    /// When it was armed.
    pub armed_at: Timestamp,
    /// When a member last ended.
    pub progressed_at: Timestamp,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
}

/// Why a barrier was closed without going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Why.
    pub reason: AbortReason,
    /// The member whose failure it was.
    pub index: Option<u32>,
}

/// What follows from the closing of a barrier, to be done **in the same decision**.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what follows from a closed barrier belongs into the same decision"]
pub enum Closing {
    /// Insert this message: the run goes on. The results are read from the member rows, in the
    /// order of their indexes ([`Barrier::results`]), so the message carries none.
    Continue(MessageKey),
    /// The run has to be told: it will not go on behind this barrier.
    Abort(BarrierKey, Abort),
}

impl Barrier {
    /// Whether it waits for something that will not happen: no member of it has a live message, a
    /// valid lease or an execution under way. Its age says nothing, work may take long.
    #[must_use]
    pub fn is_stuck(&self, live_members: u64) -> bool {
        self.state == Open && live_members == 0
    }
}

impl Row for Barrier {
    type Key = BarrierKey;

    fn key(&self) -> BarrierKey {
        self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
