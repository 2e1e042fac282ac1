//! Executions: the hot table.

use std::collections::BTreeMap;

use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, Incarnation, ItemKey, Order, Policy, QueueKey,
    Runtime, TaskKey, TaskName, Version, Work, WorkerId, WorkerName,
};
use steadfast_services::port::{Held, Load, Pointer};

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::code::Code;
use crate::row::{Cells, Last, parse};
use crate::shape::Shape;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    ($of:literal) => {
        concat!(
            $of,
            "id,",
            $of,
            "version,",
            $of,
            "status,",
            $of,
            "runtime,",
            $of,
            "queue,",
            $of,
            "line,",
            $of,
            "attempt,",
            $of,
            "failures,",
            $of,
            "losses,",
            $of,
            "worker,",
            $of,
            "incarnation,",
            $of,
            "cancel_requested,",
            $of,
            "folded,",
            $of,
            "wake_at,",
            $of,
            "started_at,",
            $of,
            "ended_at,",
            $of,
            "cause,",
            $of,
            "excluded,",
            $of,
            "run,",
            $of,
            "task,",
            $of,
            "occurrence,",
            $of,
            "item,",
            $of,
            "action,",
            $of,
            "definition,",
            $of,
            "transport,",
            $of,
            "created_at,",
            $of,
            "retry_of,",
            $of,
            "selector,",
            $of,
            "policy,",
            $of,
            "idempotency_key,",
            $of,
            "fingerprint,",
            $of,
            "wishes"
        )
    };
}
pub(crate) use columns;

/// Whole executions of `e`, packed into one text.
macro_rules! packed {
    () => {
        concat!(
            "SELECT json_group_array(json_array(",
            crate::table::execution::columns!("e."),
            ")) FROM "
        )
    };
}
pub(crate) use packed;

/// Pointers, packed into one text in the order of the rows of `from`, in which `e` is an
/// execution.
macro_rules! pointers {
    ($from:literal) => {
        concat!(
            "SELECT json_group_array(json_array(id, queue, definition, stopping)) FROM (\
             SELECT e.id AS id, e.queue AS queue, e.definition AS definition, \
             (e.status >= 7 OR e.cancel_requested) AS stopping FROM ",
            $from,
            ")"
        )
    };
}
pub(crate) use pointers;

/// The table.
pub(crate) struct Executions;

static INSERT: Shape = Shape::insert(32, concat!("INSERT INTO execution (", columns!(""), ")"), "");

/// What never changes after the insert is not written again.
static UPDATE: Shape = Shape::update(
    16,
    "UPDATE execution SET version = $2, status = $3, line = $4, \
     attempt = $5, failures = $6, losses = $7, worker = $8, \
     incarnation = $9, cancel_requested = $10, folded = $11, \
     wake_at = $12, started_at = $13, ended_at = $14, cause = $15, \
     excluded = $16",
    "execution.id = $1 AND execution.version = $2 - 1",
);

impl Table for Executions {
    type Row = Execution;

    const NAME: &'static str = "execution";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Execution, args: &mut Args) {
        args.int(row.id.0);
        args.int(row.version.0);
        args.int(row.status.code());
        match &row.work {
            Work::Runtime(runtime) => args.common(runtime.as_str()),
            Work::Workflow => args.null(),
        }
        args.common(row.queue.as_str());
        args.opt_int(row.order.map(|order| order.0));
        bind_attempt(row, args);
        args.int(row.cancel_requested);
        args.int(row.folded);
        bind_times(row, args);
        bind_excluded(row, args);
        bind_place(row.place.as_ref(), args);
        args.common(row.action.as_str());
        args.common(row.definition.as_str());
        args.int(row.transport.code());
        args.int(row.created_at.as_micros());
        args.opt_int(row.retry_of.map(|id| id.0));
        args.json_unless(row.selector.is_empty(), &row.selector);
        args.json_unless(row.policy == Policy::DEFAULT, &row.policy);
        args.opt_text(row.idempotency.as_ref().map(|i| i.key.as_str()));
        args.opt_text(row.idempotency.as_ref().map(|i| i.fingerprint.as_str()));
        args.json_unless(row.wishes.is_empty(), &row.wishes);
    }
}

impl Versioned for Executions {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Execution, args: &mut Args) {
        args.int(row.id.0);
        args.int(row.version.0);
        args.int(row.status.code());
        args.opt_int(row.order.map(|order| order.0));
        bind_attempt(row, args);
        args.int(row.cancel_requested);
        args.int(row.folded);
        bind_times(row, args);
        bind_excluded(row, args);
    }
}

fn bind_attempt(row: &Execution, args: &mut Args) {
    args.int(row.attempt.0);
    args.int(row.failures);
    args.int(row.losses);
    match &row.worker {
        Some(worker) => {
            args.common(worker.name.as_str());
            args.int(worker.incarnation.0);
        }
        None => args.nulls(2),
    }
}

fn bind_times(row: &Execution, args: &mut Args) {
    args.opt_int(row.wake_at.map(|at| at.as_micros()));
    args.opt_int(row.started_at.map(|at| at.as_micros()));
    args.opt_int(row.ended_at.map(|at| at.as_micros()));
    args.opt_int(row.cause.map(Code::code));
}

fn bind_excluded(row: &Execution, args: &mut Args) {
    args.json_unless(row.excluded.is_empty(), &row.excluded);
}

fn bind_place(place: Option<&ItemKey>, args: &mut Args) {
    match place {
        Some(place) => {
            args.int(place.task.run.0);
            args.common(place.task.task.as_str());
            args.int(place.task.occurrence);
            args.opt_int(place.index);
        }
        None => args.nulls(4),
    }
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

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Execution> {
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
            wishes: row.json_or(Vec::new)?,
        })
    }
}

impl ExecutionDecoder {
    fn worker<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Option<WorkerId>> {
        let name = row.opt_text()?;
        let incarnation = row.opt_int()?.map(Incarnation);
        let Some((name, incarnation)) = name.zip(incarnation) else { return Ok(None) };
        let name = self.worker.get(&name, |text| Ok(text.into()))?;
        Ok(Some(WorkerId { name, incarnation }))
    }

    fn place<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Option<ItemKey>> {
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

fn idempotency<'r>(row: &mut impl Cells<'r>) -> Load<Option<Idempotency>> {
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

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Pointer> {
        Ok(Pointer {
            execution: ExecutionId(row.int()?),
            queue: self.queue.get(&row.text()?, |text| Ok(text.into()))?,
            definition: self.definition.get(&row.text()?, |text| Ok(text.into()))?,
            stopping: row.flag()?,
        })
    }
}

/// Reads [`Held`] attempts: id, attempt, queue, whether it should stop, whether it is on offer.
#[derive(Default)]
pub(crate) struct HeldDecoder {
    queue: Last<QueueKey>,
}

impl Decoder for HeldDecoder {
    type Row = Held;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Held> {
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

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<(WorkerId, u32)> {
        let name = row.text()?.as_ref().into();
        Ok((WorkerId { name, incarnation: Incarnation(row.int()?) }, row.small()?))
    }
}
