//! The workers, and what an operator wants of them.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use steadfast_core::worker::{WorkerInput, WorkerRefusal};
use steadfast_services::port::Query;
use utoipa::ToSchema;

use super::ApiState;
use super::extract::Name;
use super::model::WorkerBody;
use super::problem::{Problem, ProblemBody};
use crate::engine::EngineError;

/// Every worker.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Workers {
    /// In the order of their names.
    items: Vec<WorkerBody>,
}

/// Lists the workers, those that have left too.
#[utoipa::path(
    get,
    path = "/workers",
    tag = "workers",
    responses((status = 200, description = "Every worker", body = Workers))
)]
pub(crate) async fn list(State(state): State<ApiState>) -> Result<Json<Workers>, Problem> {
    let workers = state.engine().query().workers().await?;
    let mut items: Vec<WorkerBody> =
        workers.into_iter().map(|(worker, active)| WorkerBody::new(worker, active)).collect();
    items.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Json(Workers { items }))
}

/// Asks a worker to finish what it has and take nothing new, for good.
#[utoipa::path(
    post,
    path = "/workers/{name}/drain",
    tag = "workers",
    params(("name" = String, Path, description = "The worker")),
    responses(
        (status = 200, description = "The worker", body = WorkerBody),
        (status = 404, description = "No such worker", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It is dead or gone", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn drain(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<WorkerBody>, Problem> {
    tell(&state, name, WorkerInput::AskToDrain).await
}

/// Gives a worker nothing new until it is uncordoned.
#[utoipa::path(
    post,
    path = "/workers/{name}/cordon",
    tag = "workers",
    params(("name" = String, Path, description = "The worker")),
    responses(
        (status = 200, description = "The worker", body = WorkerBody),
        (status = 404, description = "No such worker", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cordon(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<WorkerBody>, Problem> {
    tell(&state, name, WorkerInput::Cordon(true)).await
}

/// Gives a cordoned worker work again.
#[utoipa::path(
    post,
    path = "/workers/{name}/uncordon",
    tag = "workers",
    params(("name" = String, Path, description = "The worker")),
    responses(
        (status = 200, description = "The worker", body = WorkerBody),
        (status = 404, description = "No such worker", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn uncordon(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<WorkerBody>, Problem> {
    tell(&state, name, WorkerInput::Cordon(false)).await
}

/// What has been done already is done.
async fn tell(
    state: &ApiState,
    name: String,
    input: WorkerInput,
) -> Result<Json<WorkerBody>, Problem> {
    match state.engine().tell_worker(&name, input).await {
        Ok(()) | Err(EngineError::Worker(WorkerRefusal::Done)) => {}
        Err(error) => return Err(error.into()),
    }
    let workers = state.engine().query().workers().await?;
    let found = workers.into_iter().find(|(worker, _)| worker.name.as_str() == name);
    let (worker, active) = found.ok_or(EngineError::UnknownWorker(name))?;
    Ok(Json(WorkerBody::new(worker, active)))
}
