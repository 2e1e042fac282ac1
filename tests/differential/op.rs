//! One call of the store's port, as a value, and what was answered.

use std::collections::BTreeSet;
use std::fmt::Debug;

use steadfast_core::decision::{ItemPage, Outcome, Writes};
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{
    ExecutionId, QueueKey, Runtime, TaskKey, Timestamp, Version, WorkerId, WorkerName,
};
use steadfast_services::port::{Batch, Commit, Load, StoreError, Transaction};

use super::doctor::Doctor;

/// A call. Those that lock stand in the order in which a transaction may lock.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Begin,
    Workers(Vec<WorkerName>),
    Queues(Vec<QueueKey>),
    Line(Vec<QueueKey>, u32),
    Runs(Vec<ExecutionId>),
    EndedChildren(Vec<ExecutionId>, u32),
    Executions(Vec<ExecutionId>),
    ByKey(Vec<String>),
    Ready(BTreeSet<Runtime>, u32),
    OpenVisits(Vec<ExecutionId>),
    PresentWorkers,
    Occupancy(Vec<QueueKey>, BTreeSet<QueueKey>),
    LiveChildren(Vec<ExecutionId>, u32),
    Parameters(Vec<ExecutionId>),
    Errors(Vec<ExecutionId>),
    VisitResults(Vec<TaskKey>),
    Items(Vec<(TaskKey, u32)>),
    Pointers(Vec<ExecutionId>),
    Due(Timestamp),
    Orphans,
    Lines(u32),
    ReadyRuntimes,
    DueRuns(u32),
    Held(WorkerId),
    Loads,
    QueuesOf(&'static str),
    Allocate(u32),
    Write(Rows),
    Commit,
    Drop,
}

/// Rows of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    NewWorkers(Vec<Worker>),
    Workers(Vec<Worker>),
    NewQueues(Vec<Queue>),
    Queues(Vec<Queue>),
    NewRuns(Vec<Run>),
    Runs(Vec<Run>),
    NewExecutions(Vec<Execution>),
    Executions(Vec<Execution>),
    NewVisits(Vec<Visit>),
    Visits(Vec<Visit>),
    Parameters(Vec<(ExecutionId, serde_json::Value)>),
    Outcomes(Vec<(ExecutionId, Outcome)>),
    Items(Vec<ItemPage>),
}

impl Rows {
    /// The statements that write all this, in the order in which rows are locked.
    pub(crate) fn of(writes: Writes) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |is_empty: bool, rows: Self| (!is_empty).then(|| all.push(rows));
        add(writes.workers.inserted.is_empty(), Self::NewWorkers(writes.workers.inserted));
        add(writes.workers.updated.is_empty(), Self::Workers(writes.workers.updated));
        add(writes.queues.inserted.is_empty(), Self::NewQueues(writes.queues.inserted));
        add(writes.queues.updated.is_empty(), Self::Queues(writes.queues.updated));
        add(writes.runs.inserted.is_empty(), Self::NewRuns(writes.runs.inserted));
        add(writes.runs.updated.is_empty(), Self::Runs(writes.runs.updated));
        let executions = writes.executions;
        add(executions.inserted.is_empty(), Self::NewExecutions(executions.inserted));
        add(executions.updated.is_empty(), Self::Executions(executions.updated));
        add(writes.visits.inserted.is_empty(), Self::NewVisits(writes.visits.inserted));
        add(writes.visits.updated.is_empty(), Self::Visits(writes.visits.updated));
        add(writes.parameters.is_empty(), Self::Parameters(writes.parameters));
        add(writes.results.is_empty(), Self::Outcomes(writes.results));
        add(writes.items.is_empty(), Self::Items(writes.items));
        all
    }

    /// Makes changes of them that somebody else was quicker to make.
    pub(crate) fn fall_behind(&mut self) {
        let before = |version: &mut Version| {
            // Nothing comes before the first.
            version.0 = version.0.saturating_sub(1).max(1);
        };
        match self {
            Self::Workers(rows) => rows.iter_mut().for_each(|row| before(&mut row.version)),
            Self::Queues(rows) => rows.iter_mut().for_each(|row| before(&mut row.version)),
            Self::Executions(rows) => rows.iter_mut().for_each(|row| before(&mut row.version)),
            _ => {}
        }
    }

    fn batch(&self) -> Batch<'_> {
        match self {
            Self::NewWorkers(rows) => Batch::InsertWorkers(rows),
            Self::Workers(rows) => Batch::UpdateWorkers(rows),
            Self::NewQueues(rows) => Batch::InsertQueues(rows),
            Self::Queues(rows) => Batch::UpdateQueues(rows),
            Self::NewRuns(rows) => Batch::InsertRuns(rows),
            Self::Runs(rows) => Batch::UpdateRuns(rows),
            Self::NewExecutions(rows) => Batch::InsertExecutions(rows),
            Self::Executions(rows) => Batch::UpdateExecutions(rows),
            Self::NewVisits(rows) => Batch::InsertVisits(rows),
            Self::Visits(rows) => Batch::UpdateVisits(rows),
            Self::Parameters(rows) => Batch::InsertParameters(rows),
            Self::Outcomes(rows) => Batch::InsertOutcomes(rows),
            Self::Items(rows) => Batch::InsertItems(rows),
        }
    }
}

/// What was answered: everything that a caller may rely on, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Said(String),
    Refused(&'static str),
}

impl Answer {
    /// Whether the transaction goes on.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    pub(crate) fn refused(error: &StoreError) -> Self {
        Self::Refused(match error {
            StoreError::Conflict(_) => "conflict",
            StoreError::Unavailable(_) => "unavailable",
            StoreError::Full(_) => "full",
            StoreError::Corrupt(_) => "corrupt",
        })
    }

    pub(crate) fn of_commit(commit: &Commit) -> Self {
        match commit {
            Commit::Committed(_) => Self::Said("committed".into()),
            Commit::Failed(error) => Self::refused(error),
            Commit::Unknown(_) => Self::Refused("unknown"),
        }
    }
}

fn said<T: Debug>(answer: Load<T>) -> Answer {
    match answer {
        Ok(rows) => Answer::Said(format!("{rows:?}")),
        Err(error) => Answer::refused(&error),
    }
}

/// The same for what comes in no order.
fn unordered<T: Debug + Ord>(answer: Load<Vec<T>>) -> Answer {
    said(answer.map(|mut rows| {
        rows.sort();
        rows
    }))
}

/// Everything there is; more than a history makes.
pub(crate) const ALL: u32 = 100_000;

impl Op {
    /// Asks a transaction. Beginning and ending are for its owner.
    pub(crate) async fn ask(&self, tx: &mut impl Transaction, doctor: &Doctor) -> Answer {
        match self {
            Self::Begin | Self::Commit | Self::Drop => unreachable!("it is no statement"),
            Self::Workers(names) => said(tx.workers(Some(names)).await),
            Self::Queues(keys) => said(tx.queues(keys).await),
            Self::Line(keys, most) => said(doctor.treat(tx.line(keys, *most).await)),
            Self::Runs(ids) => said(tx.runs(ids).await),
            Self::EndedChildren(ids, most) => said(tx.ended_children(ids, *most).await),
            Self::Executions(ids) => said(tx.executions(ids).await),
            Self::ByKey(keys) => said(tx.executions_by_key(keys).await),
            Self::Ready(runtimes, most) => said(doctor.treat(tx.ready(runtimes, *most).await)),
            Self::OpenVisits(ids) => said(tx.open_visits(ids).await),
            Self::PresentWorkers => said(tx.workers(None).await),
            // Those that are zero may be missing.
            Self::Occupancy(keys, limited) => {
                said(tx.occupancy(keys, limited, 3).await.map(|all| {
                    let some =
                        |(_, o): &(_, steadfast_core::queue::Occupancy)| o.holding + o.waiting > 0;
                    all.into_iter().filter(some).collect::<std::collections::BTreeMap<_, _>>()
                }))
            }
            Self::LiveChildren(ids, most) => said(tx.find_live_children(ids, *most).await),
            Self::Parameters(ids) => said(tx.parameters(ids).await),
            Self::Errors(ids) => said(tx.errors(ids).await),
            Self::VisitResults(visits) => said(tx.visit_results(visits).await),
            Self::Items(pages) => said(tx.items(pages).await),
            Self::Pointers(ids) => said(tx.pointers(ids).await),
            Self::Due(now) => said(tx.find_due(*now, ALL).await),
            Self::Orphans => unordered(tx.find_orphans(ALL).await),
            Self::Lines(most) => said(tx.find_lines(*most).await),
            Self::ReadyRuntimes => said(tx.find_ready().await),
            Self::DueRuns(most) => said(tx.find_runs(*most).await),
            Self::Held(worker) => said(tx.held(worker).await),
            Self::Loads => unordered(tx.loads().await),
            Self::QueuesOf(action) => said(tx.queues_of(&(*action).into()).await),
            // Which ones is the store's own business.
            Self::Allocate(count) => said(tx.allocate(*count).await.map(|ids| ids.end - ids.start)),
            Self::Write(rows) => said(tx.apply(doctor.thin(rows).batch()).await),
        }
    }

    /// Whether it may have to wait for somebody.
    pub(crate) const fn locks(&self) -> bool {
        matches!(
            self,
            Self::Workers(_)
                | Self::Queues(_)
                | Self::Line(..)
                | Self::Runs(_)
                | Self::EndedChildren(..)
                | Self::Executions(_)
                | Self::ByKey(_)
                | Self::OpenVisits(_)
                | Self::Write(_)
        )
    }

    /// Whether its answer is the same if all transactions are done one after the other.
    pub(crate) const fn survives_reordering(&self) -> bool {
        matches!(self, Self::Begin | Self::Write(_) | Self::Commit | Self::Drop)
    }
}
