//! What goes over the wire, apart from problems.

mod action;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::execution::Execution;
use steadfast_core::schedule::Firing;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_core::{ExecutionId, Status, Timestamp};
use steadfast_packs::{Definition, REDACTED, redact, secret_values};
use steadfast_services::port::{ExecutionView, TaskView};
use utoipa::ToSchema;

pub(crate) use action::{ActionBody, LimitBody, QueueStats};

/// A moment as the API shows it: RFC 3339, UTC.
#[must_use]
pub(crate) fn rfc3339(moment: Timestamp) -> String {
    let micros = i64::try_from(moment.as_micros()).unwrap_or(i64::MAX);
    // A moment that no calendar has is one that never comes.
    DateTime::from_timestamp_micros(micros)
        .unwrap_or(DateTime::<chrono::Utc>::MAX_UTC)
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// One requested run of an action.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Execution)]
pub(crate) struct ExecutionBody {
    /// Its identity, the same for all attempts.
    pub(crate) id: u64,
    /// What it runs, as `pack.name`.
    action_ref: String,
    /// Where it is in its life.
    #[schema(value_type = String, example = "running")]
    status: Status,
    /// Its parameters after defaults; secret ones are `[redacted]`.
    #[schema(value_type = Object)]
    parameters: Value,
    /// What it returned; null until it completed.
    result: Value,
    /// Why it did not succeed.
    error: Option<String>,
    /// The workflow execution that it is a task of.
    parent_id: Option<u64>,
    /// The ended execution that it repeats.
    retry_of: Option<u64>,
    /// The schedule that submitted it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<String>,
    /// How many attempts were begun, lost ones too.
    attempts: u32,
    /// When it was accepted.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its first attempt started.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

impl ExecutionBody {
    /// What may be shown of an execution. Without its definition nobody knows which parameters
    /// are secret, so then all of them are.
    pub(crate) fn new(view: ExecutionView, definition: Option<&Definition>) -> Self {
        let ExecutionView { execution, parameters, outcome } = view;
        let secrets = match definition {
            Some(definition) => secret_values(definition, &parameters),
            None => Vec::new(),
        };
        let parameters = match definition {
            Some(definition) => redact(definition, &parameters),
            None => redact_all(parameters),
        };
        let error = outcome.error.or_else(|| execution.cause.map(|c| c.sentence().to_owned()));
        Self {
            id: execution.id.0,
            action_ref: execution.action.to_string(),
            status: execution.status,
            parameters,
            result: without(outcome.result, &secrets),
            error: error.map(|error| without_text(error, &secrets)),
            parent_id: execution.parent().map(|id| id.0),
            retry_of: execution.retry_of.map(|id| id.0),
            schedule: schedule_of(&execution),
            attempts: execution.attempt.0,
            created_at: rfc3339(execution.created_at),
            started_at: execution.started_at.map(rfc3339),
            ended_at: execution.ended_at.map(rfc3339),
        }
    }
}

/// The schedule that submitted an execution, by its key.
fn schedule_of(execution: &Execution) -> Option<String> {
    let firing = Firing::of_key(&execution.idempotency.as_ref()?.key)?;
    Some(firing.schedule.to_string())
}

pub(crate) fn redact_all(parameters: Value) -> Value {
    let Value::Object(mut members) = parameters else { return Value::from(REDACTED) };
    members.values_mut().for_each(|value| *value = Value::from(REDACTED));
    Value::Object(members)
}

/// An action may return what it was given: a secret stays one in its result.
fn without(value: Value, secrets: &[String]) -> Value {
    if secrets.is_empty() {
        return value;
    }
    match value {
        Value::String(text) => Value::String(without_text(text, secrets)),
        Value::Number(ref number) if secrets.contains(&number.to_string()) => Value::from(REDACTED),
        Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| without(item, secrets)).collect())
        }
        Value::Object(members) => {
            let shown = |(name, value)| (without_text(name, secrets), without(value, secrets));
            Value::Object(members.into_iter().map(shown).collect())
        }
        other => other,
    }
}

pub(crate) fn without_text(text: String, secrets: &[String]) -> String {
    secrets.iter().fold(text, |text, secret| {
        if text.contains(secret.as_str()) { text.replace(secret.as_str(), REDACTED) } else { text }
    })
}

/// A page of a listing.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Page<T> {
    /// What is on the page.
    pub(crate) items: Vec<T>,
    /// Asks for the next page when given as `cursor`; null on the last one.
    pub(crate) next_cursor: Option<String>,
}

/// One execution of a task of a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Task)]
pub(crate) struct TaskBody {
    /// The task.
    name: String,
    /// Which visit of the task, from 0.
    occurrence: u32,
    /// Which element of its list, from 0; null without `with_items`.
    item_index: Option<u32>,
    /// Where it is in its life.
    #[schema(value_type = String, example = "running")]
    status: Status,
    /// How many attempts were begun.
    attempts: u32,
    /// The execution that carries it out.
    execution_id: u64,
    /// What it runs.
    action_ref: String,
    /// Why it did not succeed.
    error: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
    /// When its first attempt started.
    #[schema(format = DateTime)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

impl TaskBody {
    /// `secrets` must not appear in its error.
    pub(crate) fn new(view: TaskView, secrets: &[String]) -> Option<Self> {
        let TaskView { execution, error } = view;
        let error = error.or_else(|| execution.cause.map(|cause| cause.sentence().to_owned()));
        let place = execution.place?;
        Some(Self {
            name: place.task.task.to_string(),
            occurrence: place.task.occurrence,
            item_index: place.index,
            status: execution.status,
            attempts: execution.attempt.0,
            execution_id: execution.id.0,
            action_ref: execution.action.to_string(),
            error: error.map(|error| without_text(error, secrets)),
            created_at: rfc3339(execution.created_at),
            started_at: execution.started_at.map(rfc3339),
            ended_at: execution.ended_at.map(rfc3339),
        })
    }
}

/// A request to run an action.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmitBody {
    /// What to run, as `pack.name`.
    pub(crate) action_ref: String,
    /// Its parameters.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(crate) parameters: Value,
    /// A second request with the same key and body finds the first one's execution; the header
    /// `Idempotency-Key` says the same.
    #[serde(default)]
    pub(crate) idempotency_key: Option<String>,
    /// Whom its end is told to, beside those who are configured.
    #[serde(default)]
    pub(crate) effects: Vec<EffectRequest>,
}

/// Somebody whom an end is told to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EffectRequest {
    /// How: `webhook`.
    #[schema(example = "webhook")]
    pub(crate) kind: String,
    /// Where: an address that begins with https:// or http://.
    #[schema(example = "https://hooks.example/ended")]
    pub(crate) target: String,
    /// Of which ends: `completed`, `unsuccessful` or `ended`, which is both.
    #[serde(default = "ended")]
    #[schema(example = "unsuccessful", default = "ended")]
    pub(crate) on: String,
}

fn ended() -> String {
    String::from("ended")
}

/// A worker.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Worker)]
pub(crate) struct WorkerBody {
    /// The name under which it registered.
    pub(crate) name: String,
    /// Which registration of that name.
    incarnation: u64,
    /// `active`, `suspect`, `dead`, `draining` or `gone`.
    #[schema(value_type = String, example = "active")]
    state: WorkerState,
    /// Whether an operator wants it to take nothing new.
    cordoned: bool,
    /// Whether it moved when it was last asked.
    healthy: bool,
    /// What it can run.
    #[schema(value_type = Vec<String>)]
    runtimes: std::sync::Arc<BTreeSet<steadfast_core::Runtime>>,
    /// What a task's `worker_selector` is matched against.
    labels: BTreeMap<String, String>,
    /// How many executions it runs at once.
    capacity: u32,
    /// How many it runs now.
    active: u32,
    /// Its attempts are its own until then.
    #[schema(format = DateTime)]
    lease_until: String,
    /// When it was last heard of.
    #[schema(format = DateTime)]
    last_beat: String,
    /// When it registered.
    #[schema(format = DateTime)]
    registered_at: String,
}

impl WorkerBody {
    pub(crate) fn new(worker: Worker, active: u32) -> Self {
        Self {
            name: worker.name.to_string(),
            incarnation: worker.incarnation.0,
            state: worker.state,
            cordoned: worker.cordoned,
            healthy: worker.healthy,
            runtimes: worker.runtimes,
            labels: worker.labels,
            capacity: worker.capacity,
            active,
            lease_until: rfc3339(worker.lease_until),
            last_beat: rfc3339(worker.last_beat),
            registered_at: rfc3339(worker.registered_at),
        }
    }
}

/// Where a listing goes on. Opaque to clients, so that it may hold something else one day.
pub(crate) fn cursor(id: ExecutionId) -> String {
    format!("e{:x}", id.0)
}

/// What [`cursor`] made.
pub(crate) fn read_cursor(text: &str) -> Option<ExecutionId> {
    let id = u64::from_str_radix(text.strip_prefix('e')?, 16).ok()?;
    // Signs and leading zeros are not from here.
    (cursor(ExecutionId(id)) == text && i64::try_from(id).is_ok()).then_some(ExecutionId(id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_rfc_3339_in_utc() {
        let moment = Timestamp::from_micros(1_700_000_000_000_001);
        assert_eq!(rfc3339(moment), "2023-11-14T22:13:20.000001Z");
        assert!(rfc3339(Timestamp::MAX).ends_with('Z'));
    }

    #[test]
    fn only_cursors_made_here_are_read() {
        for id in [0, 1, 255, i64::MAX as u64] {
            assert_eq!(read_cursor(&cursor(ExecutionId(id))), Some(ExecutionId(id)));
        }
        for bad in ["", "e", "1", "e+1", "e01", "E1", "ex", "effffffffffffffff", "e1 "] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }

    #[test]
    fn secrets_leave_results() {
        let secrets = vec![String::from("hunter2"), String::from("42")];
        let result = json!({"say": "it is hunter2", "list": ["x", 42, 7], "hunter2": null});
        let shown = without(result, &secrets);
        let expected =
            json!({"say": "it is [redacted]", "list": ["x", REDACTED, 7], REDACTED: null});
        assert_eq!(shown, expected);
    }
}
