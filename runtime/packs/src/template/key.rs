//! The template that gives an execution its queue, compiled once for each definition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use steadfast_core::workflow::Scope;
use steadfast_core::{ExecutionId, Timestamp};

use super::compile::Compiled;
use super::scope::{Surroundings, within};
use crate::schema::Schema;

/// A key is an identity that stores index: a long one is a mistake.
const MAX_BYTES: usize = 1_000;

/// A compiled concurrency key, which may read nothing but `parameters`.
#[derive(Debug)]
pub(crate) struct KeyTemplate {
    text: String,
    compiled: Compiled,
    surroundings: Surroundings,
}

impl KeyTemplate {
    /// Compiles `text` for an action with these parameters.
    pub(crate) fn new(text: &str, parameters: &Schema) -> Result<Self, String> {
        let compiled = Compiled::template(text).map_err(|error| error.message)?;
        let surroundings = Surroundings {
            config: Value::Object(Map::new()),
            keystore: Value::Object(Map::new()),
            declared: parameters.fields.iter().map(|field| field.name.clone()).collect(),
        };
        Ok(Self { text: text.to_string(), compiled, surroundings })
    }

    /// The key for these parameters. What is not text is written as JSON.
    pub(crate) fn render(&self, parameters: &Value) -> Result<String, String> {
        let (vars, tasks) = (BTreeMap::new(), BTreeMap::new());
        let scope = Scope {
            parameters,
            vars: &vars,
            tasks: &tasks,
            finished: None,
            item: None,
            run: ExecutionId(0),
            now: Timestamp::ZERO,
        };
        let rendered = within(&scope, &self.surroundings, || self.compiled.render(&self.text))?;
        let key = match rendered {
            Value::String(text) => text,
            other => other.to_string(),
        };
        if key.len() > MAX_BYTES {
            return Err(format!("the key has {} bytes, more than {MAX_BYTES}", key.len()));
        }
        if key.contains(char::is_control) {
            return Err(format!("the key {key:?} has control characters in it"));
        }
        Ok(key)
    }
}
