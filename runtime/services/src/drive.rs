//! The one place that knows the order: load, decide, commit, publish, settle.
//!
//! A service is a [`Step`]: what to load, and which decision of the core to ask for. Everything
//! that can go wrong between is handled here, for all of them.

mod load;

use std::collections::BTreeSet;
use std::future::Future;

use serde::Serialize;
use steadfast_core::decision::{Decision, Writes};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, Span, Timestamp};
use tracing::{debug, warn};

use crate::journal::{Draft, Journal, Outcome};
use crate::port::{
    Batch, Broker, Commit, Committed, Counter, Env, Load, Measure, Store, StoreError, Transaction,
    is_planted,
};

pub use load::{
    executions_at, named_workers, queues, queues_to_enter, takers, worker, worker_with_attempts,
    workers,
};

/// A decision to be made about rows.
pub trait Step: Send + Serialize {
    /// What the caller learns from it, once it is durable.
    type Output: Send;

    /// For logs.
    const NAME: &'static str;

    /// Loads what the decision needs, in lock order: schedules, workers, queues, runs, executions, visits.
    fn load<T: Transaction>(
        &mut self,
        tx: &mut T,
        unit: &mut Unit,
    ) -> impl Future<Output = Load<()>> + Send;

    /// Asks the core. Called again with freshly loaded rows when a commit did not succeed, so it
    /// must not remember what it decided.
    ///
    /// # Errors
    /// If something else must be loaded first.
    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again>;

    /// The commit's outcome is unknown: what was decided last may be in the store.
    fn doubt(&mut self) {}
}

/// The decision needs something that was not loaded; the step knows what, and loads it next time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// It can be loaded in the same transaction.
    Here,
    /// It has to be locked before what is locked already.
    FromTheStart,
}

/// How often a decision is made again after a conflict before the caller hears of it.
const TRIES: u32 = 100;

enum Failure {
    Again,
    Unknown,
    Store(StoreError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Carries a step out.
///
/// # Errors
/// If the store cannot be reached, or conflicts do not end.
pub async fn drive<E: Env, S: Step>(env: &E, step: &mut S) -> Result<S::Output, StoreError> {
    let mut tries = 0;
    loop {
        let failure = match attempt(env, step).await {
            Ok(output) => return Ok(output),
            Err(failure) => failure,
        };
        tries += 1;
        match failure {
            Failure::Again => continue,
            Failure::Unknown => {
                env.count(Counter::UnknownCommits, 1);
                step.doubt();
            }
            Failure::Store(StoreError::Conflict(reason)) if tries < TRIES => {
                env.count(Counter::Conflicts, 1);
                debug!(step = S::NAME, reason, "deciding again");
            }
            Failure::Store(error) => return Err(error),
        }
        if tries >= TRIES {
            return Err(StoreError::Unavailable(String::from("no commit succeeds")));
        }
        env.sleep(pause(tries, env.entropy())).await;
    }
}

/// A short wait that grows, so that those who met do not meet again.
fn pause(tries: u32, entropy: u64) -> Span {
    let most = 1_000u64 << tries.min(6);
    Span::from_micros(most / 2 + entropy % (most / 2))
}

async fn attempt<E: Env, S: Step>(env: &E, step: &mut S) -> Result<S::Output, Failure> {
    let mut tx = env.store().begin(S::NAME).await?;
    let mut looks = 0;
    let (output, decision, draft) = loop {
        let now = tx.now().await?;
        let mut unit = Unit::new(now, env.settings(), env.transport(), 0..0, env.entropy());
        if E::SIMULATED
            && let Some(name) = env.planted()
        {
            unit.plant(name);
        }
        step.load(&mut tx, &mut unit).await?;
        // Waiting for locks takes time. What is granted from now on, such as the time to stop an
        // attempt, must not have begun to run out meanwhile.
        unit.now = tx.now().await?;
        let draft = env.journal().and_then(|journal| journal.ask(S::NAME, &unit, step));
        match step.decide(&mut unit) {
            Ok(output) => break (output, unit.into_decision(), draft),
            Err(Again::Here) if looks < TRIES => looks += 1,
            // What it asks for is not in the store: nobody can decide this.
            Err(Again::Here) => {
                let reason = format!("{}: what is needed is not there", S::NAME);
                return Err(Failure::Store(StoreError::Corrupt(reason)));
            }
            Err(Again::FromTheStart) => return Err(Failure::Again),
        }
    };
    let entry = Entry::write(env, draft, &decision);
    let Decision { writes, voices, messages, .. } = decision;
    tx.journal(voices);
    let written = write(&mut tx, &writes).await;
    let conflict = matches!(written, Err(StoreError::Conflict(_)));
    if conflict && is_planted(env, "conflict_taken_for_done") {
        return Ok(output);
    }
    if let Err(error) = written {
        entry.settle(Outcome::Failed);
        return Err(error.into());
    }
    let commit = tx.commit().await;
    entry.settle(match &commit {
        Commit::Committed(_) => Outcome::Committed,
        Commit::Failed(_) => Outcome::Failed,
        Commit::Unknown(_) => Outcome::Unknown,
    });
    let committed = match commit {
        Commit::Committed(committed) => committed,
        Commit::Failed(StoreError::Conflict(_)) if is_planted(env, "conflict_taken_for_done") => {
            return Ok(output);
        }
        Commit::Failed(error) => return Err(Failure::Store(error)),
        Commit::Unknown(_) if is_planted(env, "unknown_commit_taken_for_success") => {
            return Ok(output);
        }
        Commit::Unknown(reason) => {
            warn!(step = S::NAME, reason, "the outcome of a commit is unknown");
            return Err(Failure::Unknown);
        }
    };
    env.count(Counter::RedundantWritesSkipped, u64::from(writes.unchanged));
    set_alarm(env, &writes);
    publish(env, &committed, messages).await;
    Ok(output)
}

/// A decision's entry in the journal, if there is a journal.
struct Entry<'a>(Option<(&'a Journal, u64)>);

impl<'a> Entry<'a> {
    fn write<E: Env>(env: &'a E, draft: Option<Draft>, decision: &Decision) -> Self {
        let journal = env.journal().zip(draft);
        Self(journal.map(|(journal, draft)| (journal, journal.decided(draft, decision))))
    }

    fn settle(&self, outcome: Outcome) {
        if let Some((journal, number)) = self.0 {
            journal.settled(number, outcome);
        }
    }
}

/// Writes all rows, table by table, new ones first.
async fn write<T: Transaction>(tx: &mut T, writes: &Writes) -> Load<()> {
    let (new, changed) = (&writes.executions.inserted, &writes.executions.updated);
    // One that was refused at once is new and leaves an outcome; that is rare.
    let changes: BTreeSet<ExecutionId> = changed.iter().map(|execution| execution.id).collect();
    let with_ends = writes.results.iter().all(|(id, _)| changes.contains(id));
    let (ends, others) =
        if with_ends { (&writes.results[..], &[][..]) } else { (&[][..], &writes.results[..]) };
    let batches = [
        (writes.workers.inserted.is_empty(), Batch::InsertWorkers(&writes.workers.inserted)),
        (writes.workers.updated.is_empty(), Batch::UpdateWorkers(&writes.workers.updated)),
        (writes.queues.inserted.is_empty(), Batch::InsertQueues(&writes.queues.inserted)),
        (writes.queues.updated.is_empty(), Batch::UpdateQueues(&writes.queues.updated)),
        (writes.runs.inserted.is_empty(), Batch::InsertRuns(&writes.runs.inserted)),
        (writes.runs.updated.is_empty(), Batch::UpdateRuns(&writes.runs.updated)),
        (new.is_empty(), Batch::InsertExecutionsWith(new, &writes.parameters)),
        (changed.is_empty(), Batch::UpdateExecutionsWith(changed, ends)),
        (writes.visits.inserted.is_empty(), Batch::InsertVisits(&writes.visits.inserted)),
        (writes.visits.updated.is_empty(), Batch::UpdateVisits(&writes.visits.updated)),
        (writes.schedules.inserted.is_empty(), Batch::InsertSchedules(&writes.schedules.inserted)),
        (writes.schedules.updated.is_empty(), Batch::UpdateSchedules(&writes.schedules.updated)),
        (others.is_empty(), Batch::InsertOutcomes(others)),
        (writes.items.is_empty(), Batch::InsertItems(&writes.items)),
        (writes.effects.inserted.is_empty(), Batch::InsertEffects(&writes.effects.inserted)),
        (writes.effects.updated.is_empty(), Batch::UpdateEffects(&writes.effects.updated)),
    ];
    for (empty, batch) in batches {
        if !empty {
            tx.apply(batch).await?;
        }
    }
    Ok(())
}

fn set_alarm<E: Env>(env: &E, writes: &Writes) {
    let rows = writes.executions.inserted.iter().chain(&writes.executions.updated);
    let earliest: Option<Timestamp> = rows.filter_map(|execution| execution.wake_at).min();
    if let Some(at) = earliest {
        env.alarm().set(at);
    }
    let planned = writes.effects.inserted.iter().filter_map(|effect| effect.wake_at).min();
    if let Some(at) = planned {
        env.effect_alarm().set(at);
    }
}

/// Publishes hints. One that is lost here is found by the next sweep, so this is never tried again.
async fn publish<E: Env>(
    env: &E,
    committed: &Committed,
    messages: Vec<steadfast_core::decision::Message>,
) {
    if messages.is_empty() {
        return;
    }
    let count = messages.len() as u64;
    let begun = env.now();
    let published = env.broker().publish(committed, messages).await;
    env.measure(Measure::Outbox, env.now().since(begun));
    match published {
        Ok(_) => env.count(Counter::MessagesPublished, count),
        Err(error) => {
            env.count(Counter::MessagesLost, count);
            warn!(%error, count, "hints were lost; a sweep will find what they spoke of");
        }
    }
}
