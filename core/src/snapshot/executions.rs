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
    places: BTreeSet<(ItemKey, ExecutionId)>,
    orders: Groups<(Order, ExecutionId)>,
    lines: Groups<(Option<Order>, ExecutionId)>,
    holders: Groups<ExecutionId>,
    statuses: BTreeSet<(Status, ExecutionId)>,
}

/// What belongs to each queue.
type Groups<T> = BTreeMap<QueueKey, BTreeSet<T>>;

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
        self.all_at(place).next()
    }

    /// All that are at this place of a run: one, unless something is very wrong.
    pub(crate) fn all_at(&self, place: &ItemKey) -> impl Iterator<Item = &Execution> {
        let (from, to) = ((place.clone(), MIN), (place.clone(), MAX));
        self.places.range(from..=to).filter_map(|(_, id)| self.get(*id))
    }

    /// All that have this place in the line of a queue: one, unless something is very wrong.
    pub(crate) fn at_order(
        &self,
        queue: &QueueKey,
        order: Order,
    ) -> impl Iterator<Item = ExecutionId> {
        let orders = self.orders.get(queue).into_iter();
        let at_it = orders.flat_map(move |orders| orders.range((order, MIN)..=(order, MAX)));
        at_it.map(|(_, id)| *id)
    }

    /// Those in a status, by identity.
    pub fn in_status(&self, status: Status) -> impl Iterator<Item = &Execution> {
        let ids = self.statuses.range((status, MIN)..=(status, MAX));
        ids.filter_map(|(_, id)| self.get(*id))
    }

    /// The children of a run, of all its attempts.
    pub fn children(&self, run: ExecutionId) -> impl Iterator<Item = &Execution> {
        let first = TaskKey { run, task: "".into(), occurrence: 0 };
        let from = ItemKey { task: first, index: None };
        let places =
            self.places.range((from, MIN)..).take_while(move |(place, _)| place.task.run == run);
        places.filter_map(|(_, id)| self.get(*id))
    }

    /// The executions of a visit, in item order.
    pub fn items(&self, visit: &TaskKey) -> impl Iterator<Item = &Execution> {
        let from = ItemKey { task: visit.clone(), index: None };
        let to = ItemKey { task: visit.clone(), index: Some(u32::MAX) };
        self.places.range((from, MIN)..=(to, MAX)).filter_map(|(_, id)| self.get(*id))
    }

    /// Who waits in a queue, first in line first.
    pub fn line(&self, queue: &QueueKey) -> impl Iterator<Item = &Execution> {
        self.lines.get(queue).into_iter().flatten().filter_map(|(_, id)| self.get(*id))
    }

    /// Who holds a slot of a queue.
    pub fn holders(&self, queue: &QueueKey) -> impl Iterator<Item = &Execution> {
        self.holders.get(queue).into_iter().flatten().filter_map(|id| self.get(*id))
    }

    /// Puts a row there as it is, whatever was there before, and checks nothing. Answers with what
    /// was there.
    pub fn put(&mut self, execution: Execution) -> Option<Execution> {
        let id = execution.id;
        let former = self.rows.insert(id, execution);
        let (before, after) = (former.as_ref(), &self.rows[&id]);
        let key = |e: &'_ Execution| e.idempotency.as_ref().map(|i| i.key.clone());
        if before.is_none_or(|before| before.idempotency != after.idempotency) {
            before.and_then(key).and_then(|key| self.keys.remove(&key));
            self.keys.extend(key(after).map(|key| (key, id)));
        }
        if before.is_none_or(|before| before.place != after.place) {
            let at = |e: &Execution| e.place.clone().map(|place| (place, id));
            before.and_then(at).map(|old| self.places.remove(&old));
            self.places.extend(at(after));
        }
        if before.is_none_or(|before| before.status != after.status) {
            before.map(|before| self.statuses.remove(&(before.status, id)));
            self.statuses.insert((after.status, id));
        }
        regroup(&mut self.orders, before, after, |e| e.order.map(|order| (order, id)));
        let waits = |e: &Execution| (e.status == Status::Queued).then_some((e.order, id));
        regroup(&mut self.lines, before, after, waits);
        regroup(&mut self.holders, before, after, |e| e.status.holds_slot().then_some(id));
        former
    }
}

impl Executions {
    /// Takes a row out, with all that leads to it.
    pub(crate) fn remove(&mut self, id: ExecutionId) {
        let Some(row) = self.rows.remove(&id) else { return };
        if let Some(idempotency) = &row.idempotency {
            self.keys.remove(&idempotency.key);
        }
        if let Some(place) = row.place.clone() {
            self.places.remove(&(place, id));
        }
        self.statuses.remove(&(row.status, id));
        leave(&mut self.orders, &row.queue, row.order.map(|order| (order, id)));
        leave(&mut self.lines, &row.queue, Some((row.order, id)));
        leave(&mut self.holders, &row.queue, Some(id));
    }
}

fn leave<T: Ord>(groups: &mut Groups<T>, queue: &QueueKey, member: Option<T>) {
    if let (Some(group), Some(member)) = (groups.get_mut(queue), member) {
        group.remove(&member);
        if group.is_empty() {
            groups.remove(queue);
        }
    }
}

const MIN: ExecutionId = ExecutionId(0);
const MAX: ExecutionId = ExecutionId(u64::MAX);

/// Moves an execution to the group of its queue where it belongs now.
fn regroup<T: Ord>(
    groups: &mut Groups<T>,
    before: Option<&Execution>,
    after: &Execution,
    of: impl Fn(&Execution) -> Option<T>,
) {
    let (was, is) = (before.and_then(&of), of(after));
    if was == is && before.is_none_or(|before| before.queue == after.queue) {
        return;
    }
    if let (Some(before), Some(was)) = (before, was)
        && let Some(group) = groups.get_mut(&before.queue)
    {
        group.remove(&was);
        if group.is_empty() {
            groups.remove(&before.queue);
        }
    }
    if let Some(is) = is {
        groups.entry(after.queue.clone()).or_default().insert(is);
    }
}
