//! The actions that are known, and their queues.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use sha2::{Digest, Sha256};
use steadfast_core::ActionRef;
use steadfast_core::queue::{LimitOverride, Queue};
use steadfast_packs::Definition;
use steadfast_services::port::Query;
use utoipa::ToSchema;

use super::ApiState;
use super::extract::{JsonBody, Name};
use super::model::{ActionBody, LimitBody, QueueStats};
use super::problem::{Problem, ProblemBody, ProblemKind};

/// Every action.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Actions {
    /// In the order of their names.
    items: Vec<ActionBody>,
}

/// Lists the actions, in the order of their names.
#[utoipa::path(
    get,
    path = "/actions",
    tag = "actions",
    responses((status = 200, description = "Every action", body = Actions))
)]
pub(crate) async fn list(State(state): State<ApiState>) -> Result<Json<Actions>, Problem> {
    let queues = state.engine().query().queues(None).await?;
    let mut by_action: BTreeMap<&ActionRef, Vec<&Queue>> = BTreeMap::new();
    for view in &queues {
        by_action.entry(&view.queue.action).or_default().push(&view.queue);
    }
    let catalog = state.engine().catalog();
    let body = |definition: &Arc<Definition>| {
        let queues = by_action.get(&definition.action).map_or(&[][..], Vec::as_slice);
        ActionBody::new(definition, queues)
    };
    Ok(Json(Actions { items: catalog.iter().map(body).collect() }))
}

/// One action.
#[utoipa::path(
    get,
    path = "/actions/{ref}",
    tag = "actions",
    params(("ref" = String, Path, description = "The action, as `pack.name`")),
    responses(
        (status = 200, description = "The action", body = ActionBody),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Name(action): Name,
) -> Result<Json<ActionBody>, Problem> {
    let definition = find(&state, &action)?;
    body(&state, &definition).await
}

fn find(state: &ApiState, action: &str) -> Result<Arc<Definition>, Problem> {
    let catalog = state.engine().catalog();
    catalog.get(&ActionRef::new(action)).cloned().ok_or_else(|| Problem::unknown_action(action))
}

async fn body(state: &ApiState, definition: &Definition) -> Result<Json<ActionBody>, Problem> {
    let queues = state.engine().query().queues(Some(&definition.action)).await?;
    let queues: Vec<&Queue> = queues.iter().map(|view| &view.queue).collect();
    Ok(Json(ActionBody::new(definition, &queues)))
}

/// What the queues of an action add up to; zeros if it never ran.
#[utoipa::path(
    get,
    path = "/actions/{ref}/queue-stats",
    tag = "actions",
    params(("ref" = String, Path, description = "The action, as `pack.name`")),
    responses(
        (status = 200, description = "Summed over its queues", body = QueueStats),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn queue_stats(
    State(state): State<ApiState>,
    Name(action): Name,
) -> Result<Json<QueueStats>, Problem> {
    let definition = find(&state, &action)?;
    let queues = state.engine().query().queues(Some(&definition.action)).await?;
    Ok(Json(QueueStats::new(action_id(&action), &definition, &queues)))
}

/// A number for a name: the same everywhere and for good, and small enough to be exact in every
/// JSON reader.
fn action_id(action: &str) -> u64 {
    let hash = Sha256::digest(action.as_bytes());
    hash.iter().take(6).fold(0, |id, byte| id << 8 | u64::from(*byte))
}

/// Sets how many executions of an action may hold a slot at once, for each of its queues. Whoever
/// holds one keeps it.
#[utoipa::path(
    put,
    path = "/actions/{ref}/concurrency",
    tag = "actions",
    params(("ref" = String, Path, description = "The action, as `pack.name`")),
    request_body = LimitBody,
    responses(
        (status = 200, description = "The action with its new limit", body = ActionBody),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Neither null nor a number from 1 on", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn set_limit(
    State(state): State<ApiState>,
    Name(action): Name,
    JsonBody(LimitBody { limit }): JsonBody<LimitBody>,
) -> Result<Json<ActionBody>, Problem> {
    let definition = find(&state, &action)?;
    let limit = match limit {
        Some(0) => {
            let message = "must be at least 1, or null for no limit; to stop admission, pause";
            return Err(Problem::field(ProblemKind::InvalidBody, "limit", message));
        }
        Some(limit) => LimitOverride::At(limit),
        None => LimitOverride::Unlimited,
    };
    state.engine().set_limit(&action, Some(limit)).await?;
    body(&state, &definition).await
}

/// Stops admission to the queues of an action. What holds a slot goes on.
#[utoipa::path(
    post,
    path = "/actions/{ref}/pause",
    tag = "actions",
    params(("ref" = String, Path, description = "The action, as `pack.name`")),
    responses(
        (status = 200, description = "The action, paused", body = ActionBody),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(state): State<ApiState>,
    Name(action): Name,
) -> Result<Json<ActionBody>, Problem> {
    switch(&state, &action, true).await
}

/// Lets admission go on.
#[utoipa::path(
    post,
    path = "/actions/{ref}/resume",
    tag = "actions",
    params(("ref" = String, Path, description = "The action, as `pack.name`")),
    responses(
        (status = 200, description = "The action, not paused", body = ActionBody),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    Name(action): Name,
) -> Result<Json<ActionBody>, Problem> {
    switch(&state, &action, false).await
}

async fn switch(state: &ApiState, action: &str, paused: bool) -> Result<Json<ActionBody>, Problem> {
    let definition = find(state, action)?;
    state.engine().pause(action, paused).await?;
    body(state, &definition).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_keeps_its_number() {
        assert_eq!(action_id("core.echo"), action_id("core.echo"));
        assert_ne!(action_id("core.echo"), action_id("core.noop"));
        assert!(action_id("core.echo") < 1 << 48);
    }
}
