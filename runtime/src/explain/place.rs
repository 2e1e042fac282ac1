//! Executions that hold no slot.

use serde_json::Value;
use steadfast_services::port::QueueView;

use super::words::{count, list, until};
use super::{Finding, Kind, Situation};

/// How many holders a sentence names.
const NAMED: usize = 5;

pub(super) fn requested(situation: &Situation<'_>) -> Finding {
    let Situation { now, execution, .. } = *situation;
    match execution.wake_at {
        Some(at) if at > now => {
            let sentence =
                format!("waits for the delay of its task, which ends {}", until(now, at));
            Finding::new(Kind::Delayed, sentence).at("until", Some(at))
        }
        _ => {
            let sentence = format!("is about to enter its queue `{}`", execution.queue);
            Finding::new(Kind::EnteringQueue, sentence).with("queue", execution.queue.as_str())
        }
    }
}

pub(super) fn queued(situation: &Situation<'_>) -> Finding {
    let execution = situation.execution;
    let queue = execution.queue.as_str();
    let finding = match situation.queue {
        None => being_admitted(queue),
        Some(view) if view.queue.paused => paused(situation, view),
        Some(view) => match view.queue.limit() {
            Some(limit) if view.holding >= u64::from(limit) => full(situation, view, limit),
            _ => being_admitted(queue),
        },
    };
    finding
        .with("queue", queue)
        .with("position", situation.position)
        .at("gives_up_at", execution.wake_at)
}

fn being_admitted(queue: &str) -> Finding {
    let sentence = format!("a slot of `{queue}` is free; it is about to be let through");
    Finding::new(Kind::BeingAdmitted, sentence)
}

fn paused(situation: &Situation<'_>, view: &QueueView) -> Finding {
    let sentence = format!(
        "the queue `{}` is paused; resume `{}` to let {} through",
        view.queue.key,
        view.queue.action,
        match situation.position {
            Some(1) => String::from("it"),
            _ => format!("it and {} more", view.waiting.saturating_sub(1)),
        }
    );
    Finding::new(Kind::QueuePaused, sentence).with("action_ref", view.queue.action.as_str())
}

fn full(situation: &Situation<'_>, view: &QueueView, limit: u32) -> Finding {
    let holders = situation.holders;
    let blocked = !holders.is_empty()
        && holders.len() as u64 == view.holding
        && holders.iter().all(|holder| holder.blocked);
    let named = list(holders.iter().take(NAMED).map(|holder| holder.execution.0));
    let more = view.holding.saturating_sub(NAMED.min(holders.len()) as u64);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let slots = count(u64::from(limit), "slot");
    let queue = &view.queue.key;
    let finding = if blocked {
        let sentence = format!(
            "can never get a slot: all {slots} of `{queue}` are held by executions {named}{more}, \
             which cannot end before what waits here has run; raise the limit or cancel one"
        );
        Finding::new(Kind::SlotDeadlock, sentence)
    } else {
        let place = match situation.position {
            Some(position) => format!("number {position} of {} in line", view.waiting),
            None => format!("one of {} in line", view.waiting),
        };
        let held = if holders.is_empty() {
            format!("{} held", view.holding)
        } else {
            format!("held by executions {named}{more}")
        };
        let sentence = format!("waits for one of {slots} of `{queue}`, {held}; it is {place}");
        Finding::new(Kind::WaitingForSlot, sentence)
    };
    let rows: Vec<Value> = holders
        .iter()
        .map(|holder| {
            serde_json::json!({
                "execution_id": holder.execution.0,
                "worker": holder.worker.as_ref().map(|worker| worker.as_str()),
            })
        })
        .collect();
    finding
        .with("limit", limit)
        .with("holding", view.holding)
        .with("waiting", view.waiting)
        .with("holders", rows)
}

pub(super) fn backoff(situation: &Situation<'_>) -> Finding {
    let Situation { now, execution, .. } = *situation;
    let next = execution.attempt.0 + 1;
    let when = execution.wake_at.map_or_else(|| String::from("now"), |at| until(now, at));
    let sentence = format!(
        "attempt {} did not succeed; attempt {next} enters the queue {when}",
        execution.attempt.0
    );
    Finding::new(Kind::Backoff, sentence)
        .with("attempt", next)
        .with("failures", execution.failures)
        .with("losses", execution.losses)
        .at("until", execution.wake_at)
}

pub(super) fn over(situation: &Situation<'_>) -> Finding {
    let execution = situation.execution;
    let sentence = format!("is over: {}", execution.status);
    Finding::new(Kind::Over, sentence).at("ended_at", execution.ended_at)
}
