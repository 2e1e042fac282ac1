//! Whether values fit a schema.

use serde_json::{Map, Value};

use super::{Field, JsonType, Schema, Shape};
use crate::definition::Definition;

/// What is wrong with one parameter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{message}")]
pub struct ParameterProblem {
    /// The parameter, with the path inside it: `servers[2].port`. Empty for the whole.
    pub parameter: String,
    /// What is wrong, naming the parameter.
    pub message: String,
}

/// Checks `parameters` against what `definition` declares and fills in defaults.
///
/// Parameters that are not declared are kept, unless the schema forbids others.
///
/// # Errors
/// Everything that is wrong with them: not an object, missing, of the wrong type, not among the
/// allowed values, out of bounds, or not declared where only declared ones are allowed.
pub fn validate(
    definition: &Definition,
    parameters: Value,
) -> Result<Value, Vec<ParameterProblem>> {
    let mut parameters = match parameters {
        Value::Object(members) => members,
        Value::Null => Map::new(),
        other => {
            let found = JsonType::of(&other).as_str();
            let message = format!("the parameters must be an object, not {}", article(found));
            return Err(vec![ParameterProblem { parameter: String::new(), message }]);
        }
    };
    let mut problems = Vec::new();
    fill_and_check(&definition.parameters, &mut parameters, "", &mut problems);
    if problems.is_empty() { Ok(Value::Object(parameters)) } else { Err(problems) }
}

/// What is wrong with `value` as the member `field`.
pub(crate) fn check_member(field: &Field, value: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    check_field(field, &mut value.clone(), &field.name, &mut problems);
    problems.into_iter().map(|problem| problem.message).collect()
}

fn fill_and_check(
    schema: &Schema,
    members: &mut Map<String, Value>,
    path: &str,
    problems: &mut Vec<ParameterProblem>,
) {
    for field in &schema.fields {
        let path = join(path, &field.name);
        match members.get_mut(&field.name) {
            Some(value) => check_field(field, value, &path, problems),
            None => match &field.default {
                Some(default) => {
                    members.insert(field.name.clone(), default.clone());
                }
                None if field.required => {
                    problems.push(problem(&path, "is required and was not given"));
                }
                None => {}
            },
        }
    }
    if schema.closed {
        for name in members.keys().filter(|name| schema.field(name).is_none()) {
            let known = schema.fields.iter().map(|field| field.name.as_str());
            let hint = crate::problem::suggestion(name, known);
            problems.push(problem(&join(path, name), &format!("is not declared{hint}")));
        }
    }
}

fn check_field(field: &Field, value: &mut Value, path: &str, problems: &mut Vec<ParameterProblem>) {
    // "Not given" is often written as null; it is harmless where nothing has to be given.
    if value.is_null() && !field.required && !field.shape.types.is_empty() {
        if let Some(default) = &field.default {
            *value = default.clone();
        }
        return;
    }
    let before = problems.len();
    check_value(&field.shape, value, path, problems);
    if field.secret {
        for found in problems.iter_mut().skip(before) {
            found.message = format!("parameter `{path}` has a value that is not allowed (secret)");
        }
    }
}

/// Checks `value` and fills in the defaults of nested objects.
fn check_value(shape: &Shape, value: &mut Value, path: &str, problems: &mut Vec<ParameterProblem>) {
    let before = problems.len();
    problems.extend(check_shape(shape, value).map(|what| problem(path, &what)));
    if problems.len() > before {
        return;
    }
    match value {
        Value::Object(members) => {
            if let Some(schema) = &shape.members {
                fill_and_check(schema, members, path, problems);
            }
        }
        Value::Array(elements) => {
            if let Some(items) = &shape.items {
                for (index, element) in elements.iter_mut().enumerate() {
                    check_value(items, element, &format!("{path}[{index}]"), problems);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What is wrong with `value` itself, apart from what is inside it.
pub(crate) fn check_shape(shape: &Shape, value: &Value) -> Option<String> {
    if !shape.types.is_empty() && !shape.types.iter().any(|one| one.admits(value)) {
        let wanted: Vec<String> = shape.types.iter().map(|one| article(one.as_str())).collect();
        let found = article(JsonType::of(value).as_str());
        return Some(format!("must be {}, not {found}{}", wanted.join(" or "), shown(value)));
    }
    if !shape.choices.is_empty() && !shape.choices.contains(value) {
        let choices: Vec<String> = shape.choices.iter().map(Value::to_string).collect();
        return Some(format!("must be one of {}, not {value}", choices.join(", ")));
    }
    match value {
        Value::Number(number) => number.as_f64().and_then(|number| check_bounds(shape, number)),
        Value::String(text) => check_text(shape, text),
        Value::Array(elements) => check_size(shape, elements.len(), "elements"),
        Value::Object(members) => check_size(shape, members.len(), "members"),
        Value::Null | Value::Bool(_) => None,
    }
}

fn check_bounds(shape: &Shape, number: f64) -> Option<String> {
    let broken = |bound: Option<f64>, breaks: fn(f64, f64) -> bool, what: &str| {
        bound.filter(|bound| breaks(number, *bound)).map(|b| format!("must be {what} {b}"))
    };
    broken(shape.minimum, |n, b| n < b, "at least")
        .or_else(|| broken(shape.maximum, |n, b| n > b, "at most"))
        .or_else(|| broken(shape.exclusive_minimum, |n, b| n <= b, "more than"))
        .or_else(|| broken(shape.exclusive_maximum, |n, b| n >= b, "less than"))
        .map(|message| format!("{message}, not {number}"))
}

fn check_text(shape: &Shape, text: &str) -> Option<String> {
    check_size(shape, text.chars().count(), "characters").or_else(|| {
        let pattern = shape.pattern.as_ref()?;
        // A pattern that does not compile was reported when the file was read.
        let expression = regex_lite::Regex::new(pattern).ok()?;
        (!expression.is_match(text)).then(|| format!("must match `{pattern}`"))
    })
}

fn check_size(shape: &Shape, size: usize, what: &str) -> Option<String> {
    let size = u64::try_from(size).unwrap_or(u64::MAX);
    if let Some(least) = shape.least.filter(|least| size < *least) {
        return Some(format!("must have at least {least} {what}, not {size}"));
    }
    if let Some(most) = shape.most.filter(|most| size > *most) {
        return Some(format!("must have at most {most} {what}, not {size}"));
    }
    None
}

fn problem(path: &str, what: &str) -> ParameterProblem {
    let message = format!("parameter `{path}` {what}");
    ParameterProblem { parameter: path.to_string(), message }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// A short value as it is, so that the author recognises it.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.len() <= 40 && !value.is_null() { format!(" ({text})") } else { String::new() }
}

/// `integer` becomes `an integer`.
pub(super) fn article(word: &str) -> String {
    match word.chars().next() {
        _ if word == "null" => word.to_string(),
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {word}"),
        _ => format!("a {word}"),
    }
}
