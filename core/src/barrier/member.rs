//! The members of a barrier.

use core::fmt;

use alloc::string::{String, ToString};
use alloc::vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::BarrierKey;
use crate::id::{ExecutionId, Generation, Version};
use crate::message::MessageKey;
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

words! {
    /// Where a member is in its life.
    MemberState is "member state" {
        /// Not ended yet, begun or not.
        Pending = "pending",
        /// It has a result.
        Done = "done",
        /// It has a reason instead.
        Failed = "failed",
        /// It was left out, and why.
        Skipped = "skipped",
    }
}

/// Every change of state that is legal: the first end is the only one.
pub const MEMBER_TRANSITIONS: &[Edge<MemberState>] = &[
    (MemberState::Pending, MemberState::Done, "succeed"),
    (MemberState::Pending, MemberState::Failed, "fail"),
    (MemberState::Pending, MemberState::Skipped, "skip"),
];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn member_diagram() -> String {
    table::diagram((MemberState::Pending, "arm"), MemberState::ALL, MEMBER_TRANSITIONS)
}

/// What a member is found by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MemberKey {
    /// The run that waits.
    pub run: ExecutionId,
    /// Which run of it.
    pub generation: Generation,
    /// The place among the members, from 0.
    pub index: u32,
}

impl MemberKey {
    /// The barrier that it belongs to.
    #[must_use]
    pub const fn barrier(&self) -> BarrierKey {
        BarrierKey { run: self.run, generation: self.generation }
    }

    /// The message that asks for it to be carried out.
    #[must_use]
    pub const fn message(&self) -> MessageKey {
        MessageKey::member(self.run, self.generation, self.index)
    }
}

impl fmt::Display for MemberKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.barrier(), self.index)
    }
}

/// The row of a member. It is written twice: when the barrier is armed and when the member ends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    /// Its identity.
    pub key: MemberKey,
    /// Rises with every write.
    pub version: Version,
    /// Where it is in its life.
    pub state: MemberState,
    /// Its result if it is done, else `null`.
    pub result: Value,
    /// Why it failed or was skipped.
    pub reason: Option<String>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How a member ended.
#[derive(Clone, Debug, PartialEq)]
pub enum MemberOutcome {
    /// With this result.
    Done(Value),
    /// Without one, and why.
    Failed(String),
    /// Left out, and why.
    Skipped(String),
}

impl MemberOutcome {
    /// Success with `result`, or failure if no store could keep it: a result that cannot be
    /// written fails its member instead of tearing down the barrier.
    #[must_use]
    pub fn of_result(result: Value, max_bytes: usize) -> Self {
        match storable(&result, max_bytes) {
            Ok(()) => Self::Done(result),
            Err(why) => Self::Failed(why.to_string()),
        }
    }

    /// The state that it leads to.
    #[must_use]
    pub const fn state(&self) -> MemberState {
        match self {
            Self::Done(_) => MemberState::Done,
            Self::Failed(_) => MemberState::Failed,
            Self::Skipped(_) => MemberState::Skipped,
        }
    }
}

/// Why no store can keep a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unstorable {
    /// It is too large.
    #[error("the result has {size} bytes, {max} are allowed")]
    TooLarge {
        /// Its size as JSON.
        size: usize,
        /// The bound.
        max: usize,
    },
    /// Postgres keeps no NUL in text.
    #[error("the result contains a NUL character")]
    Nul,
    /// It has no JSON.
    #[error("the result is not JSON")]
    NotJson,
}

/// Whether every store can keep `result`.
///
/// # Errors
/// If it is too large or contains a NUL character.
pub fn storable(result: &Value, max_bytes: usize) -> Result<(), Unstorable> {
    let size = serde_json::to_string(result).map_err(|_| Unstorable::NotJson)?.len();
    if size > max_bytes {
        return Err(Unstorable::TooLarge { size, max: max_bytes });
    }
    // A list of its own instead of recursion: how deep a result nests is up to its author.
    let mut open = vec![result];
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) if text.contains('\0') => return Err(Unstorable::Nul),
            Value::Array(values) => open.extend(values),
            Value::Object(fields) => {
                if fields.keys().any(|name| name.contains('\0')) {
                    return Err(Unstorable::Nul);
                }
                open.extend(fields.values());
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    Ok(())
}

impl Member {
    /// A member that has not ended.
    #[must_use]
    pub const fn new(key: MemberKey) -> Self {
        Self {
            key,
            version: Version(0),
            state: MemberState::Pending,
            result: Value::Null,
            reason: None,
            ended_at: None,
        }
    }

    /// Whether it has ended.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self.state {
            MemberState::Done | MemberState::Failed | MemberState::Skipped => true,
            MemberState::Pending => false,
        }
    }

    /// Ends it. The barrier has made sure that it had not ended.
    pub(super) fn end(&mut self, outcome: MemberOutcome, now: Timestamp) {
        let (from, to) = (self.state, outcome.state());
        assert!(
            table::may_become(MEMBER_TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        match outcome {
            MemberOutcome::Done(result) => self.result = result,
            MemberOutcome::Failed(why) | MemberOutcome::Skipped(why) => self.reason = Some(why),
        }
        self.ended_at = Some(now);
    }
}

impl Row for Member {
    type Key = MemberKey;

    fn key(&self) -> MemberKey {
        self.key
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
