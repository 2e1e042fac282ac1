//! Submitting, finding, cancelling and repeating executions.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use steadfast_core::effect::{Target, Wish};
use steadfast_core::execution::Refusal;
use steadfast_core::submit::Submitted;
use steadfast_core::{ActionRef, Status};
use steadfast_services::port::{Cursor, ExecutionFilter, ExecutionView, Query};
use utoipa::IntoParams;

use super::extract::{Id, JsonBody, Params, check_id};
use super::model::{EffectRequest, ExecutionBody, Page, SubmitBody, cursor, read_cursor};
use super::problem::{Problem, ProblemBody, ProblemKind};
use super::{ApiState, DEFAULT_PAGE, MAX_PAGE};
use crate::engine::{Engine, EngineError, Request};

/// The longest idempotency key.
const LONGEST_KEY: usize = 255;

/// How deep parameters may be nested: half of what JSON readers take.
const DEEPEST: u32 = 64;

/// The header that carries an idempotency key.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A new execution and where it is.
type Created = (StatusCode, [(HeaderName, HeaderValue); 1], Json<ExecutionBody>);

/// Submits an execution. When this answers, it is durable.
#[utoipa::path(
    post,
    path = "/executions",
    tag = "executions",
    request_body = SubmitBody,
    params(("Idempotency-Key" = Option<String>, Header, description =
        "A second request with the same key and body finds the first one's execution")),
    responses(
        (status = 201, description = "A new execution", body = ExecutionBody),
        (status = 200, description = "The execution of an earlier request with this key",
            body = ExecutionBody),
        (status = 400, description = "Not JSON", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "The key was used with another body, or the action is \
            disabled", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "Too large", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 415, description = "Not sent as JSON", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "The body or the parameters do not fit", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 429, description = "The queue is full; nothing was created", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(state): State<ApiState>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SubmitBody>,
) -> Result<Created, Problem> {
    let SubmitBody { action_ref, parameters, idempotency_key, effects } = body;
    let idempotency_key = one_key(&headers, idempotency_key)?;
    check_storable("parameters", &parameters, 0)?;
    let request = Request {
        action: action_ref,
        parameters,
        idempotency_key,
        retry_of: None,
        effects: wishes(effects)?,
    };
    let submitted = state.engine().submit(request).await?;
    created(state.engine(), submitted).await
}

/// What is asked for in words. A kind or an end that there is not is refused by name.
fn wishes(asked: Vec<EffectRequest>) -> Result<Vec<Wish>, Problem> {
    let read = |(index, asked): (usize, EffectRequest)| {
        let bad = |name: &str, message: String| {
            let field = format!("effects[{index}].{name}");
            Problem::field(ProblemKind::InvalidBody, &field, message)
        };
        let kind = asked.kind.parse().map_err(|_| {
            bad("kind", format!("there is no effect `{}`; there is `webhook`", asked.kind))
        })?;
        let trigger = asked
            .on
            .parse()
            .map_err(|_| bad("on", "must be `completed`, `unsuccessful` or `ended`".to_owned()))?;
        Ok(Wish { trigger, kind, target: Target::new(&asked.target) })
    };
    asked.into_iter().enumerate().map(read).collect()
}

async fn created(engine: &Engine, submitted: Submitted) -> Result<Created, Problem> {
    let status = match submitted {
        Submitted::Created(_) => StatusCode::CREATED,
        Submitted::Existing(_) => StatusCode::OK,
    };
    let view = engine.find(submitted.id()).await?;
    let location = format!("/api/v1/executions/{}", submitted.id().0);
    let location = HeaderValue::from_str(&location).unwrap_or(HeaderValue::from_static("/"));
    Ok((status, [(header::LOCATION, location)], Json(shown(engine, view).await?)))
}

/// The idempotency key of the header or the body, which must not differ.
fn one_key(headers: &HeaderMap, in_body: Option<String>) -> Result<Option<String>, Problem> {
    let bad =
        |message: &str| Err(Problem::field(ProblemKind::InvalidBody, "idempotency_key", message));
    let mut in_header = headers.get_all(IDEMPOTENCY_KEY).iter();
    let (first, second) = (in_header.next(), in_header.next());
    if second.is_some() {
        return bad("the header `Idempotency-Key` was sent twice");
    }
    let in_header = match first.map(|value| std::str::from_utf8(value.as_bytes())) {
        None => None,
        Some(Ok(key)) => Some(key.to_owned()),
        Some(Err(_)) => return bad("the header `Idempotency-Key` is not text"),
    };
    let key = match (in_header, in_body) {
        (Some(header), Some(body)) if header != body => {
            return bad("the header `Idempotency-Key` says something else");
        }
        (header, body) => header.or(body),
    };
    match &key {
        Some(key) if key.is_empty() => bad("is empty"),
        Some(key) if key.len() > LONGEST_KEY => bad("is longer than 255 bytes"),
        Some(key) if key.chars().any(char::is_control) => bad("contains a control character"),
        _ => Ok(key),
    }
}

/// What a store could not give back does not get in: a NUL, which no environment variable can
/// carry either, and a nesting that workflows which wrap it once more would make unreadable.
pub(crate) fn check_storable(path: &str, value: &Value, depth: u32) -> Result<(), Problem> {
    let bad = |path: &str, message: String| {
        Err(Problem::field(ProblemKind::InvalidParameters, path, message))
    };
    if depth > DEEPEST {
        return bad(path, format!("is nested deeper than {DEEPEST} levels"));
    }
    match value {
        Value::String(text) if text.contains('\0') => {
            bad(path, String::from("contains a NUL character"))
        }
        Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
            check_storable(&format!("{path}[{index}]"), item, depth + 1)
        }),
        Value::Object(members) => members.iter().try_for_each(|(name, member)| {
            let path = format!("{path}.{name}");
            if name.contains('\0') {
                return bad(&path, String::from("has a NUL character in its name"));
            }
            check_storable(&path, member, depth + 1)
        }),
        _ => Ok(()),
    }
}

/// What may be shown of an execution.
pub(crate) async fn shown(engine: &Engine, view: ExecutionView) -> Result<ExecutionBody, Problem> {
    let definition = engine.definition_of(&view).await?;
    Ok(ExecutionBody::new(view, definition.as_deref()))
}

/// Which executions to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Only in this status; several with commas between them. `scheduled` stands for
    /// `offered,accepted`.
    status: Option<String>,
    /// Only of this action.
    action_ref: Option<String>,
    /// Only tasks of this workflow execution.
    parent: Option<u64>,
    /// At most this many, 50 if absent; larger pages than 500 are cut.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists executions, newest first.
#[utoipa::path(
    get,
    path = "/executions",
    tag = "executions",
    params(ListParams),
    responses(
        (status = 200, description = "A page of executions", body = Page<ExecutionBody>),
        (status = 400, description = "A bad filter, limit or cursor", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<ExecutionBody>>, Problem> {
    let limit = page_size(params.limit)?;
    let filter = ExecutionFilter {
        statuses: statuses(params.status.as_deref())?,
        action: params.action_ref.map(ActionRef::from),
        parent: params.parent.map(|id| check_id("parent", id)).transpose()?,
        cursor: place(params.cursor.as_deref())?.map(Cursor),
        // One more tells whether there is a next page.
        limit: limit + 1,
    };
    let engine = state.engine();
    let mut views = engine.query().executions(&filter).await?;
    let more = views.len() > limit as usize;
    views.truncate(limit as usize);
    let last = views.last().map(|view| view.execution.id);
    let mut items = Vec::with_capacity(views.len());
    for view in views {
        items.push(shown(engine, view).await?);
    }
    Ok(Json(Page { items, next_cursor: last.filter(|_| more).map(cursor) }))
}

pub(crate) fn page_size(limit: Option<u32>) -> Result<u32, Problem> {
    match limit {
        Some(0) => {
            Err(Problem::new(ProblemKind::InvalidRequest, "the query: `limit` must be at least 1"))
        }
        limit => Ok(limit.unwrap_or(DEFAULT_PAGE).min(MAX_PAGE)),
    }
}

pub(crate) fn place(text: Option<&str>) -> Result<Option<steadfast_core::ExecutionId>, Problem> {
    let Some(text) = text else { return Ok(None) };
    read_cursor(text).map(Some).ok_or_else(|| {
        let detail = "the query: `cursor` must be the `next_cursor` of a page";
        Problem::new(ProblemKind::InvalidRequest, detail)
    })
}

fn statuses(words: Option<&str>) -> Result<Vec<Status>, Problem> {
    let mut statuses = Vec::new();
    for word in words.unwrap_or_default().split(',').map(str::trim).filter(|w| !w.is_empty()) {
        if word == "scheduled" {
            statuses.extend([Status::Offered, Status::Accepted]);
            continue;
        }
        statuses.push(word.parse().map_err(|error| {
            let known: Vec<&str> = Status::ALL.iter().map(|status| status.as_str()).collect();
            let detail = format!("the query: {error}; known are {}", known.join(", "));
            Problem::new(ProblemKind::InvalidRequest, detail)
        })?);
    }
    statuses.sort_unstable();
    statuses.dedup();
    Ok(statuses)
}

/// One execution.
#[utoipa::path(
    get,
    path = "/executions/{id}",
    tag = "executions",
    params(("id" = u64, Path, description = "The execution")),
    responses(
        (status = 200, description = "The execution", body = ExecutionBody),
        (status = 404, description = "No such execution", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<ExecutionBody>, Problem> {
    let view = state.engine().find(id).await?;
    Ok(Json(shown(state.engine(), view).await?))
}

/// Asks an execution to stop. It ends at once if no worker has it, otherwise when its worker has
/// stopped it. Asking again changes nothing.
#[utoipa::path(
    post,
    path = "/executions/{id}/cancel",
    tag = "executions",
    params(("id" = u64, Path, description = "The execution")),
    responses(
        (status = 200, description = "The execution, cancelled or about to be",
            body = ExecutionBody),
        (status = 404, description = "No such execution", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It ended otherwise before", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn cancel(
    State(state): State<ApiState>,
    Id(id): Id,
) -> Result<Json<ExecutionBody>, Problem> {
    match state.engine().cancel(id).await {
        Ok(_) | Err(EngineError::Execution(Refusal::Done | Refusal::Over(Status::Cancelled))) => {}
        Err(error) => return Err(error.into()),
    }
    let view = state.engine().find(id).await?;
    Ok(Json(shown(state.engine(), view).await?))
}

/// Submits an ended execution's action and parameters again, as a new execution: what is over
/// stays as it is.
#[utoipa::path(
    post,
    path = "/executions/{id}/retry",
    tag = "executions",
    params(("id" = u64, Path, description = "The ended execution")),
    responses(
        (status = 201, description = "A new execution with `retry_of`", body = ExecutionBody),
        (status = 404, description = "No such execution, or its action is gone",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is not over yet", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "Its parameters no longer fit the action",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "The queue is full; nothing was created", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(State(state): State<ApiState>, Id(id): Id) -> Result<Created, Problem> {
    let submitted = state.engine().retry(id).await?;
    created(state.engine(), submitted).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheduled_is_an_alias_and_unknown_words_are_named() {
        let both = vec![Status::Offered, Status::Accepted];
        assert_eq!(statuses(Some("scheduled")), Ok(both));
        let list = vec![Status::Queued, Status::TimedOut];
        assert_eq!(statuses(Some("queued, timed_out")), Ok(list));
        assert_eq!(statuses(None), Ok(vec![]));
        assert_eq!(statuses(Some("done")).unwrap_err().kind(), ProblemKind::InvalidRequest);
    }

    #[test]
    fn a_page_has_a_size() {
        assert_eq!(page_size(None), Ok(DEFAULT_PAGE));
        assert_eq!(page_size(Some(7)), Ok(7));
        assert_eq!(page_size(Some(u32::MAX)), Ok(MAX_PAGE));
        assert!(page_size(Some(0)).is_err());
    }
}
