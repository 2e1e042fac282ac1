//! S6 and S22: over is over, once.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;

use super::{Change, Verdict, View, demand};
use crate::catalogue::LawId::{S6, S22};
use crate::execution::Execution;
use crate::history::History;

/// S6: nothing more is due for what is over.
pub(super) fn ends(view: &View<'_>) -> Verdict {
    for execution in view.executions().filter(|e| e.status.is_terminal()) {
        demand(S6, execution.wake_at.is_none(), || {
            format!("{} is {} and something is still due", execution.id, execution.status)
        })?;
    }
    Ok(())
}

/// S6: of what is over, nothing changes but that its run hears of it.
pub(super) fn absorbing(change: &Change<'_>) -> Verdict {
    for (before, after) in change.moved().filter(|(before, _)| before.status.is_terminal()) {
        let expected = Execution { version: after.version, folded: after.folded, ..before.clone() };
        demand(S6, *after == expected && before.folded <= after.folded, || {
            format!("{} was {} and changed to {}", after.id, before.status, after.status)
        })?;
    }
    Ok(())
}

/// S22: a submit key gives one execution, and an execution ends once.
pub(super) fn one_outcome(history: &History) -> Verdict {
    let (mut ended, mut keys) = (BTreeSet::new(), BTreeMap::new());
    for change in history.commits().iter().flat_map(|commit| &commit.executions) {
        let after = &change.after;
        let was_over = change.before.as_ref().is_some_and(|before| before.status.is_terminal());
        if after.status.is_terminal() && !was_over {
            demand(S22, ended.insert(after.id), || format!("{} ended twice", after.id))?;
        }
        if let Some(idempotency) = &after.idempotency {
            let key = &idempotency.key;
            let first = *keys.entry(key).or_insert(after.id);
            demand(S22, first == after.id, || format!("`{key}` gave {first} and {}", after.id))?;
        }
    }
    Ok(())
}
