//! Drain: a worker stops in good order. It takes nothing new and gives back what has not started;
//! what it cannot finish in time it gives up, so that nobody waits for its lease.

use serde::{Deserialize, Serialize};
use steadfast_core::claim;
use steadfast_core::sweep::{release_unstarted, tell_worker};
use steadfast_core::unit::Unit;
use steadfast_core::worker::{WorkerInput, WorkerRefusal};
use steadfast_core::{ExecutionId, FencingToken, WorkerId};

use crate::drive::{self, Again, Step, drive};
use crate::port::{Env, Load, Pointer, StoreError, Transaction};

/// The worker takes nothing new from now on and gives back what it has not started.
///
/// # Errors
/// If the store cannot be reached.
pub async fn drain<E: Env>(env: &E, worker: &WorkerId) -> Result<(), StoreError> {
    drive(env, &mut Drain { worker: worker.clone(), then: WorkerInput::Drain(worker.incarnation) })
        .await
}

/// The worker is gone. Attempts that it still has are lost and run elsewhere.
///
/// # Errors
/// If the store cannot be reached.
pub async fn leave<E: Env>(env: &E, worker: &WorkerId) -> Result<(), StoreError> {
    drive(env, &mut Drain { worker: worker.clone(), then: WorkerInput::Leave(worker.incarnation) })
        .await
}

/// The worker gives up attempts: it no longer runs them, or never will.
///
/// # Errors
/// If the store cannot be reached.
pub async fn give_up<E: Env>(
    env: &E,
    attempts: Vec<(ExecutionId, FencingToken)>,
) -> Result<(), StoreError> {
    if attempts.is_empty() {
        return Ok(());
    }
    drive(env, &mut GiveUp { attempts }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Drain {
    worker: WorkerId,
    then: WorkerInput,
}

impl Step for Drain {
    type Output = ();

    const NAME: &'static str = "drain";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker_with_attempts(tx, unit, &self.worker).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        // One that is over already, perhaps because this very word of it was heard after all, has
        // nothing to say any more; what was offered to it since is found by a sweep.
        match tell_worker(unit, &self.worker.name, &self.then) {
            Ok(()) | Err(WorkerRefusal::Done) => {}
            Err(_) => return Ok(()),
        }
        release_unstarted(unit, &self.worker);
        if matches!(self.then, WorkerInput::Leave(_)) {
            let mine = |e: &&steadfast_core::execution::Execution| {
                e.worker.as_ref() == Some(&self.worker) && e.status.has_live_attempt()
            };
            let left: Vec<_> = unit.executions().filter(mine).map(|e| (e.id, e.token())).collect();
            for (id, token) in left {
                let _ = claim::release(unit, id, token);
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct GiveUp {
    attempts: Vec<(ExecutionId, FencingToken)>,
}

impl Step for GiveUp {
    type Output = ();

    const NAME: &'static str = "give up";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let ids: Vec<ExecutionId> = self.attempts.iter().map(|(id, _)| *id).collect();
        let pointers: Vec<Pointer> = tx.pointers(&ids).await?;
        drive::executions_at(tx, unit, &pointers).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        for (id, token) in &self.attempts {
            // Refused if somebody else has taken it over meanwhile, which is as good.
            if unit.execution(*id).is_some() {
                let _ = claim::release(unit, *id, *token);
            }
        }
        Ok(())
    }
}
