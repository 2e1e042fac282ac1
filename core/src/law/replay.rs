//! S30: the log is the state.

use alloc::format;
use alloc::string::ToString;

use super::{Verdict, demand};
use crate::catalogue::LawId::S30;
use crate::history::{Commit, History};
use crate::snapshot::Snapshot;

/// S30: each commit begins where the one before it ended, and bears the time that its decision was
/// given.
pub(super) fn consecutive(history: &History) -> Verdict {
    let mut state = Snapshot::new();
    for (place, commit) in history.commits().iter().enumerate() {
        let derived = Commit::derive(commit.at, commit.voices.clone(), &state, &commit.writes());
        demand(S30, derived == *commit, || {
            format!("commit {place} was made on another state than the log leads to")
        })?;
        dated(place, commit)?;
        let applied = state.apply(&commit.writes());
        demand(S30, applied.is_ok(), || {
            let problem = applied.as_ref().err().map(ToString::to_string).unwrap_or_default();
            format!("commit {place} does not follow: {problem}")
        })?;
    }
    Ok(())
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
