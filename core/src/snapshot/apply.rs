//! What a store enforces when it takes a commit: versions, unique keys, references and checks.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Snapshot;
use crate::decision::{Changed, ItemPage, Writes};
use crate::effect::Effect;
use crate::execution::Execution;
use crate::history::{Commit, RowChange};
use crate::id::{ExecutionId, QueueKey, Version};
use crate::status::Status;
use crate::time::Timestamp;
use crate::unit::Row;
use crate::workflow::Visit;

/// Why a commit was not taken. Nothing of it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// A row was changed by somebody else since it was read.
    #[error("{row} is at {found:?}, and the write expects {expected}")]
    Stale {
        /// Which row.
        row: String,
        /// Its version; `None` if there is no such row.
        found: Option<Version>,
        /// The version that was read.
        expected: Version,
    },
    /// A row with this key exists.
    #[error("{0} exists already")]
    Exists(String),
    /// A row is impossible. Unlike the others this is no race but a mistake.
    #[error("{row}: {problem}")]
    Impossible {
        /// Which row.
        row: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// Fails with [`Conflict::Impossible`] unless `condition` holds.
fn check(condition: bool, row: impl ToString, problem: &str) -> Result<(), Conflict> {
    if condition {
        return Ok(());
    }
    Err(Conflict::Impossible { row: row.to_string(), problem: problem.to_string() })
}

/// Fails with [`Conflict::Exists`] unless `condition` holds.
fn unique(condition: bool, row: impl ToString) -> Result<(), Conflict> {
    if condition { Ok(()) } else { Err(Conflict::Exists(row.to_string())) }
}

impl Snapshot {
    /// Takes a commit, whole or not at all.
    ///
    /// # Errors
    /// If a row has moved on, a key is taken, or a row is impossible.
    pub fn apply(&mut self, writes: &Writes) -> Result<(), Conflict> {
        self.take(writes.clone()).map(drop)
    }

    /// The same; answers with what changed. This is the one place where changes are derived. When
    /// they were made, and who spoke for them, is for the caller to say.
    ///
    /// # Errors
    /// As [`Snapshot::apply`].
    pub fn take(&mut self, writes: Writes) -> Result<Commit, Conflict> {
        self.check(&writes)?;
        Ok(self.take_unchecked(writes))
    }

    /// The same, whatever is there: for a store that does not look.
    pub fn take_unchecked(&mut self, writes: Writes) -> Commit {
        let mut executions = Vec::new();
        for after in writes.executions.inserted.into_iter().chain(writes.executions.updated) {
            let before = self.executions.put(after.clone());
            executions.push(RowChange { before, after });
        }
        self.parameters.extend(writes.parameters.iter().cloned());
        self.results.extend(writes.results.iter().cloned());
        for ItemPage { visit, page, items } in &writes.items {
            self.items.insert((visit.clone(), *page), items.clone());
        }
        Commit {
            at: Timestamp::ZERO,
            voices: None,
            workers: put(&mut self.workers, writes.workers),
            queues: put(&mut self.queues, writes.queues),
            executions,
            runs: put(&mut self.runs, writes.runs),
            visits: put(&mut self.visits, writes.visits),
            schedules: put(&mut self.schedules, writes.schedules),
            parameters: writes.parameters,
            results: writes.results,
            items: writes.items,
            effects: put(&mut self.effects, writes.effects),
        }
    }

    /// What [`Snapshot::apply`] would say, without doing it.
    ///
    /// # Errors
    /// As [`Snapshot::apply`].
    pub fn check(&self, writes: &Writes) -> Result<(), Conflict> {
        versions(&writes.workers, |key| self.workers.get(key).map(|row| row.version))?;
        versions(&writes.queues, |key| self.queues.get(key).map(|row| row.version))?;
        versions(&writes.executions, |key| self.execution(*key).map(|row| row.version))?;
        versions(&writes.runs, |key| self.runs.get(key).map(|row| row.version))?;
        versions(&writes.visits, |key| self.visits.get(key).map(|row| row.version))?;
        versions(&writes.schedules, |key| self.schedules.get(key).map(|row| row.version))?;
        versions(&writes.effects, |key| self.effects.get(key).map(|row| row.version))?;
        self.check_executions(writes)?;
        self.check_effects(writes)?;
        self.check_workflow(writes)?;
        self.check_payloads(writes)
    }

    fn check_executions(&self, writes: &Writes) -> Result<(), Conflict> {
        let (mut keys, mut places) = (BTreeSet::new(), BTreeSet::new());
        let new_queue =
            |key: &QueueKey| writes.queues.inserted.iter().any(|queue| queue.key == *key);
        for execution in &writes.executions.inserted {
            if let Some(idempotency) = &execution.idempotency {
                let key = &idempotency.key;
                let free = self.executions.submitted_with(key).is_none() && keys.insert(key);
                unique(free, format_args!("idempotency key `{key}`"))?;
            }
            if let Some(place) = &execution.place {
                let free = self.executions.at(place).is_none() && places.insert(place);
                unique(free, place)?;
            }
        }
        for execution in &writes.executions.updated {
            let before = self.execution(execution.id);
            let same = before.is_some_and(|before| {
                before.place == execution.place && before.idempotency == execution.idempotency
            });
            check(same, execution.id, "its keys were changed")?;
        }
        for execution in writes.executions.inserted.iter().chain(&writes.executions.updated) {
            check_execution(execution)?;
            let queue = &execution.queue;
            let queued = execution.order.is_none() || self.queues.contains_key(queue);
            check(queued || new_queue(queue), execution.id, "its queue does not exist")?;
        }
        Ok(())
    }

    fn check_effects(&self, writes: &Writes) -> Result<(), Conflict> {
        let mut places = BTreeSet::new();
        for effect in &writes.effects.inserted {
            let place = (effect.key.execution, effect.key.generation, effect.index);
            let there = self.effects_of(effect.key.execution).any(|other| {
                other.key.generation == effect.key.generation && other.index == effect.index
            });
            unique(!there && places.insert(place), &effect.key)?;
        }
        let all = writes.effects.inserted.iter().chain(&writes.effects.updated);
        all.into_iter().try_for_each(check_effect)
    }

    fn check_workflow(&self, writes: &Writes) -> Result<(), Conflict> {
        let new = |id| writes.executions.inserted.iter().any(|execution| execution.id == id);
        for run in &writes.runs.inserted {
            let known = self.execution(run.execution).is_some() || new(run.execution);
            check(known, run.execution, "the run's execution does not exist")?;
        }
        let new_run = |id| writes.runs.inserted.iter().any(|run| run.execution == id);
        for visit in &writes.visits.inserted {
            let run = visit.key.run;
            let known = self.runs.contains_key(&run) || new_run(run);
            check(known, &visit.key, "the visit's run does not exist")?;
        }
        writes.visits.inserted.iter().chain(&writes.visits.updated).try_for_each(check_visit)
    }

    fn check_payloads(&self, writes: &Writes) -> Result<(), Conflict> {
        let new: BTreeSet<ExecutionId> =
            writes.executions.inserted.iter().map(|execution| execution.id).collect();
        let mut seen = BTreeSet::new();
        for (id, _) in &writes.parameters {
            check(new.contains(id), id, "parameters come with a new execution only")?;
            unique(seen.insert(*id), format_args!("parameters of {id}"))?;
        }
        let mut seen = BTreeSet::new();
        for (id, _) in &writes.results {
            let known = self.execution(*id).is_some() || new.contains(id);
            check(known, id, "a result of no execution")?;
            unique(
                !self.results.contains_key(id) && seen.insert(*id),
                format_args!("result of {id}"),
            )?;
        }
        let mut seen = BTreeSet::new();
        for page in &writes.items {
            let key = (page.visit.clone(), page.page);
            let name = format!("page {} of {}", page.page, page.visit);
            check(page.items.len() <= ItemPage::SIZE as usize, &name, "is too long")?;
            unique(!self.items.contains_key(&key) && seen.insert(key), name)?;
        }
        Ok(())
    }
}

/// Every new row is new, every changed one is as it was read.
fn versions<R: Row>(
    changed: &Changed<R>,
    stored: impl Fn(&R::Key) -> Option<Version>,
) -> Result<(), Conflict>
where
    R::Key: core::fmt::Debug,
{
    let mut seen = BTreeSet::new();
    for row in &changed.inserted {
        let key = row.key();
        unique(stored(&key).is_none() && seen.insert(key.clone()), format_args!("{key:?}"))?;
        check(row.version().0 == 0, format_args!("{key:?}"), "a new row has version 0")?;
    }
    for row in &changed.updated {
        let key = row.key();
        let (found, next) = (stored(&key), row.version());
        let fresh = found.is_some_and(|version| version.next() == next) && seen.insert(key.clone());
        if !fresh {
            let expected = Version(next.0.saturating_sub(1));
            return Err(Conflict::Stale { row: format!("{key:?}"), found, expected });
        }
    }
    Ok(())
}

fn put<R: Row>(rows: &mut BTreeMap<R::Key, R>, changed: Changed<R>) -> Vec<RowChange<R>> {
    let rows = changed.inserted.into_iter().chain(changed.updated).map(|after| {
        let before = rows.insert(after.key(), after.clone());
        RowChange { before, after }
    });
    rows.collect()
}

/// What a store refuses in an execution whatever else is there.
///
/// # Errors
/// [`Conflict::Impossible`], if the row contradicts itself.
pub fn check_execution(execution: &Execution) -> Result<(), Conflict> {
    let id = execution.id;
    let status = execution.status;
    let over = status.is_terminal();
    check(execution.ended_at.is_some() == over, id, "it has an end exactly when it is over")?;
    let ordered = execution.order.is_some() || !(status.holds_slot() || status == Status::Queued);
    check(ordered, id, "it has no place in line")?;
    let assigned = execution.worker.is_none() || over || status.has_live_attempt();
    check(assigned, id, "it has a worker and no attempt")?;
    let carried = execution.worker.is_some() || !status.has_live_attempt();
    check(carried || execution.is_workflow(), id, "it has an attempt and no worker")?;
    let folded = !execution.folded || (over && execution.place.is_some());
    check(folded, id, "only an ended child is folded")
}

/// What a store refuses in a visit whatever else is there.
///
/// # Errors
/// [`Conflict::Impossible`], if the row contradicts itself.
pub fn check_visit(visit: &Visit) -> Result<(), Conflict> {
    let counted = visit.created <= visit.total
        && visit.ended <= visit.created
        && visit.failed <= visit.ended
        && visit.timed_out <= visit.failed;
    check(counted, &visit.key, "its counts do not fit together")
}

/// What a store refuses in an effect whatever else is there.
///
/// # Errors
/// [`Conflict::Impossible`], if the row contradicts itself.
pub fn check_effect(effect: &Effect) -> Result<(), Conflict> {
    let over = effect.state.is_over();
    check(effect.ended_at.is_some() == over, &effect.key, "it has an end exactly when it is over")?;
    check(effect.wake_at.is_none() == over, &effect.key, "it is due exactly until it is over")
}
