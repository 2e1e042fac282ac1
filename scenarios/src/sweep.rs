//! One scenario, many seeds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use steadfast_sim::{Outcome, Settings, report};

use crate::{Scenario, Seeds};

/// A law that fell under some seed.
#[derive(Debug, Clone)]
pub struct Broken {
    /// The law's name.
    pub law: &'static str,
    /// The seed.
    pub seed: u64,
    /// The step at which it fell.
    pub step: u64,
}

/// What the runs of one scenario add up to.
#[derive(Debug, Default)]
pub struct Tally {
    /// How many seeds were run.
    pub seeds: u64,
    /// How many events all of them wrote.
    pub events: u64,
    /// How long the worlds lasted in all, in their own time.
    pub sim_time: Duration,
    /// How long their threads ran in all.
    pub wall: Duration,
    /// The laws that fell, by seed.
    pub broken: Vec<Broken>,
    /// How often each fault struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often each point was reached.
    pub coverage: BTreeMap<&'static str, u64>,
    /// How many events each law judged.
    pub judged: BTreeMap<&'static str, u64>,
    /// The report on the lowest seed that broke a law.
    pub first_report: Option<(u64, String)>,
}

impl Tally {
    fn add(&mut self, scenario: &Scenario, outcome: &Outcome) {
        self.seeds += 1;
        self.events += outcome.log.events().len() as u64;
        self.sim_time += outcome.sim_time;
        self.wall += outcome.wall;
        add_counts(&mut self.faults, outcome.fault_counts());
        add_counts(&mut self.coverage, outcome.coverage.clone());
        add_counts(&mut self.judged, outcome.judged.clone());
        let seed = outcome.seed;
        for violation in &outcome.violations {
            self.broken.push(Broken { law: violation.law.name(), seed, step: violation.step });
        }
        let is_lowest = self.first_report.as_ref().is_none_or(|(lowest, _)| seed < *lowest);
        if !outcome.held() && is_lowest {
            self.first_report = Some((seed, report(scenario.name, outcome)));
        }
    }

    /// The points of the scenario that no seed reached, and the laws that judged nothing.
    #[must_use]
    pub fn idle(&self, scenario: &Scenario) -> Vec<&'static str> {
        let unreached = scenario.covers.iter().filter(|point| !self.coverage.contains_key(*point));
        let unjudged = self.judged.iter().filter(|(_, count)| **count == 0).map(|(law, _)| law);
        unreached.chain(unjudged).copied().collect()
    }
}

fn add_counts(sums: &mut BTreeMap<&'static str, u64>, counts: BTreeMap<&'static str, u64>) {
    for (name, count) in counts {
        *sums.entry(name).or_default() += count;
    }
}

/// As many jobs as the machine has cores.
#[must_use]
pub fn jobs_by_default() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// Runs every seed of a range, `jobs` at a time. Which job runs a seed changes nothing about it.
#[must_use]
pub fn sweep(scenario: &Scenario, seeds: &Seeds, settings: &Settings, jobs: usize) -> Tally {
    sweep_and_tell(scenario, seeds, settings, jobs, &|_| {})
}

/// The same; what there is so far is told after each seed.
#[must_use]
pub fn sweep_and_tell(
    scenario: &Scenario,
    seeds: &Seeds,
    settings: &Settings,
    jobs: usize,
    tell: &(dyn Fn(&Tally) + Sync),
) -> Tally {
    let (next, tally) = (AtomicU64::new(0), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                loop {
                    let offset = next.fetch_add(1, Ordering::Relaxed);
                    if offset >= seeds.count() {
                        return;
                    }
                    let outcome = scenario.run(seeds.0.start + offset, settings);
                    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.add(scenario, &outcome);
                    tell(&tally);
                }
            });
        }
    });
    let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    tally.broken.sort_by_key(|broken| broken.seed);
    tally
}
