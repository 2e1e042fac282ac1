//! Whether the engine lives, whether it can take work, and how it is; and its metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use steadfast_core::WorkerId;
use steadfast_core::worker::{Worker, WorkerState};
use steadfast_services::port::{Env, Load, Query};
use steadfast_services::service::work::Condition;
use utoipa::ToSchema;

use super::ApiState;
use crate::engine::probe::Words;

/// How long the store may take to answer a health check.
const PATIENCE: Duration = Duration::from_secs(2);

/// A note that nobody writes: looking for it touches the store and costs next to nothing.
const PROBE: &str = "health.probe";

/// How something is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok` or `unavailable`.
    status: &'static str,
    /// What was checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    checks: Vec<Check>,
}

/// One thing that was checked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Check {
    /// What.
    name: &'static str,
    /// Whether it is as it should be.
    ok: bool,
    /// What is wrong, or worth knowing.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Everything that is known about how the engine is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DetailedHealth {
    /// `ok` or `unavailable`.
    status: &'static str,
    /// The version of the engine.
    version: &'static str,
    /// What was checked.
    checks: Vec<Check>,
    /// How many executions are in each status.
    executions: BTreeMap<&'static str, u64>,
    /// How many workers are in each state.
    #[schema(value_type = BTreeMap<String, u64>)]
    workers: BTreeMap<WorkerState, u64>,
}

fn verdict(checks: &[Check]) -> (StatusCode, &'static str) {
    if checks.iter().all(|check| check.ok) {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
    }
}

/// The process answers. It says nothing about what the process depends on: restarting it would not
/// help a store that is down.
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "health",
    responses((status = 200, description = "It answers", body = Health)),
    security(())
)]
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "ok", checks: Vec::new() })
}

/// The engine can take work: its store answers and it is not stopping.
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "health",
    responses(
        (status = 200, description = "It can", body = Health),
        (status = 503, description = "It cannot, and why", body = Health),
    ),
    security(())
)]
pub(crate) async fn ready(State(state): State<ApiState>) -> (StatusCode, Json<Health>) {
    let checks = checks(&state).await;
    let (code, status) = verdict(&checks);
    (code, Json(Health { status, checks }))
}

/// What is checked for readiness, and how many executions and workers there are.
#[utoipa::path(
    get,
    path = "/health/detailed",
    tag = "health",
    responses(
        (status = 200, description = "All is well", body = DetailedHealth),
        (status = 503, description = "Something is wrong", body = DetailedHealth),
    )
)]
pub(crate) async fn detailed(State(state): State<ApiState>) -> (StatusCode, Json<DetailedHealth>) {
    let mut checks = checks(&state).await;
    let query = state.engine().query();
    let mut executions = BTreeMap::new();
    match in_time(query.count_by_status()).await {
        Ok(counts) => executions.extend(counts.iter().map(|(s, count)| (s.as_str(), *count))),
        Err(detail) => checks.push(failed("executions", detail)),
    }
    let mut workers: BTreeMap<WorkerState, u64> = BTreeMap::new();
    match in_time(query.workers()).await {
        Ok(rows) => {
            for (worker, _) in &rows {
                *workers.entry(worker.state).or_default() += 1;
            }
            checks.push(takers(rows.iter().map(|(worker, _)| worker)));
        }
        Err(detail) => checks.push(failed("workers", detail)),
    }
    // Without the broker everything still ends, only later: no reason to be taken out of service.
    let broker = state.engine().env().broker().ready();
    checks.push(Check { name: "message queue", ok: broker.is_ok(), detail: broker.err() });
    let (code, status) = verdict(&checks);
    let version = env!("CARGO_PKG_VERSION");
    (code, Json(DetailedHealth { status, version, checks, executions, workers }))
}

/// Without a worker that takes work everything waits.
fn takers<'a>(workers: impl Iterator<Item = &'a Worker>) -> Check {
    let taking = workers.filter(|worker| worker.takes_work()).count();
    Check { name: "workers", ok: taking > 0, detail: Some(format!("{taking} take work")) }
}

async fn checks(state: &ApiState) -> Vec<Check> {
    let store = match in_time(state.engine().query().note(PROBE)).await {
        Ok(_) => Check { name: "store", ok: true, detail: None },
        Err(detail) => failed("store", detail),
    };
    let stopping = state.closing().is_cancelled() || state.engine().env().stop().is_cancelled();
    let detail = stopping.then(|| String::from("the engine is shutting down or has stopped"));
    let mut checks = vec![store, Check { name: "engine", ok: !stopping, detail }];
    checks
        .extend(state.engine().worker_condition().filter(|_| state.is_probed()).map(worker_check));
    checks
}

/// Whether the worker of this process is registered and moves.
fn worker_check(condition: Condition) -> Check {
    let detail = trouble(condition.worker.as_ref(), condition.hangs);
    Check { name: "worker", ok: detail.is_none(), detail }
}

/// What is wrong with a worker: it hangs, or is not registered.
fn trouble(worker: Option<&WorkerId>, hangs: Option<String>) -> Option<String> {
    hangs.or_else(|| worker.is_none().then(|| String::from("it is not registered")))
}

/// What executors ask a worker: which process it is, and whether it moves. It touches nothing that
/// could keep the answer waiting.
#[utoipa::path(
    get,
    path = "/health/worker",
    tag = "health",
    responses(
        (status = 200, description = "It moves", body = Words),
        (status = 503, description = "It does not, or is not registered", body = Words),
    )
)]
pub(crate) async fn worker(State(state): State<ApiState>) -> (StatusCode, Json<Words>) {
    let none = Condition { worker: None, hangs: None };
    let Condition { worker, hangs } = state.engine().worker_condition().unwrap_or(none);
    let detail = trouble(worker.as_ref(), hangs);
    let moves = detail.is_none();
    let incarnation = worker.as_ref().map(|worker| worker.incarnation.0);
    let worker = worker.map(|worker| worker.name.to_string());
    let code = if moves { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(Words { worker, incarnation, moves, detail }))
}

fn failed(name: &'static str, detail: String) -> Check {
    Check { name, ok: false, detail: Some(detail) }
}

/// A probe must answer before whoever sent it gives up.
async fn in_time<T>(load: impl Future<Output = Load<T>>) -> Result<T, String> {
    match tokio::time::timeout(PATIENCE, load).await {
        Ok(loaded) => loaded.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

/// Metrics in the OpenMetrics text format, as Prometheus reads them.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses((status = 200, description = "The metrics", body = String,
        content_type = "application/openmetrics-text"))
)]
pub(crate) async fn metrics(State(state): State<ApiState>) -> Response {
    let text = state.metrics().render(state.engine()).await;
    let kind = HeaderValue::from_static(crate::metrics::MEDIA_TYPE);
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}
