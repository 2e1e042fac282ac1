//! S30: the log is the state.

use alloc::format;
use alloc::string::ToString;

use super::{Verdict, demand};
use crate::catalogue::LawId::S30;
use crate::history::{Commit, History};
use crate::snapshot::Snapshot;

/// S30: each commit begins where the one before it ended.
pub(super) fn consecutive(history: &History) -> Verdict {
    let mut state = Snapshot::new();
    for (place, commit) in history.commits().iter().enumerate() {
        let derived = Commit::derive(commit.at, commit.voices.clone(), &state, &commit.writes());
        demand(S30, derived == *commit, || {
            format!("commit {place} was made on another state than the log leads to")
        })?;
        let applied = state.apply(&commit.writes());
        demand(S30, applied.is_ok(), || {
            let problem = applied.as_ref().err().map(ToString::to_string).unwrap_or_default();
            format!("commit {place} does not follow: {problem}")
        })?;
    }
    Ok(())
}
