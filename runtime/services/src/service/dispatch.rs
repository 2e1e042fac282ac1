//! Dispatch: where workers do not come for their work, choose one for each ready execution.

use std::collections::BTreeSet;

use steadfast_core::claim;
use steadfast_core::unit::Unit;
use steadfast_core::{Runtime, WorkerId};

use crate::drive::{Again, Step, drive};
use crate::port::{Env, Load, StoreError, Transaction};

/// Offers up to `limit` ready executions to the least loaded eligible workers.
///
/// # Errors
/// If the store cannot be reached.
pub async fn dispatch<E: Env>(env: &E, limit: u32) -> Result<(), StoreError> {
    drive(env, &mut Dispatch { limit, loads: Vec::new() }).await
}

struct Dispatch {
    limit: u32,
    loads: Vec<(WorkerId, u32)>,
}

impl Step for Dispatch {
    type Output = ();

    const NAME: &'static str = "dispatch";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.loads.clear();
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

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        claim::dispatch(unit, self.loads.clone());
        Ok(())
    }
}
