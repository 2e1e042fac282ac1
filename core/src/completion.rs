//! Reports about attempts: each execution takes exactly one as its end.

use alloc::format;
use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::Outcome;
use crate::depth::{MAX_DEPTH, is_too_deep};
use crate::execution::{Ending, ExecutionInput, Refusal};
use crate::id::{ExecutionId, FencingToken, QueueKey};
use crate::status::Status;
use crate::unit::Unit;

/// A worker's word on how an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Of which execution.
    pub execution: ExecutionId,
    /// Of which attempt.
    pub token: FencingToken,
    /// The queue whose slot it held, so that it can be locked first.
    pub queue: QueueKey,
    /// How it ended.
    pub ending: Ending,
    /// What it returned.
    pub result: Value,
    /// What went wrong.
    pub error: Option<String>,
}

/// Takes a report. The execution ends, or waits for its next attempt; the slot is free either way
/// and the next in line is let through in the same commit.
///
/// The execution, its queue and the head of its line must be loaded.
///
/// # Errors
/// If the report is late, stale or a duplicate; it changes nothing then.
pub fn complete(unit: &mut Unit, report: Report) -> Result<Status, Refusal> {
    let Report { execution: id, token, mut ending, mut result, mut error, .. } = report;
    let Some(execution) = unit.execution(id) else {
        return Err(Refusal::Fenced { presented: token, current: FencingToken(0) });
    };
    if execution.is_workflow() {
        // Its attempt is the engine's own; a worker that reports on it is mistaken, token or not.
        return Err(Refusal::Illegal(execution.status));
    }
    if is_too_deep(&result) {
        error = Some(format!("its result is nested deeper than {MAX_DEPTH} levels"));
        (ending, result) = (Ending::Failed, Value::Null);
    }
    let was_over = execution.status.is_terminal();
    let presented = token;
    let any = unit.is_planted("report_accepted_with_any_token");
    let token = if any { execution.token() } else { presented };
    let entropy = unit.draw();
    let status = match unit.tell(id, &ExecutionInput::Finish { token, ending, entropy }) {
        Ok(status) => status,
        Err(refusal) => {
            take_in_part(unit, id, refusal, Outcome { result, error });
            return Err(refusal);
        }
    };
    unit.hear(id, presented, None);
    let ended = status.is_terminal() && !was_over;
    let kept = ended || unit.is_planted("result_of_a_failed_attempt_is_kept");
    if kept && (!result.is_null() || error.is_some()) {
        unit.leave(id, Outcome { result, error });
    }
    Ok(status)
}

/// What a refused report must not change; only planted bugs make it.
fn take_in_part(unit: &mut Unit, id: ExecutionId, refusal: Refusal, left: Outcome) {
    let fenced = matches!(refusal, Refusal::Fenced { .. });
    if fenced && unit.is_planted("result_taken_from_a_fenced_report") {
        unit.leave(id, left);
    }
    if unit.is_planted("counter_instead_of_rows") {
        unit.free_a_slot_too_many(id);
    }
}
