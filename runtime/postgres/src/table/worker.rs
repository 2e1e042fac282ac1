//! Workers.

use steadfast_core::worker::Worker;
use steadfast_core::{Incarnation, Version, WorkerName};
use steadfast_services::port::Load;

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::code::Code;
use crate::row::Reader;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "w.name, w.version, w.incarnation, w.state, w.cordoned, w.healthy, w.runtimes, w.labels, \
         w.capacity, w.lease_until, w.last_beat, w.registered_at"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Workers;

impl Table for Workers {
    type Row = Worker;

    const NAME: &'static str = "worker";
    const TABLE: &'static str = "worker";
    const FIELDS: &'static [Field] = &[
        ("name", Text),
        ("version", Int),
        ("incarnation", Int),
        ("state", Int),
        ("cordoned", Flag),
        ("healthy", Flag),
        ("runtimes", Text),
        ("labels", Text),
        ("capacity", Int),
        ("lease_until", Int),
        ("last_beat", Int),
        ("registered_at", Int),
    ];

    fn bind_insert(row: &Worker, columns: &mut Columns) {
        columns.text(row.name.as_str());
        columns.int(row.version.0);
        columns.int(row.incarnation.0);
        columns.int(row.state.code());
        columns.flag(row.cordoned);
        columns.flag(row.healthy);
        columns.json(&*row.runtimes);
        columns.json(&row.labels);
        columns.int(row.capacity);
        columns.int(row.lease_until.as_micros());
        columns.int(row.last_beat.as_micros());
        columns.int(row.registered_at.as_micros());
    }
}

impl Versioned for Workers {
    const KEY: usize = 1;
    const CHANGED: &'static [Field] = Self::FIELDS;

    fn bind_update(row: &Worker, columns: &mut Columns) {
        Self::bind_insert(row, columns);
    }
}

/// Reads workers.
#[derive(Default)]
pub(crate) struct WorkerDecoder;

impl Decoder for WorkerDecoder {
    type Row = Worker;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Worker> {
        Ok(Worker {
            name: WorkerName::new(row.text()?),
            version: Version(row.int()?),
            incarnation: Incarnation(row.int()?),
            state: row.word()?,
            cordoned: row.flag()?,
            healthy: row.flag()?,
            runtimes: std::sync::Arc::new(row.json()?),
            labels: row.json()?,
            capacity: row.small()?,
            lease_until: row.time()?,
            last_beat: row.time()?,
            registered_at: row.time()?,
        })
    }
}
