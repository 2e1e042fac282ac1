//! Actions written in Rust: async functions from a typed input to a typed output.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use steadfast_core::claim::Assignment;
use steadfast_core::execution::Ending;
use tokio_util::sync::CancellationToken;

/// What a handler is told about the attempt that it carries out.
#[derive(Clone, Debug)]
pub struct Context {
    execution: u64,
    attempt: u32,
    token: u64,
    stop: CancellationToken,
}

impl Context {
    pub(crate) fn new(assignment: &Assignment, stop: CancellationToken) -> Self {
        Self {
            execution: assignment.execution.0,
            attempt: assignment.attempt.0,
            token: assignment.token.0,
            stop,
        }
    }

    /// The execution; the same for all attempts.
    #[must_use]
    pub const fn execution_id(&self) -> u64 {
        self.execution
    }

    /// The attempt, from 1.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Rises with every attempt of the execution. Hand it to systems that can refuse an older one:
    /// a process that lost its lease may still be about to write.
    #[must_use]
    pub const fn fencing_token(&self) -> u64 {
        self.token
    }

    /// The same for all attempts. Hand it to systems that recognise a repeated request.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("steadfast-{}", self.execution)
    }

    /// Whether the attempt should stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Returns when the attempt should stop.
    pub async fn cancelled(&self) {
        self.stop.cancelled().await;
    }
}

/// How a handler fails.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// Another attempt may do better, if the action's retry policy allows one.
    #[error("{0}")]
    Failed(String),
    /// Trying again is of no use.
    #[error("{0}")]
    Permanent(String),
}

impl HandlerError {
    pub(crate) const fn ending(&self) -> Ending {
        match self {
            Self::Failed(_) => Ending::Failed,
            Self::Permanent(_) => Ending::FailedForGood,
        }
    }
}

impl From<String> for HandlerError {
    fn from(error: String) -> Self {
        Self::Failed(error)
    }
}

impl From<&str> for HandlerError {
    fn from(error: &str) -> Self {
        Self::Failed(error.to_owned())
    }
}

/// An error of any type is a failure that may be tried again, unless the handler says otherwise by
/// returning a [`HandlerError`] itself.
fn classify<E: std::fmt::Display + 'static>(error: E) -> HandlerError {
    match (&error as &dyn std::any::Any).downcast_ref::<HandlerError>() {
        Some(HandlerError::Permanent(reason)) => HandlerError::Permanent(reason.clone()),
        _ => HandlerError::Failed(error.to_string()),
    }
}

type Call = Pin<Box<dyn Future<Output = Result<Value, HandlerError>> + Send>>;

/// A handler whose types are forgotten.
#[derive(Clone)]
pub(crate) struct Handler(Arc<dyn Fn(Context, Value) -> Call + Send + Sync>);

impl Handler {
    /// Wraps `function`.
    pub(crate) fn new<I, O, E, F, Fut>(function: F) -> Self
    where
        I: DeserializeOwned + Send + 'static,
        O: Serialize,
        E: std::fmt::Display + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<O, E>> + Send + 'static,
    {
        Self(Arc::new(move |context, parameters| {
            let call = match serde_json::from_value::<I>(parameters) {
                Ok(input) => Ok(function(context, input)),
                Err(error) => Err(HandlerError::Permanent(format!("bad parameters: {error}"))),
            };
            Box::pin(async move {
                let output = call?.await.map_err(classify)?;
                serde_json::to_value(output)
                    .map_err(|e| HandlerError::Permanent(format!("the output is not JSON: {e}")))
            })
        }))
    }

    pub(crate) fn call(&self, context: Context, parameters: Value) -> Call {
        (self.0)(context, parameters)
    }
}
