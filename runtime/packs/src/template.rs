//! Templates: the core's `Evaluator` on minijinja.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use steadfast_core::workflow::{EvaluateError, Evaluator, Scope};
use steadfast_core::{ActionRef, DefinitionHash, Prepared, TaskName};

use crate::definition::Definition;
use crate::prepare::PolicyDefaults;

/// The tasks whose results something reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskReferences {
    /// These, and no others.
    Only(BTreeSet<TaskName>),
    /// Any: which ones is decided by values.
    All,
}

/// The templates of one workflow, compiled.
#[derive(Debug)]
pub struct Templates;

impl Templates {
    /// Compiles the templates of `workflow`.
    ///
    /// # Errors
    /// If it is no workflow, a template is malformed or an action is unknown to `lookup`.
    pub fn new(
        _workflow: &Definition,
        _lookup: impl Fn(&DefinitionHash) -> Option<Arc<Definition>>,
        _defaults: PolicyDefaults,
    ) -> Result<Self, EvaluateError> {
        Ok(Self)
    }

    /// The tasks whose results `template` reads.
    #[must_use]
    pub fn task_references(&self, _template: &Value) -> TaskReferences {
        TaskReferences::All
    }

    /// The tasks whose results anything in the workflow reads.
    #[must_use]
    pub fn references(&self) -> TaskReferences {
        TaskReferences::All
    }
}

impl Evaluator for Templates {
    fn condition(&self, _: &str, _: &Scope<'_>) -> Result<bool, EvaluateError> {
        Err(EvaluateError("not built yet".to_string()))
    }

    fn render(&self, _: &Value, _: &Scope<'_>) -> Result<Value, EvaluateError> {
        Err(EvaluateError("not built yet".to_string()))
    }

    fn prepare(&self, _: &ActionRef, _: Value) -> Result<Prepared, EvaluateError> {
        Err(EvaluateError("not built yet".to_string()))
    }
}

pub(crate) fn render_key(_: &str, _: &Definition, _: &Value) -> Result<String, String> {
    Err("not built yet".to_string())
}
