//! What a barrier may be told, and what becomes of it.

use alloc::vec::Vec;

use super::{
    Abort, AbortReason, Barrier, BarrierState, Closing, FailurePolicy, Member, MemberKey,
    MemberOutcome, MemberState, TRANSITIONS,
};
use crate::id::Generation;
use crate::message::{Kind, MessageKey};
use crate::table;
use crate::time::Timestamp;
use crate::unit::Rows;

/// What a barrier is told.
#[derive(Clone, Debug, PartialEq)]
pub enum BarrierInput {
    /// A member has ended.
    Settle(MemberKey, MemberOutcome),
    /// It will not be waited for.
    Abort(AbortReason),
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is closed; late members change nothing.
    #[error("the barrier is {0}")]
    Closed(BarrierState),
    /// It still waits for members.
    #[error("the barrier waits for {0} members")]
    Waiting(u32),
    /// News of another generation of the run.
    #[error("{presented} is not the current generation, {current} is")]
    Stale {
        /// Of the news.
        presented: Generation,
        /// Of the barrier.
        current: Generation,
    },
    /// It has no such member, or the member's row is not there.
    #[error("there is no member {0}")]
    NoSuchMember(MemberKey),
    /// It has been done already: a member's first end counts.
    #[error("it has been done already")]
    Done,
}

impl Barrier {
    /// Applies `input`. Of the members only the one concerned must be loaded. When the barrier
    /// closes, the answer is what must be done in the same decision.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; no row is touched then.
    pub fn handle(
        &mut self,
        members: &mut Rows<Member>,
        input: &BarrierInput,
        now: Timestamp,
    ) -> Result<Option<Closing>, Refusal> {
        match input {
            BarrierInput::Settle(key, outcome) => self.settle(members, *key, outcome, now),
            BarrierInput::Abort(reason) => {
                self.handle_abort(Abort { reason: *reason, index: None }, now).map(Some)
            }
        }
    }

    fn settle(
        &mut self,
        members: &mut Rows<Member>,
        key: MemberKey,
        outcome: &MemberOutcome,
        now: Timestamp,
    ) -> Result<Option<Closing>, Refusal> {
        if key.barrier() != self.key {
            let (presented, current) = (key.generation, self.key.generation);
            return Err(Refusal::Stale { presented, current });
        }
        let member = members.find(&key).ok_or(Refusal::NoSuchMember(key))?;
        if member.is_over() {
            return Err(Refusal::Done);
        }
        if self.state != BarrierState::Open {
            return Err(Refusal::Closed(self.state));
        }
        let member = members.edit(&key).ok_or(Refusal::NoSuchMember(key))?;
        member.end(outcome.clone(), now);
        // The counts move only here, together with the row that was just changed.
        self.ended += 1;
        self.progressed_at = now;
        if member.state == MemberState::Failed {
            self.failed += 1;
            if self.policy == FailurePolicy::FailFast {
                let reason = AbortReason::MemberFailed;
                let abort = Abort { reason, index: Some(key.index) };
                return self.handle_abort(abort, now).map(Some);
            }
        }
        Ok(self.complete_if_whole(now))
    }

    pub(super) fn handle_abort(
        &mut self,
        abort: Abort,
        now: Timestamp,
    ) -> Result<Closing, Refusal> {
        match self.state {
            BarrierState::Open => {}
            BarrierState::Aborted => return Err(Refusal::Done),
            BarrierState::Complete => return Err(Refusal::Closed(self.state)),
        }
        self.abort = Some(abort);
        self.close(BarrierState::Aborted, now);
        Ok(Closing::Abort(self.key, abort))
    }

    pub(super) fn complete_if_whole(&mut self, now: Timestamp) -> Option<Closing> {
        if self.ended < self.members {
            return None;
        }
        self.close(BarrierState::Complete, now);
        let (run, generation) = (self.key.run, self.key.generation);
        Some(Closing::Continue(MessageKey::single(Kind::Continue, run, generation)))
    }

    /// The members of a complete barrier, by index, whatever order they ended in and are given in.
    ///
    /// # Errors
    /// If the barrier is not complete, or a member is missing or has not ended.
    pub fn results<'a>(
        &self,
        members: impl IntoIterator<Item = &'a Member>,
    ) -> Result<Vec<&'a Member>, Refusal> {
        match self.state {
            BarrierState::Complete => {}
            BarrierState::Open => return Err(Refusal::Waiting(self.members - self.ended)),
            BarrierState::Aborted => return Err(Refusal::Closed(self.state)),
        }
        let own = |member: &&Member| member.key.barrier() == self.key && member.is_over();
        let mut results: Vec<&Member> = members.into_iter().filter(own).collect();
        results.sort_unstable_by_key(|member| member.key.index);
        results.dedup_by_key(|member| member.key.index);
        for index in 0..self.members {
            let found = results.get(index as usize).is_some_and(|m| m.key.index == index);
            if !found {
                let (run, generation) = (self.key.run, self.key.generation);
                return Err(Refusal::NoSuchMember(MemberKey { run, generation, index }));
            }
        }
        results.truncate(self.members as usize);
        Ok(results)
    }

    fn close(&mut self, to: BarrierState, now: Timestamp) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        self.closed_at = Some(now);
    }
}
