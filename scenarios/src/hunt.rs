//! Hunting planted bugs: a checker that nothing trips does not count, so each known bug is planted
//! in turn, and seeds are run until the law falls that is there to catch it.

mod grounds;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use steadfast_core::catalogue::Mutant;
use steadfast_sim::{Law, Outcome, Settings};

use crate::Scenario;

pub use grounds::{GROUNDS, SHARP, ground_of};

/// What became of one planted bug.
#[derive(Debug, Clone)]
pub struct Hunt {
    /// The bug.
    pub mutant: &'static Mutant,
    /// Where it was planted.
    pub scenario: &'static Scenario,
    /// The law that caught it and the first seed that did, if any did.
    pub caught: Option<(Law, u64)>,
    /// Laws that fell under earlier seeds and do not count, with their first seed.
    pub strays: BTreeMap<Law, u64>,
    /// How many seeds it took, or were spent.
    pub seeds: u64,
}

/// What has been found so far.
#[derive(Default)]
struct Found {
    caught: Option<(u64, Law)>,
    strays: BTreeMap<Law, u64>,
}

impl Found {
    fn add(&mut self, mutant: &Mutant, outcome: &Outcome) {
        let seed = outcome.seed;
        for law in outcome.violations.iter().map(|violation| violation.law) {
            if matches!(law, Law::Engine(id) if mutant.is_caught_by(id)) {
                let first = self.caught.is_none_or(|(earliest, _)| seed < earliest);
                self.caught = if first { Some((seed, law)) } else { self.caught };
            } else {
                let earliest = self.strays.entry(law).or_insert(seed);
                *earliest = seed.min(*earliest);
            }
        }
    }

    /// Whether a seed can still make a difference.
    fn wants(&self, seed: u64) -> bool {
        self.caught.is_none_or(|(earliest, _)| seed < earliest)
    }
}

/// Plants a bug and runs the seeds from 0, `jobs` at a time, until one catches it. Which job runs a
/// seed changes nothing about the answer: it is the lowest seed that does.
#[must_use]
pub fn hunt(mutant: &'static Mutant, most: u64, jobs: usize) -> Hunt {
    let scenario = ground_of(mutant.name);
    let settings = Settings { planted: Some(mutant.name), ..Settings::default() };
    let (next, found) = (AtomicU64::new(0), Mutex::new(Found::default()));
    let look = || found.lock().unwrap_or_else(PoisonError::into_inner);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= most || !look().wants(seed) {
                        return;
                    }
                    let outcome = scenario.run(seed, &settings);
                    look().add(mutant, &outcome);
                }
            });
        }
    });
    let Found { caught, mut strays } = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((end, _)) = caught {
        strays.retain(|_, seed| *seed < end);
    }
    let seeds = caught.map_or(most, |(seed, _)| seed + 1);
    Hunt { mutant, scenario, caught: caught.map(|(seed, law)| (law, seed)), strays, seeds }
}
