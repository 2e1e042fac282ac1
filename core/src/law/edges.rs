//! S7: every change of status is an arrow of its table, or several in a row where one commit did
//! several things.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::vec;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::S7;
use crate::status::{Status, TRANSITIONS};
use crate::worker::WorkerState;
use crate::workflow::VisitState;

/// S7 for executions.
pub(super) fn executions(change: &Change<'_>) -> Verdict {
    for execution in &change.commit.executions {
        let after = &execution.after;
        let (from, attempts) = match &execution.before {
            Some(before) => (before.status, after.attempt.0.saturating_sub(before.attempt.0)),
            None => (Status::Requested, after.attempt.0),
        };
        demand(S7, is_path(from, after.status, attempts), || {
            format!("{}: {from} -> {} with {attempts} new attempts", after.id, after.status)
        })?;
    }
    Ok(())
}

/// Whether a walk along the table's arrows leads from one status to another, beginning exactly
/// so many attempts.
fn is_path(from: Status, to: Status, attempts: u32) -> bool {
    if (from, attempts) == (to, 0) {
        return true;
    }
    let mut seen = BTreeSet::new();
    let mut open = vec![(from, 0)];
    while let Some((status, begun)) = open.pop() {
        if begun > attempts || !seen.insert((status, begun)) {
            continue;
        }
        if (status, begun) == (to, attempts) {
            return true;
        }
        for (_, next, _) in TRANSITIONS.iter().filter(|(before, ..)| *before == status) {
            let begins = !status.has_live_attempt() && next.has_live_attempt();
            open.push((*next, begun + u32::from(begins)));
        }
    }
    false
}

/// S7 for workers: what is over stays over until the next process registers.
pub(super) fn workers(change: &Change<'_>) -> Verdict {
    use WorkerState::{Active, Dead, Draining, Gone, Suspect};
    for worker in &change.commit.workers {
        let Some(before) = &worker.before else { continue };
        let after = &worker.after;
        let legal = match (before.state, after.state) {
            _ if before.incarnation != after.incarnation => true,
            (from, to) if from == to => true,
            (Active | Suspect, _) | (Draining, Dead | Gone) => true,
            (Draining, _) | (Dead | Gone, _) => false,
        };
        demand(S7, legal, || format!("{}: {:?} -> {:?}", after.id(), before.state, after.state))?;
    }
    Ok(())
}

/// S7 for visits of tasks: they go forward.
pub(super) fn visits(change: &Change<'_>) -> Verdict {
    for visit in &change.commit.visits {
        let Some(before) = &visit.before else { continue };
        let after = &visit.after;
        let forward = before.state <= after.state;
        let ended = before.state == VisitState::Ended;
        demand(S7, forward && !(ended && before.status != after.status), || {
            format!("{}: {:?} -> {:?}", after.key, before.state, after.state)
        })?;
    }
    Ok(())
}
