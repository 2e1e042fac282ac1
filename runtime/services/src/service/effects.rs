//! Effects: tell the outside world what was planned with an end. Any number of executors may do it.
//!
//! An effect is taken under a lease and a token, told, and settled by a compare-and-set on that
//! token. Whoever dies in between is taken over when its lease is over: the receiver may hear the
//! same twice, under one idempotency key, and the ledger says it once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use steadfast_core::effect::{
    self, Effect, EffectInput, EffectKey, EffectState, GENERATION, Refusal, Verdict,
};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, FencingToken, Span, Timestamp};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::drive::{Again, Step, drive};
use crate::port::{
    Counter, Courier, EffectFilter, Env, Load, Query, StoreError, Transaction, is_planted,
};

/// How many tries a process has under way at the most: a receiver that is slow holds up so many.
const AT_ONCE: usize = 64;

/// Delivers what is due until `stop` is cancelled: as soon as this process knows of it, and at the
/// interval whatever it knows.
pub(crate) async fn deliver_until<E: Env>(env: &E, stop: &CancellationToken) {
    let desk = Desk { room: Arc::new(Semaphore::new(AT_ONCE)), stop: stop.clone() };
    while !stop.is_cancelled() {
        env.effect_alarm().heed(env.now());
        match desk.deliver_some(env).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => {
                warn!(%error, "no effects are delivered; trying again");
                env.sleep(Span::from_millis(200)).await;
            }
        }
        env.effect_alarm().wait(env, stop).await;
    }
}

struct Desk {
    room: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Desk {
    /// Takes what is due and there is room for, and lets each be told beside the others. Whether
    /// there may be more.
    async fn deliver_some<E: Env>(&self, env: &E) -> Result<bool, StoreError> {
        let Ok(free) = self.room.acquire().await else { return Ok(false) };
        drop(free);
        let most = self.room.available_permits().min(env.batch_size()).max(1);
        let most = u32::try_from(most).unwrap_or(1);
        // By this process's own clock, begun before the store's: the lease ends later than this says.
        let until = env.now() + env.settings().effect_lease;
        let mut step = Take { most, taken: Vec::new() };
        let taken = match drive(env, &mut step).await {
            Ok(taken) => taken,
            Err(_) if is_planted(env, "guard_fails_open") => step.taken,
            Err(error) => return Err(error),
        };
        let more = taken.len() == most as usize;
        for effect in taken {
            let Ok(place) = Arc::clone(&self.room).acquire_owned().await else { break };
            let (inner, stop) = (env.clone(), self.stop.clone());
            env.spawn("effect", async move {
                tell(&inner, &effect, until, &stop).await;
                drop(place);
            });
        }
        Ok(more)
    }
}

/// One try, and its settling.
async fn tell<E: Env>(env: &E, effect: &Effect, until: Timestamp, stop: &CancellationToken) {
    let late = env.now() + env.courier().patience() > until;
    let verdict = if late || stop.is_cancelled() {
        Verdict::Unsent
    } else if is_planted(env, "effect_settled_without_sending") {
        Verdict::Delivered
    } else {
        env.courier().deliver(effect).await
    };
    let (key, token) = (effect.key.clone(), effect.token());
    let (execution, index) = (key.execution, effect.index);
    let mut step = Settle { key, token, verdict };
    match drive(env, &mut step).await {
        Ok(Ok(state)) => {
            note(env, effect, state, &step.verdict);
            // A failed try is due again at a time that this process knows of.
            if state == EffectState::Planned {
                env.effect_alarm().set(env.now() + effect.retry.delay);
            }
        }
        // An answer that was lost: it is written already.
        Ok(Err(Refusal::Done)) => note(env, effect, EffectState::Delivered, &step.verdict),
        Ok(Err(refusal)) => {
            env.count(Counter::FencedWrites, 1);
            debug!(%execution, index, %refusal, "the word on a try came too late");
        }
        // Its lease ends, and somebody tells it again.
        Err(error) => warn!(%error, %execution, index, "what came of an effect is not written"),
    }
}

/// Counts and logs. The address may be a secret and is not logged.
fn note<E: Env>(env: &E, effect: &Effect, state: EffectState, verdict: &Verdict) {
    let (execution, index) = (effect.key.execution, effect.index);
    match (state, verdict) {
        (EffectState::Delivered, _) => {
            env.count(Counter::EffectsDelivered, 1);
            debug!(%execution, index, "an effect was delivered");
        }
        (EffectState::GaveUp, Verdict::Failed { error, .. }) => {
            env.count(Counter::EffectsGivenUp, 1);
            warn!(%execution, index, error, "an effect was given up");
        }
        (_, Verdict::Failed { error, .. }) => {
            env.count(Counter::EffectTriesFailed, 1);
            info!(%execution, index, error, "an effect was not delivered; it is tried again");
        }
        _ => {}
    }
}

/// Takes effects that are due.
#[derive(Serialize, Deserialize)]
pub(crate) struct Take {
    most: u32,
    /// What was taken, whether or not it was committed: for a bug that does not wait for that.
    #[serde(skip)]
    taken: Vec<Effect>,
}

impl Step for Take {
    type Output = Vec<Effect>;

    const NAME: &'static str = "take effects";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        for effect in tx.due_effects(unit.now, self.most).await? {
            unit.effects.load(effect);
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        let taken = effect::deliver(unit, self.most);
        if unit.is_planted("guard_fails_open") {
            self.taken.clone_from(&taken);
        }
        Ok(taken)
    }
}

/// Writes down what came of a try.
#[derive(Serialize, Deserialize)]
pub(crate) struct Settle {
    key: EffectKey,
    token: FencingToken,
    verdict: Verdict,
}

impl Step for Settle {
    type Output = Result<EffectState, Refusal>;

    const NAME: &'static str = "settle effect";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        for effect in tx.effects(std::slice::from_ref(&self.key)).await? {
            unit.effects.load(effect);
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(effect::settle(unit, &self.key, self.token, &self.verdict))
    }
}

/// Which effect of an execution: its place in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose.
    pub execution: ExecutionId,
    /// Which.
    pub index: u32,
}

/// Does what an operator asks for. `None` if there is no such effect.
///
/// # Errors
/// If the store cannot be reached.
pub async fn control<E: Env>(
    env: &E,
    place: Place,
    input: EffectInput,
) -> Result<Option<Result<Effect, Refusal>>, StoreError>
where
    E::Store: Query,
{
    let Some(effect) = find(env.store(), place).await? else { return Ok(None) };
    let done = drive(env, &mut Control { key: effect.key, input }).await?;
    match done {
        Ok(_) => {
            env.effect_alarm().set(env.now());
            Ok(find(env.store(), place).await?.map(Ok))
        }
        Err(Refusal::Unknown) => Ok(None),
        Err(refusal) => Ok(Some(Err(refusal))),
    }
}

/// The effect in this place.
///
/// # Errors
/// If the store cannot be reached.
pub async fn find<Q: Query>(store: &Q, place: Place) -> Result<Option<Effect>, StoreError> {
    let filter = EffectFilter {
        execution: Some(place.execution),
        limit: u32::MAX >> 1,
        ..EffectFilter::default()
    };
    let all = store.effects(&filter).await?;
    Ok(all.into_iter().find(|e| e.index == place.index && e.key.generation == GENERATION))
}

/// What an operator asks for.
#[derive(Serialize, Deserialize)]
pub(crate) struct Control {
    key: EffectKey,
    input: EffectInput,
}

impl Step for Control {
    type Output = Result<EffectState, Refusal>;

    const NAME: &'static str = "control effect";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        for effect in tx.effects(std::slice::from_ref(&self.key)).await? {
            unit.effects.load(effect);
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(effect::control(unit, &self.key, &self.input))
    }
}
