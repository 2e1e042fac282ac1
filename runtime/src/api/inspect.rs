//! Looking into an execution: its tasks, its output, and what it is waiting for.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::Deserialize;
use steadfast_packs::secret_values;
use steadfast_runner::{LogStore, LogStream};
use steadfast_services::port::Query;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::executions::{page_size, place};
use super::extract::{Id, Params};
use super::model::{Page, TaskBody, cursor};
use super::problem::{Problem, ProblemBody, ProblemKind};
use crate::explain::{self, Explanation};

/// How much of a log is read at once.
const PIECE: u64 = 256 * 1024;

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
    let log = Log { store: state.engine().logs().clone(), execution: id.0, attempt, stream };
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
    store: LogStore,
    execution: u64,
    attempt: u32,
    stream: LogStream,
}

impl Log {
    /// The log as a body. An unreadable one is found out before the answer begins.
    async fn body(self) -> Result<Body, Problem> {
        let first = self.clone().piece(0).await.map_err(|error| {
            Problem::new(ProblemKind::Internal, format!("the log cannot be read: {error}"))
        })?;
        let state = (self, Some((0, first)));
        let pieces = stream::try_unfold(state, |(log, next)| async move {
            let Some((offset, piece)) = next else { return Ok(None) };
            if piece.is_empty() {
                return Ok(None);
            }
            let offset = offset + piece.len() as u64;
            let more = if piece.len() as u64 == PIECE {
                Some((offset, log.clone().piece(offset).await?))
            } else {
                None
            };
            Ok::<_, std::io::Error>(Some((piece, (log, more))))
        });
        Ok(Body::from_stream(pieces))
    }

    async fn piece(self, offset: u64) -> std::io::Result<Bytes> {
        let Self { store, execution, attempt, stream } = self;
        let read = move || store.read_from(execution, attempt, stream, offset, PIECE);
        let bytes = tokio::task::spawn_blocking(read).await.map_err(std::io::Error::other)??;
        Ok(Bytes::from(bytes.unwrap_or_default()))
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
