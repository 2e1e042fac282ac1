//! Planted bugs of the execution's machine and of what follows from its answers. The machine knows
//! no unit, so what one of its lines would do wrong is done here, around it. Production asks
//! whether anything is planted and goes on.

use super::Unit;
use crate::execution::{Ending, Execution, ExecutionInput as In, Refusal};
use crate::id::ExecutionId;
use crate::status::Status;

impl Unit {
    /// What the machine would do if one of its lines were wrong.
    pub(super) fn handle_wrongly(
        &mut self,
        execution: &mut Execution,
        input: &In,
    ) -> Result<(), Refusal> {
        let before = execution.clone();
        if matches!(input, In::Cancel(_))
            && before.status == Status::Queued
            && self.is_planted("cancelled_waiter_is_promoted")
        {
            execution.cancel_requested = true;
            return Ok(());
        }
        if self.overlooks_the_cancel(input) {
            execution.cancel_requested = false;
        }
        if self.is_planted("one_retry_too_many") {
            execution.policy.retry.count += 1;
        }
        if self.is_planted("one_retry_too_few") {
            execution.policy.retry.count = execution.policy.retry.count.saturating_sub(1);
        }
        if self.is_planted("transport_read_from_config") {
            execution.transport = self.transport;
        }
        let handled = execution.handle(input, self.now);
        execution.cancel_requested |= before.cancel_requested;
        execution.policy = before.policy;
        if let Err(refusal) = handled {
            return self.take_stale_report(execution, input, refusal);
        }
        if self.forgets_the_timer(input, execution.status) {
            execution.wake_at = None;
        }
        if execution.status.is_terminal() && self.is_planted("lease_left_at_the_end") {
            execution.wake_at = before.wake_at;
        }
        self.miscount(&before, execution, input);
        Ok(())
    }

    fn overlooks_the_cancel(&self, input: &In) -> bool {
        match input {
            In::Finish { .. } => self.is_planted("retry_after_cancel"),
            In::Lose(..) => self.is_planted("rescue_ignores_the_cancel"),
            In::Accept(_) | In::Start(..) => self.is_planted("start_ignores_the_cancel"),
            _ => false,
        }
    }

    fn forgets_the_timer(&self, input: &In, after: Status) -> bool {
        match input {
            In::Wait(_) | In::Retry => self.is_planted("queue_timeout_not_armed"),
            In::Offer(..) => self.is_planted("offer_without_deadline"),
            In::Cancel(_) if after.has_live_attempt() => self.is_planted("cancel_grace_not_armed"),
            _ => false,
        }
    }

    fn take_stale_report(
        &self,
        execution: &mut Execution,
        input: &In,
        refusal: Refusal,
    ) -> Result<(), Refusal> {
        let In::Finish { token, ending, .. } = input else { return Err(refusal) };
        let taken = match refusal {
            Refusal::Over(_) => self.is_planted("late_report_overwrites_terminal"),
            Refusal::Illegal(_) => self.is_planted("stale_status_is_applied"),
            _ => false,
        };
        if !taken || *token != execution.token() {
            return Err(refusal);
        }
        execution.status = match ending {
            Ending::Succeeded => Status::Completed,
            Ending::Failed | Ending::FailedForGood => Status::Failed,
            Ending::TimedOut => Status::TimedOut,
            Ending::Cancelled => Status::Cancelled,
        };
        execution.ended_at = Some(self.now);
        execution.cause = None;
        execution.wake_at = None;
        Ok(())
    }

    fn miscount(&mut self, before: &Execution, after: &mut Execution, input: &In) {
        match input {
            In::Retry if self.is_planted("retry_resets_its_count") => after.failures = 0,
            In::Lose(..) if self.is_planted("delivery_counts_as_a_start") => {
                after.losses = before.losses + 1;
            }
            In::Retry if self.is_planted("readmission_takes_a_new_number") => {
                let now = self.now;
                after.order = self.queues.edit(&after.queue).map(|queue| queue.take_order(now));
            }
            In::Claim(..) | In::Offer(..)
                if before.attempt.0 > 0 && self.is_planted("token_reused_after_a_loss") =>
            {
                after.attempt = before.attempt;
            }
            _ => {}
        }
    }

    /// Whether a slot that was just given back is left empty.
    pub(super) fn leaves_the_slot_empty(&self, after: &Execution) -> bool {
        match after.status {
            Status::Backoff => self.is_planted("retry_returns_before_release"),
            Status::Cancelled => self.is_planted("cancel_skips_promotion"),
            _ => false,
        }
    }

    /// Takes the slot of another loaded holder of the queue away.
    pub(super) fn release_somebody_else(&mut self, after: &Execution) {
        let holds = |e: &&Execution| {
            e.queue == after.queue && e.id != after.id && e.status.holds_slot() && !e.is_workflow()
        };
        let Some(other) = self.executions.iter().find(holds).cloned() else { return };
        let robbed = Execution { status: Status::Queued, worker: None, wake_at: None, ..other };
        *self.executions.edit(&robbed.id).expect("it was just found") = robbed.clone();
        self.note_line(&robbed, Some(other.status), Some(robbed.status));
    }

    /// Counts a slot as free that nobody gave back, and lets the next in line have it.
    pub(crate) fn free_a_slot_too_many(&mut self, id: ExecutionId) {
        let Some(queue) = self.execution(id).map(|execution| execution.queue.clone()) else {
            return;
        };
        if self.queues.find(&queue).is_some() {
            let occupancy = self.occupancy.entry(queue.clone()).or_default();
            occupancy.holding = occupancy.holding.saturating_sub(1);
            self.promote(&queue);
        }
    }
}
