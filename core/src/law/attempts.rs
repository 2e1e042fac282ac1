//! S5, S8, S25 and S28: one attempt counts at a time, its word decides, and its budget ends.

use alloc::collections::BTreeSet;
use alloc::format;

use serde_json::Value;

use super::{Change, Verdict, View, demand};
use crate::catalogue::LawId::{S5, S8, S25, S28};
use crate::execution::Execution;
use crate::history::History;
use crate::status::Status;

/// S5: attempts only go forward, an attempt keeps its worker, and only the newest is listened to.
pub(super) fn one_effective(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        let id = after.id;
        demand(S5, before.attempt <= after.attempt, || {
            format!("{id} went back from {} to {}", before.attempt, after.attempt)
        })?;
        let same = before.attempt == after.attempt;
        let live = (before.status.has_live_attempt(), after.status.has_live_attempt());
        demand(S5, !(same && live == (false, true)), || {
            format!("{id} has a live attempt again under an old token ({})", after.attempt)
        })?;
        demand(S5, !(same && live == (true, true)) || before.worker == after.worker, || {
            format!("{}: {} changed hands", after.id, after.attempt)
        })?;
        let reports = change.commit.voices.as_ref().map(|voices| &voices.reports);
        let Some(word) = reports.and_then(|reports| reports.get(&id)) else { continue };
        demand(S5, word.token >= before.token() && word.token <= after.token(), || {
            format!("{id} took the word of {} while {} was current", word.token, before.token())
        })?;
        let own = word.worker.is_none() || word.worker == before.worker;
        demand(S5, own || word.token != before.token(), || {
            format!("{id} was {:?}'s, and {:?} was listened to", before.worker, word.worker)
        })?;
    }
    Ok(())
}

/// S8: what an execution leaves behind is written with its end, by whoever ended it.
pub(super) fn results(change: &Change<'_>) -> Verdict {
    for (id, _) in &change.commit.results {
        let over = change.after.execution(*id).is_some_and(|e| e.status.is_terminal());
        let was_over = change.before(*id).is_some_and(|e| e.status.is_terminal());
        demand(S8, over && !was_over, || format!("{id} has a result that its end did not leave"))?;
    }
    for (before, after) in change.moved() {
        if before.status.is_terminal() || !after.status.is_terminal() || after.is_workflow() {
            continue;
        }
        let id = after.id;
        let left = change.after.results.get(&id);
        let silent = change.was_reported(id) == Some(false);
        let unattended = !before.status.has_live_attempt() && before.attempt == after.attempt;
        if !silent && !unattended {
            continue;
        }
        demand(S8, after.cause.is_some(), || {
            format!("{id} ended as {} and nobody had reported", after.status)
        })?;
        let explained = left.is_some_and(|left| left.result == Value::Null && left.error.is_some());
        demand(S8, explained, || format!("{id} was ended by the engine and left {left:?}"))?;
    }
    Ok(())
}

/// S25: an attempt ends once.
pub(super) fn acted_once(history: &History) -> Verdict {
    let mut ended = BTreeSet::new();
    let changes = history.commits().iter().flat_map(|commit| &commit.executions);
    for change in changes {
        let Some(before) = &change.before else { continue };
        let after = &change.after;
        let lost = charged(after) > charged(before);
        let over = after.status.is_terminal() && !before.status.is_terminal();
        if before.status.has_live_attempt() && (lost || over) {
            let (id, attempt) = (after.id, before.attempt);
            let first = ended.insert((id, attempt));
            demand(S25, first, || format!("{attempt} of {id} was ended twice"))?;
        }
    }
    Ok(())
}

/// S28: no more failures and losses than the policy allows.
pub(super) fn budget(view: &View<'_>) -> Verdict {
    for execution in view.executions() {
        let Execution { id, failures, losses, policy, .. } = execution;
        // The last failure and the last loss are those that end it.
        let last = u32::from(execution.status.is_terminal());
        let failed = *failures <= policy.retry.count.saturating_add(last);
        let lost = *losses <= policy.max_losses.saturating_add(last);
        demand(S28, failed && lost, || {
            format!("{id} ({}) has {failures} failures and {losses} losses", execution.status)
        })?;
    }
    Ok(())
}

/// S28: only an attempt that has started costs anything, and each at most once.
pub(super) fn spent(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved() {
        // What was merely offered may have started in this very commit, if its holder spoke.
        let started = before.status == Status::Running
            || (before.status.has_live_attempt() && change.was_reported(after.id) != Some(false));
        let begun = u64::from(after.attempt.0.saturating_sub(before.attempt.0));
        let attempts = begun + u64::from(started);
        let charged = charged(after).checked_sub(charged(before));
        demand(S28, charged.is_some_and(|charged| charged <= attempts), || {
            format!("{}: {charged:?} charged for {attempts} attempts", after.id)
        })?;
    }
    Ok(())
}

/// How many attempts an execution has paid for.
fn charged(execution: &Execution) -> u64 {
    u64::from(execution.failures) + u64::from(execution.losses)
}
