//! Who carries an attempt out: processes, functions, or the simulator's actors.

use std::collections::BTreeSet;
use std::future::Future;

use serde_json::Value;
use steadfast_core::claim::Assignment;
use steadfast_core::execution::Ending;
use steadfast_core::{Runtime, Span, WorkerId};
use tokio_util::sync::CancellationToken;

/// Carries attempts out on one worker.
pub trait Runner: Clone + Send + Sync + 'static {
    /// What it can run.
    fn runtimes(&self) -> BTreeSet<Runtime>;

    /// From now on it is this worker process whose attempts are carried out here. Nothing is
    /// claimed before this returns, so whoever watches over the actions knows whose they are.
    fn serves(&self, _worker: &WorkerId) {}

    /// The worker process has said goodbye and has nothing any more.
    fn has_left(&self) {}

    /// How long the oldest thing has been under way that this does itself for an attempt: starting
    /// its process, keeping its output. What an action does is its own affair, and takes its time.
    fn at_it_for(&self) -> Span {
        Span::ZERO
    }

    /// Carries out one attempt, and returns when nothing of it is running any more. When `stop` is
    /// cancelled it ends the attempt as fast as the action allows. The timeout in the assignment's
    /// policy is its to enforce.
    fn run(
        &self,
        assignment: Assignment,
        parameters: Value,
        stop: CancellationToken,
    ) -> impl Future<Output = Ended> + Send;
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// In one word.
    pub ending: Ending,
    /// What it returned.
    pub result: Value,
    /// What went wrong.
    pub error: Option<String>,
}
