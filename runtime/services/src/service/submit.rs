//! Submit: accept work, many submissions in one commit.

use std::collections::BTreeSet;

use steadfast_core::ExecutionId;
use steadfast_core::submit::{self, Submission, SubmitRefusal, Submitted};
use steadfast_core::unit::Unit;

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
    let mut step = Submit { submissions, ids: 0..0, in_doubt: false };
    match drive(env, &mut step).await {
        Ok(answers) => {
            let created = answers.iter().filter(|a| matches!(a, Ok(Submitted::Created(_))));
            env.count(Counter::Submitted, created.count() as u64);
            answers.into_iter().map(|answer| answer.map_err(SubmitError::Refused)).collect()
        }
        Err(error) => vec![Err(SubmitError::Store(error)); count],
    }
}

struct Submit {
    submissions: Vec<Submission>,
    ids: core::ops::Range<u64>,
    in_doubt: bool,
}

impl Step for Submit {
    type Output = Vec<Result<Submitted, SubmitRefusal>>;

    const NAME: &'static str = "submit";

    async fn load<T: Transaction>(&mut self, tx: &mut T, unit: &mut Unit) -> Load<()> {
        if self.in_doubt && unit.is_planted("unknown_commit_taken_for_failure") {
            (self.in_doubt, self.ids) = (false, 0..0);
        }
        let keys = self.submissions.iter().map(|s| s.prepared.queue.clone()).collect();
        drive::queues(tx, unit, &keys, 1).await?;
        if self.ids.is_empty() {
            self.ids = tx.allocate(u32::try_from(self.submissions.len()).unwrap_or(0)).await?;
        }
        unit.give_ids(self.ids.clone());
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
        Ok(())
    }

    fn decide(&mut self, unit: &mut Unit) -> Result<Self::Output, Again> {
        // After a commit in doubt the identities tell: either all that it created are there, in
        // the order of the submissions, or none.
        if self.in_doubt && unit.execution(ExecutionId(self.ids.start)).is_some() {
            return Ok(self.found(unit));
        }
        Ok(self.submissions.iter().map(|s| submit::submit(unit, s.clone())).collect())
    }

    fn doubt(&mut self) {
        self.in_doubt = true;
    }
}

impl Submit {
    /// The answers of a commit that turned out to have happened.
    fn found(&self, unit: &mut Unit) -> Vec<Result<Submitted, SubmitRefusal>> {
        let mut ids = self.ids.clone().map(ExecutionId).filter(|id| unit.execution(*id).is_some());
        let mut answers = Vec::new();
        for submission in &self.submissions {
            let key = submission.idempotency.as_ref().map(|i| i.key.as_str());
            let known = key.and_then(|key| unit.submitted_with(key)).map(|e| e.id);
            answers.push(match known.or_else(|| ids.next()) {
                Some(id) => Ok(Submitted::Created(id)),
                None => Err(SubmitRefusal::OutOfIds),
            });
        }
        answers
    }
}
