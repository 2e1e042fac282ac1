//! How simulated actions behave. Their parameters say it, so that a case can be read.
//!
//! `ms`: how long an attempt takes; `fails`: how many first attempts fail; `hangs`: it never ends
//! by itself; `deaf_ms`: how long it goes on after it was told to stop. Everything else is handed
//! back as the result. Where a library says how an action behaves, that goes before `ms` and the
//! result.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use steadfast_core::claim::Assignment;
use steadfast_core::execution::Ending;
use steadfast_core::{Runtime, Span, WorkerId};
use steadfast_services::port::{Ended, Runner};
use tokio_util::sync::CancellationToken;

use crate::hang::Starts;
use crate::library::Library;
use crate::process::Process;

/// Carries attempts out on one simulated worker.
#[derive(Clone)]
pub struct SimRunner {
    me: Process,
    library: Arc<Library>,
    starts: Starts,
}

impl SimRunner {
    /// For the worker that is this process.
    #[must_use]
    pub fn new(me: Process, library: Arc<Library>) -> Self {
        Self { me, library, starts: Starts::default() }
    }

    pub(crate) fn starts(&self) -> Starts {
        self.starts.clone()
    }

    fn tell_witness(&self, serving: Option<WorkerId>) {
        if self.me.is_alive() {
            self.me.world().tell_witness(self.me.node(), serving);
        }
    }
}

fn number(parameters: &Value, name: &str) -> u64 {
    parameters[name].as_u64().unwrap_or(0)
}

impl Runner for SimRunner {
    fn runtimes(&self) -> BTreeSet<Runtime> {
        self.library.runtimes()
    }

    fn serves(&self, worker: &WorkerId) {
        self.tell_witness(Some(worker.clone()));
    }

    fn has_left(&self) {
        self.tell_witness(None);
    }

    fn at_it_for(&self) -> Span {
        self.starts.oldest(self.me.clock())
    }

    async fn run(
        &self,
        assignment: Assignment,
        parameters: Value,
        stop: CancellationToken,
    ) -> Ended {
        let me = &self.me;
        me.stay_dead().await;
        let timeout = assignment.policy.timeout.map(Duration::from);
        // The time that an attempt may take is that of its start as well: others go by it.
        let took = me.start_action(&self.starts).await;
        let too_late = timeout.is_some_and(|timeout| took >= timeout);
        if stop.is_cancelled() || too_late {
            let ending = if too_late { Ending::TimedOut } else { Ending::Cancelled };
            let error = Some(String::from("it was over before it began"));
            return Ended { ending, result: Value::Null, error };
        }
        let deaf = Duration::from_millis(number(&parameters, "deaf_ms"));
        let world = me.world();
        world.action_begins(me.node(), &assignment, !deaf.is_zero());
        let (takes, answer) = match self.library.behaviour(&assignment.action) {
            Some((takes, result)) => (*takes, Some(result.clone())),
            None => (Duration::from_millis(number(&parameters, "ms").max(1)), None),
        };
        let hangs = parameters["hangs"].as_bool().unwrap_or(false);
        let done = async {
            me.wait(takes).await;
            if hangs {
                std::future::pending::<()>().await;
            }
        };
        let timeout = async {
            match timeout {
                Some(timeout) => me.wait(timeout - took).await,
                None => std::future::pending().await,
            }
        };
        let ending = tokio::select! {
            biased;
            () = stop.cancelled() => Ending::Cancelled,
            () = timeout => Ending::TimedOut,
            () = done => {
                let fails = u64::from(assignment.attempt.0) <= number(&parameters, "fails");
                if fails { Ending::Failed } else { Ending::Succeeded }
            }
        };
        if ending != Ending::Succeeded && ending != Ending::Failed && !deaf.is_zero() {
            me.wait(deaf).await;
        }
        me.stay_dead().await;
        world.action_ends(me.node(), assignment.execution, assignment.attempt);
        let (result, error) = match ending {
            Ending::Succeeded => {
                let echo = || json!({ "by": assignment.attempt.0, "of": parameters });
                (answer.unwrap_or_else(echo), None)
            }
            _ => (Value::Null, Some(format!("it ended as {ending:?}"))),
        };
        Ended { ending, result, error }
    }
}
