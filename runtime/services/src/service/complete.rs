//! Complete: take a worker's reports of attempts, many in one commit, until the store has them, and
//! give it work in their place in the same commit. A worker with enough to do so needs one commit for
//! each attempt, and no hint.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::claim::{self, Assignment};
use steadfast_core::completion::{self, Report};
use steadfast_core::execution::{Ending, Refusal};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, QueueKey, Runtime, Span, Status, WorkerId};
use tracing::warn;

use super::claim::Work;
use crate::batcher::Batcher;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, StoreError, Transaction, is_planted};

/// A report of an attempt that has ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The report.
    pub report: Report,
    /// Whether the worker takes another attempt in its place.
    pub takes_more: bool,
}

/// What became of a report.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Whether it was the end of its attempt.
    pub answer: Result<Status, Refusal>,
    /// What the worker shall run in its place.
    pub next: Option<Work>,
}

/// Takes a worker's reports.
pub type Completer = Batcher<Ended, Taken>;

/// Starts the service for one worker process. While the store cannot be reached, reports are kept and
/// tried again: work that is done is never thrown away by the worker that did it.
pub fn start<E: Env>(env: &E, worker: WorkerId, runtimes: BTreeSet<Runtime>) -> Completer {
    let inner = env.clone();
    Batcher::start(env, "complete", move |ended| {
        let (env, worker, runtimes) = (inner.clone(), worker.clone(), runtimes.clone());
        async move { complete_all(&env, worker, runtimes, ended).await }
    })
}

async fn complete_all<E: Env>(
    env: &E,
    worker: WorkerId,
    runtimes: BTreeSet<Runtime>,
    ended: Vec<Ended>,
) -> Vec<Taken> {
    let takes_more: Vec<bool> = ended.iter().map(|ended| ended.takes_more).collect();
    let mut step = Complete {
        reports: ended.into_iter().map(|ended| ended.report).collect(),
        takes_more: takes_more.clone(),
        worker,
        runtimes,
        loads: Vec::new(),
        next: BTreeSet::new(),
        parameters: BTreeMap::new(),
        decided: Vec::new(),
        in_doubt: false,
    };
    let (answers, next) = until_taken(env, &mut step).await;
    env.count(Counter::AttemptsBegun, next.len() as u64);
    let mut next = next.into_iter().map(|assignment| {
        let parameters = step.parameters.remove(&assignment.execution);
        let parameters = parameters.unwrap_or_else(|| Value::Object(Default::default()));
        (assignment, parameters)
    });
    let pair = |(answer, takes): (_, bool)| {
        let next = if takes { next.next() } else { None };
        Taken { answer, next }
    };
    answers.into_iter().zip(takes_more).map(pair).collect()
}

type Answers = (Vec<Result<Status, Refusal>>, Vec<Assignment>);

async fn until_taken<E: Env>(env: &E, step: &mut Complete) -> Answers {
    let mut pause = Span::from_millis(50);
    loop {
        match drive(env, step).await {
            Ok((answers, next)) => {
                count(env, &step.reports, &answers);
                if is_planted(env, "retry_sleeps_in_handler")
                    && answers.contains(&Ok(Status::Backoff))
                {
                    env.sleep(Span::from_secs(3600)).await;
                }
                return (answers, next);
            }
            Err(error @ StoreError::Corrupt(_)) => {
                warn!(%error, "reports cannot be taken");
                return (vec![Err(Refusal::Done); step.reports.len()], Vec::new());
            }
            Err(error) => warn!(%error, "reports are kept until the store takes them"),
        }
        env.sleep(pause).await;
        pause = pause.times(2).min(Span::from_secs(2));
    }
}

fn count<E: Env>(env: &E, reports: &[Report], answers: &[Result<Status, Refusal>]) {
    for (report, answer) in reports.iter().zip(answers) {
        env.count(
            match (answer, report.ending) {
                (Err(Refusal::Fenced { .. }), _) => Counter::FencedWrites,
                (Err(_), _) => Counter::DuplicateCompletionsIgnored,
                (Ok(_), Ending::Succeeded) => Counter::AttemptsSucceeded,
                (Ok(_), Ending::Failed | Ending::FailedForGood) => Counter::AttemptsFailed,
                (Ok(_), Ending::TimedOut) => Counter::AttemptsTimedOut,
                (Ok(_), Ending::Cancelled) => Counter::AttemptsCancelled,
            },
            1,
        );
        if answer.is_ok() && report.ending == Ending::TimedOut {
            env.count(Counter::TimeoutsRun, 1);
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Complete {
    reports: Vec<Report>,
    /// Whether the worker takes something in the place of each.
    takes_more: Vec<bool>,
    worker: WorkerId,
    runtimes: BTreeSet<Runtime>,
    loads: Vec<(WorkerId, u32)>,
    /// What it may take.
    next: BTreeSet<ExecutionId>,
    #[serde(skip)]
    parameters: BTreeMap<ExecutionId, Value>,
    /// What the worker was given last, which is in the store if that commit has happened.
    decided: Vec<Assignment>,
    in_doubt: bool,
}

impl Complete {
    /// How many attempts the worker takes at the most.
    fn room(&self) -> u32 {
        let room = self.takes_more.iter().filter(|takes| **takes).count();
        u32::try_from(room).unwrap_or(u32::MAX)
    }

    /// What a commit in doubt has given to the worker after all.
    fn landed(&self, unit: &Unit) -> Vec<Assignment> {
        let is_there = |assignment: &&Assignment| {
            unit.execution(assignment.execution).is_some_and(|execution| {
                execution.status == Status::Running
                    && execution.worker.as_ref() == Some(&self.worker)
                    && execution.token() == assignment.token
            })
        };
        self.decided.iter().filter(is_there).cloned().collect()
    }

    /// Who else could take what this worker takes, and what it needs to take it.
    async fn load_next<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.loads.clear();
        self.next.clear();
        let takes_work = unit.worker(&self.worker.name).is_some_and(|worker| worker.takes_work());
        if self.room() == 0 || !takes_work {
            return Ok(());
        }
        for execution in tx.ready(&self.runtimes, self.room()).await? {
            unit.load_execution(execution);
        }
        let waits = |status| matches!(status, Status::Ready | Status::Queued);
        let next: Vec<ExecutionId> =
            unit.executions().filter(|e| waits(e.status)).map(|e| e.id).collect();
        if next.is_empty() {
            return Ok(());
        }
        self.parameters.extend(tx.parameters(&next).await?);
        self.next = next.into_iter().collect();
        drive::workers(tx, unit).await?;
        let rivals = unit.workers.iter().filter(|worker| worker.takes_work()).count();
        if unit.transport.pushes() && rivals > 1 {
            self.loads = tx.loads().await?;
        }
        Ok(())
    }
}

impl Step for Complete {
    type Output = Answers;

    const NAME: &'static str = "complete";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        if self.room() > 0 {
            drive::worker(tx, unit, &self.worker.name).await?;
        }
        let mut queues: BTreeMap<QueueKey, usize> = BTreeMap::new();
        for report in &self.reports {
            *queues.entry(report.queue.clone()).or_default() += 1;
        }
        let heads = queues.values().copied().max().unwrap_or(0);
        drive::queues(tx, unit, &queues.into_keys().collect(), heads).await?;
        let mut ids: BTreeSet<ExecutionId> = self.reports.iter().map(|r| r.execution).collect();
        if self.in_doubt {
            ids.extend(self.decided.iter().map(|assignment| assignment.execution));
        }
        let ids: Vec<ExecutionId> = ids.into_iter().collect();
        for execution in tx.executions(&ids).await? {
            unit.load_execution(execution);
        }
        self.load_next(tx, unit).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let landed = if self.in_doubt { self.landed(unit) } else { Vec::new() };
        let complete = |report: &Report| completion::complete(unit, report.clone());
        let answers: Vec<_> = self.reports.iter().map(complete).collect();
        if !landed.is_empty() {
            return Ok((answers, landed));
        }
        // A report that was refused has ended nothing.
        let ended = answers.iter().zip(&self.takes_more).filter(|(a, takes)| a.is_ok() && **takes);
        let room = u32::try_from(ended.count()).unwrap_or(u32::MAX);
        self.decided = claim::succeed(unit, &self.worker, room, &self.next, self.loads.clone());
        Ok((answers, self.decided.clone()))
    }

    fn doubt(&mut self) {
        self.in_doubt = true;
    }
}
