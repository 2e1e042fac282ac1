//! From an action and its parameters to what an execution is pinned to.

use std::collections::BTreeMap;

use serde_json::Value;

use steadfast_core::{Policy, Prepared, QueueKey, Span};

use crate::definition::Definition;
use crate::schema::validate;

/// What holds for executions whose definition says nothing about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyDefaults {
    /// How many attempts may be lost with their workers.
    pub max_losses: u32,
    /// How long an execution may wait in its queue.
    pub queue_timeout: Option<Span>,
}

impl Default for PolicyDefaults {
    fn default() -> Self {
        let Policy { max_losses, queue_timeout, .. } = Policy::DEFAULT;
        Self { max_losses, queue_timeout }
    }
}

/// Why an execution cannot be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// The action is switched off.
    #[error("action `{0}` is disabled; set `enabled: true` in its file to run it")]
    Disabled(String),
    /// The parameters do not fit.
    #[error("{}", join(.0))]
    Parameters(Vec<crate::schema::ParameterProblem>),
    /// The concurrency key cannot be computed.
    #[error("concurrency_key of `{0}`: {1}")]
    ConcurrencyKey(String, String),
}

fn join(problems: &[crate::schema::ParameterProblem]) -> String {
    let messages: Vec<String> = problems.iter().map(ToString::to_string).collect();
    messages.join("; ")
}

/// Checks `parameters`, fills in defaults and resolves what an execution of `definition` is
/// pinned to.
///
/// # Errors
/// If the action is disabled, the parameters do not fit, or the concurrency key cannot be
/// rendered.
pub fn prepare(
    definition: &Definition,
    parameters: Value,
    defaults: &PolicyDefaults,
) -> Result<Prepared, PrepareError> {
    let action = &definition.action;
    if !definition.enabled {
        return Err(PrepareError::Disabled(action.to_string()));
    }
    let parameters = validate(definition, parameters).map_err(PrepareError::Parameters)?;
    let failed = |error| PrepareError::ConcurrencyKey(action.to_string(), error);
    let group = definition.queue_group(&parameters).map_err(failed)?;
    Ok(Prepared {
        action: action.clone(),
        definition: definition.hash(),
        work: definition.work(),
        selector: BTreeMap::new(),
        queue: QueueKey::of(action, group.as_deref()),
        limit: definition.concurrency_limit,
        policy: Policy {
            retry: definition.retry,
            timeout: definition.timeout,
            on_lost: definition.on_lost,
            max_losses: defaults.max_losses,
            queue_timeout: defaults.queue_timeout,
            cancellation: None,
        },
        parameters,
    })
}
