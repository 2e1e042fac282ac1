//! What an effect may be told, and what becomes of it.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::EffectState::{Delivered, GaveUp, Planned, Sending};
use super::{Effect, EffectKey, EffectState, TRANSITIONS};
use crate::id::FencingToken;
use crate::policy::RetryPolicy;
use crate::table;
use crate::time::{Span, Timestamp};
use crate::unit::Rows;

/// What an effect is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EffectInput {
    /// Somebody sends it and is waited for this long.
    Send(Span),
    /// The receiver has it.
    Deliver(FencingToken),
    /// The receiver did not take it.
    Fail {
        /// Of the sender.
        token: FencingToken,
        /// What was wrong.
        error: String,
        /// Whether another try would fail alike.
        lasting: bool,
        /// How long the receiver wants to be left alone at the least.
        after: Option<Span>,
        /// Any number; decides the jitter of the delay.
        entropy: u64,
    },
    /// Its sender is stopping and has sent nothing.
    Release(FencingToken),
    /// Its sender fell silent; it may or may not have sent it.
    Expire {
        /// Any number; decides the jitter of the delay.
        entropy: u64,
    },
    /// It will not be sent, and why: an operator says so, or what asked for it was parked.
    Abandon(String),
    /// An operator wants it tried again, from the beginning.
    Revive,
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is delivered or given up; late news changes nothing.
    #[error("the effect is over ({0})")]
    Over(EffectState),
    /// Somebody else is sending it, or nobody.
    #[error("{presented} is not the current token, {current} is")]
    Fenced {
        /// What the sender presented.
        presented: FencingToken,
        /// What the newest sender has.
        current: FencingToken,
    },
    /// Somebody is sending it, and is waited for until then.
    #[error("it is being sent until {0}")]
    Busy(Timestamp),
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// It has been done already.
    #[error("it has been done already")]
    Done,
    /// There is no such effect.
    #[error("there is no such effect")]
    Unknown,
    /// The table has no such arrow.
    #[error("an effect that is {0} cannot do that")]
    Illegal(EffectState),
}

use EffectInput as In;

impl Effect {
    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: &In, now: Timestamp) -> Result<(), Refusal> {
        self.check_open(input)?;
        match input {
            In::Send(lease) => self.send(*lease, now),
            In::Deliver(token) => {
                self.check_token(*token)?;
                self.error = None;
                self.end(Delivered, now);
                Ok(())
            }
            In::Fail { token, error, lasting, after, entropy } => {
                self.check_token(*token)?;
                self.fail(error, *lasting, *after, *entropy, now);
                Ok(())
            }
            In::Release(token) => {
                self.check_token(*token)?;
                self.go(Planned, Some(now));
                Ok(())
            }
            In::Expire { entropy } => self.expire(*entropy, now),
            In::Abandon(why) => {
                self.error = Some(why.clone());
                self.end(GaveUp, now);
                Ok(())
            }
            In::Revive => self.revive(now),
        }
    }

    /// Its tries are counted anew; its token goes on, so that no sender of before is listened to.
    fn revive(&mut self, now: Timestamp) -> Result<(), Refusal> {
        if self.state != GaveUp {
            return Err(Refusal::Illegal(self.state));
        }
        self.failures = 0;
        self.ended_at = None;
        self.go(Planned, Some(now));
        Ok(())
    }

    fn send(&mut self, lease: Span, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            Planned if self.due() > now => return Err(Refusal::NotDue(self.due())),
            Planned => {}
            Sending => return Err(Refusal::Busy(self.due())),
            Delivered | GaveUp => return Err(Refusal::Over(self.state)),
        }
        self.sends += 1;
        self.go(Sending, Some(now + lease));
        Ok(())
    }

    /// A silent sender has used up a try, so that an effect that kills its senders ends as well.
    fn expire(&mut self, entropy: u64, now: Timestamp) -> Result<(), Refusal> {
        if self.state != Sending {
            return Err(Refusal::Illegal(self.state));
        }
        if now < self.due() {
            return Err(Refusal::NotDue(self.due()));
        }
        self.fail("its sender fell silent", false, None, entropy, now);
        Ok(())
    }

    fn fail(
        &mut self,
        error: &str,
        lasting: bool,
        after: Option<Span>,
        entropy: u64,
        now: Timestamp,
    ) {
        self.failures += 1;
        self.error = Some(error.into());
        if lasting || self.failures > self.retry.count {
            self.end(GaveUp, now);
        } else {
            let delay = self.retry.delay_before(self.failures, entropy);
            let most = self.retry.max_delay.unwrap_or(RetryPolicy::LONGEST_DELAY);
            let delay = delay.max(after.unwrap_or(Span::ZERO).min(most));
            self.go(Planned, Some(now + delay));
        }
    }

    fn due(&self) -> Timestamp {
        self.wake_at.unwrap_or(Timestamp::ZERO)
    }

    /// What is over stays as it is; its own sender's report that comes again is told so.
    fn check_open(&self, input: &In) -> Result<(), Refusal> {
        match (self.state, input) {
            (Planned | Sending, _) | (GaveUp, In::Revive) => Ok(()),
            (Delivered, In::Deliver(token)) if *token == self.token() => Err(Refusal::Done),
            (Delivered | GaveUp, _) => Err(Refusal::Over(self.state)),
        }
    }

    fn check_token(&self, presented: FencingToken) -> Result<(), Refusal> {
        let current = self.token();
        if self.state != Sending || presented != current {
            return Err(Refusal::Fenced { presented, current });
        }
        Ok(())
    }

    fn end(&mut self, to: EffectState, now: Timestamp) {
        self.ended_at = Some(now);
        self.go(to, None);
    }

    fn go(&mut self, to: EffectState, wake_at: Option<Timestamp>) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        self.wake_at = wake_at;
    }
}

/// Takes up to `quantity` of the loaded effects that are due for sending, those that wait longest
/// first, each with the token to report under. Effects whose sender fell silent are taken over;
/// `entropy` is any number.
#[must_use]
pub fn take(
    effects: &mut Rows<Effect>,
    quantity: u32,
    lease: Span,
    entropy: u64,
    now: Timestamp,
) -> Vec<(EffectKey, FencingToken)> {
    let mut due: Vec<(Timestamp, EffectKey)> = effects
        .iter()
        .filter(|effect| matches!(effect.state, Planned | Sending) && effect.due() <= now)
        .map(|effect| (effect.due(), effect.key.clone()))
        .collect();
    due.sort_unstable();
    let mut taken = Vec::new();
    for (_, key) in due {
        if taken.len() >= quantity as usize {
            break;
        }
        let Some(effect) = effects.edit(&key) else { continue };
        // Due and being sent: its sender is silent. That was a try, with the delay of a failed one.
        if effect.state == Sending && effect.handle(&In::Expire { entropy }, now).is_err() {
            continue;
        }
        if effect.handle(&In::Send(lease), now).is_ok() {
            taken.push((key, effect.token()));
        }
    }
    taken
}
