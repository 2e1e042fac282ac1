//! One process, one seed, a whole deployment.
//!
//! A run is a function of its seed: [`run_seed`] takes a fresh thread, gives the story a
//! [`World`], and answers with an [`Outcome`] that holds every event, the laws that fell and a
//! hash to compare with another run of the same seed. This is how it repeats:
//!
//! - **Time** is madsim's. Nothing here reads a wall clock except the watchdog, which only ever
//!   ends a run, never steers one.
//! - **Chance** comes from named streams of one seed ([`Stream`]). A stream of its own for each
//!   concern means that taking one fault away moves nothing else.
//! - **Death** is two steps. A killed node's destructors still run in madsim, where a real crash
//!   runs none; so each life of a node has an incarnation number, raised before the kill, and
//!   whatever the node touches refuses a call from a former life ([`Process`]).
//!
//! No other package of the workspace names madsim.

mod about;
mod actions;
mod acts;
mod broker;
mod case;
mod cells;
mod chance;
mod chores;
mod database;
mod deployment;
mod env;
mod event;
mod fact;
mod fault;
mod hang;
mod hash;
mod journals;
mod law;
mod ledger;
mod library;
mod liveness;
mod log;
mod outcome;
mod physical;
mod plan;
mod process;
mod promises;
mod receiver;
mod record;
mod report;
mod run;
pub mod stage;
mod story;
mod stream;
mod sync;
mod time;
mod watched;
mod witness;
mod world;

pub use about::about;
pub use actions::SimRunner;
pub use broker::{SimBroker, SimSubscription};
pub use case::{Case, CaseError};
pub use cells::cells;
pub use chance::{Occasion, Point, Site, Struck};
pub use database::{SimStore, SimTransaction};
pub use deployment::{Deployment, Fleet};
pub use env::{SimEnv, Terms};
pub use event::{Event, Kind, Node, PAYLOAD_WORDS, WORD_FIELDS, kinds, word_table};
pub use fact::{
    Fact, began, began_step, claimed, committed, ended, finished, is, restarted, struck, worker_is,
};
pub use fault::{FAMILIES, FAULTS, Family, Fault, STRIKES, Strike};
pub use hash::Digest;
pub use law::{Checker, Law, WorldLaw};
pub use ledger::Ledger;
pub use library::Library;
pub use liveness::Watch;
pub use log::EventLog;
pub use outcome::{Outcome, Subject, Violation};
pub use plan::{BrokerPlan, Disturb, Disturbance, FleetPlan, Item, Plan, Recurring, Storm};
pub use process::{Peer, Process};
pub use receiver::SimCourier;
pub use report::{Report, log_line, replay_command, report};
pub use run::{Settings, run_seed, wall_clock};
pub use story::{Expectation, begin, call, commit, delivery, load, publish, settle, write};
pub use stream::Stream;
pub use time::SimTime;
pub use world::World;
