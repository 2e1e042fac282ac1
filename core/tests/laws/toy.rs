//! An evaluator small enough to be read in a minute. A template is a word:
//!
//! `$name` a variable, `$item` and `$index` the element and its place, `$result` what the finished
//! task returned, `$task.name` what that task returned, `+name` a variable plus one, `range:n` the
//! list 0..n, `fail` an error; anything else is itself. A condition is `always`, `succeeded`,
//! `failed`, `timed_out`, `fail` or `$name<n`.

use std::collections::BTreeMap;
use std::format;
use std::string::{String, ToString};

use serde_json::{Value, json};

use super::engine::definition::{Prepared, Work};
use super::engine::workflow::{EvaluateError, Evaluator, Graph, References, Scope};
use super::engine::{ActionRef, DefinitionHash, Policy, QueueKey, Status};

/// What the toy knows of an action.
#[derive(Clone, Debug)]
pub(crate) struct ToyAction {
    pub(crate) work: Work,
    pub(crate) limit: Option<u32>,
    pub(crate) policy: Policy,
    /// Labels that its worker must have.
    pub(crate) selector: BTreeMap<String, String>,
    /// Whether its parameter `key` is part of its queue's key.
    pub(crate) keyed: bool,
}

impl ToyAction {
    /// Run by workers with the runtime `shell`.
    pub(crate) fn shell(limit: Option<u32>) -> Self {
        Self {
            work: Work::Runtime("shell".into()),
            limit,
            policy: Policy::DEFAULT,
            selector: BTreeMap::new(),
            keyed: false,
        }
    }

    /// Run by the engine.
    pub(crate) fn workflow() -> Self {
        Self { work: Work::Workflow, ..Self::shell(None) }
    }
}

/// Actions and workflows by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Toy {
    pub(crate) actions: BTreeMap<ActionRef, ToyAction>,
    pub(crate) graphs: BTreeMap<ActionRef, Graph>,
}

impl Toy {
    pub(crate) fn action(mut self, name: &str, action: ToyAction) -> Self {
        self.actions.insert(name.into(), action);
        self
    }

    pub(crate) fn graph(self, name: &str, graph: Graph) -> Self {
        self.graph_of(name, graph, ToyAction::workflow())
    }

    pub(crate) fn graph_of(mut self, name: &str, graph: Graph, action: ToyAction) -> Self {
        self.graphs.insert(name.into(), graph);
        self.action(name, action)
    }

    /// The actions that a worker runs.
    pub(crate) fn shell_actions(&self) -> impl Iterator<Item = ActionRef> {
        let shell = |(_, action): &(_, &ToyAction)| action.work != Work::Workflow;
        self.actions.iter().filter(shell).map(|(name, _)| name.clone())
    }

    fn word(word: &str, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        let unknown = || EvaluateError(format!("`{word}` is not known"));
        if word == "fail" {
            return Err(EvaluateError("it was told to fail".into()));
        }
        if let Some(count) = word.strip_prefix("range:") {
            let count: u64 = count.parse().map_err(|_| unknown())?;
            return Ok(Value::Array((0..count).map(Value::from).collect()));
        }
        if let Some(name) = word.strip_prefix('+') {
            let before = scope.vars.get(name).and_then(Value::as_u64).unwrap_or(0);
            return Ok(json!(before + 1));
        }
        let Some(name) = word.strip_prefix('$') else { return Ok(json!(word)) };
        let item = || scope.item.ok_or_else(unknown);
        match name {
            "item" => Ok(item()?.0.clone()),
            "index" => Ok(json!(item()?.1)),
            "result" => Ok((*scope.finished.ok_or_else(unknown)?.result).clone()),
            "parameters" => Ok(scope.parameters.clone()),
            _ => match name.strip_prefix("task.") {
                Some(task) => {
                    let found = scope.tasks.get(&task.into()).ok_or_else(unknown)?;
                    Ok((*found.result).clone())
                }
                None => scope.vars.get(name).cloned().ok_or_else(unknown),
            },
        }
    }

    fn note(template: &Value, found: &mut References) {
        match template {
            Value::String(word) if word == "$result" => found.result = true,
            Value::String(word) => {
                found.tasks.extend(word.strip_prefix("$task.").map(Into::into));
            }
            Value::Array(list) => list.iter().for_each(|value| Self::note(value, found)),
            Value::Object(map) => map.values().for_each(|value| Self::note(value, found)),
            _ => {}
        }
    }
}

impl Evaluator for Toy {
    fn references(&self, template: &Value) -> References {
        let mut found = References::default();
        Self::note(template, &mut found);
        found
    }

    fn condition(&self, condition: &str, scope: &Scope<'_>) -> Result<bool, EvaluateError> {
        let status = scope.finished.map(|finished| finished.status);
        match condition {
            "always" => Ok(true),
            "succeeded" => Ok(status == Some(Status::Completed)),
            "timed_out" => Ok(status == Some(Status::TimedOut)),
            "failed" => Ok(status.is_some_and(|status| status != Status::Completed)),
            _ => {
                let unknown = || EvaluateError(format!("`{condition}` is no condition"));
                let (name, bound) = condition.split_once('<').ok_or_else(unknown)?;
                let bound: u64 = bound.parse().map_err(|_| unknown())?;
                let value = Self::word(name, scope)?;
                Ok(value.as_u64().is_some_and(|value| value < bound))
            }
        }
    }

    fn render(&self, template: &Value, scope: &Scope<'_>) -> Result<Value, EvaluateError> {
        match template {
            Value::String(word) => Self::word(word, scope),
            Value::Array(list) => list.iter().map(|value| self.render(value, scope)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| Ok((key.clone(), self.render(value, scope)?)))
                .collect(),
            other => Ok(other.clone()),
        }
    }

    fn prepare(&self, action: &ActionRef, input: Value) -> Result<Prepared, EvaluateError> {
        let unknown = || EvaluateError(format!("action `{action}` is not known"));
        let known = self.actions.get(action).ok_or_else(unknown)?;
        if input.get("bad").is_some_and(|bad| *bad == json!(true) || *bad == json!(2)) {
            return Err(EvaluateError("a parameter is bad".into()));
        }
        let key = input.get("key").map(Value::to_string);
        Ok(Prepared {
            action: action.clone(),
            definition: DefinitionHash::new("1"),
            work: known.work.clone(),
            selector: known.selector.clone(),
            queue: QueueKey::of(action, key.as_deref().filter(|_| known.keyed)),
            limit: known.limit,
            policy: known.policy,
            parameters: input,
        })
    }
}
