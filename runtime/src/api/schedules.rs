//! What is submitted again and again.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use steadfast_core::schedule::{
    Missed, Plan, Refusal, Schedule, ScheduleName, ScheduleState, Timing,
};
use steadfast_core::{ActionRef, Span};
use steadfast_packs::redact;
use steadfast_services::port::Query;
use steadfast_services::service::schedule::Order;
use utoipa::{IntoParams, ToSchema};

use super::ApiState;
use super::executions::{check_storable, page_size};
use super::extract::{JsonBody, Name, Params};
use super::model::{Page, redact_all, rfc3339};
use super::problem::{Problem, ProblemBody, ProblemKind};
use crate::engine::{Engine, EngineError};

/// The longest name.
const LONGEST_NAME: usize = 128;

/// The longest cron expression and name of a time zone.
const LONGEST_WORDS: usize = 255;

/// A request to submit an action again and again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScheduleRequest {
    /// Letters, digits, `.`, `_` and `-`, at most 128; the first is a letter or a digit.
    #[schema(example = "nightly")]
    name: String,
    /// When it is due: minute, hour, day of month, month and day of week, or a nickname such as
    /// `@daily`. Either this or `interval_seconds`.
    #[serde(default)]
    #[schema(example = "30 4 * * mon-fri")]
    cron: Option<String>,
    /// How many seconds lie between two due times, from the creation on.
    #[serde(default)]
    #[schema(minimum = 1)]
    interval_seconds: Option<u32>,
    /// The time zone of `cron`, by its IANA name; `UTC` if absent.
    #[serde(default)]
    timezone: Option<String>,
    /// What to run, as `pack.name`.
    action_ref: String,
    /// Its parameters.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    parameters: Value,
    /// What becomes of due times that nobody fired within 30 s: `skip` leaves them out, `once` fires
    /// the last of them, `all` fires the last 100 of them. `once` if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "once")]
    missed: Option<Missed>,
    /// Whether it fires from the beginning; true if absent.
    #[serde(default)]
    enabled: Option<bool>,
}

/// A schedule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Schedule)]
pub(crate) struct ScheduleBody {
    /// Its name.
    name: String,
    /// `active`, `paused`, `finished` or `removed`.
    #[schema(value_type = String, example = "active")]
    state: ScheduleState,
    /// When it is due, if by a cron expression.
    cron: Option<String>,
    /// The time zone of `cron`.
    timezone: Option<String>,
    /// How many seconds lie between two due times, if by an interval.
    interval_seconds: Option<u64>,
    /// What it submits.
    action_ref: String,
    /// With which parameters; secret ones are `[redacted]`.
    #[schema(value_type = Object)]
    parameters: Value,
    /// What becomes of due times that were missed.
    #[schema(value_type = String, example = "once")]
    missed: Missed,
    /// When it is due next; null unless it is active.
    #[schema(format = DateTime)]
    next_due_at: Option<String>,
    /// The last due time that it fired for.
    #[schema(format = DateTime)]
    last_fired_for: Option<String>,
    /// The execution of that.
    last_execution_id: Option<u64>,
    /// Why the last due time was left out, if nothing could be submitted for it.
    last_error: Option<String>,
    /// When it was created.
    #[schema(format = DateTime)]
    created_at: String,
}

impl ScheduleBody {
    fn new(engine: &Engine, row: Schedule) -> Self {
        let (cron, timezone, interval_seconds) = match &row.plan.timing {
            Timing::Cron { expression, timezone } => {
                (Some(expression.clone()), Some(timezone.clone()), None)
            }
            Timing::Every(span) => (None, None, Some(span.as_micros() / 1_000_000)),
        };
        let parameters = match &row.plan.parameters {
            Value::Null => Value::Object(serde_json::Map::new()),
            parameters => match engine.catalog().get(&row.plan.action) {
                Some(definition) => redact(definition, parameters),
                // Nobody knows which of them are secret.
                None => redact_all(parameters.clone()),
            },
        };
        Self {
            name: row.name.to_string(),
            state: row.state,
            cron,
            timezone,
            interval_seconds,
            action_ref: row.plan.action.to_string(),
            parameters,
            missed: row.plan.missed,
            next_due_at: (row.state == ScheduleState::Active).then(|| rfc3339(row.due)),
            last_fired_for: row.fired.map(rfc3339),
            last_execution_id: row.last_execution.map(|id| id.0),
            last_error: row.last_error,
            created_at: rfc3339(row.created_at),
        }
    }
}

/// What is asked for, as far as it can be judged without the store.
fn plan(request: ScheduleRequest) -> Result<(String, Plan), Problem> {
    let ScheduleRequest { name, cron, interval_seconds, timezone, .. } = request;
    let bad =
        |field: &str, message: &str| Err(Problem::field(ProblemKind::InvalidBody, field, message));
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts || !name.chars().all(fits) || name.len() > LONGEST_NAME {
        return bad(
            "name",
            "must be letters, digits, `.`, `_` and `-`, at most 128, and begin with a letter or a \
             digit",
        );
    }
    let long = |text: &Option<String>| text.as_ref().is_some_and(|t| t.len() > LONGEST_WORDS);
    if long(&cron) || long(&timezone) {
        return bad(if long(&cron) { "cron" } else { "timezone" }, "is longer than 255 bytes");
    }
    let timing = match (cron, interval_seconds) {
        (Some(expression), None) => {
            let timezone = timezone.unwrap_or_else(|| String::from("UTC"));
            Timing::Cron { expression, timezone }
        }
        (None, Some(_)) if timezone.is_some() => {
            return bad("timezone", "belongs to `cron`; intervals know no time zone");
        }
        (None, Some(seconds)) => Timing::Every(Span::from_secs(seconds.into())),
        (Some(_), Some(_)) => return bad("interval_seconds", "cannot stand beside `cron`"),
        (None, None) => return bad("cron", "is missing; say either `cron` or `interval_seconds`"),
    };
    check_storable("parameters", &request.parameters, 0)?;
    let plan = Plan {
        timing,
        action: ActionRef::from(request.action_ref),
        // None and no parameters are the same, and so are two requests that say either.
        parameters: match request.parameters {
            Value::Null => Value::Object(serde_json::Map::new()),
            parameters => parameters,
        },
        missed: request.missed.unwrap_or(Missed::Once),
        enabled: request.enabled.unwrap_or(true),
    };
    Ok((name, plan))
}

/// A schedule and where it is.
type Created = (StatusCode, [(HeaderName, HeaderValue); 1], Json<ScheduleBody>);

/// Submits an action again and again: exactly one execution for each due time that is not missed,
/// whatever crashes. The same request again finds the schedule and leaves it as it is.
#[utoipa::path(
    post,
    path = "/schedules",
    tag = "schedules",
    request_body = ScheduleRequest,
    responses(
        (status = 201, description = "A new schedule", body = ScheduleBody),
        (status = 200, description = "It was there, with this body", body = ScheduleBody),
        (status = 404, description = "No such action", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "There is another one of this name, or the action is disabled",
            body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The body or the parameters do not fit; a cron expression that \
            cannot be read or is never due", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn create(
    State(state): State<ApiState>,
    JsonBody(request): JsonBody<ScheduleRequest>,
) -> Result<Created, Problem> {
    let (name, plan) = plan(request)?;
    let (row, is_new) = state.engine().create_schedule(&name, plan).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let location = HeaderValue::from_str(&format!("/api/v1/schedules/{name}"));
    let location = location.unwrap_or(HeaderValue::from_static("/"));
    let body = ScheduleBody::new(state.engine(), row);
    Ok((status, [(header::LOCATION, location)], Json(body)))
}

/// Which schedules to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// At most this many, 50 if absent; larger pages than 500 are cut.
    #[param(minimum = 1)]
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What the cursor of a page begins with.
const CURSOR: &str = "s";

/// Lists schedules, in the order of their names.
#[utoipa::path(
    get,
    path = "/schedules",
    tag = "schedules",
    params(ListParams),
    responses(
        (status = 200, description = "A page of schedules", body = Page<ScheduleBody>),
        (status = 400, description = "A bad limit or cursor", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Params(params): Params<ListParams>,
) -> Result<Json<Page<ScheduleBody>>, Problem> {
    let limit = page_size(params.limit)?;
    let after = match &params.cursor {
        None => None,
        Some(cursor) => {
            Some(cursor.strip_prefix(CURSOR).map(ScheduleName::new).ok_or_else(|| {
                let detail = "the query: `cursor` must be the `next_cursor` of a page";
                Problem::new(ProblemKind::InvalidRequest, detail)
            })?)
        }
    };
    // One more tells whether there is a next page.
    let mut rows = state.engine().query().schedules(after.as_ref(), limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let last = rows.last().map(|row| format!("{CURSOR}{}", row.name));
    let items = rows.into_iter().map(|row| ScheduleBody::new(state.engine(), row)).collect();
    Ok(Json(Page { items, next_cursor: last.filter(|_| more) }))
}

/// One schedule.
#[utoipa::path(
    get,
    path = "/schedules/{name}",
    tag = "schedules",
    params(("name" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule", body = ScheduleBody),
        (status = 404, description = "No such schedule", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<ScheduleBody>, Problem> {
    let row = state.engine().find_schedule(&name).await?;
    Ok(Json(ScheduleBody::new(state.engine(), row)))
}

/// Stops a schedule from firing. What becomes due meanwhile is left out.
#[utoipa::path(
    post,
    path = "/schedules/{name}/pause",
    tag = "schedules",
    params(("name" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule, paused", body = ScheduleBody),
        (status = 404, description = "No such schedule", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It is finished", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pause(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<ScheduleBody>, Problem> {
    tell(&state, &name, Order::Pause).await
}

/// Lets a schedule fire again, from now on.
#[utoipa::path(
    post,
    path = "/schedules/{name}/resume",
    tag = "schedules",
    params(("name" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule, active", body = ScheduleBody),
        (status = 404, description = "No such schedule", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It is finished", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn resume(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<ScheduleBody>, Problem> {
    tell(&state, &name, Order::Resume).await
}

/// Removes a schedule. What it has submitted goes on; its name is free.
#[utoipa::path(
    delete,
    path = "/schedules/{name}",
    tag = "schedules",
    params(("name" = String, Path, description = "The schedule")),
    responses(
        (status = 200, description = "The schedule as it was, removed", body = ScheduleBody),
        (status = 404, description = "No such schedule", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn remove(
    State(state): State<ApiState>,
    Name(name): Name,
) -> Result<Json<ScheduleBody>, Problem> {
    tell(&state, &name, Order::Remove).await
}

/// What has been done already is done.
async fn tell(state: &ApiState, name: &str, order: Order) -> Result<Json<ScheduleBody>, Problem> {
    let engine = state.engine();
    let row = match engine.tell_schedule(name, order).await {
        Ok(row) => row,
        Err(EngineError::Schedule(Refusal::Done)) => engine.find_schedule(name).await?,
        Err(error) => return Err(error.into()),
    };
    Ok(Json(ScheduleBody::new(engine, row)))
}
