//! A workflow that can be advanced: its graph, and its templates compiled.

use std::sync::Arc;

use steadfast_core::DefinitionHash;
use steadfast_core::workflow::{EvaluateError, Evaluator, Graph, Workflow};

use crate::{Definition, PolicyDefaults, Templates};

/// A definition whose templates are compiled.
#[derive(Debug)]
pub struct CompiledWorkflow {
    definition: Arc<Definition>,
    templates: Templates,
}

impl CompiledWorkflow {
    /// Compiles a workflow. `lookup` finds the actions that it is pinned to.
    ///
    /// # Errors
    /// If this is no workflow, one of its actions is not known, or a template is wrong.
    pub fn new(
        definition: Arc<Definition>,
        lookup: impl Fn(&DefinitionHash) -> Option<Arc<Definition>>,
        defaults: PolicyDefaults,
    ) -> Result<Self, EvaluateError> {
        let templates = Templates::new(&definition, lookup, defaults)?;
        Ok(Self { definition, templates })
    }
}

impl Workflow for CompiledWorkflow {
    fn graph(&self) -> &Graph {
        &self.definition.workflow().expect("only workflows are compiled").graph
    }

    fn evaluator(&self) -> &dyn Evaluator {
        &self.templates
    }
}
