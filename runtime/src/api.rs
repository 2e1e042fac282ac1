//! The HTTP API: JSON under `/api/v1`, described by an OpenAPI document that is made of the same
//! handlers, with every error an RFC 9457 problem.
//!
//! [`serve`] runs it on a listener; [`router`] is the same without the network.

mod actions;
mod auth;
mod effects;
mod executions;
mod extract;
mod guard;
mod health;
mod inspect;
mod model;
mod openapi;
mod parked;
mod problem;
mod schedules;
mod server;
mod stream;
mod transports;
mod waiting;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::trace::TraceLayer;

pub use auth::{BadTokenHash, OpenToAll, Role, Token, check_listen};
pub(crate) use model::{rfc3339, without_text};
pub use problem::{FieldError, MEDIA_TYPE, Problem, ProblemKind};
pub use server::{serve, serve_probes};
pub use waiting::wait_on;

use crate::engine::Engine;
use crate::metrics::Metrics;

/// What the API allows.
#[derive(Clone, Debug)]
pub struct ApiOptions {
    /// Who may do what; empty = everybody on this machine may do everything.
    pub tokens: Vec<Token>,
    /// The largest body that is read.
    pub max_body_bytes: usize,
    /// How long a request may take, a stream apart.
    pub request_timeout: Duration,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long the head of a request may take to arrive.
    pub header_timeout: Duration,
    /// How many connections may be open; further ones wait.
    pub max_connections: usize,
    /// How many event streams may be open.
    pub max_streams: usize,
    /// How long requests under way may take when the server stops.
    pub shutdown_grace: Duration,
}

impl Default for ApiOptions {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            max_body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(15),
            header_timeout: Duration::from_secs(10),
            max_connections: 1024,
            max_streams: 128,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// The largest page of a listing.
pub const MAX_PAGE: u32 = 500;

/// The page of a listing when nobody says how large.
pub const DEFAULT_PAGE: u32 = 50;

/// What every handler sees.
#[derive(Clone)]
pub(crate) struct ApiState(Arc<Shared>);

struct Shared {
    engine: Engine,
    options: ApiOptions,
    metrics: Metrics,
    streams: Arc<Semaphore>,
    closing: CancellationToken,
    /// None where there is no API, only what probes ask for.
    document: Option<String>,
}

impl ApiState {
    fn new(
        engine: Engine,
        options: ApiOptions,
        closing: CancellationToken,
        document: Option<String>,
    ) -> Self {
        Self(Arc::new(Shared {
            metrics: Metrics::default(),
            streams: Arc::new(Semaphore::new(options.max_streams)),
            engine,
            options,
            closing,
            document,
        }))
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    pub(crate) fn options(&self) -> &ApiOptions {
        &self.0.options
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn streams(&self) -> &Arc<Semaphore> {
        &self.0.streams
    }

    /// Cancelled when the server stops: streams end then.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// The OpenAPI document.
    pub(crate) fn document(&self) -> &str {
        self.0.document.as_deref().unwrap_or_default()
    }

    /// Whether this answers for a process without an API.
    pub(crate) fn is_probed(&self) -> bool {
        self.0.document.is_none()
    }
}

/// The API as a service without a network.
pub fn router(engine: Engine, options: ApiOptions) -> Router {
    router_until(engine, options, CancellationToken::new())
}

/// The API, whose streams end when `closing` is cancelled.
fn router_until(engine: Engine, options: ApiOptions, closing: CancellationToken) -> Router {
    let (routes, document) = openapi::routes().split_for_parts();
    // The document is made of texts, so it is JSON.
    let document = openapi::finish(document).to_json().unwrap_or_default();
    guarded(routes, ApiState::new(engine, options, closing, Some(document)))
}

/// What a process answers that has no API: how it is, and its metrics.
fn probes_until(engine: Engine, options: ApiOptions, closing: CancellationToken) -> Router {
    let (routes, _) = openapi::probed().split_for_parts();
    guarded(routes, ApiState::new(engine, options, closing, None))
}

fn guarded(routes: Router<ApiState>, state: ApiState) -> Router {
    routes
        .fallback(guard::nothing_here)
        .method_not_allowed_fallback(guard::no_such_method)
        .layer(from_fn_with_state(state.clone(), auth::authorize))
        .layer(from_fn_with_state(state.clone(), guard::limit_time))
        .layer(from_fn(guard::only_problems))
        .layer(CatchPanicLayer::custom(guard::panicked))
        .layer(TraceLayer::new_for_http())
        .layer(guard::nosniff())
        .layer(guard::no_store())
        .with_state(state)
}
