//! One execution: its row, and the machine that moves it through the table in [`crate::status`].
//!
//! The machine knows nothing of queues or other executions. [`crate::unit::Unit`] applies it and
//! draws the consequences (slots, messages, parents) in the same commit.

mod machine;
#[cfg(test)]
mod tests;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::definition::{Transport, Work};
use crate::effect::Wish;
use crate::id::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, FencingToken, ItemKey, Order, QueueKey,
    Version, WorkerId, WorkerName,
};
use crate::policy::Policy;
use crate::status::Status;
use crate::time::Timestamp;

pub use machine::{Ending, ExecutionInput, Refusal};

/// One requested run of an action: the hot row. Parameters and results are stored apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Its identity, the same for all attempts.
    pub id: ExecutionId,
    /// Rises with every write.
    pub version: Version,
    /// What it runs.
    pub action: ActionRef,
    /// Exactly which version of it.
    pub definition: DefinitionHash,
    /// Who carries it out.
    pub work: Work,
    /// Labels that the worker must have.
    pub selector: BTreeMap<String, String>,
    /// How it is carried; never changes.
    pub transport: Transport,
    /// Where it is in its life.
    pub status: Status,
    /// Where it waits, and whose slot it holds while [`Status::holds_slot`].
    pub queue: QueueKey,
    /// Its place in line, kept for life; `None` until it is first admitted or queued.
    pub order: Option<Order>,
    /// The newest attempt, counted from 1, lost ones too.
    pub attempt: Attempt,
    /// How many attempts failed or timed out.
    pub failures: u32,
    /// How many attempts were lost with their worker.
    pub losses: u32,
    /// The worker of the current attempt.
    pub worker: Option<WorkerId>,
    /// Workers on which an attempt failed or was lost: avoided while another is eligible.
    pub excluded: Vec<WorkerName>,
    /// Whether it was asked to stop.
    pub cancel_requested: bool,
    /// When it is looked at again even if nothing happens; what is due depends on the status.
    pub wake_at: Option<Timestamp>,
    /// What it may do after failures and losses.
    pub policy: Policy,
    /// Its place in a workflow run.
    pub place: Option<ItemKey>,
    /// Whether its end has been folded into its run.
    pub folded: bool,
    /// The ended execution that this one repeats, if an operator asked for that.
    pub retry_of: Option<ExecutionId>,
    /// The submitter's key: a second submission with it finds this execution.
    pub idempotency: Option<Idempotency>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When its first attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Why it failed without its action's doing.
    pub cause: Option<Cause>,
    /// Whom its end is told to, as it was asked for when it was submitted.
    pub wishes: Vec<Wish>,
}

/// A submitter's key and a fingerprint of what was submitted with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Idempotency {
    /// Unique among executions.
    pub key: String,
    /// Hash of the submission: the same key with another body is a conflict.
    pub fingerprint: String,
}

/// Why the engine itself ended an execution or an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It waited in its queue longer than allowed.
    QueueTimeout,
    /// No worker that could run it appeared in time.
    Unschedulable,
    /// Its worker died or lost its lease.
    WorkerLost,
    /// The worker that it was offered to did not answer.
    OfferExpired,
    /// An attempt ran past its timeout.
    RunTimeout,
    /// Somebody cancelled it.
    Cancelled,
    /// It could not be admitted.
    Refused,
}

impl Cause {
    /// The sentence shown as the execution's error.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::QueueTimeout => "waited in its queue longer than the queue timeout",
            Self::Unschedulable => "no worker that can run it appeared in time",
            Self::WorkerLost => "its worker was lost",
            Self::OfferExpired => "the worker that it was offered to did not answer in time",
            Self::RunTimeout => "ran past its timeout",
            Self::Cancelled => "was cancelled",
            Self::Refused => "could not be admitted to its queue",
        }
    }
}

impl Execution {
    /// The token that the current attempt presents.
    #[must_use]
    pub const fn token(&self) -> FencingToken {
        self.attempt.token()
    }

    /// Whether it is carried out by advancing a workflow.
    #[must_use]
    pub const fn is_workflow(&self) -> bool {
        matches!(self.work, Work::Workflow)
    }

    /// The run that it is a child of.
    #[must_use]
    pub fn parent(&self) -> Option<ExecutionId> {
        self.place.as_ref().map(|place| place.task.run)
    }

    /// Whether its run has yet to hear of its end.
    #[must_use]
    pub fn awaits_folding(&self) -> bool {
        self.place.is_some() && self.status.is_terminal() && !self.folded
    }
}
