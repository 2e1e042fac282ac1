//! Witness: a process beside a worker that outlives it, and says that it is dead. Nobody has to
//! wait for the lease of a worker whose witness has spoken.

use std::future::Future;

use serde::{Deserialize, Serialize};
use steadfast_core::sweep::{self, Testimony};
use steadfast_core::unit::Unit;
use steadfast_core::{Span, WorkerId};
use tracing::{info, warn};

use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, StoreError, Transaction, is_planted};

/// How long to wait before the store is told once more.
const AGAIN: Span = Span::from_millis(100);

/// For how many leases a witness goes on trying. By then everybody knows without it.
const PATIENCE: u64 = 3;

/// What a witness does once its worker is dead: it waits for `end_of_actions`, and only then gives
/// the attempts of this very process back. It ends when that was heard, or when the worker's lease
/// has said the same long since.
pub async fn bear_witness<E: Env>(
    env: &E,
    worker: &WorkerId,
    end_of_actions: impl Future<Output = ()> + Send,
) {
    if !is_planted(env, "witness_speaks_too_soon") {
        end_of_actions.await;
    }
    let until = env.now() + env.settings().lease.times(PATIENCE);
    loop {
        match testify(env, worker).await {
            Ok(Testimony { heard, freed }) => {
                let freed = freed.len();
                info!(%worker, ?heard, freed, "the worker is dead; its attempts are given back");
                env.count(Counter::RescuesWorkerLost, freed as u64);
                return;
            }
            Err(error) if env.now() < until => warn!(%error, "the witness was not heard"),
            Err(error) => {
                warn!(%error, "the witness gives up; the worker's lease has ended by itself");
                return;
            }
        }
        env.sleep(AGAIN).await;
    }
}

/// Says that this very worker process is dead, and that nothing that it ran is left.
///
/// # Errors
/// If the store cannot be reached.
pub async fn testify<E: Env>(env: &E, worker: &WorkerId) -> Result<Testimony, StoreError> {
    drive(env, &mut Testify { worker: worker.clone() }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Testify {
    worker: WorkerId,
}

impl Step for Testify {
    type Output = Testimony;

    const NAME: &'static str = "testify";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        // Its lock keeps anything from being begun in the worker's name meanwhile.
        drive::worker_with_attempts(tx, unit, &self.worker).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Testimony, Again> {
        Ok(sweep::testify(unit, &self.worker))
    }
}
