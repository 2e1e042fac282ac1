//! Queues.

use steadfast_core::queue::{LimitOverride, Occupancy, Queue};
use steadfast_core::{ActionRef, Order, QueueKey, Version};
use steadfast_services::port::{Load, StoreError};

use super::Kind::{Flag, Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::row::Reader;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "q.key, q.version, q.action, q.declared_limit, q.operator_limit, q.paused, q.next_line, \
         q.completed, q.updated_at"
    };
}
pub(crate) use columns;

/// An operator's word that there is no limit.
const UNLIMITED: i64 = -1;

/// The table.
pub(crate) struct Queues;

impl Table for Queues {
    type Row = Queue;

    const NAME: &'static str = "queue";
    const TABLE: &'static str = "queue";
    const FIELDS: &'static [Field] = &[
        ("key", Text),
        ("version", Int),
        ("action", Text),
        ("declared_limit", Int),
        ("operator_limit", Int),
        ("paused", Flag),
        ("next_line", Int),
        ("completed", Int),
        ("updated_at", Int),
    ];

    fn bind_insert(row: &Queue, columns: &mut Columns) {
        columns.text(row.key.as_str());
        columns.int(row.version.0);
        columns.text(row.action.as_str());
        bind_rest(row, columns);
    }
}

impl Versioned for Queues {
    const KEY: usize = 1;
    const CHANGED: &'static [Field] = &[
        ("key", Text),
        ("version", Int),
        ("declared_limit", Int),
        ("operator_limit", Int),
        ("paused", Flag),
        ("next_line", Int),
        ("completed", Int),
        ("updated_at", Int),
    ];

    fn bind_update(row: &Queue, columns: &mut Columns) {
        columns.text(row.key.as_str());
        columns.int(row.version.0);
        bind_rest(row, columns);
    }
}

fn bind_rest(row: &Queue, columns: &mut Columns) {
    columns.opt_int(row.declared_limit);
    columns.opt_signed(row.operator_limit.map(|limit| match limit {
        LimitOverride::At(limit) => i64::from(limit),
        LimitOverride::Unlimited => UNLIMITED,
    }));
    columns.flag(row.paused);
    columns.int(row.next_order.0);
    columns.int(row.completed);
    columns.int(row.updated_at.as_micros());
}

/// Reads queues.
#[derive(Default)]
pub(crate) struct QueueDecoder;

impl Decoder for QueueDecoder {
    type Row = Queue;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Queue> {
        Ok(Queue {
            key: QueueKey::new(row.text()?),
            version: Version(row.int()?),
            action: ActionRef::new(row.text()?),
            declared_limit: row.opt_small()?,
            operator_limit: row.opt_signed()?.map(operator_limit).transpose()?,
            paused: row.flag()?,
            next_order: Order(row.int()?),
            completed: row.int()?,
            updated_at: row.time()?,
        })
    }
}

fn operator_limit(limit: i64) -> Load<LimitOverride> {
    if limit == UNLIMITED {
        return Ok(LimitOverride::Unlimited);
    }
    let limit = u32::try_from(limit);
    limit.map(LimitOverride::At).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// Reads what queues add up to.
#[derive(Default)]
pub(crate) struct OccupancyDecoder;

impl Decoder for OccupancyDecoder {
    type Row = (QueueKey, Occupancy);

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Self::Row> {
        let key = QueueKey::new(row.text()?);
        Ok((key, Occupancy { waiting: row.int()?, holding: row.int()?, horizon: None }))
    }
}
