//! The result of a run as it goes to standard output.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use steadfast_runtime::core::{ExecutionId, Status};
use steadfast_runtime::packs::{Definition, REDACTED, secret_values};
use steadfast_runtime::{Engine, EngineError};
use steadfast_services::port::{ExecutionView, Query, TaskView};

use crate::output::{Format, Table, yaml};

/// How many tasks one query fetches.
const PAGE: u32 = 1000;

/// Everything that is known of an ended run.
pub(crate) struct Report {
    pub(crate) id: u64,
    pub(crate) action: String,
    pub(crate) status: Status,
    pub(crate) error: Option<String>,
    result: Value,
    tasks: Vec<TaskView>,
    secrets: Vec<String>,
}

impl Report {
    /// Gathers it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) async fn gather(engine: &Engine, view: ExecutionView) -> Result<Self, EngineError> {
        let mut tasks = Vec::new();
        loop {
            let after = tasks.last().map(|task: &TaskView| task.execution.id);
            let page = engine.query().tasks(view.execution.id, after, PAGE).await?;
            let more = page.len() == PAGE as usize;
            tasks.extend(page);
            if !more {
                break;
            }
        }
        let secrets = secrets(engine, &view, &tasks).await?;
        let ExecutionView { execution, outcome, .. } = view;
        let error = outcome.error.or_else(|| execution.cause.map(|c| c.sentence().to_owned()));
        Ok(Self {
            id: execution.id.0,
            action: execution.action.to_string(),
            status: execution.status,
            error: error.map(|error| without_text(&error, &secrets)),
            result: without(outcome.result, &secrets),
            tasks,
            secrets,
        })
    }

    /// The text for standard output.
    pub(crate) fn render(&self, format: Format) -> String {
        let tasks: Vec<Value> = self.tasks.iter().filter_map(task).collect();
        let value = json!({
            "id": self.id,
            "action_ref": self.action,
            "status": self.status,
            "result": self.result,
            "error": self.error,
            "tasks": tasks,
        });
        format.render(&value, || self.table())
    }

    fn table(&self) -> String {
        let mut head = Table::of_pairs();
        head.row(["execution".to_owned(), self.id.to_string()]);
        head.row(["action".to_owned(), self.action.clone()]);
        head.row(["status".to_owned(), self.status.to_string()]);
        if let Some(error) = &self.error {
            head.row(["error".to_owned(), error.clone()]);
        }
        let mut text = head.render();
        let tasks = self.task_table();
        if !tasks.is_empty() {
            text.push('\n');
            text.push_str(&tasks);
        }
        if !self.result.is_null() {
            text.push_str("\nresult\n");
            for line in yaml(&self.result).lines() {
                text.push_str("  ");
                text.push_str(line);
                text.push('\n');
            }
        }
        text
    }

    /// One row for each visit of a task: a list may have thousands of items.
    fn task_table(&self) -> String {
        let mut visits: Vec<(String, Summary)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for view in &self.tasks {
            let Some(place) = &view.execution.place else { continue };
            let name = match place.task.occurrence {
                0 => place.task.task.to_string(),
                again => format!("{} ({})", place.task.task, again + 1),
            };
            let at = *places.entry(name.clone()).or_insert_with(|| {
                visits.push((name, Summary::default()));
                visits.len() - 1
            });
            if let Some((_, summary)) = visits.get_mut(at) {
                summary.add(view, &self.secrets);
            }
        }
        if visits.is_empty() {
            return String::new();
        }
        let mut table = Table::new(&["task", "runs", "completed", "attempts", "error"]);
        for (name, summary) in visits {
            table.row([
                name,
                summary.runs.to_string(),
                summary.completed.to_string(),
                summary.attempts.to_string(),
                summary.error.unwrap_or_default(),
            ]);
        }
        table.render()
    }
}

#[derive(Default)]
struct Summary {
    runs: u32,
    completed: u32,
    attempts: u32,
    error: Option<String>,
}

impl Summary {
    fn add(&mut self, view: &TaskView, secrets: &[String]) {
        self.runs += 1;
        self.completed += u32::from(view.execution.status == Status::Completed);
        self.attempts += view.execution.attempt.0;
        if self.error.is_none() {
            self.error = view.error.as_ref().map(|error| without_text(error, secrets));
        }
    }
}

fn task(view: &TaskView) -> Option<Value> {
    let execution = &view.execution;
    let place = execution.place.as_ref()?;
    Some(json!({
        "name": place.task.task,
        "occurrence": place.task.occurrence,
        "item_index": place.index,
        "status": execution.status,
        "attempts": execution.attempt.0,
        "execution_id": execution.id.0,
    }))
}

/// The secret values of a run and of the tasks whose actions have any: a result may hold what an
/// action was given.
async fn secrets(
    engine: &Engine,
    view: &ExecutionView,
    tasks: &[TaskView],
) -> Result<Vec<String>, EngineError> {
    let mut found = secrets_of(engine, view).await?;
    let mut has_secrets: BTreeMap<String, bool> = BTreeMap::new();
    for task in tasks {
        let hash = task.execution.definition.to_string();
        if has_secrets.get(&hash) == Some(&false) {
            continue;
        }
        let Some(view) = engine.query().execution(task.execution.id).await? else { continue };
        let definition = engine.definition_of(&view).await?;
        let any = definition.is_some_and(|d| may_hold_secrets(&d));
        has_secrets.insert(hash, any);
        if any {
            found.extend(secrets_of(engine, &view).await?);
        }
    }
    found.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    found.dedup();
    Ok(found)
}

fn may_hold_secrets(definition: &Definition) -> bool {
    // Secrets may also be declared inside of a nested value.
    definition.parameters.to_json_schema().to_string().contains("\"secret\":true")
}

/// The secret values among an execution's parameters.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn secrets_of(
    engine: &Engine,
    view: &ExecutionView,
) -> Result<Vec<String>, EngineError> {
    let definition = engine.definition_of(view).await?;
    Ok(definition.map_or_else(Vec::new, |d| secret_values(&d, &view.parameters)))
}

fn without(value: Value, secrets: &[String]) -> Value {
    if secrets.is_empty() {
        return value;
    }
    match value {
        Value::String(text) => Value::String(without_text(&text, secrets)),
        Value::Number(ref number) if secrets.contains(&number.to_string()) => Value::from(REDACTED),
        Value::Array(items) => items.into_iter().map(|item| without(item, secrets)).collect(),
        Value::Object(members) => {
            let shown = |(name, value): (String, _)| {
                (without_text(&name, secrets), without(value, secrets))
            };
            Value::Object(members.into_iter().map(shown).collect())
        }
        other => other,
    }
}

/// A text without secrets.
pub(crate) fn without_text(text: &str, secrets: &[String]) -> String {
    let present = secrets.iter().filter(|secret| !secret.is_empty());
    present.fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), REDACTED))
}

/// How an execution is doing, for a message.
///
/// # Errors
/// If the store cannot be read.
pub(crate) async fn ended_tasks(engine: &Engine, id: ExecutionId) -> Result<usize, EngineError> {
    let Some((_, visits)) = engine.query().run(id).await? else { return Ok(0) };
    Ok(visits.iter().map(|visit| visit.ended as usize).sum())
}
