//! S30: the log is the state.

use alloc::collections::BTreeMap;
use alloc::format;

use super::{Verdict, demand};
use crate::catalogue::LawId::S30;
use crate::history::{Commit, History, RowChange};
use crate::id::Version;
use crate::unit::Row;

/// S30: each commit begins where the one before it ended, and bears the time that its decision was
/// given.
pub(super) fn consecutive(history: &History) -> Verdict {
    let mut workers = BTreeMap::new();
    let mut queues = BTreeMap::new();
    let mut executions = BTreeMap::new();
    let mut runs = BTreeMap::new();
    let mut visits = BTreeMap::new();
    for (place, commit) in history.commits().iter().enumerate() {
        let follows = follow(&mut workers, &commit.workers)
            && follow(&mut queues, &commit.queues)
            && follow(&mut executions, &commit.executions)
            && follow(&mut runs, &commit.runs)
            && follow(&mut visits, &commit.visits);
        demand(S30, follows, || {
            format!("commit {place} was made on another state than the log leads to")
        })?;
        dated(place, commit)?;
    }
    Ok(())
}

/// Whether each row was before what it had become, and is the next version of it.
fn follow<'a, R: Row>(rows: &mut BTreeMap<R::Key, &'a R>, changes: &'a [RowChange<R>]) -> bool {
    changes.iter().all(|RowChange { before, after }| {
        let next = before.as_ref().map_or(Version(0), |before| before.version().next());
        rows.insert(after.key(), after) == before.as_ref() && after.version() == next
    })
}

/// What a decision wrote down as its time is the time in the log.
fn dated(place: usize, commit: &Commit) -> Verdict {
    for change in &commit.executions {
        let (before, after) = (change.before.as_ref(), &change.after);
        let begun = before.is_none().then_some(after.created_at);
        let over = before.is_some_and(|before| before.ended_at.is_some());
        let ended = after.ended_at.filter(|_| !over);
        for written in [begun, ended].into_iter().flatten() {
            demand(S30, written == commit.at, || {
                let (id, at) = (after.id, commit.at);
                format!("commit {place} of {at} was decided at {written}, as {id} says")
            })?;
        }
    }
    Ok(())
}
