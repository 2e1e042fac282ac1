//! Dead letters: offers that lay with a worker for so long that the broker gave them up are taken
//! back, if their worker is over or their time has come. A sweep would do the same; this only saves
//! time. A healthy worker gives back by itself what it knows nothing of, so its offers are let be.

use serde::{Deserialize, Serialize};
use steadfast_core::decision::Message;
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, FencingToken, sweep};
use tracing::info;

use super::HandleHints;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Delivery, Env, Load, StoreError, Transaction};

/// Takes hints of [`crate::port::Topic::Dead`].
#[derive(Clone, Copy, Debug)]
pub struct DeadLetters;

impl HandleHints for DeadLetters {
    async fn handle<E: Env>(&self, env: &E, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let offers = deliveries.iter().filter_map(|delivery| match &delivery.message {
            Message::Offer { execution, token, .. } => Some((*execution, *token)),
            // Whoever is to stop an attempt looks for that by itself, and the sweep ends it.
            _ => None,
        });
        let offers = offers.collect();
        take_back(env, offers).await?;
        env.count(Counter::DeadLetters, deliveries.len() as u64);
        Ok(())
    }
}

/// Takes back those of `offers` that are still on offer under their tokens and that nobody will take.
///
/// # Errors
/// If the store cannot be reached.
pub async fn take_back<E: Env>(
    env: &E,
    offers: Vec<(ExecutionId, FencingToken)>,
) -> Result<(), StoreError> {
    if offers.is_empty() {
        return Ok(());
    }
    let taken = drive(env, &mut TakeBack { offers }).await?;
    env.count(Counter::RescuesDeadLetter, taken.len() as u64);
    for execution in taken {
        info!(%execution, "its worker left its offer lying; somebody else shall have it");
    }
    Ok(())
}

#[derive(Serialize, Deserialize)]
pub(crate) struct TakeBack {
    offers: Vec<(ExecutionId, FencingToken)>,
}

impl Step for TakeBack {
    /// Which were taken back.
    type Output = Vec<ExecutionId>;

    const NAME: &'static str = "take back";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let ids: Vec<ExecutionId> = self.offers.iter().map(|(id, _)| *id).collect();
        let pointers = tx.pointers(&ids).await?;
        drive::executions_at(tx, unit, &pointers).await?;
        drive::workers(tx, unit).await
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Vec<ExecutionId>, Again> {
        let is_back = |(id, token): &&(ExecutionId, FencingToken)| {
            sweep::take_back(unit, *id, *token).is_ok()
        };
        Ok(self.offers.iter().filter(is_back).map(|(id, _)| *id).collect())
    }
}
