//! Arming: the barrier, all its members and all their messages, in one decision or not at all.

use alloc::vec::Vec;

use super::{
    Abort, AbortReason, Barrier, BarrierKey, BarrierState, Closing, FailurePolicy, Member,
    MemberKey, Refusal,
};
use crate::id::Version;
use crate::message::MessageKey;
use crate::time::Timestamp;

/// A fan-out that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which run, and which run of it.
    pub key: BarrierKey,
    /// How many members.
    pub members: u32,
    /// What a failed member means.
    pub policy: FailurePolicy,
}

/// A new barrier with everything that must be inserted with it, in one commit: a barrier without
/// some of its messages would wait for work that was never sent.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "barrier, members and messages are inserted together"]
pub struct Armed {
    /// The barrier.
    pub barrier: Barrier,
    /// Its members, by index.
    pub members: Vec<Member>,
    /// The keys of their messages, by index.
    pub messages: Vec<MessageKey>,
    /// A barrier without members is complete at once.
    pub closing: Option<Closing>,
}

/// Arms a barrier. `previous` is the newest barrier that the run has, if any; a newer generation
/// closes it, so that nothing can complete it any more.
///
/// # Errors
/// With [`Refusal::Done`] if that generation was armed already, and with [`Refusal::Stale`] if a
/// newer one was; nothing changes then.
pub fn arm(plan: Plan, previous: Option<&mut Barrier>, now: Timestamp) -> Result<Armed, Refusal> {
    if let Some(previous) = previous {
        supersede(previous, plan.key, now)?;
    }
    let Plan { key, members, policy } = plan;
    let mut barrier = Barrier {
        key,
        version: Version(0),
        policy,
        state: BarrierState::Open,
        members,
        ended: 0,
        failed: 0,
        abort: None,
        armed_at: now,
        progressed_at: now,
        closed_at: None,
    };
    let closing = barrier.complete_if_whole(now);
    let BarrierKey { run, generation } = key;
    let keys = (0..members).map(|index| MemberKey { run, generation, index });
    Ok(Armed {
        barrier,
        members: keys.clone().map(Member::new).collect(),
        messages: keys.map(|member| member.message()).collect(),
        closing,
    })
}

fn supersede(previous: &mut Barrier, key: BarrierKey, now: Timestamp) -> Result<(), Refusal> {
    assert!(previous.key.run == key.run, "a run is superseded by itself alone");
    let current = previous.key.generation;
    if key.generation == current {
        return Err(Refusal::Done);
    }
    if key.generation < current {
        return Err(Refusal::Stale { presented: key.generation, current });
    }
    let abort = Abort { reason: AbortReason::Superseded, index: None };
    match previous.handle_abort(abort, now) {
        // The run itself has moved on; there is nobody left to tell.
        Ok(_) | Err(_) => Ok(()),
    }
}
