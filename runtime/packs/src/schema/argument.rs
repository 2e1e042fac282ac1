//! Text from a command line as a value of the declared type.

use serde_json::Value;

use super::check::{article, check_shape};
use super::{JsonType, ParameterProblem, Shape};
use crate::definition::Definition;
use crate::problem::suggestion;

/// The value of `text` as the parameter `name` of `definition`: `-p name=text`.
///
/// A parameter without a declared type becomes JSON if it reads as JSON, else text.
///
/// # Errors
/// If there is no such parameter, or the text is not a value of its type.
pub fn convert_argument(
    definition: &Definition,
    name: &str,
    text: &str,
) -> Result<Value, ParameterProblem> {
    let problem = |message: String| ParameterProblem { parameter: name.to_string(), message };
    let schema = &definition.parameters;
    let Some(field) = schema.field(name) else {
        if schema.fields.is_empty() && !schema.closed {
            return Ok(parse_or_text(text));
        }
        let hint = suggestion(name, schema.fields.iter().map(|field| field.name.as_str()));
        let action = &definition.action;
        return Err(problem(format!("`{action}` has no parameter `{name}`{hint}")));
    };
    let value = convert(&field.shape, text).ok_or_else(|| {
        let wanted: Vec<String> =
            field.shape.types.iter().map(|one| article(one.as_str())).collect();
        let wanted = wanted.join(" or ");
        let shown = if field.secret { "the given text" } else { text };
        problem(format!("parameter `{name}` must be {wanted}, and `{shown}` is not"))
    })?;
    match check_shape(&field.shape, &value) {
        Some(_) if field.secret => {
            Err(problem(format!("parameter `{name}` has a value that is not allowed (secret)")))
        }
        Some(what) => Err(problem(format!("parameter `{name}` {what}"))),
        None => Ok(value),
    }
}

fn convert(shape: &Shape, text: &str) -> Option<Value> {
    let types = &shape.types;
    if types.is_empty() {
        // With choices of one type, the choice that reads like the text is meant.
        let choice = shape.choices.iter().find(|choice| plain(choice) == text);
        return Some(choice.cloned().unwrap_or_else(|| parse_or_text(text)));
    }
    // Text comes last: everything is a text, so it would hide the narrower types.
    let mut narrow = types.iter().filter(|one| **one != JsonType::String);
    let converted = narrow.find_map(|one| convert_to(*one, shape, text));
    converted.or_else(|| types.contains(&JsonType::String).then(|| Value::from(text)))
}

fn convert_to(wanted: JsonType, shape: &Shape, text: &str) -> Option<Value> {
    match wanted {
        JsonType::String => Some(Value::from(text)),
        JsonType::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(Value::Bool(true)),
            "false" | "no" | "off" | "0" => Some(Value::Bool(false)),
            _ => None,
        },
        JsonType::Array if !text.trim_start().starts_with('[') => {
            // `-p hosts=a,b` is what people type.
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let anything = Shape::default();
            let items = shape.items.as_deref().unwrap_or(&anything);
            parts.map(|part| convert(items, part)).collect()
        }
        JsonType::Integer
        | JsonType::Number
        | JsonType::Null
        | JsonType::Array
        | JsonType::Object => {
            let value: Value = serde_json::from_str(text.trim()).ok()?;
            wanted.admits(&value).then_some(value)
        }
    }
}

fn parse_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
