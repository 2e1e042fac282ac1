//! Submitting through the API, and waiting for the end.

use std::time::Duration;

use serde_json::Value;
use steadfast_runtime::core::Status;
use steadfast_runtime::packs::{Definition, Field, JsonType, Schema, Shape, convert_argument};

use super::http::{Client, segment};
use super::show;
use crate::cli::arguments::Parameters;
use crate::cli::failure::{Code, Failure};
use crate::cli::run::{split, whole};
use crate::output::{Format, deliver};

/// The pauses between looks at an execution: short ones first, for what ends soon.
const LOOK_FIRST: Duration = Duration::from_millis(20);
const LOOK_LATER: Duration = Duration::from_secs(1);

/// The parameters of the command line, converted to what the action declares on the server.
pub(super) fn parameters(
    client: &Client,
    action: &str,
    asked: &Parameters,
) -> Result<Value, Failure> {
    let mut members = whole(asked)?;
    if !asked.param.is_empty() {
        let found = client.get(&format!("actions/{}", segment(action)))?;
        let mut definition = Definition::handler(action);
        definition.parameters = schema(found.get("parameters").unwrap_or(&Value::Null));
        for pair in &asked.param {
            let (name, text) = split(pair)?;
            let value = convert_argument(&definition, name, text)
                .map_err(|problem| Failure::usage(problem.to_string()))?;
            members.insert(name.to_owned(), value);
        }
    }
    Ok(Value::Object(members))
}

/// Enough of a JSON Schema to convert texts by; the server checks the rest.
fn schema(document: &Value) -> Schema {
    let properties = document.get("properties").and_then(Value::as_object);
    let field = |(name, property): (&String, &Value)| Field {
        name: name.clone(),
        secret: property.get("secret") == Some(&Value::Bool(true)),
        shape: shape(property),
        ..Field::default()
    };
    Schema {
        fields: properties.into_iter().flatten().map(field).collect(),
        closed: document.get("additionalProperties") == Some(&Value::Bool(false)),
    }
}

fn shape(property: &Value) -> Shape {
    let types = match property.get("type") {
        Some(Value::Array(several)) => several.iter().filter_map(json_type).collect(),
        Some(one) => json_type(one).into_iter().collect(),
        None => Vec::new(),
    };
    let choices = property.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
    let items = property.get("items").map(|items| Box::new(shape(items)));
    Shape { types, choices, items, ..Shape::default() }
}

fn json_type(word: &Value) -> Option<JsonType> {
    let word = word.as_str()?;
    JsonType::ALL.into_iter().find(|(_, known)| *known == word).map(|(found, _)| found)
}

/// Shows a submitted execution, after its end if `wait`.
pub(super) fn finish(
    client: &Client,
    answer: Value,
    wait: bool,
    format: Format,
) -> Result<Code, Failure> {
    let execution = if wait { wait_for(client, answer)? } else { answer };
    deliver(&format.render(&execution, || show::execution(&execution)))
        .map_err(|error| Failure::cannot_write(&error))?;
    if !wait || status(&execution) == Some(Status::Completed) {
        return Ok(Code::Done);
    }
    let text = |name: &str| execution.get(name).and_then(Value::as_str).unwrap_or("unknown");
    Err(Failure::not_completed(format!(
        "execution {} ended as {}: {}",
        execution.get("id").unwrap_or(&Value::Null),
        text("status"),
        text("error"),
    )))
}

fn wait_for(client: &Client, mut execution: Value) -> Result<Value, Failure> {
    let id = execution.get("id").and_then(Value::as_u64).unwrap_or_default();
    eprintln!("execution {id}");
    let mut pause = LOOK_FIRST;
    while !status(&execution).is_some_and(Status::is_terminal) {
        pause_for(pause);
        pause = (pause * 3 / 2).min(LOOK_LATER);
        execution = client.get(&format!("executions/{id}"))?;
    }
    Ok(execution)
}

#[expect(clippy::disallowed_methods, reason = "this thread does nothing but wait for the answer")]
fn pause_for(pause: Duration) {
    std::thread::sleep(pause);
}

fn status(execution: &Value) -> Option<Status> {
    execution.get("status")?.as_str()?.parse().ok()
}
