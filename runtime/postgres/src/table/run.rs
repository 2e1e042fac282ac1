//! Workflow runs.

use std::collections::BTreeMap;

use steadfast_core::workflow::Run;
use steadfast_core::{Attempt, ExecutionId, Version};
use steadfast_services::port::Load;

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::row::Reader;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "r.execution, r.version, r.attempt, r.open, r.halted, r.vars, r.visits, r.last, r.fault"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Runs;

impl Table for Runs {
    type Row = Run;

    const NAME: &'static str = "run";
    const TABLE: &'static str = "run_live";
    const FIELDS: &'static [Field] = &[
        ("execution", Int),
        ("version", Int),
        ("attempt", Int),
        ("open", Flag),
        ("halted", Flag),
        ("vars", Text),
        ("visits", Text),
        ("last", Text),
        ("fault", Text),
    ];

    fn bind_insert(row: &Run, columns: &mut Columns) {
        columns.int(row.execution.0);
        columns.int(row.version.0);
        columns.int(row.attempt.0);
        columns.flag(row.open);
        columns.flag(row.halted);
        columns.json_unless(row.vars.is_empty(), &row.vars);
        columns.json_unless(row.visits.is_empty(), &row.visits);
        columns.json_unless(row.last.is_empty(), &row.last);
        columns.opt_text(row.fault.as_deref());
    }
}

impl Versioned for Runs {
    const KEY: usize = 1;
    const CHANGED: &'static [Field] = Self::FIELDS;

    fn bind_update(row: &Run, columns: &mut Columns) {
        Self::bind_insert(row, columns);
    }
}

/// Reads runs.
#[derive(Default)]
pub(crate) struct RunDecoder;

impl Decoder for RunDecoder {
    type Row = Run;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Run> {
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
