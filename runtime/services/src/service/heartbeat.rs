//! Heartbeat: a worker registers, renews its lease, and hears what it should stop.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use steadfast_core::sweep::tell_worker;
use steadfast_core::unit::Unit;
use steadfast_core::worker::{Worker, WorkerInput, WorkerRefusal};
use steadfast_core::{Incarnation, Runtime, WorkerId, WorkerName};

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
    let registered = drive(env, &mut Register { intro, former: None }).await?;
    Ok(registered.expect("nobody is in the way of a new process"))
}

/// Registers the process again that was `former` and has lost its lease.
///
/// # Errors
/// If the store cannot be reached. The inner error says that somebody else has the name now.
pub async fn register_again<E: Env>(
    env: &E,
    intro: Introduction,
    former: &WorkerId,
) -> Result<Result<WorkerId, WorkerRefusal>, StoreError> {
    drive(env, &mut Register { intro, former: Some(former.incarnation) }).await
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
    former: Option<Incarnation>,
}

impl Step for Register {
    type Output = Result<WorkerId, WorkerRefusal>;

    const NAME: &'static str = "register";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker(tx, unit, &self.intro.name).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let Introduction { name, runtimes, labels, capacity } = self.intro.clone();
        if unit.workers.find(&name).is_none() {
            unit.workers.insert(Worker::new(name.clone()));
        }
        let lease = unit.settings.lease;
        let former = self.former;
        let register = WorkerInput::Register { former, runtimes, labels, capacity, lease };
        let told = tell_worker(unit, &name, &register);
        Ok(told.map(|()| unit.worker(&name).expect("it was just registered").id()))
    }

    fn doubt(&mut self) {
        // It may have registered all the same, and would be in its own way.
        self.former = None;
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
