//! Carrying attempts out: by a process, or by a function of this program.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use steadfast_core::claim::Assignment;
use steadfast_core::execution::Ending;
use steadfast_core::{ActionRef, Runtime, Span, WorkerId};
use steadfast_packs::{
    Definition, Kind, OutputFormat, ParameterDelivery, ParameterFormat, ProcessSpec,
    handler_runtime, secret_values,
};
use steadfast_runner as process;
use steadfast_services::port::{Ended, Env, Runner};
use tokio_util::sync::CancellationToken;

use super::env::LocalEnv;
use super::logs::Shipping;
use crate::handler::{Context, Handler};

/// Runs processes and handlers.
#[derive(Clone)]
pub(crate) struct ActionRunner(Arc<Inner>);

struct Inner {
    env: LocalEnv,
    processes: process::Runner,
    handlers: BTreeMap<ActionRef, Handler>,
    /// Cancelled when the worker has registered for the first time.
    registered: CancellationToken,
}

impl ActionRunner {
    pub(crate) fn new(
        env: LocalEnv,
        processes: process::Runner,
        handlers: BTreeMap<ActionRef, Handler>,
    ) -> Self {
        let registered = CancellationToken::new();
        Self(Arc::new(Inner { env, processes, handlers, registered }))
    }

    /// Returns when the worker has registered.
    pub(crate) async fn registered(&self) {
        self.0.registered.cancelled().await;
    }

    pub(crate) fn logs(&self) -> &process::LogStore {
        self.0.processes.logs()
    }

    async fn run_process(
        &self,
        definition: &Definition,
        spec: &ProcessSpec,
        assignment: &Assignment,
        parameters: Value,
        stop: CancellationToken,
    ) -> Ended {
        let invocation = invocation(definition, spec, assignment, parameters);
        let (execution, attempt) = (assignment.execution.0, assignment.attempt.0);
        let mut shipping = Shipping::new(&self.0.env, self.logs(), execution, attempt);
        let outcome = tokio::select! {
            biased;
            outcome = self.0.processes.run(invocation, stop.clone()) => outcome,
            () = shipping.go_on() => unreachable!("it goes on for ever"),
        };
        // Before anybody hears of the end: who reads the log then reads all of it.
        // Whoever was told to stop has little time: its worker may have lost its lease, and wait.
        let told = async {
            stop.cancelled().await;
            tokio::time::sleep(LOG_GRACE).await;
        };
        tokio::select! {
            biased;
            () = shipping.finish() => {}
            () = told => {}
        }
        match outcome {
            process::Outcome::Succeeded(result) => {
                Ended { ending: Ending::Succeeded, result, error: None }
            }
            process::Outcome::Failed(failure) => failed(Ending::Failed, failure.error),
            process::Outcome::TimedOut { error } => failed(Ending::TimedOut, error),
            process::Outcome::Cancelled => failed(Ending::Cancelled, "was cancelled".to_owned()),
        }
    }

    async fn run_handler(
        &self,
        handler: &Handler,
        assignment: &Assignment,
        parameters: Value,
        stop: CancellationToken,
    ) -> Ended {
        let context = Context::new(assignment, stop.clone());
        let timeout = assignment.policy.timeout;
        #[expect(clippy::disallowed_methods, reason = "a task of its own keeps a panic to itself")]
        let call = tokio::spawn(handler.call(context, parameters));
        let abort = call.abort_handle();
        let limit = async {
            match timeout {
                Some(timeout) => tokio::time::sleep(timeout.into()).await,
                None => std::future::pending().await,
            }
        };
        // A handler hears of a cancellation through its context and ends by itself if it looks; it
        // is dropped at its next await otherwise.
        let grace = async {
            stop.cancelled().await;
            tokio::time::sleep(HANDLER_GRACE).await;
        };
        tokio::select! {
            biased;
            returned = call => match returned {
                Ok(Ok(result)) => Ended { ending: Ending::Succeeded, result, error: None },
                Ok(Err(_)) if stop.is_cancelled() => failed(Ending::Cancelled, "was cancelled".into()),
                Ok(Err(failure)) => failed(failure.ending(), failure.to_string()),
                Err(panic) => failed(Ending::Failed, format!("the handler panicked: {panic}")),
            },
            () = limit => {
                abort.abort();
                let limit = timeout.unwrap_or_default();
                failed(Ending::TimedOut, format!("ran longer than its timeout of {limit}"))
            }
            () = grace => {
                abort.abort();
                failed(Ending::Cancelled, "was cancelled".into())
            }
        }
    }
}

/// How long the end of a log may take once its attempt was told to stop.
const LOG_GRACE: std::time::Duration = std::time::Duration::from_secs(2);

/// How long a handler that was told to stop may take to do so.
const HANDLER_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

impl Runner for ActionRunner {
    fn runtimes(&self) -> BTreeSet<Runtime> {
        let processes = self.0.processes.runtimes().into_iter().map(Runtime::new);
        processes.chain(self.0.handlers.keys().map(handler_runtime)).collect()
    }

    fn serves(&self, worker: &WorkerId) {
        self.0.processes.serve(Some(worker.incarnation.0));
        self.0.registered.cancel();
    }

    fn has_left(&self) {
        self.0.processes.serve(None);
    }

    fn at_it_for(&self) -> Span {
        Span::from(self.0.processes.at_it_for())
    }

    async fn run(
        &self,
        assignment: Assignment,
        parameters: Value,
        stop: CancellationToken,
    ) -> Ended {
        if let Some(handler) = self.0.handlers.get(&assignment.action) {
            return self.run_handler(handler, &assignment, parameters, stop).await;
        }
        let store = self.0.env.store();
        let found = self.0.env.definitions().find(store, &assignment.definition).await;
        let definition = match found {
            Ok(Some(definition)) => definition,
            Ok(None) => {
                let error = format!("the definition of `{}` is gone", assignment.action);
                return failed(Ending::FailedForGood, error);
            }
            Err(error) => return failed(Ending::Failed, error.to_string()),
        };
        match &definition.kind {
            Kind::Process(spec) => {
                self.run_process(&definition, spec, &assignment, parameters, stop).await
            }
            Kind::Handler | Kind::Workflow(_) => {
                let action = &assignment.action;
                failed(Ending::FailedForGood, format!("this worker has no handler for `{action}`"))
            }
        }
    }
}

fn failed(ending: Ending, error: String) -> Ended {
    Ended { ending, result: Value::Null, error: Some(error) }
}

fn invocation(
    definition: &Definition,
    spec: &ProcessSpec,
    assignment: &Assignment,
    parameters: Value,
) -> process::Invocation {
    let pack = Path::new(&spec.pack_dir);
    process::Invocation {
        execution: assignment.execution.0,
        attempt: assignment.attempt.0,
        token: assignment.token.0,
        action: assignment.action.to_string(),
        idempotency_key: format!("steadfast-{}", assignment.execution.0),
        runtime: process::Interpreter::named(spec.runtime.as_str())
            .unwrap_or(process::Interpreter::Native),
        entry_point: pack.join(&spec.entry_point),
        working_dir: pack.to_path_buf(),
        delivery: match spec.parameter_delivery {
            ParameterDelivery::Stdin => process::Delivery::Stdin,
            ParameterDelivery::Env => process::Delivery::Env,
            ParameterDelivery::File => process::Delivery::File,
        },
        format: match spec.parameter_format {
            ParameterFormat::Json => process::ParameterFormat::Json,
            ParameterFormat::Dotenv => process::ParameterFormat::Dotenv,
            ParameterFormat::Yaml => process::ParameterFormat::Yaml,
        },
        output: match spec.output_format {
            OutputFormat::Text => process::OutputFormat::Text,
            OutputFormat::Json => process::OutputFormat::Json,
            OutputFormat::Jsonl => process::OutputFormat::Jsonl,
            OutputFormat::Yaml => process::OutputFormat::Yaml,
        },
        secrets: secret_values(definition, &parameters),
        parameters,
        timeout: assignment.policy.timeout.map(Into::into),
    }
}
