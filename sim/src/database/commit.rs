//! Writing rows, and making them durable or not.

use std::collections::BTreeSet;

use steadfast_core::decision::{Changed, Writes};
use steadfast_core::effect::Effect;
use steadfast_core::execution::Execution;
use steadfast_core::snapshot::{check_effect, check_execution, check_visit};
use steadfast_core::unit::Row;
use steadfast_core::{ExecutionId, Version};
use steadfast_services::port::{Batch, Commit, Committed, Load, StoreError};

use super::locks::LockKey;
use super::session::subject_of;
use super::{ANSWER_TIMEOUT, SimTransaction, State, TxId};
use crate::chance::{Site, Subject};
use crate::chores::Chore;
use crate::fault::Strike;
use crate::kinds;
use crate::law::WorldLaw;
use crate::process::Peer;

impl SimTransaction {
    /// One statement that writes rows of one kind.
    pub(super) async fn write(&mut self, batch: Batch<'_>) -> Load<()> {
        let id = self.enter(Site::Write).await?;
        let parts = parts(batch);
        let keys = |part| locks_for(&part).into_iter().map(move |key| (part, key));
        let keys: Vec<(Batch<'_>, LockKey)> = parts.into_iter().flatten().flat_map(keys).collect();
        let rows = keys.len();
        for (part, key) in keys {
            // What is there refuses an insert, and what has moved on an update, whoever has it
            // locked: neither is waited for.
            let found = self.with(|state| {
                state.judged_by(id, &part, |state| state.find_place(id, &part, &key))
            });
            match found {
                Place::Taken => return Err(self.fail(conflict("duplicate key"))),
                Place::Elsewhere => {}
                Place::Open => drop(self.lock_row(id, key).await?),
            }
        }
        for part in parts.into_iter().flatten() {
            let checked =
                self.with(|state| state.judged_by(id, &part, |state| check(state, id, &part)));
            if let Err(conflict) = checked {
                if let StoreError::Corrupt(what) = &conflict
                    && self.with(|state| !state.is_unjudged)
                {
                    self.world().violate(WorldLaw::RowsAreSound, what.clone());
                }
                return Err(self.fail(conflict));
            }
            self.with(|state| stage(state, id, part));
        }
        self.me.log(&kinds::WROTE, &[id.0, rows as u64]);
        Ok(())
    }

    pub(super) async fn commit_all(mut self) -> Commit {
        if let Some(error) = self.failed.take() {
            return Commit::Failed(error);
        }
        let Some(id) = self.id else {
            return Commit::Failed(StoreError::Unavailable("the connection is closed".into()));
        };
        let subject = self.with(|state| subject_of(&state.transactions.get(&id)?.writes));
        let me = self.me.clone();
        let subject = match subject {
            Some(execution) => Subject::Execution(execution),
            None => Subject::Step(me.name(), self.step),
        };
        let (step, written) = (self.step, self.with(|state| written_by(state, id)));
        let passage =
            me.pass_with(Site::Commit, subject, &|s| s == step, &|e| written.contains(&e)).await;
        match passage.strike {
            Some(Strike::CommitRefused) => {
                self.roll_back();
                return Commit::Failed(StoreError::Conflict("could not serialize access".into()));
            }
            Some(Strike::CommitLost) => {
                if self.with(|state| state.tear(id)) {
                    self.is_open = false;
                    let _ = me.world().commit(&me, id);
                }
                self.roll_back();
                return Commit::Unknown("connection lost".into());
            }
            _ => {}
        }
        if passage.strike == Some(Strike::CommitLandsLate) {
            self.is_open = false;
            let after = std::time::Duration::from_micros(50_000 + passage.entropy % 1_500_000);
            me.world().ask(Chore::Land { id, me: me.clone(), after });
            return Commit::Unknown("connection lost while committing".into());
        }
        if me.is_cut_from(Peer::Store) {
            self.give_up();
            me.wait(ANSWER_TIMEOUT.into()).await;
            me.stay_dead().await;
            return Commit::Unknown("no answer".into());
        }
        self.is_open = false;
        let answer = me.world().commit(&me, id);
        match passage.strike {
            Some(Strike::CommitLandsReplyLost) => {
                return Commit::Unknown("connection lost".into());
            }
            Some(Strike::CommitAnswersLate) => {
                let micros = 100_000 + passage.entropy % 2_000_000;
                me.wait(std::time::Duration::from_micros(micros)).await;
                me.stay_dead().await;
            }
            _ => {}
        }
        match answer {
            Ok(landed) => {
                // What is heard late may have been said by a sweep long since.
                if passage.strike.is_none() {
                    me.world().promise(me.node(), landed.promises);
                }
                Commit::Committed(Committed::by_store(landed.at))
            }
            Err(error) => Commit::Failed(error),
        }
    }
}

/// The executions that a transaction writes.
fn written_by(state: &State, id: TxId) -> Vec<ExecutionId> {
    let Some(open) = state.transactions.get(&id) else { return Vec::new() };
    let executions = &open.writes.executions;
    executions.inserted.iter().chain(&executions.updated).map(|row| row.id).collect()
}

/// What one statement writes: rows, and what comes with them.
const fn parts(batch: Batch<'_>) -> [Option<Batch<'_>>; 2] {
    match batch {
        Batch::InsertExecutionsWith(rows, parameters) => {
            [Some(Batch::InsertExecutions(rows)), Some(Batch::InsertParameters(parameters))]
        }
        Batch::UpdateExecutionsWith(rows, outcomes) => {
            [Some(Batch::UpdateExecutions(rows)), Some(Batch::InsertOutcomes(outcomes))]
        }
        other => [Some(other), None],
    }
}

/// What a statement finds where it wants to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It may write there, when it has the lock.
    Open,
    /// A row with that key is there already.
    Taken,
    /// The row that it means to change is not there any more.
    Elsewhere,
}

impl State {
    /// Looks with the eyes of a transaction that is about to write `batch`. Its own writes are put over
    /// everybody's rows, which is a copy of them all, only if they matter to the answer.
    fn judged_by<T>(
        &mut self,
        id: TxId,
        batch: &Batch<'_>,
        look: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let own = self.transactions.get(&id).map(|open| &open.writes);
        if own.is_some_and(|own| meets(own, batch)) {
            self.as_seen_by(id, look)
        } else {
            look(self)
        }
    }

    fn find_place(&self, id: TxId, batch: &Batch<'_>, key: &LockKey) -> Place {
        if self.is_unchecked(id, batch) {
            return Place::Open;
        }
        let rows = &self.rows;
        let inserted = |is_there: bool| if is_there { Place::Taken } else { Place::Open };
        let updated = |is_there: bool| if is_there { Place::Open } else { Place::Elsewhere };
        match (batch, key) {
            (Batch::InsertWorkers(_), LockKey::Worker(name)) => {
                inserted(rows.workers.contains_key(name))
            }
            (Batch::InsertQueues(_), LockKey::Queue(key)) => {
                inserted(rows.queues.contains_key(key))
            }
            (Batch::InsertRuns(_), LockKey::Run(id)) => inserted(rows.runs.contains_key(id)),
            (Batch::InsertSchedules(_), LockKey::Schedule(name)) => {
                inserted(rows.schedules.contains_key(name))
            }
            (Batch::UpdateSchedules(new), LockKey::Schedule(name)) => {
                updated(is_next(new, name, rows.schedules.get(name)))
            }
            (Batch::InsertVisits(_), LockKey::Visit(key)) => {
                inserted(rows.visits.contains_key(key))
            }
            (Batch::InsertEffects(_), LockKey::Effect(key)) => {
                inserted(rows.effects.contains_key(key))
            }
            (Batch::UpdateEffects(new), LockKey::Effect(key)) => {
                updated(is_next(new, key, rows.effects.get(key)))
            }
            (Batch::InsertExecutions(_), LockKey::Execution(id)) => {
                inserted(rows.execution(*id).is_some())
            }
            (Batch::UpdateWorkers(new), LockKey::Worker(name)) => {
                updated(is_next(new, name, rows.workers.get(name)))
            }
            (Batch::UpdateQueues(new), LockKey::Queue(key)) => {
                updated(is_next(new, key, rows.queues.get(key)))
            }
            (Batch::UpdateRuns(new), LockKey::Run(id)) => {
                updated(is_next(new, id, rows.runs.get(id)))
            }
            (Batch::UpdateVisits(new), LockKey::Visit(key)) => {
                updated(is_next(new, key, rows.visits.get(key)))
            }
            (Batch::UpdateExecutions(new), LockKey::Execution(id)) => {
                updated(is_next(new, id, rows.execution(*id)))
            }
            (_, LockKey::Place(place)) => inserted(rows.executions.at(place).is_some()),
            (_, LockKey::Parameters(id)) => inserted(rows.parameters.contains_key(id)),
            (_, LockKey::Outcome(id)) => inserted(rows.results.contains_key(id)),
            (_, LockKey::Items(visit, page)) => {
                inserted(rows.items.contains_key(&(visit.clone(), *page)))
            }
            _ => Place::Open,
        }
    }
}

/// Whether what a transaction has written already matters to whether it may write `batch`.
fn meets(own: &Writes, batch: &Batch<'_>) -> bool {
    match batch {
        Batch::InsertWorkers(new) | Batch::UpdateWorkers(new) => share(&own.workers, new),
        Batch::InsertQueues(new) | Batch::UpdateQueues(new) => share(&own.queues, new),
        Batch::InsertRuns(new) | Batch::UpdateRuns(new) => share(&own.runs, new),
        Batch::InsertVisits(new) | Batch::UpdateVisits(new) => share(&own.visits, new),
        Batch::InsertSchedules(new) | Batch::UpdateSchedules(new) => share(&own.schedules, new),
        Batch::UpdateExecutions(new) => share(&own.executions, new),
        Batch::InsertEffects(new) | Batch::UpdateEffects(new) => share(&own.effects, new),
        // Others may have taken its place or its submitter's key.
        Batch::InsertExecutions(_) => !own.executions.is_empty(),
        Batch::InsertParameters(_) => !own.parameters.is_empty(),
        Batch::InsertOutcomes(_) => !own.results.is_empty(),
        Batch::InsertItems(_) => !own.items.is_empty(),
        Batch::InsertExecutionsWith(..) | Batch::UpdateExecutionsWith(..) => true,
    }
}

fn share<R: Row>(own: &Changed<R>, new: &[R]) -> bool {
    let mut own = own.inserted.iter().chain(&own.updated);
    own.any(|written| new.iter().any(|row| row.key() == written.key()))
}

/// Whether the row that is written follows the one that is there.
fn is_next<R: Row>(new: &[R], key: &R::Key, stored: Option<&R>) -> bool {
    let new = new.iter().find(|row| row.key() == *key);
    new.zip(stored).is_some_and(|(new, stored)| stored.version().next() == new.version())
}

/// What a statement locks, in order: its rows, and the unique keys that it takes.
fn locks_for(batch: &Batch<'_>) -> Vec<LockKey> {
    let mut keys: Vec<LockKey> = match batch {
        Batch::InsertWorkers(rows) | Batch::UpdateWorkers(rows) => {
            rows.iter().map(|row| LockKey::Worker(row.name.clone())).collect()
        }
        Batch::InsertQueues(rows) | Batch::UpdateQueues(rows) => {
            rows.iter().map(|row| LockKey::Queue(row.key.clone())).collect()
        }
        Batch::InsertRuns(rows) | Batch::UpdateRuns(rows) => {
            rows.iter().map(|row| LockKey::Run(row.execution)).collect()
        }
        Batch::InsertExecutions(rows) | Batch::InsertExecutionsWith(rows, _) => {
            rows.iter().flat_map(unique_keys).collect()
        }
        Batch::UpdateExecutions(rows) | Batch::UpdateExecutionsWith(rows, _) => {
            rows.iter().map(|row| LockKey::Execution(row.id)).collect()
        }
        Batch::InsertVisits(rows) | Batch::UpdateVisits(rows) => {
            rows.iter().map(|row| LockKey::Visit(row.key.clone())).collect()
        }
        Batch::InsertSchedules(rows) | Batch::UpdateSchedules(rows) => {
            rows.iter().map(|row| LockKey::Schedule(row.name.clone())).collect()
        }

        Batch::InsertEffects(rows) | Batch::UpdateEffects(rows) => {
            rows.iter().map(|row| LockKey::Effect(row.key.clone())).collect()
        }
        Batch::InsertParameters(rows) => {
            rows.iter().map(|(id, _)| LockKey::Parameters(*id)).collect()
        }
        Batch::InsertOutcomes(rows) => rows.iter().map(|(id, _)| LockKey::Outcome(*id)).collect(),
        Batch::InsertItems(rows) => {
            rows.iter().map(|row| LockKey::Items(row.visit.clone(), row.page)).collect()
        }
    };
    keys.sort_unstable();
    keys
}

fn unique_keys(execution: &Execution) -> impl Iterator<Item = LockKey> {
    let key = execution.idempotency.as_ref().map(|i| LockKey::SubmitKey(i.key.clone()));
    let place = execution.place.clone().map(LockKey::Place);
    [Some(LockKey::Execution(execution.id)), key, place].into_iter().flatten()
}

/// Unique keys, and the versions that updates name.
fn check(state: &State, id: TxId, batch: &Batch<'_>) -> Load<()> {
    let rows = &state.rows;
    if !state.transactions.contains_key(&id) {
        return Err(StoreError::Unavailable("the server closed the connection".into()));
    }
    if state.is_unchecked(id, batch) {
        return Ok(());
    }
    if !state.is_careless() {
        sound(batch)?;
    }
    if !state.is_planted("lease_left_at_the_end") {
        asleep(batch)?;
    }
    match batch {
        Batch::InsertWorkers(new) => none_exist(new, |key| rows.workers.contains_key(key)),
        Batch::UpdateWorkers(new) => versions(new, |key| rows.workers.get(key).map(|r| r.version)),
        Batch::InsertQueues(new) => none_exist(new, |key| rows.queues.contains_key(key)),
        Batch::UpdateQueues(new) => versions(new, |key| rows.queues.get(key).map(|r| r.version)),
        Batch::InsertRuns(new) => none_exist(new, |key| rows.runs.contains_key(key)),
        Batch::UpdateRuns(new) => versions(new, |key| rows.runs.get(key).map(|r| r.version)),
        Batch::InsertVisits(new) => none_exist(new, |key| rows.visits.contains_key(key)),
        Batch::UpdateVisits(new) => versions(new, |key| rows.visits.get(key).map(|r| r.version)),
        Batch::InsertSchedules(new) => none_exist(new, |key| rows.schedules.contains_key(key)),
        Batch::UpdateSchedules(new) => {
            versions(new, |key| rows.schedules.get(key).map(|r| r.version))
        }
        Batch::InsertEffects(new) => {
            none_exist(new, |key| rows.effects.contains_key(key))?;
            let place = |e: &Effect| (e.key.execution, e.key.generation, e.index);
            once(new.iter().map(place))?;
            let is_there =
                |e: &Effect| rows.effects_of(e.key.execution).any(|o| place(o) == place(e));
            conflict_if(new.iter().any(is_there), "duplicate place in a plan")
        }
        Batch::UpdateEffects(new) => versions(new, |key| rows.effects.get(key).map(|r| r.version)),
        Batch::InsertExecutionsWith(..) | Batch::UpdateExecutionsWith(..) => {
            parts(*batch).iter().flatten().try_for_each(|part| check(state, id, part))
        }
        Batch::InsertExecutions(new) => {
            none_exist(new, |key| rows.execution(*key).is_some())?;
            once(new.iter().filter_map(|row| row.idempotency.as_ref().map(|i| &i.key)))?;
            once(new.iter().filter_map(|row| row.place.as_ref()))?;
            new.iter().try_for_each(|execution| unique(state, execution))
        }
        Batch::UpdateExecutions(new) => {
            versions(new, |key| rows.execution(*key).map(|r| r.version))
        }
        Batch::InsertOutcomes(new) => {
            once(new.iter().map(|(id, _)| id))?;
            let taken = new.iter().find(|(id, _)| rows.results.contains_key(id));
            conflict_if(taken.is_some(), "an outcome exists already")
        }
        Batch::InsertItems(new) => {
            once(new.iter().map(|page| (&page.visit, page.page)))?;
            let taken = new.iter().find(|p| rows.items.contains_key(&(p.visit.clone(), p.page)));
            conflict_if(taken.is_some(), "a page exists already")
        }
        Batch::InsertParameters(new) => {
            once(new.iter().map(|(id, _)| id))?;
            let taken = new.iter().find(|(id, _)| rows.parameters.contains_key(id));
            conflict_if(taken.is_some(), "parameters exist already")
        }
    }
}

/// Refuses rows that no store takes, whatever else it has.
fn sound(batch: &Batch<'_>) -> Load<()> {
    let checked = match batch {
        Batch::InsertExecutions(rows) | Batch::UpdateExecutions(rows) => {
            rows.iter().try_for_each(check_execution)
        }
        Batch::InsertVisits(rows) | Batch::UpdateVisits(rows) => {
            rows.iter().try_for_each(check_visit)
        }
        Batch::InsertEffects(rows) | Batch::UpdateEffects(rows) => {
            rows.iter().try_for_each(check_effect)
        }
        _ => Ok(()),
    };
    checked.map_err(|conflict| StoreError::Corrupt(conflict.to_string()))
}

/// What is over is not woken. The law about that is for those who decide, so a store in which they
/// are to break it lets them.
fn asleep(batch: &Batch<'_>) -> Load<()> {
    let (Batch::InsertExecutions(rows) | Batch::UpdateExecutions(rows)) = batch else {
        return Ok(());
    };
    let woken = rows.iter().find(|row| row.status.is_terminal() && row.wake_at.is_some());
    let corrupt =
        |row: &Execution| Err(StoreError::Corrupt(format!("{} is over and woken", row.id)));
    woken.map_or(Ok(()), corrupt)
}

/// No key comes twice in one statement.
fn once<K: Ord>(keys: impl Iterator<Item = K>) -> Load<()> {
    let mut seen = BTreeSet::new();
    let mut keys = keys;
    conflict_if(!keys.all(|key| seen.insert(key)), "duplicate key in one statement")
}

fn unique(state: &State, execution: &Execution) -> Load<()> {
    let executions = &state.rows.executions;
    let key = execution.idempotency.as_ref();
    let key_taken = key.is_some_and(|i| executions.submitted_with(&i.key).is_some());
    let place_taken = execution.place.as_ref().is_some_and(|p| executions.at(p).is_some());
    let key_taken = key_taken && !state.is_planted("submit_key_checked_by_reading");
    conflict_if(key_taken, "duplicate idempotency key")?;
    conflict_if(place_taken, "duplicate place in a run")
}

fn none_exist<R: Row>(new: &[R], exists: impl Fn(&R::Key) -> bool) -> Load<()> {
    once(new.iter().map(Row::key))?;
    conflict_if(new.iter().any(|row| exists(&row.key())), "duplicate key")
}

fn versions<R: Row>(new: &[R], stored: impl Fn(&R::Key) -> Option<Version>) -> Load<()> {
    let fresh = |row: &R| stored(&row.key()).is_some_and(|version| version.next() == row.version());
    conflict_if(!new.iter().all(fresh), "a row has moved on")
}

fn conflict_if(bad: bool, what: &str) -> Load<()> {
    if bad { Err(conflict(what)) } else { Ok(()) }
}

fn conflict(what: &str) -> StoreError {
    StoreError::Conflict(what.into())
}

fn stage(state: &mut State, id: TxId, batch: Batch<'_>) {
    if let [Some(first), Some(second)] = parts(batch) {
        stage(state, id, first);
        return stage(state, id, second);
    }
    let Some(open) = state.transactions.get_mut(&id) else { return };
    let writes: &mut Writes = &mut open.writes;
    match batch {
        Batch::InsertWorkers(rows) => writes.workers.inserted.extend_from_slice(rows),
        Batch::UpdateWorkers(rows) => writes.workers.updated.extend_from_slice(rows),
        Batch::InsertQueues(rows) => writes.queues.inserted.extend_from_slice(rows),
        Batch::UpdateQueues(rows) => writes.queues.updated.extend_from_slice(rows),
        Batch::InsertRuns(rows) => writes.runs.inserted.extend_from_slice(rows),
        Batch::UpdateRuns(rows) => writes.runs.updated.extend_from_slice(rows),
        Batch::InsertExecutions(rows) | Batch::InsertExecutionsWith(rows, _) => {
            writes.executions.inserted.extend_from_slice(rows);
        }
        Batch::UpdateExecutions(rows) | Batch::UpdateExecutionsWith(rows, _) => {
            writes.executions.updated.extend_from_slice(rows);
        }
        Batch::InsertVisits(rows) => writes.visits.inserted.extend_from_slice(rows),
        Batch::UpdateVisits(rows) => writes.visits.updated.extend_from_slice(rows),
        Batch::InsertSchedules(rows) => writes.schedules.inserted.extend_from_slice(rows),
        Batch::UpdateSchedules(rows) => writes.schedules.updated.extend_from_slice(rows),
        Batch::InsertEffects(rows) => writes.effects.inserted.extend_from_slice(rows),
        Batch::UpdateEffects(rows) => writes.effects.updated.extend_from_slice(rows),
        Batch::InsertParameters(rows) => writes.parameters.extend_from_slice(rows),
        Batch::InsertOutcomes(rows) => writes.results.extend_from_slice(rows),
        Batch::InsertItems(rows) => writes.items.extend_from_slice(rows),
    }
}
