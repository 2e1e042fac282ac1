//! The words that stories use.

pub(crate) use serde_json::json;
pub(crate) use steadfast_core::effect::{Effect, EffectInput, EffectState, Trigger};
pub(crate) use steadfast_core::execution::Cause;
pub(crate) use steadfast_core::queue::LimitOverride;
pub(crate) use steadfast_core::worker::WorkerState;
pub(crate) use steadfast_core::{ExecutionId, Status, Transport};
pub(crate) use steadfast_services::port::Counter;
pub(crate) use steadfast_services::service::control::QueueChange;
pub(crate) use steadfast_sim::{
    Deployment, Event, Node, Peer, Strike, World, began, began_step, begin, call, commit,
    committed, delivery, ended, finished, is, kinds, load, publish, settle, struck, worker_is,
    write,
};

pub(crate) use crate::Scenario;
pub(crate) use crate::stage::{DRIFT, LEASE, SWEEP, Stage, in_turn, ms, one_of, secs, takes};
