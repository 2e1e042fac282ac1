//! Sweep: find in the state alone what is due, who is dead and what no hint told of. Any number
//! of sweepers may run.

use serde::{Deserialize, Serialize};
use steadfast_core::decision::Message;
use steadfast_core::execution::{Cause, Refusal};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, QueueKey, Runtime, Span, Status, sweep};
use tracing::{info, warn};

use super::admit::admit;
use super::advance::Advancer;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, Measure, Pointer, StoreError, Transaction, is_planted};

/// Does what is due.
///
/// # Errors
/// If the store cannot be reached.
pub async fn wake<E: Env>(env: &E) -> Result<(), StoreError> {
    until_done(env, Found::Due).await
}

/// Doubts and buries workers that are silent, and takes the attempts of those that died now.
///
/// # Errors
/// If the store cannot be reached.
pub async fn check_workers<E: Env>(env: &E) -> Result<(), StoreError> {
    let died = drive(env, &mut CheckWorkers).await?;
    for worker in &died {
        warn!(%worker, "a worker's lease ended; its attempts are taken away");
    }
    if died.is_empty() { Ok(()) } else { rescue(env).await }
}

/// Takes attempts away from workers that are over.
///
/// # Errors
/// If the store cannot be reached.
pub async fn rescue<E: Env>(env: &E) -> Result<(), StoreError> {
    if is_planted(env, "orphans_not_swept") {
        return Ok(());
    }
    until_done(env, Found::Orphans).await
}

/// Handles what is found until no full batch is found any more, row by row where a batch fails: one
/// bad row must not keep the rest from being handled.
async fn until_done<E: Env>(env: &E, found: Found) -> Result<(), StoreError> {
    let limit = env.batch_size();
    loop {
        let mut step = Handle { found, limit, only: None, pointers: Vec::new(), late: Vec::new() };
        let handled = match drive(env, &mut step).await {
            Ok(handled) => handled,
            Err(StoreError::Corrupt(reason)) => {
                warn!(reason, "a batch cannot be swept; going row by row");
                one_by_one(env, found, &step.pointers).await
            }
            Err(error) => return Err(error),
        };
        for (pointer, status) in &handled {
            count(env, found, pointer, *status);
        }
        for late in step.late.drain(..) {
            env.measure(Measure::TimeoutDetection, late);
        }
        let progress = handled.iter().any(|(_, status)| status.is_ok());
        if step.pointers.len() < limit || !progress {
            return Ok(());
        }
    }
}

type Handled = Vec<(Pointer, Result<(Status, Option<Cause>), Refusal>)>;

async fn one_by_one<E: Env>(env: &E, found: Found, pointers: &[Pointer]) -> Handled {
    let mut all = Vec::new();
    for pointer in pointers {
        let only = Some(pointer.clone());
        match drive(
            env,
            &mut Handle { found, limit: 1, only, pointers: Vec::new(), late: Vec::new() },
        )
        .await
        {
            Ok(handled) => all.extend(handled),
            Err(error) => warn!(%error, execution = %pointer.execution, "cannot be swept"),
        }
    }
    all
}

fn count<E: Env>(
    env: &E,
    found: Found,
    pointer: &Pointer,
    status: Result<(Status, Option<Cause>), Refusal>,
) {
    let Ok((status, cause)) = status else { return };
    let execution = pointer.execution;
    match (found, cause) {
        (Found::Orphans, _) => {
            info!(%execution, %status, "rescued from a lost worker");
            env.count(Counter::RescuesWorkerLost, 1);
        }
        (Found::Due, Some(Cause::QueueTimeout)) => env.count(Counter::TimeoutsQueue, 1),
        (Found::Due, Some(Cause::Unschedulable)) => env.count(Counter::TimeoutsUnschedulable, 1),
        (Found::Due, Some(Cause::RunTimeout)) => env.count(Counter::TimeoutsRun, 1),
        (Found::Due, _) => {}
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Found {
    Due,
    Orphans,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Handle {
    found: Found,
    limit: usize,
    only: Option<Pointer>,
    pointers: Vec<Pointer>,
    /// How long after its deadline each was found that a deadline ended.
    #[serde(skip)]
    late: Vec<Span>,
}

impl Step for Handle {
    type Output = Handled;

    const NAME: &'static str = "sweep";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let looks_early = unit.is_planted("sweep_trusts_an_old_look");
        if looks_early {
            drive::workers(tx, unit).await?;
        }
        let limit = u32::try_from(self.limit).unwrap_or(u32::MAX);
        self.pointers = match (&self.only, self.found) {
            (Some(pointer), _) => vec![pointer.clone()],
            (None, Found::Due) => tx.find_due(unit.now, limit).await?,
            (None, Found::Orphans) => tx.find_orphans(limit).await?,
        };
        if self.pointers.is_empty() {
            return Ok(());
        }
        drive::executions_at(tx, unit, &self.pointers).await?;
        // After the executions are locked: whoever holds an attempt then is among the workers read
        // now, and one who is over by now is over for good. Read before, a worker that has just
        // registered and claimed would look like a stranger, and lose healthy work.
        if looks_early {
            return Ok(());
        }
        drive::workers(tx, unit).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Handled, Again> {
        self.late.clear();
        let late = &mut self.late;
        let handle = |pointer: &Pointer| {
            let id = pointer.execution;
            let due = unit.execution(id).and_then(|execution| execution.wake_at);
            let status = match self.found {
                Found::Due => sweep::wake(unit, id),
                Found::Orphans => sweep::rescue(unit, id),
            };
            let cause = unit.execution(id).and_then(|execution| execution.cause);
            if let (Found::Due, Ok(_), Some(due), Some(cause)) = (self.found, &status, due, cause)
                && matches!(cause, Cause::QueueTimeout | Cause::Unschedulable | Cause::RunTimeout)
            {
                late.push(unit.now.since(due));
            }
            (pointer.clone(), status.map(|status| (status, cause)))
        };
        Ok(self.pointers.iter().map(handle).collect())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct CheckWorkers;

impl Step for CheckWorkers {
    type Output = Vec<steadfast_core::WorkerName>;

    const NAME: &'static str = "check workers";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::workers(tx, unit).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(sweep::check_workers(unit))
    }
}

/// Does what hints speak of, found in the state alone: so nothing depends on any message.
///
/// # Errors
/// If the store cannot be reached.
pub async fn catch_up<E: Env>(env: &E, advancer: &Advancer) -> Result<(), StoreError> {
    if is_planted(env, "sweep_trusts_hints") || is_planted(env, "ack_before_work") {
        return Ok(());
    }
    let Missed { queues, runs } = drive(env, &mut FindMissed::default()).await?;
    for some in queues.chunks(env.batch_size()) {
        admit(env, some.iter().cloned().collect()).await?;
    }
    for some in runs.chunks(env.batch_size()) {
        advancer.advance(env, some.to_vec()).await?;
    }
    Ok(())
}

/// How many of each kind one sweep looks at; the next sweep finds the rest.
const LOOK_AT: u32 = 1000;

/// Lines that may be let through, and runs that can be advanced.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Missed {
    queues: Vec<QueueKey>,
    runs: Vec<ExecutionId>,
}

/// Finds them, and reminds the workers of what is ready; they look for it themselves as well.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct FindMissed {
    found: Missed,
    ready: Vec<Runtime>,
}

impl Step for FindMissed {
    type Output = Missed;

    const NAME: &'static str = "find missed";

    async fn load<T: Transaction>(&mut self, tx: &mut T, _: &mut Unit) -> Load<()> {
        let queues = tx.find_lines(LOOK_AT).await?;
        self.found = Missed { queues, runs: tx.find_runs(LOOK_AT).await? };
        self.ready = tx.find_ready().await?;
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Missed, Again> {
        let transport = unit.transport;
        for runtime in self.ready.drain(..) {
            unit.publish(Message::Ready { runtime, transport });
        }
        Ok(std::mem::take(&mut self.found))
    }
}
