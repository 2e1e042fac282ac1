//! Templates: the core's `Evaluator` on minijinja.
//!
//! Everything that a workflow may ask to be evaluated is compiled when it is loaded, so an item of
//! a list costs an evaluation and no parsing; and what a template reads of the scope is looked up
//! where it is, never copied as a whole.

mod compile;
mod convert;
mod explain;
mod filters;
mod functions;
mod key;
mod scope;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use steadfast_core::workflow::{EvaluateError, Evaluator, Graph, References, Scope};
use steadfast_core::{ActionRef, DefinitionHash, Prepared};

use crate::definition::Definition;
use crate::prepare::{PolicyDefaults, prepare};

pub(crate) use compile::{Compiled, SyntaxError, is_template};
pub(crate) use functions::{is_known as is_function, names as function_names};
pub(crate) use key::KeyTemplate;
pub(crate) use scope::NAMESPACES;
use scope::{Surroundings, within};

/// The templates of one workflow, compiled, and the actions that it runs.
#[derive(Debug)]
pub struct Templates {
    templates: BTreeMap<String, Known>,
    conditions: BTreeMap<String, Known>,
    actions: BTreeMap<ActionRef, Arc<Definition>>,
    surroundings: Surroundings,
    defaults: PolicyDefaults,
}

/// A compiled template with what it reads, which is asked for each time it is evaluated.
#[derive(Debug)]
struct Known {
    compiled: Compiled,
    references: References,
}

impl From<Compiled> for Known {
    fn from(compiled: Compiled) -> Self {
        Self { references: compiled.references(), compiled }
    }
}

impl Templates {
    /// Compiles the templates of `workflow`, whose actions `lookup` finds by the hashes that the
    /// workflow is pinned to.
    ///
    /// # Errors
    /// If it is no workflow, a template is malformed or an action is unknown to `lookup`.
    pub fn new(
        workflow: &Definition,
        lookup: impl Fn(&DefinitionHash) -> Option<Arc<Definition>>,
        defaults: PolicyDefaults,
    ) -> Result<Self, EvaluateError> {
        let name = &workflow.action;
        let Some(spec) = workflow.workflow() else {
            return Err(EvaluateError(format!("`{name}` is not a workflow")));
        };
        let mut actions = BTreeMap::new();
        for (action, hash) in &spec.actions {
            let Some(definition) = lookup(hash) else {
                let problem =
                    format!("`{name}` is pinned to `{action}` {hash}, which is not known");
                return Err(EvaluateError(problem));
            };
            actions.insert(action.clone(), definition);
        }
        let surroundings = Surroundings {
            config: object_or_empty(&spec.config),
            keystore: Value::Object(Map::new()),
            declared: workflow.parameters.fields.iter().map(|f| f.name.clone()).collect(),
        };
        let (templates, conditions) = (BTreeMap::new(), BTreeMap::new());
        let mut all = Self { templates, conditions, actions, surroundings, defaults };
        all.compile(&spec.graph)?;
        Ok(all)
    }

    /// With `keys` as `keystore.NAME`.
    #[must_use]
    pub fn with_keystore(mut self, keys: Map<String, Value>) -> Self {
        self.surroundings.keystore = Value::Object(keys);
        self
    }

    fn compile(&mut self, graph: &Graph) -> Result<(), EvaluateError> {
        for (_, value) in graph.vars.iter().chain(&graph.output_map) {
            self.compile_all(value)?;
        }
        for task in &graph.tasks {
            self.compile_all(&task.input)?;
            self.compile_all(&task.delay)?;
            if let Some(with) = &task.with_items {
                self.compile_all(&with.items)?;
            }
            for next in &task.next {
                for (_, value) in &next.publish {
                    self.compile_all(value)?;
                }
                if let Some(when) = &next.when {
                    let compiled = Compiled::condition(when).map_err(|e| malformed(when, &e))?;
                    self.conditions.insert(when.clone(), compiled.into());
                }
            }
        }
        Ok(())
    }

    fn compile_all(&mut self, template: &Value) -> Result<(), EvaluateError> {
        let mut outcome = Ok(());
        each_text(template, &mut |text| {
            if outcome.is_err() || !is_template(text) || self.templates.contains_key(text) {
                return;
            }
            match Compiled::template(text) {
                Ok(compiled) => {
                    self.templates.insert(text.to_string(), compiled.into());
                }
                Err(error) => outcome = Err(malformed(text, &error)),
            }
        });
        outcome
    }

    /// What a text of the workflow, as a template or as a condition, reads.
    fn references_of_text(&self, text: &str, references: &mut References) {
        if let Some(condition) = self.conditions.get(text) {
            compile::join(references, condition.references.clone());
        }
        match self.templates.get(text) {
            Some(template) => compile::join(references, template.references.clone()),
            // Not of this workflow: assume the worst of it.
            None if is_template(text) && !self.conditions.contains_key(text) => {
                compile::join(references, References::everything());
            }
            None => {}
        }
    }

    fn render_value(&self, template: &Value) -> Result<Value, String> {
        match template {
            Value::String(text) => self.render_text(text),
            Value::Array(elements) => {
                elements.iter().map(|element| self.render_value(element)).collect()
            }
            Value::Object(members) => {
                let rendered = members.iter().map(|(name, member)| {
                    let value = self.render_value(member);
                    let named = |error| format!("`{name}`: {error}");
                    Ok((name.clone(), value.map_err(named)?))
                });
                rendered.collect::<Result<Map<_, _>, String>>().map(Value::Object)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(template.clone()),
        }
    }

    fn render_text(&self, text: &str) -> Result<Value, String> {
        if !is_template(text) {
            return Ok(Value::from(text));
        }
        match self.templates.get(text) {
            Some(known) => known.compiled.render(text),
            None => compile_and_render(text),
        }
    }
}

impl Evaluator for Templates {
    fn references(&self, template: &Value) -> References {
        let mut references = References::default();
        each_text(template, &mut |text| self.references_of_text(text, &mut references));
        references
    }

    fn condition(&self, condition: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        let holds = within(scope, &self.surroundings, || match self.conditions.get(condition) {
            Some(known) => known.compiled.holds(),
            None => Compiled::condition(condition).map_err(|e| e.message)?.holds(),
        });
        holds.map_err(EvaluateError)
    }

    fn render(&self, template: &Value, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        let rendered = within(scope, &self.surroundings, || self.render_value(template));
        rendered.map_err(EvaluateError)
    }

    fn prepare(&self, action: &ActionRef, input: Value) -> Result<Prepared, EvaluateError> {
        let Some(definition) = self.actions.get(action) else {
            return Err(EvaluateError(format!("the workflow has no action `{action}`")));
        };
        prepare(definition, input, &self.defaults).map_err(|e| EvaluateError(e.to_string()))
    }
}

fn compile_and_render(text: &str) -> Result<Value, String> {
    Compiled::template(text).map_err(|error| error.message)?.render(text)
}

fn malformed(text: &str, error: &SyntaxError) -> EvaluateError {
    EvaluateError(format!("template `{text}`: {}", error.message))
}

fn object_or_empty(value: &Value) -> Value {
    if value.is_object() { value.clone() } else { Value::Object(Map::new()) }
}

/// Calls `see` with every text in `value`.
pub(crate) fn each_text<'a>(value: &'a Value, see: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(elements) => elements.iter().for_each(|element| each_text(element, see)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
