//! The append-only log of what was committed: for each commit its time and every row before and
//! after. Laws that no single state can tell are judged on it, and replaying it gives the state.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde_json::Value;

use crate::decision::{Changed, ItemPage, Outcome, Writes};
use crate::effect::{Effect, EffectKey};
use crate::execution::Execution;
use crate::id::{ExecutionId, FencingToken, WorkerId};
use crate::queue::Queue;
use crate::schedule::Schedule;
use crate::snapshot::{Conflict, Snapshot};
use crate::time::Timestamp;
use crate::worker::Worker;
use crate::workflow::{Run, Visit};

/// One row, before and after a commit.
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange<R> {
    /// As it was; `None` if it is new.
    pub before: Option<R>,
    /// As it is now.
    pub after: R,
}

/// One commit.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Commit {
    /// The store's clock when it was decided.
    pub at: Timestamp,
    /// Who spoke in it, if that is known.
    pub voices: Option<Voices>,
    /// Changed workers.
    pub workers: Vec<RowChange<Worker>>,
    /// Changed queues.
    pub queues: Vec<RowChange<Queue>>,
    /// Changed executions.
    pub executions: Vec<RowChange<Execution>>,
    /// Changed runs.
    pub runs: Vec<RowChange<Run>>,
    /// Changed visits.
    pub visits: Vec<RowChange<Visit>>,
    /// Changed schedules.
    pub schedules: Vec<RowChange<Schedule>>,
    /// Parameters of new executions.
    pub parameters: Vec<(ExecutionId, Value)>,
    /// What ended executions left behind.
    pub results: Vec<(ExecutionId, Outcome)>,
    /// New pages of item lists.
    pub items: Vec<ItemPage>,
    /// Changed effects.
    pub effects: Vec<RowChange<Effect>>,
}

/// Who was listened to in a commit. Rows alone do not tell a report from a sweep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voices {
    /// The executions whose holder spoke of its attempt, and what it presented.
    pub reports: BTreeMap<ExecutionId, Word>,
    /// The worker processes that spoke of themselves.
    pub workers: BTreeSet<WorkerId>,
    /// The effects whose sender spoke of its try, and the token that it presented.
    pub effects: BTreeMap<EffectKey, FencingToken>,
}

/// What was presented with a word on an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The token of the attempt.
    pub token: FencingToken,
    /// Who spoke, where that was said.
    pub worker: Option<WorkerId>,
}

impl Commit {
    /// The writes that made it.
    #[must_use]
    pub fn writes(&self) -> Writes {
        Writes {
            workers: changed(&self.workers),
            queues: changed(&self.queues),
            executions: changed(&self.executions),
            runs: changed(&self.runs),
            visits: changed(&self.visits),
            schedules: changed(&self.schedules),
            parameters: self.parameters.clone(),
            results: self.results.clone(),
            items: self.items.clone(),
            effects: changed(&self.effects),
            unchanged: 0,
        }
    }

    /// Whether it changed nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes().is_empty()
    }
}

fn changed<R: Clone>(changes: &[RowChange<R>]) -> Changed<R> {
    let rows = |new: bool| {
        let wanted = changes.iter().filter(move |change| change.before.is_none() == new);
        wanted.map(|change| change.after.clone()).collect()
    };
    Changed { inserted: rows(true), updated: rows(false) }
}

/// Every commit, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    commits: Vec<Commit>,
}

impl History {
    /// Nothing has happened.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The commits, in order.
    #[must_use]
    pub fn commits(&self) -> &[Commit] {
        &self.commits
    }

    /// Writes to `snapshot` and remembers it.
    ///
    /// # Errors
    /// If the snapshot refuses; nothing is written or remembered then.
    pub fn commit(
        &mut self,
        snapshot: &mut Snapshot,
        at: Timestamp,
        voices: Option<Voices>,
        writes: &Writes,
    ) -> Result<(), Conflict> {
        let changes = snapshot.take(writes.clone())?;
        self.commits.push(Commit { at, voices, ..changes });
        Ok(())
    }

    /// Adds a commit that was made elsewhere.
    pub fn push(&mut self, commit: Commit) {
        self.commits.push(commit);
    }

    /// The state that the commits lead to, from nothing.
    ///
    /// # Errors
    /// If the commits do not follow one another.
    pub fn replay(&self) -> Result<Snapshot, Conflict> {
        let mut snapshot = Snapshot::new();
        self.commits.iter().try_for_each(|commit| snapshot.apply(&commit.writes()))?;
        Ok(snapshot)
    }
}
