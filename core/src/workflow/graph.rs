//! The workflow graph: what follows what. Data only; `advance` decides.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ActionRef, TaskName};
use crate::policy::RetryPolicy;
use crate::time::Span;

/// A validated workflow. Expressions stay text (or JSON with text in it) and are evaluated by an
/// [`Evaluator`](super::Evaluator) when they are needed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graph {
    /// The tasks, in the order of the file.
    pub tasks: Vec<Task>,
    /// The first values of the variables: JSON in which strings are templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vars: Vec<(String, Value)>,
    /// The result of the run, by key: JSON in which strings are templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_map: Vec<(String, Value)>,
    /// What happens to running work when the run is cancelled.
    #[serde(default)]
    pub cancellation: CancellationPolicy,
    /// How often one task may be visited in one run.
    #[serde(default = "Graph::default_max_task_visits")]
    pub max_task_visits: u32,
}

/// What happens to work that is already running when its run is cancelled. What has not started
/// is cancelled in either case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancellationPolicy {
    /// It is asked to stop.
    #[default]
    CancelRunning,
    /// It may finish.
    AllowFinish,
}

/// One node of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Unique in the graph.
    pub name: TaskName,
    /// What it runs.
    pub action: ActionRef,
    /// The action's parameters: JSON in which strings are templates.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub input: Value,
    /// Wait this long before it starts: a number of seconds, or a template for one.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub delay: Value,
    /// Replaces the action's own retry policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<RetryPolicy>,
    /// Replaces the action's own timeout; for each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Run once for each element: a template for a list, or a list of templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with_items: Option<Box<WithItems>>,
    /// How many predecessors must arrive before it starts; `None` = each starts it anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<Join>,
    /// What follows, evaluated in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Transition>,
    /// Labels that the worker must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub worker_selector: BTreeMap<String, String>,
}

/// A task's expansion over a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WithItems {
    /// A template for a list, or a list in which strings are templates.
    pub items: Value,
    /// How many elements each execution gets: more than one hands over sub-lists.
    #[serde(default = "WithItems::one")]
    pub batch_size: u32,
    /// How many executions may be under way at once.
    #[serde(default = "WithItems::one")]
    pub concurrency: u32,
}

impl WithItems {
    const fn one() -> u32 {
        1
    }
}

/// When a task with several predecessors starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Join {
    /// When every predecessor has arrived.
    All,
    /// When this many have; the others are absorbed when they come.
    Count(u32),
}

/// What may follow a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    /// A condition (an expression, with or without braces); `None` always holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// Variables to set, in order: JSON in which strings are templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publish: Vec<(String, Value)>,
    /// The tasks to start.
    #[serde(default, rename = "do", skip_serializing_if = "Vec::is_empty")]
    pub go: Vec<TaskName>,
}

impl Graph {
    /// The bound on visits when a workflow names none.
    pub const MAX_TASK_VISITS: u32 = 10_000;

    const fn default_max_task_visits() -> u32 {
        Self::MAX_TASK_VISITS
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &TaskName) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name == *name)
    }

    /// The tasks that name `task` in one of their transitions, itself included if it does.
    #[must_use]
    pub fn predecessors(&self, task: &TaskName) -> BTreeSet<TaskName> {
        let leads_here = |t: &&Task| t.next.iter().any(|next| next.go.contains(task));
        self.tasks.iter().filter(leads_here).map(|t| t.name.clone()).collect()
    }

    /// The tasks that nothing leads to: a run begins with them.
    #[must_use]
    pub fn entries(&self) -> Vec<&Task> {
        let reached: BTreeSet<&TaskName> =
            self.tasks.iter().flat_map(|t| &t.next).flat_map(|next| &next.go).collect();
        self.tasks.iter().filter(|t| !reached.contains(&t.name)).collect()
    }

    /// How many arrivals start `task`: 1 without a join.
    #[must_use]
    pub fn arrivals_needed(&self, task: &Task) -> u32 {
        match task.join {
            None => 1,
            Some(Join::Count(count)) => count,
            Some(Join::All) => u32::try_from(self.predecessors(&task.name).len()).unwrap_or(1),
        }
    }
}
