//! Steadfast: a workflow and queue engine that dispatches each piece of work once and never leaves
//! a slot stuck.
//!
//! Embed it with [`Engine::builder`]: register async functions as actions, load packs of scripts and
//! workflows beside them, and submit work. The `steadfast` binary is made of the same parts.
#![forbid(unsafe_code)]

pub mod api;
pub mod effects;
pub mod engine;
pub mod explain;
pub mod handler;
pub mod metrics;

pub use effects::{EffectOptions, EffectProblem, Webhook};
pub use engine::{
    AnyStore, Data, Durability, Engine, EngineBuilder, EngineError, JournalOptions, OpenError,
    Options, Request, Roles, Servers, Witness, WitnessProgram, bear_witness,
};
pub use handler::{Context, HandlerError};
pub use steadfast_core as core;
pub use steadfast_packs as packs;
pub use steadfast_postgres as postgres;
pub use steadfast_rabbitmq as rabbitmq;
pub use steadfast_services::service::schedule::Order as ScheduleOrder;
