//! The orchestration claim: who plans and fans out a run.
//!
//! One claim for each (execution, generation). Being held is a lease; done is a tombstone, a
//! column that lives and dies with the execution. The two are told apart strictly: whoever finds
//! the claim held must come again later, because its holder may be dead; only done lets a message
//! be acknowledged ([`settle`]).

pub mod laws;
#[cfg(test)]
mod tests;

use alloc::string::String;

use serde::{Deserialize, Serialize};

use crate::decision::Settle;
use crate::execution::{Ending, Execution, ExecutionInput};
use crate::id::{ExecutionId, FencingToken, Generation, Version};
use crate::status::Status;
use crate::table::{self, Edge, words};
use crate::time::{Span, Timestamp};
use crate::unit::Row;

words! {
    /// Where a claim is in its life.
    OrchestrationState is "orchestration state" {
        /// Anyone may take it.
        Free = "free",
        /// Somebody has it, for as long as the lease is renewed.
        Held = "held",
        /// It is done, for good.
        Done = "done",
    }
}

use OrchestrationState::{Done, Free, Held};

/// Every change of state that is legal.
pub const TRANSITIONS: &[Edge<OrchestrationState>] = &[
    (Free, Held, "claim"),
    (Held, Held, "take over"),
    (Held, Free, "fail, or lease over"),
    (Held, Done, "finish"),
    (Free, Done, "close"),
];

/// The life cycle as a mermaid state diagram.
#[must_use]
pub fn diagram() -> String {
    table::diagram((Free, "submit"), OrchestrationState::ALL, TRANSITIONS)
}

/// The columns of a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orchestration {
    /// Whose orchestration.
    pub execution: ExecutionId,
    /// Rises with every write.
    pub version: Version,
    /// Which run of it: a newer one starts free, and what an older one left is closed.
    pub generation: Generation,
    /// Where it is in its life.
    pub state: OrchestrationState,
    /// How often it was claimed, over all generations. The number is the holder's token.
    pub claims: u32,
    /// How many claims of this generation failed or fell silent.
    pub failures: u32,
    /// Until when its holder is waited for.
    pub lease_until: Option<Timestamp>,
}

/// What a claim is told. All but [`Self::Renew`] and what follows name the generation that the
/// teller's message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrchestrationInput {
    /// Take it for this long, if it is free or its holder's lease is over.
    Claim(Generation, Span),
    /// A new run of the execution begins.
    Restart(Generation),
    /// Its holder needs this much longer.
    Renew(FencingToken, Span),
    /// Its holder has planned the run and committed what follows.
    Finish(FencingToken),
    /// Its holder could not. Tell it through [`fail`], together with the execution.
    Fail(FencingToken),
    /// Its holder's lease is over. Nobody needs to say so before a claim.
    Expire,
    /// The execution is over, so nothing is left to be planned.
    Close,
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody has it until then, or longer. That is not done: come again.
    #[error("somebody has it until {0}")]
    Busy(Timestamp),
    /// It is done, for good.
    #[error("it has been done already")]
    Done,
    /// A newer run of the execution has begun.
    #[error("{presented} is not the current generation, {current} is")]
    Stale {
        /// Of the teller.
        presented: Generation,
        /// Of the row.
        current: Generation,
    },
    /// Somebody else has it, or nobody.
    #[error("{presented} is not the current token, {current} is")]
    Fenced {
        /// What the teller presented.
        presented: FencingToken,
        /// What the newest holder has.
        current: FencingToken,
    },
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// The table has no such arrow.
    #[error("a {0} claim cannot do that")]
    Illegal(OrchestrationState),
}

use OrchestrationInput as In;

impl Orchestration {
    /// A claim that nobody has.
    #[must_use]
    pub const fn new(execution: ExecutionId, generation: Generation) -> Self {
        Self {
            execution,
            version: Version(0),
            generation,
            state: Free,
            claims: 0,
            failures: 0,
            lease_until: None,
        }
    }

    /// The token of the newest holder.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        FencingToken(u64::from(self.claims))
    }

    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: In, now: Timestamp) -> Result<(), Refusal> {
        match input {
            In::Claim(generation, lease) => self.claim(generation, lease, now),
            In::Restart(generation) => self.restart(generation),
            In::Renew(token, lease) => {
                self.check(token)?;
                self.lease_until = self.lease_until.max(Some(now + lease));
                Ok(())
            }
            In::Finish(token) => {
                self.check(token)?;
                self.go(Done, None);
                Ok(())
            }
            In::Fail(token) => {
                self.check(token)?;
                self.failures += 1;
                self.go(Free, None);
                Ok(())
            }
            In::Expire => self.expire(now),
            In::Close if self.state == Done => Err(Refusal::Done),
            In::Close => {
                self.go(Done, None);
                Ok(())
            }
        }
    }

    fn claim(
        &mut self,
        generation: Generation,
        lease: Span,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_generation(generation)?;
        match (self.state, self.lease_until) {
            (Done, _) => return Err(Refusal::Done),
            (Held, Some(until)) if now < until => return Err(Refusal::Busy(until)),
            (Held, _) => self.failures += 1,
            (Free, _) => {}
        }
        self.claims += 1;
        self.go(Held, Some(now + lease));
        Ok(())
    }

    /// The token goes on counting, so no holder of an older run can be taken for one of this.
    fn restart(&mut self, generation: Generation) -> Result<(), Refusal> {
        if generation == self.generation {
            return Err(Refusal::Done);
        }
        if generation < self.generation {
            return self.check_generation(generation);
        }
        let (execution, version, claims) = (self.execution, self.version, self.claims);
        // A holder of the older run must not find its token current.
        *self = Self { version, claims: claims + 1, ..Self::new(execution, generation) };
        Ok(())
    }

    fn expire(&mut self, now: Timestamp) -> Result<(), Refusal> {
        match (self.state, self.lease_until) {
            (Held, Some(until)) if now < until => Err(Refusal::NotDue(until)),
            (Held, _) => {
                self.failures += 1;
                self.go(Free, None);
                Ok(())
            }
            (Done, _) => Err(Refusal::Done),
            (Free, _) => Err(Refusal::Illegal(Free)),
        }
    }

    fn check(&self, presented: FencingToken) -> Result<(), Refusal> {
        let current = self.token();
        match self.state {
            Held if presented == current => Ok(()),
            Done if presented == current => Err(Refusal::Done),
            Free | Held | Done => Err(Refusal::Fenced { presented, current }),
        }
    }

    const fn check_generation(&self, presented: Generation) -> Result<(), Refusal> {
        if presented.0 == self.generation.0 {
            return Ok(());
        }
        Err(Refusal::Stale { presented, current: self.generation })
    }

    fn go(&mut self, to: OrchestrationState, lease_until: Option<Timestamp>) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        self.lease_until = lease_until;
    }
}

/// What becomes of a message whose consumer tried to claim the orchestration and was answered
/// `answer`. `None`: it was claimed, so the message is settled when the work is.
///
/// Only what is done for good lets the message go. A holder may be dead, and then this message is
/// all that is left of the run.
#[must_use]
pub fn settle(answer: Result<(), Refusal>, now: Timestamp) -> Option<Settle> {
    /// A moment beyond the lease, so that a holder that renews is not asked all the time.
    const PAUSE: Span = Span::from_secs(1);
    match answer {
        Ok(()) => None,
        Err(Refusal::Done) => Some(Settle::Ack),
        Err(Refusal::Stale { presented, current }) if presented < current => Some(Settle::Ack),
        Err(Refusal::Busy(until) | Refusal::NotDue(until)) => {
            Some(Settle::Delay(until.since(now) + PAUSE))
        }
        Err(Refusal::Stale { .. } | Refusal::Fenced { .. } | Refusal::Illegal(_)) => {
            Some(Settle::Delay(PAUSE))
        }
    }
}

/// Why a failure was not recorded. Neither row has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailRefusal {
    /// The claim is not the teller's.
    #[error(transparent)]
    Claim(#[from] Refusal),
    /// The execution is not what it was.
    #[error(transparent)]
    Execution(#[from] crate::execution::Refusal),
}

/// Gives a failed claim back **in one step** with the execution's status: back into line if it has
/// attempts left, else to its end, which closes the claim. Released first and failed next, it would
/// be taken by a redelivery in between, and then failed under the new holder's hands.
///
/// # Errors
/// If either row refuses; both are untouched then.
pub fn fail(
    claim: &mut Orchestration,
    execution: &mut Execution,
    (token, attempt): (FencingToken, FencingToken),
    entropy: u64,
    now: Timestamp,
) -> Result<Status, FailRefusal> {
    let (mut freed, mut failed) = (claim.clone(), execution.clone());
    freed.handle(In::Fail(token), now)?;
    let finish = ExecutionInput::Finish { token: attempt, ending: Ending::Failed, entropy };
    failed.handle(&finish, now)?;
    if failed.status.is_terminal() {
        freed.handle(In::Close, now)?;
    }
    let status = failed.status;
    (*claim, *execution) = (freed, failed);
    Ok(status)
}

impl Row for Orchestration {
    type Key = ExecutionId;

    fn key(&self) -> ExecutionId {
        self.execution
    }

    fn version(&self) -> Version {
        self.version
    }

    fn version_mut(&mut self) -> &mut Version {
        &mut self.version
    }
}
