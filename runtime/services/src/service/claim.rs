//! Claim: a worker takes what it can start at once, or what it was offered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::claim::{self, AcceptRefusal, Assignment};
use steadfast_core::unit::Unit;
use steadfast_core::worker::{Worker, WorkerRefusal, WorkerState};
use steadfast_core::{ExecutionId, FencingToken, Runtime, Span, WorkerId};

use super::dispatch::waited_for_a_worker;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, Measure, StoreError, Transaction};

/// An attempt with what it needs.
pub type Work = (Assignment, Value);

/// How often a worker looks again that found only rows which others were looking at.
const LOOKS: u32 = 6;

/// Takes up to `permits` ready executions for `worker`.
///
/// Workers that look at once see none of each other's rows. If each then finds that what it looked
/// at is not for itself, nobody takes anything, and all would come back together; so who found
/// nothing although something was there looks again after a time of its own.
///
/// # Errors
/// If the store cannot be reached. The inner error says that the worker may not take anything.
pub async fn claim<E: Env>(
    env: &E,
    worker: &WorkerId,
    runtimes: &BTreeSet<Runtime>,
    permits: u32,
) -> Result<Result<Vec<Work>, WorkerRefusal>, StoreError> {
    let mut step = Claim {
        worker: worker.clone(),
        runtimes: runtimes.clone(),
        permits,
        look_at: permits,
        seen: 0,
        passed_over: false,
        parameters: Vec::new(),
        waited: Vec::new(),
    };
    let mut taken = drive(env, &mut step).await?;
    for _ in 1..LOOKS {
        if !step.passed_over {
            break;
        }
        env.sleep(Span::from_micros(1_000 + env.entropy() % 30_000)).await;
        taken = drive(env, &mut step).await?;
    }
    Ok(taken.map(|assignments| {
        env.count(Counter::AttemptsBegun, assignments.len() as u64);
        for waited in step.waited.drain(..) {
            env.measure(Measure::Dispatch, waited);
        }
        step.with_parameters(assignments)
    }))
}

/// Takes executions that were offered to `worker`.
///
/// # Errors
/// If the store cannot be reached. The inner errors say which offers were void.
pub async fn accept<E: Env>(
    env: &E,
    worker: &WorkerId,
    offers: Vec<(ExecutionId, FencingToken)>,
) -> Result<Vec<Result<Work, AcceptRefusal>>, StoreError> {
    let mut step = Accept { worker: worker.clone(), offers, parameters: Vec::new() };
    let answers = drive(env, &mut step).await?;
    let parameters = std::mem::take(&mut step.parameters);
    let attach = |assignment: Assignment| {
        let found = parameters.iter().find(|(id, _)| *id == assignment.execution);
        let parameters = found.map_or_else(nothing, |(_, value)| value.clone());
        (assignment, parameters)
    };
    Ok(answers.into_iter().map(|answer| answer.map(attach)).collect())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Claim {
    worker: WorkerId,
    runtimes: BTreeSet<Runtime>,
    permits: u32,
    look_at: u32,
    seen: u32,
    /// Whether something waits for these runtimes that was locked by somebody else.
    passed_over: bool,
    #[serde(skip)]
    parameters: Vec<(ExecutionId, Value)>,
    /// How long each that was taken had been ready.
    #[serde(skip)]
    waited: Vec<Span>,
}

impl Step for Claim {
    type Output = Result<Vec<Assignment>, WorkerRefusal>;

    const NAME: &'static str = "claim";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        (self.seen, self.passed_over) = (0, false);
        drive::worker(tx, unit, &self.worker.name).await?;
        let takes = |worker: &Worker| {
            worker.takes_work()
                || !worker.healthy && unit.is_planted("unhealthy_worker_keeps_getting_work")
                || worker.state == WorkerState::Draining && unit.is_planted("drain_keeps_claiming")
        };
        if !unit.worker(&self.worker.name).is_some_and(takes) {
            return Ok(());
        }
        let ready = tx.ready(&self.runtimes, self.look_at).await?;
        self.seen = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        if ready.is_empty() {
            let waiting = tx.find_ready().await?;
            self.passed_over = waiting.iter().any(|runtime| self.runtimes.contains(runtime));
        }
        let ids: Vec<ExecutionId> = ready.iter().map(|execution| execution.id).collect();
        ready.into_iter().for_each(|execution| unit.load_execution(execution));
        if ids.is_empty() {
            self.parameters.clear();
            return Ok(());
        }
        self.parameters = tx.parameters(&ids).await?;
        // Who else could take them decides whether this worker should.
        drive::workers(tx, unit).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let ready: Vec<_> =
            unit.executions().map(|e| (e.id, waited_for_a_worker(unit, e))).collect();
        let taken = claim::claim(unit, &self.worker, self.permits);
        let is_taken = |id| taken.iter().flatten().any(|it| it.execution == id);
        self.waited = ready.into_iter().filter(|(id, _)| is_taken(*id)).map(|(_, it)| it).collect();
        // What is at the front may be for other workers: look further before giving up.
        let few = taken.as_ref().is_ok_and(|taken| taken.len() < self.permits as usize);
        if few && self.seen == self.look_at && self.look_at < LOOK_AT_MOST {
            self.look_at = (self.look_at * 8).min(LOOK_AT_MOST);
            return Err(Again::Here);
        }
        Ok(taken)
    }
}

/// How many ready executions are looked through for one that this worker may take.
const LOOK_AT_MOST: u32 = 4096;

impl Claim {
    fn with_parameters(&mut self, assignments: Vec<Assignment>) -> Vec<Work> {
        self.parameters.sort_by_key(|(id, _)| *id);
        let find = |id: ExecutionId| {
            let at = self.parameters.binary_search_by_key(&id, |(id, _)| *id);
            at.map_or_else(|_| nothing(), |at| self.parameters[at].1.clone())
        };
        assignments.into_iter().map(|a| (a.clone(), find(a.execution))).collect()
    }
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Accept {
    worker: WorkerId,
    offers: Vec<(ExecutionId, FencingToken)>,
    #[serde(skip)]
    parameters: Vec<(ExecutionId, Value)>,
}

impl Step for Accept {
    type Output = Vec<Result<Assignment, AcceptRefusal>>;

    const NAME: &'static str = "accept";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker(tx, unit, &self.worker.name).await?;
        let ids: BTreeSet<ExecutionId> = self.offers.iter().map(|(id, _)| *id).collect();
        let ids: Vec<ExecutionId> = ids.into_iter().collect();
        for execution in tx.executions(&ids).await? {
            unit.load_execution(execution);
        }
        self.parameters = tx.parameters(&ids).await?;
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let worker = &self.worker;
        let accept = |(id, token): &(ExecutionId, FencingToken)| {
            if unit.execution(*id).is_none() {
                return Err(AcceptRefusal::Execution(steadfast_core::execution::Refusal::Done));
            }
            claim::accept(unit, worker, *id, *token)
        };
        Ok(self.offers.iter().map(accept).collect())
    }
}
