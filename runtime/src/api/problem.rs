//! What is answered when something is wrong: RFC 9457 problem details, each with a stable type.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use steadfast_core::execution::Refusal;
use steadfast_core::submit::SubmitRefusal;
use steadfast_core::worker::WorkerRefusal;
use steadfast_packs::{ParameterProblem, PrepareError};
use steadfast_services::port::StoreError;
use utoipa::ToSchema;

use crate::effects::EffectProblem;
use crate::engine::EngineError;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Declares the kinds of problems: variant, last part of the type, status, title.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal, $status:ident, $title:literal;)+) => {
        /// What is wrong, in one word. The type of a problem never changes its meaning.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum ProblemKind { $($(#[$doc])* $kind,)+ }

        impl ProblemKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// The stable type.
            #[must_use]
            pub const fn urn(self) -> &'static str {
                match self { $(Self::$kind => concat!("urn:steadfast:problem:", $name),)+ }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$kind => StatusCode::$status,)+ }
            }

            /// The same for every problem of this kind.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)+ }
            }
        }
    };
}

kinds! {
    /// The body is not JSON.
    MalformedJson = "malformed-json", BAD_REQUEST, "The body is not JSON";
    /// A part of the path, the query or a header cannot be read.
    InvalidRequest = "invalid-request", BAD_REQUEST, "The request cannot be understood";
    /// No token, or one that is not known.
    Unauthorized = "unauthorized", UNAUTHORIZED, "A token is needed";
    /// The token's role does not suffice.
    Forbidden = "forbidden", FORBIDDEN, "The token does not allow this";
    /// Without tokens, only this machine's own programs may ask.
    ForeignOrigin = "foreign-origin", FORBIDDEN, "The request comes from elsewhere";
    /// Nothing is served at this path.
    NotFound = "not-found", NOT_FOUND, "There is nothing at this path";
    /// No such action.
    UnknownAction = "unknown-action", NOT_FOUND, "There is no such action";
    /// No such execution.
    UnknownExecution = "unknown-execution", NOT_FOUND, "There is no such execution";
    /// No such attempt of an execution.
    UnknownAttempt = "unknown-attempt", NOT_FOUND, "There is no such attempt";
    /// No such worker.
    UnknownWorker = "unknown-worker", NOT_FOUND, "There is no such worker";
    /// No such schedule.
    UnknownSchedule = "unknown-schedule", NOT_FOUND, "There is no such schedule";
    /// No such parked message.
    UnknownParked = "unknown-parked", NOT_FOUND, "There is no such parked message";
    /// No such effect.
    UnknownEffect = "unknown-effect", NOT_FOUND, "There is no such effect";
    /// The path exists, but not with this method.
    MethodNotAllowed = "method-not-allowed", METHOD_NOT_ALLOWED, "The path has no such method";
    /// The body did not arrive in time.
    BodyTimeout = "body-timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// The idempotency key was used for another submission.
    KeyReused = "idempotency-key-reused", CONFLICT, "The idempotency key was used before";
    /// The name of the schedule belongs to another one.
    ScheduleExists = "schedule-exists", CONFLICT, "There is another schedule of this name";
    /// The action is disabled.
    ActionDisabled = "action-disabled", CONFLICT, "The action is disabled";
    /// The execution or worker is in no state for that.
    IllegalState = "illegal-state", CONFLICT, "That is not possible in this state";
    /// The body is larger than allowed.
    BodyTooLarge = "body-too-large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is of another media type.
    UnsupportedMediaType =
        "unsupported-media-type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    /// The body is JSON, but its fields do not fit.
    InvalidBody = "invalid-body", UNPROCESSABLE_ENTITY, "The body does not fit";
    /// The action's parameters do not fit.
    InvalidParameters =
        "invalid-parameters", UNPROCESSABLE_ENTITY, "The parameters do not fit the action";
    /// The queue takes no more.
    QueueFull = "queue-full", TOO_MANY_REQUESTS, "The queue is full";
    /// The engine is at fault.
    Internal = "internal", INTERNAL_SERVER_ERROR, "Something went wrong in the engine";
    /// The request took longer than allowed; what it asked for may have happened.
    RequestTimeout = "request-timeout", SERVICE_UNAVAILABLE, "The request took too long";
    /// The store does not answer.
    StoreUnavailable = "store-unavailable", SERVICE_UNAVAILABLE, "The store does not answer";
    /// The store's disk is full.
    StoreFull = "store-full", SERVICE_UNAVAILABLE, "The store is full";
    /// The engine is stopping.
    ShuttingDown = "shutting-down", SERVICE_UNAVAILABLE, "The engine is shutting down";
    /// Too many event streams are open.
    TooManyStreams = "too-many-streams", SERVICE_UNAVAILABLE, "Too many streams are open";
}

/// One field that does not fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Its path, such as `parameters.servers[2].port`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
}

/// A problem, about to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    errors: Vec<FieldError>,
    /// In how many seconds it is worth another try.
    retry_after: Option<u32>,
}

/// A problem on the wire (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// What kind of problem; never changes its meaning.
    #[serde(rename = "type")]
    urn: &'static str,
    /// The same for every problem of this type.
    title: &'static str,
    /// The HTTP status, once more.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// The fields at fault, if fields are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl Problem {
    /// A problem with a sentence about this request.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// A problem with one field of the body.
    pub(crate) fn field(kind: ProblemKind, field: &str, message: impl Into<String>) -> Self {
        let error = FieldError { field: field.to_owned(), message: message.into() };
        Self {
            errors: vec![error.clone()],
            ..Self::new(kind, format!("`{field}`: {}", error.message))
        }
    }

    pub(crate) fn unknown_execution(id: impl std::fmt::Display) -> Self {
        Self::new(ProblemKind::UnknownExecution, format!("there is no execution {id}"))
    }

    pub(crate) fn unknown_action(action: &str) -> Self {
        Self::new(ProblemKind::UnknownAction, format!("there is no action `{action}`"))
    }

    /// What is wrong, in one word.
    #[must_use]
    pub const fn kind(&self) -> ProblemKind {
        self.kind
    }

    fn later(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    fn parameters(problems: Vec<ParameterProblem>) -> Self {
        let errors: Vec<FieldError> = problems
            .into_iter()
            .map(|problem| FieldError {
                field: if problem.parameter.is_empty() {
                    String::from("parameters")
                } else {
                    format!("parameters.{}", problem.parameter)
                },
                message: problem.message,
            })
            .collect();
        let messages: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
        Self {
            errors: errors.clone(),
            ..Self::new(ProblemKind::InvalidParameters, messages.join("; "))
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { kind, detail, errors, retry_after } = self;
        let status = kind.status();
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(problem = kind.urn(), detail, "a request failed");
        }
        let body = ProblemBody {
            urn: kind.urn(),
            title: kind.title(),
            status: status.as_u16(),
            detail,
            errors,
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if kind == ProblemKind::Unauthorized {
            let challenge = HeaderValue::from_static("Bearer realm=\"steadfast\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        // A struct of texts and numbers always becomes JSON.
        let body = serde_json::to_string(&body).unwrap_or_default();
        (status, headers, body).into_response()
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let detail = error.to_string();
        match error {
            EngineError::UnknownAction(action) => Self::unknown_action(&action),
            EngineError::UnknownExecution(id) => Self::unknown_execution(id),
            EngineError::UnknownWorker(_) => Self::new(ProblemKind::UnknownWorker, detail),
            EngineError::UnknownSchedule(_) => Self::new(ProblemKind::UnknownSchedule, detail),
            EngineError::ScheduleExists(_) => Self::new(ProblemKind::ScheduleExists, detail),
            EngineError::Timing(problem) => {
                Self::field(ProblemKind::InvalidBody, problem.field, problem.what)
            }
            EngineError::Schedule(refusal) => {
                Self::new(ProblemKind::IllegalState, format!("the schedule: {refusal}"))
            }
            EngineError::ReservedKey(_) => {
                Self::field(ProblemKind::InvalidBody, "idempotency_key", detail)
            }
            EngineError::Prepare(error) => error.into(),
            EngineError::Effect(EffectProblem { index, field, message }) => {
                let field = format!("effects[{index}].{field}");
                Self::field(ProblemKind::InvalidBody, &field, message)
            }
            EngineError::Submit(refusal) => refusal.into(),
            EngineError::Execution(refusal) => refusal.into(),
            EngineError::Worker(refusal) => refusal.into(),
            EngineError::Store(error) => error.into(),
            EngineError::Stopped => Self::new(ProblemKind::ShuttingDown, detail).later(5),
            EngineError::Ended { .. } | EngineError::Type(_) => {
                Self::new(ProblemKind::Internal, detail)
            }
        }
    }
}

impl From<PrepareError> for Problem {
    fn from(error: PrepareError) -> Self {
        let detail = error.to_string();
        match error {
            PrepareError::Disabled(_) => Self::new(ProblemKind::ActionDisabled, detail),
            PrepareError::Parameters(problems) => Self::parameters(problems),
            PrepareError::ConcurrencyKey(..) => {
                Self::field(ProblemKind::InvalidParameters, "parameters", detail)
            }
        }
    }
}

impl From<SubmitRefusal> for Problem {
    fn from(refusal: SubmitRefusal) -> Self {
        let detail = refusal.to_string();
        match refusal {
            SubmitRefusal::QueueFull(_) => Self::new(ProblemKind::QueueFull, detail).later(1),
            SubmitRefusal::KeyReused(id) => {
                let detail = format!(
                    "this idempotency key belongs to execution {}, which was submitted with another body",
                    id.0
                );
                Self::new(ProblemKind::KeyReused, detail)
            }
            SubmitRefusal::OutOfIds => Self::new(ProblemKind::StoreUnavailable, detail).later(1),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::new(ProblemKind::IllegalState, format!("the execution: {refusal}"))
    }
}

impl From<WorkerRefusal> for Problem {
    fn from(refusal: WorkerRefusal) -> Self {
        Self::new(ProblemKind::IllegalState, format!("the worker: {refusal}"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let detail = error.to_string();
        match error {
            StoreError::Conflict(_) | StoreError::Unavailable(_) => {
                Self::new(ProblemKind::StoreUnavailable, detail).later(1)
            }
            StoreError::Full(_) => Self::new(ProblemKind::StoreFull, detail).later(30),
            StoreError::Corrupt(_) => Self::new(ProblemKind::Internal, detail),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_its_own_and_an_error() {
        let mut urns: Vec<&str> = ProblemKind::ALL.iter().map(|kind| kind.urn()).collect();
        urns.sort_unstable();
        urns.dedup();
        assert_eq!(urns.len(), ProblemKind::ALL.len());
        for kind in ProblemKind::ALL {
            assert!(kind.status().is_client_error() || kind.status().is_server_error());
            assert_eq!(Problem::new(*kind, "x").into_response().status(), kind.status());
        }
    }
}
