//! Loading a unit of work, as partially as a service does: some rows, the heads of their lines,
//! and a horizon beyond which nothing is known.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use core::ops::Range;

use serde_json::Value;

use super::Snapshot;
use crate::definition::Transport;
use crate::execution::Execution;
use crate::id::{ExecutionId, Order, QueueKey};
use crate::settings::Settings;
use crate::status::Status;
use crate::time::Timestamp;
use crate::unit::Unit;
use crate::workflow::{Facts, Need};

/// Under what terms a transaction decides.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The store's clock.
    pub now: Timestamp,
    /// The spans and bounds in force.
    pub settings: Settings,
    /// How new executions are carried.
    pub transport: Transport,
    /// The block of identities for new executions.
    pub fresh_ids: Range<u64>,
    /// Any number.
    pub entropy: u64,
}

/// What a transaction needs. Its workers are always loaded; so is the queue of every execution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Executions by identity.
    pub executions: BTreeSet<ExecutionId>,
    /// Executions by submit key.
    pub keys: BTreeSet<String>,
    /// Queues by key, whether they exist or not.
    pub queues: BTreeSet<QueueKey>,
    /// Runs: the execution, its run, its open visits, its ended unfolded children and, when it is
    /// ending or begins anew, those to be stopped.
    pub runs: BTreeSet<ExecutionId>,
    /// How many executions that are ready for a worker.
    pub ready: usize,
    /// How many heads of each loaded line.
    pub heads: usize,
    /// How many children of each run.
    pub children: usize,
    /// How many effects that are not over.
    pub effects: usize,
    /// Count holders in queues without a limit too: for whoever is about to set one.
    pub count_unlimited: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            executions: BTreeSet::new(),
            keys: BTreeSet::new(),
            queues: BTreeSet::new(),
            runs: BTreeSet::new(),
            ready: 0,
            heads: 1,
            children: usize::MAX,
            effects: 0,
            count_unlimited: false,
        }
    }
}

impl Wanted {
    /// Adds what `other` wants.
    pub fn merge(&mut self, other: Self) {
        self.executions.extend(other.executions);
        self.keys.extend(other.keys);
        self.queues.extend(other.queues);
        self.runs.extend(other.runs);
        self.ready = self.ready.max(other.ready);
        self.heads = self.heads.max(other.heads);
        self.children = self.children.min(other.children);
        self.effects = self.effects.max(other.effects);
        self.count_unlimited |= other.count_unlimited;
    }

    /// Adds what advancing a run turned out to need. Results and pages are facts and need no
    /// further rows.
    pub fn add(&mut self, need: &Need) {
        if let Need::Queues(queues) = need {
            self.queues.extend(queues.iter().cloned());
        }
    }
}

impl Snapshot {
    /// A unit of work with what is wanted.
    #[must_use]
    pub fn load(&self, terms: &Terms, wanted: &Wanted) -> Unit {
        let Terms { now, settings, transport, ref fresh_ids, entropy } = *terms;
        let mut unit = Unit::new(now, settings, transport, fresh_ids.clone(), entropy);
        self.workers.values().for_each(|worker| unit.workers.load(worker.clone()));
        let mut executions: BTreeMap<ExecutionId, &Execution> = BTreeMap::new();
        let mut add = |execution: &'_ Execution| {
            if let Some(row) = self.execution(execution.id) {
                executions.insert(row.id, row);
            }
        };
        wanted.executions.iter().filter_map(|id| self.execution(*id)).for_each(&mut add);
        let by_key = wanted.keys.iter().filter_map(|key| self.executions.submitted_with(key));
        by_key.for_each(&mut add);
        let ready = |e: &&Execution| e.status == Status::Ready && !e.is_workflow();
        self.executions.iter().filter(ready).take(wanted.ready).for_each(&mut add);
        for run in &wanted.runs {
            self.execution(*run).into_iter().for_each(&mut add);
            self.children_to_load(*run).take(wanted.children).for_each(&mut add);
            if let Some(row) = self.runs.get(run) {
                unit.runs.load(row.clone());
            }
            let open = self.visits_of(*run).filter(|visit| visit.is_open());
            open.for_each(|visit| unit.visits.load(visit.clone()));
        }
        let open = self.effects.values().filter(|effect| !effect.state.is_over());
        open.take(wanted.effects).for_each(|effect| unit.effects.load(effect.clone()));
        let mut queues: BTreeSet<QueueKey> = wanted.queues.clone();
        queues.extend(executions.values().map(|execution| execution.queue.clone()));
        executions.into_values().for_each(|execution| unit.load_execution(execution.clone()));
        queues.iter().for_each(|queue| self.load_queue(&mut unit, queue, wanted));
        unit
    }

    fn load_queue(&self, unit: &mut Unit, key: &QueueKey, wanted: &Wanted) {
        unit.look_for_queue(key.clone());
        let Some(queue) = self.queues.get(key) else { return };
        let mut occupancy = self.occupancy(key);
        if queue.limit().is_none() && !wanted.count_unlimited {
            occupancy.holding = 0;
        }
        let mut last = None;
        for waiter in self.executions.line(key).take(wanted.heads) {
            last = waiter.order;
            unit.load_execution(waiter.clone());
        }
        if occupancy.waiting > wanted.heads as u64 {
            occupancy.horizon = last.or(Some(Order(0)));
        }
        unit.queues.load(queue.clone());
        unit.load_occupancy(key.clone(), occupancy);
    }

    /// The children that advancing a run is about: those that have ended and, when it is ending
    /// or begins anew, those that are left to be stopped.
    fn children_to_load(&self, run: ExecutionId) -> impl Iterator<Item = &Execution> {
        let ending = self.execution(run).is_some_and(|execution| {
            execution.cancel_requested || execution.status != Status::Running
        });
        let wanted = move |e: &&Execution| {
            e.awaits_folding() || (ending && !e.status.is_terminal() && !e.cancel_requested)
        };
        self.executions.children(run).filter(wanted)
    }

    /// What advancing a run is told beside its rows: the least, and what `needs` asks for.
    #[must_use]
    pub fn facts(&self, unit: &Unit, run: ExecutionId, needs: &[Need]) -> Facts {
        let mut facts = Facts {
            parameters: self.parameters.get(&run).cloned().unwrap_or(Value::Null).into(),
            ..Facts::default()
        };
        for child in self.children_to_load(run) {
            if unit.execution(child.id).is_none() {
                facts.more_children = true;
            } else if let Some(error) = self.results.get(&child.id).and_then(|r| r.error.clone()) {
                facts.errors.insert(child.id, error);
            }
        }
        for need in needs {
            match need {
                Need::Results(visits) => {
                    let found = visits.iter().filter_map(|key| Some((key, self.result_of(key)?)));
                    facts.results.extend(found.map(|(key, result)| (key.clone(), result)));
                }
                Need::Items(visit, page) => {
                    let key = (visit.clone(), *page);
                    if let Some(items) = self.items.get(&key) {
                        facts.items.insert(key, items.clone());
                    }
                }
                Need::Queues(_) => {}
            }
        }
        facts
    }
}
