//! The executions, found by more than their identity.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use crate::execution::Execution;
use crate::id::{ExecutionId, ItemKey, Order, QueueKey, TaskKey};
use crate::status::Status;

/// All executions, with the indexes that a store has for them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executions {
    rows: BTreeMap<ExecutionId, Execution>,
    keys: BTreeMap<String, ExecutionId>,
    places: BTreeMap<ItemKey, ExecutionId>,
    lines: BTreeMap<QueueKey, BTreeSet<(Option<Order>, ExecutionId)>>,
    holders: BTreeMap<QueueKey, BTreeSet<ExecutionId>>,
}

impl Executions {
    /// The execution with this identity.
    #[must_use]
    pub fn get(&self, id: ExecutionId) -> Option<&Execution> {
        self.rows.get(&id)
    }

    /// All of them, by identity.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Execution> {
        self.rows.values()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The one submitted with this key.
    #[must_use]
    pub fn submitted_with(&self, key: &str) -> Option<&Execution> {
        self.keys.get(key).and_then(|id| self.get(*id))
    }

    /// The one at this place of a run.
    #[must_use]
    pub fn at(&self, place: &ItemKey) -> Option<&Execution> {
        self.places.get(place).and_then(|id| self.get(*id))
    }

    /// The children of a run, of all its attempts.
    pub fn children(&self, run: ExecutionId) -> impl Iterator<Item = &Execution> {
        let first = TaskKey { run, task: "".into(), occurrence: 0 };
        let from = ItemKey { task: first, index: None };
        let places = self.places.range(from..).take_while(move |(place, _)| place.task.run == run);
        places.filter_map(|(_, id)| self.get(*id))
    }

    /// The executions of a visit, in item order.
    pub fn items(&self, visit: &TaskKey) -> impl Iterator<Item = &Execution> {
        let from = ItemKey { task: visit.clone(), index: None };
        let to = ItemKey { task: visit.clone(), index: Some(u32::MAX) };
        self.places.range(from..=to).filter_map(|(_, id)| self.get(*id))
    }

    /// Who waits in a queue, first in line first.
    pub fn line(&self, queue: &QueueKey) -> impl Iterator<Item = &Execution> {
        self.lines.get(queue).into_iter().flatten().filter_map(|(_, id)| self.get(*id))
    }

    /// Who holds a slot of a queue.
    pub fn holders(&self, queue: &QueueKey) -> impl Iterator<Item = &Execution> {
        self.holders.get(queue).into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// Puts a row there as it is, whatever was there before, and checks nothing.
    pub fn put(&mut self, execution: Execution) {
        if let Some(before) = self.rows.remove(&execution.id) {
            self.forget(&before);
        }
        let id = execution.id;
        if let Some(idempotency) = &execution.idempotency {
            self.keys.insert(idempotency.key.clone(), id);
        }
        if let Some(place) = &execution.place {
            self.places.insert(place.clone(), id);
        }
        if execution.status == Status::Queued {
            let line = self.lines.entry(execution.queue.clone()).or_default();
            line.insert((execution.order, id));
        }
        if execution.status.holds_slot() {
            self.holders.entry(execution.queue.clone()).or_default().insert(id);
        }
        self.rows.insert(id, execution);
    }

    fn forget(&mut self, before: &Execution) {
        if let Some(idempotency) = &before.idempotency {
            self.keys.remove(&idempotency.key);
        }
        if let Some(place) = &before.place {
            self.places.remove(place);
        }
        if let Some(line) = self.lines.get_mut(&before.queue) {
            line.remove(&(before.order, before.id));
            if line.is_empty() {
                self.lines.remove(&before.queue);
            }
        }
        if let Some(holders) = self.holders.get_mut(&before.queue) {
            holders.remove(&before.id);
            if holders.is_empty() {
                self.holders.remove(&before.queue);
            }
        }
    }
}
