//! The `steadfast` binary as its users meet it: what it prints where, and with which exit code it
//! ends. Every test starts the built binary.

#[path = "cli/actions.rs"]
mod actions;
#[path = "cli/client.rs"]
mod client;
#[path = "cli/data.rs"]
mod data;
#[path = "cli/deploy.rs"]
mod deploy;
#[path = "cli/doctor.rs"]
mod doctor;
#[path = "cli/input.rs"]
mod input;
#[path = "support/mod.rs"]
mod program;
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/support.rs"]
mod support;
