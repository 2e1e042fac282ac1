//! What a run leaves to be done outside, as a function of its final status and generation alone.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Effect, EffectKey, EffectKind, EffectState, Notice, Target, Trigger};
use crate::id::{ExecutionId, Generation, Version};
use crate::policy::RetryPolicy;
use crate::time::Timestamp;

/// An effect that was asked for when the execution was submitted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Wish {
    /// At which ends.
    pub trigger: Trigger,
    /// What.
    pub kind: EffectKind,
    /// To whom.
    pub target: Target,
}

/// The effects of a run that ended as `notice` tells, to be inserted in the commit that writes it
/// (law `effects_agree_with_the_outcome`). A status that is not final has none, and what was wished
/// for twice happens once.
///
/// `retry` and `now` are stamped on the rows and decide nothing about which there are.
#[must_use]
pub fn plan(
    (execution, generation): (ExecutionId, Generation),
    notice: &Notice,
    wishes: &[Wish],
    retry: RetryPolicy,
    now: Timestamp,
) -> Vec<Effect> {
    let status = notice.status;
    let mut wanted = BTreeSet::new();
    let fires = |wish: &&Wish| wish.trigger.fires_at(status);
    let first = |wish: &&Wish| wanted.insert((wish.kind, wish.target.clone()));
    let effect = |(index, wish): (u32, &Wish)| Effect {
        key: EffectKey { execution, generation, kind: wish.kind, target: wish.target.clone() },
        version: Version(0),
        index,
        trigger: wish.trigger,
        state: EffectState::Planned,
        sends: 0,
        failures: 0,
        retry,
        wake_at: Some(now),
        error: None,
        planned_at: now,
        ended_at: None,
        notice: notice.clone(),
    };
    (0..).zip(wishes.iter().filter(fires).filter(first)).map(effect).collect()
}
