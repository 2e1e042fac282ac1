//! Submit: accept work, many submissions in one commit.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use steadfast_core::submit::{self, Submission, SubmitRefusal, Submitted};
use steadfast_core::unit::Unit;
use steadfast_core::{ExecutionId, WorkerId, claim};

use crate::batcher::Batcher;
use crate::drive::{self, Again, Step, drive};
use crate::port::{Counter, Env, Load, StoreError, Transaction};

/// Why a submission was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// It was refused; nothing was created.
    #[error(transparent)]
    Refused(#[from] SubmitRefusal),
    /// The store could not be reached. With an idempotency key it is safe to submit again.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Accepts submissions.
pub type Submitter = Batcher<Submission, Result<Submitted, SubmitError>>;

/// Starts the service.
pub fn start<E: Env>(env: &E) -> Submitter {
    let inner = env.clone();
    Batcher::start(env, "submit", move |submissions| {
        let env = inner.clone();
        async move { submit_all(&env, submissions).await }
    })
}

async fn submit_all<E: Env>(
    env: &E,
    submissions: Vec<Submission>,
) -> Vec<Result<Submitted, SubmitError>> {
    let count = submissions.len();
    let mut step = Submit { submissions, ids: 0..0, in_doubt: false, takers: None };
    match drive(env, &mut step).await {
        Ok(answers) => {
            let created = answers.iter().filter(|a| matches!(a, Ok(Submitted::Created(_))));
            env.count(Counter::Submitted, created.count() as u64);
            answers.into_iter().map(|answer| answer.map_err(SubmitError::Refused)).collect()
        }
        Err(error) => vec![Err(SubmitError::Store(error)); count],
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Submit {
    submissions: Vec<Submission>,
    ids: core::ops::Range<u64>,
    in_doubt: bool,
    /// Who could be assigned what starts at once, with their loads.
    takers: Option<Vec<(WorkerId, u32)>>,
}

impl Step for Submit {
    type Output = Vec<Result<Submitted, SubmitRefusal>>;

    const NAME: &'static str = "submit";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        if self.in_doubt && unit.is_planted("unknown_commit_taken_for_failure") {
            (self.in_doubt, self.ids) = (false, 0..0);
        }
        let keys = self.submissions.iter().map(|s| s.prepared.queue.clone()).collect();
        drive::queues_to_enter(tx, unit, &keys, self.submissions.len()).await?;
        if self.ids.is_empty() {
            self.ids = tx.allocate(u32::try_from(self.submissions.len()).unwrap_or(0)).await?;
        }
        let named: BTreeSet<String> = self
            .submissions
            .iter()
            .filter_map(|s| s.idempotency.as_ref().map(|i| i.key.clone()))
            .collect();
        if !named.is_empty() {
            let named: Vec<String> = named.into_iter().collect();
            for execution in tx.executions_by_key(&named).await? {
                unit.load_execution(execution);
            }
        }
        if self.in_doubt {
            let ids: Vec<ExecutionId> = self.ids.clone().map(ExecutionId).collect();
            for execution in tx.executions(&ids).await? {
                unit.load_execution(execution);
            }
        }
        self.takers = drive::takers(tx, unit).await?;
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        // Each submission has an identity of its own for all tries. After a commit in doubt, one
        // that is there was accepted; what became of the others is decided now.
        let answer = |(id, submission): (u64, &Submission)| {
            if self.in_doubt && unit.execution(ExecutionId(id)).is_some() {
                return Ok(Submitted::Created(ExecutionId(id)));
            }
            unit.give_ids(id..id + 1);
            submit::submit(unit, submission.clone())
        };
        let answers = self.ids.clone().zip(&self.submissions).map(answer).collect();
        if let Some(loads) = self.takers.clone() {
            claim::assign(unit, loads);
        }
        Ok(answers)
    }

    fn doubt(&mut self) {
        self.in_doubt = true;
    }
}
