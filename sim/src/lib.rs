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

mod claimer;
mod claims;
mod event;
mod fault;
mod hash;
mod law;
mod log;
mod mutant;
mod outcome;
mod process;
mod record;
mod report;
mod run;
mod stream;
mod sync;
mod time;
mod world;

pub use claimer::claimer;
pub use claims::{ClaimStore, Held, NoAnswer, Taking};
pub use event::{Event, Kind, Node, PAYLOAD_WORDS, kinds};
pub use fault::Fault;
pub use hash::Digest;
pub use law::{Checker, LAWS, Law, OneWinnerPerToken, laws};
pub use log::EventLog;
pub use mutant::{MUTANTS, Mutant};
pub use outcome::{Outcome, Violation};
pub use process::Process;
pub use report::{log_line, replay_command, report};
pub use run::{Settings, run_seed};
pub use stream::Stream;
pub use time::SimTime;
pub use world::World;
