//! What stands around every handler: limits, and a problem for whatever goes wrong outside of one.

use std::any::Any;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tower_http::set_header::SetResponseHeaderLayer;

use super::ApiState;
use super::problem::{Problem, ProblemKind};

pub(crate) async fn nothing_here(uri: Uri) -> Problem {
    let detail = format!("nothing is served at `{}`", uri.path());
    Problem::new(ProblemKind::NotFound, detail)
}

pub(crate) async fn no_such_method(request: Request) -> Problem {
    let (method, path) = (request.method(), request.uri().path());
    let detail = format!("`{path}` has no {method}; the header `Allow` says what it has");
    Problem::new(ProblemKind::MethodNotAllowed, detail)
}

/// Answers a request that takes too long. What it asked for may have happened or may yet happen;
/// asking again with the same idempotency key finds out.
pub(crate) async fn limit_time(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Response {
    let limit = state.options().request_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("no answer within {limit:?}; it may have been done all the same");
            Problem::new(ProblemKind::RequestTimeout, detail).into_response()
        }
    }
}

/// The net under everything: an error that the framework made itself becomes a problem too.
pub(crate) async fn only_problems(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() || is_json(&response) {
        return response;
    }
    let kind = match status {
        StatusCode::NOT_FOUND => ProblemKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemKind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
        status if status.is_client_error() => ProblemKind::InvalidRequest,
        _ => ProblemKind::Internal,
    };
    let mut problem =
        Problem::new(kind, format!("the request was refused ({status})")).into_response();
    if let Some(allow) = response.headers().get(header::ALLOW) {
        problem.headers_mut().insert(header::ALLOW, allow.clone());
    }
    problem
}

fn is_json(response: &Response) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    kind.is_some_and(|kind| kind == b"application/json" || kind == b"application/problem+json")
}

/// A handler's panic is one request's failure, and no reason to tell the client its text.
pub(crate) fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    tracing::error!(panic = text.unwrap_or("unknown"), "a request handler panicked");
    let detail = "the request failed inside the engine; its log says more";
    Problem::new(ProblemKind::Internal, detail).into_response()
}

/// Answers are what they say they are: a log that looks like HTML is still text.
pub(crate) fn nosniff() -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::from_static("nosniff");
    SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, value)
}

/// Answers are true now, not later.
pub(crate) fn no_store() -> SetResponseHeaderLayer<HeaderValue> {
    let value = HeaderValue::from_static("no-store");
    SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn;
    use tower::ServiceExt;
    use tower_http::catch_panic::CatchPanicLayer;

    async fn panicking() -> StatusCode {
        panic!("the password is swordfish")
    }

    async fn plain() -> (StatusCode, &'static str) {
        (StatusCode::BAD_REQUEST, "plain text of a framework")
    }

    async fn body_of(handler: axum::routing::MethodRouter) -> (StatusCode, String) {
        let app = Router::new()
            .fallback_service(handler)
            .layer(from_fn(only_problems))
            .layer(CatchPanicLayer::custom(panicked));
        let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
        let (status, body) = (response.status(), response.into_body());
        let body = axum::body::to_bytes(body, 10_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_panic_is_an_internal_problem_without_its_text() {
        let (status, body) = body_of(axum::routing::any(panicking)).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(body.contains("urn:steadfast:problem:internal"), "{body}");
        assert!(!body.contains("swordfish"), "{body}");
    }

    #[tokio::test]
    async fn an_error_of_the_framework_becomes_a_problem() {
        let (status, body) = body_of(axum::routing::any(plain)).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body.contains("urn:steadfast:problem:invalid-request"), "{body}");
    }
}
