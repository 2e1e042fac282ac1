//! Workflow runs.

use std::collections::BTreeMap;

use steadfast_core::workflow::Run;
use steadfast_core::{Attempt, ExecutionId, Version};
use steadfast_services::port::Load;

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::row::Cells;
use crate::shape::Shape;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "r.execution, r.version, r.attempt, r.open, r.halted, r.vars, r.visits, r.last, r.fault"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Runs;

static INSERT: Shape = Shape::insert(
    9,
    "INSERT INTO run (execution, version, attempt, open, halted, vars, visits, last, fault)",
    "",
);

static UPDATE: Shape = Shape::update(
    9,
    "UPDATE run SET version = $2, attempt = $3, open = $4, \
     halted = $5, vars = $6, visits = $7, last = $8, \
     fault = $9",
    "run.execution = $1 AND run.version = $2 - 1",
);

impl Table for Runs {
    type Row = Run;

    const NAME: &'static str = "run";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Run, args: &mut Args) {
        args.int(row.execution.0);
        args.int(row.version.0);
        args.int(row.attempt.0);
        args.int(row.open);
        args.int(row.halted);
        args.json_unless(row.vars.is_empty(), &row.vars);
        args.json_unless(row.visits.is_empty(), &row.visits);
        args.json_unless(row.last.is_empty(), &row.last);
        args.opt_text(row.fault.as_deref());
    }
}

impl Versioned for Runs {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Run, args: &mut Args) {
        Self::bind_insert(row, args);
    }
}

/// Reads runs.
#[derive(Default)]
pub(crate) struct RunDecoder;

impl Decoder for RunDecoder {
    type Row = Run;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Run> {
        Ok(Run {
            execution: ExecutionId(row.int()?),
            version: Version(row.int()?),
            attempt: Attempt(row.small()?),
            open: row.flag()?,
            halted: row.flag()?,
            vars: row.json_or(BTreeMap::new)?,
            visits: row.json_or(BTreeMap::new)?,
            last: row.json_or(BTreeMap::new)?,
            fault: row.opt_string()?,
        })
    }
}
