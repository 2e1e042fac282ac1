//! Actions and their queues.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::queue::Queue;
use steadfast_packs::{Definition, Kind, REDACTED};
use steadfast_services::port::QueueView;
use utoipa::ToSchema;

use super::rfc3339;

/// A new limit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitBody {
    /// How many executions may hold a slot at once, at least 1; null = unlimited.
    // With a function of its own the field must be there: to forget it is not to ask for no limit.
    #[serde(deserialize_with = "Option::deserialize")]
    #[schema(minimum = 1, required = true)]
    pub(crate) limit: Option<u32>,
}

/// An action and its queue.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
pub(crate) struct ActionBody {
    /// Its name, as `pack.name`.
    #[serde(rename = "ref")]
    action_ref: String,
    /// A short title.
    label: Option<String>,
    /// What it does.
    description: Option<String>,
    /// Whether it may be run.
    enabled: bool,
    /// `shell`, `python`, `nodejs`, `perl`, `ruby`, `native`, `handler` or `workflow`.
    runner_type: &'static str,
    /// Words to find it by.
    tags: Vec<String>,
    /// Its parameters, as JSON Schema.
    #[schema(value_type = Object)]
    parameters: Value,
    /// What its result looks like, as JSON Schema.
    #[schema(value_type = Option<Object>)]
    output: Option<Value>,
    /// How long one attempt may take, in seconds.
    timeout_seconds: Option<f64>,
    /// The limit in force for each of its queues; null = unlimited.
    concurrency_limit: Option<u32>,
    /// The template that makes its queues; null = it has one.
    concurrency_key: Option<String>,
    /// Whether admission is stopped.
    paused: bool,
    /// The content hash of its definition.
    definition: String,
}

impl ActionBody {
    /// `queues` are those of the action, as far as there are any yet.
    pub(crate) fn new(definition: &Definition, queues: &[&Queue]) -> Self {
        let own = queues.iter().find(|queue| queue.key.as_str() == definition.action.as_str());
        let queue = own.or(queues.first());
        let mut parameters = definition.parameters.to_json_schema();
        hide_secret_defaults(&mut parameters);
        Self {
            action_ref: definition.action.to_string(),
            label: definition.label.clone(),
            description: definition.description.clone(),
            enabled: definition.enabled,
            runner_type: runner_type(definition),
            tags: definition.tags.clone(),
            parameters,
            output: definition.output.as_ref().map(|output| output.to_json_schema()),
            timeout_seconds: definition.timeout.map(|span| span.as_micros() as f64 / 1e6),
            concurrency_limit: queue.map_or(definition.concurrency_limit, |queue| queue.limit()),
            concurrency_key: definition.concurrency_key.clone(),
            paused: queue.is_some_and(|queue| queue.paused),
            definition: definition.hash().to_string(),
        }
    }
}

fn runner_type(definition: &Definition) -> &'static str {
    match &definition.kind {
        Kind::Process(process) => process.runtime.as_str(),
        Kind::Handler => "handler",
        Kind::Workflow(_) => "workflow",
    }
}

/// The default of a secret is a secret.
fn hide_secret_defaults(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let secret = members.get("secret").is_some_and(|secret| *secret == Value::Bool(true));
            if let (true, Some(default)) = (secret, members.get_mut("default")) {
                *default = Value::from(REDACTED);
            }
            members.values_mut().for_each(hide_secret_defaults);
        }
        Value::Array(items) => items.iter_mut().for_each(hide_secret_defaults),
        _ => {}
    }
}

/// What the queues of an action add up to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QueueStats {
    /// A number that belongs to the action's name for good.
    action_id: u64,
    /// The action.
    action_ref: String,
    /// How many wait for a slot.
    queue_length: u64,
    /// How many hold a slot.
    active_count: u64,
    /// How many may hold a slot; null = unlimited.
    max_concurrent: Option<u64>,
    /// Since when the longest waiting has waited.
    #[schema(format = DateTime)]
    oldest_enqueued_at: Option<String>,
    /// How many were ever let into a queue.
    total_enqueued: u64,
    /// How many of those ended.
    total_completed: u64,
    /// When a queue last changed; null if nothing was ever let in.
    #[schema(format = DateTime)]
    last_updated: Option<String>,
}

impl QueueStats {
    /// Summed over `queues`, which are those of the action.
    pub(crate) fn new(action_id: u64, definition: &Definition, queues: &[QueueView]) -> Self {
        // An action with a key has a queue of its own that holds an operator's wishes and never
        // any execution.
        let keyed = definition.concurrency_key.is_some();
        let own = |view: &QueueView| view.queue.key.as_str() == definition.action.as_str();
        let counted: Vec<&QueueView> = queues.iter().filter(|view| !keyed || !own(view)).collect();
        let limits: Option<Vec<u64>> =
            counted.iter().map(|view| view.queue.limit().map(u64::from)).collect();
        let max_concurrent = match limits {
            Some(limits) if limits.is_empty() => {
                let limit = queues.first().map(|view| view.queue.limit());
                limit.unwrap_or(definition.concurrency_limit).map(u64::from)
            }
            limits => limits.map(|limits| limits.iter().sum()),
        };
        Self {
            action_id,
            action_ref: definition.action.to_string(),
            queue_length: counted.iter().map(|view| view.waiting).sum(),
            active_count: counted.iter().map(|view| view.holding).sum(),
            max_concurrent,
            oldest_enqueued_at: counted
                .iter()
                .filter_map(|view| view.oldest_waiting)
                .min()
                .map(rfc3339),
            total_enqueued: counted.iter().map(|view| view.queue.next_order.0).sum(),
            total_completed: counted.iter().map(|view| view.queue.completed).sum(),
            last_updated: queues.iter().map(|view| view.queue.updated_at).max().map(rfc3339),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_default_of_a_secret_is_hidden() {
        let mut schema = json!({"properties": {"p": {"secret": true, "default": "hunter2"}}});
        hide_secret_defaults(&mut schema);
        assert_eq!(schema["properties"]["p"]["default"], json!(REDACTED));
    }
}
