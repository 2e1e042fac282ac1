//! Visits of workflow tasks.

use std::collections::{BTreeMap, BTreeSet};

use steadfast_core::workflow::Visit;
use steadfast_core::{ExecutionId, TaskKey, TaskName, Version};
use steadfast_services::port::Load;

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::code::Code;
use crate::row::Reader;

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

impl Table for Visits {
    type Row = Visit;

    const NAME: &'static str = "visit";
    const TABLE: &'static str = "visit_live";
    const FIELDS: &'static [Field] = &[
        ("run", Int),
        ("task", Text),
        ("occurrence", Int),
        ("version", Int),
        ("state", Int),
        ("status", Int),
        ("arrived", Text),
        ("needed", Int),
        ("absorbing", Flag),
        ("listed", Flag),
        ("elements", Int),
        ("batch_size", Int),
        ("total", Int),
        ("created", Int),
        ("ended", Int),
        ("failed", Int),
        ("timed_out", Int),
        ("concurrency", Int),
        ("vars", Text),
        ("not_before", Int),
        ("error", Text),
        ("open", Flag),
    ];

    fn bind_insert(row: &Visit, columns: &mut Columns) {
        columns.int(row.key.run.0);
        columns.text(row.key.task.as_str());
        columns.int(row.key.occurrence);
        columns.int(row.version.0);
        columns.int(row.state.code());
        columns.opt_int(row.status.map(Code::code));
        columns.json_unless(row.arrived.is_empty(), &row.arrived);
        columns.int(row.needed);
        columns.flag(row.absorbing);
        columns.flag(row.listed);
        columns.int(row.elements);
        columns.int(row.batch_size);
        columns.int(row.total);
        columns.int(row.created);
        columns.int(row.ended);
        columns.int(row.failed);
        columns.int(row.timed_out);
        columns.int(row.concurrency);
        columns.json_unless(row.vars.is_empty(), &row.vars);
        columns.opt_int(row.not_before.map(|at| at.as_micros()));
        columns.opt_text(row.error.as_deref());
        columns.flag(row.is_open());
    }
}

impl Versioned for Visits {
    const KEY: usize = 3;
    const CHANGED: &'static [Field] = Self::FIELDS;

    fn bind_update(row: &Visit, columns: &mut Columns) {
        Self::bind_insert(row, columns);
    }
}

/// Reads visits.
#[derive(Default)]
pub(crate) struct VisitDecoder;

impl Decoder for VisitDecoder {
    type Row = Visit;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Visit> {
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
pub(crate) fn task_key(row: &mut Reader<'_>) -> Load<TaskKey> {
    Ok(TaskKey {
        run: ExecutionId(row.int()?),
        task: TaskName::new(row.text()?),
        occurrence: row.small()?,
    })
}
