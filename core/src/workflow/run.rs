//! The rows of a workflow run: one for the run, one for each visit of a task. The items of a visit
//! are executions.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{Attempt, ExecutionId, TaskKey, TaskName, Version};
use crate::status::Status;
use crate::time::Timestamp;

/// The state of a run that belongs to no task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The workflow's execution.
    pub execution: ExecutionId,
    /// Rises with every write.
    pub version: Version,
    /// The attempt of the execution that this is the state of.
    pub attempt: Attempt,
    /// Whether anything of it may still have to be done.
    pub open: bool,
    /// Nothing new is started: it is being cancelled, or the workflow itself is at fault.
    pub halted: bool,
    /// The variables.
    pub vars: BTreeMap<String, Value>,
    /// How often each task was visited, in all attempts: the next visit has this occurrence.
    pub visits: BTreeMap<TaskName, u32>,
    /// The last visit of each task that ended in this attempt.
    pub last: BTreeMap<TaskName, Last>,
    /// The first failure that nothing handled.
    pub fault: Option<String>,
}

/// How the last visit of a task ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Which visit.
    pub occurrence: u32,
    /// How it ended.
    pub status: Status,
}

/// One visit of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Visit {
    /// Run, task and occurrence: at most one row has it.
    pub key: TaskKey,
    /// Rises with every write.
    pub version: Version,
    /// Where it is.
    pub state: VisitState,
    /// How it ended.
    pub status: Option<Status>,
    /// The predecessors that have arrived: a set, so that none counts twice.
    pub arrived: BTreeSet<TaskName>,
    /// How many must arrive before it starts.
    pub needed: u32,
    /// Whether further predecessors of this lap may still arrive, to be absorbed.
    pub absorbing: bool,
    /// Whether its executions are the elements of a list.
    pub listed: bool,
    /// How many elements the list has.
    pub elements: u32,
    /// How many elements an execution gets.
    pub batch_size: u32,
    /// How many executions it has in all.
    pub total: u32,
    /// How many of them have been created: always the first ones.
    pub created: u32,
    /// How many of them have ended and been folded in.
    pub ended: u32,
    /// How many of those did not complete.
    pub failed: u32,
    /// How many of those timed out.
    pub timed_out: u32,
    /// How many executions may be under way at once.
    pub concurrency: u32,
    /// The variables when the list was evaluated: all its elements see the same.
    pub vars: BTreeMap<String, Value>,
    /// Its executions start not before this.
    pub not_before: Option<Timestamp>,
    /// The first thing that went wrong.
    pub error: Option<String>,
}

/// Where a visit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VisitState {
    /// Waiting for predecessors.
    Waiting,
    /// Its executions are under way.
    Running,
    /// Over.
    Ended,
}

impl Run {
    /// A run that has not begun.
    #[must_use]
    pub fn new(execution: ExecutionId, attempt: Attempt) -> Self {
        Self {
            execution,
            version: Version(0),
            attempt,
            open: true,
            halted: false,
            vars: BTreeMap::new(),
            visits: BTreeMap::new(),
            last: BTreeMap::new(),
            fault: None,
        }
    }

    /// Starts over for a new attempt. Occurrences go on counting, so that no visit of an earlier
    /// attempt can be taken for one of this.
    pub fn restart(&mut self, attempt: Attempt) {
        let visits = core::mem::take(&mut self.visits);
        let version = self.version;
        *self = Self { version, visits, ..Self::new(self.execution, attempt) };
    }
}

impl Visit {
    /// A visit that nothing has arrived at.
    #[must_use]
    pub fn new(key: TaskKey, needed: u32) -> Self {
        Self {
            key,
            version: Version(0),
            state: VisitState::Waiting,
            status: None,
            arrived: BTreeSet::new(),
            needed,
            absorbing: false,
            listed: false,
            elements: 0,
            batch_size: 1,
            total: 0,
            created: 0,
            ended: 0,
            failed: 0,
            timed_out: 0,
            concurrency: 1,
            vars: BTreeMap::new(),
            not_before: None,
            error: None,
        }
    }

    /// How many more executions may be created now.
    #[must_use]
    pub fn room(&self) -> u32 {
        let under_way = self.created - self.ended;
        self.concurrency.saturating_sub(under_way).min(self.total - self.created)
    }

    /// How many could be created if none were under way.
    #[must_use]
    pub fn whole_window(&self) -> u32 {
        self.concurrency.min(self.total - self.created)
    }

    /// Whether every execution has ended and been folded in.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.created == self.total && self.ended == self.total
    }

    /// Whether the row still matters to its run.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state != VisitState::Ended || self.absorbing || self.is_abandoned()
    }

    /// Whether it was ended with executions under way: its run has gone on without it, in a new
    /// attempt, and only waits for them to be over.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.state == VisitState::Ended && self.ended < self.created
    }

    /// Ends it as it is: nothing follows from it any more.
    pub fn abandon(&mut self) {
        self.state = VisitState::Ended;
        self.status = self.status.or(Some(Status::Cancelled));
        self.absorbing = false;
    }

    /// Counts an execution of this visit that ended.
    pub fn count(&mut self, status: Status, error: Option<&str>) {
        self.ended += 1;
        if status != Status::Completed {
            self.failed += 1;
            self.timed_out += u32::from(status == Status::TimedOut);
            if self.error.is_none() {
                self.error = error.map(String::from);
            }
        }
    }

    /// How it ends, from how its executions ended: timed out if nothing worse happened.
    #[must_use]
    pub const fn outcome(&self) -> Status {
        if self.failed == 0 && self.error.is_none() {
            Status::Completed
        } else if self.failed > 0 && self.failed == self.timed_out {
            Status::TimedOut
        } else {
            Status::Failed
        }
    }
}
