//! Admit: let waiters through where a decision could not see the whole line.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::QueueKey;
use steadfast_core::decision::Message;
use steadfast_core::unit::Unit;

use super::HandleHints;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Delivery, Env, Load, StoreError, Transaction};

/// Takes hints of [`crate::port::Topic::Admit`].
#[derive(Clone, Copy, Debug)]
pub struct Admitter;

impl HandleHints for Admitter {
    async fn handle<E: Env>(&self, env: &E, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let queues = deliveries.iter().filter_map(|delivery| match &delivery.message {
            Message::Admit(queue) => Some(queue.clone()),
            _ => None,
        });
        admit(env, queues.collect()).await
    }
}

/// Lets through whoever there is room for in `queues`.
///
/// # Errors
/// If the store cannot be reached.
pub async fn admit<E: Env>(env: &E, queues: BTreeSet<QueueKey>) -> Result<(), StoreError> {
    drive(env, &mut Admit { queues }).await
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Admit {
    queues: BTreeSet<QueueKey>,
}

impl Step for Admit {
    type Output = ();

    const NAME: &'static str = "admit";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        drive::queues(tx, unit, &self.queues, 256).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<(), Again> {
        for queue in &self.queues {
            if unit.queues.find(queue).is_some() {
                unit.promote(queue);
            }
        }
        Ok(())
    }
}
