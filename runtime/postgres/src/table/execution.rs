//! Executions: the hot table.

use std::collections::BTreeMap;

use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, Incarnation, ItemKey, Order, Policy, QueueKey,
    Runtime, TaskKey, TaskName, Version, Work, WorkerId, WorkerName,
};
use steadfast_services::port::{Held, Load, Pointer};

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::code::Code;
use crate::row::{Last, Reader, parse};

/// The columns of `e` in the order in which they are written and read.
macro_rules! columns {
    () => {
        "e.id, e.version, e.status, e.runtime, e.queue, e.line, e.attempt, e.failures, e.losses, \
         e.worker, e.incarnation, e.cancel_requested, e.folded, e.wake_at, e.started_at, \
         e.ended_at, e.cause, e.excluded, e.run, e.task, e.occurrence, e.item, e.action, \
         e.definition, e.transport, e.created_at, e.retry_of, e.selector, e.policy, \
         e.idempotency_key, e.fingerprint"
    };
}
pub(crate) use columns;

/// The columns of a [`Pointer`].
macro_rules! pointer {
    () => {
        "e.id, e.queue, e.definition, (e.status >= 7 OR e.cancel_requested)"
    };
}
pub(crate) use pointer;

/// The table.
pub(crate) struct Executions;

impl Table for Executions {
    type Row = Execution;

    const NAME: &'static str = "execution";
    const TABLE: &'static str = "execution";
    const FIELDS: &'static [Field] = &[
        ("id", Int),
        ("version", Int),
        ("status", Int),
        ("runtime", Text),
        ("queue", Text),
        ("line", Int),
        ("attempt", Int),
        ("failures", Int),
        ("losses", Int),
        ("worker", Text),
        ("incarnation", Int),
        ("cancel_requested", Flag),
        ("folded", Flag),
        ("wake_at", Int),
        ("started_at", Int),
        ("ended_at", Int),
        ("cause", Int),
        ("excluded", Text),
        ("run", Int),
        ("task", Text),
        ("occurrence", Int),
        ("item", Int),
        ("action", Text),
        ("definition", Text),
        ("transport", Int),
        ("created_at", Int),
        ("retry_of", Int),
        ("selector", Text),
        ("policy", Text),
        ("idempotency_key", Text),
        ("fingerprint", Text),
    ];

    fn bind_insert(row: &Execution, columns: &mut Columns) {
        columns.int(row.id.0);
        columns.int(row.version.0);
        columns.int(row.status.code());
        columns.opt_text(match &row.work {
            Work::Runtime(runtime) => Some(runtime.as_str()),
            Work::Workflow => None,
        });
        columns.text(row.queue.as_str());
        columns.opt_int(row.order.map(|order| order.0));
        bind_changes(row, columns);
        bind_place(row.place.as_ref(), columns);
        columns.text(row.action.as_str());
        columns.text(row.definition.as_str());
        columns.int(row.transport.code());
        columns.int(row.created_at.as_micros());
        columns.opt_int(row.retry_of.map(|id| id.0));
        columns.json_unless(row.selector.is_empty(), &row.selector);
        columns.json_unless(row.policy == Policy::DEFAULT, &row.policy);
        columns.opt_text(row.idempotency.as_ref().map(|i| i.key.as_str()));
        columns.opt_text(row.idempotency.as_ref().map(|i| i.fingerprint.as_str()));
    }
}

impl Versioned for Executions {
    const KEY: usize = 1;
    /// What never changes after the insert is not written again.
    const CHANGED: &'static [Field] = &[
        ("id", Int),
        ("version", Int),
        ("status", Int),
        ("line", Int),
        ("attempt", Int),
        ("failures", Int),
        ("losses", Int),
        ("worker", Text),
        ("incarnation", Int),
        ("cancel_requested", Flag),
        ("folded", Flag),
        ("wake_at", Int),
        ("started_at", Int),
        ("ended_at", Int),
        ("cause", Int),
        ("excluded", Text),
    ];

    fn bind_update(row: &Execution, columns: &mut Columns) {
        columns.int(row.id.0);
        columns.int(row.version.0);
        columns.int(row.status.code());
        columns.opt_int(row.order.map(|order| order.0));
        bind_changes(row, columns);
    }
}

/// From `attempt` to `excluded`.
fn bind_changes(row: &Execution, columns: &mut Columns) {
    columns.int(row.attempt.0);
    columns.int(row.failures);
    columns.int(row.losses);
    columns.opt_text(row.worker.as_ref().map(|worker| worker.name.as_str()));
    columns.opt_int(row.worker.as_ref().map(|worker| worker.incarnation.0));
    columns.flag(row.cancel_requested);
    columns.flag(row.folded);
    columns.opt_int(row.wake_at.map(|at| at.as_micros()));
    columns.opt_int(row.started_at.map(|at| at.as_micros()));
    columns.opt_int(row.ended_at.map(|at| at.as_micros()));
    columns.opt_int(row.cause.map(Code::code));
    columns.json_unless(row.excluded.is_empty(), &row.excluded);
}

fn bind_place(place: Option<&ItemKey>, columns: &mut Columns) {
    columns.opt_int(place.map(|place| place.task.run.0));
    columns.opt_text(place.map(|place| place.task.task.as_str()));
    columns.opt_int(place.map(|place| place.task.occurrence));
    columns.opt_int(place.and_then(|place| place.index));
}

/// Reads whole executions.
#[derive(Default)]
pub(crate) struct ExecutionDecoder {
    runtime: Last<Runtime>,
    queue: Last<QueueKey>,
    worker: Last<WorkerName>,
    task: Last<TaskName>,
    action: Last<ActionRef>,
    definition: Last<DefinitionHash>,
    selector: Last<BTreeMap<String, String>>,
    policy: Last<Policy>,
}

impl Decoder for ExecutionDecoder {
    type Row = Execution;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Execution> {
        Ok(Execution {
            id: ExecutionId(row.int()?),
            version: Version(row.int()?),
            status: row.word()?,
            work: match row.opt_text()? {
                Some(text) => Work::Runtime(self.runtime.get(&text, |text| Ok(text.into()))?),
                None => Work::Workflow,
            },
            queue: self.queue.get(&row.text()?, |text| Ok(text.into()))?,
            order: row.opt_int()?.map(Order),
            attempt: Attempt(row.small()?),
            failures: row.small()?,
            losses: row.small()?,
            worker: self.worker(row)?,
            cancel_requested: row.flag()?,
            folded: row.flag()?,
            wake_at: row.opt_time()?,
            started_at: row.opt_time()?,
            ended_at: row.opt_time()?,
            cause: row.opt_word()?,
            excluded: row.json_or(Vec::new)?,
            place: self.place(row)?,
            action: self.action.get(&row.text()?, |text| Ok(text.into()))?,
            definition: self.definition.get(&row.text()?, |text| Ok(text.into()))?,
            transport: row.word()?,
            created_at: row.time()?,
            retry_of: row.opt_int()?.map(ExecutionId),
            selector: match row.opt_text()? {
                Some(text) => self.selector.get(&text, parse)?,
                None => BTreeMap::new(),
            },
            policy: match row.opt_text()? {
                Some(text) => self.policy.get(&text, parse)?,
                None => Policy::DEFAULT,
            },
            idempotency: idempotency(row)?,
        })
    }
}

impl ExecutionDecoder {
    fn worker(&mut self, row: &mut Reader<'_>) -> Load<Option<WorkerId>> {
        let name = row.opt_text()?;
        let incarnation = row.opt_int()?.map(Incarnation);
        let Some((name, incarnation)) = name.zip(incarnation) else { return Ok(None) };
        let name = self.worker.get(&name, |text| Ok(text.into()))?;
        Ok(Some(WorkerId { name, incarnation }))
    }

    fn place(&mut self, row: &mut Reader<'_>) -> Load<Option<ItemKey>> {
        let (run, task) = (row.opt_int()?, row.opt_text()?);
        let (occurrence, index) = (row.opt_small()?, row.opt_small()?);
        let (Some(run), Some(task), Some(occurrence)) = (run, task, occurrence) else {
            return Ok(None);
        };
        let task = self.task.get(&task, |text| Ok(text.into()))?;
        let task = TaskKey { run: ExecutionId(run), task, occurrence };
        Ok(Some(ItemKey { task, index }))
    }
}

fn idempotency(row: &mut Reader<'_>) -> Load<Option<Idempotency>> {
    let (key, fingerprint) = (row.opt_text()?, row.opt_text()?);
    Ok(key.zip(fingerprint).map(|(key, fingerprint)| Idempotency {
        key: key.into_owned(),
        fingerprint: fingerprint.into_owned(),
    }))
}

/// Reads [`Pointer`]s.
#[derive(Default)]
pub(crate) struct PointerDecoder {
    queue: Last<QueueKey>,
    definition: Last<DefinitionHash>,
}

impl Decoder for PointerDecoder {
    type Row = Pointer;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Pointer> {
        Ok(Pointer {
            execution: ExecutionId(row.int()?),
            queue: self.queue.get(&row.text()?, |text| Ok(text.into()))?,
            definition: self.definition.get(&row.text()?, |text| Ok(text.into()))?,
            stopping: row.flag()?,
        })
    }
}

/// Reads [`Held`] attempts: id, attempt, queue, whether it should stop.
#[derive(Default)]
pub(crate) struct HeldDecoder {
    queue: Last<QueueKey>,
}

impl Decoder for HeldDecoder {
    type Row = Held;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Held> {
        Ok(Held {
            execution: ExecutionId(row.int()?),
            token: Attempt(row.small()?).token(),
            queue: self.queue.get(&row.text()?, |text| Ok(text.into()))?,
            cancel_requested: row.flag()?,
            offered: row.flag()?,
        })
    }
}

/// Reads how many live attempts a worker process has: name, incarnation, count.
#[derive(Default)]
pub(crate) struct LoadDecoder;

impl Decoder for LoadDecoder {
    type Row = (WorkerId, u32);

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<(WorkerId, u32)> {
        let name = row.text()?.as_ref().into();
        Ok((WorkerId { name, incarnation: Incarnation(row.int()?) }, row.small()?))
    }
}
