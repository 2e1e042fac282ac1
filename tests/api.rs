//! The HTTP API as its clients see it: every route, every problem, bad input, and real work.

#[path = "api/house.rs"]
mod house;

#[path = "api/access.rs"]
mod access;
#[path = "api/actions.rs"]
mod actions;
#[path = "api/document.rs"]
mod document;
#[path = "api/effects.rs"]
mod effects;
#[path = "api/executions.rs"]
mod executions;
#[path = "api/explain.rs"]
mod explain;
#[path = "api/health.rs"]
mod health;
#[path = "api/input.rs"]
mod input;
#[path = "api/network.rs"]
mod network;
#[path = "api/parked.rs"]
mod parked;
#[path = "api/schedules.rs"]
mod schedules;
#[path = "api/stream.rs"]
mod stream;
#[path = "api/workflow.rs"]
mod workflow;
