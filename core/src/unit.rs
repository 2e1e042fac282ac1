//! A unit of work: the rows that one transaction loaded, changed step by step, and in the end
//! turned into one [`Decision`].
//!
//! Inputs are applied one after the other to the same rows, so a batch of 256 obeys exactly the
//! laws that 256 batches of one obey. Every change of an execution goes through [`Unit::tell`],
//! which draws the consequences that must not be forgotten: the freed slot promotes the next in
//! line, the parent run hears of the end, the worker is told to stop.

mod effects;
mod planted;
mod rows;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::decision::{Decision, ItemPage, Message, Outcome, Settle, Writes};
use crate::definition::{Transport, Work};
use crate::effect::{Effect, EffectKey};
use crate::execution::{Execution, ExecutionInput, Refusal};
use crate::history::{Voices, Word};
use crate::id::{ExecutionId, FencingToken, Order, QueueKey, TaskKey, WorkerId, WorkerName};
use crate::queue::{Occupancy, Queue};
use crate::schedule::Schedule;
use crate::settings::Settings;
use crate::status::Status;
use crate::time::Timestamp;
use crate::worker::Worker;
use crate::workflow::{Run, Visit};

pub use rows::{Row, Rows};

/// The rows of one transaction, as they are and as they will be.
///
/// It can be written down as it was loaded, before anything was decided.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unit {
    /// The store's clock when everything was loaded.
    pub now: Timestamp,
    /// The spans and bounds in force.
    pub settings: Settings,
    /// How new executions of this engine are carried.
    pub transport: Transport,
    /// Loaded and changed workers.
    pub workers: Rows<Worker>,
    /// Loaded and changed queues.
    pub queues: Rows<Queue>,
    /// Loaded and changed workflow runs.
    pub runs: Rows<Run>,
    /// Loaded and changed visits.
    pub visits: Rows<Visit>,
    /// Loaded and changed schedules.
    pub schedules: Rows<Schedule>,
    /// Loaded, planned and changed effects.
    pub effects: Rows<Effect>,
    executions: Rows<Execution>,
    occupancy: BTreeMap<QueueKey, Occupancy>,
    line: BTreeMap<QueueKey, BTreeSet<(Order, ExecutionId)>>,
    looked_for: BTreeSet<QueueKey>,
    keys: BTreeMap<String, ExecutionId>,
    parameters: BTreeMap<ExecutionId, Value>,
    results: BTreeMap<ExecutionId, Outcome>,
    items: Vec<ItemPage>,
    messages: BTreeSet<Message>,
    #[serde(skip)]
    voices: Voices,
    #[serde(skip)]
    planted: Option<&'static str>,
    fresh_ids: core::ops::Range<u64>,
    entropy: u64,
}

impl Unit {
    /// An empty unit. `fresh_ids` were allocated by the store for this transaction; `entropy` is
    /// any number and decides jitter alone.
    #[must_use]
    pub fn new(
        now: Timestamp,
        settings: Settings,
        transport: Transport,
        fresh_ids: core::ops::Range<u64>,
        entropy: u64,
    ) -> Self {
        Self {
            now,
            settings,
            transport,
            workers: Rows::default(),
            queues: Rows::default(),
            runs: Rows::default(),
            visits: Rows::default(),
            schedules: Rows::default(),
            effects: Rows::default(),
            executions: Rows::default(),
            occupancy: BTreeMap::new(),
            line: BTreeMap::new(),
            looked_for: BTreeSet::new(),
            keys: BTreeMap::new(),
            parameters: BTreeMap::new(),
            results: BTreeMap::new(),
            items: Vec::new(),
            messages: BTreeSet::new(),
            voices: Voices::default(),
            planted: None,
            fresh_ids,
            entropy,
        }
    }

    /// Plants a bug of the catalogue. Only the simulator does; see [`Unit::is_planted`].
    // Kept whole, so that a search in a binary finds it wherever anybody calls it.
    #[inline(never)]
    pub fn plant(&mut self, name: &'static str) {
        self.planted = Some(name);
    }

    /// Whether a bug of the catalogue is planted here: a question that production answers with no
    /// by construction, since nothing in it can call [`Unit::plant`].
    #[must_use]
    pub fn is_planted(&self, name: &'static str) -> bool {
        self.planted == Some(name)
    }

    /// Notes that the holder of an attempt spoke of it and was listened to. `worker` is who it
    /// said that it was, where that was said.
    pub(crate) fn hear(&mut self, id: ExecutionId, token: FencingToken, worker: Option<&WorkerId>) {
        self.voices.reports.insert(id, Word { token, worker: worker.cloned() });
    }

    /// Notes that a worker process spoke of itself and was listened to.
    pub(crate) fn hear_worker(&mut self, worker: WorkerId) {
        self.voices.workers.insert(worker);
    }

    /// Notes that whoever delivers an effect spoke of its try and was listened to.
    pub(crate) fn hear_effect(&mut self, key: EffectKey, token: FencingToken) {
        self.voices.effects.insert(key, token);
    }

    /// Adds an execution that the store loaded and locked.
    pub fn load_execution(&mut self, execution: Execution) {
        self.note_line(&execution, None, Some(execution.status));
        if let Some(idempotency) = &execution.idempotency {
            self.keys.insert(idempotency.key.clone(), execution.id);
        }
        self.executions.load(execution);
    }

    /// Adds what the store counted for a queue whose row it locked.
    pub fn load_occupancy(&mut self, queue: QueueKey, occupancy: Occupancy) {
        self.occupancy.insert(queue, occupancy);
    }

    /// Notes that the store was asked for this queue, so that one that is not here does not exist.
    pub fn look_for_queue(&mut self, queue: QueueKey) {
        self.looked_for.insert(queue);
    }

    /// Whether it is known if this queue exists.
    #[must_use]
    pub fn knows_queue(&self, queue: &QueueKey) -> bool {
        self.queues.find(queue).is_some() || self.looked_for.contains(queue)
    }

    /// An execution as it is now.
    #[must_use]
    pub fn execution(&self, id: ExecutionId) -> Option<&Execution> {
        self.executions.find(&id)
    }

    /// All loaded and created executions.
    pub fn executions(&self) -> impl Iterator<Item = &Execution> {
        self.executions.iter()
    }

    /// What was left behind by an execution that ended in this unit.
    #[must_use]
    pub fn outcome(&self, id: ExecutionId) -> Option<&Outcome> {
        self.results.get(&id)
    }

    /// The execution submitted with this key.
    #[must_use]
    pub fn submitted_with(&self, key: &str) -> Option<&Execution> {
        self.keys.get(key).and_then(|id| self.execution(*id))
    }

    /// What a queue's rows add up to now.
    #[must_use]
    pub fn occupancy(&self, queue: &QueueKey) -> Occupancy {
        self.occupancy.get(queue).copied().unwrap_or_default()
    }

    /// An identity that no other execution has; `None` when the transaction's block is used up.
    pub fn fresh_id(&mut self) -> Option<ExecutionId> {
        self.fresh_ids.next().map(ExecutionId)
    }

    /// Gives the unit identities that the store allocated for its transaction.
    pub fn give_ids(&mut self, ids: core::ops::Range<u64>) {
        self.fresh_ids = ids;
    }

    /// How many identities are left.
    #[must_use]
    pub fn fresh_ids_left(&self) -> u64 {
        self.fresh_ids.end - self.fresh_ids.start
    }

    /// The next number of a sequence that the unit's entropy determines (SplitMix64, by Steele,
    /// Lea and Flood, OOPSLA 2014).
    pub fn draw(&mut self) -> u64 {
        self.entropy = self.entropy.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.entropy;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Publishes `message` once the writes are durable; the same one twice is published once.
    pub fn publish(&mut self, message: Message) {
        self.messages.insert(message);
    }

    /// Takes back that work waits to be assigned: whoever calls this has just seen to it.
    pub(crate) fn withdraw_assignable(&mut self) {
        self.messages.retain(
            |message| !matches!(message, Message::Ready { transport, .. } if transport.pushes()),
        );
    }

    /// Adds a new execution.
    pub fn create(&mut self, execution: Execution, parameters: Value) {
        let empty = parameters.as_object().is_some_and(serde_json::Map::is_empty);
        if !empty && !parameters.is_null() {
            self.parameters.insert(execution.id, parameters);
        }
        if let Some(idempotency) = &execution.idempotency {
            self.keys.insert(idempotency.key.clone(), execution.id);
        }
        self.note_line(&execution, None, Some(execution.status));
        self.executions.insert(execution);
    }

    /// Writes a page of a new item list.
    pub fn write_items(&mut self, page: ItemPage) {
        self.items.push(page);
    }

    /// Records what an execution left behind; called with the ending itself.
    pub fn leave(&mut self, id: ExecutionId, outcome: Outcome) {
        self.results.insert(id, outcome);
    }

    /// Marks an ended execution as known to its run.
    pub fn fold(&mut self, id: ExecutionId) {
        if let Some(execution) = self.executions.edit(&id) {
            execution.folded = true;
        }
    }

    /// Tells an execution something and draws all consequences.
    ///
    /// # Errors
    /// If the execution refuses; nothing has changed then.
    ///
    /// # Panics
    /// If the execution, or the queue that the change concerns, was not loaded.
    pub fn tell(&mut self, id: ExecutionId, input: &ExecutionInput) -> Result<Status, Refusal> {
        let now = self.now;
        let before = self.executions.find(&id).expect("the execution is loaded").clone();
        let mut after = before.clone();
        if self.planted.is_some() {
            self.handle_wrongly(&mut after, input)?;
        } else {
            after.handle(input, now)?;
        }
        self.executions.replace(after.clone());
        self.note_line(&after, Some(before.status), Some(after.status));
        self.follow(&before, &after);
        Ok(self.executions.find(&id).expect("the execution is loaded").status)
    }

    /// Lets waiters through while there is room, in strict order.
    ///
    /// # Panics
    /// If the queue was not loaded.
    pub fn promote(&mut self, key: &QueueKey) {
        self.promote_up_to(u64::MAX, key);
    }

    /// [`Unit::promote`], for `most` waiters.
    pub(crate) fn promote_up_to(&mut self, most: u64, key: &QueueKey) {
        for _ in 0..most {
            let queue = self.queues.find(key).expect("the queue is loaded");
            let occupancy = self.occupancy(key);
            let room =
                queue.has_room(&occupancy) || self.is_planted("promote_without_capacity_check");
            if occupancy.waiting == 0 || !room {
                return;
            }
            let head = self.line.get(key).and_then(|line| self.head(line)).copied();
            // Beyond the horizon someone unseen may stand further ahead.
            let seen = |order: Order| {
                occupancy.horizon.is_none_or(|horizon| order <= horizon)
                    || self.is_planted("horizon_ignored")
            };
            match head {
                Some((order, id)) if seen(order) => {
                    let until = self.unschedulable_at(id);
                    let admit = ExecutionInput::Admit { order: None, unschedulable_at: until };
                    self.tell(id, &admit).expect("the head of the line waits");
                }
                _ => {
                    self.publish(Message::Admit(key.clone()));
                    return;
                }
            }
        }
    }

    fn head<'a>(
        &self,
        line: &'a BTreeSet<(Order, ExecutionId)>,
    ) -> Option<&'a (Order, ExecutionId)> {
        if self.is_planted("promote_newest_first") { line.last() } else { line.first() }
    }

    /// When to stop looking for a worker, for an execution that gets a slot now.
    #[must_use]
    pub fn unschedulable_at(&self, id: ExecutionId) -> Option<Timestamp> {
        let workflow = self.execution(id).is_some_and(Execution::is_workflow);
        (!workflow).then_some(self.now + self.settings.unschedulable_after)
    }

    /// All changes as one decision.
    #[must_use]
    pub fn into_decision(mut self) -> Decision {
        self.complete_notices();
        let mut unchanged = 0;
        let writes = Writes {
            workers: self.workers.into_changed(&mut unchanged),
            queues: self.queues.into_changed(&mut unchanged),
            executions: self.executions.into_changed(&mut unchanged),
            runs: self.runs.into_changed(&mut unchanged),
            visits: self.visits.into_changed(&mut unchanged),
            schedules: self.schedules.into_changed(&mut unchanged),
            parameters: self.parameters.into_iter().collect(),
            results: self.results.into_iter().collect(),
            items: self.items,
            effects: self.effects.into_changed(&mut unchanged),
            unchanged,
        };
        let messages = self.messages.into_iter().collect();
        Decision { writes, voices: self.voices, messages, settle: Settle::Ack }
    }

    /// What must follow from a change, whoever caused it.
    fn follow(&mut self, before: &Execution, after: &Execution) {
        if after.cancel_requested && !before.cancel_requested {
            self.ask_to_stop(after);
        }
        if after.status == before.status {
            return;
        }
        let unannounced =
            before.status == Status::Queued && self.is_planted("promotion_without_dispatch");
        if after.status == Status::Ready && !unannounced {
            self.publish(match &after.work {
                Work::Workflow => Message::Advance(after.id),
                // Whoever serves the transport of today takes it, whatever it was submitted under.
                Work::Runtime(runtime) => {
                    Message::Ready { runtime: runtime.clone(), transport: self.transport }
                }
            });
        }
        if after.status.is_terminal() {
            self.follow_end(after);
        }
        if !after.wishes.is_empty() {
            self.plan_effects(before, after);
        }
        if after.status == Status::Ready
            && before.status.has_live_attempt()
            && !self.is_planted("give_back_arms_no_timer")
        {
            // It waits for a worker anew, and must not do so for ever.
            let until = self.unschedulable_at(after.id);
            self.tell(after.id, &ExecutionInput::KeepLooking(until)).expect("it is ready");
        }
        if after.status == Status::Backoff && after.wake_at <= Some(self.now) {
            self.tell(after.id, &ExecutionInput::Retry).expect("the delay is over");
        }
        // Where work is assigned, its worker has room for another now.
        if let (true, true, Work::Runtime(runtime)) = (
            self.transport.pushes(),
            before.status.has_live_attempt() && !after.status.has_live_attempt(),
            &after.work,
        ) {
            let (runtime, transport) = (runtime.clone(), self.transport);
            self.publish(Message::Ready { runtime, transport });
        }
        let freed = before.status.holds_slot() && !after.status.holds_slot();
        if (freed && !self.leaves_the_slot_empty(after)) || after.status == Status::Queued {
            self.promote(&after.queue);
        }
        if freed && self.is_planted("release_by_queue_key") {
            self.release_somebody_else(after);
        }
    }

    fn follow_end(&mut self, after: &Execution) {
        if let Some(cause) = after.cause
            && !self.is_planted("engine_end_leaves_no_reason")
        {
            let error = Some(cause.sentence().to_string());
            let outcome = Outcome { result: Value::Null, error };
            self.results.entry(after.id).or_insert(outcome);
        }
        let uncounted = self.occupancy(&after.queue).waiting == 0
            && self.is_planted("stats_not_refreshed_when_empty");
        if after.order.is_some() && !uncounted {
            let now = self.now;
            let queue = self.queues.edit(&after.queue).expect("the queue is loaded");
            queue.completed += 1;
            queue.updated_at = now;
        }
        self.publish(Message::Ended { execution: after.id, status: after.status });
        if after.is_workflow() && self.runs.find(&after.id).is_none_or(|run| run.open) {
            // Its children are still to be stopped.
            self.publish(Message::Advance(after.id));
        }
        if let Some(run) = after.parent() {
            self.publish(Message::Advance(run));
        }
    }

    fn ask_to_stop(&mut self, execution: &Execution) {
        let (id, token) = (execution.id, execution.token());
        self.publish(match &execution.worker {
            Some(worker) => Message::Stop { worker: worker.clone(), execution: id, token },
            None => Message::Advance(id),
        });
    }

    /// Keeps the derived counts and the line in step with one change of status.
    fn note_line(&mut self, execution: &Execution, from: Option<Status>, to: Option<Status>) {
        let is = |status: Option<Status>, wanted: fn(Status) -> bool| status.is_some_and(wanted);
        let queued = |status: Status| status == Status::Queued;
        let place = execution.order.map(|order| (order, execution.id));
        if let Some(place) = place {
            if is(from, queued) && !is(to, queued) {
                self.line.entry(execution.queue.clone()).or_default().remove(&place);
            } else if is(to, queued) {
                self.line.entry(execution.queue.clone()).or_default().insert(place);
            }
        }
        let Some(from) = from else { return };
        let occupancy = self.occupancy.entry(execution.queue.clone()).or_default();
        let count = |count: &mut u64, was: bool, is: bool| match (was, is) {
            (true, false) => *count = count.saturating_sub(1),
            (false, true) => *count += 1,
            _ => {}
        };
        let to = to.unwrap_or(from);
        count(&mut occupancy.holding, from.holds_slot(), to.holds_slot());
        count(&mut occupancy.waiting, queued(from), queued(to));
    }

    /// The worker of that name.
    #[must_use]
    pub fn worker(&self, name: &WorkerName) -> Option<&Worker> {
        self.workers.find(name)
    }

    /// The visit of a task.
    #[must_use]
    pub fn visit(&self, key: &TaskKey) -> Option<&Visit> {
        self.visits.find(key)
    }
}
