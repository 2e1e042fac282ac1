//! The laws of barriers as predicates.

use alloc::collections::{BTreeMap, BTreeSet};

use super::{Armed, Barrier, BarrierKey, BarrierState, FailurePolicy, Member, MemberState};
use crate::id::ExecutionId;
use crate::message::{Kind, MessageKey};
use crate::violation::{Violation, demand};

/// Law `a_barrier_fires_once_with_every_member`, over a snapshot of a barrier and all its members:
/// the counts are what counting gives, and it is complete exactly when every index has ended.
///
/// # Errors
/// If they disagree.
pub fn check<'a>(
    barrier: &Barrier,
    members: impl IntoIterator<Item = &'a Member>,
) -> Result<(), Violation> {
    let (key, state) = (barrier.key, barrier.state);
    let (mut over, mut failed, mut indexes) = (0, 0, BTreeSet::new());
    for member in members.into_iter().filter(|member| member.key.barrier() == key) {
        let index = member.key.index;
        demand!(index < barrier.members, S18, "{key} has {} members, not {index}", barrier.members);
        demand!(indexes.insert(index), S18, "{key} has two members {index}");
        over += u32::from(member.is_over());
        failed += u32::from(member.state == MemberState::Failed);
    }
    let all = indexes.len() == barrier.members as usize;
    demand!(all, S17, "{key} has {} of {} members", indexes.len(), barrier.members);
    let counted = (barrier.ended, barrier.failed) == (over, failed);
    demand!(counted, S18, "{key} counts {}, and {over} members ended", barrier.ended);
    let whole = over == barrier.members;
    match state {
        BarrierState::Open => demand!(!whole, S18, "{key} waits and every member has ended"),
        BarrierState::Complete => demand!(whole, S18, "{key} fired after {over} members"),
        BarrierState::Aborted => demand!(barrier.abort.is_some(), S18, "{key} has no reason"),
    }
    let fast = barrier.policy == FailurePolicy::FailFast && failed > 0;
    demand!(!fast || state == BarrierState::Aborted, S18, "{key} is {state} after a failure");
    Ok(())
}

/// Law `a_barrier_fires_once_with_every_member`, over the continuations inserted so far.
///
/// # Errors
/// If a barrier was continued twice, or one that was not complete.
pub fn continued_once<'a>(
    inserted: impl IntoIterator<Item = &'a MessageKey>,
    barriers: &BTreeMap<BarrierKey, Barrier>,
) -> Result<(), Violation> {
    let mut continued = BTreeSet::new();
    for message in inserted.into_iter().filter(|message| message.kind == Kind::Continue) {
        let key = BarrierKey { run: message.execution, generation: message.generation };
        demand!(continued.insert(key), S18, "{key} was continued twice");
        let complete = barriers.get(&key).is_some_and(|b| b.state == BarrierState::Complete);
        demand!(complete, S18, "{key} was continued and is not complete");
    }
    for (key, _) in barriers.iter().filter(|(_, b)| b.state == BarrierState::Complete) {
        demand!(continued.contains(key), S18, "{key} is complete and was not continued");
    }
    Ok(())
}

/// Law `a_barrier_fires_once_with_every_member`, over one change of a member: its first end is its
/// last.
///
/// # Errors
/// If an ended member changed.
pub fn ended_once(before: &Member, after: &Member) -> Result<(), Violation> {
    demand!(!before.is_over() || before == after, S18, "{} ended twice", before.key);
    Ok(())
}

/// Law `a_barrier_fires_once_with_every_member`, over all barriers: only the newest generation of
/// a run is open.
///
/// # Errors
/// If an older one is.
pub fn newest_alone_is_open<'a>(
    barriers: impl IntoIterator<Item = &'a Barrier> + Clone,
) -> Result<(), Violation> {
    let mut newest: BTreeMap<ExecutionId, BarrierKey> = BTreeMap::new();
    for barrier in barriers.clone() {
        let key = newest.entry(barrier.key.run).or_insert(barrier.key);
        *key = barrier.key.max(*key);
    }
    for barrier in barriers.into_iter().filter(|b| b.state == BarrierState::Open) {
        let newer = newest.get(&barrier.key.run).filter(|newest| **newest != barrier.key);
        demand!(newer.is_none(), S18, "{} is open beside {newer:?}", barrier.key);
    }
    Ok(())
}

/// Law `a_fan_out_is_whole_and_keeps_its_window`, over what is about to be inserted: one member
/// and one message for each index.
///
/// # Errors
/// If one is missing or foreign.
pub fn armed_whole(armed: &Armed) -> Result<(), Violation> {
    let key = armed.barrier.key;
    let wanted: BTreeSet<MessageKey> = (0..armed.barrier.members)
        .map(|index| MessageKey::member(key.run, key.generation, index))
        .collect();
    let members: BTreeSet<MessageKey> = armed.members.iter().map(|m| m.key.message()).collect();
    let messages: BTreeSet<MessageKey> = armed.messages.iter().copied().collect();
    demand!(members == wanted, S17, "{key} is armed with {} members", members.len());
    demand!(messages == wanted, S17, "{key} is armed with {} messages", messages.len());
    Ok(())
}
