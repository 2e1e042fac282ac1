//! Why an execution is not over: exactly one fact that it is waiting for, whatever state it is in.
//!
//! [`explain`] decides from rows alone and touches nothing; [`explain_execution`] reads the rows.
//! When several things stand in the way, the one is named whose end changes something.

mod load;
mod place;
mod words;
mod work;
mod workflow;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};
use steadfast_core::execution::Execution;
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{ExecutionId, Status, TaskName, Timestamp, WorkerName};
use steadfast_services::port::QueueView;
use utoipa::ToSchema;

pub use load::explain_execution;

/// What an execution is waiting for.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// The execution.
    pub id: u64,
    /// Where it is in its life.
    #[schema(value_type = String, example = "queued")]
    pub status: Status,
    /// What it is waiting for, in one word.
    pub kind: Kind,
    /// The same for people.
    pub sentence: String,
    /// The same for programs; what is in it depends on the kind.
    #[schema(value_type = Object)]
    pub facts: Map<String, Value>,
}

/// What an execution may be waiting for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Nothing: it is over.
    Over,
    /// The end of its task's delay.
    Delayed,
    /// Its turn to enter its queue, which is now.
    EnteringQueue,
    /// Somebody to resume its queue.
    QueuePaused,
    /// A slot of its queue.
    WaitingForSlot,
    /// A slot that is held by workflows which wait for it, or for others behind it, to end.
    SlotDeadlock,
    /// To be let through: there is a slot.
    BeingAdmitted,
    /// A worker that is able to run it.
    NoEligibleWorker,
    /// Room on a worker that is able to run it.
    WorkersBusy,
    /// To be taken by a worker that has room.
    BeingTaken,
    /// The answer of the worker that it was offered to.
    WaitingForAnswer,
    /// The start by the worker that has accepted it.
    BeingStarted,
    /// The end of its action, which a worker carries out.
    Running,
    /// To be taken from a worker whose lease is over, once that is certain.
    LeaseExpired,
    /// To be taken from a worker that is gone.
    WorkerLost,
    /// The end of the delay before its next attempt.
    Backoff,
    /// Whoever carries it out, to stop.
    Cancelling,
    /// The engine, to take the next step of the workflow.
    BeingAdvanced,
    /// The tasks of the workflow that are under way.
    WaitingForTasks,
    /// The predecessors of a join that have not arrived.
    WaitingForJoin,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Over,
        Self::Delayed,
        Self::EnteringQueue,
        Self::QueuePaused,
        Self::WaitingForSlot,
        Self::SlotDeadlock,
        Self::BeingAdmitted,
        Self::NoEligibleWorker,
        Self::WorkersBusy,
        Self::BeingTaken,
        Self::WaitingForAnswer,
        Self::BeingStarted,
        Self::Running,
        Self::LeaseExpired,
        Self::WorkerLost,
        Self::Backoff,
        Self::Cancelling,
        Self::BeingAdvanced,
        Self::WaitingForTasks,
        Self::WaitingForJoin,
    ];
}

/// Everything that an explanation is made of.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The time.
    pub now: Timestamp,
    /// The execution.
    pub execution: &'a Execution,
    /// Its queue.
    pub queue: Option<&'a QueueView>,
    /// Its place in line, from 1, if it is in line and the line is short enough to count.
    pub position: Option<u64>,
    /// Who holds the slots of its queue, as far as they were looked for.
    pub holders: &'a [Holder],
    /// All workers, with how many live attempts each has.
    pub workers: &'a [(Worker, u32)],
    /// The run and its visits, if it is a workflow that has begun.
    pub run: Option<&'a (Run, Vec<Visit>)>,
    /// What leads to each task that waits for its predecessors.
    pub predecessors: &'a BTreeMap<TaskName, BTreeSet<TaskName>>,
}

/// Who holds a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The execution.
    pub execution: ExecutionId,
    /// Where it runs.
    pub worker: Option<WorkerName>,
    /// Whether it cannot end before something that waits for a slot of the same queue has.
    pub blocked: bool,
}

/// What the execution is waiting for.
#[must_use]
pub fn explain(situation: &Situation<'_>) -> Explanation {
    let execution = situation.execution;
    let finding = match execution.status {
        Status::Requested => place::requested(situation),
        Status::Queued => place::queued(situation),
        Status::Backoff => place::backoff(situation),
        Status::Ready if execution.is_workflow() => workflow::ready(),
        Status::Ready => work::ready(situation),
        Status::Offered | Status::Accepted | Status::Running if execution.cancel_requested => {
            work::cancelling(situation)
        }
        Status::Running if execution.is_workflow() => workflow::running(situation),
        Status::Offered | Status::Accepted | Status::Running => work::attempt(situation),
        Status::Completed
        | Status::Failed
        | Status::TimedOut
        | Status::Cancelled
        | Status::Abandoned => place::over(situation),
    };
    let Finding { kind, sentence, facts } = finding;
    Explanation { id: execution.id.0, status: execution.status, kind, sentence, facts }
}

/// An explanation that does not know yet of whom.
struct Finding {
    kind: Kind,
    sentence: String,
    facts: Map<String, Value>,
}

impl Finding {
    fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), facts: Map::new() }
    }

    fn with(mut self, fact: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(fact.to_owned(), value.into());
        self
    }

    /// A moment to come or past.
    fn at(self, fact: &str, moment: Option<Timestamp>) -> Self {
        let moment = moment.map(crate::api::rfc3339);
        self.with(fact, moment)
    }
}

#[cfg(test)]
mod tests;
