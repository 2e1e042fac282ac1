//! Workflows: a graph of tasks, and the one place that decides which come next.

pub mod advance;
pub mod evaluate;
pub mod graph;
mod run;

pub use advance::{Facts, Need, Program, abort, advance};
pub use evaluate::{EvaluateError, Evaluator, References, Scope, TaskResult, Workflow};
pub use graph::{CancellationPolicy, Graph, Join, Task, Transition, WithItems};
pub use run::{Last, Run, Visit, VisitState};
