//! Dispatch: where workers do not come for their work, choose one for each ready execution.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::claim;
use steadfast_core::execution::Execution;
use steadfast_core::unit::Unit;
use steadfast_core::{Runtime, Span, Status, WorkerId};

use super::HandleHints;
use crate::drive::{Again, Step, drive};
use crate::port::{Delivery, Env, Load, Measure, StoreError, Transaction};

/// Takes hints of [`crate::port::Topic::Dispatch`].
#[derive(Clone, Copy, Debug)]
pub struct Dispatcher;

impl HandleHints for Dispatcher {
    async fn handle<E: Env>(&self, env: &E, _: &[Delivery]) -> Result<(), StoreError> {
        dispatch(env).await
    }
}

/// Offers ready executions to the least loaded eligible workers, as many as these have room for.
///
/// # Errors
/// If the store cannot be reached.
pub async fn dispatch<E: Env>(env: &E) -> Result<(), StoreError> {
    let limit = u32::try_from(env.batch_size()).unwrap_or(u32::MAX);
    let mut step =
        Dispatch { limit, look_at: 0, room: 0, seen: 0, loads: Vec::new(), waited: Vec::new() };
    loop {
        let offered = drive(env, &mut step).await?;
        for waited in step.waited.drain(..) {
            env.measure(Measure::Dispatch, waited);
        }
        // A full batch says that there may be more.
        if offered < limit as usize {
            return Ok(());
        }
        step.look_at = 0;
    }
}

/// How many ready executions are looked through for one that a worker with room can run.
const LOOK_AT_MOST: u32 = 4096;

#[derive(Serialize, Deserialize)]
pub(crate) struct Dispatch {
    limit: u32,
    /// How many ready executions are looked at; 0 = as many as there is room for.
    look_at: u32,
    /// How many there is room for, up to `limit`.
    room: u32,
    seen: u32,
    loads: Vec<(WorkerId, u32)>,
    /// How long each that was offered had been ready.
    #[serde(skip)]
    waited: Vec<Span>,
}

impl Step for Dispatch {
    /// How many were offered.
    type Output = usize;

    const NAME: &'static str = "dispatch";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        (self.room, self.seen) = (0, 0);
        let waiting = tx.find_ready().await?;
        if waiting.is_empty() {
            return Ok(());
        }
        // Not locked: a worker that hangs while it holds its row must not keep the others from
        // getting work. An offer to one that has died or filled up meanwhile comes back.
        let workers = tx.workers(None).await?;
        let is_served = |runtime: &Runtime| {
            workers.iter().any(|w| w.takes_work() && w.runtimes.contains(runtime))
        };
        let runtimes: BTreeSet<Runtime> = waiting.into_iter().filter(is_served).collect();
        if runtimes.is_empty() {
            return Ok(());
        }
        self.loads = tx.loads().await?;
        self.room = claim::room(&workers, &self.loads).min(self.limit);
        // What nobody has room for would be locked in vain.
        self.look_at = self.look_at.max(self.room);
        if self.room == 0 {
            return Ok(());
        }
        let ready = tx.ready(&runtimes, self.look_at).await?;
        self.seen = u32::try_from(ready.len()).unwrap_or(u32::MAX);
        if ready.is_empty() {
            return Ok(());
        }
        workers.into_iter().for_each(|worker| unit.workers.load(worker));
        ready.into_iter().for_each(|execution| unit.load_execution(execution));
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<usize, Again> {
        let ready: Vec<_> =
            unit.executions().map(|e| (e.id, waited_for_a_worker(unit, e))).collect();
        claim::dispatch(unit, self.loads.clone());
        let is_offered = |id| unit.execution(id).is_some_and(|e| e.status == Status::Offered);
        let offered = ready.into_iter().filter(|(id, _)| is_offered(*id));
        self.waited = offered.map(|(_, waited)| waited).collect();
        // What is at the front may be for workers that are busy: look further before giving up.
        let few =
            self.waited.len() < self.room as usize && self.seen > 0 && self.seen == self.look_at;
        if few && self.look_at < LOOK_AT_MOST {
            self.look_at = self.look_at.saturating_mul(8).min(LOOK_AT_MOST);
            return Err(Again::Here);
        }
        Ok(self.waited.len())
    }
}

/// How long an execution has been ready: its deadline for finding a worker tells when that began.
pub(super) fn waited_for_a_worker(unit: &Unit, execution: &Execution) -> Span {
    let left = execution.wake_at.unwrap_or(unit.now).since(unit.now);
    Span::from_micros(
        unit.settings.unschedulable_after.as_micros().saturating_sub(left.as_micros()),
    )
}
