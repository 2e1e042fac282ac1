//! Heartbeat: a worker registers, renews its lease, and hears what it should stop.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steadfast_core::sweep::tell_worker;
use steadfast_core::unit::Unit;
use steadfast_core::worker::{Worker, WorkerInput, WorkerRefusal};
use steadfast_core::{Runtime, WorkerId, WorkerName};

use crate::drive::{self, Again, Step, drive};
use crate::port::{Env, Held, Load, StoreError, Transaction};

/// What a worker says of itself when it registers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// Its name; a process that has it already is dead from now on.
    pub name: WorkerName,
    /// What it can run.
    pub runtimes: BTreeSet<Runtime>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// How many executions it runs at once.
    pub capacity: u32,
}

/// Registers a worker process.
///
/// # Errors
/// If the store cannot be reached.
pub async fn register<E: Env>(env: &E, intro: Introduction) -> Result<WorkerId, StoreError> {
    drive(env, &mut Register { intro }).await
}

/// Renews the lease of a worker process and returns the attempts that the store thinks it has.
///
/// # Errors
/// If the store cannot be reached. The inner error says that the process may not go on.
pub async fn beat<E: Env>(
    env: &E,
    worker: &WorkerId,
) -> Result<Result<Vec<Held>, WorkerRefusal>, StoreError> {
    drive(env, &mut Beat { worker: worker.clone(), held: Vec::new() }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Register {
    intro: Introduction,
}

impl Step for Register {
    type Output = WorkerId;

    const NAME: &'static str = "register";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker(tx, unit, &self.intro.name).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<WorkerId, Again> {
        let Introduction { name, runtimes, labels, capacity } = self.intro.clone();
        if unit.workers.find(&name).is_none() {
            unit.workers.insert(Worker::new(name.clone()));
        }
        let lease = unit.settings.lease;
        let register = WorkerInput::Register { runtimes, labels, capacity, lease };
        tell_worker(unit, &name, &register).expect("any name can be registered");
        Ok(unit.worker(&name).expect("it was just registered").id())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Beat {
    worker: WorkerId,
    held: Vec<Held>,
}

impl Step for Beat {
    type Output = Result<Vec<Held>, WorkerRefusal>;

    const NAME: &'static str = "heartbeat";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker(tx, unit, &self.worker.name).await?;
        self.held = tx.held(&self.worker).await?;
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let beat = WorkerInput::Beat(self.worker.incarnation, unit.settings.lease);
        Ok(tell_worker(unit, &self.worker.name, &beat).map(|()| std::mem::take(&mut self.held)))
    }
}
