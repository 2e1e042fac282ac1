//! The laws of effects as predicates.

use alloc::collections::BTreeSet;

use super::{Effect, EffectInput, EffectState};
use crate::id::{FencingToken, Generation};
use crate::status::Status;
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
}

/// Law `an_effect_settles_once`, over one change: only the valid sender settles, what is settled
/// stays so, and the receiver always sees the same key.
///
/// # Errors
/// If an effect settled twice or by somebody else's word.
pub fn check(change: &Change<'_>) -> Result<(), Violation> {
    let Change { before, input, accepted, after } = change;
    let key = &before.key;
    demand!(*accepted || before == after, S12, "{key} changed although it refused {input:?}");
    let over = matches!(before.state, EffectState::Delivered | EffectState::GaveUp);
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

/// The token that an input presents.
#[must_use]
pub const fn token_of(input: &EffectInput) -> Option<FencingToken> {
    match input {
        EffectInput::Deliver(token)
        | EffectInput::Release(token)
        | EffectInput::Fail { token, .. } => Some(*token),
        EffectInput::Send(_) | EffectInput::Expire { .. } | EffectInput::Abandon(_) => None,
    }
}
