//! Fault stories: who suffers, what must hold, and a seed that shows it.
//!
//! One file per story. A story uses the [`World`] and the words of the domain; it never sleeps
//! for luck but waits for a fact or lets a named span pass, and it ends in an expectation.
//! [`SCENARIOS`] is the table of contents.

mod library;
mod meta;
mod seeds;
mod shrink;
mod swarm;
mod sweep;
mod timeline;

use std::future::Future;
use std::pin::Pin;

use steadfast_sim::{Outcome, Settings, World, run_seed};

pub use library::library;
pub use meta::{BACKWARDS, Difference, PASS, TELL, compare, pass};
pub use seeds::{SEEDS_VARIABLE, Seeds, parse_seed};
pub use shrink::{Budget, Shrunk, Size, Unshrinkable, shrink};
pub use sweep::{Broken, Tally, jobs_by_default, sweep, sweep_and_tell};
pub use timeline::timeline;

/// A story in the act of being told. It stays on the thread of its seed.
pub type Telling = Pin<Box<dyn Future<Output = ()>>>;

/// A fault story.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name, in `[a-z0-9_]+`.
    pub name: &'static str,
    /// Who suffers, and what must hold.
    pub story: &'static str,
    /// The points that it hopes to reach; each must be reached by some seed of the usual range,
    /// or the story no longer tells what it says.
    pub covers: &'static [&'static str],
    /// Tells it.
    pub tell: fn(World) -> Telling,
}

impl Scenario {
    /// Tells the story in the world of `seed`.
    #[must_use]
    pub fn run(&self, seed: u64, settings: &Settings) -> Outcome {
        run_seed(seed, settings, self.tell)
    }

    /// The scenario called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }
}

/// Every story.
pub static SCENARIOS: &[Scenario] = &[swarm::SCENARIO];
