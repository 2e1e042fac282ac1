//! What a message may be told, and what becomes of it.

use alloc::format;
use alloc::string::String;

use super::MessageState::{Claimed, Delayed, Done, Parked, Ready, Working};
use super::{Message, MessageState, Parking, Reason, Receipt, TRANSITIONS, Verdict};
use crate::table;
use crate::time::{Span, Timestamp};

/// For how long a claim lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Unless it is renewed.
    pub lease: Span,
    /// However often it is renewed; `None` = for as long as it is renewed.
    pub limit: Option<Span>,
}

/// Why a holder gives a message back undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The work itself failed. The only one that counts against the budget, and only if the work
    /// had begun.
    Work,
    /// The store, the broker or another service was away.
    Backend,
    /// The consumer is stopping.
    Shutdown,
}

/// What a message is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageInput {
    /// Somebody takes it.
    Claim(Hold),
    /// Its holder begins.
    Start(Receipt),
    /// Its holder needs this much longer.
    Renew(Receipt, Span),
    /// Its holder is finished with it.
    Ack(Receipt),
    /// Someone else is busy with what it asks for: it comes again after this long, for free.
    Delay(Receipt, Span),
    /// Its holder gives it back.
    Nack {
        /// Of the holder.
        receipt: Receipt,
        /// Why.
        fault: Fault,
        /// Any number; decides the jitter of the delay.
        entropy: u64,
    },
    /// It can never be carried out, and why.
    Reject(Receipt, String),
    /// Its delay, or its holder's time, is over. Anyone may say so, and any number of sweepers.
    Rearm,
    /// An operator wants it tried again, and why. Its budget starts anew.
    Replay(String),
    /// An operator gives it up, and why.
    Discard(String),
}

/// Why an input changed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such message, or no longer.
    #[error("there is no such message")]
    Gone,
    /// It is over.
    #[error("the message is done")]
    Over,
    /// Somebody else holds it, or nobody: whoever hears this must stop working on it.
    #[error("the receipt {0} is not the current one")]
    NotYours(Receipt),
    /// Somebody holds it until then, or longer.
    #[error("somebody holds it until {0}")]
    Busy(Timestamp),
    /// It cannot be held beyond this.
    #[error("it could be held until {0} and no longer")]
    HeldTooLong(Timestamp),
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// It has been done already.
    #[error("it has been done already")]
    Done,
    /// The table has no such arrow.
    #[error("a {0} message cannot do that")]
    Illegal(MessageState),
}

use MessageInput as In;

impl Message {
    /// How long a message waits at least after trouble that costs it nothing: an outage must not
    /// turn into a hot loop.
    pub const LEAST_DELAY: Span = Span::from_secs(1);

    /// Applies `input`. When it is parked the answer is what its owner must be told in the same
    /// decision.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: &In, now: Timestamp) -> Result<Option<Verdict>, Refusal> {
        match input {
            In::Claim(hold) => self.claim(*hold, now)?,
            In::Start(receipt) => self.start(*receipt)?,
            In::Renew(receipt, lease) => self.renew(*receipt, *lease, now)?,
            In::Ack(receipt) => self.ack(*receipt, now)?,
            In::Delay(receipt, delay) => self.delay(*receipt, *delay, now)?,
            In::Nack { receipt, fault, entropy } => {
                return self.nack(*receipt, *fault, *entropy, now);
            }
            In::Reject(receipt, why) => return self.reject(*receipt, why, now),
            In::Rearm => return self.rearm(now),
            In::Replay(why) => self.replay(why)?,
            In::Discard(why) => self.discard(why, now)?,
        }
        Ok(None)
    }

    fn claim(&mut self, hold: Hold, now: Timestamp) -> Result<(), Refusal> {
        match self.state {
            Ready => {}
            Claimed | Working => return Err(Refusal::Busy(self.due())),
            Delayed => return Err(Refusal::NotDue(self.due())),
            Done => return Err(Refusal::Over),
            Parked => return Err(Refusal::Illegal(Parked)),
        }
        self.deliveries += 1;
        self.hold_until = hold.limit.map(|limit| now + limit);
        let until = self.lease_end(hold.lease, now);
        self.go(Claimed, Some(until));
        Ok(())
    }

    /// Only a start counts against the budget: a consumer that dies between claiming and starting
    /// says nothing about the message.
    fn start(&mut self, receipt: Receipt) -> Result<(), Refusal> {
        self.check(receipt)?;
        if self.state == Working {
            return Err(Refusal::Done);
        }
        self.starts += 1;
        self.spent += 1;
        self.go(Working, self.wake_at);
        Ok(())
    }

    fn renew(&mut self, receipt: Receipt, lease: Span, now: Timestamp) -> Result<(), Refusal> {
        self.check(receipt)?;
        if let Some(limit) = self.hold_until
            && limit <= now
        {
            return Err(Refusal::HeldTooLong(limit));
        }
        let until = self.lease_end(lease, now);
        if until <= self.due() {
            return Err(Refusal::Done);
        }
        self.wake_at = Some(until);
        Ok(())
    }

    fn ack(&mut self, receipt: Receipt, now: Timestamp) -> Result<(), Refusal> {
        self.check(receipt)?;
        self.end(now);
        Ok(())
    }

    fn delay(&mut self, receipt: Receipt, delay: Span, now: Timestamp) -> Result<(), Refusal> {
        self.check(receipt)?;
        self.forgive_start();
        self.go(Delayed, Some(now + delay));
        Ok(())
    }

    fn nack(
        &mut self,
        receipt: Receipt,
        fault: Fault,
        entropy: u64,
        now: Timestamp,
    ) -> Result<Option<Verdict>, Refusal> {
        self.check(receipt)?;
        let wait = self.retry.delay_before(self.spent, entropy);
        match fault {
            Fault::Work if self.state == Working && self.is_spent() => {
                return Ok(Some(self.park(Reason::Spent, self.spent_detail(), now)));
            }
            Fault::Work if self.state == Working => self.go(Delayed, Some(now + wait)),
            Fault::Work | Fault::Backend => {
                self.forgive_start();
                self.go(Delayed, Some(now + wait.max(Self::LEAST_DELAY)));
            }
            Fault::Shutdown => {
                self.forgive_start();
                self.go(Ready, None);
            }
        }
        Ok(None)
    }

    fn reject(
        &mut self,
        receipt: Receipt,
        why: &str,
        now: Timestamp,
    ) -> Result<Option<Verdict>, Refusal> {
        self.check(receipt)?;
        Ok(Some(self.park(Reason::Rejected, why.into(), now)))
    }

    /// A holder that fell silent after it had begun has used up a start: the message may be what
    /// kills its consumers.
    fn rearm(&mut self, now: Timestamp) -> Result<Option<Verdict>, Refusal> {
        match self.state {
            Ready => return Err(Refusal::Done),
            Done => return Err(Refusal::Over),
            Parked => return Err(Refusal::Illegal(Parked)),
            Delayed | Claimed | Working => {}
        }
        if now < self.due() {
            return Err(Refusal::NotDue(self.due()));
        }
        if self.state == Working && self.is_spent() {
            return Ok(Some(self.park(Reason::Spent, self.spent_detail(), now)));
        }
        self.go(Ready, None);
        Ok(None)
    }

    fn replay(&mut self, why: &str) -> Result<(), Refusal> {
        self.expect_parked()?;
        self.spent = 0;
        self.note = Some(why.into());
        self.parked = None;
        self.go(Ready, None);
        Ok(())
    }

    fn discard(&mut self, why: &str, now: Timestamp) -> Result<(), Refusal> {
        self.expect_parked()?;
        self.note = Some(why.into());
        self.end(now);
        Ok(())
    }

    fn park(&mut self, reason: Reason, detail: String, now: Timestamp) -> Verdict {
        self.parked = Some(Parking { reason, detail, at: now });
        self.go(Parked, None);
        Verdict { message: self.id, owner: self.key.owner(), reason }
    }

    fn spent_detail(&self) -> String {
        format!("started {} times without success", self.spent)
    }

    /// Takes the start of a held message off its budget.
    fn forgive_start(&mut self) {
        if self.state == Working {
            self.spent -= 1;
        }
    }

    fn lease_end(&self, lease: Span, now: Timestamp) -> Timestamp {
        let until = now + lease;
        self.hold_until.map_or(until, |limit| until.min(limit))
    }

    fn due(&self) -> Timestamp {
        self.wake_at.unwrap_or(Timestamp::ZERO)
    }

    /// Whether `receipt` is the current one. A settlement that comes twice is told that it is
    /// done; everyone else must not believe that they hold the message.
    fn check(&self, receipt: Receipt) -> Result<(), Refusal> {
        if receipt.message != self.id || receipt.token != self.token() {
            return Err(Refusal::NotYours(receipt));
        }
        match self.state {
            Claimed | Working => Ok(()),
            Done | Parked => Err(Refusal::Done),
            Ready | Delayed => Err(Refusal::NotYours(receipt)),
        }
    }

    fn expect_parked(&self) -> Result<(), Refusal> {
        match self.state {
            Parked => Ok(()),
            Done => Err(Refusal::Over),
            other @ (Ready | Delayed | Claimed | Working) => Err(Refusal::Illegal(other)),
        }
    }

    fn end(&mut self, now: Timestamp) {
        self.ended_at = Some(now);
        self.go(Done, None);
    }

    fn go(&mut self, to: MessageState, wake_at: Option<Timestamp>) {
        let from = self.state;
        assert!(
            table::may_become(TRANSITIONS, from, to),
            "law every_change_is_a_legal_edge: {from} -> {to}"
        );
        self.state = to;
        self.wake_at = wake_at;
        if !to.is_held() {
            self.hold_until = None;
        }
    }
}
