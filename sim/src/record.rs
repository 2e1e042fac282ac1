//! The record of a run in progress: the log, and everything that watches it.

use std::collections::BTreeMap;
use std::time::Duration;

use steadfast_core::law::{Check, LAWS};
use steadfast_services::port::Counter;

use crate::law::WorldLaw;
use crate::{Checker, EventLog, Kind, Law, Node, Outcome, Settings, SimTime, Violation};

/// What a world writes while it runs. Once closed, it takes nothing more.
pub(crate) struct Record {
    pub(crate) log: EventLog,
    drawn: Vec<(&'static str, String)>,
    checkers: Vec<Box<dyn Checker>>,
    judged: BTreeMap<&'static str, u64>,
    violations: Vec<Violation>,
    faults: Vec<(SimTime, &'static str, Node)>,
    coverage: BTreeMap<&'static str, u64>,
    commits: u64,
    counters: BTreeMap<Counter, u64>,
    last_step: Option<u64>,
    events_max: u64,
    closed_at: Option<SimTime>,
}

impl Record {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            log: EventLog::new(),
            drawn: Vec::new(),
            checkers: Vec::new(),
            judged: BTreeMap::new(),
            violations: Vec::new(),
            faults: Vec::new(),
            coverage: BTreeMap::new(),
            commits: 0,
            counters: BTreeMap::new(),
            last_step: settings.until,
            events_max: settings.events_max,
            closed_at: None,
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed_at.is_some()
    }

    pub(crate) fn has_held(&self) -> bool {
        self.violations.is_empty()
    }

    /// Takes nothing more from now on.
    pub(crate) fn close(&mut self, at: SimTime) {
        self.closed_at.get_or_insert(at);
    }

    /// Writes one event and lets every law judge it.
    pub(crate) fn write(&mut self, at: SimTime, node: Node, kind: &'static Kind, words: &[u64]) {
        if self.is_closed() {
            return;
        }
        let event = self.log.push(at, node, kind, words);
        let mut fallen = None;
        for checker in &mut self.checkers {
            *self.judged.entry(checker.law().name()).or_default() += 1;
            if let Err(detail) = checker.step(&event) {
                fallen = Some((checker.law(), detail));
                break;
            }
        }
        if let Some((law, detail)) = fallen {
            self.violate(at, law, detail);
        } else if event.index + 1 >= self.events_max {
            let detail = format!("{} events, and no end of it", self.events_max);
            self.violate(at, WorldLaw::Finishes.into(), detail);
        } else if self.last_step == Some(event.index) {
            self.close(at);
        }
    }

    /// Asks every law to judge the whole, in a world that is still up.
    pub(crate) fn end(&mut self, at: SimTime) {
        let verdicts: Vec<_> = (self.checkers.iter_mut())
            .filter_map(|checker| checker.end().err().map(|detail| (checker.law(), detail)))
            .collect();
        if let Some((law, detail)) = verdicts.into_iter().next() {
            self.violate(at, law, detail);
        }
        self.close(at);
    }

    /// Notes that a law fell, and closes. Only the first fall counts: after it the world is no
    /// longer one that the laws speak about.
    pub(crate) fn violate(&mut self, at: SimTime, law: Law, detail: String) {
        if !self.is_closed() {
            self.accuse(at, law, detail);
            self.close(at);
        }
    }

    /// Notes that a law fell, even after the end. For what only shows when the world is gone.
    pub(crate) fn accuse(&mut self, at: SimTime, law: Law, detail: String) {
        let step = (self.log.events().len() as u64).saturating_sub(1);
        self.violations.push(Violation { law, step, at, detail });
    }

    pub(crate) fn watch(&mut self, checker: Box<dyn Checker>) {
        self.judged.entry(checker.law().name()).or_default();
        self.checkers.push(checker);
    }

    pub(crate) fn drew(&mut self, name: &'static str, value: String) {
        self.drawn.push((name, value));
    }

    /// Counts that a law judged something.
    pub(crate) fn judged(&mut self, law: Law, times: u64) {
        *self.judged.entry(law.name()).or_default() += times;
    }

    /// Counts something that services count.
    pub(crate) fn count(&mut self, counter: Counter, by: u64) {
        *self.counters.entry(counter).or_default() += by;
    }

    /// How often services have counted this.
    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(&counter).copied().unwrap_or(0)
    }

    /// Counts that every law that is judged at a commit judged one more.
    pub(crate) fn judged_commit(&mut self) {
        self.commits += 1;
    }

    pub(crate) fn cover(&mut self, point: &'static str) {
        if !self.is_closed() {
            *self.coverage.entry(point).or_default() += 1;
        }
    }

    pub(crate) fn strike(&mut self, at: SimTime, fault: &'static str, node: Node) {
        if !self.is_closed() {
            self.faults.push((at, fault, node));
        }
    }

    /// The last time that is known: of the close, or of the last event when a panic came first.
    pub(crate) fn last_known_time(&self) -> SimTime {
        let last = self.log.events().last().map(|event| event.at);
        self.closed_at.or(last).unwrap_or_default()
    }

    /// How often each law judged something; those that judge commits judged every one.
    fn all_judged(&mut self) -> BTreeMap<&'static str, u64> {
        let mut judged = std::mem::take(&mut self.judged);
        for (id, check) in LAWS {
            let times = if matches!(check, Check::History(_)) { 1 } else { self.commits };
            *judged.entry(id.name()).or_default() += times;
        }
        judged
    }

    /// Takes out what the record knows; the world adds what it knows itself.
    pub(crate) fn outcome(&mut self, seed: u64, wall: Duration) -> Outcome {
        Outcome {
            seed,
            sim_time: self.last_known_time().into(),
            wall,
            log: std::mem::replace(&mut self.log, EventLog::new()),
            drawn: std::mem::take(&mut self.drawn),
            planted: None,
            transport: None,
            journal: None,
            plan: None,
            is_case: false,
            struck: Vec::new(),
            unmatched: Vec::new(),
            subjects: BTreeMap::new(),
            violations: std::mem::take(&mut self.violations),
            faults: std::mem::take(&mut self.faults),
            coverage: std::mem::take(&mut self.coverage),
            judged: self.all_judged(),
        }
    }
}
