//! Executions: the hot table, and where their rows stand.
//!
//! What is over and belongs to no run is filed when it ends: its row moves to the partition of that
//! time. Everything else stands in the partition `execution_live`, until `retention` files it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;
use steadfast_core::decision::Outcome;
use steadfast_core::execution::{Execution, Idempotency};
use steadfast_core::{
    ActionRef, Attempt, DefinitionHash, ExecutionId, Incarnation, ItemKey, Order, Policy, QueueKey,
    Runtime, TaskKey, TaskName, Version, Work, WorkerId, WorkerName,
};
use steadfast_services::port::{Held, Load, Pointer, StoreError};

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned, change};
use crate::args::{Args, Columns, Shape};
use crate::code::Code;
use crate::row::{Last, Reader, parse};

/// The columns of `e` in the order in which they are written and read.
macro_rules! columns {
    () => {
        "e.id, e.version, e.status, e.runtime, e.queue, e.line, e.attempt, e.failures, e.losses, \
         e.worker, e.incarnation, e.cancel_requested, e.folded, e.wake_at, e.started_at, \
         e.ended_at, e.cause, e.excluded, e.run, e.task, e.occurrence, e.item, e.action, \
         e.definition, e.transport, e.created_at, e.retry_of, e.selector, e.policy, \
         e.idempotency_key, e.fingerprint, e.wishes"
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
    const TABLE: &'static str = "execution_live";
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
        ("wishes", Text),
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
        bind_policy(&row.policy, columns);
        columns.opt_text(row.idempotency.as_ref().map(|i| i.key.as_str()));
        columns.opt_text(row.idempotency.as_ref().map(|i| i.fingerprint.as_str()));
        columns.json_unless(row.wishes.is_empty(), &row.wishes);
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

/// What a new row has besides: where it is filed, and its parameters.
const MORE: &[Field] = &[("filed", Int), ("parameters", Text)];
/// What a row has besides when it ends: where it is filed, and what it leaves.
const END: &[Field] = &[("filed", Int), ("has_outcome", Flag), ("result", Text), ("error", Text)];

/// When a row is filed: at once, if it is over and belongs to no run; 0 if it stays.
fn filed(row: &Execution) -> u64 {
    let at_once = row.status.is_terminal() && row.place.is_none() && !row.is_workflow();
    // The default partition has the times that are none.
    if at_once { row.ended_at.map_or(1, |at| at.as_micros().max(1)) } else { 0 }
}

/// Whether any row is filed with this write.
fn files_any(rows: &[Execution]) -> bool {
    rows.iter().any(|row| filed(row) > 0)
}

/// Adds executions. What `parameters` has belongs to them. `unseen` says that their identities were
/// drawn just now; otherwise, and of keys in any case, history is asked whether it has them.
pub(crate) fn insert_whole(
    rows: &[Execution],
    parameters: &[(ExecutionId, Value)],
    unseen: bool,
) -> (String, Args) {
    let parameters: BTreeMap<ExecutionId, &Value> =
        parameters.iter().map(|(id, value)| (*id, value)).collect();
    let mut columns = Columns::default();
    for row in rows {
        Executions::bind_insert(row, &mut columns);
        columns.int(filed(row));
        match parameters.get(&row.id) {
            Some(value) => columns.json(*value),
            None => columns.opt_text(None),
        }
        columns.end_row();
    }
    let fields: Vec<Field> = [Executions::FIELDS, MORE].concat();
    let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    let Shape { args, cells, from } = columns.shape(&fields, 1);
    let mut conditions = Vec::new();
    let keyed = rows.iter().any(|row| row.idempotency.is_some());
    // What is filed at once meets no index of the living.
    let there = if files_any(rows) { "" } else { "h.filed >= 1 AND " };
    let asked = [("id", !unseen), ("idempotency_key", keyed)];
    for (name, _) in asked.iter().filter(|(_, asked)| *asked) {
        let here = names.iter().position(|other| other == name).map_or("NULL", |n| &cells[n]);
        conditions
            .push(format!("NOT EXISTS (SELECT FROM execution h WHERE {there}h.{name} = {here})"));
    }
    let table = if files_any(rows) { "execution" } else { Executions::TABLE };
    let from = from.map(|from| format!(" FROM {from}")).unwrap_or_default();
    let (names, cells) = (names.join(", "), cells.join(", "));
    let conditions = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    (format!("INSERT INTO {table} ({names}) SELECT {cells}{from}{conditions}"), args)
}

/// Changes executions; `outcomes` is empty or has what each of them leaves. `in_history` looks there
/// for what was not found among the living.
pub(crate) fn update_whole(
    rows: &[Execution],
    outcomes: &[(ExecutionId, Outcome)],
    in_history: bool,
) -> (String, Args) {
    let left: BTreeMap<ExecutionId, &Outcome> = outcomes.iter().map(|(id, o)| (*id, o)).collect();
    let moves = in_history || files_any(rows);
    let mut columns = Columns::default();
    for row in rows {
        Executions::bind_update(row, &mut columns);
        if moves {
            columns.int(filed(row));
        }
        if !outcomes.is_empty() {
            let outcome = left.get(&row.id);
            columns.flag(outcome.is_some());
            let result = outcome.map(|o| &o.result).filter(|result| !result.is_null());
            columns.json_unless(result.is_none(), &result);
            columns.opt_text(outcome.and_then(|o| o.error.as_deref()));
        }
        columns.end_row();
    }
    let mut fields = Executions::CHANGED.to_vec();
    fields.extend_from_slice(if moves { &END[..1] } else { &[] });
    fields.extend_from_slice(if outcomes.is_empty() { &[] } else { &END[1..] });
    // Only an update of the whole table moves rows.
    let table = if moves { "execution" } else { Executions::TABLE };
    let (mut sql, args) = change(table, &fields, Executions::KEY, columns);
    sql.push_str(match (moves, in_history) {
        (_, true) => " AND t.filed >= 1",
        (true, false) => " AND t.filed = 0",
        (false, false) => "",
    });
    if !outcomes.is_empty() {
        sql.push_str(" AND NOT t.has_outcome");
    }
    (sql, args)
}

/// What differs from the ordinary policy.
fn bind_policy(policy: &Policy, columns: &mut Columns) {
    if *policy == Policy::DEFAULT {
        return columns.opt_text(None);
    }
    let mut all = serde_json::to_value(policy).unwrap_or_default();
    if let (Some(all), Some(ordinary)) = (all.as_object_mut(), ORDINARY.as_object()) {
        all.retain(|name, value| ordinary.get(name) != Some(value));
    }
    columns.json(&all);
}

fn read_policy(text: &str) -> Load<Policy> {
    let mut all = ORDINARY.clone();
    if let (Some(all), serde_json::Value::Object(written)) = (all.as_object_mut(), parse(text)?) {
        all.extend(written);
    }
    serde_json::from_value(all).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// The ordinary policy.
static ORDINARY: LazyLock<Value> =
    LazyLock::new(|| serde_json::to_value(Policy::DEFAULT).unwrap_or_default());

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
                Some(text) => self.policy.get(&text, read_policy)?,
                None => Policy::DEFAULT,
            },
            idempotency: idempotency(row)?,
            wishes: row.json_or(Vec::new)?,
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
