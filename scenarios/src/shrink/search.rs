//! The search for a smaller case.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use steadfast_sim::{
    Case, Disturb, Disturbance, Item, Law, Outcome, Plan, STRIKES, Settings, Storm, Struck,
    wall_clock,
};

use super::Budget;
use crate::Scenario;

/// How many other seeds of the scheduler are tried in the end, when one alone does no more.
const OTHERS: u64 = 3;
/// What a candidate may take beyond twice the original, in simulated time and in events.
const MORE_TIME: Duration = Duration::from_secs(60);
const MORE_EVENTS: u64 = 5_000;

/// A case under which the law falls, and when it does, in milliseconds.
type Found = (Case, u64);

/// What is known so far.
pub(super) struct Search<'a> {
    scenario: &'a Scenario,
    settings: Settings,
    law: Law,
    whole: Option<Case>,
    best: Option<Case>,
    /// When the law fell in the best case, in milliseconds.
    fell_ms: u64,
    runs: AtomicU64,
    budget: Budget,
    begun: Instant,
    /// How many other seeds each candidate is tried under.
    others: u64,
}

/// A list within a case that can be thinned out.
struct List<T> {
    of: fn(&Case) -> Vec<T>,
    put: fn(&mut Case, Vec<T>),
}

const STRUCK: List<Struck> =
    List { of: |case| case.strikes.clone(), put: |case, strikes| case.strikes = strikes };
const STORMS: List<Storm> = List {
    of: |case| case.plan.as_ref().map_or_else(Vec::new, |plan| plan.storms.clone()),
    put: |case, storms| in_plan(case, |plan| plan.storms = storms),
};
const DISTURBED: List<Disturbance> = List {
    of: |case| case.plan.as_ref().map_or_else(Vec::new, |plan| plan.disturbances.clone()),
    put: |case, disturbances| in_plan(case, |plan| plan.disturbances = disturbances),
};
const ITEMS: List<Item> = List {
    of: |case| case.plan.as_ref().map_or_else(Vec::new, |plan| plan.workload.clone()),
    put: |case, items| in_plan(case, |plan| plan.workload = items),
};

fn in_plan(case: &mut Case, change: impl FnOnce(&mut Plan)) {
    if let Some(plan) = &mut case.plan {
        change(plan);
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        settings: &Settings,
        law: Law,
        drawn: &Outcome,
        budget: Budget,
    ) -> Self {
        // A candidate that lasts far longer than the original is no smaller.
        let events = drawn.log.events().len() as u64;
        let settings = Settings {
            events_max: settings.events_max.min(events.saturating_mul(2) + MORE_EVENTS),
            sim_time_max: settings.sim_time_max.min(drawn.sim_time * 2 + MORE_TIME),
            wall_max: settings.wall_max.min(Duration::from_secs(10)),
            ..settings.clone()
        };
        Self {
            scenario,
            settings,
            law,
            whole: None,
            best: None,
            fell_ms: 0,
            runs: AtomicU64::new(0),
            budget,
            begun: wall_clock(),
            others: 0,
        }
    }

    pub(super) fn runs(&self) -> u64 {
        self.runs.load(Ordering::Relaxed)
    }

    /// What was found, the smallest first.
    pub(super) fn into_found(self) -> impl Iterator<Item = Case> {
        self.best.into_iter().chain(self.whole)
    }

    /// Whether the law falls when everything is done as the seed drew it.
    pub(super) fn begin(&mut self, whole: Case) -> bool {
        self.whole = Some(whole.clone());
        if self.fails(&whole) {
            return true;
        }
        // It may be that only the tighter bounds of the search hide it.
        self.settings.sim_time_max = Settings::default().sim_time_max;
        self.settings.events_max = Settings::default().events_max;
        self.fails(&whole)
    }

    /// Makes the case smaller until nothing more can be left out, or the budget is spent.
    pub(super) fn run(&mut self) {
        self.cut_what_came_later();
        self.leave_out(&STORMS, |_| true);
        loop {
            let before = self.best.clone();
            self.cut_families();
            self.thin(&ITEMS, 4);
            self.thin(&STRUCK, 1);
            self.thin(&DISTURBED, 1);
            self.thin(&ITEMS, 1);
            self.thin(&STORMS, 1);
            self.shrink_fleet();
            self.simplify();
            let is_done = self.best == before;
            if self.is_spent() {
                return;
            }
            if is_done {
                if self.others > 0 {
                    return;
                }
                // What is left may need the scheduler's help to be left out.
                self.others = OTHERS;
            }
        }
    }

    fn is_spent(&self) -> bool {
        self.runs() >= self.budget.runs
            || wall_clock().duration_since(self.begun) >= self.budget.wall
    }

    /// Runs a candidate. If the law still falls, it is the best from now on.
    fn fails(&mut self, candidate: &Case) -> bool {
        let found = self.probe(candidate);
        found.is_some_and(|found| self.accept(found))
    }

    fn accept(&mut self, (case, fell_ms): Found) -> bool {
        (self.best, self.fell_ms) = (Some(case), fell_ms);
        true
    }

    /// The first of some candidates under which the law falls. They run at once; that changes
    /// nothing but the time, because the first counts and not the fastest.
    fn first_of(&self, candidates: &[Case]) -> Option<(usize, Found)> {
        let found: Vec<Option<Found>> = thread::scope(|scope| {
            let runs = candidates.iter().map(|case| scope.spawn(|| self.probe(case)));
            let runs: Vec<_> = runs.collect();
            runs.into_iter().map(|run| run.join().ok().flatten()).collect()
        });
        found.into_iter().enumerate().find_map(|(nth, found)| Some((nth, found?)))
    }

    /// Runs a candidate, under a few seeds if one alone was not enough. Answers with what was
    /// really done if the law fell, and when it fell.
    fn probe(&self, candidate: &Case) -> Option<Found> {
        for other in 0..=self.others {
            if self.is_spent() {
                return None;
            }
            self.runs.fetch_add(1, Ordering::Relaxed);
            let mut case = candidate.clone();
            case.seed = case.seed.wrapping_add(other);
            let settings = Settings { case: Some(Arc::new(case.clone())), ..self.settings.clone() };
            let outcome = self.scenario.run(case.seed, &settings);
            let fallen = outcome.violations.first();
            if let Some(violation) = fallen.filter(|violation| violation.law == self.law) {
                // What was never reached did nothing.
                case.strikes = outcome.struck;
                return Some((case, violation.at.as_nanos() / 1_000_000));
            }
        }
        None
    }

    /// Tries the best case with a change.
    fn attempt(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let Some(best) = &self.best else { return false };
        let mut candidate = best.clone();
        change(&mut candidate);
        candidate != *best && self.fails(&candidate)
    }

    fn list<T>(&self, list: &List<T>) -> Vec<T> {
        self.best.as_ref().map_or_else(Vec::new, list.of)
    }

    fn cut_what_came_later(&mut self) {
        let end = self.fell_ms + 1;
        self.leave_out(&DISTURBED, |disturbance| disturbance.at_ms > end);
        self.leave_out(&ITEMS, |item| item.at_ms > end);
    }

    fn leave_out<T>(&mut self, list: &List<T>, which: impl Fn(&T) -> bool) -> bool {
        let rest: Vec<T> = self.list(list).into_iter().filter(|one| !which(one)).collect();
        self.attempt(|case| (list.put)(case, rest))
    }

    /// All faults at once, then all of one kind.
    fn cut_families(&mut self) {
        if self.leave_out(&STRUCK, |_| true) {
            return self.cut_disturbances();
        }
        for strike in STRIKES {
            self.leave_out(&STRUCK, |struck| struck.strike == *strike);
        }
        self.cut_disturbances();
    }

    fn cut_disturbances(&mut self) {
        if self.leave_out(&DISTURBED, |_| true) {
            return;
        }
        let kinds: Vec<_> =
            self.list(&DISTURBED).iter().map(|one| std::mem::discriminant(&one.what)).collect();
        for (nth, kind) in kinds.iter().enumerate() {
            if !kinds[..nth].contains(kind) {
                let is_it = |what: &Disturb| std::mem::discriminant(what) == *kind;
                self.leave_out(&DISTURBED, |one| is_it(&one.what));
            }
        }
    }

    /// Leaves out halves, quarters and so on, down to `smallest` at a time.
    fn thin<T: Clone>(&mut self, list: &List<T>, smallest: usize) {
        let mut width = self.list(list).len();
        while width >= smallest && width > 0 {
            let mut at = 0;
            loop {
                let all = self.list(list);
                if at >= all.len() || self.is_spent() {
                    break;
                }
                let Some(best) = &self.best else { return };
                let starts: Vec<usize> =
                    (at..all.len()).step_by(width).take(self.budget.jobs.max(1)).collect();
                let without = |start: &usize| {
                    let end = (start + width).min(all.len());
                    let mut case = best.clone();
                    let rest = all[..*start].iter().chain(&all[end..]).cloned().collect();
                    (list.put)(&mut case, rest);
                    case
                };
                let candidates: Vec<Case> = starts.iter().map(without).collect();
                match self.first_of(&candidates) {
                    Some((nth, found)) => {
                        at = starts[nth];
                        self.accept(found);
                    }
                    None => at += width * starts.len(),
                }
            }
            width /= 2;
        }
    }

    /// Fewer nodes, the fewest first.
    fn shrink_fleet(&mut self) {
        let counts: [fn(&mut Plan) -> &mut u32; 4] = [
            |plan| &mut plan.fleet.workers,
            |plan| &mut plan.fleet.executors,
            |plan| &mut plan.fleet.apis,
            |plan| &mut plan.fleet.capacity,
        ];
        for count in counts {
            let Some(mut plan) = self.best.as_ref().and_then(|case| case.plan.clone()) else {
                return;
            };
            for fewer in 1..*count(&mut plan) {
                if self.attempt(|case| in_plan(case, |plan| *count(plan) = fewer)) {
                    break;
                }
            }
        }
    }

    /// Simpler parameters, where they do not matter.
    fn simplify(&mut self) {
        let end = self.fell_ms + 1;
        self.attempt(|case| in_plan(case, |plan| plan.first_act_ms = plan.first_act_ms.min(end)));
        self.attempt(|case| in_plan(case, |plan| plan.first_act_ms /= 2));
        self.attempt(|case| in_plan(case, |plan| plan.fleet.delay_max_us = 0));
        self.attempt(|case| in_plan(case, |plan| plan.fleet.batch_size = 1));
        for nth in 0..self.list(&ITEMS).len() {
            self.attempt(|case| in_plan(case, |plan| plan.workload[nth].cancel_after_ms = None));
            self.attempt(|case| in_plan(case, |plan| plan.workload[nth].at_ms = 0));
        }
    }
}
