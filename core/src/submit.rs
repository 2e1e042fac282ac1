//! Accepting work: one execution for each submission, whatever happens to the submitter.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admission::{self, QueueFull};
use crate::definition::{Prepared, Transport};
use crate::effect::Wish;
use crate::execution::{Execution, Idempotency};
use crate::id::{Attempt, ExecutionId, ItemKey, Version};
use crate::status::Status;
use crate::time::Timestamp;
use crate::unit::Unit;

/// A request to run something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Submission {
    /// What, pinned and checked.
    pub prepared: Prepared,
    /// The submitter's key, if it has one.
    pub idempotency: Option<Idempotency>,
    /// The ended execution that this repeats.
    pub retry_of: Option<ExecutionId>,
    /// Whom its end is to be told to.
    pub wishes: Vec<Wish>,
}

/// What became of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// A new execution was accepted.
    Created(ExecutionId),
    /// The same submission was accepted before.
    Existing(ExecutionId),
}

impl Submitted {
    /// The execution, new or not.
    #[must_use]
    pub const fn id(self) -> ExecutionId {
        match self {
            Self::Created(id) | Self::Existing(id) => id,
        }
    }
}

/// Why a submission was not accepted. Nothing was created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitRefusal {
    /// The line is as long as allowed.
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// The key was used for something else.
    #[error("the idempotency key was already used for another submission ({0})")]
    KeyReused(ExecutionId),
    /// The transaction has no identity left to give; submit again.
    #[error("no identity is left in this transaction")]
    OutOfIds,
}

/// Accepts a submission and lets it into its queue.
///
/// The queue must be loaded or created ([`admission::open`]) and an execution with the same
/// idempotency key loaded, if there is one.
///
/// # Errors
/// See [`SubmitRefusal`].
pub fn submit(unit: &mut Unit, submission: Submission) -> Result<Submitted, SubmitRefusal> {
    let Submission { prepared, idempotency, retry_of, wishes } = submission;
    if let Some(wanted) = &idempotency
        && let Some(known) = unit.submitted_with(&wanted.key)
    {
        return match &known.idempotency {
            Some(had) if had.fingerprint == wanted.fingerprint => Ok(Submitted::Existing(known.id)),
            _ => Err(SubmitRefusal::KeyReused(known.id)),
        };
    }
    admission::open(unit, &prepared.queue, prepared.limit);
    if !unit.is_planted("queue_length_not_checked") {
        admission::check_length(unit, &prepared.queue)?;
    }
    let id = unit.fresh_id().ok_or(SubmitRefusal::OutOfIds)?;
    let now = unit.now;
    let (mut execution, parameters) = requested(id, prepared, unit.transport, now);
    execution.idempotency = idempotency;
    execution.retry_of = retry_of;
    execution.wishes = wishes;
    unit.create(execution, parameters);
    admission::enter(unit, id);
    Ok(Submitted::Created(id))
}

/// Creates the child execution at `place`, to start not before `not_before`.
///
/// Its queue must be loaded or looked for in vain. Children are never refused or expired by a long
/// line: their run waits for them. `None` if the transaction has no identity left to give.
pub fn submit_child(
    unit: &mut Unit,
    place: ItemKey,
    mut prepared: Prepared,
    not_before: Option<Timestamp>,
) -> Option<ExecutionId> {
    let id = unit.fresh_id()?;
    let now = unit.now;
    prepared.policy.queue_timeout = None;
    admission::open(unit, &prepared.queue, prepared.limit);
    // A run and its children are carried alike, whatever is configured by now.
    let run = unit.execution(place.task.run);
    let transport = run.map_or(unit.transport, |run| run.transport);
    let (mut execution, parameters) = requested(id, prepared, transport, now);
    execution.place = Some(place);
    execution.wake_at = not_before.filter(|at| *at > now);
    let delayed = execution.wake_at.is_some();
    if unit.is_planted("delay_not_armed") {
        execution.wake_at = None;
    }
    unit.create(execution, parameters);
    if !delayed {
        admission::enter(unit, id);
    }
    Some(id)
}

fn requested(
    id: ExecutionId,
    prepared: Prepared,
    transport: Transport,
    now: Timestamp,
) -> (Execution, Value) {
    let execution = Execution {
        id,
        version: Version(0),
        action: prepared.action,
        definition: prepared.definition,
        work: prepared.work,
        selector: prepared.selector,
        transport,
        status: Status::Requested,
        queue: prepared.queue,
        order: None,
        attempt: Attempt(0),
        failures: 0,
        losses: 0,
        worker: None,
        excluded: Vec::new(),
        cancel_requested: false,
        wake_at: None,
        policy: prepared.policy,
        place: None,
        folded: false,
        retry_of: None,
        idempotency: None,
        created_at: now,
        started_at: None,
        ended_at: None,
        cause: None,
        wishes: Vec::new(),
    };
    (execution, prepared.parameters)
}
