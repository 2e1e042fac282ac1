//! Runs an action as a process of its own and says how it ended.
//!
//! [`Runner::run`] takes one [`Invocation`] and returns one [`Outcome`]; it never retries and knows
//! neither queues nor stores. What it promises:
//!
//! * the process sees `PATH HOME LANG TZ TMPDIR`, the `STEADFAST_*` variables and its parameters,
//!   and nothing else of the engine's environment;
//! * it leads a process group. When the leader has exited, the action is over: output that is
//!   still on its way is read for [`DRAIN`] at most, then what is left of the group is killed;
//! * a timeout or a cancel sends SIGTERM to the group and SIGKILL after the grace period;
//! * when the engine dies, by `kill -9` too, a [`Guardian`] kills what it left behind, and a
//!   [`Witness`], if there is one, says so;
//! * output goes to a [`LogStore`] with the secrets taken out, in bounded memory.
//!
//! What it does not do: limit memory or processor time, or hide the file system. A process that
//! leaves its group (`setsid`) is found again by its environment at a timeout, a cancel and the
//! death of the engine, but is left alone when the action ends by itself.

mod chores;
mod environment;
mod guardian;
mod invocation;
mod logs;
mod outcome;
mod output;
mod parameters;
mod processes;
mod redact;
mod runner;
mod running;
mod start;
mod stream;
mod witness;

pub use environment::Environment;
pub use guardian::{Guardian, WitnessProgram};
pub use invocation::{Delivery, Interpreter, Invocation, OutputFormat, ParameterFormat};
pub use logs::{LogStore, LogStream};
pub use outcome::{Exit, Failure, Outcome};
pub use runner::{DRAIN, Runner, RunnerConfig};
pub use witness::Witness;
