//! Everything else that services need from where they run: time, chance, tasks and definitions.

use std::future::Future;
use std::sync::Arc;

use serde_json::Value;
use steadfast_core::effect::Wish;
use steadfast_core::settings::Settings;
use steadfast_core::workflow::Workflow;
use steadfast_core::{ActionRef, DefinitionHash, Prepared, Span, Timestamp, Transport};

use super::probe::{Answer, Probing};
use super::{Broker, Courier, Store, StoreError};
use crate::alarm::Alarm;
use crate::journal::Journal;

/// The world that services run in.
pub trait Env: Clone + Send + Sync + 'static {
    /// Its store.
    type Store: Store;
    /// Its broker.
    type Broker: Broker;
    /// Whoever tells the outside world.
    type Courier: Courier;

    /// Whether this is the simulator's world, in which bugs can be planted. No other may say so;
    /// a test looks for it.
    const SIMULATED: bool = false;

    /// The store.
    fn store(&self) -> &Self::Store;

    /// The broker.
    fn broker(&self) -> &Self::Broker;

    /// Whoever tells the outside world.
    fn courier(&self) -> &Self::Courier;

    /// The spans and bounds in force.
    fn settings(&self) -> Settings;

    /// How executions submitted here are carried.
    fn transport(&self) -> Transport;

    /// How many inputs one transaction takes at the most.
    fn batch_size(&self) -> usize;

    /// How long what is over is kept; `None` keeps everything.
    fn retention(&self) -> Option<Span> {
        None
    }

    /// How workers are asked whether they move.
    fn probing(&self) -> Probing {
        Probing::DEFAULT
    }

    /// Asks the worker at `address`, which it has published itself, whether it moves. It may not
    /// answer, or another may answer in its place; `patience` bounds the wait.
    fn probe(&self, address: &str, patience: Span) -> impl Future<Output = Answer> + Send;

    /// This process's own clock: for waiting and for fencing itself, never for a decision.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn sleep(&self, span: Span) -> impl Future<Output = ()> + Send;

    /// Runs `task` beside the caller. `name` is for logs.
    fn spawn<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static;

    /// Any number; decides jitter and nothing else.
    fn entropy(&self) -> u64;

    /// A pinned workflow; `None` if it is nowhere to be found.
    fn workflow(
        &self,
        hash: &DefinitionHash,
    ) -> impl Future<Output = Result<Option<Arc<dyn Workflow>>, StoreError>> + Send;

    /// What an execution of `action` with these parameters is pinned to today, and who is told of its
    /// end; or why there can be none.
    fn prepare(
        &self,
        action: &ActionRef,
        parameters: &Value,
    ) -> Result<(Prepared, Vec<Wish>), String>;

    /// When this process's sweeper looks next.
    fn alarm(&self) -> &Alarm;

    /// When this process looks next for effects that are due.
    fn effect_alarm(&self) -> &Alarm;

    /// Counts something that operators watch.
    fn count(&self, counter: Counter, by: u64);

    /// Where this process writes down what is decided, if it does.
    fn journal(&self) -> Option<&Journal> {
        None
    }

    /// Notes how long something took that operators watch.
    fn measure(&self, measure: Measure, took: Span) {
        let _ = (measure, took);
    }

    /// The bug of the catalogue that is planted in this world, by its name. Nobody asks unless
    /// the world is simulated; ask with [`is_planted`].
    fn planted(&self) -> Option<&'static str> {
        None
    }
}

/// Whether a bug of the catalogue is planted: a question that production answers with no by
/// construction. It is answered when the code is compiled, in debug builds too, so what asks it
/// and what would follow are not in the production binary at all.
pub fn is_planted<E: Env>(env: &E, name: &'static str) -> bool {
    E::SIMULATED && env.planted() == Some(name)
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// From the moment an execution had its slot until it was given to a worker.
    Dispatch,
    /// From the end of an attempt until the commit that frees its slot.
    SlotRelease,
    /// From a deadline until the engine ended what had missed it.
    TimeoutDetection,
    /// From a commit until the broker had confirmed its messages.
    Outbox,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// An execution was accepted.
    Submitted,
    /// An attempt was begun.
    AttemptsBegun,
    /// An attempt succeeded.
    AttemptsSucceeded,
    /// An attempt failed.
    AttemptsFailed,
    /// An attempt timed out.
    AttemptsTimedOut,
    /// An attempt was cancelled.
    AttemptsCancelled,
    /// A report about something that is over.
    DuplicateCompletionsIgnored,
    /// A write with an old token.
    FencedWrites,
    /// An attempt was taken from a lost worker.
    RescuesWorkerLost,
    /// An offer was taken back that a worker had left lying.
    RescuesDeadLetter,
    /// A message that no worker took in time.
    DeadLetters,
    /// An execution waited too long for a slot.
    TimeoutsQueue,
    /// No worker was found for an execution.
    TimeoutsUnschedulable,
    /// An attempt was ended after its timeout, by its worker or by the engine.
    TimeoutsRun,
    /// A row was touched and came out as it was.
    RedundantWritesSkipped,
    /// A hint was published.
    MessagesPublished,
    /// A hint came again.
    MessagesRedelivered,
    /// Hints were lost because the broker did not take them.
    MessagesLost,
    /// A transaction was decided again after a conflict.
    Conflicts,
    /// A commit whose outcome is unknown.
    UnknownCommits,
    /// A due time of a schedule was fired.
    SchedulesFired,
    /// Due times of a schedule were left out: missed, or what is fired cannot be submitted.
    SchedulesPassedOver,
    /// An execution that was put away with history.
    ExecutionsFiled,
    /// An execution that was dropped when its retention ended.
    ExecutionsDropped,
    /// An effect that its receiver has.
    EffectsDelivered,
    /// An effect that was given up.
    EffectsGivenUp,
    /// A try to deliver an effect that failed, and is made again.
    EffectTriesFailed,
}
