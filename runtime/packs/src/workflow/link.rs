//! A workflow checked against the actions that it runs.

use std::sync::Arc;

use serde_json::Value;

use steadfast_core::ActionRef;
use steadfast_core::workflow::Task;

use super::texts::check_names;
use super::{Spot, WorkflowFile};
use crate::definition::{Definition, Kind, WorkflowSpec};
use crate::problem::{Findings, suggestion};
use crate::schema::{Field, JsonType, check_member};
use crate::template::{each_text, is_template};
use crate::yaml::{Data, Key, Node};

/// What is behind the ref of an action.
pub(crate) enum Resolution {
    /// This.
    Known(Arc<Definition>),
    /// Nothing; the refs that there are, to suggest one.
    Unknown(Vec<String>),
    /// Something with errors, which were reported where they are.
    Broken,
    /// Something that cannot be run here, and this was said already.
    Reported,
}

/// Makes `definition` the workflow of `file`, pinned to the actions that `resolve` finds.
pub(crate) fn link(
    file: WorkflowFile,
    mut definition: Definition,
    config: Value,
    resolve: &dyn Fn(&ActionRef) -> Resolution,
    findings: &mut Findings,
) -> Definition {
    check_names(&file, &definition.parameters, findings);
    let mut spec = WorkflowSpec { config, ..WorkflowSpec::default() };
    for task in &file.graph.tasks {
        let Some(spot) = file.spots.get(&task.name) else { continue };
        // That it has no action was reported.
        if task.action.as_str().is_empty() {
            continue;
        }
        match resolve(&task.action) {
            Resolution::Known(action) => {
                check_task(task, spot, &action, findings);
                spec.actions.insert(task.action.clone(), action.hash());
            }
            Resolution::Reported => {}
            Resolution::Unknown(known) => {
                let (name, action) = (&task.name, &task.action);
                let hint = suggestion(action.as_str(), known.iter().map(String::as_str));
                let message = format!("task `{name}` runs `{action}`, which is not known{hint}");
                findings.error(spot.action, message);
            }
            Resolution::Broken => {
                let (name, action) = (&task.name, &task.action);
                let message = format!("task `{name}` runs `{action}`, which has errors itself");
                findings.error(spot.action, message);
            }
        }
    }
    spec.graph = file.graph;
    definition.kind = Kind::Workflow(spec);
    definition
}

fn check_task(task: &Task, spot: &Spot, action: &Definition, findings: &mut Findings) {
    let name = &task.name;
    if !action.enabled {
        let message = format!("task `{name}` runs `{}`, which is disabled", task.action);
        findings.warning(spot.action, message);
    }
    let members: &[(Key, Node)] = match spot.input.as_ref().map(|node| &node.data) {
        Some(Data::Map(members)) => members,
        // What a template for the whole input gives is known only later; the rest was reported.
        Some(_) => return,
        // The input of a gathering task is made, not written.
        None if !task.input.is_null() => return,
        _ => &[],
    };
    for field in &action.parameters.fields {
        let given = members.iter().any(|(key, _)| key.name == field.name);
        if field.required && field.default.is_none() && !given {
            let message = format!(
                "task `{name}` must give `{}` to `{}`, which requires it",
                field.name, task.action
            );
            findings.error(spot.at, message);
        }
    }
    for (key, node) in members {
        match action.parameters.field(&key.name) {
            Some(field) => check_given(task, field, node, findings),
            None => report_undeclared(task, action, key, findings),
        }
    }
}

fn report_undeclared(task: &Task, action: &Definition, key: &Key, findings: &mut Findings) {
    let schema = &action.parameters;
    let (name, parameter) = (&task.name, &key.name);
    let hint = suggestion(parameter, schema.fields.iter().map(|field| field.name.as_str()));
    let action = &task.action;
    let message = format!(
        "task `{name}` gives `{parameter}` to `{action}`, which has no such \
                           parameter{hint}"
    );
    if schema.closed {
        findings.error(key.at, message);
    } else {
        findings.warning(key.at, message);
    }
}

/// Checks what can be known of a value that may contain templates.
fn check_given(task: &Task, field: &Field, node: &Node, findings: &mut Findings) {
    let value = node.to_json();
    let mut templates = 0;
    each_text(&value, &mut |text| templates += usize::from(is_template(text)));
    let complaints: Vec<String> = match &value {
        _ if templates == 0 => check_member(field, &value),
        Value::String(text) if is_pure(text) => Vec::new(),
        _ => mistyped(field, &value).into_iter().collect(),
    };
    for complaint in complaints {
        let message = format!("task `{}`, input of `{}`: {complaint}", task.name, task.action);
        findings.error(node.at, message);
    }
}

/// Whether the text is one expression, whose value may be of any type.
fn is_pure(text: &str) -> bool {
    matches!(
        crate::template::Compiled::template(text),
        Ok(crate::template::Compiled::Expression(_))
    )
}

/// Text around an expression is text, and a list with templates in it is a list.
fn mistyped(field: &Field, value: &Value) -> Option<String> {
    let types = &field.shape.types;
    if types.is_empty() || types.iter().any(|one| one.admits(value)) {
        return None;
    }
    let wanted: Vec<&str> = types.iter().map(|one| one.as_str()).collect();
    let (name, wanted, found) = (&field.name, wanted.join(" or "), JsonType::of(value).as_str());
    Some(format!("parameter `{name}` must be {wanted}, and this is always {found}"))
}
