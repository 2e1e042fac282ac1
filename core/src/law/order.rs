//! S2 and S4: strict order, and one place in line for life.

use alloc::format;

use super::{Change, Verdict, View, demand, took_slot};
use crate::catalogue::LawId::{S2, S4};
use crate::execution::Execution;
use crate::status::Status;

/// S2: nobody gets a slot past somebody who stood further ahead, before and after.
pub(super) fn first_come(change: &Change<'_>) -> Verdict {
    for changed in &change.commit.executions {
        let lucky = &changed.after;
        if !took_slot(changed.before.as_ref(), lucky) {
            continue;
        }
        let ahead = |e: &&Execution| e.order < lucky.order;
        let passed = change.after.executions.line(&lucky.queue).take_while(ahead).find(|waiter| {
            let before = change.before(waiter.id);
            before.is_some_and(|b| b.status == Status::Queued && b.attempt == waiter.attempt)
        });
        demand(S2, passed.is_none(), || {
            let passed = passed.map(|waiter| (waiter.id, waiter.order));
            format!("{} at {:?} was let in past {passed:?}", lucky.id, lucky.order)
        })?;
    }
    Ok(())
}

/// S4: no two executions have the same place in a line.
pub(super) fn one_place(view: &View<'_>) -> Verdict {
    for execution in view.executions() {
        let Some(order) = execution.order else { continue };
        let mut at_it = view.rows().executions.at_order(&execution.queue, order);
        let other = at_it.find(|other| *other != execution.id);
        demand(S4, other.is_none(), || {
            format!("{} and {other:?} both have {order} in {}", execution.id, execution.queue)
        })?;
    }
    Ok(())
}

/// S4: a place in line, once given, is kept, and so is the line.
pub(super) fn kept(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        let kept = before.order.is_none() || before.order == after.order;
        demand(S4, kept && before.queue == after.queue, || {
            format!("{} moved from {:?} to {:?}", after.id, before.order, after.order)
        })?;
    }
    Ok(())
}
