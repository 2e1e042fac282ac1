//! Schedules.

use std::sync::Arc;

use steadfast_core::lease::Epoch;
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::{ExecutionId, Timestamp, Version};
use steadfast_services::port::Load;

use super::Kind::{Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::code::Code;
use crate::row::Reader;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "s.name, s.version, s.state, s.due, s.fired, s.epoch, s.plan, s.last_execution, \
         s.last_error, s.created_at"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Schedules;

impl Table for Schedules {
    type Row = Schedule;

    const NAME: &'static str = "schedule";
    const TABLE: &'static str = "schedule";
    const FIELDS: &'static [Field] = &[
        ("name", Text),
        ("version", Int),
        ("state", Int),
        ("due", Int),
        ("fired", Int),
        ("epoch", Int),
        ("plan", Text),
        ("last_execution", Int),
        ("last_error", Text),
        ("created_at", Int),
    ];

    fn bind_insert(row: &Schedule, columns: &mut Columns) {
        columns.text(row.name.as_str());
        columns.int(row.version.0);
        columns.int(row.state.code());
        columns.int(row.due.as_micros());
        columns.opt_int(row.fired.map(Timestamp::as_micros));
        columns.int(row.epoch.0);
        columns.json(&*row.plan);
        columns.opt_int(row.last_execution.map(|id| id.0));
        columns.opt_text(row.last_error.as_deref());
        columns.int(row.created_at.as_micros());
    }
}

impl Versioned for Schedules {
    const KEY: usize = 1;
    const CHANGED: &'static [Field] = Self::FIELDS;

    fn bind_update(row: &Schedule, columns: &mut Columns) {
        Self::bind_insert(row, columns);
    }
}

/// Reads schedules.
#[derive(Default)]
pub(crate) struct ScheduleDecoder;

impl Decoder for ScheduleDecoder {
    type Row = Schedule;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Schedule> {
        Ok(Schedule {
            name: ScheduleName::new(&row.text()?),
            version: Version(row.int()?),
            state: row.word()?,
            due: row.time()?,
            fired: row.opt_time()?,
            epoch: Epoch(row.int()?),
            plan: Arc::new(row.json()?),
            last_execution: row.opt_int()?.map(ExecutionId),
            last_error: row.opt_string()?,
            created_at: row.time()?,
        })
    }
}

/// Reads which schedules are due when.
#[derive(Default)]
pub(crate) struct DueDecoder;

impl Decoder for DueDecoder {
    type Row = (ScheduleName, Timestamp);

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Self::Row> {
        Ok((ScheduleName::new(&row.text()?), row.time()?))
    }
}
