//! S19, S20 and S21: who may take work, who may be declared dead, and who speaks for a name.

use alloc::format;

use super::{Change, Verdict, demand};
use crate::catalogue::LawId::{S19, S20, S21};
use crate::execution::{Cause, Execution};
use crate::id::WorkerId;
use crate::status::Status;
use crate::worker::{Worker, WorkerState, select};

/// S19: whoever is stopping takes nothing new, and whoever has left is not listened to.
pub(super) fn draining(change: &Change<'_>) -> Verdict {
    for execution in &change.commit.executions {
        let (before, after) = (execution.before.as_ref(), &execution.after);
        let begun = before.map_or(after.attempt.0 > 0, |before| before.attempt < after.attempt);
        let offered = before.is_some_and(|before| before.status == Status::Offered);
        let taken = matches!(after.status, Status::Accepted | Status::Running);
        // An offer is no more than a question; whoever is stopping must not say yes.
        if let Some(holder) = &after.worker
            && taken
            && (begun || offered)
        {
            let state = state_before(change, holder);
            let open = matches!(state, Some(WorkerState::Active | WorkerState::Suspect) | None);
            demand(S19, open, || format!("{holder} was {state:?} and took {}", after.id))?;
            // What was on offer before is accepted all the same: the offer cannot have known.
            let moved = offered || before_of(change, holder).is_none_or(|worker| worker.healthy);
            demand(S19, moved, || format!("{holder} does not move and took {}", after.id))?;
        }
        let Some(before) = before else { continue };
        if let Some(holder) = before.worker.as_ref().filter(|_| before.status.has_live_attempt())
            && change.was_reported(after.id) == Some(true)
        {
            let gone = state_before(change, holder) == Some(WorkerState::Gone);
            demand(S19, !gone, || format!("{holder} had left and reported on {}", after.id))?;
        }
    }
    Ok(())
}

/// The row of a worker process before the commit, if it was the one of its name.
fn before_of<'a>(change: &Change<'a>, holder: &WorkerId) -> Option<&'a Worker> {
    change.worker_before(&holder.name).filter(|row| row.incarnation == holder.incarnation)
}

/// What was known of a worker process before the commit; `None` if it registered in it.
fn state_before(change: &Change<'_>, holder: &WorkerId) -> Option<WorkerState> {
    let worker = change.worker_before(&holder.name)?;
    match worker.incarnation.cmp(&holder.incarnation) {
        core::cmp::Ordering::Less => None,
        core::cmp::Ordering::Equal => Some(worker.state),
        core::cmp::Ordering::Greater => Some(WorkerState::Dead),
    }
}

/// S20: no attempt is taken away and nothing is ended by the engine before its time.
pub(super) fn healthy_work(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        if change.was_reported(after.id) != Some(false) || after.is_workflow() {
            continue;
        }
        let due = before.wake_at.is_some_and(|at| at <= change.commit.at);
        let in_time = match before.status {
            Status::Queued => after.cause != Some(Cause::QueueTimeout) || due,
            Status::Ready => {
                after.cause != Some(Cause::Unschedulable) || (due && !is_wanted(change, after))
            }
            Status::Offered | Status::Accepted | Status::Running => {
                let kept = after.status.has_live_attempt() && after.attempt == before.attempt;
                kept || due || is_orphan(change, before)
            }
            _ => true,
        };
        demand(S20, in_time, || {
            let (from, to) = (before.status, after.status);
            format!("{} went from {from} to {to} for {:?} before its time", after.id, after.cause)
        })?;
    }
    Ok(())
}

/// Whether a worker that was there before and after could have run it.
fn is_wanted(change: &Change<'_>, execution: &Execution) -> bool {
    let changed =
        |worker: &&Worker| change.commit.workers.iter().any(|row| row.after.name == worker.name);
    let workers = change.after.workers.values().filter(|worker| !changed(worker));
    select::is_schedulable(execution, workers)
}

/// Whether the holder's process was over when the commit was made.
fn is_orphan(change: &Change<'_>, execution: &Execution) -> bool {
    let Some(holder) = &execution.worker else { return true };
    let worker = change.after.workers.get(&holder.name);
    worker.is_none_or(|worker| worker.is_over() || worker.incarnation != holder.incarnation)
}

/// S20: a worker is declared dead when its lease is over, or when that is proven, which ends the
/// lease.
pub(super) fn healthy_workers(change: &Change<'_>) -> Verdict {
    for worker in &change.commit.workers {
        let Some(before) = &worker.before else { continue };
        let after = &worker.after;
        let died = after.state == WorkerState::Dead && !before.is_over();
        if before.incarnation == after.incarnation && died {
            demand(S20, after.lease_until <= change.commit.at, || {
                format!("{} was declared dead within its lease", after.id())
            })?;
            demand(S20, after.last_beat >= before.last_beat, || {
                format!("{} was declared dead by a look older than its last beat", after.id())
            })?;
        }
    }
    Ok(())
}

/// S21: a name's newest process is the only one that changes its row, and does so until it is
/// over.
pub(super) fn incarnations(change: &Change<'_>) -> Verdict {
    for worker in &change.commit.workers {
        let Some(before) = &worker.before else { continue };
        let after = &worker.after;
        demand(S21, before.incarnation <= after.incarnation, || {
            format!("{} went back to {}", before.id(), after.incarnation)
        })?;
        let beaten = (before.last_beat, before.lease_until) != (after.last_beat, after.lease_until);
        let same = before.incarnation == after.incarnation;
        demand(S21, !(same && before.is_over() && beaten), || {
            format!("{} was {:?} and beat again", after.id(), before.state)
        })?;
    }
    for speaker in change.commit.voices.iter().flat_map(|voices| &voices.workers) {
        let changed = change.commit.workers.iter().find(|row| row.after.name == speaker.name);
        let before = changed.and_then(|row| row.before.as_ref());
        let heard = before.is_some_and(|before| before.incarnation > speaker.incarnation);
        demand(S21, !heard, || format!("{speaker} is superseded and was listened to"))?;
    }
    Ok(())
}
