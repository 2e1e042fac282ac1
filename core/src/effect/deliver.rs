//! The decisions about the effects of a unit of work: who delivers, and what came of it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Effect, EffectInput, EffectKey, EffectState, Refusal, take};
use crate::id::FencingToken;
use crate::status::Status;
use crate::time::Span;
use crate::unit::Unit;

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It does not have it, or did not say so.
    Failed {
        /// What was wrong.
        error: String,
        /// Whether another try would fail alike.
        lasting: bool,
        /// How long the receiver wants to be left alone at the least.
        after: Option<Span>,
    },
    /// Nothing was sent: whoever was to send it had too little time left, or is stopping.
    Unsent,
}

/// Takes up to `most` of the loaded effects that are due, each to be delivered under the token that
/// it has now, within the lease.
#[must_use]
pub fn deliver(unit: &mut Unit, most: u32) -> Vec<Effect> {
    let (lease, now, entropy) = (unit.settings.effect_lease, unit.now, unit.draw());
    repeat_what_did_not_complete(unit);
    let taken = take(&mut unit.effects, most, lease, entropy, now);
    taken.iter().filter_map(|(key, _)| unit.effects.find(key)).cloned().collect()
}

/// What a guard does that knows one end only; only a planted bug makes it.
fn repeat_what_did_not_complete(unit: &mut Unit) {
    if !unit.is_planted("completed_only_guard") {
        return;
    }
    let now = unit.now;
    let over = |e: &&Effect| e.state.is_over() && e.notice.status != Status::Completed;
    let keys: Vec<EffectKey> = unit.effects.iter().filter(over).map(|e| e.key.clone()).collect();
    for key in keys {
        if let Some(effect) = unit.effects.edit(&key) {
            (effect.state, effect.wake_at) = (EffectState::Planned, Some(now));
            effect.ended_at = None;
        }
    }
}

/// Takes the word of whoever held `token` on its try.
///
/// # Errors
/// If somebody else has it by now, or it is over; nothing changes then.
pub fn settle(
    unit: &mut Unit,
    key: &EffectKey,
    presented: FencingToken,
    verdict: &Verdict,
) -> Result<EffectState, Refusal> {
    let (now, entropy) = (unit.now, unit.draw());
    let any = unit.is_planted("effect_settled_with_any_token");
    let Some(effect) = unit.effects.edit(key) else {
        return Err(Refusal::Fenced { presented, current: FencingToken(0) });
    };
    let token = if any { effect.token() } else { presented };
    let input = match verdict {
        Verdict::Delivered => EffectInput::Deliver(token),
        Verdict::Failed { error, lasting, after } => EffectInput::Fail {
            token,
            error: error.clone(),
            lasting: *lasting,
            after: *after,
            entropy,
        },
        Verdict::Unsent => EffectInput::Release(token),
    };
    effect.handle(&input, now)?;
    let state = effect.state;
    unit.hear_effect(key.clone(), presented);
    Ok(state)
}

/// Does what an operator asks for.
///
/// # Errors
/// If the effect is not there, or in no state for it.
pub fn control(
    unit: &mut Unit,
    key: &EffectKey,
    input: &EffectInput,
) -> Result<EffectState, Refusal> {
    let now = unit.now;
    let Some(effect) = unit.effects.edit(key) else { return Err(Refusal::Unknown) };
    effect.handle(input, now)?;
    Ok(effect.state)
}
