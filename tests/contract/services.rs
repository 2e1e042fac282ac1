//! The services on a store, in worlds that the engine itself never makes: one in which work is
//! assigned to workers, and one in which every message is lost.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use steadfast_core::claim::Assignment;
use steadfast_core::decision::Message;
use steadfast_core::effect::{Effect, EffectKind, EffectState, Target, Trigger, Verdict, Wish};
use steadfast_core::execution::{Ending, Execution};
use steadfast_core::settings::Settings;
use steadfast_core::submit::Submission;
use steadfast_core::worker::WorkerInput;

use steadfast_core::{
    ActionRef, DefinitionHash, ExecutionId, FencingToken, Prepared, RetryPolicy, Runtime, Span,
    Status, Timestamp, Transport, WorkerName,
};
use steadfast_embedded::{EmbeddedStore, InprocBroker};
use steadfast_packs::{
    Catalog, CompiledWorkflow, Definition, PolicyDefaults, prepare, read_standalone,
};
use steadfast_postgres::PostgresStore;
use steadfast_services::alarm::Alarm;
use steadfast_services::assembly::{Doors, open_doors, start_executor};
use steadfast_services::port::{
    Answer, Broker, Committed, Counter, Courier, Delivery, EffectFilter, Ended, Env, Published,
    Query, Receipt, Runner, Store, StoreError, Topic, Workflow,
};
use steadfast_services::service::HandleHints as _;
use steadfast_services::service::control;
use steadfast_services::service::dead_letter::DeadLetters;
use steadfast_services::service::dispatch::dispatch;
use steadfast_services::service::heartbeat::{self, Introduction};
use steadfast_services::service::work::{StopSignals, WorkerConfig, work};
use steadfast_sim::{SimBroker, SimStore};
use tokio_util::sync::CancellationToken;

use crate::stage::sleep;

/// Loses messages if it is told to.
#[derive(Clone)]
pub(crate) struct Post<B> {
    broker: B,
    loses_all: bool,
}

impl<B: Broker> Broker for Post<B> {
    type Subscription = B::Subscription;

    async fn publish(
        &self,
        after: &Committed,
        messages: Vec<Message>,
    ) -> Result<Published, StoreError> {
        let kept = if self.loses_all { Vec::new() } else { messages };
        self.broker.publish(after, kept).await
    }

    async fn subscribe(&self, topic: Topic) -> Result<B::Subscription, StoreError> {
        self.broker.subscribe(topic).await
    }
}

/// A store that can be looked into as well, and the broker of the world that it is from.
pub(crate) trait Full: Store + Query {
    /// The broker.
    type Broker: Broker;

    /// One that is empty.
    fn broker(&self) -> Self::Broker;
}

impl Full for EmbeddedStore {
    type Broker = InprocBroker;

    fn broker(&self) -> InprocBroker {
        InprocBroker::new()
    }
}

impl Full for PostgresStore {
    type Broker = InprocBroker;

    fn broker(&self) -> InprocBroker {
        InprocBroker::new()
    }
}

impl Full for SimStore {
    type Broker = SimBroker;

    fn broker(&self) -> SimBroker {
        SimBroker::new(self.process().clone())
    }
}

pub(crate) struct World<S: Full>(Arc<Inner<S>>);

impl<S: Full> Clone for World<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

struct Inner<S: Full> {
    store: S,
    post: Post<S::Broker>,
    transport: Transport,
    catalog: Catalog,
    workflow: Definition,
    alarm: Alarm,
    effect_alarm: Alarm,
    receiver: Receiver,
    draws: AtomicU64,
}

impl<S: Full> Env for World<S> {
    type Store = S;
    type Broker = Post<S::Broker>;
    type Courier = Receiver;

    fn courier(&self) -> &Receiver {
        &self.0.receiver
    }

    fn effect_alarm(&self) -> &Alarm {
        &self.0.effect_alarm
    }

    fn store(&self) -> &S {
        &self.0.store
    }

    fn broker(&self) -> &Post<S::Broker> {
        &self.0.post
    }

    fn settings(&self) -> Settings {
        let effect_retry =
            RetryPolicy { count: 3, delay: Span::from_millis(20), ..RetryPolicy::default() };
        Settings { sweep_interval: Span::from_millis(20), effect_retry, ..Settings::DEFAULT }
    }

    fn transport(&self) -> Transport {
        self.0.transport
    }

    fn batch_size(&self) -> usize {
        16
    }

    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this world has a real clock")]
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    async fn sleep(&self, span: Span) {
        sleep(span.into()).await;
    }

    fn spawn<F: Future<Output = ()> + Send + 'static>(&self, _: &'static str, task: F) {
        crate::stage::spawn(task);
    }

    fn entropy(&self) -> u64 {
        self.0.draws.fetch_add(1, Ordering::Relaxed)
    }

    fn prepare(
        &self,
        action: &ActionRef,
        parameters: &Value,
    ) -> Result<(Prepared, Vec<Wish>), String> {
        let definition = self.0.catalog.get(action).ok_or_else(|| format!("no {action}"))?;
        let defaults = PolicyDefaults::default();
        let prepared = prepare(definition, parameters.clone(), &defaults);
        Ok((prepared.map_err(|error| error.to_string())?, Vec::new()))
    }

    async fn workflow(
        &self,
        hash: &DefinitionHash,
    ) -> Result<Option<Arc<dyn Workflow>>, StoreError> {
        let known = &self.0.workflow;
        assert_eq!(*hash, known.hash());
        let lookup = |hash: &DefinitionHash| self.0.catalog.by_hash(hash).cloned();
        let compiled =
            CompiledWorkflow::new(Arc::new(known.clone()), lookup, PolicyDefaults::default());
        Ok(Some(Arc::new(compiled.expect("it compiles"))))
    }

    fn alarm(&self) -> &Alarm {
        &self.0.alarm
    }

    async fn probe(&self, _: &str, _: Span) -> Answer {
        Answer::Silence
    }

    fn count(&self, _: Counter, _: u64) {}
}

/// Writes down what it is told, but for the first time, which it does not take.
#[derive(Clone, Default)]
pub(crate) struct Receiver(Arc<Mutex<Vec<(String, u32)>>>);

impl Courier for Receiver {
    async fn deliver(&self, effect: &Effect) -> Verdict {
        let mut told = self.0.lock().expect("nobody panics");
        told.push((effect.key.idempotency_key(), effect.sends));
        if told.len() == 1 {
            let error = String::from("not now");
            return Verdict::Failed { error, lasting: false, after: None };
        }
        Verdict::Delivered
    }

    fn patience(&self) -> Span {
        Span::from_secs(1)
    }
}

/// Doubles numbers.
#[derive(Clone)]
struct Doubler;

impl Runner for Doubler {
    fn runtimes(&self) -> BTreeSet<Runtime> {
        [steadfast_packs::handler_runtime(&"test.double".into())].into()
    }

    async fn run(&self, _: Assignment, parameters: Value, _: CancellationToken) -> Ended {
        let doubled = parameters["number"].as_i64().map(|number| number * 2);
        Ended { ending: Ending::Succeeded, result: json!(doubled), error: None }
    }
}

const WORKFLOW: &str = "
version: 1.0.0
tasks:
  - name: each
    action: test.double
    with_items: [1, 2, 3, 4, 5, 6, 7]
    concurrency: 3
    input: { number: \"{{ item }}\" }
    next: [{ when: \"{{ succeeded() }}\", do: [after, beside] }]
  - { name: beside, action: test.double, input: { number: 1 }, next: [{ do: [after] }] }
  - { name: after, action: test.double, join: all, input: { number: \"{{ task.each.results[6] }}\" } }
output_map: { all: \"{{ task.each.results }}\", last: \"{{ task.after.result }}\" }
";

pub(crate) fn world<S: Full>(store: S, transport: Transport, loses_all: bool) -> World<S> {
    let mut catalog = Catalog::new();
    catalog.register_handler(Definition::handler("test.double")).expect("the name is free");
    let read = read_standalone("flow.yaml".as_ref(), WORKFLOW.as_bytes(), &catalog);
    let (workflow, _) = read.unwrap_or_else(|problems| panic!("{problems:?}"));
    let post = Post { broker: store.broker(), loses_all };
    World(Arc::new(Inner {
        store,
        post,
        transport,
        catalog,
        workflow,
        alarm: Alarm::default(),
        effect_alarm: Alarm::default(),
        receiver: Receiver::default(),
        draws: AtomicU64::new(7),
    }))
}

pub(crate) fn start<S: Full>(world: &World<S>, names: &[&str]) -> (Doors, StopSignals) {
    let doors = open_doors(world);
    start_executor(world, &CancellationToken::new());
    let stop = StopSignals::default();
    for name in names {
        let config = WorkerConfig {
            introduction: Introduction {
                name: WorkerName::new(name),
                runtimes: Doubler.runtimes(),
                labels: Default::default(),
                capacity: 2,
            },
            renew_interval: Span::from_millis(200),
            poll_interval: Span::from_millis(50),
            shutdown_timeout: Span::from_secs(5),
            progress: Default::default(),
        };
        let life = work(world.clone(), Doubler, config, stop.clone());
        world.spawn("worker", life);
    }
    (doors, stop)
}

pub(crate) async fn submit(world: &World<impl Full>, doors: &Doors) -> ExecutionId {
    submit_one(&world.0.workflow, json!({}), doors).await
}

fn wishes() -> Vec<Wish> {
    let wish = |trigger, target: &str| {
        let (kind, target) = (EffectKind::Webhook, Target::new(target));
        Wish { trigger, kind, target }
    };
    vec![wish(Trigger::Completed, "receipts"), wish(Trigger::Unsuccessful, "pager")]
}

async fn submit_one(definition: &Definition, parameters: Value, doors: &Doors) -> ExecutionId {
    let prepared = prepare(definition, parameters, &PolicyDefaults::default());
    let prepared = prepared.expect("it can be prepared");
    let submission = Submission { prepared, idempotency: None, retry_of: None, wishes: wishes() };
    let submitted = doors.submitter.send(submission).await.expect("the service runs");
    submitted.expect("it is accepted").id()
}

/// Waits until a submitted workflow has ended, and looks at what it left. The store may be out of
/// reach now and then.
pub(crate) async fn ended(world: &World<impl Full>, id: ExecutionId) {
    for _ in 0..600 {
        let view = match Query::execution(&world.0.store, id).await {
            Err(StoreError::Unavailable(_)) => None,
            view => Some(view.expect("it can be read").expect("it exists")),
        };
        if let Some(view) = view.filter(|view| view.execution.status.is_terminal()) {
            assert_eq!(view.execution.status, Status::Completed, "{:?}", view.outcome.error);
            assert_eq!(view.outcome.result, json!({ "all": [2, 4, 6, 8, 10, 12, 14], "last": 28 }));
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not end within 30 seconds");
}

async fn run_to_the_end(world: &World<impl Full>, doors: &Doors) -> ExecutionId {
    let id = submit(world, doors).await;
    ended(world, id).await;
    id
}

async fn workers_used(world: &World<impl Full>, run: ExecutionId) -> BTreeSet<String> {
    let tasks = world.0.store.tasks(run, None, 100).await.expect("it can be read");
    assert_eq!(tasks.len(), 9);
    assert!(tasks.iter().all(|task| task.execution.attempt.0 == 1), "one attempt each");
    tasks.iter().filter_map(|t| t.execution.worker.as_ref().map(|w| w.name.to_string())).collect()
}

pub(crate) async fn losing_every_message_costs_time_and_nothing_else(store: impl Full) {
    let world = world(store, Transport::Embedded, true);
    let (doors, _stop) = start(&world, &["one"]);
    let run = run_to_the_end(&world, &doors).await;
    workers_used(&world, run).await;
}

pub(crate) async fn losing_every_offer_costs_time_and_nothing_else(store: impl Full) {
    let world = world(store, Transport::Rabbitmq, true);
    let (doors, _stop) = start(&world, &["one", "two"]);
    let run = run_to_the_end(&world, &doors).await;
    workers_used(&world, run).await;
}

/// The first try is not taken. What is told is told again under the same key, by the next token, and
/// nobody waits for the other end; the children of the run tell nobody.
pub(crate) async fn an_end_is_told_until_it_is_heard(store: impl Full) {
    let world = world(store, Transport::Embedded, true);
    let (doors, _stop) = start(&world, &["one"]);
    let run = run_to_the_end(&world, &doors).await;
    let filter = EffectFilter { limit: 10, ..EffectFilter::default() };
    for _ in 0..600 {
        let effects = match Query::effects(&world.0.store, &filter).await {
            Err(StoreError::Unavailable(_)) => Vec::new(),
            effects => effects.expect("they can be read"),
        };
        if let Some(effect) = effects.iter().find(|e| e.state == EffectState::Delivered) {
            assert_eq!((effects.len(), effect.key.execution), (1, run));
            assert_eq!((effect.sends, effect.failures), (2, 1));
            let told = world.0.receiver.0.lock().expect("nobody panics").clone();
            let key = effect.key.idempotency_key();
            assert_eq!(told, [(key.clone(), 1), (key, 2)]);
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("nobody was told within 30 seconds");
}

pub(crate) async fn assigned_work_goes_to_the_least_loaded_workers(store: impl Full) {
    let world = world(store, Transport::Rabbitmq, false);
    let (doors, _stop) = start(&world, &["one", "two"]);
    let run = run_to_the_end(&world, &doors).await;
    let used = workers_used(&world, run).await;
    assert_eq!(used, BTreeSet::from(["one".to_owned(), "two".to_owned()]));
}

/// Waits until an execution is in this status, and returns its row.
async fn until(world: &World<impl Full>, id: ExecutionId, status: Status) -> Execution {
    for _ in 0..600 {
        let view = world.0.store.execution(id).await.expect("it can be read").expect("it exists");
        if view.execution.status == status {
            return view.execution;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{id} was not {status} within 6 seconds");
}

pub(crate) async fn a_draining_worker_gives_an_offer_back_at_once(store: impl Full) {
    let world = world(store, Transport::Rabbitmq, true);
    let (doors, _stop) = start(&world, &["one"]);
    let id = submit_one(&Definition::handler("test.double"), json!({ "number": 1 }), &doors).await;
    let offered = until(&world, id, Status::Offered).await;
    let worker = offered.worker.clone().expect("it was offered to somebody");
    let told = control::tell(&world, &worker.name, WorkerInput::AskToDrain).await;
    assert_eq!(told, Ok(Some(Ok(()))));
    // The offer was lost; now it comes, late.
    let offer = Message::Offer { worker, execution: id, token: offered.token() };
    let after = Committed::by_store(world.now());
    world.0.post.broker.publish(&after, vec![offer]).await.expect("the broker takes it");
    let back = until(&world, id, Status::Ready).await;
    assert_eq!((back.attempt, back.losses, back.worker), (offered.attempt, 0, None));
}

pub(crate) async fn a_dead_letter_takes_back_the_offer_of_a_worker_that_is_over_and_no_other(
    store: impl Full,
) {
    // Nobody sweeps here, so what happens is the dead letters' doing.
    let world = world(store, Transport::Rabbitmq, true);
    let doors = open_doors(&world);
    let introduction = || Introduction {
        name: WorkerName::new("one"),
        runtimes: Doubler.runtimes(),
        labels: Default::default(),
        capacity: 2,
    };
    let worker = heartbeat::register(&world, introduction()).await.expect("the store is there");
    let id = submit_one(&Definition::handler("test.double"), json!({ "number": 1 }), &doors).await;
    dispatch(&world).await.expect("the store is there");
    let offered = until(&world, id, Status::Offered).await;
    let letter = |execution, token| Delivery {
        message: Message::Offer { worker: worker.clone(), execution, token },
        receipt: Receipt::by_broker(1),
        redelivered: false,
    };
    let bury = async |letters: &[Delivery]| {
        DeadLetters.handle(&world, letters).await.expect("the store is there");
        let view = world.0.store.execution(id).await.expect("it can be read");
        view.expect("it exists").execution
    };
    let its_own = [letter(id, offered.token()), letter(id, offered.token())];
    assert_eq!(bury(&its_own).await, offered, "a healthy worker gives it back by itself");
    let again = heartbeat::register(&world, introduction()).await.expect("the store is there");
    assert!(again.incarnation > worker.incarnation);
    let other = FencingToken(offered.token().0 + 7);
    let strays = [letter(id, other), letter(ExecutionId(u64::MAX / 2), offered.token())];
    assert_eq!(bury(&strays).await, offered);
    let back = bury(&its_own).await;
    assert_eq!((back.status, back.attempt, back.losses), (Status::Ready, offered.attempt, 0));
    assert_eq!(bury(&its_own).await, back, "whoever comes late finds nothing");
}

/// A test for each story. `$fresh` makes an empty store, and something that is kept until the test
/// is over.
macro_rules! services_contract {
    ($fresh:path) => {
        $crate::services::services_contract! { tokio $fresh }
    };
    ($kind:ident $fresh:path) => {
        $crate::services::services_contract! { $kind $fresh: losing_every_message_costs_time_and_nothing_else, losing_every_offer_costs_time_and_nothing_else, assigned_work_goes_to_the_least_loaded_workers, a_draining_worker_gives_an_offer_back_at_once, a_dead_letter_takes_back_the_offer_of_a_worker_that_is_over_and_no_other, an_end_is_told_until_it_is_heard }
    };
    (tokio $fresh:path: $($story:ident),*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $story() {
            let (store, _keep) = $fresh().await;
            $crate::services::$story(store).await;
        }
    )*};
    (stage $perform:path: $($story:ident),*) => {$(
        #[test]
        fn $story() {
            $perform($crate::services::$story);
        }
    )*};
}
pub(crate) use services_contract;
