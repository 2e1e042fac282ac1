//! Making the case behind a failing seed smaller, while the same law falls.
//!
//! This is delta debugging: leave something out, run again, keep what still fails. Whole kinds of
//! faults go first, then halves, then single ones. A run is cheap, so nothing is guessed; what a
//! candidate does is always seen.

mod search;

use std::sync::Arc;
use std::time::Duration;

use steadfast_sim::{Case, Outcome, Settings};

use crate::{Scenario, jobs_by_default};
use search::Search;

/// What shrinking may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The most runs.
    pub runs: u64,
    /// The most wall time.
    pub wall: Duration,
    /// How many runs at once.
    pub jobs: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 20_000, wall: Duration::from_secs(45), jobs: jobs_by_default() }
    }
}

/// How large a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Strikes and disturbances.
    pub faults: usize,
    /// Submissions.
    pub items: usize,
    /// Nodes of the fleet.
    pub nodes: u32,
    /// Events until the law fell.
    pub events: usize,
}

impl Size {
    fn of(case: &Case, outcome: &Outcome) -> Self {
        let plan = case.plan.as_ref();
        let nodes = |fleet: &steadfast_sim::FleetPlan| fleet.executors + fleet.workers + fleet.apis;
        Self {
            faults: case.faults(),
            items: plan.map_or(0, |plan| plan.workload.len()),
            nodes: plan.map_or(0, |plan| nodes(&plan.fleet)),
            events: outcome.log.events().len(),
        }
    }
}

/// A case that has been made smaller.
#[derive(Debug)]
pub struct Shrunk {
    /// The smallest that was found.
    pub case: Case,
    /// What happens in it.
    pub outcome: Outcome,
    /// How large it was.
    pub before: Size,
    /// How large it is.
    pub after: Size,
    /// How many runs that took.
    pub runs: u64,
}

/// Why nothing can be shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unshrinkable {
    /// Every law holds.
    Holds,
    /// The law that fell under the seed does not fall when the same is done as a case.
    Elusive,
}

/// Looks for the smallest case that breaks the law which falls under `seed`.
///
/// # Errors
/// If no law falls, or not again.
pub fn shrink(
    scenario: &Scenario,
    seed: u64,
    settings: &Settings,
    budget: Budget,
) -> Result<Shrunk, Unshrinkable> {
    let drawn = scenario.run(seed, settings);
    let law = drawn.violations.first().ok_or(Unshrinkable::Holds)?.law;
    let whole = Case::of(scenario.name, &drawn, law);
    let before = Size::of(&whole, &drawn);
    let mut search = Search::new(scenario, settings, law, &drawn, budget);
    if !search.begin(whole) {
        return Err(Unshrinkable::Elusive);
    }
    search.run();
    let runs = search.runs();
    for case in search.into_found() {
        // The bounds of the search were tighter than those of a replay.
        let again = Settings { case: Some(Arc::new(case.clone())), ..settings.clone() };
        let outcome = scenario.run(case.seed, &again);
        if outcome.violations.first().is_some_and(|violation| violation.law == law) {
            let after = Size::of(&case, &outcome);
            return Ok(Shrunk { case, outcome, before, after, runs });
        }
    }
    Err(Unshrinkable::Elusive)
}
