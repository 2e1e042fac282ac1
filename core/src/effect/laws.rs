//! The laws of effects as predicates.

use alloc::collections::BTreeSet;

use super::{Effect, EffectInput, EffectState, Wish};
use crate::id::{FencingToken, Generation};
use crate::status::Status;
use crate::time::Timestamp;
use crate::violation::{Violation, demand};

/// One change of one effect: what it was told, and what came of that.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The row before.
    pub before: &'a Effect,
    /// What it was told.
    pub input: &'a EffectInput,
    /// Whether the teller was told that it was done.
    pub accepted: bool,
    /// The row after.
    pub after: &'a Effect,
    /// When.
    pub now: Timestamp,
}

/// Laws `an_effect_settles_once` and `no_sweep_fails_healthy_work`, over one change: only the valid sender settles, what is settled
/// stays so, and the receiver always sees the same key.
///
/// # Errors
/// If an effect settled twice or by somebody else's word, or a sender's time was cut short.
pub fn check(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, accepted, after, now } = change;
    let key = &before.key;
    demand!(*accepted || before == after, S12, "{key} changed although it refused {input:?}");
    let revived = *accepted && matches!(input, EffectInput::Revive);
    demand!(!revived || before.state == EffectState::GaveUp, S12, "{key} was revived");
    let over = before.state.is_over() && !revived;
    demand!(!over || (before == after && !accepted), S12, "{key} was {} twice", before.state);
    let same = before.key.idempotency_key() == after.key.idempotency_key();
    demand!(same, S12, "{key} is now sent as {}", after.key);
    if let Some(presented) = token_of(input) {
        let holds = before.state == EffectState::Sending && presented == before.token();
        demand!(!accepted || holds, S12, "{key} obeyed {presented}, {} held it", before.token());
    }
    let sent = *accepted && matches!(input, EffectInput::Send(_));
    let token = FencingToken(before.token().0 + u64::from(sent));
    demand!(after.token() == token, S12, "{key} went from {} to {token}", before.token());
    let vacant = before.state == EffectState::Planned;
    demand!(!sent || vacant, S12, "{key} has a second sender while {}", before.state);
    let expired = *accepted && matches!(input, EffectInput::Expire { .. });
    let early = before.wake_at.is_none_or(|at| *now < at);
    demand!(!expired || !early, S20, "{key} was taken from its sender before its time");
    let delivers = !over && after.state == EffectState::Delivered;
    let told = matches!(input, EffectInput::Deliver(_));
    demand!(!delivers || told, S12, "{key} is delivered by {input:?}");
    Ok(())
}

/// Law `an_effect_settles_once`, over a snapshot.
///
/// # Errors
/// If a key or a place in a plan is there twice.
pub fn unique<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Result<(), Violation> {
    let (mut keys, mut places) = (BTreeSet::new(), BTreeSet::new());
    for effect in effects {
        demand!(keys.insert(&effect.key), S12, "{} is there twice", effect.key);
        let place = (effect.key.execution, effect.key.generation, effect.index);
        demand!(places.insert(place), S12, "{} shares its place in the plan", effect.key);
    }
    Ok(())
}

/// Law `effects_agree_with_the_outcome`, over a snapshot of the effects of one execution, its
/// status and its generation.
///
/// # Errors
/// If an effect was planned before the end, for another end or by another generation.
pub fn agree<'a>(
    status: Status,
    generation: Generation,
    effects: impl IntoIterator<Item = &'a Effect>,
) -> Result<(), Violation> {
    for effect in effects {
        let key = &effect.key;
        // An older generation may have ended as well, with effects of its own.
        demand!(key.generation <= generation, S13, "{key} comes from a generation to be");
        if key.generation < generation {
            continue;
        }
        demand!(status.is_terminal(), S13, "{key} is planned and the run is {status}");
        let fires = effect.trigger.fires_at(status);
        demand!(fires, S13, "{key} (if {}) is planned and the run is {status}", effect.trigger);
    }
    Ok(())
}

/// Law `effects_agree_with_the_outcome`, over the commit that ends a generation of a run: every
/// effect that was wished for at such an end is in the ledger from then on. If it came with a
/// later commit, a crash in between would leave it out for ever.
///
/// # Errors
/// If one is missing.
pub fn whole<'a>(
    status: Status,
    generation: Generation,
    wishes: &[Wish],
    effects: impl IntoIterator<Item = &'a Effect>,
) -> Result<(), Violation> {
    let planned: BTreeSet<_> = effects
        .into_iter()
        .filter(|effect| effect.key.generation == generation)
        .map(|effect| (effect.key.kind, &effect.key.target))
        .collect();
    for wish in wishes.iter().filter(|wish| wish.trigger.fires_at(status)) {
        let (kind, target) = (wish.kind, &wish.target);
        let there = planned.contains(&(kind, target));
        demand!(there, S13, "the run is {status} and {kind} to {target} is not planned");
    }
    Ok(())
}

/// The token that an input presents.
#[must_use]
pub const fn token_of(input: &EffectInput) -> Option<FencingToken> {
    match input {
        EffectInput::Deliver(token)
        | EffectInput::Release(token)
        | EffectInput::Fail { token, .. } => Some(*token),
        EffectInput::Send(_)
        | EffectInput::Expire { .. }
        | EffectInput::Abandon(_)
        | EffectInput::Revive => None,
    }
}
