//! Visits of workflow tasks.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::workflow::Visit;
use steadfast_core::{ExecutionId, TaskKey, TaskName, Version};
use steadfast_services::port::Load;

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::code::Code;
use crate::row::Cells;
use crate::shape::Shape;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "t.run, t.task, t.occurrence, t.version, t.state, t.status, t.arrived, t.needed, \
         t.absorbing, t.listed, t.elements, t.batch_size, t.total, t.created, t.ended, t.failed, \
         t.timed_out, t.concurrency, t.vars, t.not_before, t.error"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Visits;

static INSERT: Shape = Shape::insert(
    22,
    "INSERT INTO visit (run, task, occurrence, version, state, status, arrived, needed, \
     absorbing, listed, elements, batch_size, total, created, ended, failed, timed_out, \
     concurrency, vars, not_before, error, open)",
    "",
);

static UPDATE: Shape = Shape::update(
    22,
    "UPDATE visit SET version = $4, state = $5, status = $6, \
     arrived = $7, needed = $8, absorbing = $9, listed = $10, \
     elements = $11, batch_size = $12, total = $13, created = $14, \
     ended = $15, failed = $16, timed_out = $17, \
     concurrency = $18, vars = $19, not_before = $20, \
     error = $21, open = $22",
    "visit.run = $1 AND visit.task = $2 \
     AND visit.occurrence = $3 AND visit.version = $4 - 1",
);

impl Table for Visits {
    type Row = Visit;

    const NAME: &'static str = "visit";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Visit, args: &mut Args) {
        args.int(row.key.run.0);
        args.common(row.key.task.as_str());
        args.int(row.key.occurrence);
        args.int(row.version.0);
        args.int(row.state.code());
        args.opt_int(row.status.map(Code::code));
        args.json_unless(row.arrived.is_empty(), &row.arrived);
        args.int(row.needed);
        args.int(row.absorbing);
        args.int(row.listed);
        args.int(row.elements);
        args.int(row.batch_size);
        args.int(row.total);
        args.int(row.created);
        args.int(row.ended);
        args.int(row.failed);
        args.int(row.timed_out);
        args.int(row.concurrency);
        args.json_unless(row.vars.is_empty(), &row.vars);
        args.opt_int(row.not_before.map(|at| at.as_micros()));
        args.opt_text(row.error.as_deref());
        args.int(row.is_open());
    }
}

impl Versioned for Visits {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Visit, args: &mut Args) {
        Self::bind_insert(row, args);
    }
}

/// Reads visits.
#[derive(Default)]
pub(crate) struct VisitDecoder;

impl Decoder for VisitDecoder {
    type Row = Visit;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Visit> {
        Ok(Visit {
            key: task_key(row)?,
            version: Version(row.int()?),
            state: row.word()?,
            status: row.opt_word()?,
            arrived: row.json_or(BTreeSet::new)?,
            needed: row.small()?,
            absorbing: row.flag()?,
            listed: row.flag()?,
            elements: row.small()?,
            batch_size: row.small()?,
            total: row.small()?,
            created: row.small()?,
            ended: row.small()?,
            failed: row.small()?,
            timed_out: row.small()?,
            concurrency: row.small()?,
            vars: row.json_or(BTreeMap::new)?,
            not_before: row.opt_time()?,
            error: row.opt_string()?,
        })
    }
}

/// Run, task and occurrence.
pub(crate) fn task_key<'r>(row: &mut impl Cells<'r>) -> Load<TaskKey> {
    Ok(TaskKey {
        run: ExecutionId(row.int()?),
        task: TaskName::new(row.text()?),
        occurrence: row.small()?,
    })
}

/// Binds run, task and occurrence.
pub(crate) fn bind_task_key(key: &TaskKey, args: &mut Args) {
    args.int(key.run.0);
    args.common(key.task.as_str());
    args.int(key.occurrence);
}
