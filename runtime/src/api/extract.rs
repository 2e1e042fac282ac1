//! Reading requests, so that whatever is wrong with one is answered by a [`Problem`].

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use steadfast_core::ExecutionId;

use super::ApiState;
use super::problem::{Problem, ProblemKind};

/// No identity is larger: stores keep them as signed numbers.
const LARGEST_ID: u64 = i64::MAX as u64;

/// A JSON body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &ApiState) -> Result<Self, Problem> {
        let headers = request.headers();
        if !is_json(headers) {
            let found = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let detail = format!(
                "the header `Content-Type` must be `application/json`, not `{}`",
                found.unwrap_or("")
            );
            return Err(Problem::new(ProblemKind::UnsupportedMediaType, detail));
        }
        let bytes = read(request, state).await?;
        Ok(Self(parse(&bytes)?))
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn read(request: Request, state: &ApiState) -> Result<Bytes, Problem> {
    let max = state.options().max_body_bytes;
    let too_large = || {
        let detail = format!("the body is larger than {max} bytes (api.max_body_bytes)");
        Problem::new(ProblemKind::BodyTooLarge, detail)
    };
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length: Option<u64> = length.and_then(|value| value.to_str().ok()?.parse().ok());
    if length.is_some_and(|length| length > max as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), max).collect();
    match tokio::time::timeout(state.options().body_timeout, body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(error)) => {
            let detail = format!("the body could not be read: {error}");
            Err(Problem::new(ProblemKind::InvalidRequest, detail))
        }
        Err(_) => {
            let detail = "the body did not arrive in time";
            Err(Problem::new(ProblemKind::BodyTimeout, detail))
        }
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let malformed = |error: &serde_json::Error| {
        let detail = format!("the body is not JSON: {error}");
        Problem::new(ProblemKind::MalformedJson, detail)
    };
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let error = error.into_inner();
        if !error.is_data() {
            return malformed(&error);
        }
        let field = if path == "." { "body" } else { &path };
        Problem::field(ProblemKind::InvalidBody, field, error.to_string())
    })?;
    json.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

/// The query string.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<ApiState> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, Problem> {
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let detail = format!("the query: {}", innermost(&rejection));
                Err(Problem::new(ProblemKind::InvalidRequest, detail))
            }
        }
    }
}

/// The cause of causes: what is around it only says that something failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// The execution that the path names.
pub(crate) struct Id(pub(crate) ExecutionId);

impl FromRequestParts<ApiState> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        let Name(text) = Name::from_request_parts(parts, state).await?;
        match text.parse::<u64>() {
            Ok(id) if id <= LARGEST_ID => Ok(Self(ExecutionId(id))),
            Ok(id) => Err(Problem::unknown_execution(id)),
            Err(_) => {
                let detail = format!("`{text}` is not the id of an execution, which is a number");
                Err(Problem::new(ProblemKind::InvalidRequest, detail))
            }
        }
    }
}

/// The action or worker that the path names.
pub(crate) struct Name(pub(crate) String);

impl FromRequestParts<ApiState> for Name {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) => Ok(Self(name)),
            Err(rejection) => Err(Problem::new(ProblemKind::InvalidRequest, rejection.body_text())),
        }
    }
}

/// An identity in a query or body, checked.
pub(crate) fn check_id(name: &str, id: u64) -> Result<ExecutionId, Problem> {
    if id <= LARGEST_ID {
        return Ok(ExecutionId(id));
    }
    let detail = format!("`{name}`: {id} is too large for an id");
    Err(Problem::new(ProblemKind::InvalidRequest, detail))
}
