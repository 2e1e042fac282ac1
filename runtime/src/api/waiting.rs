//! What answers while there is no engine yet: the process lives, and is not ready.

use std::io;

use axum::http::{HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::ApiOptions;
use super::openapi::PREFIX;
use super::problem::{Problem, ProblemKind};

/// How many connections are answered at once.
const MOST: usize = 256;

/// Answers on `listener` until it is dropped: `health/live` says yes, everything else that the
/// store does not answer. Connections are closed after their answer, so that whoever asks again
/// meets the engine once it is there.
pub async fn wait_on(listener: &TcpListener, options: &ApiOptions) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(options.header_timeout).keep_alive(false);
    let service = TowerToHyperService::new(Router::new().fallback(answer));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST {
            connections.join_next().await;
        }
        match listener.accept().await {
            Ok((socket, _)) => {
                let connection = http.serve_connection(TokioIo::new(socket), service.clone());
                connections.spawn(async move {
                    // Whoever went away has no use for an answer.
                    let _ended = connection.await;
                });
            }
            Err(error) => pause(&error).await,
        }
    }
}

async fn pause(error: &io::Error) {
    tracing::warn!(%error, "cannot accept a connection");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
}

async fn answer(uri: Uri) -> Response {
    let path = uri.path().strip_prefix(PREFIX).unwrap_or(uri.path());
    let detail = "the database has not answered yet; this process waits for it";
    let mut response = match path {
        "/health/live" => Json(json!({ "status": "ok" })).into_response(),
        "/health/ready" | "/health/detailed" => {
            let check = json!({ "name": "store", "ok": false, "detail": detail });
            let body = json!({ "status": "unavailable", "checks": [check] });
            (ProblemKind::StoreUnavailable.status(), Json(body)).into_response()
        }
        _ => Problem::new(ProblemKind::StoreUnavailable, detail).into_response(),
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
