//! Workers.

use std::sync::Arc;

use steadfast_core::worker::Worker;
use steadfast_core::{Incarnation, Version, WorkerName};
use steadfast_services::port::Load;

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::code::Code;
use crate::row::Cells;
use crate::shape::Shape;

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

static INSERT: Shape = Shape::insert(
    12,
    "INSERT INTO worker (name, version, incarnation, state, cordoned, healthy, runtimes, labels, \
     capacity, lease_until, last_beat, registered_at)",
    "",
);

static UPDATE: Shape = Shape::update(
    12,
    "UPDATE worker SET version = $2, incarnation = $3, state = $4, \
     cordoned = $5, healthy = $6, runtimes = $7, labels = $8, \
     capacity = $9, lease_until = $10, last_beat = $11, \
     registered_at = $12",
    "worker.name = $1 AND worker.version = $2 - 1",
);

impl Table for Workers {
    type Row = Worker;

    const NAME: &'static str = "worker";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Worker, args: &mut Args) {
        args.text(row.name.as_str());
        args.int(row.version.0);
        args.int(row.incarnation.0);
        args.int(row.state.code());
        args.int(row.cordoned);
        args.int(row.healthy);
        args.json(&*row.runtimes);
        args.json(&row.labels);
        args.int(row.capacity);
        args.int(row.lease_until.as_micros());
        args.int(row.last_beat.as_micros());
        args.int(row.registered_at.as_micros());
    }
}

impl Versioned for Workers {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Worker, args: &mut Args) {
        Self::bind_insert(row, args);
    }
}

/// Reads workers.
#[derive(Default)]
pub(crate) struct WorkerDecoder;

impl Decoder for WorkerDecoder {
    type Row = Worker;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Worker> {
        Ok(Worker {
            name: WorkerName::new(row.text()?),
            version: Version(row.int()?),
            incarnation: Incarnation(row.int()?),
            state: row.word()?,
            cordoned: row.flag()?,
            healthy: row.flag()?,
            runtimes: Arc::new(row.json()?),
            labels: row.json()?,
            capacity: row.small()?,
            lease_until: row.time()?,
            last_beat: row.time()?,
            registered_at: row.time()?,
        })
    }
}
