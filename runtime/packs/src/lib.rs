//! Packs, actions and workflow files: how they are read, checked and normalised.
//!
//! [`Catalog::load`] reads directories of packs into [`Definition`]s and says everything that is
//! wrong with them, each [`Problem`] with its file and line. [`Templates`] evaluates the
//! expressions of a workflow for the core. Only the loader touches files, and nothing in here
//! reads a clock, draws a random number or depends on hash order: the simulator runs it as it is.
#![forbid(unsafe_code)]

pub mod catalog;
mod compiled;
pub mod definition;
mod fields;
mod members;
mod metadata;
pub mod prepare;
pub mod problem;
pub mod schema;
pub mod template;
mod workflow;
mod yaml;

pub use catalog::{Catalog, Sources, load_standalone, read_standalone};
pub use compiled::CompiledWorkflow;
pub use definition::{
    Definition, Kind, OutputFormat, ParameterDelivery, ParameterFormat, ProcessSpec, RuntimeKind,
    WorkflowSpec, handler_runtime,
};
pub use members::{Member, read_members};
pub use prepare::{PolicyDefaults, PrepareError, prepare};
pub use problem::{Problem, Severity, suggestion};
pub use schema::{
    Field, JsonType, ParameterProblem, REDACTED, Schema, Shape, convert_argument, redact,
    secret_values, validate,
};
pub use template::Templates;
