//! Looking into an execution: its tasks, its output, and what it is waiting for.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use steadfast_core::ExecutionId;
use steadfast_packs::secret_values;
use steadfast_runner::LogStream;
use steadfast_services::port::{Query, StoreError};
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::executions::{page_size, place};
use super::extract::{Id, Params};
use super::model::{Page, TaskBody, cursor};
use super::problem::{Problem, ProblemBody, ProblemKind};
use crate::engine::Engine;
use crate::explain::{self, Explanation};

/// Which page of tasks.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TaskParams {
    /// At most this many, 50 if absent; larger pages than 500 are cut.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// The tasks of a workflow execution, in order of creation; none if it is no workflow.
#[utoipa::path(
    get,
    path = "/executions/{id}/tasks",
    tag = "executions",
    params(("id" = u64, Path, description = "The workflow execution"), TaskParams),
    responses(
        (status = 200, description = "A page of tasks", body = Page<TaskBody>),
        (status = 404, description = "No such execution", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn tasks(
    State(state): State<ApiState>,
    Id(id): Id,
    Params(params): Params<TaskParams>,
) -> Result<Json<Page<TaskBody>>, Problem> {
    let limit = page_size(params.limit)?;
    let after = place(params.cursor.as_deref())?;
    let engine = state.engine();
    let run = engine.find(id).await?;
    let secrets = match engine.definition_of(&run).await? {
        Some(definition) => secret_values(&definition, &run.parameters),
        None => Vec::new(),
    };
    let mut views = engine.query().tasks(id, after, limit + 1).await?;
    let more = views.len() > limit as usize;
    views.truncate(limit as usize);
    let last = views.last().map(|view| view.execution.id);
    let items = views.into_iter().filter_map(|view| TaskBody::new(view, &secrets)).collect();
    Ok(Json(Page { items, next_cursor: last.filter(|_| more).map(cursor) }))
}

/// Which output.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogParams {
    /// `stdout`, which is the default, or `stderr`.
    #[serde(default)]
    #[param(inline)]
    stream: StreamName,
    /// Of which attempt; the newest if absent.
    #[param(minimum = 1)]
    attempt: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StreamName {
    #[default]
    Stdout,
    Stderr,
}

/// What an attempt wrote, as text, as far as it has got. Empty if it wrote nothing.
#[utoipa::path(
    get,
    path = "/executions/{id}/logs",
    tag = "executions",
    params(("id" = u64, Path, description = "The execution"), LogParams),
    responses(
        (status = 200, description = "The output", body = String, content_type = "text/plain",
            headers(("Steadfast-Attempt" = u32, description = "Of which attempt"))),
        (status = 404, description = "No such execution or attempt", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn logs(
    State(state): State<ApiState>,
    Id(id): Id,
    Params(params): Params<LogParams>,
) -> Result<Response, Problem> {
    let newest = state.engine().find(id).await?.execution.attempt.0;
    let attempt = params.attempt.unwrap_or(newest);
    if params.attempt.is_some() && (attempt == 0 || attempt > newest) {
        let detail = format!("execution {} has {newest} attempts, counted from 1", id.0);
        return Err(Problem::new(ProblemKind::UnknownAttempt, detail));
    }
    let stream = match params.stream {
        StreamName::Stdout => LogStream::Stdout,
        StreamName::Stderr => LogStream::Stderr,
    };
    let log = Log { engine: state.engine().clone(), id, attempt, stream };
    let body = log.body().await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8")),
        (HeaderName::from_static("steadfast-attempt"), HeaderValue::from(attempt)),
    ];
    Ok((headers, body).into_response())
}

/// One log that is read piece by piece, so that a large one is never in memory whole.
#[derive(Clone)]
struct Log {
    engine: Engine,
    id: ExecutionId,
    attempt: u32,
    stream: LogStream,
}

impl Log {
    /// The log as a body. An unreadable one is found out before the answer begins.
    async fn body(self) -> Result<Body, Problem> {
        let first = self.piece(0).await?;
        let state = (self, 0, Some(first));
        let pieces = stream::try_unfold(state, |(log, offset, first)| async move {
            let piece = match first {
                Some(first) => first,
                None => log.piece(offset).await.map_err(std::io::Error::other)?,
            };
            if piece.is_empty() {
                return Ok(None);
            }
            let offset = offset + piece.len() as u64;
            Ok::<_, std::io::Error>(Some((piece, (log, offset, None))))
        });
        Ok(Body::from_stream(pieces))
    }

    async fn piece(&self, offset: u64) -> Result<Bytes, StoreError> {
        let read = self.engine.read_log(self.id, self.attempt, self.stream, offset).await;
        read.map(Bytes::from)
    }
}

/// The one thing that an execution is waiting for.
#[utoipa::path(
    get,
    path = "/executions/{id}/explain",
    tag = "executions",
    params(("id" = u64, Path, description = "The execution")),
    responses(
        (status = 200, description = "Exactly one explanation", body = Explanation),
        (status = 404, description = "No such execution", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn explain(
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<Explanation>, Problem> {
    Ok(Json(explain::explain_execution(state.engine(), id).await?))
}
