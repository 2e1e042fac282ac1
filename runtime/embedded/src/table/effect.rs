//! Effects: what the outside world is told of ends.

use steadfast_core::effect::{Effect, EffectKey, Target};
use steadfast_core::{ExecutionId, Generation, Version};
use steadfast_services::port::Load;

use super::{Decoder, Table, Versioned};
use crate::args::Args;
use crate::code::Code;
use crate::row::Cells;
use crate::shape::Shape;

/// The columns in the order in which they are written and read.
macro_rules! columns {
    () => {
        "f.execution, f.generation, f.kind, f.target, f.version, f.place, f.fires, f.state, \
         f.sends, f.failures, f.retry, f.wake_at, f.error, f.planned_at, f.ended_at, f.notice"
    };
}
pub(crate) use columns;

/// The table.
pub(crate) struct Effects;

static INSERT: Shape = Shape::insert(
    16,
    "INSERT INTO effect (execution, generation, kind, target, version, place, fires, state, \
     sends, failures, retry, wake_at, error, planned_at, ended_at, notice)",
    "",
);

static UPDATE: Shape = Shape::update(
    11,
    "UPDATE effect SET version = $5, state = $6, sends = $7, failures = $8, wake_at = $9, \
     error = $10, ended_at = $11",
    "effect.execution = $1 AND effect.generation = $2 AND effect.kind = $3 \
     AND effect.target = $4 AND effect.version = $5 - 1",
);

impl Table for Effects {
    type Row = Effect;

    const NAME: &'static str = "effect";
    const INSERT: &'static Shape = &INSERT;

    fn bind_insert(row: &Effect, args: &mut Args) {
        bind_key(&row.key, args);
        args.int(row.version.0);
        args.int(row.index);
        args.int(row.trigger.code());
        args.int(row.state.code());
        args.int(row.sends);
        args.int(row.failures);
        args.json_unless(false, &row.retry);
        args.opt_int(row.wake_at.map(|at| at.as_micros()));
        args.opt_text(row.error.as_deref());
        args.int(row.planned_at.as_micros());
        args.opt_int(row.ended_at.map(|at| at.as_micros()));
        args.json_unless(false, &row.notice);
    }
}

impl Versioned for Effects {
    const UPDATE: &'static Shape = &UPDATE;

    fn bind_update(row: &Effect, args: &mut Args) {
        bind_key(&row.key, args);
        args.int(row.version.0);
        args.int(row.state.code());
        args.int(row.sends);
        args.int(row.failures);
        args.opt_int(row.wake_at.map(|at| at.as_micros()));
        args.opt_text(row.error.as_deref());
        args.opt_int(row.ended_at.map(|at| at.as_micros()));
    }
}

/// Binds what an effect is found by.
pub(crate) fn bind_key(key: &EffectKey, args: &mut Args) {
    args.int(key.execution.0);
    args.int(key.generation.0);
    args.int(key.kind.code());
    args.text(key.target.as_str());
}

/// Reads effects.
#[derive(Default)]
pub(crate) struct EffectDecoder;

impl Decoder for EffectDecoder {
    type Row = Effect;

    fn decode<'r>(&mut self, row: &mut impl Cells<'r>) -> Load<Effect> {
        Ok(Effect {
            key: EffectKey {
                execution: ExecutionId(row.int()?),
                generation: Generation(row.small()?),
                kind: row.word()?,
                target: Target::new(&row.text()?),
            },
            version: Version(row.int()?),
            index: row.small()?,
            trigger: row.word()?,
            state: row.word()?,
            sends: row.small()?,
            failures: row.small()?,
            retry: row.json()?,
            wake_at: row.opt_time()?,
            error: row.opt_string()?,
            planned_at: row.time()?,
            ended_at: row.opt_time()?,
            notice: row.json()?,
        })
    }
}
