//! Writing rows, and making them durable or not.

use steadfast_core::decision::Writes;
use steadfast_core::execution::Execution;
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
use crate::process::Peer;

impl SimTransaction {
    /// One statement that writes rows of one kind.
    pub(super) async fn write(&mut self, batch: Batch<'_>) -> Load<()> {
        let id = self.enter(Site::Write).await?;
        let parts = parts(batch);
        let keys: Vec<LockKey> = parts.iter().flatten().flat_map(locks_for).collect();
        let rows = keys.len();
        for key in keys {
            self.lock_row(id, key).await?;
        }
        for batch in parts.into_iter().flatten() {
            let checked = self.with(|state| check(state, id, &batch));
            if let Err(conflict) = checked {
                self.roll_back();
                return Err(conflict);
            }
            self.with(|state| stage(state, id, batch));
        }
        self.me.log(&kinds::WROTE, &[id.0, rows as u64]);
        Ok(())
    }

    pub(super) async fn commit_all(mut self) -> Commit {
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
        Batch::InsertParameters(_) | Batch::InsertOutcomes(_) | Batch::InsertItems(_) => Vec::new(),
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
    let Some(open) = state.transactions.get(&id) else {
        return Err(StoreError::Unavailable("the server closed the connection".into()));
    };
    if state.is_unchecked(id, batch) {
        return Ok(());
    }
    let own = &open.writes;
    match batch {
        Batch::InsertWorkers(new) => none_exist(new, |key| rows.workers.contains_key(key)),
        Batch::UpdateWorkers(new) => versions(new, |key| rows.workers.get(key).map(|r| r.version)),
        Batch::InsertQueues(new) => none_exist(new, |key| rows.queues.contains_key(key)),
        Batch::UpdateQueues(new) => versions(new, |key| rows.queues.get(key).map(|r| r.version)),
        Batch::InsertRuns(new) => none_exist(new, |key| rows.runs.contains_key(key)),
        Batch::UpdateRuns(new) => versions(new, |key| rows.runs.get(key).map(|r| r.version)),
        Batch::InsertVisits(new) => none_exist(new, |key| rows.visits.contains_key(key)),
        Batch::UpdateVisits(new) => versions(new, |key| rows.visits.get(key).map(|r| r.version)),
        Batch::InsertExecutionsWith(..) | Batch::UpdateExecutionsWith(..) => {
            parts(*batch).iter().flatten().try_for_each(|part| check(state, id, part))
        }
        Batch::InsertExecutions(new) => {
            none_exist(new, |key| rows.execution(*key).is_some())?;
            new.iter().try_for_each(|execution| unique(state, execution))
        }
        Batch::UpdateExecutions(new) => {
            versions(new, |key| rows.execution(*key).map(|r| r.version))
        }
        Batch::InsertOutcomes(new) => {
            let taken = new.iter().find(|(id, _)| rows.results.contains_key(id));
            conflict_if(taken.is_some(), "an outcome exists already")
        }
        Batch::InsertItems(new) => {
            let taken = new.iter().find(|p| rows.items.contains_key(&(p.visit.clone(), p.page)));
            conflict_if(taken.is_some(), "a page exists already")
        }
        Batch::InsertParameters(new) => {
            let mine = |id| own.executions.inserted.iter().any(|e| e.id == id);
            let stray = new.iter().find(|(id, _)| !mine(*id));
            conflict_if(stray.is_some(), "parameters of an execution that is not new")
        }
    }
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
    conflict_if(new.iter().any(|row| exists(&row.key())), "duplicate key")
}

fn versions<R: Row>(new: &[R], stored: impl Fn(&R::Key) -> Option<Version>) -> Load<()> {
    let fresh = |row: &R| stored(&row.key()).is_some_and(|version| version.next() == row.version());
    conflict_if(!new.iter().all(fresh), "a row has moved on")
}

fn conflict_if(bad: bool, what: &str) -> Load<()> {
    if bad { Err(StoreError::Conflict(what.into())) } else { Ok(()) }
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
        Batch::InsertParameters(rows) => writes.parameters.extend_from_slice(rows),
        Batch::InsertOutcomes(rows) => writes.results.extend_from_slice(rows),
        Batch::InsertItems(rows) => writes.items.extend_from_slice(rows),
    }
}
