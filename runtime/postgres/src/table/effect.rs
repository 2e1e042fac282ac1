//! Effects: what the outside world is told of ends.

use steadfast_core::effect::{Effect, EffectKey, Target};
use steadfast_core::{ExecutionId, Generation, Version};
use steadfast_services::port::Load;

use super::Kind::{Int, Text};
use super::{Decoder, Field, Table, Versioned};
use crate::args::Columns;
use crate::code::Code;
use crate::row::Reader;

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

impl Table for Effects {
    type Row = Effect;

    const NAME: &'static str = "effect";
    const TABLE: &'static str = "effect";
    const FIELDS: &'static [Field] = &[
        ("execution", Int),
        ("generation", Int),
        ("kind", Int),
        ("target", Text),
        ("version", Int),
        ("place", Int),
        ("fires", Int),
        ("state", Int),
        ("sends", Int),
        ("failures", Int),
        ("retry", Text),
        ("wake_at", Int),
        ("error", Text),
        ("planned_at", Int),
        ("ended_at", Int),
        ("notice", Text),
    ];

    fn bind_insert(row: &Effect, columns: &mut Columns) {
        bind_key(&row.key, columns);
        columns.int(row.version.0);
        columns.int(row.index);
        columns.int(row.trigger.code());
        columns.int(row.state.code());
        columns.int(row.sends);
        columns.int(row.failures);
        columns.json(&row.retry);
        columns.opt_int(row.wake_at.map(|at| at.as_micros()));
        columns.opt_text(row.error.as_deref());
        columns.int(row.planned_at.as_micros());
        columns.opt_int(row.ended_at.map(|at| at.as_micros()));
        columns.json(&row.notice);
    }
}

impl Versioned for Effects {
    const KEY: usize = 4;
    /// What never changes after the insert is not written again.
    const CHANGED: &'static [Field] = &[
        ("execution", Int),
        ("generation", Int),
        ("kind", Int),
        ("target", Text),
        ("version", Int),
        ("state", Int),
        ("sends", Int),
        ("failures", Int),
        ("wake_at", Int),
        ("error", Text),
        ("ended_at", Int),
    ];

    fn bind_update(row: &Effect, columns: &mut Columns) {
        bind_key(&row.key, columns);
        columns.int(row.version.0);
        columns.int(row.state.code());
        columns.int(row.sends);
        columns.int(row.failures);
        columns.opt_int(row.wake_at.map(|at| at.as_micros()));
        columns.opt_text(row.error.as_deref());
        columns.opt_int(row.ended_at.map(|at| at.as_micros()));
    }
}

fn bind_key(key: &EffectKey, columns: &mut Columns) {
    columns.int(key.execution.0);
    columns.int(key.generation.0);
    columns.int(key.kind.code());
    columns.text(key.target.as_str());
}

/// Reads effects.
#[derive(Default)]
pub(crate) struct EffectDecoder;

impl Decoder for EffectDecoder {
    type Row = Effect;

    fn decode(&mut self, row: &mut Reader<'_>) -> Load<Effect> {
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
