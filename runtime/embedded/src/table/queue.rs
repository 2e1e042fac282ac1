//! Queues.

use steadfast_core::queue::{LimitOverride, Queue};
use steadfast_core::{ActionRef, Order, QueueKey, Version};
use steadfast_services::port::{Load, StoreError};

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::row::Cells;
use crate::shape::Shape;

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

static INSERT: Shape = Shape::insert(
    9,
    "INSERT INTO queue (key, version, action, declared_limit, operator_limit, paused, next_line, \
     completed, updated_at)",
    "",
);

static UPDATE: Shape = Shape::update(
    8,
    "UPDATE queue SET version = $2, declared_limit = $3, \
     operator_limit = $4, paused = $5, next_line = $6, \
     completed = $7, updated_at = $8",
    "queue.key = $1 AND queue.version = $2 - 1",
);

impl Table for Queues {
    type Row = Queue;

    const NAME: &'static str = "queue";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Queue, args: &mut Args) {
        args.text(row.key.as_str());
        args.int(row.version.0);
        args.common(row.action.as_str());
        bind_rest(row, args);
    }
}

impl Versioned for Queues {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Queue, args: &mut Args) {
        args.text(row.key.as_str());
        args.int(row.version.0);
        bind_rest(row, args);
    }
}

fn bind_rest(row: &Queue, args: &mut Args) {
    args.opt_int(row.declared_limit);
    match row.operator_limit {
        None => args.null(),
        Some(LimitOverride::At(limit)) => args.int(limit),
        Some(LimitOverride::Unlimited) => args.signed(UNLIMITED),
    }
    args.int(row.paused);
    args.int(row.next_order.0);
    args.int(row.completed);
    args.int(row.updated_at.as_micros());
}

/// Reads queues.
#[derive(Default)]
pub(crate) struct QueueDecoder;

impl Decoder for QueueDecoder {
    type Row = Queue;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Queue> {
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
