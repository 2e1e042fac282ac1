//! Dispatch: where workers do not come for their work, choose one for each ready execution.

use std::collections::BTreeSet;

use steadfast_core::claim;
use steadfast_core::unit::Unit;
use steadfast_core::{Runtime, Status, WorkerId};

use super::HandleHints;
use crate::drive::{Again, Step, drive};
use crate::port::{Delivery, Env, Load, StoreError, Transaction};

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
    let mut step = Dispatch { limit, loads: Vec::new() };
    // A full batch says that there may be more.
    while drive(env, &mut step).await? == limit as usize {}
    Ok(())
}

struct Dispatch {
    limit: u32,
    loads: Vec<(WorkerId, u32)>,
}

impl Step for Dispatch {
    /// How many were offered.
    type Output = usize;

    const NAME: &'static str = "dispatch";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.loads.clear();
        // Not locked: a worker that hangs while it holds its row must not keep the others from
        // getting work. An offer to one that has died or filled up meanwhile comes back.
        let workers = tx.workers(None).await?;
        let runtimes: BTreeSet<Runtime> =
            workers.iter().filter(|w| w.takes_work()).flat_map(|w| w.runtimes.clone()).collect();
        for worker in workers {
            let held = tx.held(&worker.id()).await?;
            self.loads.push((worker.id(), u32::try_from(held.len()).unwrap_or(u32::MAX)));
            unit.workers.load(worker);
        }
        for execution in tx.ready(&runtimes, self.limit).await? {
            unit.load_execution(execution);
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<usize, Again> {
        claim::dispatch(unit, self.loads.clone());
        Ok(unit.executions().filter(|e| e.status == Status::Offered).count())
    }
}
