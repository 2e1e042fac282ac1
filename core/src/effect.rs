//! The effect ledger: what the outside world is to be told when a run has ended, once.
//!
//! An effect is a row, planned in the commit that makes its run's status final. Who delivered it is
//! written in the row itself and never inferred from a status that others write as well. The
//! receiver may see a repeated try (nothing can prevent that), always under the same
//! [`EffectKey::idempotency_key`].

mod deliver;
pub mod laws;
mod machine;
mod plan;
#[cfg(test)]
mod tests;

use core::fmt;

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::execution::Execution;
use crate::id::{ActionRef, Attempt, ExecutionId, FencingToken, Generation, Version};
use crate::message::MessageKey;
use crate::policy::RetryPolicy;
use crate::status::Status;
use crate::table::{self, Edge, words};
use crate::time::Timestamp;
use crate::unit::Row;

pub use deliver::{Verdict, control, deliver, settle};
pub use machine::{EffectInput, Refusal, take};
pub use plan::{Wish, plan};

words! {
    /// What an effect does.
    EffectKind is "effect kind" {
        /// Calls an address.
        Webhook = "webhook",
        /// Tells a person.
        Notification = "notification",
        /// Charges for the run.
        Billing = "billing",
        /// Reports the status to another system.
        StatusReport = "status_report",
        /// Counts the run.
        RunCount = "run_count",
        /// Removes what the run had set up.
        CleanUp = "clean_up",
        /// Hands the result on.
        Export = "export",
    }
}

words! {
    /// At which ends an effect happens.
    Trigger is "effect trigger" {
        /// When the run completed.
        Completed = "completed",
        /// When it ended in any other way.
        Unsuccessful = "unsuccessful",
        /// Whenever it ended.
        Ended = "ended",
    }
}

words! {
    /// Where an effect is in its life.
    EffectState is "effect state" {
        /// Still to be sent, now or after a delay.
        Planned = "planned",
        /// Somebody is sending it.
        Sending = "sending",
        /// Over: the receiver has it.
        Delivered = "delivered",
        /// Over: it was tried as often as allowed, or cannot be sent.
        GaveUp = "gave_up",
    }
}

use EffectState::{Delivered, GaveUp, Planned, Sending};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<EffectState>] = &[
    (Planned, Sending, "send"),
    (Planned, GaveUp, "abandon"),
    (Sending, Delivered, "deliver"),
    (Sending, Planned, "fail, release or expire"),
    (Sending, GaveUp, "fail too often, or abandon"),
    (GaveUp, Planned, "revive"),
];

impl EffectState {
    /// Whether nobody sends it any more, unless an operator asks for it.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Delivered | Self::GaveUp)
    }
}

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Planned, "plan"), EffectState::ALL, TRANSITIONS)
}

impl Trigger {
    /// Whether a run that ended with `status` has such an effect. A run that has not ended has
    /// none.
    #[must_use]
    pub const fn fires_at(self, status: Status) -> bool {
        let completed = matches!(status, Status::Completed);
        match self {
            Self::Completed => completed,
            Self::Unsuccessful => status.is_terminal() && !completed,
            Self::Ended => status.is_terminal(),
        }
    }
}

/// Whom an effect reaches: an address, an account, a name. Opaque to the engine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Target(Arc<str>);

impl Target {
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

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The one run of an execution that has effects: whoever repeats an execution submits another.
pub const GENERATION: Generation = Generation(1);

/// What an effect is found by. Unique: planning again finds the row that is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EffectKey {
    /// Whose effect.
    pub execution: ExecutionId,
    /// Of which run of it.
    pub generation: Generation,
    /// What it does.
    pub kind: EffectKind,
    /// Whom it reaches.
    pub target: Target,
}

impl EffectKey {
    /// Not after any effect of `execution`.
    #[must_use]
    pub fn first_of(execution: ExecutionId) -> Self {
        let (generation, kind) = (Generation(0), EffectKind::ALL[0]);
        Self { execution, generation, kind, target: Target::new("") }
    }

    /// What the receiver knows a repeated try by: the same for every try of this effect and of no
    /// other.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}/{}", self.execution, self.generation, self.kind, self.target)
    }
}

impl fmt::Display for EffectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.idempotency_key())
    }
}

/// The row of an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Effect {
    /// Its identity.
    pub key: EffectKey,
    /// Rises with every write.
    pub version: Version,
    /// Its place in the plan, by which a message refers to it.
    pub index: u32,
    /// Why it was planned.
    pub trigger: Trigger,
    /// Where it is in its life.
    pub state: EffectState,
    /// How often somebody began to send it. The number is the sender's token, so it never falls.
    pub sends: u32,
    /// How many of those failed or fell silent.
    pub failures: u32,
    /// How many may (`count`, and one more gives up) and the delays between them.
    pub retry: RetryPolicy,
    /// Planned: when it is sent at the earliest. Sending: until when its sender is waited for.
    pub wake_at: Option<Timestamp>,
    /// What the last failure was.
    pub error: Option<String>,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// When it was delivered or given up.
    pub ended_at: Option<Timestamp>,
    /// What the receiver is told.
    pub notice: Notice,
}

/// What is told of an end: everything is final when it is planned, so the effect needs no other row
/// to be sent, however long that takes. It has neither parameters nor results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What was run.
    pub action: ActionRef,
    /// How it ended.
    pub status: Status,
    /// How many attempts it took.
    pub attempt: Attempt,
    /// Why it did not succeed.
    pub error: Option<String>,
    /// When it ended.
    pub ended_at: Timestamp,
}

impl Notice {
    /// The longest error that is told, in bytes.
    pub const LONGEST_ERROR: usize = 2_000;

    /// What is to be told of an execution that is over.
    #[must_use]
    pub fn of(execution: &Execution) -> Self {
        Self {
            action: execution.action.clone(),
            status: execution.status,
            attempt: execution.attempt,
            error: execution.cause.map(|cause| cause.sentence().into()),
            ended_at: execution.ended_at.unwrap_or(Timestamp::ZERO),
        }
    }

    /// Takes the words that the execution left, as far as they are told.
    pub fn take_error(&mut self, error: &str) {
        let end = (0..=error.len().min(Self::LONGEST_ERROR)).rev();
        let end = end.into_iter().find(|at| error.is_char_boundary(*at)).unwrap_or(0);
        self.error = Some(error[..end].into());
    }
}

impl Effect {
    /// The token of the newest sender.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        FencingToken(u64::from(self.sends))
    }

    /// The message that asks for it to be sent.
    #[must_use]
    pub const fn message(&self) -> MessageKey {
        MessageKey::effect(self.key.execution, self.key.generation, self.index)
    }
}

impl Row for Effect {
    type Key = EffectKey;

    fn key(&self) -> EffectKey {
        self.key.clone()
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
