//! What the workflow machine asks of a template engine. An implementation must be a pure
//! function of what it is given.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::definition::Prepared;
use crate::id::{ActionRef, TaskName};
use crate::status::Status;
use crate::time::Timestamp;
use crate::workflow::Graph;

/// What an expression may refer to.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The run's parameters, as `parameters.NAME`.
    pub parameters: &'a Value,
    /// The run's variables, as `workflow.NAME`.
    pub vars: &'a BTreeMap<String, Value>,
    /// What finished tasks left, as `task.NAME.result` and, after `with_items`,
    /// `task.NAME.results`. Of a task visited several times, the last visit.
    pub tasks: &'a BTreeMap<TaskName, TaskResult>,
    /// The task whose transitions are being evaluated: `succeeded() failed() timed_out()
    /// completed() result()`.
    pub finished: Option<&'a TaskResult>,
    /// The element and its place, inside `with_items`.
    pub item: Option<(&'a Value, u32)>,
    /// `system.execution_id`: the run.
    pub run: crate::id::ExecutionId,
    /// What `now()` says.
    pub now: Timestamp,
}

/// What a finished task left behind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskResult {
    /// How it ended.
    pub status: Status,
    /// Its result; a list, in item order, after `with_items`. Shared, because it may be large and
    /// is read by many decisions.
    pub result: Arc<Value>,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// An expression that cannot be evaluated: what is wrong, in words for the workflow's author.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EvaluateError(pub String);

/// What a template reads beyond parameters and variables. The results of finished tasks are
/// loaded only when something refers to them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    /// The tasks that it names.
    pub tasks: BTreeSet<TaskName>,
    /// It computes a task's name, so it may read any.
    pub any_task: bool,
    /// It reads the result of the task that has just finished.
    pub result: bool,
}

impl References {
    /// Everything there is: what to assume of a template that was not looked into.
    #[must_use]
    pub fn everything() -> Self {
        Self { tasks: BTreeSet::new(), any_task: true, result: true }
    }
}

/// Evaluates expressions and prepares child executions.
pub trait Evaluator {
    /// What `template` reads. Naming too much costs time, naming too little is a mistake.
    fn references(&self, template: &Value) -> References {
        let _ = template;
        References::everything()
    }

    /// Whether `condition` holds.
    ///
    /// # Errors
    /// If it cannot be parsed or evaluated.
    fn condition(&self, condition: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError>;

    /// Renders every string in `template`. A string that is one pure expression keeps the JSON
    /// type of its value.
    ///
    /// # Errors
    /// If a template cannot be parsed or evaluated.
    fn render(&self, template: &Value, scope: &Scope<'_>) -> Result<Value, EvaluateError>;

    /// Checks `input` against the parameters that `action` declares, fills in defaults and
    /// resolves what the execution is pinned to.
    ///
    /// # Errors
    /// If the action is unknown or disabled, or a parameter is missing or of the wrong type.
    fn prepare(&self, action: &ActionRef, input: Value) -> Result<Prepared, EvaluateError>;
}

/// A pinned workflow, ready to be advanced.
pub trait Workflow: Send + Sync {
    /// Its graph.
    fn graph(&self) -> &Graph;

    /// What evaluates its expressions.
    fn evaluator(&self) -> &dyn Evaluator;
}
