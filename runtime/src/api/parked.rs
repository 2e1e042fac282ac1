//! Messages that were put aside because they could not be read or carried out. They wait for an
//! operator: replayed or given up, never dropped.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use steadfast_services::port::{Env, Parked};
use utoipa::ToSchema;

use super::ApiState;
use super::extract::{JsonBody, Name};
use super::model::rfc3339;
use super::problem::{Problem, ProblemBody, ProblemKind};
use crate::engine::Verdict;

/// A message that was put aside.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ParkedMessage)]
pub(crate) struct ParkedMessage {
    /// By which it is asked for; the same as long as it is parked.
    id: String,
    /// Why it was put aside.
    reason: String,
    /// The exchange that it came by; empty for one that names its queue.
    exchange: String,
    /// Its routing key there.
    routing_key: String,
    /// When it was made, if it says so.
    made_at: Option<String>,
    /// What it says that its body is.
    content_type: Option<String>,
    /// The size of its body.
    bytes: usize,
    /// Its body, if that is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// Its body in hexadecimal digits, if it is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

impl ParkedMessage {
    /// Without its body.
    fn head(parked: &Parked) -> Self {
        Self {
            id: parked.id.clone(),
            reason: parked.reason.clone(),
            exchange: parked.exchange.clone(),
            routing_key: parked.key.clone(),
            made_at: parked.made_at.map(rfc3339),
            content_type: parked.content_type.clone(),
            bytes: parked.body.len(),
            body: None,
            body_hex: None,
        }
    }

    fn whole(parked: &Parked) -> Self {
        let text = std::str::from_utf8(&parked.body).ok().map(str::to_owned);
        let hex = || parked.body.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            body_hex: if text.is_none() { Some(hex()) } else { None },
            body: text,
            ..Self::head(parked)
        }
    }
}

/// Every parked message.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ParkedMessages {
    /// The oldest first, without their bodies; a thousand at the most.
    items: Vec<ParkedMessage>,
}

/// Why a message is given up.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DiscardBody {
    /// For the log of the API process, which keeps it with the message's bytes.
    reason: String,
}

/// Lists the messages that were put aside.
#[utoipa::path(
    get,
    path = "/parked",
    tag = "parked",
    responses((status = 200, description = "Every parked message", body = ParkedMessages))
)]
pub(crate) async fn list(State(state): State<ApiState>) -> Result<Json<ParkedMessages>, Problem> {
    let parked = state.engine().env().broker().parked().await?;
    Ok(Json(ParkedMessages { items: parked.iter().map(ParkedMessage::head).collect() }))
}

/// One message that was put aside, with its body.
#[utoipa::path(
    get,
    path = "/parked/{id}",
    tag = "parked",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "The message", body = ParkedMessage),
        (status = 404, description = "No such message", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn get(
    State(state): State<ApiState>,
    Name(id): Name,
) -> Result<Json<ParkedMessage>, Problem> {
    let parked = state.engine().env().broker().parked().await?;
    let found = parked.iter().find(|parked| parked.id == id);
    found.map(|parked| Json(ParkedMessage::whole(parked))).ok_or_else(|| unknown(&id))
}

/// Hands a message in again where it came from. It leaves the parked ones once the broker has
/// confirmed that; if it still cannot be carried out, it is parked again.
#[utoipa::path(
    post,
    path = "/parked/{id}/replay",
    tag = "parked",
    params(("id" = String, Path, description = "The message")),
    responses(
        (status = 200, description = "It was handed in", body = ParkedMessage),
        (status = 404, description = "No such message", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "The broker does not answer, or nobody takes it; it is still \
            parked", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn replay(
    State(state): State<ApiState>,
    Name(id): Name,
) -> Result<Json<ParkedMessage>, Problem> {
    let settled = state.engine().env().broker().settle_parked(&id, Verdict::Replay).await?;
    settled.map(|parked| Json(ParkedMessage::whole(&parked))).ok_or_else(|| unknown(&id))
}

/// Gives a message up. What it said is answered once more, and logged with the reason.
#[utoipa::path(
    post,
    path = "/parked/{id}/discard",
    tag = "parked",
    params(("id" = String, Path, description = "The message")),
    request_body = DiscardBody,
    responses(
        (status = 200, description = "It is gone", body = ParkedMessage),
        (status = 404, description = "No such message", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 422, description = "No reason was given", body = ProblemBody,
            content_type = "application/problem+json"),
        (status = 503, description = "The broker does not answer", body = ProblemBody,
            content_type = "application/problem+json"),
    )
)]
pub(crate) async fn discard(
    State(state): State<ApiState>,
    Name(id): Name,
    JsonBody(DiscardBody { reason }): JsonBody<DiscardBody>,
) -> Result<Json<ParkedMessage>, Problem> {
    if reason.trim().is_empty() {
        return Err(Problem::field(ProblemKind::InvalidBody, "reason", "say why it is given up"));
    }
    let settled = state.engine().env().broker().settle_parked(&id, Verdict::Discard).await?;
    let parked = settled.ok_or_else(|| unknown(&id))?;
    let message = ParkedMessage::whole(&parked);
    let body = message.body.as_ref().or(message.body_hex.as_ref());
    tracing::warn!(
        id,
        why = reason,
        body,
        parked_because = parked.reason,
        "a message was discarded"
    );
    Ok(Json(message))
}

fn unknown(id: &str) -> Problem {
    Problem::new(ProblemKind::UnknownParked, format!("no parked message has the id `{id}`"))
}
