//! Keeping secret parameters out of sight.

use serde_json::Value;

use super::{Schema, Shape};
use crate::definition::Definition;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// The parameters with every secret value replaced by [`REDACTED`].
#[must_use]
pub fn redact(definition: &Definition, parameters: &Value) -> Value {
    let mut shown = parameters.clone();
    redact_members(&definition.parameters, &mut shown);
    shown
}

fn redact_members(schema: &Schema, value: &mut Value) {
    let Value::Object(members) = value else {
        return;
    };
    for field in &schema.fields {
        let Some(member) = members.get_mut(&field.name) else {
            continue;
        };
        if field.secret {
            // That nothing was given is no secret, and helps to see why an action failed.
            if !member.is_null() {
                *member = Value::from(REDACTED);
            }
        } else {
            redact_inside(&field.shape, member);
        }
    }
}

fn redact_inside(shape: &Shape, value: &mut Value) {
    if let Some(schema) = &shape.members {
        redact_members(schema, value);
    }
    if let (Some(items), Value::Array(elements)) = (&shape.items, value) {
        elements.iter_mut().for_each(|element| redact_inside(items, element));
    }
}

/// The texts that must not appear in a log: every leaf of every secret value, longest first, so
/// that replacing them in order leaves no part of one behind.
#[must_use]
pub fn secret_values(definition: &Definition, parameters: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect_members(&definition.parameters, parameters, &mut found);
    found.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
    found.dedup();
    found
}

fn collect_members(schema: &Schema, value: &Value, found: &mut Vec<String>) {
    for field in &schema.fields {
        match value.get(&field.name) {
            Some(member) if field.secret => leaves(member, found),
            Some(member) => collect_inside(&field.shape, member, found),
            None => {}
        }
    }
}

fn collect_inside(shape: &Shape, value: &Value, found: &mut Vec<String>) {
    if let Some(schema) = &shape.members {
        collect_members(schema, value, found);
    }
    if let (Some(items), Value::Array(elements)) = (&shape.items, value) {
        elements.iter().for_each(|element| collect_inside(items, element, found));
    }
}

fn leaves(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if !text.is_empty() => found.push(text.clone()),
        Value::Number(number) => found.push(number.to_string()),
        Value::Array(elements) => elements.iter().for_each(|element| leaves(element, found)),
        Value::Object(members) => members.values().for_each(|member| leaves(member, found)),
        Value::String(_) | Value::Null | Value::Bool(_) => {}
    }
}
