//! Schedules.

use std::sync::Arc;

use steadfast_core::lease::Epoch;
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::{ExecutionId, Timestamp, Version};
use steadfast_services::port::Load;

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::code::Code;
use crate::row::Cells;
use crate::shape::Shape;

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

static INSERT: Shape = Shape::insert(
    10,
    "INSERT INTO schedule (name, version, state, due, fired, epoch, plan, last_execution, \
     last_error, created_at)",
    "",
);

static UPDATE: Shape = Shape::update(
    10,
    "UPDATE schedule SET version = $2, state = $3, due = $4, fired = $5, epoch = $6, plan = $7, \
     last_execution = $8, last_error = $9, created_at = $10",
    "schedule.name = $1 AND schedule.version = $2 - 1",
);

impl Table for Schedules {
    type Row = Schedule;

    const NAME: &'static str = "schedule";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Schedule, args: &mut Args) {
        args.text(row.name.as_str());
        args.int(row.version.0);
        args.int(row.state.code());
        args.int(row.due.as_micros());
        args.opt_int(row.fired.map(Timestamp::as_micros));
        args.int(row.epoch.0);
        args.json(&*row.plan);
        args.opt_int(row.last_execution.map(|id| id.0));
        args.opt_text(row.last_error.as_deref());
        args.int(row.created_at.as_micros());
    }
}

impl Versioned for Schedules {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Schedule, args: &mut Args) {
        Self::bind_insert(row, args);
    }
}

/// Reads schedules.
#[derive(Default)]
pub(crate) struct ScheduleDecoder;

impl Decoder for ScheduleDecoder {
    type Row = Schedule;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Schedule> {
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

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Self::Row> {
        Ok((ScheduleName::new(&row.text()?), row.time()?))
    }
}
