//! What a law about rows looks at: all of them, or those that a commit may have made wrong.

use alloc::vec::Vec;

use super::Change;
use crate::execution::Execution;
use crate::id::{ExecutionId, TaskKey};
use crate::snapshot::Snapshot;
use crate::workflow::Visit;

/// Rows to be judged, among all rows.
///
/// A law about rows says something of each execution and of each visit, and asks other rows for
/// it. If the rows before a commit broke no law, those after it can break one only where the
/// commit changed a row or something that a row is judged by; [`View::of`] gathers these.
#[derive(Clone, Debug)]
pub struct View<'a> {
    rows: &'a Snapshot,
    touched: Option<Touched<'a>>,
}

/// In the order of their keys, so that whoever looks at less finds the same first.
#[derive(Clone, Debug)]
struct Touched<'a> {
    executions: Vec<&'a Execution>,
    visits: Vec<&'a Visit>,
}

impl<'a> View<'a> {
    /// Every row.
    #[must_use]
    pub const fn whole(rows: &'a Snapshot) -> Self {
        Self { rows, touched: None }
    }

    /// The rows that a commit may have made wrong.
    #[must_use]
    pub fn of(change: &Change<'a>) -> Self {
        let rows = change.after;
        let mut ids = executions_of(change);
        ids.sort_unstable();
        ids.dedup();
        let mut keys = visits_of(change);
        keys.sort_unstable();
        keys.dedup();
        let touched = Touched {
            executions: ids.into_iter().filter_map(|id| rows.execution(id)).collect(),
            visits: keys.into_iter().filter_map(|key| rows.visits.get(key)).collect(),
        };
        Self { rows, touched: Some(touched) }
    }

    /// All rows, to be asked.
    pub(super) const fn rows(&self) -> &'a Snapshot {
        self.rows
    }

    /// The executions to be judged, by identity.
    pub(super) fn executions(&self) -> impl Iterator<Item = &'a Execution> {
        let (all, some) = match &self.touched {
            None => (Some(self.rows.executions.iter()), None),
            Some(touched) => (None, Some(touched.executions.iter().copied())),
        };
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }

    /// The visits to be judged, by key.
    pub(super) fn visits(&self) -> impl Iterator<Item = &'a Visit> {
        let (all, some) = match &self.touched {
            None => (Some(self.rows.visits.values()), None),
            Some(touched) => (None, Some(touched.visits.iter().copied())),
        };
        all.into_iter().flatten().chain(some.into_iter().flatten())
    }
}

/// The executions that are judged by what changed.
fn executions_of(change: &Change<'_>) -> Vec<ExecutionId> {
    let commit = change.commit;
    let mut ids = Vec::new();
    for execution in &commit.executions {
        ids.push(execution.after.id);
        // A run goes on by its children.
        ids.extend(execution.after.parent());
        ids.extend(execution.before.as_ref().and_then(Execution::parent));
    }
    ids.extend(commit.runs.iter().map(|run| run.after.execution));
    ids.extend(commit.effects.iter().map(|effect| effect.after.key.execution));
    ids.extend(commit.visits.iter().map(|visit| visit.after.key.run));
    for queue in &commit.queues {
        // A place that was given stays given, unless the queue forgets places.
        let forgets = (queue.before.as_ref())
            .is_some_and(|before| queue.after.next_order < before.next_order);
        if forgets {
            ids.extend(change.after.executions.holders(&queue.after.key).map(|holder| holder.id));
        }
    }
    ids
}

/// The visits that are judged by what changed.
fn visits_of<'a>(change: &Change<'a>) -> Vec<&'a TaskKey> {
    let commit = change.commit;
    let mut keys: Vec<&TaskKey> = commit.visits.iter().map(|visit| &visit.after.key).collect();
    keys.extend(commit.items.iter().map(|page| &page.visit));
    for execution in &commit.executions {
        let before = execution.before.as_ref().and_then(|before| before.place.as_ref());
        keys.extend(
            [before, execution.after.place.as_ref()].into_iter().flatten().map(|p| &p.task),
        );
    }
    for run in &commit.runs {
        // A visit that was counted stays counted, unless the run forgets visits.
        let forgets = run.before.as_ref().is_some_and(|before| {
            before.visits.iter().any(|(task, n)| run.after.visits.get(task) < Some(n))
        });
        if forgets {
            keys.extend(change.after.visits_of(run.after.execution).map(|visit| &visit.key));
        }
    }
    keys
}
