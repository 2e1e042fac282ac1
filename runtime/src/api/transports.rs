//! The transports, and what each has left to do: how an operator sees that a change of transport is over.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use steadfast_core::Transport;
use steadfast_services::port::{Env, Query};
use utoipa::ToSchema;

use super::ApiState;
use super::problem::Problem;

/// A way in which work reaches workers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Transport)]
pub(crate) struct TransportBody {
    /// Its name, as in the configuration.
    name: String,
    /// Whether this process submits by it.
    in_use: bool,
    /// How many executions that are not over were submitted under it.
    executions: u64,
}

/// Every transport.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Transports {
    /// Always all of them.
    items: Vec<TransportBody>,
}

/// Lists the transports with what each has left to do.
#[utoipa::path(
    get,
    path = "/transports",
    tag = "transports",
    responses((status = 200, description = "Every transport", body = Transports))
)]
pub(crate) async fn list(State(state): State<ApiState>) -> Result<Json<Transports>, Problem> {
    let env = state.engine().env();
    let counts = env.store().count_by_transport().await?;
    let body = |transport: Transport| TransportBody {
        name: transport.to_string(),
        in_use: env.transport() == transport,
        executions: counts.iter().find(|count| count.0 == transport).map_or(0, |count| count.1),
    };
    Ok(Json(Transports { items: Transport::ALL.map(body).into() }))
}
