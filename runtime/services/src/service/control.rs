//! Control: what operators ask for.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::execution::Refusal;
use steadfast_core::queue::{LimitOverride, Occupancy};
use steadfast_core::sweep::tell_worker;
use steadfast_core::unit::Unit;
use steadfast_core::worker::{WorkerInput, WorkerRefusal};
use steadfast_core::{ActionRef, ExecutionId, QueueKey, Status, WorkerName, admission};

use crate::drive::{self, Again, Step, drive};
use crate::port::{Env, Load, StoreError, Transaction};

/// Cancels an execution. `None` if there is none with this identity.
///
/// # Errors
/// If the store cannot be reached. The inner error says that it is over or was asked before.
pub async fn cancel<E: Env>(
    env: &E,
    id: ExecutionId,
) -> Result<Option<Result<Status, Refusal>>, StoreError> {
    drive(env, &mut Cancel { id }).await
}

/// What an operator does to the queues of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueueChange {
    /// Sets or lifts the operator's limit.
    Limit(Option<LimitOverride>),
    /// Takes over the limit of the action's definition.
    Declare(Option<u32>),
    /// Stops or resumes admission.
    Pause(bool),
}

/// Changes all queues of an action; its own is created if it has none yet.
///
/// # Errors
/// If the store cannot be reached.
pub async fn change_queues<E: Env>(
    env: &E,
    action: &ActionRef,
    declared_limit: Option<u32>,
    change: QueueChange,
) -> Result<(), StoreError> {
    let step =
        &mut ChangeQueues { action: action.clone(), declared_limit, change, keys: BTreeSet::new() };
    drive(env, step).await
}

/// Tells a worker something. `None` if there is none of this name.
///
/// # Errors
/// If the store cannot be reached. The inner error says that the worker refused.
pub async fn tell<E: Env>(
    env: &E,
    name: &WorkerName,
    input: WorkerInput,
) -> Result<Option<Result<(), WorkerRefusal>>, StoreError> {
    drive(env, &mut Tell { name: name.clone(), input }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Cancel {
    id: ExecutionId,
}

impl Step for Cancel {
    type Output = Option<Result<Status, Refusal>>;

    const NAME: &'static str = "cancel";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let pointers = tx.pointers(&[self.id]).await?;
        drive::executions_at(tx, unit, &pointers).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(unit.execution(self.id).is_some().then(|| admission::cancel(unit, self.id)))
    }
}

/// How many waiters of each queue a change lets through at the most; a hint asks for the others.
const HEADS: usize = 256;

#[derive(Serialize, Deserialize)]
pub(crate) struct ChangeQueues {
    action: ActionRef,
    declared_limit: Option<u32>,
    change: QueueChange,
    keys: BTreeSet<QueueKey>,
}

impl Step for ChangeQueues {
    type Output = ();

    const NAME: &'static str = "change queues";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        self.keys = tx.queues_of(&self.action).await?.into_iter().collect();
        self.keys.insert(QueueKey::of(&self.action, None));
        drive::queues(tx, unit, &self.keys, HEADS).await?;
        // A queue that is unlimited now may get a limit: what holds its slots must be known.
        let keys: Vec<QueueKey> = self.keys.iter().cloned().collect();
        for (key, counted) in tx.occupancy(&keys, &self.keys, 0).await? {
            let Occupancy { waiting, horizon, .. } = unit.occupancy(&key);
            unit.load_occupancy(key, Occupancy { waiting, horizon, ..counted });
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        for key in &self.keys {
            admission::open(unit, key, self.declared_limit);
            match self.change {
                QueueChange::Limit(limit) => admission::limit(unit, key, limit),
                QueueChange::Declare(limit) => admission::declare_limit(unit, key, limit),
                QueueChange::Pause(paused) => admission::pause(unit, key, paused),
            }
        }
        Ok(())
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Tell {
    name: WorkerName,
    input: WorkerInput,
}

impl Step for Tell {
    type Output = Option<Result<(), WorkerRefusal>>;

    const NAME: &'static str = "tell worker";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::worker(tx, unit, &self.name).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let known = unit.worker(&self.name).is_some();
        Ok(known.then(|| tell_worker(unit, &self.name, &self.input)))
    }
}
