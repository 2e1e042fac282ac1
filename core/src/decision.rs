//! What the outside world must now do, in the order in which it must be done: the writes are
//! committed, then the messages are published, then the input is settled.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Transport;
use crate::effect::Effect;
use crate::execution::Execution;
use crate::history::Voices;
use crate::id::{ExecutionId, FencingToken, QueueKey, Runtime, TaskKey, WorkerId};
use crate::queue::Queue;
use crate::schedule::Schedule;
use crate::status::Status;
use crate::time::Span;
use crate::worker::Worker;
use crate::workflow::{Run, Visit};

/// The answer of the core. The order of the fields is the order of durability.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Decision {
    /// Rows to write, in one transaction.
    pub writes: Writes,
    /// Who was listened to for it. Evidence for whoever checks the history; no row depends on it.
    pub voices: Voices,
    /// Hints to publish once the writes are durable. Losing one costs time, never work.
    pub messages: Vec<Message>,
    /// What becomes of the message that asked for the decision.
    pub settle: Settle,
}

/// All row changes of one commit, by table. Each list is one statement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Writes {
    /// Workers.
    pub workers: Changed<Worker>,
    /// Queues.
    pub queues: Changed<Queue>,
    /// Executions.
    pub executions: Changed<Execution>,
    /// Workflow runs.
    pub runs: Changed<Run>,
    /// Visits of workflow tasks.
    pub visits: Changed<Visit>,
    /// Schedules.
    pub schedules: Changed<Schedule>,
    /// Parameters of new executions; an execution without an entry has none.
    pub parameters: Vec<(ExecutionId, Value)>,
    /// Results of ended executions; an execution without an entry ended with `null`.
    pub results: Vec<(ExecutionId, Outcome)>,
    /// Pages of `with_items` lists.
    pub items: Vec<ItemPage>,
    /// What the outside world is to be told.
    pub effects: Changed<Effect>,
    /// How many edited rows turned out unchanged and are not written.
    pub unchanged: u32,
}

/// Rows of one table to write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed<R> {
    /// New rows. The store refuses the commit if one exists.
    pub inserted: Vec<R>,
    /// Changed rows, with their new version. The store refuses the commit unless each is found at
    /// the version before.
    pub updated: Vec<R>,
}

impl<R> Default for Changed<R> {
    fn default() -> Self {
        Self { inserted: Vec::new(), updated: Vec::new() }
    }
}

impl<R> Changed<R> {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inserted.is_empty() && self.updated.is_empty()
    }
}

impl Writes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.workers.is_empty()
            && self.queues.is_empty()
            && self.executions.is_empty()
            && self.runs.is_empty()
            && self.visits.is_empty()
            && self.schedules.is_empty()
            && self.parameters.is_empty()
            && self.results.is_empty()
            && self.items.is_empty()
            && self.effects.is_empty()
    }
}

/// What an execution left behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Its result.
    pub result: Value,
    /// Why it did not succeed.
    pub error: Option<String>,
}

/// A page of a task's item list: pages are written once, so that a window that moves over a long
/// list reads only what it needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ItemPage {
    /// The visit whose list it is.
    pub visit: TaskKey,
    /// The page number, from 0.
    pub page: u32,
    /// Its elements, [`ItemPage::SIZE`] of them but on the last page.
    pub items: Vec<Value>,
}

impl ItemPage {
    /// How many elements a full page has.
    pub const SIZE: u32 = 256;
}

/// A hint that something can be done. The state that it speaks of is committed before it is
/// published, and a sweep finds the same work if it never arrives.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// Executions wait for a worker with this runtime.
    Ready {
        /// The runtime.
        runtime: Runtime,
        /// How they are carried.
        transport: Transport,
    },
    /// An execution was offered to a worker.
    Offer {
        /// To whom.
        worker: WorkerId,
        /// What.
        execution: ExecutionId,
        /// The token to accept with.
        token: FencingToken,
    },
    /// A worker should stop an attempt.
    Stop {
        /// Whose attempt.
        worker: WorkerId,
        /// Of which execution.
        execution: ExecutionId,
        /// Which attempt.
        token: FencingToken,
    },
    /// Executions wait to be admitted, or more can be promoted than was loaded.
    Admit(QueueKey),
    /// A workflow run can be advanced.
    Advance(ExecutionId),
    /// An execution is over.
    Ended {
        /// Which.
        execution: ExecutionId,
        /// How.
        status: Status,
    },
}

/// What becomes of the message that asked for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settle {
    /// It is done.
    #[default]
    Ack,
    /// It comes again after this long: someone else is busy with it.
    Delay(Span),
    /// It cannot be understood or carried out; it is put aside with the reason, never dropped.
    Park(String),
}
