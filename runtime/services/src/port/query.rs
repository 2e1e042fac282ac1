//! Reading without deciding: what the API and the command line show. Nothing here locks, and
//! nothing that is read here may be the ground of a write.

use std::future::Future;

use serde_json::Value;
use steadfast_core::decision::Outcome;
use steadfast_core::effect::{Effect, EffectKind, EffectState};
use steadfast_core::execution::Execution;
use steadfast_core::queue::Queue;
use steadfast_core::schedule::{Schedule, ScheduleName};
use steadfast_core::worker::Worker;
use steadfast_core::workflow::{Run, Visit};
use steadfast_core::{ActionRef, DefinitionHash, ExecutionId, Status, Timestamp, Transport};

use super::store::Load;

/// An execution with everything that belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutionView {
    /// The row.
    pub execution: Execution,
    /// Its parameters; an empty mapping if it has none.
    pub parameters: Value,
    /// What it left, once it is over.
    pub outcome: Outcome,
}

/// Which executions to list; everything given must hold. Newest first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExecutionFilter {
    /// In one of these statuses; empty = any.
    pub statuses: Vec<Status>,
    /// Of this action.
    pub action: Option<ActionRef>,
    /// Children of this run.
    pub parent: Option<ExecutionId>,
    /// Only those after this place in the listing.
    pub cursor: Option<Cursor>,
    /// At most this many.
    pub limit: u32,
}

/// A place in a listing: the last execution seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(pub ExecutionId);

/// Which effects to list; everything given must hold. The newest execution's come first, and each
/// execution's in the order of their plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EffectFilter {
    /// In this state.
    pub state: Option<EffectState>,
    /// Of this execution.
    pub execution: Option<ExecutionId>,
    /// Only those after this place in the listing.
    pub cursor: Option<EffectCursor>,
    /// At most this many.
    pub limit: u32,
}

/// A place in a listing of effects: the last one seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EffectCursor {
    /// Whose it was.
    pub execution: ExecutionId,
    /// Its place in the plan.
    pub index: u32,
}

/// How many effects of a kind are in a state that is not over.
pub type EffectCount = (EffectKind, EffectState, u64);

/// A child of a run, for the list of its tasks.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// The child's row.
    pub execution: Execution,
    /// Why it failed, if it did.
    pub error: Option<String>,
}

/// A queue and what its rows add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueView {
    /// The row.
    pub queue: Queue,
    /// How many wait.
    pub waiting: u64,
    /// How many hold a slot.
    pub holding: u64,
    /// Since when the longest waiting has waited.
    pub oldest_waiting: Option<Timestamp>,
}

/// Everything that can be looked up.
pub trait Query: Clone + Send + Sync + 'static {
    /// One execution.
    fn execution(
        &self,
        id: ExecutionId,
    ) -> impl Future<Output = Load<Option<ExecutionView>>> + Send;

    /// A page of executions, newest first.
    fn executions(
        &self,
        filter: &ExecutionFilter,
    ) -> impl Future<Output = Load<Vec<ExecutionView>>> + Send;

    /// Up to `limit` children of a run in order of creation, after `after`.
    fn tasks(
        &self,
        run: ExecutionId,
        after: Option<ExecutionId>,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<TaskView>>> + Send;

    /// A run and its visits, in order of task and occurrence.
    fn run(&self, id: ExecutionId) -> impl Future<Output = Load<Option<(Run, Vec<Visit>)>>> + Send;

    /// The queues of an action, or all of them.
    fn queues(
        &self,
        action: Option<&ActionRef>,
    ) -> impl Future<Output = Load<Vec<QueueView>>> + Send;

    /// All workers, with how many live attempts each has.
    fn workers(&self) -> impl Future<Output = Load<Vec<(Worker, u32)>>> + Send;

    /// A schedule; none that was removed.
    fn schedule(&self, name: &ScheduleName) -> impl Future<Output = Load<Option<Schedule>>> + Send;

    /// Up to `limit` schedules in the order of their names, after `after`; none that was removed.
    fn schedules(
        &self,
        after: Option<&ScheduleName>,
        limit: u32,
    ) -> impl Future<Output = Load<Vec<Schedule>>> + Send;

    /// How many executions are in each status.
    fn count_by_status(&self) -> impl Future<Output = Load<Vec<(Status, u64)>>> + Send;

    /// A page of effects.
    fn effects(&self, filter: &EffectFilter) -> impl Future<Output = Load<Vec<Effect>>> + Send;

    /// How many effects are not over.
    fn open_effects(&self) -> impl Future<Output = Load<Vec<EffectCount>>> + Send;

    /// How many executions that are not over were submitted under each transport; those that have
    /// none are missing.
    fn count_by_transport(&self) -> impl Future<Output = Load<Vec<(Transport, u64)>>> + Send;

    /// A pinned definition, as JSON.
    fn definition(
        &self,
        hash: &DefinitionHash,
    ) -> impl Future<Output = Load<Option<String>>> + Send;

    /// Stores definitions; those that are known stay as they are.
    fn put_definitions(
        &self,
        definitions: &[(DefinitionHash, String)],
    ) -> impl Future<Output = Load<()>> + Send;

    /// A small note of the engine's own.
    fn note(&self, key: &str) -> impl Future<Output = Load<Option<String>>> + Send;

    /// Writes such a note.
    fn put_note(&self, key: &str, value: &str) -> impl Future<Output = Load<()>> + Send;
}
