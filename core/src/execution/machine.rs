//! What an execution may be told, and what becomes of it.

use serde::{Deserialize, Serialize};

use super::{Cause, Execution};
use crate::id::{FencingToken, Order, WorkerId};
use crate::policy::OnLost;
use crate::status::Status;
use crate::time::{Span, Timestamp};

/// What an execution is told.
#[derive(Clone, Debug, PartialEq)]
pub enum ExecutionInput {
    /// Stand in line with this place.
    Wait(Order),
    /// Take a slot. `Some` gives the place on first admission; a waiter keeps its own.
    Admit {
        /// The place in line, for the log and for its later retries.
        order: Option<Order>,
        /// Give up if no worker has come by then.
        unschedulable_at: Option<Timestamp>,
    },
    /// It may not enter its queue.
    Refuse,
    /// It has waited too long.
    ExpireInQueue,
    /// Keep looking for a worker until then.
    KeepLooking(Option<Timestamp>),
    /// No worker can be found.
    GiveUp,
    /// Assign it to a worker, which must answer by the deadline.
    Offer(WorkerId, Timestamp),
    /// The worker takes it.
    Accept(FencingToken),
    /// The worker gives it back before starting it.
    Release(FencingToken),
    /// The worker starts what it accepted; `run_margin` is how much longer than the policy's
    /// timeout the engine waits before it ends the attempt itself.
    Start(FencingToken, Span),
    /// A worker takes it and starts it at once; `None` = the engine itself (workflows).
    Claim(Option<WorkerId>, Span),
    /// The attempt ended; `entropy` decides the jitter of a retry's delay.
    Finish {
        /// Of the attempt that ended.
        token: FencingToken,
        /// How it ended.
        ending: Ending,
        /// Any number.
        entropy: u64,
    },
    /// The attempt's worker is dead, has lost its lease, gave up the attempt or never answered.
    Lose(FencingToken, Cause),
    /// The delay before its next attempt is over.
    Retry,
    /// Stop it: at once when no worker has it, else ask the worker until the deadline.
    Cancel(Timestamp),
    /// The worker did not confirm the cancellation in time.
    CancelOverdue(FencingToken),
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It did what it should.
    Succeeded,
    /// It failed; another attempt may do better.
    Failed,
    /// It failed and would fail again.
    FailedForGood,
    /// It was stopped because it ran too long.
    TimedOut,
    /// It was stopped because that was asked for.
    Cancelled,
}

/// Why an input changed nothing. A refusal is an expected answer, not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is over; late news changes nothing.
    #[error("it is over ({0})")]
    Over(Status),
    /// Another attempt is current.
    #[error("{presented} is not the current token, {current} is")]
    Fenced {
        /// What the writer presented.
        presented: FencingToken,
        /// What would have been accepted.
        current: FencingToken,
    },
    /// It is not time yet.
    #[error("it is due at {0}")]
    NotDue(Timestamp),
    /// It was asked to stop, so nothing new begins.
    #[error("it was asked to stop")]
    Stopping,
    /// It has been done already.
    #[error("it has been done already")]
    Done,
    /// The table has no such arrow.
    #[error("a {0} execution cannot do that")]
    Illegal(Status),
}

use ExecutionInput as In;

impl Execution {
    /// Applies `input`.
    ///
    /// # Errors
    /// With a [`Refusal`] if the input does not fit; the row is untouched then.
    pub fn handle(&mut self, input: &In, now: Timestamp) -> Result<(), Refusal> {
        if self.status.is_terminal() {
            return Err(Refusal::Over(self.status));
        }
        match *input {
            In::Wait(order) => self.wait(order, now),
            In::Admit { order, unschedulable_at } => self.admit(order, unschedulable_at),
            In::Refuse => self.end_if(Status::Requested, Status::Failed, Cause::Refused, now),
            In::ExpireInQueue => {
                self.check_due(now)?;
                self.end_if(Status::Queued, Status::Failed, Cause::QueueTimeout, now)
            }
            In::KeepLooking(until) => self.keep_looking(until),
            In::GiveUp => {
                self.check_due(now)?;
                self.end_if(Status::Ready, Status::Failed, Cause::Unschedulable, now)
            }
            In::Offer(ref worker, deadline) => self.offer(worker, deadline),
            In::Accept(token) => self.accept(token),
            In::Release(token) => self.release(token, now),
            In::Start(token, margin) => self.start(token, margin, now),
            In::Claim(ref worker, margin) => self.claim(worker.as_ref(), margin, now),
            In::Finish { token, ending, entropy } => self.finish(token, ending, entropy, now),
            In::Lose(token, cause) => self.lose(token, cause, now),
            In::Retry => self.retry(now),
            In::Cancel(deadline) => self.cancel(deadline, now),
            In::CancelOverdue(token) => self.cancel_overdue(token, now),
        }
    }

    fn wait(&mut self, order: Order, now: Timestamp) -> Result<(), Refusal> {
        self.expect(Status::Requested)?;
        self.order = Some(order);
        self.go(Status::Queued, self.policy.queue_timeout.map(|limit| now + limit));
        Ok(())
    }

    fn admit(&mut self, order: Option<Order>, until: Option<Timestamp>) -> Result<(), Refusal> {
        match self.status {
            Status::Requested => self.order = order,
            Status::Queued => {}
            other => return Err(Refusal::Illegal(other)),
        }
        self.go(Status::Ready, until);
        Ok(())
    }

    fn keep_looking(&mut self, until: Option<Timestamp>) -> Result<(), Refusal> {
        self.expect(Status::Ready)?;
        self.wake_at = until;
        Ok(())
    }

    fn offer(&mut self, worker: &WorkerId, deadline: Timestamp) -> Result<(), Refusal> {
        self.expect(Status::Ready)?;
        self.begin_attempt(Some(worker));
        self.go(Status::Offered, Some(deadline));
        Ok(())
    }

    fn accept(&mut self, token: FencingToken) -> Result<(), Refusal> {
        self.check_token(token)?;
        if self.cancel_requested {
            return Err(Refusal::Stopping);
        }
        if matches!(self.status, Status::Accepted | Status::Running) {
            return Err(Refusal::Done);
        }
        self.expect(Status::Offered)?;
        self.go(Status::Accepted, None);
        Ok(())
    }

    /// A released attempt had not started, so it costs nothing; its number is spent all the same
    /// and whoever still holds it is fenced by the next. If it was asked to stop, giving it back
    /// says that it has.
    fn release(&mut self, token: FencingToken, now: Timestamp) -> Result<(), Refusal> {
        self.check_token(token)?;
        if !matches!(self.status, Status::Offered | Status::Accepted) {
            return Err(Refusal::Illegal(self.status));
        }
        if self.cancel_requested {
            self.end(Status::Cancelled, Some(Cause::Cancelled), now);
            return Ok(());
        }
        self.worker = None;
        self.go(Status::Ready, None);
        Ok(())
    }

    fn start(&mut self, token: FencingToken, margin: Span, now: Timestamp) -> Result<(), Refusal> {
        self.check_token(token)?;
        if self.cancel_requested {
            return Err(Refusal::Stopping);
        }
        if self.status == Status::Running {
            return Err(Refusal::Done);
        }
        self.expect(Status::Accepted)?;
        self.run(margin, now);
        Ok(())
    }

    fn claim(
        &mut self,
        worker: Option<&WorkerId>,
        margin: Span,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.expect(Status::Ready)?;
        self.begin_attempt(worker);
        self.run(margin, now);
        Ok(())
    }

    fn finish(
        &mut self,
        token: FencingToken,
        ending: Ending,
        entropy: u64,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.check_token(token)?;
        self.expect(Status::Running)?;
        let (end, cause) = match ending {
            Ending::Succeeded => (Status::Completed, None),
            Ending::Cancelled => (Status::Cancelled, Some(Cause::Cancelled)),
            Ending::Failed | Ending::FailedForGood => (Status::Failed, None),
            Ending::TimedOut => (Status::TimedOut, Some(Cause::RunTimeout)),
        };
        let failed = matches!(end, Status::Failed | Status::TimedOut);
        self.failures += u32::from(failed);
        if failed && self.cancel_requested {
            self.end(Status::Cancelled, Some(Cause::Cancelled), now);
        } else if failed && ending != Ending::FailedForGood && self.retries_left() {
            let delay = self.policy.retry.delay_before(self.failures, entropy);
            self.exclude_worker();
            self.go(Status::Backoff, Some(now + delay));
        } else {
            self.end(end, cause, now);
        }
        Ok(())
    }

    fn lose(&mut self, token: FencingToken, cause: Cause, now: Timestamp) -> Result<(), Refusal> {
        self.check_token(token)?;
        if !self.status.has_live_attempt() {
            return Err(Refusal::Illegal(self.status));
        }
        let started = self.status == Status::Running;
        self.losses += u32::from(started);
        if self.cancel_requested {
            self.end(Status::Cancelled, Some(Cause::Cancelled), now);
        } else if !started {
            // What never began costs nothing, but somebody else should have it.
            self.exclude_worker();
            self.go(Status::Ready, None);
        } else if self.policy.on_lost == OnLost::Abandon || self.losses > self.policy.max_losses {
            self.end(Status::Abandoned, Some(cause), now);
        } else {
            self.exclude_worker();
            self.go(Status::Backoff, Some(now));
        }
        Ok(())
    }

    /// Back into line at the old place; the queue decides when it holds a slot again.
    fn retry(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.expect(Status::Backoff)?;
        self.check_due(now)?;
        self.go(Status::Queued, self.policy.queue_timeout.map(|limit| now + limit));
        Ok(())
    }

    fn cancel(&mut self, deadline: Timestamp, now: Timestamp) -> Result<(), Refusal> {
        if self.cancel_requested {
            return Err(Refusal::Done);
        }
        if self.status.has_live_attempt() {
            self.cancel_requested = true;
            // A workflow is stopped by its own advance, not by a deadline.
            self.wake_at = if self.is_workflow() { None } else { Some(deadline) };
        } else {
            self.end(Status::Cancelled, Some(Cause::Cancelled), now);
        }
        Ok(())
    }

    fn cancel_overdue(&mut self, token: FencingToken, now: Timestamp) -> Result<(), Refusal> {
        self.check_token(token)?;
        if !self.cancel_requested || !self.status.has_live_attempt() {
            return Err(Refusal::Illegal(self.status));
        }
        self.check_due(now)?;
        self.end(Status::Cancelled, Some(Cause::Cancelled), now);
        Ok(())
    }

    fn begin_attempt(&mut self, worker: Option<&WorkerId>) {
        self.attempt = self.attempt.next();
        self.worker = worker.cloned();
    }

    fn run(&mut self, margin: Span, now: Timestamp) {
        if self.started_at.is_none() {
            self.started_at = Some(now);
        }
        self.go(Status::Running, self.policy.timeout.map(|timeout| now + timeout + margin));
    }

    const fn retries_left(&self) -> bool {
        self.failures <= self.policy.retry.count
    }

    fn exclude_worker(&mut self) {
        if let Some(worker) = self.worker.take()
            && !self.excluded.contains(&worker.name)
        {
            self.excluded.push(worker.name);
        }
    }

    fn expect(&self, status: Status) -> Result<(), Refusal> {
        if self.status == status { Ok(()) } else { Err(Refusal::Illegal(self.status)) }
    }

    fn check_token(&self, presented: FencingToken) -> Result<(), Refusal> {
        let current = self.token();
        if presented != current || self.attempt.0 == 0 {
            return Err(Refusal::Fenced { presented, current });
        }
        Ok(())
    }

    fn check_due(&self, now: Timestamp) -> Result<(), Refusal> {
        match self.wake_at {
            Some(at) if at > now => Err(Refusal::NotDue(at)),
            _ => Ok(()),
        }
    }

    fn end_if(
        &mut self,
        from: Status,
        to: Status,
        cause: Cause,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        self.expect(from)?;
        self.end(to, Some(cause), now);
        Ok(())
    }

    fn end(&mut self, status: Status, cause: Option<Cause>, now: Timestamp) {
        self.cause = cause;
        self.ended_at = Some(now);
        self.go(status, None);
    }

    fn go(&mut self, to: Status, wake_at: Option<Timestamp>) {
        assert!(self.status.may_become(to), "law legal_edges: {} -> {to}", self.status);
        self.status = to;
        self.wake_at = wake_at;
    }
}
