//! The laws as predicates: on the rows at one moment, on one commit, or on the history. The
//! tests, the simulator and the checks of a running engine judge by this one table.
//!
//! What a law says, and why, is in the [`catalogue`](crate::catalogue). A law that needs more
//! than rows (which processes really run, what a broker holds) is judged where that is known and
//! is listed in [`ELSEWHERE`].

mod attempts;
mod cancel;
mod edges;
mod effects;
mod finality;
mod handles;
mod numbers;
mod order;
mod replay;
mod rest;
mod schedule;
mod seen;
mod slots;
#[cfg(test)]
mod tests;
mod transport;
mod view;
mod vocabulary;
mod worker;
mod workflow;

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

use crate::catalogue::LawId;
use crate::execution::Execution;
use crate::history::{Commit, History, RowChange};
use crate::id::{ExecutionId, WorkerName};
use crate::settings::Settings;
use crate::snapshot::Snapshot;
use crate::worker::Worker;

pub use crate::violation::Violation;
pub use rest::{quiescent, work_conserved};
pub use seen::{SEEN, check_seen};
pub use view::View;

/// What a law says of something.
pub type Verdict = Result<(), Violation>;

/// A commit and what it led to.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The rows that changed.
    pub commit: &'a Commit,
    /// All rows as they are after it.
    pub after: &'a Snapshot,
    /// The spans and bounds in force.
    pub settings: &'a Settings,
}

/// How a law is judged.
#[derive(Clone, Copy, Debug)]
pub enum Check {
    /// On the rows at one moment, each by itself and by those that it asks for.
    Snapshot(fn(&View<'_>) -> Verdict),
    /// On one commit.
    Change(fn(&Change<'_>) -> Verdict),
    /// On everything that was committed.
    History(fn(&History) -> Verdict),
}

/// Every predicate, with the law that it judges. A law may have several.
pub const LAWS: &[(LawId, Check)] = &[
    (LawId::S1, Check::Change(slots::limit)),
    (LawId::S2, Check::Change(order::first_come)),
    (LawId::S3, Check::Snapshot(slots::owners)),
    (LawId::S3, Check::Change(slots::release)),
    (LawId::S4, Check::Snapshot(order::one_place)),
    (LawId::S4, Check::Change(order::kept)),
    (LawId::S5, Check::Change(attempts::one_effective)),
    (LawId::S6, Check::Snapshot(finality::ends)),
    (LawId::S6, Check::Change(finality::absorbing)),
    (LawId::S7, Check::Change(edges::executions)),
    (LawId::S7, Check::Change(edges::workers)),
    (LawId::S7, Check::Change(edges::visits)),
    (LawId::S8, Check::Change(attempts::results)),
    (LawId::S11, Check::Snapshot(handles::alive)),
    (LawId::S12, Check::Change(effects::settled)),
    (LawId::S12, Check::Snapshot(effects::unique)),
    (LawId::S13, Check::Snapshot(effects::planned)),
    (LawId::S14, Check::Snapshot(workflow::unique)),
    (LawId::S15, Check::Snapshot(workflow::expanded)),
    (LawId::S16, Check::Snapshot(workflow::counted)),
    (LawId::S16, Check::Change(workflow::grows)),
    (LawId::S17, Check::Snapshot(workflow::window)),
    (LawId::S19, Check::Change(worker::draining)),
    (LawId::S20, Check::Change(worker::healthy_work)),
    (LawId::S20, Check::Change(worker::healthy_workers)),
    (LawId::S21, Check::Change(worker::incarnations)),
    (LawId::S22, Check::History(finality::one_outcome)),
    (LawId::S23, Check::Snapshot(vocabulary::words)),
    (LawId::S24, Check::Change(numbers::counted)),
    (LawId::S25, Check::Change(schedule::fires)),
    (LawId::S25, Check::History(attempts::acted_once)),
    (LawId::S25, Check::History(schedule::fired_once)),
    (LawId::S26, Check::Change(transport::kept)),
    (LawId::S27, Check::Change(cancel::holds)),
    (LawId::S28, Check::Snapshot(attempts::budget)),
    (LawId::S28, Check::Change(attempts::spent)),
    (LawId::S29, Check::Change(numbers::bounded)),
    (LawId::S30, Check::History(replay::consecutive)),
    (LawId::S31, Check::Change(workflow::honest_end)),
    (LawId::L5, Check::Snapshot(workflow::joined)),
];

/// The safety laws that rows of this kind cannot tell, and who judges them.
pub const ELSEWHERE: &[(LawId, &str)] = &[
    (LawId::S1p, "the simulator, which knows the processes that really run"),
    (LawId::S9, "the message's own life cycle"),
    (LawId::S10, "the message's own life cycle"),
    (LawId::S18, "the barrier"),
];

/// Judges the rows at one moment.
///
/// # Errors
/// With the first law that does not hold.
pub fn check_snapshot(snapshot: &Snapshot) -> Verdict {
    check_view(&View::whole(snapshot))
}

/// Judges what retention has let go of, by the rows as they were before.
///
/// # Errors
/// With the law that does not hold.
pub fn check_dropped(before: &Snapshot, gone: &BTreeSet<ExecutionId>) -> Verdict {
    numbers::dropped(before, gone)
}

/// Judges the rows that a commit may have made wrong. If no law had fallen before it, this says
/// what [`check_snapshot`] says of all rows, and costs what the commit changed.
///
/// # Errors
/// With the first law that does not hold.
pub fn check_touched(change: &Change<'_>) -> Verdict {
    check_view(&View::of(change))
}

fn check_view(view: &View<'_>) -> Verdict {
    judge(|check| match check {
        Check::Snapshot(holds) => holds(view),
        Check::Change(_) | Check::History(_) => Ok(()),
    })
}

/// Judges one commit.
///
/// # Errors
/// With the first law that does not hold.
pub fn check_change(change: &Change<'_>) -> Verdict {
    judge(|check| match check {
        Check::Change(holds) => holds(change),
        Check::Snapshot(_) | Check::History(_) => Ok(()),
    })
}

/// Judges everything that was committed.
///
/// # Errors
/// With the first law that does not hold.
pub fn check_history(history: &History) -> Verdict {
    judge(|check| match check {
        Check::History(holds) => holds(history),
        Check::Snapshot(_) | Check::Change(_) => Ok(()),
    })
}

/// Judges a history by every law: each commit, each state in between, and the whole.
///
/// # Errors
/// With the first law that does not hold.
pub fn check_all(history: &History, settings: &Settings) -> Verdict {
    check_history(history)?;
    let mut after = Snapshot::new();
    for commit in history.commits() {
        if let Err(conflict) = after.apply(&commit.writes()) {
            return Err(Violation::new(LawId::S30, conflict.to_string()));
        }
        check_change(&Change { commit, after: &after, settings })?;
        check_snapshot(&after)?;
    }
    Ok(())
}

fn judge(holds: impl Fn(&Check) -> Verdict) -> Verdict {
    LAWS.iter().try_for_each(|(_, check)| holds(check))
}

/// Demands `condition`; `what` is asked for only when it does not hold.
fn demand(law: LawId, condition: bool, what: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Violation::new(law, what())) }
}

impl<'a> Change<'a> {
    /// The executions that were there before, as they were and as they are.
    fn moved(&self) -> impl Iterator<Item = (&'a Execution, &'a Execution)> + use<'a> {
        let changes = self.commit.executions.iter();
        changes.filter_map(|change| Some((change.before.as_ref()?, &change.after)))
    }

    /// An execution as it was before the commit.
    fn before(&self, id: ExecutionId) -> Option<&'a Execution> {
        match self.commit.executions.iter().find(|change| change.after.id == id) {
            Some(RowChange { before, .. }) => before.as_ref(),
            None => self.after.execution(id),
        }
    }

    /// A worker as it was before the commit.
    fn worker_before(&self, name: &WorkerName) -> Option<&'a Worker> {
        match self.commit.workers.iter().find(|change| change.after.name == *name) {
            Some(RowChange { before, .. }) => before.as_ref(),
            None => self.after.workers.get(name),
        }
    }

    /// Whether the execution's holder spoke of it in this commit; `None` if that is not known.
    fn was_reported(&self, id: ExecutionId) -> Option<bool> {
        self.commit.voices.as_ref().map(|voices| voices.reports.contains_key(&id))
    }
}

/// Whether an execution took a slot between the two: it has one that it did not have, or gave
/// one back in between.
fn took_slot(before: Option<&Execution>, after: &Execution) -> bool {
    let kept = before.is_some_and(|before| {
        let ended = (before.failures, before.losses) != (after.failures, after.losses);
        before.status.holds_slot() && !ended
    });
    after.status.holds_slot() && !kept
}
