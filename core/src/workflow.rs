//! Workflows: a graph of tasks, and the one place that decides which come next.

pub mod evaluate;
pub mod graph;

pub use evaluate::{EvaluateError, Evaluator, Scope, TaskResult};
pub use graph::{CancellationPolicy, Graph, Join, Task, Transition, WithItems};
