//! Effects: what the outside world is told of ends, and what came of it.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use steadfast_core::ExecutionId;
use steadfast_core::effect::{Effect, EffectInput, EffectState};
use steadfast_services::port::{EffectCursor, EffectFilter, Query};
use steadfast_services::service::effects::{self, Place};
use utoipa::{IntoParams, ToSchema};

use super::extract::{JsonBody, Name, Params};
use super::model::{Page, cursor, read_cursor, rfc3339};
use super::problem::{Problem, ProblemBody, ProblemKind};
use super::{ApiState, DEFAULT_PAGE, MAX_PAGE};
use crate::effects::shown_address;

/// What somebody is told of an execution's end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Effect)]
pub(crate) struct EffectBody {
    /// Its identity: the execution's, and its place in the plan.
    id: String,
    /// Whose end is told.
    execution_id: u64,
    /// What it ran, as `pack.name`.
    action_ref: String,
    /// How the execution ended.
    #[schema(example = "completed")]
    execution_status: String,
    /// How it is told.
    #[schema(example = "webhook")]
    kind: String,
    /// To whom: the beginning of the address, whose rest may hold a secret.
    #[schema(example = "https://hooks.example/...")]
    target: String,
    /// Of which ends: `completed`, `unsuccessful` or `ended`.
    on: String,
    /// `planned`, `sending`, `delivered` or `gave_up`.
    #[schema(example = "delivered")]
    state: String,
    /// How often somebody began to deliver it.
    attempts: u32,
    /// How many tries failed, since it was planned or an operator had it tried again.
    failures: u32,
    /// What was wrong with the last try that failed.
    error: Option<String>,
    /// When it was planned: when the execution ended.
    #[schema(format = DateTime)]
    planned_at: String,
    /// When it is tried next, or until when whoever is trying is waited for.
    #[schema(format = DateTime)]
    due_at: Option<String>,
    /// When it was delivered or given up.
    #[schema(format = DateTime)]
    ended_at: Option<String>,
}

impl EffectBody {
    fn new(effect: &Effect) -> Self {
        Self {
            id: format!("{}.{}", effect.key.execution.0, effect.index),
            execution_id: effect.key.execution.0,
            action_ref: effect.notice.action.to_string(),
            execution_status: effect.notice.status.to_string(),
            kind: effect.key.kind.to_string(),
            target: shown_address(effect.key.target.as_str()),
            on: effect.trigger.to_string(),
            state: effect.state.to_string(),
            attempts: effect.sends,
            failures: effect.failures,
            error: effect.error.clone(),
            planned_at: rfc3339(effect.planned_at),
            due_at: effect.wake_at.map(rfc3339),
            ended_at: effect.ended_at.map(rfc3339),
        }
    }
}

/// Which effects to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Listing {
    /// Those in this state: `planned`, `sending`, `delivered` or `gave_up`.
    state: Option<String>,
    /// Those of this execution.
    execution: Option<u64>,
    /// At most this many, 500 at the most; 50 by default.
    limit: Option<u32>,
    /// The `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Lists effects, those of the newest executions first.
#[utoipa::path(
    get,
    path = "/effects",
    tag = "effects",
    params(Listing),
    responses(
        (status = 200, description = "A page of effects", body = Page<EffectBody>),
        (status = 400, description = "A parameter does not fit", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(state): State<ApiState>,
    Params(listing): Params<Listing>,
) -> Result<Json<Page<EffectBody>>, Problem> {
    let limit = listing.limit.unwrap_or(DEFAULT_PAGE);
    let bad =
        |name: &str, message: &str| Problem::field(ProblemKind::InvalidRequest, name, message);
    if !(1..=MAX_PAGE).contains(&limit) {
        return Err(bad("limit", &format!("must be from 1 to {MAX_PAGE}")));
    }
    let wanted = match listing.state.as_deref().map(str::parse::<EffectState>) {
        None => None,
        Some(Ok(wanted)) => Some(wanted),
        Some(Err(_)) => {
            return Err(bad("state", "must be `planned`, `sending`, `delivered` or `gave_up`"));
        }
    };
    let place = match listing.cursor.as_deref().map(read_place) {
        None => None,
        Some(Some(place)) => Some(place),
        Some(None) => return Err(bad("cursor", "is not a `next_cursor` of this listing")),
    };
    let execution = listing.execution.map(ExecutionId);
    let filter = EffectFilter { state: wanted, execution, cursor: place, limit: limit + 1 };
    let mut found = state.engine().query().effects(&filter).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more);
    let next_cursor = last.map(|e| format!("{}.{}", cursor(e.key.execution), e.index));
    Ok(Json(Page { items: found.iter().map(EffectBody::new).collect(), next_cursor }))
}

fn read_place(text: &str) -> Option<EffectCursor> {
    let (execution, index) = text.split_once('.')?;
    Some(EffectCursor { execution: read_cursor(execution)?, index: index.parse().ok()? })
}

/// Has an effect that was given up tried again, as if it had just been planned.
#[utoipa::path(
    post,
    path = "/effects/{id}/retry",
    tag = "effects",
    params(("id" = String, Path, description = "The effect")),
    responses(
        (status = 200, description = "It is planned again", body = EffectBody),
        (status = 404, description = "No such effect", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It was not given up", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn retry(
    State(state): State<ApiState>,
    Name(id): Name,
) -> Result<Json<EffectBody>, Problem> {
    tell(&state, &id, EffectInput::Revive).await
}

/// Why an effect is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GiveUpBody {
    /// It is kept with the effect as its error.
    reason: String,
}

/// Gives an effect up: nobody is told any more. A try that is under way may still arrive.
#[utoipa::path(
    post,
    path = "/effects/{id}/discard",
    tag = "effects",
    params(("id" = String, Path, description = "The effect")),
    request_body = GiveUpBody,
    responses(
        (status = 200, description = "It is given up", body = EffectBody),
        (status = 404, description = "No such effect", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "No reason was given", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn discard(
    State(state): State<ApiState>,
    Name(id): Name,
    JsonBody(GiveUpBody { reason }): JsonBody<GiveUpBody>,
) -> Result<Json<EffectBody>, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.contains('\0') {
        return Err(Problem::field(ProblemKind::InvalidBody, "reason", "say why it is given up"));
    }
    let reason: String = reason.chars().take(500).collect();
    tell(&state, &id, EffectInput::Abandon(format!("discarded: {reason}"))).await
}

async fn tell(state: &ApiState, id: &str, input: EffectInput) -> Result<Json<EffectBody>, Problem> {
    let place = read_id(id).ok_or_else(|| unknown(id))?;
    match effects::control(state.engine().env(), place, input).await? {
        None => Err(unknown(id)),
        Some(Ok(effect)) => Ok(Json(EffectBody::new(&effect))),
        Some(Err(refusal)) => Err(Problem::new(ProblemKind::IllegalState, refusal.to_string())),
    }
}

fn read_id(id: &str) -> Option<Place> {
    let (execution, index) = id.split_once('.')?;
    let execution = ExecutionId(execution.parse().ok()?);
    let place = Place { execution, index: index.parse().ok()? };
    // Signs and leading zeros are not from here, nor is what no store has.
    let is_ours = format!("{}.{}", execution.0, place.index) == id;
    (is_ours && i64::try_from(execution.0).is_ok()).then_some(place)
}

fn unknown(id: &str) -> Problem {
    Problem::new(ProblemKind::UnknownEffect, format!("no effect has the id `{id}`"))
}
