//! Complete: take reports of attempts, many in one commit, until the store has them.

use std::collections::BTreeSet;

use steadfast_core::completion::{self, Report};
use steadfast_core::execution::{Ending, Refusal};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, QueueKey, Span, Status};
use tracing::warn;

use crate::batcher::Batcher;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, StoreError, Transaction, is_planted};

/// Takes reports.
pub type Completer = Batcher<Report, Result<Status, Refusal>>;

/// Starts the service. While the store cannot be reached, reports are kept and tried again: work
/// that is done is never thrown away by the worker that did it.
pub fn start<E: Env>(env: &E) -> Completer {
    let inner = env.clone();
    Batcher::start(env, "complete", move |reports| {
        let env = inner.clone();
        async move { complete_all(&env, reports).await }
    })
}

async fn complete_all<E: Env>(env: &E, reports: Vec<Report>) -> Vec<Result<Status, Refusal>> {
    let mut step = Complete { reports };
    let mut pause = Span::from_millis(50);
    loop {
        match drive(env, &mut step).await {
            Ok(answers) => {
                count(env, &step.reports, &answers);
                if is_planted(env, "retry_sleeps_in_handler")
                    && answers.contains(&Ok(Status::Backoff))
                {
                    env.sleep(Span::from_secs(3600)).await;
                }
                return answers;
            }
            Err(error @ StoreError::Corrupt(_)) => {
                warn!(%error, "reports cannot be taken");
                return vec![Err(Refusal::Done); step.reports.len()];
            }
            Err(error) => warn!(%error, "reports are kept until the store takes them"),
        }
        env.sleep(pause).await;
        pause = pause.times(2).min(Span::from_secs(2));
    }
}

fn count<E: Env>(env: &E, reports: &[Report], answers: &[Result<Status, Refusal>]) {
    for (report, answer) in reports.iter().zip(answers) {
        env.count(
            match (answer, report.ending) {
                (Err(Refusal::Fenced { .. }), _) => Counter::FencedWrites,
                (Err(_), _) => Counter::DuplicateCompletionsIgnored,
                (Ok(_), Ending::Succeeded) => Counter::AttemptsSucceeded,
                (Ok(_), Ending::Failed | Ending::FailedForGood) => Counter::AttemptsFailed,
                (Ok(_), Ending::TimedOut) => Counter::AttemptsTimedOut,
                (Ok(_), Ending::Cancelled) => Counter::AttemptsCancelled,
            },
            1,
        );
        if answer.is_ok() && report.ending == Ending::TimedOut {
            env.count(Counter::TimeoutsRun, 1);
        }
    }
}

struct Complete {
    reports: Vec<Report>,
}

impl Step for Complete {
    type Output = Vec<Result<Status, Refusal>>;

    const NAME: &'static str = "complete";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        let queues: BTreeSet<QueueKey> = self.reports.iter().map(|r| r.queue.clone()).collect();
        drive::queues(tx, unit, &queues, self.reports.len()).await?;
        let ids: BTreeSet<ExecutionId> = self.reports.iter().map(|r| r.execution).collect();
        let ids: Vec<ExecutionId> = ids.into_iter().collect();
        for execution in tx.executions(&ids).await? {
            unit.load_execution(execution);
        }
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        Ok(self.reports.iter().map(|r| completion::complete(unit, r.clone())).collect())
    }
}
